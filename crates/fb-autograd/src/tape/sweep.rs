//! One walk back over the tape.

use super::Node;
use crate::gradients::ByLeaf;
use fb_tensor::{Float, Shape, Tensor, sum_of_products};

/// Gradients on their way from the outputs to the leaves.
///
/// Only few nodes hold a gradient at any moment, so the long list has one small number a node and the gradients
/// themselves live in a short one. Between two walks both are kept, empty, so that a small step does not allocate.
pub(crate) struct Sweep<F: Float> {
    /// For each node, 1 + the position of its gradient in `live`, or 0.
    slots: Vec<u32>,
    live: Vec<Pending<F>>,
    /// Positions in `live` to be used again.
    free: Vec<u32>,
}

/// What has arrived at one node so far.
struct Pending<F: Float> {
    sum: Option<Tensor<F>>,
    /// Pairs whose products `xᵀ·g` are still to be added: a weight that is used many times gets one product in the end.
    products: Vec<(Tensor<F>, Tensor<F>)>,
}

impl<F: Float> Pending<F> {
    /// The waiting products, all at once, and what was added besides.
    #[inline(never)]
    fn multiply(&mut self) -> Tensor<F> {
        let product = sum_of_products(&self.products);
        self.products.clear();
        match self.sum.take() {
            Some(sum) => product + &sum,
            None => product,
        }
    }
}

