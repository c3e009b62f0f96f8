//! Rows of images of another size, vectors over channels.

use crate::element::Float;

/// How the numbers between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    Nearest,
    Bilinear { align_corners: bool },
}

/// An axis of images and of what is made of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) sampling: Sampling,
}

/// Two neighbouring inputs and the share of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) share: f64,
}

impl Axis {
    /// What an output is made from.
    #[inline(always)]
    pub(crate) fn sample(&self, output: usize) -> Sample {
        let last = self.input - 1;
        let at = match self.sampling {
            Sampling::Nearest => {
                let low = output * self.input / self.output;
                return Sample {
                    low,
                    high: low,
                    share: 0.0,
                };
            }
            Sampling::Bilinear {
                align_corners: true,
            } if self.output == 1 => 0.0,
            Sampling::Bilinear {
                align_corners: true,
            } => output as f64 * (last as f64 / (self.output - 1) as f64),
            Sampling::Bilinear { .. } => {
                let scale = self.input as f64 / self.output as f64;
                ((output as f64 + 0.5) * scale - 0.5).max(0.0)
            }
        };
        let low = (at as usize).min(last);
        Sample {
            low,
            high: (low + 1).min(last),
            share: (at - low as f64).clamp(0.0, 1.0),
        }
    }
}

/// A row of outputs: the two rows of inputs, and where the outputs are along them.
pub(crate) struct Row<'a> {
    pub(crate) sample: Sample,
    pub(crate) columns: &'a Axis,
    pub(crate) channels: usize,
}

impl Row<'_> {
    /// Where the four pixels around an output start, upper ones first, and the share of each.
    #[inline(always)]
    fn corners<F: Float>(&self, output: usize) -> [(usize, F); 4] {
        let (rows, columns) = (self.sample, self.columns.sample(output));
        let at = |row: usize, column: usize| (row * self.columns.input + column) * self.channels;
        let share = |down: f64, right: f64| F::from_f64(down * right);
        [
            (
                at(rows.low, columns.low),
                share(1.0 - rows.share, 1.0 - columns.share),
            ),
            (
                at(rows.low, columns.high),
                share(1.0 - rows.share, columns.share),
            ),
            (
                at(rows.high, columns.low),
                share(rows.share, 1.0 - columns.share),
            ),
            (
                at(rows.high, columns.high),
                share(rows.share, columns.share),
            ),
        ]
    }
}

multiversion! {
    /// A row of outputs.
    pub(crate) fn row [F: Float] (image: &[F], row: Row<'_>, output: &mut [F]) {
        let nearest = row.columns.sampling == Sampling::Nearest;
        for (j, output) in output.chunks_exact_mut(row.channels).enumerate() {
            let corners = row.corners::<F>(j);
            let pixels = corners.map(|(at, _)| &image[at..at + output.len()]);
            if nearest {
                output.copy_from_slice(pixels[0]);
                continue;
            }
            let [a, b, c, d] = corners.map(|(_, share)| share);
            let upper = pixels[0].iter().zip(pixels[1]);
            let lower = pixels[2].iter().zip(pixels[3]);
            for ((out, (&p, &q)), (&r, &s)) in output.iter_mut().zip(upper).zip(lower) {
                *out = (a * p + b * q) + (c * r + d * s);
            }
        }
    }
}

multiversion! {
    /// Adds the gradients of a row of outputs to what they were made from.
    pub(crate) fn row_back [F: Float] (gradient: &[F], row: Row<'_>, image: &mut [F]) {
        let corners = if row.columns.sampling == Sampling::Nearest { 1 } else { 4 };
        for (j, gradient) in gradient.chunks_exact(row.channels).enumerate() {
            for (at, share) in row.corners::<F>(j).into_iter().take(corners) {
                for (out, &g) in image[at..at + gradient.len()].iter_mut().zip(gradient) {
                    *out += share * g;
                }
            }
        }
    }
}
