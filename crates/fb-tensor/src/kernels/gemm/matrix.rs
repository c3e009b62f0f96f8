//! Matrices inside slices: what products read and write.

use std::ops::Range;

/// A matrix inside a slice: element (i, j) is `data[offset + i·row_stride + j·column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct MatRef<'a, F> {
    pub(crate) data: &'a [F],
    pub(crate) offset: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: isize,
    pub(crate) column_stride: isize,
}

impl<'a, F> MatRef<'a, F> {
    /// A matrix stored row by row from the start of the slice.
    pub(crate) fn row_major(data: &'a [F], rows: usize, columns: usize) -> Self {
        Self {
            data,
            offset: 0,
            rows,
            columns,
            row_stride: columns as isize,
            column_stride: 1,
        }
    }

    /// One row, repeated: the bias of a layer.
    pub(crate) fn repeated(row: &'a [F], rows: usize) -> Self {
        Self {
            data: row,
            offset: 0,
            rows,
            columns: row.len(),
            row_stride: 0,
            column_stride: 1,
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of its rows and columns.
    pub(crate) fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let shift =
            self.row_stride * rows.start as isize + self.column_stride * columns.start as isize;
        Self {
            rows: rows.len(),
            columns: columns.len(),
            offset: self.offset.wrapping_add_signed(shift),
            data: self.data,
            row_stride: self.row_stride,
            column_stride: self.column_stride,
        }
    }

    /// Panics unless all elements lie within the slice. Everything that reads through pointers relies on it.
    #[inline]
    pub(super) fn check(&self) {
        check_bounds(
            self.data.len(),
            self.offset,
            [
                (self.rows, self.row_stride),
                (self.columns, self.column_stride),
            ],
        );
    }

    /// Whether the elements of a row are next to each other.
    pub(super) fn is_in_rows(&self) -> bool {
        self.column_stride == 1 || self.columns == 1
    }

    /// Where element (i, j) is.
    pub(super) fn at(&self, i: usize, j: usize) -> *const F {
        self.data[self.offset..]
            .as_ptr()
            .wrapping_offset(self.row_stride * i as isize + self.column_stride * j as isize)
    }
}

/// A matrix to be written: element (i, j) is `data[i·row_stride + j]`.
pub(crate) struct MatMut<'a, F> {
    pub(crate) data: &'a mut [F],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// At least the number of columns.
    pub(crate) row_stride: usize,
}

impl<'a, F> MatMut<'a, F> {
    /// A matrix stored row by row from the start of the slice.
    #[inline]
    pub(crate) fn row_major(data: &'a mut [F], rows: usize, columns: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            row_stride: columns,
        }
    }

    /// Panics unless rows do not overlap and all elements lie within the slice.
    #[inline]
    pub(super) fn check(&self) {
        let axes = [(self.rows, self.row_stride as isize), (self.columns, 1)];
        assert!(
            self.row_stride >= self.columns && isize::try_from(self.row_stride).is_ok(),
            "output rows of {} elements lie {} apart",
            self.columns,
            self.row_stride
        );
        check_bounds(self.data.len(), 0, axes);
    }
}

/// Panics unless the first and the last position of the view lie within the slice.
#[inline]
fn check_bounds(len: usize, offset: usize, axes: [(usize, isize); 2]) {
    if axes[0].0 == 0 || axes[1].0 == 0 {
        return;
    }
    // Saturation keeps absurd strides absurd: they fail the comparison.
    let reach = axes.map(|(extent, stride)| stride.saturating_mul(extent as isize - 1));
    let offset = offset as isize;
    let low = offset
        .saturating_add(reach[0].min(0))
        .saturating_add(reach[1].min(0));
    let high = offset
        .saturating_add(reach[0].max(0))
        .saturating_add(reach[1].max(0));
    if offset < 0 || low < 0 || high < 0 || high as usize >= len {
        out_of_bounds(len, offset, axes);
    }
}

#[cold]
#[inline(never)]
fn out_of_bounds(len: usize, offset: isize, axes: [(usize, isize); 2]) -> ! {
    panic!("matrix view of {axes:?} at {offset} leaves its slice of {len}")
}
