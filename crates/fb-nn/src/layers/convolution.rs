//! A small matrix of weights that moves over a sequence or an image.

use super::axes::{self, Axes};
use super::{Activation, misfit};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, SplitModule, simple};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{ConvOptions, Float, Padding, Shape};
use serde::{Deserialize, Serialize};

/// A convolution over `D` axes: [`Conv1d`] over time, [`Conv2d`] over height and width.
///
/// `y[i] = activation(Σ x[stride·i + dilation·p − padding] · W[p] + b)`, the sum being over the positions `p` of the kernel
/// (a cross-correlation, as everywhere in this field)
///
/// Weights start from [`Initializer::glorot_uniform`], the bias from zeros, as in Keras; without padding unless told
/// otherwise. With `groups`, the channels are cut into so many parts that see each other only. Feedback joins the sum
/// before the activation.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`, or `[batch, time, channels]`
/// - `weight`: `[kernel height, kernel width, channels / groups, filters]`, or `[kernel, channels / groups, filters]`
///   (PyTorch keeps `[filters, channels / groups, …]`); `bias`: `[filters]`
/// - returns `[batch, height, width, filters]`, or `[batch, time, filters]`, of as many positions as the kernel has places
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Activation::*, Conv1d, Conv2d};
/// let network = Sequential::input([28, 28, 1])
///     .layer("conv1", Conv2d::new(16, [3, 3]).same().activation(Relu))
///     .layer("conv2", Conv2d::new(32, [3, 3]).stride([2, 2]).activation(Relu))
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 13, 13, 32]");
/// let network = Sequential::input([100, 4]).layer("conv", Conv1d::new(8, [5])).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 96, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct Conv<const D: usize> {
    filters: usize,
    kernel: [usize; D],
    options: ConvOptions<D>,
    activation: Activation,
    bias: bool,
    weight_init: Initializer,
    bias_init: Initializer,
}

/// A convolution over time.
pub type Conv1d = Conv<1>;

/// A convolution over height and width.
pub type Conv2d = Conv<2>;

impl<const D: usize> Conv<D> {
    /// So many filters with a kernel of this size, a bias, and no activation.
    pub fn new(filters: usize, kernel: [usize; D]) -> Self {
        Self {
            filters,
            kernel,
            options: ConvOptions::new(),
            activation: Activation::Linear,
            bias: true,
            weight_init: Initializer::glorot_uniform(),
            bias_init: Initializer::Zeros,
        }
    }

    /// How far the kernel moves from one output to the next.
    #[must_use]
    pub fn stride(mut self, stride: [usize; D]) -> Self {
        self.options.stride = stride;
        self
    }

    /// Zeros around the input.
    #[must_use]
    pub fn padding(mut self, padding: Padding<D>) -> Self {
        self.options.padding = padding;
        self
    }

    /// Zeros around the input so that there are as many outputs as inputs, or as many as strides fit.
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// The distance between neighbouring numbers of the kernel.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; D]) -> Self {
        self.options.dilation = dilation;
        self
    }

    /// Into how many parts the channels are cut.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.options.groups = groups;
        self
    }

    /// The nonlinearity.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Whether there is a bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Where the weights start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self {
            weight_init,
            ..self
        }
    }

    /// Where the bias starts.
    #[must_use]
    pub fn bias_init(self, bias_init: Initializer) -> Self {
        Self { bias_init, ..self }
    }

    /// With so many filters.
    pub(super) fn filters(self, filters: usize) -> Self {
        Self { filters, ..self }
    }

    /// How many groups there are.
    pub(super) fn group_count(&self) -> usize {
        self.options.groups
    }

    /// The same filters for each of so many channels, which are groups of their own.
    pub(super) fn of_each_channel(mut self, channels: usize) -> Self {
        self.options.groups = channels;
        self.filters = self.filters.saturating_mul(channels);
        self
    }

    /// Builds the layer under the name of `kind`.
    pub(super) fn build_as<F: Float>(
        &self,
        scope: &mut Scope<F>,
        kind: &str,
        inputs: &[Spec],
    ) -> Result<Built<F>>
    where
        Var<F>: Axes<F, D>,
    {
        self.activation.validate()?;
        let (input, channels) = axes::input::<F, D>(scope, kind, inputs)?;
        let (filters, groups) = (self.filters, self.options.groups);
        axes::check_groups(scope, kind, channels, filters, groups)?;
        let mut shape = self.kernel.to_vec();
        shape.extend([channels / groups, filters]);
        let shape = Shape::try_new(&shape)?;
        let weight = scope.param("weight", shape, &self.weight_init, Role::Weight)?;
        let bias = match self.bias {
            true => Some(scope.param("bias", [filters], &self.bias_init, Role::Bias)?),
            false => None,
        };
        let kernel = scope.value_mut(weight).clone();
        let output = axes::output(
            scope,
            kind,
            input,
            "a kernel, stride and dilation that fit",
            "a smaller kernel, or .same(), which adds zeros around the input",
            |none| Var::try_convolve(none, &kernel, &self.options),
        )?;
        axes::check_reach(scope, kind, &output, self.kernel, &self.options, channels)?;
        let ends = [channels, filters];
        let description = axes::describe(kind, self.kernel, ends, &self.options, self.activation);
        Ok(Built {
            module: simple(ConvModule {
                weight,
                bias,
                options: self.options,
                activation: self.activation,
                input,
            }),
            output: Spec::float(output),
            sum: Some(output),
            description,
        })
    }
}

