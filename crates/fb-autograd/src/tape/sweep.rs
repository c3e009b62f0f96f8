//! One walk back over the tape.

use super::Node;
use fb_tensor::{Float, Tensor, sum_of_products};

/// Gradients on their way from the outputs to the leaves.
///
/// Only few nodes hold a gradient at any moment, so the long list has one small number a node and the gradients
/// themselves live in a short one.
pub(crate) struct Sweep<F: Float> {
    /// For each node, 1 + the position of its gradient in `live`, or 0.
    slots: Vec<u32>,
    live: Vec<Pending<F>>,
    /// Positions in `live` to be used again.
    free: Vec<u32>,
    leaves: Vec<(u32, Tensor<F>)>,
}

/// What has arrived at one node so far.
struct Pending<F: Float> {
    sum: Option<Tensor<F>>,
    /// Pairs whose products `xᵀ·g` are still to be added: a weight that is used many times gets one product in the end.
    products: Vec<(Tensor<F>, Tensor<F>)>,
}

impl<F: Float> Default for Sweep<F> {
    fn default() -> Self {
        Self { slots: Vec::new(), live: Vec::new(), free: Vec::new(), leaves: Vec::new() }
    }
}

impl<F: Float> Sweep<F> {
    /// Makes room for a tape of that many nodes.
    pub(super) fn prepare(&mut self, nodes: usize) {
        self.slots.clear();
        self.slots.resize(nodes, 0);
        self.live.clear();
        self.free.clear();
        self.leaves.clear();
    }

    /// Adds `gradient` to what has arrived at the node.
    #[inline]
    pub(crate) fn add(&mut self, node: u32, gradient: Tensor<F>) {
        let pending = self.pending(node);
        match &mut pending.sum {
            Some(sum) => sum.add_assign(&gradient),
            empty => *empty = Some(gradient),
        }
    }

    /// Adds `xᵀ·g` to what has arrived at the node, at the end of the sweep if it is a leaf's.
    #[inline]
    pub(crate) fn add_product(&mut self, node: u32, x: Tensor<F>, g: Tensor<F>) {
        self.pending(node).products.push((x, g));
    }

    fn pending(&mut self, node: u32) -> &mut Pending<F> {
        let slot = &mut self.slots[node as usize];
        if *slot == 0 {
            *slot = 1 + match self.free.pop() {
                Some(position) => position,
                None => {
                    self.live.push(Pending { sum: None, products: Vec::new() });
                    self.live.len() as u32 - 1
                }
            };
        }
        &mut self.live[*slot as usize - 1]
    }

    /// The finished gradient of a node, if anything arrived.
    fn collect(&mut self, node: usize) -> Option<Tensor<F>> {
        let position = std::mem::take(&mut self.slots[node]).checked_sub(1)?;
        self.free.push(position);
        let pending = &mut self.live[position as usize];
        let sum = pending.sum.take();
        if pending.products.is_empty() {
            return sum;
        }
        let product = sum_of_products(&pending.products);
        pending.products.clear();
        Some(match sum {
            Some(sum) => product + &sum,
            None => product,
        })
    }

    /// Walks back over the nodes; returns the gradients of those in `marks`.
    pub(super) fn run(&mut self, nodes: &[Node<F>], marks: &[Option<u32>]) -> Vec<Option<Tensor<F>>> {
        let mut found = vec![None; marks.len()];
        for (index, node) in nodes.iter().enumerate().rev() {
            let Some(gradient) = self.collect(index) else {
                continue;
            };
            for (mark, slot) in marks.iter().zip(&mut found) {
                if *mark == Some(index as u32) {
                    *slot = Some(gradient.clone());
                }
            }
            match node {
                Node::Leaf => self.leaves.push((index as u32, gradient)),
                Node::Op(op) => op.backward(gradient, self),
            }
        }
        found
    }

    /// The gradients of the leaves, by falling index.
    pub(super) fn take_leaves(&mut self) -> Vec<(u32, Tensor<F>)> {
        std::mem::take(&mut self.leaves)
    }
}
