//! Random matrices with orthonormal columns or rows.

use crate::spectrum::dot;
use fb_tensor::random::Rng;
use fb_tensor::{Float, Shape, Tensor};

/// A random matrix of the shape (leading axes merged) whose columns, or rows if those are fewer, are orthogonal and
/// `gain` long.
///
/// Gram–Schmidt on normally distributed vectors: lengths are taken positive, so the result is the `Q` of a
/// decomposition `Q·R` with a positive diagonal, and every orthogonal matrix is equally likely.
pub(super) fn sample<F: Float>(shape: Shape, gain: f64, rng: &mut Rng) -> Tensor<F> {
    let columns = shape[shape.len() - 1];
    let rows: usize = shape[..shape.len() - 1].iter().product();
    let (count, length) = (rows.min(columns), rows.max(columns));
    let basis = orthonormal(count, length, rng);
    Tensor::filled_by(shape, |out| {
        for (position, value) in out.iter_mut().enumerate() {
            let (row, column) = (position / columns, position % columns);
            let (vector, element) = if rows >= columns {
                (column, row)
            } else {
                (row, column)
            };
            *value = F::from_f64(gain * basis[vector * length + element]);
        }
    })
}

/// `count` orthonormal vectors of `length ≥ count` elements, one after the other.
fn orthonormal(count: usize, length: usize, rng: &mut Rng) -> Vec<f64> {
    let mut basis = Vec::with_capacity(count * length);
    while basis.len() < count * length {
        let mut vector = Tensor::<f64>::normal([length], 0.0, 1.0, rng).to_vec();
        // Once leaves a rounding error that grows with the number of vectors; twice is enough (L. Giraud,
        // J. Langou, M. Rozložník, "The loss of orthogonality in the Gram-Schmidt orthogonalization process", 2005).
        for _ in 0..2 {
            for earlier in basis.chunks_exact(length) {
                let share = dot(earlier, &vector);
                vector
                    .iter_mut()
                    .zip(earlier)
                    .for_each(|(x, q)| *x -= share * q);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        // What is left of a vector that lay among the earlier ones is rounding noise: draw another.
        if norm > 1e-8 * (length as f64).sqrt() {
            basis.extend(vector.iter().map(|x| x / norm));
        }
    }
    basis
}
