//! Between two values, where a gate says.

use super::{floats, listed, two_floats};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Module, Scope, Spec, Value};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// Between two values, feature by feature: `g · a + (1 − g) · b` with `g = σ(W [a, b] + c)`, as the update gate of a GRU does
/// it between the old and the new.
///
/// The bias starts at 0, halfway; [`GatedMix::bias`] starts it elsewhere.
///
/// ```
/// use fb_nn::layers::{Dense, GatedMix};
/// use fb_nn::Graph;
/// let network = Graph::new()
///     .input("x", [4])
///     .layer("new", Dense::new(4), "x")
///     .layer("mixed", GatedMix::new().bias(2.0), ["x", "new"])
///     .build()?;
/// assert_eq!(network.params().by_name("mixed/weight").unwrap().value.dims(), [8, 4]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Shapes
/// - inputs: two of `[batch, …, features]`, the same
/// - returns the same
///
/// # References
/// R. Srivastava, K. Greff, J. Schmidhuber, "Highway networks", 2015.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatedMix {
    bias: f64,
}

impl GatedMix {
    /// A gate that starts halfway.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the gate's bias starts: above 0 nearer to the first value, below 0 nearer to the second.
    #[must_use]
    pub fn bias(mut self, start: f64) -> Self {
        self.bias = start;
        self
    }
}

impl Layer for GatedMix {
    const KIND: &'static str = "GatedMix";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let [a, b] = two_floats(scope, Self::KIND, inputs)?;
        let (true, Some(&features)) = (a == b, a.last()) else {
            return Err(scope.error(
                Self::KIND,
                "two inputs of one shape with an axis of features",
                listed(inputs),
                "a Dense before one of them gives it as many features",
            ));
        };
        let seen = features.saturating_mul(2);
        let init = Initializer::GlorotUniform { gain: 1.0 };
        let module = Mix {
            weight: scope.param("weight", [seen, features], &init, Role::Weight)?,
            bias: scope.param(
                "bias",
                [features],
                &Initializer::Constant(self.bias),
                Role::Bias,
            )?,
        };
        Ok(Built {
            output: inputs[0],
            module: Box::new(module),
            sum: None,
            description: format!("GatedMix {features}"),
        })
    }
}

#[derive(Debug)]
struct Mix {
    weight: ParamId,
    bias: ParamId,
}

impl<F: Float> Module<F> for Mix {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let values = floats(cx, inputs, 2)?;
        let (a, b) = (values[0], values[1]);
        let both = Var::concat(&[a, b], a.shape().len() - 1);
        let gate = both
            .linear(&cx.param(self.weight), Some(&cx.param(self.bias)))
            .sigmoid();
        Ok(vec![Value::Float(b + &(gate * (a - b)))])
    }
}
