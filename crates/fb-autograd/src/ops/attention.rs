//! Scaled dot-product attention, as one node.

use super::index;
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Attention, Float, Result, Tensor};

struct AttentionNode<F: Float> {
    parents: [Option<u32>; 3],
    operands: [Tensor<F>; 3],
    options: Attention<F>,
    output: Tensor<F>,
    /// For each query the logarithm of the sum of the exponentials of its scores: with it, the weights need not be kept.
    log_sums: Tensor<F>,
}

impl<F: Float> Backward<F> for AttentionNode<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let gradients = Tensor::attention_backward(
            self.operands.each_ref(),
            &self.options,
            (&self.output, &self.log_sums),
            &gradient,
            self.parents.map(|parent| parent.is_some()),
        );
        for (parent, gradient) in self.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                sweep.add(parent, gradient);
            }
        }
    }
}

impl<F: Float> Var<F> {
    /// Scaled dot-product attention of the queries `self`; see [`Tensor::attention`].
    ///
    /// The tape keeps the operands, the result and one number for each query, so memory grows with the length of the
    /// sequence, not with its square. The gradients lie in memory as `[batch, time, heads, width]`, so that they go back
    /// through the split into heads without a copy. A mask gets no gradient.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::{Attention, Tensor};
    /// let tape = Tape::new();
    /// let q = tape.leaf(Tensor::ones([1, 2, 3, 4]));
    /// let v = tape.leaf(Tensor::ones([1, 1, 3, 4]));
    /// let y = q.attention(&q.slice(1, 0..1), &v, &Attention::new().causal());
    /// let gradients = y.sum().backward();
    /// // The first value is attended to by all three queries, the last by one.
    /// let by_values = gradients.get(&v).unwrap();
    /// assert!(by_values.at(&[0, 0, 0, 0]) > by_values.at(&[0, 0, 2, 0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn attention(&self, keys: &Self, values: &Self, options: &Attention<F>) -> Self {
        match self.try_attention(keys, values, options) {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::attention`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn try_attention(
        &self,
        keys: &Self,
        values: &Self,
        options: &Attention<F>,
    ) -> Result<Self> {
        let operands = [self, keys, values];
        let [q, k, v] = operands.map(Self::tensor);
        let (output, log_sums) = q.try_attention_forward(k, v, options)?;
        let mut nodes = operands.into_iter().filter_map(|operand| operand.node());
        let Some(first) = nodes.next() else {
            return Ok(Self::constant(output));
        };
        nodes.for_each(|node| first.same_tape(node));
        let node = AttentionNode {
            parents: operands.map(index),
            operands: operands.map(|operand| operand.tensor().clone()),
            options: options.clone(),
            output: output.clone(),
            log_sums,
        };
        Ok(first.record(output, node))
    }
}
