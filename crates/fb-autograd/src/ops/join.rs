//! Several variables as one.

use super::index;
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Float, Tensor};

/// A joined variable whose parts lie one after the other along an axis.
struct Concat {
    /// For each part that is on the tape: its node, where it starts along the axis and its extent.
    parts: Vec<(u32, usize, usize)>,
    axis: usize,
}

impl<F: Float> Backward<F> for Concat {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        for &(parent, start, extent) in &self.parts {
            sweep.add(parent, gradient.narrow(self.axis, start, extent));
        }
    }
}

/// A joined variable whose parts are positions of a new axis.
struct Stack {
    /// For each part that is on the tape: its node and its position.
    parts: Vec<(u32, usize)>,
    axis: usize,
}

impl<F: Float> Backward<F> for Stack {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        for &(parent, position) in &self.parts {
            sweep.add(parent, gradient.index_axis(self.axis, position));
        }
    }
}

impl<F: Float> Var<F> {
    /// The variables one after the other along an axis that they have.
    ///
    /// ```
    /// use fb_autograd::{Tape, Var};
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.leaf(Tensor::from([1.0, 2.0])), tape.leaf(Tensor::from([3.0])));
    /// let y = Var::concat(&[&a, &b], 0);
    /// assert_eq!(y.square().sum().backward().get(&b).unwrap().to_vec(), [6.0]);
    /// ```
    ///
    /// # Panics
    /// If there are none, there is no such axis, they differ in another axis, or they are on different tapes.
    #[track_caller]
    #[must_use]
    pub fn concat(parts: &[&Self], axis: usize) -> Self {
        let tensors: Vec<&Tensor<F>> = parts.iter().map(|part| part.tensor()).collect();
        let output = Tensor::concat(&tensors, axis);
        let mut start = 0;
        let mut places = Vec::with_capacity(parts.len());
        for part in parts {
            let extent = part.tensor().dim(axis);
            places.extend(index(part).map(|node| (node, start, extent)));
            start += extent;
        }
        join(
            parts,
            output,
            Concat {
                parts: places,
                axis,
            },
        )
    }

    /// Variables of one shape along a new axis, put in before `axis`.
    ///
    /// ```
    /// use fb_autograd::{Tape, Var};
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let a = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = Var::stack(&[&a, &a, &a], 0);
    /// assert_eq!(y.dims(), [3, 2]);
    /// assert_eq!(y.sum().backward().get(&a).unwrap().to_vec(), [3.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there are none, their shapes differ, `axis` is beyond the end, the rank would exceed its maximum, or they are on
    /// different tapes.
    #[track_caller]
    #[must_use]
    pub fn stack(parts: &[&Self], axis: usize) -> Self {
        let tensors: Vec<&Tensor<F>> = parts.iter().map(|part| part.tensor()).collect();
        let output = Tensor::stack(&tensors, axis);
        let places = parts
            .iter()
            .enumerate()
            .filter_map(|(i, part)| Some((index(part)?, i)))
            .collect();
        join(
            parts,
            output,
            Stack {
                parts: places,
                axis,
            },
        )
    }
}

/// The result of an operation on any number of variables.
#[track_caller]
fn join<F: Float>(parts: &[&Var<F>], output: Tensor<F>, op: impl Backward<F> + 'static) -> Var<F> {
    let mut nodes = parts.iter().filter_map(|part| part.node());
    let Some(first) = nodes.next() else {
        return Var::constant(output);
    };
    nodes.for_each(|node| first.same_tape(node));
    first.record(output, op)
}
