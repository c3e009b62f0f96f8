//! Features of one position, brought to mean 0 and variance 1.

use super::misfit;
use super::norm::{Affine, check_epsilon};
use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, Streaming, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Brings the features along the last axis to mean 0 and variance 1, then scales and shifts each.
///
/// `y = weight · (x − mean) / √(variance + epsilon) + bias`, with the biased variance, at each position by itself
///
/// Epsilon is 10⁻⁵, as in PyTorch (Keras has 10⁻³).
///
/// # Shapes
/// - `x`: `[batch, …, features]`
/// - `weight`, `bias`: `[features]`, from ones and zeros
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_autograd::Var;
/// use fb_nn::layers::LayerNorm;
/// use fb_nn::{Context, Sequential};
/// use fb_tensor::Tensor;
/// let network = Sequential::input([2]).layer("norm", LayerNorm::new().epsilon(1e-12)).build_as::<f64>()?;
/// let x = Var::constant(Tensor::from([[1.0, 5.0]]).cast());
/// let y = network.forward(&mut Context::eval(network.params()), x)?;
/// assert!((y.as_float().unwrap().tensor().at(&[0, 1]) - 1.0).abs() < 1e-9);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// J. Ba, J. Kiros, G. Hinton, "Layer normalization", 2016, equation 4.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    epsilon: f64,
    scale: bool,
    bias: bool,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl LayerNorm {
    /// With a scale and a bias for each feature.
    pub fn new() -> Self {
        Self {
            epsilon: 1e-5,
            scale: true,
            bias: true,
        }
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Whether each feature has a learned scale.
    #[must_use]
    pub fn scale(self, scale: bool) -> Self {
        Self { scale, ..self }
    }

    /// Whether each feature has a learned bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }
}

impl Layer for LayerNorm {
    const KIND: &'static str = "LayerNorm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        check_epsilon(scope, Self::KIND, self.epsilon)?;
        let wanted = "[batch, …, features]";
        let (shape, features) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        Ok(Built {
            module: simple(LayerNormModule {
                affine: Affine::build(scope, features, self.scale, self.bias)?,
                epsilon: self.epsilon,
                input: shape,
            }),
            output: Spec::float(shape),
            sum: None,
            description: format!("LayerNorm {features}"),
        })
    }
}

#[derive(Debug)]
struct LayerNormModule {
    affine: Affine,
    epsilon: f64,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for LayerNormModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let (weight, bias) = self.affine.values(cx);
        Ok(x.layer_norm(weight.as_ref(), bias.as_ref(), self.epsilon))
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}
