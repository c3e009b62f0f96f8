//! The gain in the Euclidean norm, bounded.

use super::operator::Operator;
use super::{Parametrization, Site, WeightModule, above_zero};
use crate::error::Result;
use crate::module::{Context, Mode, Scope};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Weights whose largest gain, the largest singular value σ, is bounded: `W · min(1, bound / σ(W))`, or always
/// `W · bound / σ(W)`.
///
/// With a bound below 1 on all weights of a loop and functions of slope at most 1 between them, the loop contracts: it has
/// one fixed point, reaches it from anywhere, and gradients through its iterations fade at the same rate.
///
/// **In training** σ is followed by power iteration: a singular vector is kept in the buffer `….singular`, and each pass
/// improves it by [`SpectralNorm::iterations`] steps, one without a word, as in PyTorch. σ is then found from below, so while
/// weights move fast the gain may pass the bound by a little; more steps hold it closer. It is found once in a pass: all
/// iterations of a loop see the same weight. The gradient is that of σ with its vectors held fixed, which is exact once they
/// have settled.
///
/// **In evaluation** σ is searched to the end (Lanczos iteration, by the weights alone and not by the buffer) and what is
/// left of the search counts as if σ were larger by it: the bound holds. For a dense weight that costs some
/// thirty products with a vector a pass, for a kernel as many convolutions of one map and their transposes.
///
/// **Convolutions** are bounded as the operators on maps that they are, not as reshaped kernels, whose σ says little:
/// [`SpectralNorm::over`] gives the size of the maps, and σ is that of the convolution with zeros all around the map. It is
/// an upper bound for every padding with zeros and every stride, for dilation, and for smaller maps, and tight but for the
/// edges; kernels of transposed convolutions have the same σ. A layer with groups says so with [`SpectralNorm::groups`].
///
/// # Errors
/// The bound is not finite or not above 0, there are 0 iterations, the weight is a vector, or of zeros where it should be
/// scaled; a kernel comes without the size of its maps, or with groups that do not divide its filters.
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Conv2d, Dense};
/// use fb_nn::parametrization::SpectralNorm;
/// let mut network = Sequential::input([8, 8, 3])
///     .layer("conv", Conv2d::new(4, [3, 3]).same())
///     .layer("scores", Dense::new(2))
///     .build()?;
/// let params = network.params_mut();
/// params.parametrize("conv/weight", SpectralNorm::at_most(0.9).over([8, 8]))?;
/// params.parametrize("scores/weight", SpectralNorm::exactly(1.0).iterations(2))?;
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral normalization for generative adversarial networks", ICLR 2018,
/// algorithm 1; F. Farnia, J. Zhang, D. Tse, "Generalizable adversarial training via spectral normalization", ICLR 2019, and
/// H. Gouk et al., "Regularisation of neural networks by enforcing Lipschitz continuity", 2018, for convolutions as
/// operators on maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpectralNorm {
    bound: f64,
    /// Whether smaller weights are scaled up to the bound.
    exactly: bool,
    iterations: usize,
    /// The extents of the maps; none for matrices.
    over: Vec<usize>,
    groups: usize,
}

impl SpectralNorm {
    /// A gain of at most `bound`: weights within it are left alone.
    pub fn at_most(bound: f64) -> Self {
        Self {
            bound,
            exactly: false,
            iterations: 1,
            over: Vec::new(),
            groups: 1,
        }
    }

    /// A gain of `target`: weights are always scaled. With 1 this is PyTorch's `spectral_norm`.
    pub fn exactly(target: f64) -> Self {
        Self {
            exactly: true,
            ..Self::at_most(target)
        }
    }

    /// How many steps of power iteration a training pass makes.
    #[must_use]
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// The extents of the maps that a kernel is moved over: `[length]` or `[height, width]`.
    #[must_use]
    pub fn over(self, map: impl AsRef<[usize]>) -> Self {
        Self {
            over: map.as_ref().to_vec(),
            ..self
        }
    }

    /// Into how many groups the channels of the convolution are cut.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    fn operator<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Operator> {
        let shape = site.shape();
        let help = "give the size of its maps with .over([height, width]), or .over([length])";
        if !(2..=4).contains(&shape.len()) {
            let wanted = "a matrix [in, out] or a kernel [..., in, out] over one or two axes";
            return Err(site.error(wanted, shape.to_string(), ""));
        }
        if self.over.len() != shape.len() - 2 {
            let wanted = match shape.len() {
                2 => "no size of maps for a matrix".to_owned(),
                n => format!("the size of maps over {} axes for a kernel {shape}", n - 2),
            };
            return Err(site.error(wanted, format!("{:?}", self.over), help));
        }
        if self.over.contains(&0) {
            return Err(site.error("maps with elements", format!("{:?}", self.over), help));
        }
        let filters = shape[shape.len() - 1];
        let fits = self.groups > 0 && filters.is_multiple_of(self.groups);
        if !fits || (shape.len() == 2 && self.groups != 1) {
            return Err(site.error(
                format!("groups that divide the {filters} filters of a kernel"),
                self.groups.to_string(),
                "give the number that the layer was built with",
            ));
        }
        // The vector of the search, and what is convolved from it, edges included: both before anything so large is made.
        let channels = shape[shape.len() - 2].saturating_mul(self.groups);
        let map = self.over.iter().copied();
        site.check_room(map.fold(channels, usize::saturating_mul))?;
        let positions = self.over.iter().zip(&*shape);
        let reach = positions.fold(filters, |n, (map, kernel)| {
            n.saturating_mul(map.saturating_add(*kernel))
        });
        if reach > Scope::<F>::MOST_NUMBERS {
            return Err(site.error(
                format!("maps of at most {} numbers", Scope::<F>::MOST_NUMBERS),
                reach.to_string(),
                help,
            ));
        }
        Ok(Operator::new(&shape, &self.over, self.groups))
    }
}

