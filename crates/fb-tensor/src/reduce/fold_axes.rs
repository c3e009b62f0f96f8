//! The way from a view and a set of axes to the kernel that folds them.

use super::whole::fold_slice;
use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::reduce::{self as kernel, BLOCK, Fold, LANES, Rows, STRIP};
use crate::layout::{Layout, Walk};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::threads;

/// Which axes are folded, and what shape that leaves.
#[derive(Clone, Copy)]
pub(crate) struct Folded {
    axes: [bool; MAX_RANK],
    /// Elements that go into one result.
    pub(super) count: usize,
    shape: Shape,
}

impl Folded {
    /// The named axes of a tensor.
    ///
    /// # Panics
    /// If there is no such axis or one is named twice.
    #[track_caller]
    pub(super) fn new<F: Float>(
        op: &'static str,
        t: &Tensor<F>,
        axes: &[usize],
        keep: bool,
    ) -> Self {
        let mut folded = [false; MAX_RANK];
        let mut count = 1;
        for &axis in axes {
            if axis >= t.rank() || folded[axis] {
                check(op, t, axis).or_panic();
            }
            folded[axis] = true;
            count *= t.dim(axis);
        }
        let mut shape = Shape::SCALAR;
        for (&extent, folded) in t.dims().iter().zip(folded) {
            if !folded {
                shape.push(extent);
            } else if keep {
                shape.push(1);
            }
        }
        Self {
            axes: folded,
            count,
            shape,
        }
    }

    /// All axes for which the mask is true, leaving `shape`.
    pub(super) fn to_shape(axes: [bool; MAX_RANK], count: usize, shape: Shape) -> Self {
        Self { axes, count, shape }
    }

    /// How many results there are.
    pub(super) fn results(&self) -> usize {
        self.shape.elements()
    }
}

#[cold]
fn check<F: Float>(op: &'static str, t: &Tensor<F>, axis: usize) -> Result<()> {
    t.check_axis(op, axis)?;
    Err(Error::Argument {
        op,
        what: format!("axis {axis} of shape {} is named twice", t.shape()),
    })
}

