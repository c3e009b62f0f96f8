//! Blocks that several threads write, each its own rows, and the states of a part of the batch.

use super::Plan;
use crate::element::Float;
use crate::kernels::gemm::{MatMut, MatRef};
use crate::storage::UniqueStorage;
use std::marker::PhantomData;
use std::ops::Range;

/// A block of rows that the parts of a batch write, each its own.
pub(super) struct Shared<'a, F> {
    start: *mut F,
    len: usize,
    width: usize,
    marker: PhantomData<&'a mut [F]>,
}

// SAFETY: the elements are reached through `own` alone, whose callers see to it that no row is reached twice.
unsafe impl<F: Send> Sync for Shared<'_, F> {}

impl<'a, F> Shared<'a, F> {
    pub(super) fn new(block: &'a mut [F], width: usize) -> Self {
        Self {
            start: block.as_mut_ptr(),
            len: block.len(),
            width,
            marker: PhantomData,
        }
    }

    /// The rows of a part of the batch. Rows from `ends` on are states, a batch for each register.
    ///
    /// # Safety
    /// No row of the batch is in two parts that live at the same time.
    pub(super) unsafe fn own<'p>(
        &'p self,
        plan: Plan<'p>,
        rows: Range<usize>,
        ends: usize,
    ) -> Own<'p, F> {
        Own {
            start: self.start,
            len: self.len,
            width: self.width,
            plan,
            rows,
            ends,
            marker: PhantomData,
        }
    }
}

/// A part's rows of a [`Shared`] block.
pub(super) struct Own<'a, F> {
    start: *mut F,
    len: usize,
    width: usize,
    plan: Plan<'a>,
    rows: Range<usize>,
    ends: usize,
    marker: PhantomData<&'a mut [F]>,
}

impl<F> Own<'_, F> {
    /// The part's rows that run at a step.
    pub(super) fn step(&mut self, step: usize) -> &mut [F] {
        let count = self.plan.running(step, &self.rows);
        self.lines(self.plan.packed(step, self.rows.start), count)
    }

    /// The state of a row of the part.
    pub(super) fn end(&mut self, register: usize, row: usize) -> &mut [F] {
        assert!(self.rows.contains(&row));
        let at = self.ends + register * self.plan.batch() + self.plan.place(row);
        self.lines(at, 1)
    }

    fn lines(&mut self, from: usize, count: usize) -> &mut [F] {
        let (from, len) = (from * self.width, count * self.width);
        assert!(from + len <= self.len);
        // SAFETY: within the block, as was just checked. The rows are those of the part, at a step or among the states, where
        // each row of the batch has a place of its own; no other part has them, and `&mut self` keeps this one from giving
        // them out twice.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}

/// A row of numbers for each row of a part, at a distance that suits the cache.
pub(super) struct State<F: Float> {
    storage: UniqueStorage<F>,
    width: usize,
    stride: usize,
}

impl<F: Float> State<F> {
    pub(super) fn new(rows: usize, width: usize, stride: usize) -> Self {
        Self {
            storage: UniqueStorage::stale(rows * stride),
            width,
            stride,
        }
    }

    /// With the rows of the batch that are given.
    pub(super) fn of(initial: &[F], rows: &Range<usize>, width: usize, stride: usize) -> Self {
        let mut state = Self::new(rows.len(), width, stride);
        for (at, row) in rows.clone().enumerate() {
            state
                .row(at)
                .copy_from_slice(&initial[row * width..][..width]);
        }
        state
    }

    #[inline]
    pub(super) fn row(&mut self, at: usize) -> &mut [F] {
        let (from, width) = (at * self.stride, self.width);
        &mut self.storage.as_mut_slice()[from..][..width]
    }

    /// The first rows, which stand together.
    pub(super) fn rows(&mut self, rows: usize) -> &mut [F] {
        assert_eq!(self.stride, self.width, "rows without gaps");
        &mut self.storage.as_mut_slice()[..rows * self.stride]
    }

    /// The first rows as a left factor.
    pub(super) fn matrix(&mut self, rows: usize) -> MatRef<'_, F> {
        self.columns(rows, 0..self.width)
    }

    /// Some columns of the first rows as a left factor.
    pub(super) fn columns(&mut self, rows: usize, columns: Range<usize>) -> MatRef<'_, F> {
        MatRef {
            data: self.storage.as_mut_slice(),
            offset: columns.start,
            rows,
            columns: columns.len(),
            row_stride: self.stride as isize,
            column_stride: 1,
        }
    }

    /// The first rows as what a product writes.
    pub(super) fn output(&mut self, rows: usize) -> MatMut<'_, F> {
        MatMut {
            rows,
            columns: self.width,
            row_stride: self.stride,
            data: self.storage.as_mut_slice(),
        }
    }
}
