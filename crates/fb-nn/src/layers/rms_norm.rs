//! Features of one position, brought to a mean square of 1.

use super::misfit;
use super::norm::{Affine, check_epsilon};
use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, Streaming, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Divides the features along the last axis by the root of their mean square, then scales each.
///
/// `y = weight · x / √(mean(x²) + epsilon)`, at each position by itself
///
/// Epsilon is 10⁻⁶ (PyTorch takes the spacing of numbers at 1 unless told otherwise; Llama 2 has 10⁻⁵).
///
/// # Shapes
/// - `x`: `[batch, …, features]`
/// - `weight`: `[features]`, from ones
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::RmsNorm;
/// let network = Sequential::input([5, 8]).layer("norm", RmsNorm::new()).build()?;
/// assert_eq!(network.params().elements(), 8);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RmsNorm {
    epsilon: f64,
    scale: bool,
}

impl Default for RmsNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl RmsNorm {
    /// With a scale for each feature.
    pub fn new() -> Self {
        Self {
            epsilon: 1e-6,
            scale: true,
        }
    }

    /// What is added to the mean square.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Whether each feature has a learned scale.
    #[must_use]
    pub fn scale(self, scale: bool) -> Self {
        Self { scale, ..self }
    }
}

impl Layer for RmsNorm {
    const KIND: &'static str = "RmsNorm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        check_epsilon(scope, Self::KIND, self.epsilon)?;
        let wanted = "[batch, …, features]";
        let (shape, features) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        Ok(Built {
            module: simple(RmsNormModule {
                affine: Affine::build(scope, features, self.scale, false)?,
                epsilon: self.epsilon,
                input: shape,
            }),
            output: Spec::float(shape),
            sum: None,
            description: format!("RmsNorm {features}"),
        })
    }
}

#[derive(Debug)]
struct RmsNormModule {
    affine: Affine,
    epsilon: f64,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for RmsNormModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let (weight, _) = self.affine.values(cx);
        Ok(x.rms_norm(weight.as_ref(), self.epsilon))
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}
