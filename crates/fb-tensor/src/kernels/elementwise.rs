//! Passes that compute each output element from the input elements at its place.

use crate::elementwise::{BinaryOp, UnaryOp};
use crate::element::{Element, Float};
use crate::threads::for_each_chunk_mut;

/// Elements handed to a thread at a time: a few L1 caches' worth.
const CHUNK: usize = 16 * 1024;

multiversion! {
    fn map_part [Op: UnaryOp, F: Float] (op: &Op, input: &[F], output: &mut [F]) {
        for (y, &x) in output.iter_mut().zip(input) {
            *y = op.value(x);
        }
    }
}

multiversion! {
    fn map_part_in_place [Op: UnaryOp, F: Float] (op: &Op, values: &mut [F]) {
        for x in values {
            *x = op.value(*x);
        }
    }
}

multiversion! {
    fn chain_part [Op: UnaryOp, F: Float] (op: &Op, saved: &[F], gradient: &[F], output: &mut [F]) {
        for ((y, &g), &s) in output.iter_mut().zip(gradient).zip(saved) {
            *y = g * op.derivative(s);
        }
    }
}

multiversion! {
    fn chain_part_in_place [Op: UnaryOp, F: Float] (op: &Op, saved: &[F], gradient: &mut [F]) {
        for (g, &s) in gradient.iter_mut().zip(saved) {
            *g = *g * op.derivative(s);
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
    for_each_chunk_mut(output, CHUNK, cost, |start, part| map_part(op, &input[start..start + part.len()], part));
}

/// `values = op(values)`
pub(crate) fn map_in_place<Op: UnaryOp, F: Float>(op: &Op, values: &mut [F]) {
    if values.len() <= CHUNK {
        return map_part_in_place(op, values);
    }
    let cost = values.len() * Op::PICOSECONDS / 1000;
    for_each_chunk_mut(values, CHUNK, cost, |_, part| map_part_in_place(op, part));
}

/// `output = gradient · op'(saved)`
pub(crate) fn chain<Op: UnaryOp, F: Float>(op: &Op, saved: &[F], gradient: &[F], output: &mut [F]) {
    debug_assert!(saved.len() == output.len() && gradient.len() == output.len());
    if output.len() <= CHUNK {
        return chain_part(op, saved, gradient, output);
    }
    let cost = output.len() * Op::PICOSECONDS / 1000;
    for_each_chunk_mut(output, CHUNK, cost, |start, part| {
        let range = start..start + part.len();
        chain_part(op, &saved[range.clone()], &gradient[range], part);
    });
}

/// `gradient = gradient · op'(saved)`
pub(crate) fn chain_in_place<Op: UnaryOp, F: Float>(op: &Op, saved: &[F], gradient: &mut [F]) {
    debug_assert_eq!(saved.len(), gradient.len());
    if gradient.len() <= CHUNK {
        return chain_part_in_place(op, saved, gradient);
    }
    let cost = gradient.len() * Op::PICOSECONDS / 1000;
    for_each_chunk_mut(gradient, CHUNK, cost, |start, part| {
        chain_part_in_place(op, &saved[start..start + part.len()], part);
    });
}

multiversion! {
    fn zip_part [Op: BinaryOp<A, B>, A: Element, B: Element] (op: &Op, left: &[A], right: &[A], output: &mut [B]) {
        for ((y, &a), &b) in output.iter_mut().zip(left).zip(right) {
            *y = op.value(a, b);
        }
    }
}

multiversion! {
    fn zip_part_scalar [Op: BinaryOp<A, B>, A: Element, B: Element] (op: &Op, left: &[A], right: A, output: &mut [B]) {
        for (y, &a) in output.iter_mut().zip(left) {
            *y = op.value(a, right);
        }
    }
}

multiversion! {
    fn zip_part_scalar_left [Op: BinaryOp<A, B>, A: Element, B: Element] (op: &Op, left: A, right: &[A], output: &mut [B]) {
        for (y, &b) in output.iter_mut().zip(right) {
            *y = op.value(left, b);
        }
    }
}

multiversion! {
    fn zip_part_in_place [Op: BinaryOp<A, A>, A: Element] (op: &Op, left: &mut [A], right: &[A]) {
        for (a, &b) in left.iter_mut().zip(right) {
            *a = op.value(*a, b);
        }
    }
}

multiversion! {
    fn zip_part_in_place_scalar [Op: BinaryOp<A, A>, A: Element] (op: &Op, left: &mut [A], right: A) {
        for a in left {
            *a = op.value(*a, right);
        }
    }
}

/// One operand of a row: a slice as long as the row, or one value for all of it.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a, T> {
    Slice(&'a [T]),
    Value(T),
}

/// `output = op(left, right)` over one row.
pub(crate) fn zip_row<Op: BinaryOp<A, B>, A: Element, B: Element>(op: &Op, left: Row<'_, A>, right: Row<'_, A>, output: &mut [B]) {
    match (left, right) {
        (Row::Slice(a), Row::Slice(b)) if output.len() > CHUNK => {
            for_each_chunk_mut(output, CHUNK, a.len() * Op::PICOSECONDS / 1000, |start, part| {
                let range = start..start + part.len();
                zip_part(op, &a[range.clone()], &b[range], part);
            });
        }
        (Row::Slice(a), Row::Slice(b)) => zip_part(op, a, b, output),
        (Row::Slice(a), Row::Value(b)) if output.len() > CHUNK => {
            for_each_chunk_mut(output, CHUNK, a.len() * Op::PICOSECONDS / 1000, |start, part| {
                zip_part_scalar(op, &a[start..start + part.len()], b, part);
            });
        }
        (Row::Slice(a), Row::Value(b)) => zip_part_scalar(op, a, b, output),
        (Row::Value(a), Row::Slice(b)) => zip_part_scalar_left(op, a, b, output),
        (Row::Value(a), Row::Value(b)) => output.fill(op.value(a, b)),
    }
}

/// `left = op(left, right)` over one row.
pub(crate) fn zip_row_in_place<Op: BinaryOp<A, A>, A: Element>(op: &Op, left: &mut [A], right: Row<'_, A>) {
    match right {
        Row::Slice(b) if left.len() > CHUNK => {
            for_each_chunk_mut(left, CHUNK, b.len() * Op::PICOSECONDS / 1000, |start, part| {
                zip_part_in_place(op, part, &b[start..start + part.len()]);
            });
        }
        Row::Slice(b) => zip_part_in_place(op, left, b),
        Row::Value(b) => zip_part_in_place_scalar(op, left, b),
    }
}
