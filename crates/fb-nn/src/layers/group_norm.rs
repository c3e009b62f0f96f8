//! Groups of channels of one sample, brought to mean 0 and variance 1.

use super::misfit;
use super::norm::{Affine, check_epsilon};
use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Brings groups of channels, over all positions of a sample, to mean 0 and variance 1; then scales and shifts each
/// channel.
///
/// `y = weight · (x − mean) / √(variance + epsilon) + bias`, with the biased variance over a group's channels and all
/// positions, for each sample by itself
///
/// One group for each channel is instance norm; one group in all is layer norm over whole samples. Epsilon is 10⁻⁵, as in
/// PyTorch (Keras has 10⁻³).
///
/// # Shapes
/// - `x`: `[batch, …, channels]`
/// - `weight`, `bias`: `[channels]`, from ones and zeros
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::GroupNorm;
/// let network = Sequential::input([7, 7, 8]).layer("norm", GroupNorm::new(4)).build()?;
/// assert_eq!(network.params().elements(), 16);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// Y. Wu, K. He, "Group normalization", ECCV 2018, equation 7.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    groups: usize,
    epsilon: f64,
    scale: bool,
    bias: bool,
}

impl GroupNorm {
    /// So many groups, with a scale and a bias for each channel.
    pub fn new(groups: usize) -> Self {
        Self {
            groups,
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

    /// Whether each channel has a learned scale.
    #[must_use]
    pub fn scale(self, scale: bool) -> Self {
        Self { scale, ..self }
    }

    /// Whether each channel has a learned bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }
}

impl Layer for GroupNorm {
    const KIND: &'static str = "GroupNorm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        check_epsilon(scope, Self::KIND, self.epsilon)?;
        let wanted = "[batch, …, channels]";
        let (shape, channels) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            return Err(scope.error(
                Self::KIND,
                format!("groups that divide the {channels} channels"),
                self.groups.to_string(),
                "all groups have the same number of channels",
            ));
        }
        Ok(Built {
            module: simple(GroupNormModule {
                groups: self.groups,
                affine: Affine::build(scope, channels, self.scale, self.bias)?,
                epsilon: self.epsilon,
                input: shape,
            }),
            output: Spec::float(shape),
            sum: None,
            description: format!("GroupNorm {channels} in {} groups", self.groups),
        })
    }
}

#[derive(Debug)]
struct GroupNormModule {
    groups: usize,
    affine: Affine,
    epsilon: f64,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for GroupNormModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let (weight, bias) = self.affine.values(cx);
        Ok(x.group_norm(self.groups, weight.as_ref(), bias.as_ref(), self.epsilon))
    }
}
