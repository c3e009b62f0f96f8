//! Rows added where their indices say.

use crate::element::Float;
use std::ops::Range;

multiversion! {
    /// Adds each row of `values` whose index lies in `range`, but for one index, to the row that it names of `sum`, whose
    /// first row is that of the start of the range.
    pub(crate) fn add_rows_within [F: Float] (
        values: &[F], width: usize, indices: &[i64], skipped: i64, range: Range<i64>, sum: &mut [F],
    ) {
        for (row, &index) in values.chunks_exact(width).zip(indices) {
            if !range.contains(&index) || index == skipped {
                continue;
            }
            let from = (index - range.start) as usize * width;
            for (sum, &x) in sum[from..from + width].iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}
