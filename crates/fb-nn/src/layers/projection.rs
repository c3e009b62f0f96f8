//! A matrix over the last axis, perhaps with a bias: a part of larger layers.

use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Context, Scope};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};

#[derive(Clone, Copy, Debug)]
pub(super) struct Projection {
    pub(super) weight: ParamId,
    bias: Option<ParamId>,
}

impl Projection {
    /// Makes `path/name/weight` `[from, to]` and, if wanted, `path/name/bias`.
    pub(super) fn build<F: Float>(
        scope: &mut Scope<F>,
        name: &str,
        [from, to]: [usize; 2],
        init: &Initializer,
        bias: bool,
    ) -> Result<Self> {
        let shape = Shape::try_new(&[from, to])?;
        scope.inside(name, |scope| {
            Ok(Self {
                weight: scope.param("weight", shape, init, Role::Weight)?,
                bias: match bias {
                    true => Some(scope.param("bias", [to], &Initializer::Zeros, Role::Bias)?),
                    false => None,
                },
            })
        })
    }

    pub(super) fn apply<F: Float>(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Var<F> {
        let weight = cx.param(self.weight);
        let bias = self.bias.map(|id| cx.param(id));
        x.linear(&weight, bias.as_ref())
    }
}
