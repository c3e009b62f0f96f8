//! Gathering the elements of a strided view into one slice.

use crate::element::Element;
use crate::layout::{Layout, Walk};

/// Side of the square tiles in which a transposed view is read, so that both sides stay in cache.
const TILE: usize = 16;

/// Copies the view's elements, in row-major order, to `output`.
pub(crate) fn gather<T: Element>(source: &[T], layout: &Layout, output: &mut [T]) {
    debug_assert_eq!(layout.shape.elements(), output.len());
    if output.is_empty() {
        return;
    }
    if layout.contiguous {
        output.copy_from_slice(&source[layout.offset..layout.offset + output.len()]);
        return;
    }
    if transpose(source, layout, output) {
        return;
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

/// The case of a matrix (or a stack of them) stored column by column; whether it applied.
fn transpose<T: Element>(source: &[T], layout: &Layout, output: &mut [T]) -> bool {
    let rank = layout.shape.len();
    if rank < 2
        || layout.strides()[rank - 2] != 1
        || layout.shape[rank - 2] < TILE
        || layout.shape[rank - 1] < TILE
    {
        return false;
    }
    let (rows, columns) = (layout.shape[rank - 2], layout.shape[rank - 1]);
    let step = layout.strides()[rank - 1];
    let outer = Layout::strided(
        crate::Shape::from(&layout.shape[..rank - 2]),
        &layout.strides()[..rank - 2],
        layout.offset,
    );
    let walk = Walk::new([&outer]);
    let (length, [stack_step]) = walk.inner();
    let mut matrices = output.chunks_exact_mut(rows * columns);
    walk.rows(|[start]| {
        for i in 0..length {
            let matrix = matrices.next().expect("as many matrices as the view has");
            let origin = start.wrapping_add_signed(stack_step * i as isize);
            for row in (0..rows).step_by(TILE) {
                for column in (0..columns).step_by(TILE) {
                    let row_end = (row + TILE).min(rows);
                    for c in column..(column + TILE).min(columns) {
                        let from = origin.wrapping_add_signed(step * c as isize);
                        for (r, &value) in (row..row_end).zip(&source[from + row..from + row_end]) {
                            matrix[r * columns + c] = value;
                        }
                    }
                }
            }
        }
    });
    true
}
