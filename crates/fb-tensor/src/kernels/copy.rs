//! Gathering the elements of a strided view into one slice.

use crate::element::Element;
use crate::layout::{Layout, Walk};
use crate::shape::Shape;
use crate::threads::for_each_chunk_mut;

/// Side of the square tiles in which a transposed view is read: a row of four-byte elements is a cache line.
const TILE: usize = 16;
/// Elements handed to a thread at a time.
const CHUNK: usize = 32 * 1024;
/// Rough cost per element on one core.
const PICOSECONDS: usize = 300;

/// Copies the view's elements, in row-major order, to `output`.
pub(crate) fn gather<T: Element>(source: &[T], layout: &Layout, output: &mut [T]) {
    debug_assert_eq!(layout.shape.elements(), output.len());
    if output.is_empty() {
        return;
    }
    let walk = Walk::new([layout]);
    let (extents, strides) = walk.axes();
    let Some(&step) = strides.first() else {
        return output.fill(source[layout.offset]);
    };
    // Threads take positions of the outermost axis.
    let inner = output.len() / extents[0];
    let rows = (CHUNK / inner).max(1);
    let rows = if step == 1 {
        rows.next_multiple_of(TILE)
    } else {
        rows
    };
    let per_part = rows * inner;
    let cost = output.len() * PICOSECONDS / 1000;
    for_each_chunk_mut(output, per_part, cost, |from, part| {
        let shift = step * (from / inner) as isize;
        let mut shape = Shape::from(extents);
        shape.extents_mut()[0] = part.len() / inner;
        let offset = layout.offset.wrapping_add_signed(shift);
        gather_part(source, &Layout::strided(shape, strides, offset), part);
    });
}

fn gather_part<T: Element>(source: &[T], layout: &Layout, output: &mut [T]) {
    let last = layout.shape.len() - 1;
    let with_unit_steps = |&axis: &usize| {
        layout.strides()[axis] == 1 && layout.shape[axis] >= TILE / 2 && layout.shape[last] > 1
    };
    if layout.strides()[last] != 1
        && let Some(axis) = (0..last).find(with_unit_steps)
    {
        return transpose(source, layout, axis, output);
    }
    let walk = Walk::new([layout]);
    let (length, [step]) = walk.inner();
    let mut rows = output.chunks_exact_mut(length);
    walk.rows(|[at]| {
        let row = rows.next().expect("as many rows as the view has");
        match step {
            1 => row.copy_from_slice(&source[at..at + length]),
            0 => row.fill(source[at]),
            _ => {
                let mut place = at;
                for value in row {
                    *value = source[place];
                    place = place.wrapping_add_signed(step);
                }
            }
        }
    });
}

/// Copies the elements of one view to the places of another of the same shape.
pub(crate) fn place<T: Element>(source: &[T], from: &Layout, target: &mut [T], to: &Layout) {
    debug_assert_eq!(from.shape, to.shape);
    let walk = Walk::new([from, to]);
    let (length, [from_step, to_step]) = walk.inner();
    walk.rows(|[mut from, mut to]| {
        if from_step == 1 && to_step == 1 {
            return target[to..to + length].copy_from_slice(&source[from..from + length]);
        }
        for _ in 0..length {
            target[to] = source[from];
            from = from.wrapping_add_signed(from_step);
            to = to.wrapping_add_signed(to_step);
        }
    });
}

/// The case of a view that lies without gaps along another axis than the last one: tile by tile over both.
///
/// A tile goes through a small buffer, so that whole cache lines are read and written, however the strides fall into
/// the sets of the cache.
fn transpose<T: Element>(source: &[T], layout: &Layout, axis: usize, output: &mut [T]) {
    let last = layout.shape.len() - 1;
    let (rows, columns) = (layout.shape[axis], layout.shape[last]);
    let step = layout.strides()[last];
    let target = Layout::row_major(layout.shape);
    let row_step = target.strides()[axis] as usize;
    let others = |of: &Layout| of.without(last).without(axis);
    let walk = Walk::new([&others(layout), &others(&target)]);
    let (length, steps) = walk.inner();
    let mut tile = [T::default(); TILE * TILE];
    walk.rows(|starts| {
        for i in 0..length {
            let [from, to] = [0, 1].map(|k| starts[k].wrapping_add_signed(steps[k] * i as isize));
            for row in (0..rows).step_by(TILE) {
                let height = TILE.min(rows - row);
                for column in (0..columns).step_by(TILE) {
                    let width = TILE.min(columns - column);
                    for c in 0..width {
                        let at = from.wrapping_add_signed(step * (column + c) as isize) + row;
                        for (r, &value) in source[at..at + height].iter().enumerate() {
                            tile[r * TILE + c] = value;
                        }
                    }
                    for r in 0..height {
                        let at = to + (row + r) * row_step + column;
                        output[at..at + width].copy_from_slice(&tile[r * TILE..][..width]);
                    }
                }
            }
        }
    });
}
