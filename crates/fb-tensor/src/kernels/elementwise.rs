//! Passes that compute each output element from the input elements at its place.

use crate::element::{Element, Float};
use crate::elementwise::{BinaryOp, UnaryOp};
use crate::layout::Walk;
use crate::threads::for_each_chunk_mut;
use std::mem::MaybeUninit;

/// Elements handed to a thread at a time: a few L1 caches' worth.
const CHUNK: usize = 16 * 1024;

/// Elements copied aside before a pass over them in place.
const COPIED: usize = 256;

multiversion! {
    fn map_part [F: Float, Op: UnaryOp] (op: &Op, input: &[F], output: &mut [F]) {
        for (y, &x) in output.iter_mut().zip(input) {
            *y = op.value(x);
        }
    }
}

/// One loop does for both forms: a small copy within the first cache is cheap beside a second set of compiled loops.
fn map_part_in_place<F: Float, Op: UnaryOp>(op: &Op, values: &mut [F]) {
    let mut copy = [const { MaybeUninit::uninit() }; COPIED];
    for part in values.chunks_mut(COPIED) {
        map_part(op, copy[..part.len()].write_copy_of_slice(part), part);
    }
}

multiversion! {
    fn chain_part [F: Float, Op: UnaryOp] (op: &Op, saved: &[F], gradient: &mut [F]) {
        for (g, &s) in gradient.iter_mut().zip(saved) {
            *g *= op.derivative(s);
        }
    }
}

/// `output = op(input)`
pub(crate) fn map<Op: UnaryOp, F: Float>(op: &Op, input: &[F], output: &mut [F]) {
    debug_assert_eq!(input.len(), output.len());
    if output.len() <= CHUNK {
        return map_part(op, input, output);
    }
    let cost = output.len() * Op::PICOSECONDS / 1000;
    for_each_chunk_mut(output, CHUNK, cost, |start, output| {
        map_part(op, &input[start..start + output.len()], output)
    });
}

/// `values = op(values)`
pub(crate) fn map_in_place<Op: UnaryOp, F: Float>(op: &Op, values: &mut [F]) {
    if values.len() <= CHUNK {
        return map_part_in_place(op, values);
    }
    let cost = values.len() * Op::PICOSECONDS / 1000;
    for_each_chunk_mut(values, CHUNK, cost, |_, part| map_part_in_place(op, part));
}

/// `gradient = gradient · op'(saved)`
pub(crate) fn chain<Op: UnaryOp, F: Float>(op: &Op, saved: &[F], gradient: &mut [F]) {
    debug_assert_eq!(saved.len(), gradient.len());
    if gradient.len() <= CHUNK {
        return chain_part(op, saved, gradient);
    }
    let cost = gradient.len() * Op::PICOSECONDS / 1000;
    for_each_chunk_mut(gradient, CHUNK, cost, |start, part| {
        chain_part(op, &saved[start..start + part.len()], part);
    });
}

multiversion! {
    fn zip_part [A: Element, B: Element, Op: BinaryOp<A, B>] (op: &Op, left: &[A], right: &[A], output: &mut [B]) {
        for ((y, &a), &b) in output.iter_mut().zip(left).zip(right) {
            *y = op.value(a, b);
        }
    }
}

multiversion! {
    fn zip_part_scalar [A: Element, B: Element, Op: BinaryOp<A, B>] (op: &Op, left: &[A], right: A, output: &mut [B]) {
        for (y, &a) in output.iter_mut().zip(left) {
            *y = op.value(a, right);
        }
    }
}

multiversion! {
    fn zip_part_in_place [A: Element, Op: BinaryOp<A, A>] (op: &Op, left: &mut [A], right: &[A]) {
        for (a, &b) in left.iter_mut().zip(right) {
            *a = op.value(*a, b);
        }
    }
}

multiversion! {
    fn zip_part_in_place_scalar [A: Element, Op: BinaryOp<A, A>] (op: &Op, left: &mut [A], right: A) {
        for a in left {
            *a = op.value(*a, right);
        }
    }
}

/// `output = op(left, right)`
pub(crate) fn zip<Op: BinaryOp<A, B>, A: Element, B: Element>(
    op: &Op,
    left: &[A],
    right: &[A],
    output: &mut [B],
) {
    debug_assert!(left.len() == output.len() && right.len() == output.len());
    if output.len() <= CHUNK {
        return zip_part(op, left, right, output);
    }
    for_each_chunk_mut(
        output,
        CHUNK,
        left.len() * Op::PICOSECONDS / 1000,
        |start, part| {
            let range = start..start + part.len();
            zip_part(op, &left[range.clone()], &right[range], part);
        },
    );
}

/// `left = op(left, right)`
pub(crate) fn zip_in_place<Op: BinaryOp<A, A>, A: Element>(op: &Op, left: &mut [A], right: &[A]) {
    debug_assert_eq!(left.len(), right.len());
    if left.len() <= CHUNK {
        return zip_part_in_place(op, left, right);
    }
    for_each_chunk_mut(
        left,
        CHUNK,
        right.len() * Op::PICOSECONDS / 1000,
        |start, part| {
            zip_part_in_place(op, part, &right[start..start + part.len()]);
        },
    );
}

