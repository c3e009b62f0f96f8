//! Where the elements of a view lie in its storage, and how to walk several views together.

use crate::shape::{MAX_RANK, Shape};

/// Extents, signed strides (in elements) and offset of a view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) shape: Shape,
    strides: [isize; MAX_RANK],
    pub(crate) offset: usize,
    /// Row-major without gaps: the elements are one slice.
    pub(crate) contiguous: bool,
}

impl Layout {
    /// Row-major from the start of the storage.
    #[inline]
    pub(crate) fn row_major(shape: Shape) -> Self {
        let mut strides = [0; MAX_RANK];
        let mut step = 1_isize;
        for axis in (0..shape.len()).rev() {
            strides[axis] = step;
            step *= shape[axis].max(1) as isize;
        }
        Self {
            shape,
            strides,
            offset: 0,
            contiguous: true,
        }
    }

    /// A view with these strides; finds out whether it is contiguous.
    pub(crate) fn strided(shape: Shape, strides: &[isize], offset: usize) -> Self {
        debug_assert_eq!(shape.len(), strides.len());
        let mut all = [0; MAX_RANK];
        for (to, &from) in all.iter_mut().zip(strides) {
            *to = from;
        }
        Self::new(shape, all, offset)
    }

    /// [`Layout::strided`] with room for all axes.
    #[inline]
    pub(crate) fn new(shape: Shape, strides: [isize; MAX_RANK], offset: usize) -> Self {
        let mut step = 1_isize;
        let mut contiguous = true;
        let mut empty = false;
        for axis in (0..shape.len()).rev() {
            let extent = shape[axis];
            // The stride of an axis with one element is never used.
            contiguous &= extent == 1 || strides[axis] == step;
            empty |= extent == 0;
            step = step.wrapping_mul(extent as isize);
        }
        // Without elements there is no position to start from: a margin may even lie beyond the storage.
        Self {
            shape,
            strides,
            offset: if empty { 0 } else { offset },
            contiguous: contiguous | empty,
        }
    }

    /// The strides with room for all axes.
    #[inline]
    pub(crate) fn strides_array(&self) -> [isize; MAX_RANK] {
        self.strides
    }

    #[inline]
    pub(crate) fn strides(&self) -> &[isize] {
        &self.strides[..self.shape.len()]
    }

    /// The view stretched to `shape` by broadcasting, which must be possible.
    pub(crate) fn broadcast_to(&self, shape: Shape) -> Self {
        let lead = shape.len() - self.shape.len();
        let mut strides = [0; MAX_RANK];
        for axis in 0..self.shape.len() {
            if self.shape[axis] != 1 {
                strides[lead + axis] = self.strides[axis];
            }
        }
        Self::new(shape, strides, self.offset)
    }

    /// The layout of the first position along an axis, which is dropped.
    pub(crate) fn without(&self, axis: usize) -> Self {
        let mut strides = self.strides;
        strides.copy_within(axis + 1.., axis);
        Self::new(self.shape.without(axis), strides, self.offset)
    }

    /// The same layout starting elsewhere in storage.
    pub(crate) fn at_offset(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// The position in storage of a multi-index, which must be within the shape.
    pub(crate) fn position(&self, index: &[usize]) -> usize {
        let shift: isize = index
            .iter()
            .zip(self.strides())
            .map(|(&i, &s)| i as isize * s)
            .sum();
        self.offset.wrapping_add_signed(shift)
    }
}

/// Several views of one shape, with axes merged where all of them allow it, so that loops are few and long.
///
/// Merging keeps row-major order: [`Walk::rows`] visits rows of the last merged axis in the order of the elements.
pub(crate) struct Walk<const N: usize> {
    rank: usize,
    extents: [usize; MAX_RANK],
    strides: [[isize; MAX_RANK]; N],
    offsets: [usize; N],
}

impl<const N: usize> Walk<N> {
    pub(crate) fn new(layouts: [&Layout; N]) -> Self {
        let mut walk = Self {
            rank: 0,
            extents: [1; MAX_RANK],
            strides: [[0; MAX_RANK]; N],
            offsets: layouts.map(|l| l.offset),
        };
        let shape = layouts[0].shape;
        for axis in 0..shape.len() {
            if shape[axis] == 1 {
                continue;
            }
            let steps: [isize; N] = std::array::from_fn(|i| layouts[i].strides[axis]);
            walk.push(shape[axis], steps);
        }
        walk
    }

    /// Appends an inner axis, merged into the previous one where every view's stride allows.
    fn push(&mut self, extent: usize, steps: [isize; N]) {
        if let Some(last) = self.rank.checked_sub(1) {
            let merges = (0..N).all(|i| self.strides[i][last] == steps[i] * extent as isize);
            if merges {
                self.extents[last] *= extent;
                (0..N).for_each(|i| self.strides[i][last] = steps[i]);
                return;
            }
        }
        self.extents[self.rank] = extent;
        (0..N).for_each(|i| self.strides[i][self.rank] = steps[i]);
        self.rank += 1;
    }

    /// Length of the innermost rows and the stride of each view along them.
    pub(crate) fn inner(&self) -> (usize, [isize; N]) {
        match self.rank.checked_sub(1) {
            None => (1, [1; N]),
            Some(last) => (
                self.extents[last],
                std::array::from_fn(|i| self.strides[i][last]),
            ),
        }
    }

    /// The merged axes: their extents, and the strides of the first view.
    pub(crate) fn axes(&self) -> (&[usize], &[isize]) {
        (&self.extents[..self.rank], &self.strides[0][..self.rank])
    }

    /// Whether [`Walk::rows`] visits one row at most.
    pub(crate) fn is_one_row(&self) -> bool {
        self.rank <= 1
    }

    /// Calls `visit` with the storage position of each view at the start of every inner row, in row-major order.
    #[inline(always)]
    pub(crate) fn rows(&self, mut visit: impl FnMut([usize; N])) {
        let outer = self.rank.saturating_sub(1);
        if self.extents[..self.rank].contains(&0) {
            return;
        }
        let mut index = [0_usize; MAX_RANK];
        let mut at = self.offsets;
        loop {
            visit(at);
            let mut axis = outer;
            loop {
                let Some(next) = axis.checked_sub(1) else {
                    return;
                };
                axis = next;
                index[axis] += 1;
                let wrapped = index[axis] == self.extents[axis];
                for (i, place) in at.iter_mut().enumerate() {
                    let step = self.strides[i][axis];
                    let shift = if wrapped {
                        -step * (self.extents[axis] as isize - 1)
                    } else {
                        step
                    };
                    *place = place.wrapping_add_signed(shift);
                }
                if !wrapped {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}
