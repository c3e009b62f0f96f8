//! Tokens that several threads write, each those of its own.

use std::marker::PhantomData;
use std::ops::Range;

/// A block `[batch, time, head, width]` to be written by several threads: each [`Lines`] handed out is exclusive.
pub(super) struct Tokens<'a, F> {
    start: *mut F,
    extents: [usize; 4],
    marker: PhantomData<&'a mut [F]>,
}

// SAFETY: threads only reach the elements through `lines`, whose caller vouches that no two of them overlap.
unsafe impl<F: Send> Sync for Tokens<'_, F> {}

impl<'a, F> Tokens<'a, F> {
    /// `extents` are those of the block.
    pub(super) fn new(data: &'a mut [F], extents: [usize; 4]) -> Self {
        let elements = extents.iter().product::<usize>();
        assert!(
            data.len() >= elements,
            "{extents:?} tokens in {}",
            data.len()
        );
        Self {
            start: data.as_mut_ptr(),
            extents,
            marker: PhantomData,
        }
    }

    /// Some times of one head.
    ///
    /// # Safety
    /// No other lines of the same batch, head and time are alive.
    pub(super) unsafe fn lines(
        &self,
        batch: usize,
        head: usize,
        times: Range<usize>,
    ) -> Lines<'_, F> {
        let [batches, all_times, heads, width] = self.extents;
        assert!(batch < batches && head < heads && times.end <= all_times);
        let at = ((batch * all_times + times.start) * heads + head) * width;
        Lines {
            start: self.start.wrapping_add(at),
            count: times.len(),
            step: heads * width,
            width,
            marker: PhantomData,
        }
    }
}

/// Lines of `width` elements, exclusively held.
pub(super) struct Lines<'a, F> {
    start: *mut F,
    count: usize,
    step: usize,
    width: usize,
    marker: PhantomData<&'a mut [F]>,
}

impl<F> Lines<'_, F> {
    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn line_mut(&mut self, line: usize) -> &mut [F] {
        assert!(line < self.count);
        // SAFETY: `Tokens::lines` checked that the lines lie within the block, whose borrow lives on; its caller vouched
        // that they are exclusive, and `&mut self` makes this one so.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(line * self.step), self.width) }
    }
}
