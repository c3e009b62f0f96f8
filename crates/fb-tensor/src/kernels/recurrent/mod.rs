//! Scans of recurrent cells: all steps of a batch of sequences, forward and back, as loops that allocate nothing per step.
//!
//! A step is one product of the state with the recurrent weight, which is packed once for all steps, added to what the
//! inputs gave, and one pass over the gates in place. The batch is split over the threads for the whole scan, so nobody
//! waits at a step: a row's numbers depend on that row alone, so the bits do not depend on the split.
//!
//! Padded strides keep rows of states out of each other's place in the first cache.

mod elman;
#[allow(
    clippy::too_many_arguments,
    reason = "slices of their own for what is written, so that loops vectorise"
)]
mod gru;
mod linear;
#[allow(
    clippy::too_many_arguments,
    reason = "slices of their own for what is written, so that loops vectorise"
)]
mod lstm;
mod rows;

pub(crate) use linear::{LinearScan, backward as linear_backward, forward as linear_forward};

use super::gemm::{
    MatMut, MatRef, PackedRight, Update, product, product_unsplit, product_with_packed,
    product_with_packed_unsplit,
};
use crate::element::Float;
use crate::recurrent::Recurrence;
use crate::threads;
use rows::{Own, Shared, State};
use std::ops::Range;

/// Multiply–adds that one core does in a nanosecond, roughly, in the products of steps.
const MULTIPLY_ADDS_PER_NS: usize = 32;
/// What a gate costs, in picoseconds.
const GATE_PICOSECONDS: usize = 500;
/// Up to so many rows a weight is read where it lies: blocks of few rows are as wide as the registers allow then.
const DIRECT_ROWS: usize = 4;
/// Fewer steps do not pay for packing.
const PACKED_STEPS: usize = 4;
/// A part of the batch has at least so many rows: fewer would read a weight that no cache holds too often.
const MIN_ROWS: [usize; 2] = [2, 8];
/// Weights above so many bytes do not lie in the first cache.
const LARGE_WEIGHT: usize = 128 << 10;
/// Rows that are a multiple of so many bytes apart share few places of the first cache.
const CROWDED_STRIDE: usize = 1024;

/// Which rows run at which step, by falling length.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) batch: usize,
    /// The steps of the longest sequence.
    pub(crate) steps: usize,
    /// The packed row at which each step starts, with the number of rows at the end, and the lengths, falling; nothing if all
    /// have all steps.
    pub(crate) ragged: Option<(&'a [usize], &'a [usize])>,
    /// Where the states of each sequence stand, if not in the order of their rows.
    pub(crate) order: Option<&'a [usize]>,
}

impl Plan<'_> {
    fn steps(&self) -> usize {
        self.steps
    }

    fn rows(&self) -> usize {
        self.packed(self.steps, 0)
    }

    fn batch(&self) -> usize {
        self.batch
    }

    /// How many of the rows of a part run at a step; they are its first.
    fn running(&self, step: usize, part: &Range<usize>) -> usize {
        let running = self.packed(step + 1, 0) - self.packed(step, 0);
        part.end.min(running).saturating_sub(part.start)
    }

    /// The packed row of a row of the batch at a step.
    fn packed(&self, step: usize, row: usize) -> usize {
        row + match self.ragged {
            Some((starts, _)) => starts[step],
            None => step * self.batch,
        }
    }

    /// The steps of a row.
    fn length(&self, row: usize) -> usize {
        self.ragged.map_or(self.steps, |(_, lengths)| lengths[row])
    }

    /// Where the state of a row stands.
    fn place(&self, row: usize) -> usize {
        self.order.map_or(row, |order| order[row])
    }
}

/// What forward and backward scans share.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'a, F: Float> {
    pub(crate) recurrence: Recurrence,
    pub(crate) plan: Plan<'a>,
    /// The width of a state.
    pub(crate) hidden: usize,
    /// `[hidden, gates · hidden]`
    pub(crate) weight: MatRef<'a, F>,
    /// What is added to the recurrent part of a GRU's candidate, `[hidden]`.
    pub(crate) bias: Option<&'a [F]>,
    /// The states before the first step, `[batch, hidden]` each, by falling length.
    pub(crate) initial: [&'a [F]; 2],
}