/// One fold on one type, over axes, over the columns of a matrix and over a slice.
pub(crate) struct FoldLoops<F: Float> {
    pub(super) axes: fn(&Tensor<F>, &Folded) -> Tensor<F>,
    pub(super) columns: fn(Rows<'_, F>, &mut [F]),
    pub(super) slice: fn(&[F]) -> f64,
}

impl<F: Float> FoldLoops<F> {
    /// The loops of a fold. The value only names the type.
    pub(crate) const fn of<O: Fold<F, Partial = F>>(_: O) -> Self {
        Self {
            axes: |t, folded| fold_axes(t, O::NEW, folded),
            columns: |rows, output| columns(O::NEW, rows, output),
            slice: |values| fold_slice(O::NEW, values),
        }
    }
}

/// The fold over the axes.
fn fold_axes<F: Float, O: Fold<F, Partial = F>>(
    t: &Tensor<F>,
    op: O,
    folded: &Folded,
) -> Tensor<F> {
    if let Some(values) = t.as_slice() {
        if folded.count == 1 && O::LIFTS_UNCHANGED {
            return t.with_layout(Layout::row_major(folded.shape).at_offset(t.layout().offset));
        }
        if let Some(inner) = inner_extent(t.dims(), &folded.axes) {
            return Tensor::filled_by(folded.shape, |out| {
                if inner == 1 {
                    rows(op, values, folded.count, out);
                } else {
                    stacked_columns(op, values, folded.count, inner, out);
                }
            });
        }
    }
    strided(t, op, folded)
}

/// The product of the extents after the folded axes, if those stand together (axes of extent 1 aside).
fn inner_extent(extents: &[usize], folded: &[bool; MAX_RANK]) -> Option<usize> {
    let mut inner = 1;
    let mut seen = false;
    let mut closed = false;
    for (&extent, &folded) in extents.iter().zip(folded) {
        if extent == 1 {
            continue;
        }
        if folded && closed {
            return None;
        }
        seen |= folded;
        closed |= seen && !folded;
        if seen && !folded {
            inner *= extent;
        }
    }
    Some(inner)
}

/// The fold of each row of a matrix without gaps.
fn rows<F: Float, O: Fold<F, Partial = F>>(op: O, values: &[F], length: usize, output: &mut [F]) {
    let cost = values.len() * O::PICOSECONDS / 1000;
    if !threads::worth_splitting(cost) {
        return kernel::fold_rows(op, values, length, output);
    }
    if length >= values.len() / threads::count() {
        // Too few rows for the threads: each is split instead.
        for (out, row) in output.iter_mut().zip(values.chunks_exact(length)) {
            *out = F::from_f64(fold_slice(op, row));
        }
        return;
    }
    let per_part = (4 * BLOCK / length).max(1);
    threads::for_each_chunk_mut(output, per_part, cost, |from, part| {
        kernel::fold_rows(
            op,
            &values[from * length..(from + part.len()) * length],
            length,
            part,
        );
    });
}

/// The fold over the middle axis of `[outer, count, inner]` without gaps.
fn stacked_columns<F: Float, O: Fold<F, Partial = F>>(
    op: O,
    values: &[F],
    count: usize,
    inner: usize,
    output: &mut [F],
) {
    let one = |stack: usize| Rows {
        data: values,
        start: stack * count * inner,
        step: inner as isize,
        count,
        width: inner,
    };
    if output.len() == inner {
        return columns(op, one(0), output);
    }
    let cost = values.len() * O::PICOSECONDS / 1000;
    let per_part = (4 * BLOCK / (count * inner).max(1)).max(1);
    threads::for_each_chunk_mut(output, per_part * inner, cost, |from, part| {
        for (i, out) in part.chunks_exact_mut(inner.max(1)).enumerate() {
            kernel::fold_columns(op, one(from / inner + i), out);
        }
    });
}

/// The fold of each column, over the pool if it is worth it.
fn columns<F: Float, O: Fold<F, Partial = F>>(op: O, rows: Rows<'_, F>, output: &mut [F]) {
    let cost = rows.count * rows.width * O::PICOSECONDS / 1000;
    if !threads::worth_splitting(cost) {
        return kernel::fold_columns(op, rows, output);
    }
    if rows.width > STRIP || rows.count <= BLOCK {
        return threads::for_each_chunk_mut(output, STRIP, cost, |from, part| {
            kernel::fold_columns(op, rows.columns(from, part.len()), part);
        });
    }
    let width = rows.width;
    let blocks = Tensor::<f64>::filled_by([rows.count.div_ceil(BLOCK), width], |out| {
        threads::for_each_chunk_mut(out, width, cost, |at, part| {
            let from = at / width * BLOCK;
            kernel::fold_columns_block(op, rows.range(from, BLOCK.min(rows.count - from)), part);
        });
    });
    let mut blocks = blocks
        .as_slice()
        .expect("just computed")
        .chunks_exact(width);
    let mut totals = [0.0; STRIP];
    totals[..width].copy_from_slice(blocks.next().expect("several blocks"));
    for block in blocks {
        totals
            .iter_mut()
            .zip(block)
            .for_each(|(total, &result)| *total = op.join(*total, result));
    }
    output
        .iter_mut()
        .zip(totals)
        .for_each(|(out, total)| *out = F::from_f64(total));
}

/// The fold of a view of any kind: where it lies if it has rows or columns there, gathered first otherwise.
fn strided<F: Float, O: Fold<F, Partial = F>>(t: &Tensor<F>, op: O, folded: &Folded) -> Tensor<F> {
    let (kept, reduced) = parts(t, folded);
    let inside = Walk::new([&reduced]);
    let outside = Walk::new([&kept]);
    let (width, [column_step]) = outside.inner();
    let (count, [step]) = inside.inner();
    let data = t.storage_slice();
    let empty = folded.count == 0 || folded.results() == 0;
    if !empty && inside.is_one_row() && step == 1 {
        return Tensor::filled_by(folded.shape, |out| {
            let mut results = out.chunks_exact_mut(width);
            outside.rows(|[at]| {
                for (i, out) in results
                    .next()
                    .expect("a result for each row")
                    .iter_mut()
                    .enumerate()
                {
                    let start = at.wrapping_add_signed(column_step * i as isize);
                    *out = F::from_f64(fold_slice(op, &data[start..start + count]));
                }
            });
        });
    }
    if !empty && inside.is_one_row() && column_step == 1 {
        return Tensor::filled_by(folded.shape, |out| {
            let mut results = out.chunks_exact_mut(width);
            outside.rows(|[start]| {
                columns(
                    op,
                    Rows {
                        data,
                        start,
                        step,
                        count,
                        width,
                    },
                    results.next().expect("a result for each column"),
                );
            });
        });
    }
    let mut axes = [0; MAX_RANK];
    let outer = (0..t.rank()).filter(|&a| !folded.axes[a]);
    let inner = (0..t.rank()).filter(|&a| folded.axes[a]);
    axes.iter_mut()
        .zip(outer.chain(inner))
        .for_each(|(to, axis)| *to = axis);
    let gathered = t.permute(&axes[..t.rank()]).contiguous();
    let values = gathered.as_slice().expect("made contiguous");
    Tensor::filled_by(folded.shape, |out| rows(op, values, folded.count, out))
}

/// The view's layout along the axes that stay and along those that are folded.
fn parts<F: Float>(t: &Tensor<F>, folded: &Folded) -> (Layout, Layout) {
    let part = |wanted: bool| {
        let mut shape = Shape::SCALAR;
        let mut strides = [0; MAX_RANK];
        for axis in (0..t.rank()).filter(|&a| folded.axes[a] == wanted) {
            strides[shape.len()] = t.strides()[axis];
            shape.push(t.dim(axis));
        }
        Layout::strided(shape, &strides[..shape.len()], t.layout().offset)
    };
    (part(false), part(true))
}

const _: () = assert!(
    BLOCK.is_multiple_of(LANES),
    "lanes are dealt whole rounds within a block"
);
