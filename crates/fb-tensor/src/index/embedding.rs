//! Rows of a table looked up by indices of any shape, and the adjoint.

use super::check_indices;
use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::scatter::add_rows_within;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads::{self, for_each_chunk_mut, for_each_part_mut};

/// Elements handed to a thread at a time.
const CHUNK: usize = 16 * 1024;
/// Parts at most into which threads divide a table.
const PARTS: usize = 16;
/// Rough cost per element on one core.
const PICOSECONDS: usize = 150;

impl<F: Float> Tensor<F> {
    /// The rows that indices of any shape name: what their one-hot vectors times this matrix would give, without the
    /// product. An embedding table.
    ///
    /// `padding` names a row that is looked up like any other, and that a gradient leaves alone.
    ///
    /// # Shapes
    /// - `self`: `[rows, width]`
    /// - `index`: `[…]`
    /// - returns `[…, width]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let table = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = table.embedding(&Tensor::from([[1_i64, 0, 1]]), None);
    /// assert_eq!(*y.shape(), [1, 3, 2]);
    /// assert_eq!(y.to_vec(), [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not two axes, the result would have too many, an index names no row (negative ones do not), or
    /// `padding` does not.
    #[track_caller]
    #[must_use]
    pub fn embedding(&self, index: &Tensor<i64>, padding: Option<usize>) -> Self {
        self.try_embedding(index, padding).or_panic()
    }

    /// [`Tensor::embedding`] for indices that come from data.
    ///
    /// # Errors
    /// There are not two axes, the result would have too many, an index names no row (negative ones do not), or
    /// `padding` does not.
    pub fn try_embedding(&self, index: &Tensor<i64>, padding: Option<usize>) -> Result<Self> {
        const NAME: &str = "embedding";
        let &[rows, width] = self.dims() else {
            return Err(Error::Argument {
                op: NAME,
                what: format!("the table has two axes, found shape {}", self.shape()),
            });
        };
        if let Some(padding) = padding.filter(|&padding| padding >= rows) {
            return Err(Error::Index {
                op: NAME,
                index: i64::try_from(padding).unwrap_or(i64::MAX),
                axis: 0,
                shape: self.shape().to_string(),
            });
        }
        let index = index.contiguous();
        check_indices(NAME, &index, 0, self.shape())?;
        let shape = Shape::try_new(&[index.dims(), &[width]].concat())?;
        let indices = index.as_slice().expect("made contiguous");
        let Some(table) = self.as_slice() else {
            let rows = self.try_index_select(0, &index.reshape([index.len()]))?;
            return Ok(rows.reshape(shape));
        };
        Ok(Self::filled_by(shape, |out| {
            if out.is_empty() {
                return;
            }
            let chunk = (CHUNK / width).max(1) * width;
            let cost = out.len() * PICOSECONDS / 1000;
            for_each_chunk_mut(out, chunk, cost, |from, part| {
                for (out, &i) in part.chunks_exact_mut(width).zip(&indices[from / width..]) {
                    out.copy_from_slice(&table[i as usize * width..][..width]);
                }
            });
        }))
    }
}

/// Adds each row of a gradient to the row of `sum` that its index names, in their order, but for those of `padding`: the
/// adjoint of [`Tensor::embedding`], whose cost is that of the gradient, however large the table.
///
/// # Shapes
/// - `sum`: the elements of `[rows, width]`
/// - `index`: `[…]`
/// - `gradient`: `[…, width]`
///
/// # Panics
/// If the shapes do not fit or an index names no row.
#[track_caller]
pub fn add_rows<F: Float>(
    sum: &mut [F],
    index: &Tensor<i64>,
    gradient: &Tensor<F>,
    padding: Option<usize>,
) {
    let width = gradient.dims().last().copied().unwrap_or(0);
    let fits = gradient.len() == index.len() * width;
    assert!(
        fits && (width == 0 || sum.len().is_multiple_of(width)),
        "add_rows: indices of shape {} and a gradient of shape {} for {} numbers",
        index.shape(),
        gradient.shape(),
        sum.len()
    );
    if width == 0 {
        return;
    }
    let (index, gradient) = (index.contiguous(), gradient.contiguous());
    let rows = Shape::from([sum.len() / width, width]);
    check_indices("add_rows", &index, 0, &rows).or_panic();
    let indices = index.as_slice().expect("made contiguous");
    let values = gradient.as_slice().expect("made contiguous");
    (F::kernels().add_rows)(values, width, indices, padding, sum);
}

