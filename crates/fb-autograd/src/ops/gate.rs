//! Gated linear units: a function of one variable times another.

use super::{common_node, index};
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::ops::{Gate, unary};
use fb_tensor::{Float, Tensor};

struct Gated<F: Float, Op> {
    op: Op,
    gate: (Option<u32>, Tensor<F>),
    values: (Option<u32>, Tensor<F>),
}

impl<F: Float, Op: Gate> Backward<F> for Gated<F, Op> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let (by_gate, by_values) =
            Tensor::chain_gate_op(&self.gate.1, &self.values.1, gradient, &self.op);
        if let Some(parent) = self.gate.0 {
            sweep.add(parent, by_gate);
        }
        if let Some(parent) = self.values.0 {
            sweep.add(parent, by_values);
        }
    }
}

impl<F: Float> Var<F> {
    /// `σ(a) · b`, the gated linear unit, as one node; see [`Tensor::sigmoid_mul`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn sigmoid_mul(&self, values: &Self) -> Self {
        self.gate(values, unary::Sigmoid {})
    }

    /// `silu(a) · b` (SwiGLU), as one node; see [`Tensor::silu_mul`].
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.leaf(Tensor::from([0.0])), tape.leaf(Tensor::from([4.0])));
    /// let y = a.silu_mul(&b).sum();
    /// assert_eq!(y.backward().get(&a).unwrap().to_vec(), [2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn silu_mul(&self, values: &Self) -> Self {
        self.gate(values, unary::Silu {})
    }

    /// `gelu(a) · b` (GEGLU), as one node; see [`Tensor::gelu_mul`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn gelu_mul(&self, values: &Self) -> Self {
        self.gate(values, unary::Gelu {})
    }

    /// `gelu_tanh(a) · b`, as one node; see [`Tensor::gelu_tanh_mul`].
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn gelu_tanh_mul(&self, values: &Self) -> Self {
        self.gate(values, unary::GeluTanh {})
    }

    #[track_caller]
    fn gate(&self, values: &Self, op: impl Gate) -> Self {
        let output = match self.tensor().try_gate_op(values.tensor(), &op) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        };
        let Some(node) = common_node(self, values) else {
            return Self::constant(output);
        };
        let gated = Gated {
            op,
            gate: (index(self), self.tensor().clone()),
            values: (index(values), values.tensor().clone()),
        };
        node.record(output, gated)
    }
}
