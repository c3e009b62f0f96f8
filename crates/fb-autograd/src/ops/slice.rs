//! Parts of one axis.

use super::node::{part, unary};
use crate::var::Var;
use fb_tensor::{Float, Shape, Tensor};
use std::ops::Range;

impl<F: Float> Var<F> {
    /// The part of one axis from `range.start` up to, not including, `range.end`. Nothing is copied.
    ///
    /// Going back costs what the part has elements: a loop over all steps of a sequence is linear in its length.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.slice(0, 1..3).square().sum();
    /// assert_eq!(y.backward().get(&x).unwrap().to_vec(), [0.0, 4.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the range leaves the axis.
    #[track_caller]
    #[must_use]
    pub fn slice(&self, axis: usize, range: Range<usize>) -> Self {
        let start = range.start;
        self.positions(self.tensor().slice(axis, range), axis, start, 1)
    }

    /// `length` positions of one axis from `start` on.
    ///
    /// # Panics
    /// If they leave the axis.
    #[track_caller]
    #[must_use]
    pub fn narrow(&self, axis: usize, start: usize, length: usize) -> Self {
        self.positions(self.tensor().narrow(axis, start, length), axis, start, 1)
    }

    /// Every `step`-th position of one axis from `start` up to, not including, `end`.
    ///
    /// # Panics
    /// If the range leaves the axis or `step` is 0.
    #[track_caller]
    #[must_use]
    pub fn slice_step(&self, axis: usize, start: usize, end: usize, step: usize) -> Self {
        self.positions(
            self.tensor().slice_step(axis, start, end, step),
            axis,
            start,
            step,
        )
    }

    /// One position of one axis, which is dropped.
    ///
    /// # Panics
    /// If the index leaves the axis.
    #[track_caller]
    #[must_use]
    pub fn index_axis(&self, axis: usize, index: usize) -> Self {
        self.positions(self.tensor().index_axis(axis, index), axis, index, 1)
    }

    /// Parts of the given extents along one axis, in order.
    ///
    /// # Panics
    /// If the extents do not add up to the axis.
    #[track_caller]
    #[must_use]
    pub fn split(&self, axis: usize, extents: &[usize]) -> Vec<Self> {
        self.parts(self.tensor().split(axis, extents), axis)
    }

    /// Parts of at most `extent` positions along one axis, in order; the last may be shorter.
    ///
    /// # Panics
    /// If there is no such axis or `extent` is 0.
    #[track_caller]
    #[must_use]
    pub fn chunks(&self, axis: usize, extent: usize) -> Vec<Self> {
        self.parts(self.tensor().chunks(axis, extent), axis)
    }

    #[track_caller]
    fn parts(&self, outputs: Vec<Tensor<F>>, axis: usize) -> Vec<Self> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(outputs.len());
        for output in outputs {
            let extent = output.dim(axis);
            parts.push(self.positions(output, axis, start, 1));
            start += extent;
        }
        parts
    }

    /// `output` holds the positions `start`, `start + step`, … of the axis.
    #[track_caller]
    fn positions(&self, output: Tensor<F>, axis: usize, start: usize, step: usize) -> Self {
        let shape = *self.shape();
        if output.len() == self.tensor().len() {
            return unary(self, output, move |g| g.reshape(shape));
        }
        let positions = Positions::new(&shape, axis, start, step, output.len());
        part(self, output, move |g, sum| positions.add(&g, sum))
    }
}

/// Evenly spaced positions of an axis.
#[derive(Clone, Copy, Debug)]
struct Positions {
    /// The products of the extents before and after the axis.
    outer: usize,
    inner: usize,
    extent: usize,
    start: usize,
    step: usize,
    /// How many positions.
    count: usize,
}

impl Positions {
    fn new(shape: &Shape, axis: usize, start: usize, step: usize, elements: usize) -> Self {
        let outer = shape[..axis].iter().product::<usize>();
        let inner = shape[axis + 1..].iter().product::<usize>();
        let count = elements / (outer * inner).max(1);
        Self {
            outer,
            inner,
            extent: shape[axis],
            start,
            step,
            count,
        }
    }

    /// Adds the gradient of the positions to the one of the whole.
    fn add<F: Float>(&self, gradient: &Tensor<F>, sum: &mut [F]) {
        let gradient = gradient.contiguous();
        let values = gradient.as_slice().expect("made contiguous");
        let width = self.count * self.inner;
        if width == 0 {
            return;
        }
        for (i, values) in values.chunks_exact(width).enumerate() {
            let stack = &mut sum[i * self.extent * self.inner..][..self.extent * self.inner];
            if self.step == 1 {
                add(&mut stack[self.start * self.inner..][..width], values);
                continue;
            }
            for (j, values) in values.chunks_exact(self.inner).enumerate() {
                add(
                    &mut stack[(self.start + j * self.step) * self.inner..][..self.inner],
                    values,
                );
            }
        }
        debug_assert_eq!(values.len(), self.outer * width);
    }
}

/// `sum += values`
fn add<F: Float>(sum: &mut [F], values: &[F]) {
    for (sum, &value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

#[cfg(test)]
mod tests {
    use crate::tape::{Backward, Sweep};
    use crate::{Tape, Var};
    use fb_tensor::{Float, Shape, Tensor};
    use std::sync::{Arc, Mutex};

    /// Notes where the gradient of its operand lies when the walk comes by, and adds nothing to it.
    struct Witness {
        parent: u32,
        shape: Shape,
        places: Arc<Mutex<Vec<usize>>>,
    }

    impl<F: Float> Backward<F> for Witness {
        fn backward(&self, _gradient: Tensor<F>, sweep: &mut Sweep<F>) {
            sweep.add_into(self.parent, self.shape, |sum| {
                self.places.lock().unwrap().push(sum.as_ptr().addr());
            });
        }
    }

    fn witness(x: &Var<f32>, places: &Arc<Mutex<Vec<usize>>>) -> Var<f32> {
        let node = x.node().unwrap();
        let op = Witness {
            parent: node.index,
            shape: *x.shape(),
            places: places.clone(),
        };
        node.record(Tensor::from_scalar(0.0), op)
    }

    #[test]
    fn the_slices_of_a_loop_go_back_into_one_buffer() {
        let steps = 2000;
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from_fn([steps, 8], |i| (i[0] + i[1]) as f32));
        let places = Arc::default();
        let mut total = Var::constant(Tensor::from_scalar(0.0));
        for step in 0..steps {
            total = total + x.index_axis(0, step).square().sum() + witness(&x, &places);
        }
        let gradients = total.backward();
        assert_eq!(gradients.get(&x).unwrap(), &(x.tensor() * 2.0));
        let places = places.lock().unwrap();
        assert_eq!(places.len(), steps);
        // Were the sum made anew or copied at any step, the work would grow with the square of the steps.
        assert!(
            places.iter().all(|place| *place == places[0]),
            "the gradient moved during the walk"
        );
    }

    #[test]
    fn a_slice_of_nothing_or_everything_is_fine() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
        let nothing = x.slice(1, 1..1).sum().backward();
        assert_eq!(nothing.get(&x).unwrap().to_vec(), [0.0; 4]);
        let everything = x.slice(1, 0..2).square().sum().backward();
        assert_eq!(everything.get(&x).unwrap().to_vec(), [2.0, 4.0, 6.0, 8.0]);
    }
}
