//! Convolutions and transposed convolutions over one and two axes.

use super::{common_node, index};
use crate::tape::{Backward, NodeRef, Sweep};
use crate::var::Var;
use fb_tensor::ops::{Saves, UnaryOp};
use fb_tensor::{ConvOptions, ConvTransposeOptions, Float, Shape, Tensor};

/// A convolution over two axes, forwards or transposed. Series are images of one row here.
struct Convolution<F: Float> {
    x: Option<u32>,
    weight: Option<u32>,
    bias: Option<u32>,
    /// The values, each kept only if the gradient of the other operand needs it.
    x_value: Option<Tensor<F>>,
    weight_value: Option<Tensor<F>>,
    x_shape: Shape,
    weight_shape: Shape,
    /// Those of the convolution, also for its transpose.
    options: ConvOptions<2>,
    transposed: bool,
    /// Whether the operands are series.
    series: bool,
}

impl<F: Float> Convolution<F> {
    /// An operand as an image or as the kernel of one.
    fn image(&self, t: &Tensor<F>, axis: usize) -> Tensor<F> {
        if self.series {
            t.unsqueeze(axis)
        } else {
            t.clone()
        }
    }

    /// The shape of the kernel over two axes.
    fn kernel_shape(&self) -> Shape {
        if self.series {
            self.weight_shape.with_inserted(0, 1)
        } else {
            self.weight_shape
        }
    }
}

/// A convolution and a function of each of its elements whose derivative wants the result.
struct ConvolutionThen<F: Float, Op> {
    convolution: Convolution<F>,
    op: Op,
    output: Tensor<F>,
}

impl<F: Float, Op: UnaryOp> Backward<F> for ConvolutionThen<F, Op> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let convolution = &self.convolution;
        if let (None, Some(weight), Some(bias), Some(x)) = (
            convolution.x,
            convolution.weight,
            convolution.bias,
            &convolution.x_value,
        ) {
            // Of data, whose gradient nobody wants: that of the sum need not be written out.
            let [x, output, gradient] =
                [x, &self.output, &gradient].map(|t| convolution.image(t, 1));
            let (shape, options) = (convolution.kernel_shape(), &convolution.options);
            let [by_weight, by_bias] =
                x.conv2d_gradients_through(&output, &gradient, shape, options, &self.op);
            sweep.add(bias, by_bias);
            sweep.add(weight, by_weight.reshape(convolution.weight_shape));
            return;
        }
        let gradient = Tensor::chain_op(&self.output, gradient, &self.op);
        convolution.backward(gradient, sweep);
    }
}

impl<F: Float> Backward<F> for Convolution<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let Some(parent) = self.bias {
            let outputs = gradient.dim(gradient.rank() - 1);
            sweep.add(parent, gradient.sum_to([outputs].into()));
        }
        let g = self.image(&gradient, 1);
        if let (Some(parent), Some(weight)) = (self.x, &self.weight_value) {
            let weight = self.image(weight, 0);
            let gradient = if self.transposed {
                g.conv2d(&weight, None, &self.options)
            } else {
                let shape = if self.series {
                    self.x_shape.with_inserted(1, 1)
                } else {
                    self.x_shape
                };
                g.conv2d_input_gradient(&weight, shape, &self.options)
            };
            sweep.add(parent, gradient.reshape(self.x_shape));
        }
        if let (Some(parent), Some(x)) = (self.weight, &self.x_value) {
            let x = self.image(x, 1);
            let shape = self.kernel_shape();
            // What the convolution reads and what it makes: exchanged in its transpose.
            let (input, output) = if self.transposed { (&g, &x) } else { (&x, &g) };
            let gradient = input.conv2d_weight_gradient(output, shape, &self.options);
            sweep.add(parent, gradient.reshape(self.weight_shape));
        }
    }
}

/// What the reverse sweep needs, and the node of one of the operands if any is recorded.
#[track_caller]
fn operation<'v, F: Float>(
    [x, weight]: [&'v Var<F>; 2],
    bias: Option<&'v Var<F>>,
    options: ConvOptions<2>,
    transposed: bool,
) -> (Convolution<F>, Option<&'v NodeRef<F>>) {
    let node = match (common_node(x, weight), bias.and_then(Var::node)) {
        (Some(a), Some(b)) => {
            a.same_tape(b);
            Some(a)
        }
        (a, b) => a.or(b),
    };
    let op = Convolution {
        x: index(x),
        weight: index(weight),
        bias: bias.and_then(index),
        x_value: weight.requires_grad().then(|| x.tensor().clone()),
        weight_value: x.requires_grad().then(|| weight.tensor().clone()),
        x_shape: *x.shape(),
        weight_shape: *weight.shape(),
        options,
        transposed,
        series: x.shape().len() == 3,
    };
    (op, node)
}

#[track_caller]
fn record<F: Float>(
    output: Tensor<F>,
    operands: [&Var<F>; 2],
    bias: Option<&Var<F>>,
    options: ConvOptions<2>,
    transposed: bool,
) -> Var<F> {
    match operation(operands, bias, options, transposed) {
        (op, Some(node)) => node.record(output, op),
        (_, None) => Var::constant(output),
    }
}

