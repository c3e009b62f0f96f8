//! Random matrices brought to a size: that of their eigenvalues, or that of their gain.

use crate::spectrum::{largest_eigenvalue, spectral_radius};
use fb_tensor::random::Rng;
use fb_tensor::{Shape, Tensor};

/// A sparse random matrix with this spectral radius; `None` if what was drawn has no eigenvalue but 0.
pub(super) fn scaled_to_radius(
    n: usize,
    radius: f64,
    density: f64,
    rng: &mut Rng,
) -> Option<Tensor<f64>> {
    if n == 0 {
        return Some(Tensor::zeros_of([0, 0]));
    }
    // Two draws for each number, whatever the first gives, so that the places do not depend on the density.
    let chances = Tensor::<f64>::uniform([n, n], 0.0, 1.0, rng);
    let mut matrix = Tensor::<f64>::uniform([n, n], -1.0, 1.0, rng);
    for (value, chance) in matrix.make_mut().iter_mut().zip(chances.iter()) {
        if chance >= density {
            *value = 0.0;
        }
    }
    let found = spectral_radius(&matrix);
    (found > 0.0).then(|| matrix * (radius / found))
}

/// Normally distributed numbers whose largest singular value, or the sum of those at all positions of a kernel, is `norm`.
pub(super) fn scaled_to_gain(shape: Shape, norm: f64, rng: &mut Rng) -> Tensor<f64> {
    let drawn = Tensor::<f64>::normal(shape, 0.0, 1.0, rng);
    let (inputs, outputs) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    if drawn.is_empty() {
        return drawn;
    }
    let positions = drawn.reshape([drawn.len() / (inputs * outputs), inputs, outputs]);
    let gain = |matrix: Tensor<f64>| {
        let found = largest_eigenvalue(inputs, 1e-10, |x| {
            let x = Tensor::from_vec(x.to_vec(), [1, inputs]);
            x.matmul(&matrix).matmul(&matrix.transpose()).to_vec()
        });
        (found.value + found.residual).sqrt()
    };
    let sum: f64 = (0..positions.dim(0))
        .map(|position| gain(positions.index_axis(0, position)))
        .sum();
    drawn * (norm / sum)
}
