//! Matrix products, and the affine map of a dense layer.

use super::{common_node, index};
use crate::tape::{Backward, NodeRef, Sweep};
use crate::var::Var;
use fb_tensor::ops::{Saves, UnaryOp};
use fb_tensor::{Float, Shape, Tensor};

struct MatMul<F: Float> {
    left: (Option<u32>, Shape),
    right: (Option<u32>, Shape),
    /// The values, each kept only if the gradient of the other operand needs it.
    left_value: Option<Tensor<F>>,
    right_value: Option<Tensor<F>>,
}

impl<F: Float> Backward<F> for MatMul<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let (left, right) = (&self.left.1, &self.right.1);
        // A vector is a matrix with one row or column that was dropped from the output: put it back.
        let g = if right.len() == 1 {
            gradient.unsqueeze(gradient.rank())
        } else {
            gradient
        };
        let g = if left.len() == 1 {
            g.unsqueeze(g.rank() - 1)
        } else {
            g
        };
        if let (Some(parent), Some(value)) = (self.left.0, &self.right_value) {
            let b = if right.len() == 1 {
                value.unsqueeze(1)
            } else {
                value.clone()
            };
            let rows = if left.len() == 1 {
                left.with_inserted(0, 1)
            } else {
                *left
            };
            sweep.add(parent, g.matmul(&b.transpose()).sum_to(rows).reshape(*left));
        }
        if let (Some(parent), Some(value)) = (self.right.0, &self.left_value) {
            let a = if left.len() == 1 {
                value.unsqueeze(0)
            } else {
                value.clone()
            };
            if right.len() == 2 {
                sweep.add_product(parent, a, g);
            } else {
                let columns = if right.len() == 1 {
                    right.with_inserted(1, 1)
                } else {
                    *right
                };
                sweep.add(
                    parent,
                    a.transpose().matmul(&g).sum_to(columns).reshape(*right),
                );
            }
        }
    }
}

struct Linear<F: Float> {
    x: Option<u32>,
    weight: Option<u32>,
    bias: Option<u32>,
    /// The values, each kept only if the gradient of the other operand needs it.
    x_value: Option<Tensor<F>>,
    weight_value: Option<Tensor<F>>,
}

/// A linear map and a function of each of its elements whose derivative wants the result.
struct LinearThen<F: Float, Op> {
    linear: Linear<F>,
    op: Op,
    output: Tensor<F>,
}

impl<F: Float, Op: UnaryOp> Backward<F> for LinearThen<F, Op> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let gradient = Tensor::chain_op(&self.output, gradient, &self.op);
        self.linear.backward(gradient, sweep);
    }
}

/// A linear map added to something else.
struct LinearAdd<F: Float> {
    linear: Linear<F>,
    residual: Option<u32>,
}

impl<F: Float> Backward<F> for LinearAdd<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let Some(parent) = self.residual {
            sweep.add(parent, gradient.clone());
        }
        self.linear.backward(gradient, sweep);
    }
}

impl<F: Float> Linear<F> {
    /// What the reverse sweep needs, and the node of one of the operands if any is recorded.
    #[inline]
    fn record<'v>(
        x: &'v Var<F>,
        weight: &'v Var<F>,
        bias: Option<&'v Var<F>>,
    ) -> (Self, Option<&'v NodeRef<F>>) {
        let node = match (common_node(x, weight), bias.and_then(Var::node)) {
            (Some(a), Some(b)) => {
                a.same_tape(b);
                Some(a)
            }
            (a, b) => a.or(b),
        };
        let op = Self {
            x: index(x),
            weight: index(weight),
            bias: bias.and_then(index),
            x_value: weight.requires_grad().then(|| x.tensor().clone()),
            weight_value: x.requires_grad().then(|| weight.tensor().clone()),
        };
        (op, node)
    }
}

impl<F: Float> Backward<F> for Linear<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let Some(parent) = self.bias {
            let units = gradient.dim(gradient.rank() - 1);
            sweep.add(parent, gradient.sum_to([units].into()));
        }
        if let (Some(parent), Some(weight)) = (self.x, &self.weight_value) {
            sweep.add(parent, gradient.matmul(&weight.permute(&[1, 0])));
        }
        if let (Some(parent), Some(x)) = (self.weight, &self.x_value) {
            sweep.add_product(parent, x.clone(), gradient);
        }
    }
}