/// Repeated slices shorter than this are written out several times, so that loops over them are long.
const SHORT: usize = 64;
/// The length to which short ones are written out, about.
const TILE: usize = 256;

/// Hands `work` as many whole rounds of `values` as fit in a tile, or one round if it is long or few are wanted.
#[inline]
fn with_rounds<A: Element>(values: &[A], wanted: usize, work: impl FnOnce(&[A])) {
    let n = values.len();
    if n >= SHORT || wanted < TILE {
        return work(values);
    }
    let mut tile = [A::default(); TILE];
    let len = TILE / n * n;
    for part in tile[..len].chunks_exact_mut(n) {
        part.copy_from_slice(values);
    }
    work(&tile[..len]);
}

multiversion! {
    fn zip_rounds [A: Element, B: Element, Op: BinaryOp<A, B>] (op: &Op, left: &[A], right: &[A], output: &mut [B]) {
        for (a, y) in left.chunks(right.len()).zip(output.chunks_mut(right.len())) {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(right) {
                *y = op.value(a, b);
            }
        }
    }
}

multiversion! {
    fn zip_rounds_in_place [A: Element, Op: BinaryOp<A, A>] (op: &Op, left: &mut [A], right: &[A]) {
        for a in left.chunks_mut(right.len()) {
            for (a, &b) in a.iter_mut().zip(right) {
                *a = op.value(*a, b);
            }
        }
    }
}

/// `output = op(left, right)`, with `right` repeated over and over.
pub(crate) fn zip_repeated<Op: BinaryOp<A, B>, A: Element, B: Element>(
    op: &Op,
    left: &[A],
    right: &[A],
    output: &mut [B],
) {
    let part = |left: &[A], output: &mut [B]| match right {
        [] => {}
        &[right] => zip_part_scalar(op, left, right, output),
        _ => with_rounds(right, left.len(), |right| {
            zip_rounds(op, left, right, output)
        }),
    };
    if output.len() <= CHUNK {
        return part(left, output);
    }
    let chunk = CHUNK.next_multiple_of(right.len().max(1));
    for_each_chunk_mut(
        output,
        chunk,
        left.len() * Op::PICOSECONDS / 1000,
        |start, output| {
            part(&left[start..start + output.len()], output);
        },
    );
}

/// `left = op(left, right)`, with `right` repeated over and over.
pub(crate) fn zip_repeated_in_place<Op: BinaryOp<A, A>, A: Element>(
    op: &Op,
    left: &mut [A],
    right: &[A],
) {
    let part = |left: &mut [A]| match right {
        [] => {}
        &[right] => zip_part_in_place_scalar(op, left, right),
        _ => with_rounds(right, left.len(), |right| {
            zip_rounds_in_place(op, left, right)
        }),
    };
    if left.len() <= CHUNK {
        return part(left);
    }
    let chunk = CHUNK.next_multiple_of(right.len().max(1));
    for_each_chunk_mut(
        left,
        chunk,
        left.len() * Op::PICOSECONDS / 1000,
        |_, left| part(left),
    );
}

multiversion! {
    /// `output = op(left, right)` over two views whose innermost steps are 0 or 1.
    pub(crate) fn zip_walk [A: Element, B: Element, Op: BinaryOp<A, B>] (
        op: &Op, left: &[A], right: &[A], walk: &Walk<2>, output: &mut [B],
    ) {
        let (length, steps) = walk.inner();
        let mut rows = output.chunks_exact_mut(length.max(1));
        walk.rows(|[a, b]| {
            let out = rows.next().expect("as many rows as the output has");
            match steps {
                [0, 0] => out.fill(op.value(left[a], right[b])),
                [0, _] => {
                    let a = left[a];
                    out.iter_mut().zip(&right[b..b + length]).for_each(|(y, &b)| *y = op.value(a, b));
                }
                [_, 0] => {
                    let b = right[b];
                    out.iter_mut().zip(&left[a..a + length]).for_each(|(y, &a)| *y = op.value(a, b));
                }
                _ => {
                    let pairs = left[a..a + length].iter().zip(&right[b..b + length]);
                    out.iter_mut().zip(pairs).for_each(|(y, (&a, &b))| *y = op.value(a, b));
                }
            }
        });
    }
}

multiversion! {
    /// `left = op(left, right)` over two views whose innermost steps are 0 or 1, that of the first 1.
    pub(crate) fn zip_walk_in_place [A: Element, Op: BinaryOp<A, A>] (
        op: &Op, left: &mut [A], right: &[A], walk: &Walk<2>,
    ) {
        let (length, [_, step]) = walk.inner();
        walk.rows(|[a, b]| {
            let row = &mut left[a..a + length];
            if step == 0 {
                let b = right[b];
                row.iter_mut().for_each(|a| *a = op.value(*a, b));
            } else {
                row.iter_mut().zip(&right[b..b + length]).for_each(|(a, &b)| *a = op.value(*a, b));
            }
        });
    }
}
