//! The shapes of a convolution over two axes, checked once for all that is computed from them.

use super::gather::Finish;
use super::geometry::Geometry;
use super::window::Window;
use super::{ConvOptions, ConvTransposeOptions};
use crate::element::Float;
use crate::elementwise::UnaryOp;
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The sizes of a convolution over two axes, from its input and its kernel or, for a transposed one, from its output.
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) windows: [Window; 2],
    /// Channels of the convolution's input and output.
    pub(super) channels: [usize; 2],
    pub(super) groups: usize,
}

/// What an error says about the operands; axes that were put in are left out.
pub(super) struct Operands<'a> {
    pub(super) op: &'static str,
    pub(super) input: &'a Shape,
    pub(super) weight: &'a Shape,
    /// How many axes the window moves over.
    pub(super) axes: usize,
}

impl Operands<'_> {
    fn shown(&self) -> (String, String) {
        let shown = |shape: &Shape, axis: usize| match self.axes {
            1 => shape.without(axis).to_string(),
            _ => shape.to_string(),
        };
        (shown(self.input, 1), shown(self.weight, 0))
    }

    pub(super) fn misfit(&self, help: &'static str) -> Error {
        let (left, right) = self.shown();
        Error::Shapes {
            op: self.op,
            left,
            right,
            help,
        }
    }

    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> Error {
        let (input, weight) = self.shown();
        Error::Argument {
            op: self.op,
            what: format!("{what}; the input is {input}, the weight {weight}"),
        }
    }

    /// The extents of both, which must have four axes.
    fn extents(&self) -> Result<([usize; 4], [usize; 4])> {
        match (<[usize; 4]>::try_from(&self.input[..]), <[usize; 4]>::try_from(&self.weight[..])) {
            (Ok(input), Ok(weight)) => Ok((input, weight)),
            _ => Err(self.misfit(
                "the input is [batch, height, width, channel], the weight has two axes for the kernel and two for channels",
            )),
        }
    }

    /// Checks that the outer channels are what the groups make of the inner ones.
    fn grouped(
        &self,
        groups: usize,
        channels: usize,
        per_group: usize,
        outputs: usize,
    ) -> Result<()> {
        if groups == 0 || !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            return Err(self.wrong(format_args!(
                "{groups} groups do not divide {channels} input and {outputs} output channels"
            )));
        }
        if per_group.checked_mul(groups) != Some(channels) {
            return Err(self.wrong(format_args!(
                "{groups} groups of {per_group} channels do not make the {channels} channels of the input"
            )));
        }
        Ok(())
    }
}

impl Sizes {
    pub(super) fn new(operands: &Operands<'_>, options: &ConvOptions<2>) -> Result<Self> {
        let ([batch, height, width, channels], [kh, kw, per_group, outputs]) =
            operands.extents()?;
        operands.grouped(options.groups, channels, per_group, outputs)?;
        let window = |axis, input, kernel| {
            let (stride, dilation) = (options.stride, options.dilation);
            Window::new(axis, input, kernel, stride, dilation, &options.padding)
                .map_err(|what| operands.wrong(what))
        };
        let sizes = Self {
            batch,
            windows: [window(0, height, kh)?, window(1, width, kw)?],
            channels: [channels, outputs],
            groups: options.groups,
        };
        sizes.check_memory()?;
        Ok(sizes)
    }