impl<F: Float> Var<F> {
    /// Matrix product over the last two axes; see [`Tensor::matmul`].
    ///
    /// The gradient by a matrix that takes part in many products is gathered into one product at the end of the sweep.
    ///
    /// # Panics
    /// If the inner extents differ, the batches do not broadcast, or an operand has no axes.
    #[track_caller]
    #[must_use]
    pub fn matmul(&self, other: &Self) -> Self {
        let output = self.tensor().matmul(other.tensor());
        let Some(node) = common_node(self, other) else {
            return Self::constant(output);
        };
        let op = MatMul {
            left: (index(self), *self.shape()),
            right: (index(other), *other.shape()),
            left_value: other.requires_grad().then(|| self.tensor().clone()),
            right_value: self.requires_grad().then(|| other.tensor().clone()),
        };
        node.record(output, op)
    }

    /// The affine map `x · w + b` of the last axis, as one node.
    ///
    /// The gradient by a weight that is used many times (at every step of a loop) is gathered into one product.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0]]));
    /// let w = tape.leaf(Tensor::from([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]));
    /// let b = tape.leaf(Tensor::from([0.5, 0.5, 0.5]));
    /// let gradients = x.linear(&w, Some(&b)).sum().backward();
    /// assert_eq!(gradients.get(&x).unwrap().to_vec(), [2.0, 2.0]);
    /// assert_eq!(gradients.get(&w).unwrap().to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// ```
    ///
    /// # Shapes
    /// - `self`: `[…, in]`
    /// - `weight`: `[in, out]`, `bias`: `[out]`
    /// - returns `[…, out]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear(&self, weight: &Self, bias: Option<&Self>) -> Self {
        let output = self
            .tensor()
            .linear(weight.tensor(), bias.map(Self::tensor));
        match Linear::record(self, weight, bias) {
            (op, Some(node)) => node.record(output, op),
            (_, None) => Self::constant(output),
        }
    }

    /// `op(x · w + b)` as one node, where the derivative of `op` wants the result: sigmoid, tanh, relu and others. Any
    /// other function is recorded as [`Var::linear`] and [`Var::map_op`].
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::{Tensor, ops::unary::Relu};
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0]]));
    /// let w = tape.leaf(Tensor::from([[1.0, -1.0], [1.0, -1.0]]));
    /// let gradients = x.linear_then(&w, None, Relu {}).sum().backward();
    /// assert_eq!(gradients.get(&x).unwrap().to_vec(), [1.0, 1.0]);
    /// ```
    ///
    /// # Shapes
    /// As [`Var::linear`].
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear_then<Op: UnaryOp>(&self, weight: &Self, bias: Option<&Self>, op: Op) -> Self {
        if Op::SAVES != Saves::Output {
            return self.linear(weight, bias).map_op(op);
        }
        let output = self
            .tensor()
            .linear_then(weight.tensor(), bias.map(Self::tensor), &op);
        match Linear::record(self, weight, bias) {
            (linear, Some(node)) => {
                let saved = output.clone();
                node.record(
                    output,
                    LinearThen {
                        linear,
                        op,
                        output: saved,
                    },
                )
            }
            (_, None) => Self::constant(output),
        }
    }

    /// `x · w + b + residual` as one node: the end of a branch that is added to what it branched off from.
    ///
    /// # Shapes
    /// As [`Var::linear`]; `residual` is shaped as the result.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear_add(&self, weight: &Self, bias: Option<&Self>, residual: &Self) -> Self {
        let output =
            self.tensor()
                .linear_add(weight.tensor(), bias.map(Self::tensor), residual.tensor());
        let (linear, node) = Linear::record(self, weight, bias);
        let node = match (node, residual.node()) {
            (Some(a), Some(b)) => {
                a.same_tape(b);
                a
            }
            (a, b) => match a.or(b) {
                Some(node) => node,
                None => return Self::constant(output),
            },
        };
        let residual = index(residual);
        node.record(output, LinearAdd { linear, residual })
    }
}