/// Adds each row of `values` to the row of `sum` that its index names, in their order; not those whose index is `skipped`.
///
/// Indices must name rows of `sum`. Threads take rows of `sum`, so their number changes nothing.
pub(crate) fn add_rows_slices<F: Float>(
    values: &[F],
    width: usize,
    indices: &[i64],
    skipped: Option<usize>,
    sum: &mut [F],
) {
    if width == 0 || indices.is_empty() {
        return;
    }
    debug_assert_eq!(values.len(), width * indices.len());
    let skipped = skipped.map_or(-1, |row| row as i64);
    let rows = sum.len() / width;
    let cost = values.len() * PICOSECONDS / 1000;
    if !threads::worth_splitting(cost) {
        return add_rows_within(values, width, indices, skipped, 0..rows as i64, sum);
    }
    let starts = even_parts(indices, rows);
    for_each_part_mut(
        [sum],
        PARTS,
        cost,
        |part| [starts[part] as usize * width],
        |part, [sum]| {
            let range = starts[part]..starts[part + 1];
            add_rows_within(values, width, indices, skipped, range, sum);
        },
    );
}

/// Where parts of `0..rows` start so that about as many indices name rows of each, and where the last one ends.
fn even_parts(indices: &[i64], rows: usize) -> [i64; PARTS + 1] {
    let mut named = Tensor::<i64>::zeros_of(Shape::from([rows]));
    let named = named.make_mut();
    indices.iter().for_each(|&index| named[index as usize] += 1);
    let mut starts = [0; PARTS + 1];
    let (mut part, mut before) = (1, 0);
    for (row, &count) in named.iter().enumerate() {
        before += count as usize;
        while part < PARTS && before * PARTS >= part * indices.len() {
            starts[part] = row as i64 + 1;
            part += 1;
        }
    }
    starts[part..].fill(rows as i64);
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;

    #[test]
    fn rows_arrive_where_the_naive_twin_puts_them() {
        for (count, rows, width) in [
            (0, 3, 2),
            (1, 1, 1),
            (50, 7, 3),
            (9000, 400, 33),
            (9000, 2, 40),
        ] {
            // Small indices are the most frequent, as words are.
            let indices: Vec<i64> = (0..count as i64)
                .map(|i| (i * 7919 % 1009).pow(2) % 997 * rows as i64 / 997)
                .collect();
            let values: Vec<f32> = (0..count * width).map(|i| (i as f32 * 0.7).sin()).collect();
            for skipped in [None, Some(0), Some(rows - 1)] {
                let start: Vec<f32> = (0..rows * width).map(|i| i as f32).collect();
                let want = reference::add_rows(&values, width, &indices, skipped, &start);
                for threads in [1, 3] {
                    let mut sum = start.clone();
                    threads::scope_with(threads, || {
                        add_rows_slices(&values, width, &indices, skipped, &mut sum);
                    });
                    assert_eq!(sum, want, "{count} rows of {width} into {rows}");
                }
            }
        }
    }

    #[test]
    fn parts_cover_all_rows() {
        for indices in [vec![0; 10], vec![4; 10], (0..5).collect(), vec![2, 2, 2, 0]] {
            let starts = even_parts(&indices, 5);
            assert_eq!((starts[0], starts[PARTS]), (0, 5));
            assert!(starts.is_sorted(), "{starts:?}");
        }
    }
}