impl<F: Float> Default for Sweep<F> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            live: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<F: Float> Sweep<F> {
    /// Makes room for a tape of that many nodes.
    pub(super) fn prepare(&mut self, nodes: usize) {
        debug_assert_eq!(
            self.free.len(),
            self.live.len(),
            "the last walk left something behind"
        );
        self.slots.resize(nodes, 0);
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

    /// Lets `add` add to the elements, in row-major order, of what has arrived at the node of that shape.
    ///
    /// They are made (zeros at first) once for all calls, so that many small parts of one large variable, such as
    /// the steps of a sequence, cost what the parts have elements, not what the variable has.
    #[inline]
    pub(crate) fn add_into(&mut self, node: u32, shape: Shape, add: impl FnOnce(&mut [F])) {
        let sum = self
            .pending(node)
            .sum
            .get_or_insert_with(|| Tensor::zeros_of(shape));
        add(sum.make_mut());
    }

    /// Takes away the sum of what has arrived at the node, for an operation that adds its share in the pass that computes
    /// it and gives the new sum back to [`Sweep::add`].
    #[inline]
    pub(crate) fn take(&mut self, node: u32) -> Option<Tensor<F>> {
        let position = self.slots[node as usize].checked_sub(1)?;
        self.live[position as usize].sum.take()
    }

    /// Adds `xᵀ·g` to what has arrived at the node, when the walk gets there.
    #[inline]
    pub(crate) fn add_product(&mut self, node: u32, x: Tensor<F>, g: Tensor<F>) {
        self.pending(node).products.push((x, g));
    }

    #[inline]
    fn pending(&mut self, node: u32) -> &mut Pending<F> {
        let slot = &mut self.slots[node as usize];
        if *slot == 0 {
            *slot = 1 + match self.free.pop() {
                Some(position) => position,
                None => {
                    self.live.push(Pending {
                        sum: None,
                        products: Vec::new(),
                    });
                    self.live.len() as u32 - 1
                }
            };
        }
        &mut self.live[*slot as usize - 1]
    }

    /// The finished gradient of a node, if anything arrived.
    #[inline(always)] // a call would copy the tensor twice more
    fn collect(&mut self, node: usize) -> Option<Tensor<F>> {
        let position = std::mem::take(&mut self.slots[node]).checked_sub(1)?;
        self.free.push(position);
        let pending = &mut self.live[position as usize];
        if pending.products.is_empty() {
            return pending.sum.take();
        }
        Some(pending.multiply())
    }

    /// Walks back over the nodes; appends the gradients of the leaves to `leaves` by falling index, contiguous.
    pub(super) fn leaves(&mut self, nodes: &[Node<F>], leaves: &mut ByLeaf<F>) {
        for (index, node) in nodes.iter().enumerate().rev() {
            let Some(gradient) = self.collect(index) else {
                continue;
            };
            match node {
                Node::Leaf if gradient.is_contiguous() => {
                    leaves.push((index as u32, Some(gradient)))
                }
                Node::Leaf => leaves.push((index as u32, Some(gradient.contiguous()))),
                Node::Op(op) => op.backward(gradient, self),
            }
        }
    }

    /// Walks back over the nodes as far as `wrt` reaches; returns the gradients of those.
    ///
    /// Products for leaves that nobody asked for are not computed.
    pub(super) fn vjp(&mut self, nodes: &[Node<F>], wrt: &[Option<u32>]) -> Vec<Option<Tensor<F>>> {
        let mut found = vec![None; wrt.len()];
        // Where in `found` each wanted node's gradient goes, by falling index of the node.
        let mut wanted: Vec<(u32, usize)> = wrt
            .iter()
            .enumerate()
            .filter_map(|(i, node)| Some(((*node)?, i)))
            .collect();
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        let lowest = wanted
            .last()
            .map_or(nodes.len(), |&(node, _)| node as usize);
        let mut wanted = wanted.into_iter().peekable();
        for (index, node) in nodes.iter().enumerate().skip(lowest).rev() {
            let here = |&(node, _): &(u32, usize)| node as usize == index;
            let wanted_here = wanted.peek().is_some_and(here);
            if matches!(node, Node::Leaf) && !wanted_here {
                continue;
            }
            let gradient = self.collect(index);
            while let Some((_, place)) = wanted.next_if(here) {
                found[place] = gradient.clone();
            }
            if let (Node::Op(op), Some(gradient)) = (node, gradient)
                && index > lowest
            {
                op.backward(gradient, self);
            }
        }
        self.forget();
        found
    }

    /// Drops what arrived at nodes that the walk did not visit.
    fn forget(&mut self) {
        self.slots.fill(0);
        for pending in &mut self.live {
            pending.sum = None;
            pending.products.clear();
        }
        self.free.clear();
        self.free.extend(0..self.live.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_for_one_node_wait_and_are_computed_together() {
        let mut sweep = Sweep::<f64>::default();
        sweep.prepare(1);
        let mut want = Tensor::zeros_of([2, 3]);
        for i in 0..50 {
            let x = Tensor::from_fn([4, 2], |at| (at[0] + 2 * at[1] + i) as f64);
            let g = Tensor::from_fn([4, 3], |at| (at[0] * at[1]) as f64 - i as f64);
            want.add_assign(&x.transpose().matmul(&g));
            sweep.add_product(0, x, g);
        }
        assert_eq!(sweep.live.len(), 1);
        assert!(
            sweep.live[0].sum.is_none(),
            "nothing is multiplied before the walk arrives"
        );
        assert_eq!(sweep.live[0].products.len(), 50);
        assert_eq!(
            sweep.collect(0).unwrap(),
            want,
            "whole numbers: exact in any order"
        );
        assert!(sweep.live[0].products.is_empty() && sweep.collect(0).is_none());
    }

    #[test]
    fn parts_are_added_in_one_place() {
        let mut sweep = Sweep::<f64>::default();
        sweep.prepare(1);
        let mut places = Vec::new();
        for i in 0..100 {
            sweep.add_into(0, [100].into(), |sum| {
                sum[i] += 1.0;
                places.push(sum.as_ptr());
            });
        }
        assert!(
            places.windows(2).all(|pair| pair[0] == pair[1]),
            "the sum was copied"
        );
        assert_eq!(sweep.collect(0).unwrap().to_vec(), [1.0; 100]);
    }
}
