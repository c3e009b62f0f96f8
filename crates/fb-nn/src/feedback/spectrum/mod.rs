//! What a loop does near a state: eigenvalues and the largest singular value of its Jacobian, and whether its fixed
//! points depend on where it started.
//!
//! The Jacobian `J` of one iteration at a state decides what happens to a small disturbance: it dies out if the spectral
//! radius (the largest modulus of an eigenvalue) is below 1, turns around where eigenvalues are complex, and may first
//! grow if the largest singular value is above 1. Nothing here needs `J` as a matrix: a closure multiplies a batch of
//! vectors with it, or with `Jᵀ`, which has the same eigenvalues and is one backward sweep.
//!
//! Power iteration would be simpler and wrong: on a rotation it never settles, and its Rayleigh quotient says 0 for
//! 90 degrees whatever the radius. [`eigenvalues`] is an Arnoldi iteration and finds complex ones.
//!
//! ```
//! use fb_nn::feedback::spectrum::{Arnoldi, eigenvalues};
//! use fb_tensor::Tensor;
//!
//! // A quarter turn that shrinks by 5 % for one sample, and one that grows by 5 % for the other.
//! let turn = Tensor::<f64>::from_vec(vec![0.0, -1.0, 1.0, 0.0], [2, 2]);
//! let scales = Tensor::from_vec(vec![0.95, 1.05], [2, 1]);
//! let mut product = |v: &Tensor<f64>| Ok(v.matmul(&turn) * &scales);
//! let spectra = eigenvalues(&mut product, 2, 2, &Arnoldi::default())?;
//! assert!((spectra[0].radius - 0.95).abs() < 1e-12);
//! assert!((spectra[1].radius - 1.05).abs() < 1e-12);
//! assert!((spectra[0].eigenvalues[0].angle().to_degrees() - 90.0).abs() < 1e-9);
//! # Ok::<(), fb_nn::Error>(())
//! ```

mod alignment;
mod arnoldi;
mod balance;
mod complex;
mod condition;
mod krylov;
mod reflector;
mod reorder;
mod schur;
mod singular;
mod square;
#[cfg(test)]
mod tests;

pub use alignment::path_independence;
pub use arnoldi::{Arnoldi, Spectrum, eigenvalues};
pub use complex::Complex;
pub use singular::{SingularValue, largest_singular_value};