impl Layer for Conv<1> {
    const KIND: &'static str = "Conv1d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        self.build_as(scope, Self::KIND, inputs)
    }
}

impl Layer for Conv<2> {
    const KIND: &'static str = "Conv2d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        self.build_as(scope, Self::KIND, inputs)
    }
}

#[derive(Debug)]
struct ConvModule<const D: usize> {
    weight: ParamId,
    bias: Option<ParamId>,
    options: ConvOptions<D>,
    activation: Activation,
    input: Shape,
}

impl<const D: usize> ConvModule<D> {
    fn params<F: Float>(&self, cx: &mut Context<'_, F>) -> (Var<F>, Option<Var<F>>) {
        (cx.param(self.weight), self.bias.map(|id| cx.param(id)))
    }
}

impl<F: Float, const D: usize> SimpleModule<F> for ConvModule<D>
where
    Var<F>: Axes<F, D>,
{
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        let (weight, bias) = self.params(cx);
        let (bias, options) = (bias.as_ref(), &self.options);
        Ok(self
            .activation
            .apply_to_convolution(x, &weight, bias, options))
    }

    fn split(&self) -> Option<&dyn SplitModule<F>> {
        Some(self)
    }
}

impl<F: Float, const D: usize> SplitModule<F> for ConvModule<D>
where
    Var<F>: Axes<F, D>,
{
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        let (weight, bias) = self.params(cx);
        Ok(x.convolve(&weight, bias.as_ref(), &self.options))
    }

    fn finish(&self, _cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>> {
        Ok(self.activation.apply(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;

    fn error(layer: Conv2d, input: [usize; 3]) -> String {
        Sequential::input(input)
            .layer("conv", layer)
            .build()
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn bad_configurations_are_errors() {
        assert_eq!(
            error(Conv2d::new(4, [5, 5]), [3, 8, 1]),
            "layer \"conv\" (Conv2d): expected a kernel, stride and dilation that fit [batch, 3, 8, 1], \
             found a kernel that spans 5 positions does not fit into 3, padding included\n  \
             help: a smaller kernel, or .same(), which adds zeros around the input"
        );
        assert_eq!(
            error(Conv2d::new(4, [3, 3]).groups(3), [8, 8, 6]),
            "layer \"conv\" (Conv2d): expected groups that divide 6 channels and 4 filters, found 3\n  \
             help: all groups have the same number of channels and of filters"
        );
        assert!(error(Conv2d::new(0, [3, 3]), [8, 8, 6]).contains("at least 1 filter"));
        assert!(
            error(Conv2d::new(4, [3, 3]).stride([0, 1]), [8, 8, 6]).contains("found a stride of 0")
        );
        assert!(error(Conv2d::new(4, [0, 3]), [8, 8, 6]).contains("found a kernel of 0"));
        let flat = Sequential::input([8])
            .layer("conv", Conv2d::new(4, [3, 3]))
            .build();
        assert_eq!(
            flat.unwrap_err().to_string(),
            "layer \"conv\" (Conv2d): expected an input [batch, height, width, channels], found [batch, 8]\n  \
             help: a Reshape before it gives each sample the axes that it needs"
        );
    }

    #[test]
    fn descriptions_tell_what_differs() {
        let conv = Conv2d::new(8, [3, 3])
            .stride([2, 2])
            .groups(2)
            .activation(Activation::Relu);
        let network = Sequential::input([8, 8, 4])
            .layer("conv", conv)
            .build()
            .unwrap();
        let node = network.describe().nodes.remove(0);
        assert_eq!(
            node.description,
            "Conv2d 3x3, 4 -> 8, stride 2x2, 2 groups relu"
        );
        assert_eq!(node.parameters, 3 * 3 * 2 * 8 + 8);
    }
}
