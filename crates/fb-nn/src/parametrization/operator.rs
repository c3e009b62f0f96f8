//! A weight as the linear operator that it stands for.

use crate::spectrum::{Largest, largest_eigenvalue};
use fb_tensor::{ConvOptions, Float, Padding, Shape, Tensor};

/// What a layer does with its weight, bias and activation left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    /// `x·W` with `W` `[in, out]`, on rows `[1, in]`.
    Matrix { input: Shape },
    /// A convolution of maps `input` `[1, height, width, channels]`, in which zeros around the map let the kernel meet every
    /// position at each of its own: other paddings, and strides, leave outputs out, which cannot raise the gain.
    Maps {
        input: Shape,
        /// `[kernel height, kernel width, channels of a group, filters]`
        kernel: Shape,
        options: ConvOptions<2>,
    },
}

impl Operator {
    /// That of a weight `[in, out]`, or of a kernel `[…, in of a group, out]` on maps with these extents.
    ///
    /// # Panics
    /// If the numbers of axes do not fit each other.
    pub(super) fn new(weight: &Shape, map: &[usize], groups: usize) -> Self {
        let ([height, width], [rows, columns], [inputs, outputs]) = match (map, &**weight) {
            ([], &[inputs, _]) => {
                let input = [1, inputs].into();
                return Self::Matrix { input };
            }
            (&[length], &[positions, inputs, outputs]) => {
                ([1, length], [1, positions], [inputs, outputs])
            }
            (&[height, width], &[rows, columns, inputs, outputs]) => {
                ([height, width], [rows, columns], [inputs, outputs])
            }
            _ => panic!("maps {map:?} for a weight {weight}"),
        };
        Self::Maps {
            input: [1, height, width, inputs.saturating_mul(groups)].into(),
            kernel: [rows, columns, inputs, outputs].into(),
            options: ConvOptions::new()
                .padding(Padding::both([rows - 1, columns - 1]))
                .groups(groups),
        }
    }

    pub(super) fn input(&self) -> Shape {
        match *self {
            Self::Matrix { input } | Self::Maps { input, .. } => input,
        }
    }

    pub(super) fn apply<F: Float>(&self, weight: &Tensor<F>, x: &Tensor<F>) -> Tensor<F> {
        match self {
            Self::Matrix { .. } => x.matmul(weight),
            Self::Maps {
                kernel, options, ..
            } => x.conv2d(&weight.reshape(*kernel), None, options),
        }
    }

    pub(super) fn apply_transposed<F: Float>(
        &self,
        weight: &Tensor<F>,
        y: &Tensor<F>,
    ) -> Tensor<F> {
        match self {
            Self::Matrix { .. } => y.matmul(&weight.transpose()),
            Self::Maps {
                input,
                kernel,
                options,
            } => y.conv2d_input_gradient(&weight.reshape(*kernel), *input, options),
        }
    }

    /// The derivative of `⟨y, apply(x)⟩` by the weight, in the weight's own shape.
    pub(super) fn by_weight<F: Float>(
        &self,
        x: &Tensor<F>,
        y: &Tensor<F>,
        shape: Shape,
    ) -> Tensor<F> {
        match self {
            Self::Matrix { .. } => x.transpose().matmul(y),
            Self::Maps {
                kernel, options, ..
            } => x.conv2d_weight_gradient(y, *kernel, options).reshape(shape),
        }
    }

    /// The largest gain, squared, and the input that has it.
    pub(super) fn largest_gain<F: Float>(&self, weight: &Tensor<F>) -> Largest {
        let weight = weight.to_f64();
        let input = self.input();
        // What is left of the search is added to the bound, so that it need not be driven below what F can tell.
        let tolerance = (F::EPSILON.to_f64() * 64.0).max(1e-13);
        largest_eigenvalue(input.elements(), tolerance, |x| {
            let x = Tensor::from_vec(x.to_vec(), input);
            self.apply_transposed(&weight, &self.apply(&weight, &x))
                .to_vec()
        })
    }
}