#[track_caller]
fn record_then<F: Float, Op: UnaryOp>(
    output: Tensor<F>,
    operands: [&Var<F>; 2],
    bias: Option<&Var<F>>,
    options: ConvOptions<2>,
    op: Op,
) -> Var<F> {
    let (convolution, Some(node)) = operation(operands, bias, options, false) else {
        return Var::constant(output);
    };
    let saved = output.clone();
    node.record(
        output,
        ConvolutionThen {
            convolution,
            op,
            output: saved,
        },
    )
}

impl<F: Float> Var<F> {
    /// Convolution of images; see [`Tensor::conv2d`].
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::{ConvOptions, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::ones([1, 3, 3, 1]));
    /// let w = tape.leaf(Tensor::ones([2, 2, 1, 1]));
    /// let gradients = x.conv2d(&w, None, &ConvOptions::new()).sum().backward();
    /// let by_x = gradients.get(&x).unwrap();
    /// assert_eq!(by_x.to_vec(), [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0]);
    /// assert_eq!(gradients.get(&w).unwrap().to_vec(), [4.0; 4]);
    /// ```
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channels]`
    /// - `weight`: `[kernel height, kernel width, channels / groups, outputs]`, `bias`: `[outputs]`
    /// - returns `[batch, …, …, outputs]`
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, options: &ConvOptions<2>) -> Self {
        let (x, w) = (self.tensor(), weight.tensor());
        let output = x.conv2d(w, bias.map(Self::tensor), options);
        record(output, [self, weight], bias, *options, false)
    }

    /// `op(x ∗ w + b)` as one node, where the derivative of `op` wants the result: sigmoid, tanh, relu and others. Any other
    /// function is recorded as [`Var::conv2d`] and [`Var::map_op`].
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::{ConvOptions, Tensor, ops::unary::Relu};
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0, 0.0]).reshape([1, 1, 3, 1]));
    /// let w = tape.leaf(Tensor::from([1.0, -1.0]).reshape([1, 2, 1, 1]));
    /// let falls = x.conv2d_then(&w, None, &ConvOptions::new(), Relu {});
    /// assert_eq!(falls.tensor().to_vec(), [0.0, 2.0]);
    /// assert_eq!(falls.sum().backward().get(&x).unwrap().to_vec(), [0.0, 1.0, -1.0]);
    /// ```
    ///
    /// # Shapes
    /// As [`Var::conv2d`].
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv2d_then<Op: UnaryOp>(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvOptions<2>,
        op: Op,
    ) -> Self {
        if Op::SAVES != Saves::Output {
            return self.conv2d(weight, bias, options).map_op(op);
        }
        let (x, w) = (self.tensor(), weight.tensor());
        let output = x.conv2d_then(w, bias.map(Self::tensor), options, &op);
        record_then(output, [self, weight], bias, *options, op)
    }

    /// `op(x ∗ w + b)` for series, as one node; see [`Var::conv2d_then`].
    ///
    /// # Shapes
    /// As [`Var::conv1d`].
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv1d_then<Op: UnaryOp>(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvOptions<1>,
        op: Op,
    ) -> Self {
        if Op::SAVES != Saves::Output {
            return self.conv1d(weight, bias, options).map_op(op);
        }
        let (x, w) = (self.tensor(), weight.tensor());
        let output = x.conv1d_then(w, bias.map(Self::tensor), options, &op);
        record_then(output, [self, weight], bias, options.over_two_axes(), op)
    }

    /// Convolution of series; see [`Tensor::conv1d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channels]`
    /// - `weight`: `[kernel, channels / groups, outputs]`, `bias`: `[outputs]`
    /// - returns `[batch, …, outputs]`
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv1d(&self, weight: &Self, bias: Option<&Self>, options: &ConvOptions<1>) -> Self {
        let (x, w) = (self.tensor(), weight.tensor());
        let output = x.conv1d(w, bias.map(Self::tensor), options);
        record(output, [self, weight], bias, options.over_two_axes(), false)
    }

    /// Transposed convolution of images; see [`Tensor::conv_transpose2d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channels]`
    /// - `weight`: `[kernel height, kernel width, outputs / groups, channels]`, `bias`: `[outputs]`
    /// - returns `[batch, …, …, outputs]`
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv_transpose2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvTransposeOptions<2>,
    ) -> Self {
        let (x, w) = (self.tensor(), weight.tensor());
        let output = x.conv_transpose2d(w, bias.map(Self::tensor), options);
        record(output, [self, weight], bias, options.transposed(), true)
    }

    /// Transposed convolution of series; see [`Tensor::conv_transpose1d`].
    ///
    /// # Shapes
    /// - `self`: `[batch, time, channels]`
    /// - `weight`: `[kernel, outputs / groups, channels]`, `bias`: `[outputs]`
    /// - returns `[batch, …, outputs]`
    ///
    /// # Panics
    /// If the shapes do not fit each other or the options.
    #[track_caller]
    #[must_use]
    pub fn conv_transpose1d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        options: &ConvTransposeOptions<1>,
    ) -> Self {
        let (x, w) = (self.tensor(), weight.tensor());
        let output = x.conv_transpose1d(w, bias.map(Self::tensor), options);
        let options = options.over_two_axes().transposed();
        record(output, [self, weight], bias, options, true)
    }
}
