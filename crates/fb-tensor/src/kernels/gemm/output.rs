//! The matrix that a product writes, as blocks that threads can have for themselves.

use super::update::Finish;
use std::ops::Range;

/// A block of the output matrix; parts made by splitting one are disjoint.
pub(super) struct Output<F> {
    pub(super) start: *mut F,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    /// Where the block's first element stands in the whole.
    pub(super) place: [usize; 2],
}

// SAFETY: an `Output` is the only way to its elements (see `split_rows`, `split_columns`), like a `&mut [F]`.
unsafe impl<F: Send> Send for Output<F> {}

impl<F> Output<F> {
    /// The rows before `middle` and those from it on.
    pub(super) fn split_rows(self, middle: usize) -> (Self, Self) {
        assert!(middle <= self.rows);
        let start = self.start.wrapping_add(middle * self.row_stride);
        let [row, column] = self.place;
        (
            Self {
                rows: middle,
                ..self
            },
            Self {
                start,
                rows: self.rows - middle,
                place: [row + middle, column],
                ..self
            },
        )
    }

    /// The columns before `middle` and those from it on.
    pub(super) fn split_columns(self, middle: usize) -> (Self, Self) {
        assert!(middle <= self.columns);
        let start = self.start.wrapping_add(middle);
        let [row, column] = self.place;
        (
            Self {
                columns: middle,
                ..self
            },
            Self {
                start,
                columns: self.columns - middle,
                place: [row, column + middle],
                ..self
            },
        )
    }

    /// One row of the block.
    #[inline(always)]
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [F] {
        assert!(row < self.rows);
        // SAFETY: `output` checked that the whole matrix lies in the caller's slice, blocks are parts of it, and `&mut self`
        // makes the row exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(self.start.add(row * self.row_stride), self.columns)
        }
    }

    /// Has `finish` work on a part of the block.
    pub(super) fn finish(
        &mut self,
        finish: Option<Finish<'_, F>>,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        if let Some(finish) = finish {
            let [row, column] = self.place;
            for i in rows {
                let part = &mut self.row_mut(i)[columns.clone()];
                finish(part, row + i, column + columns.start);
            }
        }
    }
}