impl<F: Float> Scan<'_, F> {
    /// In how many parts the batch is split.
    fn parts(&self) -> usize {
        let (rows, width) = (self.plan.rows(), self.weight.columns);
        let cost = rows * self.hidden * width / MULTIPLY_ADDS_PER_NS
            + rows * width * GATE_PICOSECONDS / 1000;
        if !threads::worth_splitting(cost) {
            return 1;
        }
        let large = self.hidden * width * size_of::<F>() > LARGE_WEIGHT;
        let most = self.plan.batch() / MIN_ROWS[usize::from(large)];
        threads::count().min(most).max(1)
    }

    /// A part of the weight, or its transpose, as the right factor of every step.
    fn factor<'a>(&self, matrix: MatRef<'a, F>, parts: usize) -> Factor<'a, F> {
        let rows = self.plan.batch().div_ceil(parts);
        let packs = rows > DIRECT_ROWS && self.plan.steps() >= PACKED_STEPS;
        Factor {
            matrix,
            packed: packs.then(|| PackedRight::new(&[matrix])),
            alone: parts > 1,
        }
    }

    /// Some columns of the weight, in whole gates.
    fn gates(&self, gates: Range<usize>) -> MatRef<'_, F> {
        let columns = gates.start * self.hidden..gates.end * self.hidden;
        self.weight.part(0..self.hidden, columns)
    }
}

/// The right factor of the products of all steps.
struct Factor<'a, F: Float> {
    matrix: MatRef<'a, F>,
    packed: Option<PackedRight<F>>,
    /// Whether the batch is split already.
    alone: bool,
}

impl<F: Float> Factor<'_, F> {
    fn multiply(&self, left: MatRef<'_, F>, update: Update<'_, F>, out: MatMut<'_, F>) {
        match (&self.packed, self.alone) {
            (Some(packed), true) if left.rows > DIRECT_ROWS => {
                product_with_packed_unsplit(&[left], packed, update, out);
            }
            (Some(packed), false) if left.rows > DIRECT_ROWS => {
                product_with_packed(&[left], packed, update, out);
            }
            (_, true) => product_unsplit(left, self.matrix, update, out),
            (_, false) => product(left, self.matrix, update, out),
        }
    }
}

/// Runs all steps. `gates` `[rows, gates · hidden]` holds what the inputs gave, and then the gates; `outputs` gets the
/// rows `[rows, hidden]` and after them the last states, `[batch, hidden]` each; `saved` `[rows, hidden]`, if it is there,
/// what the way back needs besides.
pub(crate) fn forward<F: Float>(
    scan: &Scan<'_, F>,
    gates: &mut [F],
    outputs: &mut [F],
    saved: Option<&mut [F]>,
) {
    let (plan, n, parts) = (&scan.plan, scan.hidden, scan.parts());
    let gates = Shared::new(gates, scan.weight.columns);
    let outputs = Shared::new(outputs, n);
    let saved = saved.map(|saved| Shared::new(saved, n));
    let all = match scan.recurrence {
        Recurrence::Gru { .. } => vec![
            scan.factor(scan.gates(0..2), parts),
            scan.factor(scan.gates(2..3), parts),
        ],
        _ => vec![scan.factor(scan.weight, parts)],
    };
    over_parts(plan, 0..plan.batch(), parts, &|rows| {
        // SAFETY: parts of the batch are disjoint, and each is worked on once.
        let part = unsafe {
            ForwardPart {
                scan,
                gates: gates.own(*plan, rows.clone(), plan.rows()),
                outputs: outputs.own(*plan, rows.clone(), plan.rows()),
                saved: saved
                    .as_ref()
                    .map(|saved| saved.own(*plan, rows.clone(), plan.rows())),
                rows,
            }
        };
        match scan.recurrence {
            Recurrence::Lstm => lstm::forward(part, &all[0]),
            Recurrence::Gru { reset_after: true } => gru::forward_after(part, &all[0], &all[1]),
            Recurrence::Gru { reset_after: false } => gru::forward_before(part, &all[0], &all[1]),
            Recurrence::ElmanTanh => elman::forward(part, &all[0], elman::tanh),
            Recurrence::ElmanRelu => elman::forward(part, &all[0], elman::relu),
        }
    });
}

/// What one thread works on.
struct ForwardPart<'a, F: Float> {
    scan: &'a Scan<'a, F>,
    gates: Own<'a, F>,
    outputs: Own<'a, F>,
    saved: Option<Own<'a, F>>,
    rows: Range<usize>,
}

/// What a forward scan left, and the gradient by its outputs.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, F> {
    pub(crate) gates: &'a [F],
    pub(crate) outputs: &'a [F],
    pub(crate) saved: &'a [F],
    pub(crate) gradient: &'a [F],
}

