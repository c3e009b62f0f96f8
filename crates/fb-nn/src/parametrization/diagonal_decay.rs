//! Decays between 0 and 1.

use super::{Parametrization, Site, WeightModule};
use crate::error::Result;
use crate::module::Context;
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Numbers that stay between 0 and 1: `a = exp(−softplus(Δ) · exp(A))`, for the diagonal of a loop that must forget.
///
/// It is what a linear system `h' = −exp(A) h` leaves of `h` after a time `softplus(Δ)`, whatever the optimizer does to `A`
/// and `Δ`; only rounding makes it 0 or 1, where `exp(A)` is huge or tiny. The stored value is `A`; `Δ` stands beside it as `….step`. The parameter must start between 0 and 1 and is
/// kept: `softplus(Δ)` starts from 1.
///
/// # Errors
/// A number of the parameter is not between 0 and 1.
///
/// # Examples
/// ```
/// use fb_nn::Params;
/// use fb_nn::param::Role;
/// use fb_nn::parametrization::DiagonalDecay;
/// use fb_tensor::Tensor;
/// let mut params = Params::new();
/// params.insert("state/decay", Tensor::from([0.9, 0.99]), Role::Scale)?;
/// params.parametrize("state/decay", DiagonalDecay)?;
/// params.get_mut(params.id("state/decay").unwrap()).value = Tensor::from([-8.0, 3.0]);
/// let decay = params.weight("state/decay").unwrap();
/// assert!(decay.iter().all(|a| 0.0 < a && a < 1.0));
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Orvieto et al., "Resurrecting recurrent neural networks for long sequences", ICML 2023, section 3.3 (the LRU's
/// exponential parametrisation); "Parcae", arXiv 2604.12946, for its use on looped language models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagonalDecay;

impl Parametrization for DiagonalDecay {
    const KIND: &'static str = "DiagonalDecay";

    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        let outside = site.value().iter().find(|a| *a <= F::ZERO || *a >= F::ONE);
        if let Some(outside) = outside {
            return Err(site.error(
                "numbers between 0 and 1 to start from",
                outside.to_f64().to_string(),
                "start from Initializer::Uniform { low: 0.5, high: 0.99 }",
            ));
        }
        let rates = (site.value().to_f64().ln() * -1.0).ln();
        let steps = Tensor::full_of(site.shape(), F::from_f64(1.0_f64.exp_m1().ln()));
        site.start_from(rates.cast());
        let step = site.part("step", steps, Role::Scale)?;
        Ok(Arc::new(DiagonalDecayModule { step }))
    }
}

#[derive(Debug)]
struct DiagonalDecayModule {
    step: ParamId,
}

impl<F: Float> WeightModule<F> for DiagonalDecayModule {
    fn weight(&self, cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F> {
        (-(cx.param(self.step).softplus() * raw.exp())).exp()
    }
}
