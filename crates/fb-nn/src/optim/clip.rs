//! Limits for gradients.

use super::setting::positive;
use crate::error::Result;
use crate::param::ParamId;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A limit that gradients are brought under before a step.
///
/// ```
/// use fb_nn::optim::Clip;
/// use fb_nn::param::{Params, Role};
/// use fb_tensor::Tensor;
/// let mut params = Params::new();
/// let id = params.insert("weight", Tensor::zeros([2]), Role::Weight)?;
/// let mut gradients = [(id, Tensor::from([30.0_f32, 40.0]))];
/// assert_eq!(Clip::Norm(1.0).apply(&mut gradients), 50.0);
/// assert!((gradients[0].1.norm() - 1.0).abs() < 1e-6);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
/// algorithm 1 (the norm).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Clip {
    /// All gradients are scaled by the same factor so that the norm of all together is at most this. The direction
    /// stays. As in PyTorch's `clip_grad_norm_`, the factor is `limit / (norm + 1e-6)`.
    Norm(f64),
    /// Each element is held between minus this and this.
    Value(f64),
}

/// PyTorch's guard against a norm of 0.
const NORM_GUARD: f64 = 1e-6;

/// The help of a limit that cannot be.
const USUAL: &str = "0.5 to 5 are usual; leave the clip out for no limit";

impl Clip {
    /// Brings gradients under the limit, in place; returns the norm of all together before, `√Σ g²`, added up in double
    /// precision, also where squares would overflow.
    ///
    /// Gradients whose norm is not finite are left as they are: no factor would mend them.
    pub fn apply<F: Float>(&self, gradients: &mut [(ParamId, Tensor<F>)]) -> f64 {
        let norm = norm(gradients);
        match *self {
            Self::Norm(limit) => {
                let factor = limit / (norm + NORM_GUARD);
                if factor < 1.0 && norm.is_finite() {
                    gradients
                        .iter_mut()
                        .for_each(|(_, gradient)| gradient.scale_mut(F::from_f64(factor)));
                }
            }
            Self::Value(limit) => {
                let (low, high) = (F::from_f64(-limit), F::from_f64(limit));
                for gradient in gradients
                    .iter_mut()
                    .flat_map(|(_, gradient)| gradient.make_mut())
                {
                    let g = F::select(*gradient < low, low, *gradient);
                    *gradient = F::select(g > high, high, g);
                }
            }
        }
        norm
    }

    /// Checks the limit.
    ///
    /// # Errors
    /// It is not a finite number above 0.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Norm(limit) => positive("the limit of Clip::Norm", limit, USUAL),
            Self::Value(limit) => positive("the limit of Clip::Value", limit, USUAL),
        }
    }
}

/// The norm of all gradients together.
fn norm<F: Float>(gradients: &[(ParamId, Tensor<F>)]) -> f64 {
    let plain: f64 = gradients.iter().map(|(_, g)| g.squared_norm()).sum();
    if plain.is_finite() || !gradients.iter().all(|(_, g)| g.is_all_finite()) {
        return plain.sqrt();
    }
    // The squares of f64 beyond 1e154 are no f64, so they are taken of gradients brought down by a power of 2, exactly.
    let scale = 2.0_f64.powi(-600);
    let small = gradients.iter().map(|(_, gradient)| {
        let mut gradient = gradient.clone();
        gradient.scale_mut(F::from_f64(scale));
        gradient.squared_norm()
    });
    small.sum::<f64>().sqrt() / scale
}

/// `norm 1` or `value 0.5`.
impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Norm(limit) => write!(f, "norm {limit}"),
            Self::Value(limit) => write!(f, "value {limit}"),
        }
    }
}