/// Goes back over all steps. `projected` `[rows, gates · hidden]` gets the gradient by what the inputs gave, in rows that lie
/// [`padded`] apart, `recurrent` likewise that by what the state gave where it is another, and `states` those by the states before the first
/// step, `[batch, hidden]` each.
pub(crate) fn backward<F: Float>(
    scan: &Scan<'_, F>,
    left: Left<'_, F>,
    projected: &mut [F],
    recurrent: Option<&mut [F]>,
    states: &mut [F],
) {
    let (plan, n, parts) = (&scan.plan, scan.hidden, scan.parts());
    let width = padded::<F>(scan.weight.columns);
    let projected = Shared::new(projected, width);
    let recurrent = recurrent.map(|recurrent| Shared::new(recurrent, width));
    let states = Shared::new(states, n);
    let all = match scan.recurrence {
        Recurrence::Gru { .. } => vec![
            scan.factor(scan.gates(0..2).transposed(), parts),
            scan.factor(scan.gates(2..3).transposed(), parts),
        ],
        _ => vec![scan.factor(scan.weight.transposed(), parts)],
    };
    over_parts(plan, 0..plan.batch(), parts, &|rows| {
        // SAFETY: parts of the batch are disjoint, and each is worked on once.
        let part = unsafe {
            BackwardPart {
                scan,
                left,
                projected: projected.own(*plan, rows.clone(), plan.rows()),
                recurrent: recurrent
                    .as_ref()
                    .map(|recurrent| recurrent.own(*plan, rows.clone(), plan.rows())),
                states: states.own(*plan, rows.clone(), 0),
                rows,
            }
        };
        match scan.recurrence {
            Recurrence::Lstm => lstm::backward(part, &all[0]),
            Recurrence::Gru { reset_after: true } => gru::backward_after(part, &all[0], &all[1]),
            Recurrence::Gru { reset_after: false } => gru::backward_before(part, &all[0], &all[1]),
            Recurrence::ElmanTanh => elman::backward(part, &all[0], elman::tanh_backward),
            Recurrence::ElmanRelu => elman::backward(part, &all[0], elman::relu_backward),
        }
    });
}

/// What one thread works on.
struct BackwardPart<'a, F: Float> {
    scan: &'a Scan<'a, F>,
    left: Left<'a, F>,
    projected: Own<'a, F>,
    recurrent: Option<Own<'a, F>>,
    states: Own<'a, F>,
    rows: Range<usize>,
}

impl<F: Float> BackwardPart<'_, F> {
    /// The gradients by the last states of the part's rows.
    fn last(&self, register: usize) -> State<F> {
        let (plan, n) = (&self.scan.plan, self.scan.hidden);
        let mut state = State::new(self.rows.len(), n, n);
        for (at, row) in self.rows.clone().enumerate() {
            let from = plan.rows() + register * plan.batch() + plan.place(row);
            state
                .row(at)
                .copy_from_slice(&self.left.gradient[from * n..][..n]);
        }
        state
    }

    /// A state before a step: that of the register `initial`, or a row of `all` of the step before.
    fn before<'s>(&'s self, initial: usize, all: &'s [F], step: usize, at: usize) -> &'s [F] {
        let (row, n) = (self.rows.start + at, self.scan.hidden);
        match step.checked_sub(1) {
            None => &self.scan.initial[initial][row * n..][..n],
            Some(step) => &all[self.scan.plan.packed(step, row) * n..][..n],
        }
    }
}

/// A step's row of something that is `width` wide.
fn line<F>(all: &[F], row: usize, width: usize) -> &[F] {
    &all[row * width..][..width]
}

/// Rows of a step, `stride` apart, as a left factor.
fn rows_of<F>(data: &[F], rows: usize, columns: usize, stride: usize) -> MatRef<'_, F> {
    MatRef {
        data,
        offset: 0,
        rows,
        columns,
        row_stride: stride as isize,
        column_stride: 1,
    }
}

/// The gates of a row.
fn gates_of<const N: usize, F>(row: &mut [F]) -> [&mut [F]; N] {
    let hidden = row.len() / N;
    let mut parts = row.chunks_exact_mut(hidden);
    std::array::from_fn(|_| parts.next().expect("as many gates as there are"))
}

/// The distance of rows that are `width` wide: what is read a few columns of many rows at a time must not crowd into the same
/// places of the first cache.
pub(crate) fn padded<F>(width: usize) -> usize {
    if (width * size_of::<F>()).is_multiple_of(CROWDED_STRIDE) {
        width + 64 / size_of::<F>()
    } else {
        width
    }
}

/// Hands rows of the batch to `work` in so many parts of about equal work.
fn over_parts(
    plan: &Plan<'_>,
    rows: Range<usize>,
    parts: usize,
    work: &(dyn Fn(Range<usize>) + Sync),
) {
    if parts <= 1 || rows.len() < 2 {
        if !rows.is_empty() {
            work(rows);
        }
        return;
    }
    let low = parts / 2;
    let all: usize = rows.clone().map(|row| plan.length(row)).sum();
    let wanted = all * low / parts;
    let (mut middle, mut before) = (rows.start, 0);
    while middle + 1 < rows.end && (middle == rows.start || before < wanted) {
        before += plan.length(middle);
        middle += 1;
    }
    rayon::join(
        || over_parts(plan, rows.start..middle, low, work),
        || over_parts(plan, middle..rows.end, parts - low, work),
    );
}
