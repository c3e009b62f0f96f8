//! Matrix products, and the affine map of a dense layer.

use super::{common_node, index};
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Float, Tensor};

struct MatMul<F: Float> {
    left: (Option<u32>, Tensor<F>),
    right: (Option<u32>, Tensor<F>),
}

impl<F: Float> Backward<F> for MatMul<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let (left, right) = (&self.left.1, &self.right.1);
        // Vectors are matrices with one row or column that was dropped from the output: put it back.
        let a = if left.rank() == 1 { left.unsqueeze(0) } else { left.clone() };
        let b = if right.rank() == 1 { right.unsqueeze(1) } else { right.clone() };
        let g = if right.rank() == 1 { gradient.unsqueeze(gradient.rank()) } else { gradient };
        let g = if left.rank() == 1 { g.unsqueeze(g.rank() - 1) } else { g };
        if let Some(parent) = self.left.0 {
            let share = g.matmul(&b.transpose()).sum_to(*a.shape()).reshape(*left.shape());
            sweep.add(parent, share);
        }
        if let Some(parent) = self.right.0 {
            if b.rank() == 2 && right.rank() == 2 {
                sweep.add_product(parent, a, g);
            } else {
                let share = a.transpose().matmul(&g).sum_to(*b.shape()).reshape(*right.shape());
                sweep.add(parent, share);
            }
        }
    }
}

struct Linear<F: Float> {
    x: (Option<u32>, Tensor<F>),
    weight: (Option<u32>, Tensor<F>),
    bias: Option<u32>,
}

impl<F: Float> Backward<F> for Linear<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let Some(parent) = self.bias {
            let units = self.weight.1.dim(1);
            sweep.add(parent, gradient.sum_to([units].into()));
        }
        if let Some(parent) = self.x.0 {
            sweep.add(parent, gradient.matmul(&self.weight.1.transpose()));
        }
        if let Some(parent) = self.weight.0 {
            sweep.add_product(parent, self.x.1.clone(), gradient);
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
            left: (index(self), self.tensor().clone()),
            right: (index(other), other.tensor().clone()),
        };
        node.record(output, op)
    }

    /// The affine map `x · w + b` of the last axis, as one node.
    ///
    /// The gradient by a weight that is used many times (at every step of a loop) is gathered into one product.
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
        let output = self.tensor().linear(weight.tensor(), bias.map(Self::tensor));
        let node = match (common_node(self, weight), bias.and_then(Self::node)) {
            (Some(a), Some(b)) => {
                a.same_tape(b);
                a
            }
            (a, b) => match a.or(b) {
                Some(node) => node,
                None => return Self::constant(output),
            },
        };
        let op = Linear {
            x: (index(self), self.tensor().clone()),
            weight: (index(weight), weight.tensor().clone()),
            bias: bias.and_then(index),
        };
        node.record(output, op)
    }
}
