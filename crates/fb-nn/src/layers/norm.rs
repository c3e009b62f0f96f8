//! What the norms have in common: a scale and a bias for each feature, and a number that keeps roots away from zero.

use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Context, Scope};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::Float;

/// A learned scale and a learned bias for each feature, or one of them, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    weight: Option<ParamId>,
    bias: Option<ParamId>,
}

impl Affine {
    pub(super) fn build<F: Float>(
        scope: &mut Scope<F>,
        features: usize,
        scale: bool,
        bias: bool,
    ) -> Result<Self> {
        let ones = Initializer::Constant(1.0);
        let mut param = |wanted: bool, name, init: &Initializer, role| match wanted {
            true => scope.param(name, [features], init, role).map(Some),
            false => Ok(None),
        };
        Ok(Self {
            weight: param(scale, "weight", &ones, Role::Scale)?,
            bias: param(bias, "bias", &Initializer::Zeros, Role::Bias)?,
        })
    }

    pub(super) fn values<F: Float>(
        self,
        cx: &mut Context<'_, F>,
    ) -> (Option<Var<F>>, Option<Var<F>>) {
        let weight = self.weight.map(|id| cx.param(id));
        (weight, self.bias.map(|id| cx.param(id)))
    }
}

pub(super) fn check_epsilon<F: Float>(scope: &Scope<F>, kind: &str, epsilon: f64) -> Result<()> {
    // As the numbers it is added to: what single precision rounds to 0 keeps nothing away from 0.
    let added = F::from_f64(epsilon);
    if added > F::ZERO && added.is_finite() {
        return Ok(());
    }
    Err(scope.error(
        kind,
        format!("a finite epsilon above 0 in {}", F::NAME),
        format!("{epsilon:?}"),
        "it keeps features that do not vary from being divided by 0",
    ))
}
