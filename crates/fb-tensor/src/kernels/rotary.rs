//! Rotations of pairs of features.

use crate::element::Float;

/// Which features of a row are a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// `i` and `i + n` for `n` pairs.
    HalfSplit,
    /// `2i` and `2i + 1`.
    Interleaved,
}

multiversion! {
    /// Rotates the pairs at the front of a row by angles given by cosine and sine; the other features stay.
    pub(crate) fn rotate [F: Float] (x: &[F], cos: &[F], sin: &[F], pairing: Pairing, output: &mut [F]) {
        let rotated = 2 * cos.len();
        output[rotated..].copy_from_slice(&x[rotated..]);
        let (x, output) = (&x[..rotated], &mut output[..rotated]);
        let angles = cos.iter().zip(sin);
        if pairing == Pairing::Interleaved {
            for ((out, x), (&c, &s)) in output.chunks_exact_mut(2).zip(x.chunks_exact(2)).zip(angles) {
                out[0] = x[0] * c - x[1] * s;
                out[1] = x[0] * s + x[1] * c;
            }
            return;
        }
        let (low, high) = x.split_at(cos.len());
        let (to_low, to_high) = output.split_at_mut(cos.len());
        let to = to_low.iter_mut().zip(to_high);
        for (((to_low, to_high), (&a, &b)), (&c, &s)) in to.zip(low.iter().zip(high)).zip(angles) {
            *to_low = a * c - b * s;
            *to_high = a * s + b * c;
        }
    }
}