impl Parametrization for SpectralNorm {
    const KIND: &'static str = "SpectralNorm";

    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        above_zero(site, "bound", self.bound)?;
        if self.iterations == 0 {
            return Err(site.error("at least 1 iteration", "0", ""));
        }
        let operator = self.operator(site)?;
        let found = operator.largest_gain(site.value());
        if self.exactly && found.value <= 0.0 {
            let help =
                "start from another initializer than zeros, or bound the weight with at_most";
            return Err(site.error("a weight that can be scaled", "zeros", help));
        }
        let vector = Tensor::from_vec(found.vector, operator.input()).cast();
        let singular = site.part("singular", vector, Role::Buffer)?;
        Ok(Arc::new(SpectralNormModule {
            operator,
            singular,
            bound: self.bound,
            exactly: self.exactly,
            iterations: self.iterations,
        }))
    }
}

#[derive(Debug)]
struct SpectralNormModule {
    operator: Operator,
    singular: ParamId,
    bound: f64,
    exactly: bool,
    iterations: usize,
}

/// A singular value with its vectors, each of length 1.
struct Gain<F: Float> {
    sigma: f64,
    input: Tensor<F>,
    output: Tensor<F>,
}

impl SpectralNormModule {
    /// Follows σ from where the last pass left it.
    fn followed<F: Float>(&self, cx: &mut Context<'_, F>, weight: &Tensor<F>) -> Gain<F> {
        let mut input = cx.buffer(self.singular).clone();
        let mut output = unit(self.operator.apply(weight, &input)).0;
        let mut sigma = 0.0;
        for step in 0..self.iterations {
            if step > 0 {
                output = unit(self.operator.apply(weight, &input)).0;
            }
            (input, sigma) = unit(self.operator.apply_transposed(weight, &output));
        }
        // A weight that is 0 for once must not leave a vector that nothing can be made of.
        if sigma > 0.0 && sigma.is_finite() && !cx.params().get(self.singular).is_frozen() {
            cx.update_buffer(self.singular, input.clone());
        }
        Gain {
            sigma,
            input,
            output,
        }
    }

    /// Finds σ, so that it is certainly not larger.
    fn searched<F: Float>(&self, weight: &Tensor<F>) -> Gain<F> {
        let found = self.operator.largest_gain(weight);
        let input = Tensor::from_vec(found.vector, self.operator.input()).cast();
        let output = unit(self.operator.apply(weight, &input)).0;
        Gain {
            sigma: (found.value + found.residual).max(0.0).sqrt(),
            input,
            output,
        }
    }
}

impl<F: Float> WeightModule<F> for SpectralNormModule {
    fn weight(&self, cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F> {
        let weight = raw.tensor();
        // The search may not meet a NaN; the weight is handed on for it to be seen.
        if !weight.is_all_finite() {
            return raw.clone();
        }
        let gain = match cx.mode() {
            Mode::Train => self.followed(cx, weight),
            Mode::Eval => self.searched(weight),
        };
        let scale = self.bound / gain.sigma;
        if gain.sigma <= 0.0 || !scale.is_finite() || (scale >= 1.0 && !self.exactly) {
            return raw.clone();
        }
        let (operator, weight, scale) = (self.operator, weight.clone(), F::from_f64(scale));
        let scaled = &weight * scale;
        Var::custom("spectral_norm", &[raw], scaled, move |gradient| {
            // With s = bound / σ: d(sW) = s dW − (s / σ) W dσ, and dσ = ⟨y xᵀ, dW⟩ at the singular vectors.
            let along = (gradient * &weight).sum() * F::from_f64(1.0 / gain.sigma);
            let turned = operator.by_weight(&gain.input, &gain.output, *weight.shape());
            vec![Some((gradient - &(turned * along)) * scale)]
        })
    }
}

/// The vector brought to length 1, and its length before; one of length 0 is left alone.
fn unit<F: Float>(vector: Tensor<F>) -> (Tensor<F>, f64) {
    let length = vector.norm().to_f64();
    if length > 0.0 {
        (vector * F::from_f64(1.0 / length), length)
    } else {
        (vector, length)
    }
}