    /// The sizes of the convolution that a transposed one goes back over. Its weight is `[kh, kw, outputs of a group,
    /// inputs]`.
    pub(super) fn transposed(
        operands: &Operands<'_>,
        options: &ConvTransposeOptions<2>,
    ) -> Result<Self> {
        let ([batch, height, width, channels], [kh, kw, per_group, inner]) = operands.extents()?;
        let groups = options.groups;
        if inner != channels {
            return Err(operands.misfit(
                "the last axis of a transposed convolution's weight meets the channels of its input",
            ));
        }
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(operands.wrong(format_args!(
                "{groups} groups do not divide {channels} input channels"
            )));
        }
        let Some(outputs) = per_group.checked_mul(groups) else {
            return Err(operands.wrong(format_args!("{groups} groups of {per_group} are too many")));
        };
        let window = |axis, input, kernel| {
            Window::transposed(axis, input, kernel, options).map_err(|what| operands.wrong(what))
        };
        let sizes = Self {
            batch,
            windows: [window(0, height, kh)?, window(1, width, kw)?],
            channels: [outputs, channels],
            groups,
        };
        sizes.check_memory()?;
        Ok(sizes)
    }

    /// Fails if the input with its border or the output has more elements than memory can hold.
    fn check_memory(&self) -> Result<()> {
        let padded = |window: &Window| window.input + window.before + window.after;
        let [h, w] = &self.windows;
        Shape::try_new(&[self.batch, padded(h), padded(w), self.channels[0]])?;
        self.output_shape().map(drop)
    }

    pub(super) fn input_shape(&self) -> Result<Shape> {
        let [h, w] = &self.windows;
        Shape::try_new(&[self.batch, h.input, w.input, self.channels[0]])
    }

    pub(super) fn output_shape(&self) -> Result<Shape> {
        let [h, w] = &self.windows;
        Shape::try_new(&[self.batch, h.output, w.output, self.channels[1]])
    }

    fn kernel_shape(&self) -> Shape {
        let [h, w] = &self.windows;
        Shape::from([
            h.kernel,
            w.kernel,
            self.channels[0] / self.groups,
            self.channels[1],
        ])
    }

    /// Whether each pixel is mapped by itself: a product of matrices.
    fn is_pointwise(&self) -> bool {
        let pointwise = |w: &Window| w.kernel == 1 && w.stride == 1 && w.input == w.output;
        self.groups == 1 && self.windows.iter().all(pointwise)
    }

    /// The convolution, and what is done to its outputs.
    pub(super) fn forward<F: Float>(
        &self,
        x: &Tensor<F>,
        weight: &Tensor<F>,
        bias: Option<&Tensor<F>>,
        finish: Option<Finish<'_, F>>,
    ) -> Result<Tensor<F>> {
        if self.is_pointwise() {
            let weight = weight.reshape(self.channels);
            return x.try_linear_finished(&weight, bias, finish);
        }
        let geometry = Geometry::forward(self.batch, &self.windows, self.channels, self.groups);
        let shape = self.output_shape()?;
        Ok(gather(&geometry, x, weight, bias, finish, shape))
    }

    /// The gradient of the input, from that of the output: also what a transposed convolution computes.
    pub(super) fn backward<F: Float>(
        &self,
        gradient: &Tensor<F>,
        weight: &Tensor<F>,
        bias: Option<&Tensor<F>>,
    ) -> Result<Tensor<F>> {
        let [inputs, outputs] = self.channels;
        if self.is_pointwise() {
            return gradient.try_linear(&weight.reshape(self.channels).transpose(), bias);
        }
        // Each group's inputs become its outputs.
        let (groups, [kh, kw, per_group, _]) = (self.groups, self.kernel_extents());
        let turned = weight
            .reshape([kh, kw, per_group, groups, outputs / groups])
            .permute(&[0, 1, 4, 3, 2])
            .reshape([kh, kw, outputs / groups, inputs]);
        let geometry = Geometry::backward(self.batch, &self.windows, self.channels, groups);
        Ok(gather(
            &geometry,
            gradient,
            &turned,
            bias,
            None,
            self.input_shape()?,
        ))
    }

    /// The gradient of the kernel.
    pub(super) fn weight_gradient<F: Float>(
        &self,
        x: &Tensor<F>,
        gradient: &Tensor<F>,
    ) -> Tensor<F> {
        let shape = self.kernel_shape();
        if self.is_pointwise() {
            let pair = (x.clone(), gradient.clone());
            return crate::linalg::sum_of_products(&[pair]).reshape(shape);
        }
        let geometry = Geometry::forward(self.batch, &self.windows, self.channels, self.groups);
        let (x, gradient) = (x.contiguous(), gradient.contiguous());
        Tensor::filled_by(shape, |out| {
            (F::kernels().convolution.weight_gradient)(
                &geometry,
                x.as_slice().expect("made contiguous"),
                gradient.as_slice().expect("made contiguous"),
                out,
            );
        })
    }

    /// The gradients of the kernel and of a bias, from that of `op` of the output.
    pub(super) fn gradients_through<F: Float, Op: UnaryOp>(
        &self,
        x: &Tensor<F>,
        output: &Tensor<F>,
        gradient: &Tensor<F>,
        op: &Op,
    ) -> [Tensor<F>; 2] {
        let (shape, outputs) = (self.kernel_shape(), self.channels[1]);
        if self.is_pointwise() || shape.contains(&0) {
            let gradient = Tensor::chain_op(output, gradient.clone(), op);
            let totals = gradient.sum_to([outputs].into());
            return [self.weight_gradient(x, &gradient), totals];
        }
        let geometry = Geometry::forward(self.batch, &self.windows, self.channels, self.groups);
        let [x, output, gradient] = [x, output, gradient].map(Tensor::contiguous);
        let [x, output, gradient] =
            [&x, &output, &gradient].map(|t| t.as_slice().expect("made contiguous"));
        let chain = Op::loops::<F>().chain_in_place;
        let before = |at: usize, part: &mut [F]| chain(&output[at..at + part.len()], part, op);
        let mut totals = Tensor::zeros_of([outputs]);
        let weight = Tensor::filled_by(shape, |out| {
            (F::kernels().convolution.weight_gradient_through)(
                &geometry,
                x,
                gradient,
                &before,
                totals.make_mut(),
                out,
            );
        });
        [weight, totals]
    }

    fn kernel_extents(&self) -> [usize; 4] {
        let shape = self.kernel_shape();
        std::array::from_fn(|axis| shape[axis])
    }
}

/// Fails unless there is a number for each output.
pub(super) fn check_bias<F: Float>(
    operands: &Operands<'_>,
    bias: Option<&Tensor<F>>,
    outputs: usize,
) -> Result<()> {
    match bias {
        Some(bias) if *bias.shape() != [outputs] => Err(operands.wrong(format_args!(
            "a bias of shape {} has not one number for each of {outputs} outputs",
            bias.shape()
        ))),
        _ => Ok(()),
    }
}

fn gather<F: Float>(
    geometry: &Geometry,
    x: &Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    finish: Option<Finish<'_, F>>,
    shape: Shape,
) -> Tensor<F> {
    let (x, weight, bias) = (
        x.contiguous(),
        weight.contiguous(),
        bias.map(Tensor::contiguous),
    );
    Tensor::filled_by(shape, |out| {
        (F::kernels().convolution.gather)(
            geometry,
            x.as_slice().expect("made contiguous"),
            weight.as_slice().expect("made contiguous"),
            bias.as_ref()
                .map(|bias| bias.as_slice().expect("made contiguous")),
            finish,
            out,
        );
    })
}
