//! What a product does with its output besides adding up terms.

use super::matrix::MatRef;
use crate::element::Float;
use std::ops::Range;

/// `c = finish(alpha·Σ a·b + start)`
#[derive(Clone, Copy)]
pub(crate) struct Update<'a, F> {
    pub(crate) alpha: F,
    pub(crate) start: Start<'a, F>,
    pub(crate) finish: Option<Finish<'a, F>>,
}

/// What the terms are added to.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, F> {
    /// Nothing: the output is overwritten.
    Zero,
    /// What the output holds.
    Output,
    /// Another matrix of the output's size, such as a bias in every row. Its rows are contiguous.
    Matrix(MatRef<'a, F>),
}

/// What becomes of finished elements while they are in the cache, such as an activation: called with parts of rows, each
/// with the part's row and first column. It must treat every element by itself.
pub(crate) type Finish<'a, F> = &'a (dyn Fn(&mut [F], usize, usize) + Sync);

impl<'a, F: Float> Update<'a, F> {
    /// `c = Σ a·b`
    pub(crate) const ASSIGN: Self = Self {
        alpha: F::ONE,
        start: Start::Zero,
        finish: None,
    };

    /// `c += Σ a·b`
    pub(crate) const ADD: Self = Self {
        alpha: F::ONE,
        start: Start::Output,
        finish: None,
    };

    /// `c = Σ a·b + start`
    pub(crate) fn from(start: MatRef<'a, F>) -> Self {
        Self {
            start: Start::Matrix(start),
            ..Self::ASSIGN
        }
    }

    /// The update of a part of the output. Positions that `finish` is told stay those of the whole.
    pub(super) fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        match self.start {
            Start::Matrix(matrix) => Self {
                start: Start::Matrix(matrix.part(rows, columns)),
                ..*self
            },
            _ => *self,
        }
    }

    /// Panics unless the start fits an output of that size and lies within its slice.
    #[inline]
    pub(super) fn check(&self, rows: usize, columns: usize) {
        if let Start::Matrix(matrix) = &self.start {
            assert!(
                matrix.rows == rows && matrix.columns == columns && matrix.is_in_rows(),
                "a start of {}x{} for an output of {rows}x{columns}",
                matrix.rows,
                matrix.columns
            );
            matrix.check();
        }
    }
}
