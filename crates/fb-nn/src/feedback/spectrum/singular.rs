//! The largest singular value of a batch of Jacobians.

use super::arnoldi::{Arnoldi, eigenvalues};
use crate::error::Result;
use fb_tensor::{Float, Tensor};

/// The largest singular value of one sample's Jacobian: how much one iteration can enlarge a disturbance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingularValue {
    /// The value, which is also the Jacobian's spectral norm.
    pub value: f64,
    /// How far it may be off, estimated.
    pub error: f64,
    /// Whether it is found to the tolerance.
    pub converged: bool,
}

/// The largest singular value of each sample's Jacobian: the root of the largest eigenvalue of `JᵀJ`, which
/// [`eigenvalues`] finds from both products. Of `arnoldi`, the count is not used: one is wanted.
///
/// Below 1 the loop contracts from any state like this one, at once and not only in the long run, as a spectral radius
/// below 1 promises.
///
/// # Shapes
/// - `v` and what `product`, `v ↦ J v`, and `transposed`, `v ↦ Jᵀ v`, give: `[batch, n]`
///
/// # Errors
/// As [`eigenvalues`]; a Jacobian beyond 1e75 is too large.
///
/// # Examples
/// ```
/// use fb_nn::feedback::spectrum::{Arnoldi, largest_singular_value};
/// use fb_tensor::Tensor;
///
/// // Nilpotent: the second iteration forgets everything, but the first one enlarges.
/// let j = Tensor::<f64>::from_vec(vec![0.0, 3.0, 0.0, 0.0], [2, 2]);
/// let found = largest_singular_value(
///     &mut |v: &Tensor<f64>| Ok(v.matmul(&j.transpose())),
///     &mut |v: &Tensor<f64>| Ok(v.matmul(&j)),
///     1,
///     2,
///     &Arnoldi::default(),
/// )?;
/// assert_eq!(found[0].value, 3.0);
/// # Ok::<(), fb_nn::Error>(())
/// ```
pub fn largest_singular_value<F: Float>(
    product: &mut dyn FnMut(&Tensor<F>) -> Result<Tensor<F>>,
    transposed: &mut dyn FnMut(&Tensor<F>) -> Result<Tensor<F>>,
    batch: usize,
    n: usize,
    arnoldi: &Arnoldi,
) -> Result<Vec<SingularValue>> {
    let one = Arnoldi {
        count: 1,
        ..arnoldi.clone()
    };
    let mut squared = |v: &Tensor<F>| transposed(&product(v)?);
    let spectra = eigenvalues(&mut squared, batch, n, &one)?;
    let root = |spectrum: super::Spectrum| {
        let value = spectrum.radius.sqrt();
        // The square is off by `error`, so the root by no more than either of these.
        let error = (spectrum.error / value.max(f64::MIN_POSITIVE)).min(spectrum.error.sqrt());
        SingularValue {
            value,
            error,
            converged: spectrum.converged,
        }
    };
    Ok(spectra.into_iter().map(root).collect())
}
