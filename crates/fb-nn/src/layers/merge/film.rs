//! One value scaled and shifted by another.

use super::{floats, listed, two_floats};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Module, Scope, Spec, Value};
use crate::param::{ParamId, Role};
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// Feature-wise linear modulation: `x · (1 + γ) + β`, where `γ` and `β` are affine maps of a condition.
///
/// The weights of `γ` and `β` start small around zero, so that a fresh layer hands `x` on.
///
/// ```
/// use fb_nn::layers::Film;
/// use fb_nn::Graph;
/// let network = Graph::new()
///     .input("image", [8, 8, 16])
///     .input("question", [12])
///     .layer("seen", Film::new(), ["image", "question"])
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 8, 8, 16]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Shapes
/// - inputs: `x` `[batch, …, features]` and the condition `[batch, width]`
/// - returns `[batch, …, features]`
///
/// # References
/// E. Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Film {}

impl Film {
    /// The layer.
    pub fn new() -> Self {
        Self {}
    }
}

/// Gain of the weights relative to Glorot's rule.
const GAIN: f64 = 0.1;

impl Layer for Film {
    const KIND: &'static str = "Film";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let [x, condition] = two_floats(scope, Self::KIND, inputs)?;
        let (Some(&features), [width]) = (x.last(), &*condition) else {
            return Err(scope.error(
                Self::KIND,
                "a value with an axis of features, and a condition [batch, width]",
                listed(inputs),
                "a Flatten or a global pooling layer makes a vector of the condition",
            ));
        };
        let extents = [*width, features.saturating_mul(2)];
        let init = Initializer::GlorotUniform { gain: GAIN };
        let module = FilmModule {
            features,
            weight: scope.param("weight", extents, &init, Role::Weight)?,
            bias: scope.param("bias", [extents[1]], &Initializer::Zeros, Role::Bias)?,
        };
        Ok(Built {
            output: inputs[0],
            module: Box::new(module),
            sum: None,
            description: format!("Film {width} -> {features}"),
        })
    }
}

#[derive(Debug)]
struct FilmModule {
    features: usize,
    weight: ParamId,
    bias: ParamId,
}

impl<F: Float> Module<F> for FilmModule {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let values = floats(cx, inputs, 2)?;
        let (x, condition) = (values[0], values[1]);
        let both = condition.linear(&cx.param(self.weight), Some(&cx.param(self.bias)));
        let mut extents = vec![1; x.shape().len()];
        extents[0] = x.shape()[0];
        extents[x.shape().len() - 1] = self.features;
        let parts = both.split(1, &[self.features, self.features]);
        let (scale, shift) = (parts[0].reshape(extents.clone()), parts[1].reshape(extents));
        Ok(vec![Value::Float(x + &(x * &scale) + shift)])
    }
}
