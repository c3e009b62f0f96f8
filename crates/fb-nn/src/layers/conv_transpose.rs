//! A convolution backwards: from small maps to large ones.

use super::axes::{self, Axes};
use super::{Activation, misfit};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, SplitModule, simple};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{ConvTransposeOptions, Float, Padding, Shape};
use serde::{Deserialize, Serialize};

/// A transposed convolution over `D` axes: [`ConvTranspose1d`] over time, [`ConvTranspose2d`] over height and width.
///
/// Each position of the input adds `x · W[p]` to the outputs `stride·i + dilation·p − padding`: what the gradient of a
/// [`Conv`](super::Conv) with the same options does. With stride 2 and [`same`](Self::same) it doubles the size.
///
/// Weights start from [`Initializer::glorot_uniform`], the bias from zeros, as in Keras. Feedback joins the sum before the
/// activation.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`, or `[batch, time, channels]`
/// - `weight`: `[kernel height, kernel width, filters / groups, channels]`, or `[kernel, filters / groups, channels]`: that
///   of the convolution that goes back (PyTorch keeps `[channels, filters / groups, …]`); `bias`: `[filters]`
/// - returns `[batch, …, filters]`; an axis of `n` positions has `(n − 1) · stride + dilation · (kernel − 1) + 1 − padding +
///   output padding`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::ConvTranspose2d;
/// let network = Sequential::input([7, 7, 8])
///     .layer("up", ConvTranspose2d::new(4, [3, 3]).stride([2, 2]).same())
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 14, 14, 4]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct ConvTranspose<const D: usize> {
    filters: usize,
    kernel: [usize; D],
    options: ConvTransposeOptions<D>,
    activation: Activation,
    bias: bool,
    weight_init: Initializer,
    bias_init: Initializer,
}

/// A transposed convolution over time.
pub type ConvTranspose1d = ConvTranspose<1>;

/// A transposed convolution over height and width.
pub type ConvTranspose2d = ConvTranspose<2>;

impl<const D: usize> ConvTranspose<D> {
    /// So many filters with a kernel of this size, a bias, and no activation.
    pub fn new(filters: usize, kernel: [usize; D]) -> Self {
        Self {
            filters,
            kernel,
            options: ConvTransposeOptions::new(),
            activation: Activation::Linear,
            bias: true,
            weight_init: Initializer::glorot_uniform(),
            bias_init: Initializer::Zeros,
        }
    }

    /// How far apart neighbouring inputs are placed in the output.
    #[must_use]
    pub fn stride(mut self, stride: [usize; D]) -> Self {
        self.options.stride = stride;
        self
    }

    /// What is cut off the ends of the output.
    #[must_use]
    pub fn padding(mut self, padding: Padding<D>) -> Self {
        self.options.padding = padding;
        self
    }

    /// Cuts the output to as many positions as the input has, times the stride.
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// So many positions are added at the end of each axis, fewer than the stride.
    #[must_use]
    pub fn output_padding(mut self, output_padding: [usize; D]) -> Self {
        self.options.output_padding = output_padding;
        self
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

    fn build_as<F: Float>(
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
        let convolution = self.options.transposed();
        axes::check_reach(scope, kind, &input, self.kernel, &convolution, filters)?;
        let mut shape = self.kernel.to_vec();
        shape.extend([filters / groups, channels]);
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
            "a kernel, stride and padding that fit",
            "less padding, or an output padding below the stride",
            |none| Var::try_convolve_transposed(none, &kernel, &self.options),
        )?;
        let ends = [channels, filters];
        let description = axes::describe(kind, self.kernel, ends, &convolution, self.activation);
        Ok(Built {
            module: simple(ConvTransposeModule {
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

impl Layer for ConvTranspose<1> {
    const KIND: &'static str = "ConvTranspose1d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        self.build_as(scope, Self::KIND, inputs)
    }
}

impl Layer for ConvTranspose<2> {
    const KIND: &'static str = "ConvTranspose2d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        self.build_as(scope, Self::KIND, inputs)
    }
}

#[derive(Debug)]
struct ConvTransposeModule<const D: usize> {
    weight: ParamId,
    bias: Option<ParamId>,
    options: ConvTransposeOptions<D>,
    activation: Activation,
    input: Shape,
}

impl<F: Float, const D: usize> SimpleModule<F> for ConvTransposeModule<D>
where
    Var<F>: Axes<F, D>,
{
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let sum = self.project(cx, x)?;
        self.finish(cx, sum)
    }

    fn split(&self) -> Option<&dyn SplitModule<F>> {
        Some(self)
    }
}

impl<F: Float, const D: usize> SplitModule<F> for ConvTransposeModule<D>
where
    Var<F>: Axes<F, D>,
{
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        let weight = cx.param(self.weight);
        let bias = self.bias.map(|id| cx.param(id));
        Ok(x.convolve_transposed(&weight, bias.as_ref(), &self.options))
    }

    fn finish(&self, _cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>> {
        Ok(self.activation.apply(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;

    #[test]
    fn bad_configurations_are_errors() {
        let error = |layer: ConvTranspose1d| {
            let network = Sequential::input([3, 4]).layer("up", layer).build();
            network.unwrap_err().to_string()
        };
        assert_eq!(
            error(ConvTranspose1d::new(2, [3]).stride([2]).output_padding([2])),
            "layer \"up\" (ConvTranspose1d): expected a kernel, stride and padding that fit [batch, 3, 4], \
             found an output padding of 2 with a stride of 2, which must be larger\n  \
             help: less padding, or an output padding below the stride"
        );
        assert!(
            error(ConvTranspose1d::new(3, [3]).groups(2))
                .contains("4 channels and 3 filters, found 2")
        );
        assert!(
            error(ConvTranspose1d::new(2, [2]).padding(Padding::Explicit([(5, 5)])))
                .contains("leaves nothing")
        );
        assert!(error(ConvTranspose1d::new(0, [2])).contains("at least 1 filter"));
    }
}
