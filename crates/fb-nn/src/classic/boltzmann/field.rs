//! What the hidden units say to the visible ones.

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// The name of the weights, those of the layer from the visible units to the hidden ones.
const WEIGHTS: &str = "hidden/weight";

/// `W·h + b`, with the weights of the layer the other way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Field {}

impl Layer for Field {
    const KIND: &'static str = "BoltzmannField";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let hidden = scope.single_float(Self::KIND, inputs)?;
        let Some((weight, visible)) = scope.weight_before(WEIGHTS, hidden.elements()) else {
            return Err(scope.error(
                Self::KIND,
                "a layer \"hidden\" before it with as many units",
                Spec::float(hidden).to_string(),
                "",
            ));
        };
        let bias = scope.param("bias", [visible], &Initializer::Zeros, Role::Bias)?;
        Ok(Built {
            module: simple(FieldModule { weight, bias }),
            output: Spec::float([visible]),
            sum: None,
            description: format!("{} -> {visible}, tied", hidden.elements()),
        })
    }
}

#[derive(Debug)]
struct FieldModule {
    weight: ParamId,
    bias: ParamId,
}

impl<F: Float> SimpleModule<F> for FieldModule {
    fn forward(&self, cx: &mut Context<'_, F>, hidden: &Var<F>) -> Result<Var<F>> {
        let weight = cx.param(self.weight).transpose();
        if hidden.shape().last() != weight.shape().first() {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("{} hidden units", weight.shape()[0]),
                found: hidden.shape().to_string(),
                help: String::new(),
            });
        }
        Ok(hidden.linear(&weight, Some(&cx.param(self.bias))))
    }
}
