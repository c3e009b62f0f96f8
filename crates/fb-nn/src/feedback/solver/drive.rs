//! What all solvers share: the batch that shrinks, when a row is finished, the best state of each, the report.

use super::{Freeze, Map, Outcome, SampleReport, Solution, SolverReport, Stop};
use crate::error::{Error, Result};
use fb_tensor::{Float, Shape, Tensor, threads};

/// Added to the norm that a residual is relative to.
const TINY: f64 = 1e-9;
/// A residual is progress if it is below this share of the last one that was.
const PROGRESS: f64 = 0.999;

/// A solver as the driver sees it: what it asks the map for, row by row.
///
/// A row asks for the image of one vector at a time, whatever its solver needs next, so that rows in different stages (one
/// searching along a line, one taking a step) still go through the map together.
pub(super) trait Method<F: Float>: Sync {
    /// What is remembered of a row beside vectors and numbers.
    type Memory: Default + Send;

    /// How many vectors of the row's length are kept for it.
    fn vectors(&self) -> usize;

    /// How many double-precision numbers are kept for it.
    fn numbers(&self) -> usize;

    /// Writes the first vector that the row asks the image of, or finishes the row.
    fn begin(&self, row: &mut Row<'_, F, Self::Memory>, input: &[F], first: &mut [F]) {
        let _ = row;
        first.copy_from_slice(input);
    }

    /// Takes the image of the vector that was asked for; writes the next one, or finishes the row.
    fn advance(&self, row: &mut Row<'_, F, Self::Memory>, asked: &[F], image: &[F], next: &mut [F]);
}

/// One row of the batch while it is worked on.
pub(super) struct Row<'w, F: Float, M> {
    /// The best state seen, then the vectors of the method.
    store: &'w mut [F],
    /// The numbers of the method.
    pub(super) numbers: &'w mut [f64],
    sample: &'w mut SampleReport,
    /// The last residual that was progress.
    mark: f64,
    /// What the method remembers.
    pub(super) memory: M,
    /// Evaluations since then.
    idle: u16,
    finished: bool,
    traced: bool,
}

impl<F: Float, M> Row<'_, F, M> {
    /// The vectors of the method, each of `length` elements, and its numbers.
    pub(super) fn parts(&mut self, length: usize) -> (&mut [F], &mut [f64], &mut M) {
        (&mut self.store[length..], self.numbers, &mut self.memory)
    }

    /// Counts a return to a plain step.
    pub(super) fn fell_back(&mut self) {
        self.sample.fallbacks = self.sample.fallbacks.saturating_add(1);
    }

    /// Puts a residual into the trace, if there is one.
    pub(super) fn trace(&mut self, residual: f64) {
        if self.traced {
            self.sample.trace.push(residual);
        }
    }

    /// Ends the row with this state, whatever was seen before.
    pub(super) fn end(&mut self, state: &[F], residual: f64, outcome: Outcome) {
        self.store[..state.len()].copy_from_slice(state);
        self.sample.residual = residual;
        self.sample.outcome = outcome;
        self.finished = true;
    }

    /// Ends the row with the best state seen, because of a NaN or an infinity.
    pub(super) fn stop_non_finite(&mut self) {
        self.sample.outcome = Outcome::NonFinite;
        self.finished = true;
    }

    /// Notes the residual of a state, and says whether the row is finished. `exhausted` says that no iteration is left.
    pub(super) fn judge(
        &mut self,
        rules: &Rules,
        state: &[F],
        residual: f64,
        exhausted: bool,
    ) -> bool {
        // A comparison with NaN is false: the first state is kept whatever its residual.
        if self.sample.residual.is_nan() || residual < self.sample.residual {
            self.sample.residual = residual;
            self.store[..state.len()].copy_from_slice(state);
        }
        if residual < PROGRESS * self.mark {
            self.mark = residual;
            self.idle = 0;
        } else {
            self.idle = self.idle.saturating_add(1);
        }
        self.sample.outcome = if !residual.is_finite() {
            Outcome::NonFinite
        } else if residual <= rules.tolerance {
            Outcome::Converged
        } else if self.idle >= rules.patience && self.sample.residual <= rules.floor {
            Outcome::AtFloor
        } else {
            self.finished = exhausted;
            return exhausted;
        };
        self.finished = true;
        true
    }
}

/// When a row is finished, as numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) tolerance: f64,
    pub(super) max_iterations: u32,
    /// Below this a residual may be as small as rounding lets it be.
    floor: f64,
    /// So many residuals without progress below the floor end a row.
    patience: u16,
}

impl Rules {
    /// The rules for rows of `length` numbers of type `F`.
    pub(super) fn new<F: Float>(stop: &Stop, length: usize, patience: u16) -> Self {
        Self {
            tolerance: stop.tolerance,
            max_iterations: u32::try_from(stop.max_iterations).unwrap_or(u32::MAX),
            floor: 50.0 * F::EPSILON.to_f64() * (length as f64).sqrt(),
            patience,
        }
    }
}

/// What is done with a row of a fixed-point iteration after its residual was found too large.
pub(super) trait Update<F: Float>: Sync {
    /// What is remembered of a row.
    type Memory: Default + Send;

    /// See [`Method::vectors`].
    fn vectors(&self) -> usize;

    /// See [`Method::numbers`].
    fn numbers(&self) -> usize;

    /// Writes the state after `state`, whose image and distance `‖image − state‖` from that are given.
    fn update(
        &self,
        row: &mut Row<'_, F, Self::Memory>,
        state: &[F],
        image: &[F],
        distance: f64,
        next: &mut [F],
    );
}

/// A fixed-point iteration as a [`Method`]: the vectors that are asked for are the states.
pub(super) struct FixedPoint<U> {
    pub(super) update: U,
    pub(super) rules: Rules,
}

/// How many residuals without progress below the floor end a row of a fixed-point iteration.
const PATIENCE: u16 = 8;

impl<U> FixedPoint<U> {
    /// The iteration for rows as those of `start`.
    pub(super) fn new<F: Float>(update: U, start: &Tensor<F>, stop: &Stop) -> Self {
        let rules = Rules::new::<F>(stop, row_length(start), PATIENCE);
        Self { update, rules }
    }
}

impl<F: Float, U: Update<F>> Method<F> for FixedPoint<U> {
    type Memory = U::Memory;

    fn vectors(&self) -> usize {
        self.update.vectors()
    }

    fn numbers(&self) -> usize {
        self.update.numbers()
    }

    fn advance(&self, row: &mut Row<'_, F, U::Memory>, asked: &[F], image: &[F], next: &mut [F]) {
        let [distance, size] = fb_tensor::vectors::distance(asked, image).map(f64::sqrt);
        let residual = distance / (size + TINY);
        row.trace(residual);
        // The first evaluation is that of the start, before any iteration.
        let exhausted = row.sample.evaluations > self.rules.max_iterations;
        if !row.judge(&self.rules, asked, residual, exhausted) {
            self.update.update(row, asked, image, distance, next);
        }
    }
}

/// The number of elements of a row.
pub(super) fn row_length<F: Float>(batch: &Tensor<F>) -> usize {
    batch.dims().iter().skip(1).product()
}

/// A tensor to be written before it is read.
fn scratch<F: Float>(shape: [usize; 2]) -> Result<Tensor<F>> {
    let shape = Shape::try_new(&shape)?;
    Ok(Tensor::filled_by(shape, |_| ()))
}

/// Takes the next `count` elements.
fn take<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    let (part, after) = std::mem::take(rest).split_at_mut(count);
    *rest = after;
    part
}

/// Works on every row until it is finished.
pub(super) fn drive<F: Float, M: Method<F>>(
    solver: &'static str,
    method: &M,
    map: &mut Map<'_, F>,
    input: &Tensor<F>,
    stop: &Stop,
) -> Result<Solution<F>> {
    let shape = *input.shape();
    let Some(&batch) = shape.first() else {
        return Err(Error::Data {
            place: format!("what {solver} starts from"),
            expected: "shape [batch, …]".to_owned(),
            found: format!("shape {shape}"),
            help: "a single sample is a batch of one: reshape it to [1, n]".to_owned(),
        });
    };
    let length = row_length(input);
    let mut samples = vec![SampleReport::new(); batch];
    let width = length.saturating_mul(1 + method.vectors());
    let mut store = scratch::<F>([batch, width])?;
    let mut numbers = scratch::<f64>([batch, method.numbers()])?;
    let (mut stores, mut counts) = (store.make_mut(), numbers.make_mut());
    let mut rows: Vec<Row<'_, F, M::Memory>> = samples
        .iter_mut()
        .map(|sample| Row {
            store: take(&mut stores, width),
            numbers: take(&mut counts, method.numbers()),
            sample,
            mark: f64::INFINITY,
            memory: M::Memory::default(),
            idle: 0,
            finished: false,
            traced: stop.trace,
        })
        .collect();
    let mut active: Vec<usize> = (0..batch).collect();
    // About a pass over the vectors that are kept.
    let cost = (length * (2 + method.vectors()) * size_of::<F>()) / 64;
    let input = input.contiguous();
    let given = input.as_slice().expect("made contiguous");
    let mut asked = Tensor::filled_by(shape, |first| {
        threads::for_each_item_with(&mut rows, first, length, cost, |i, row, first| {
            let input = &given[i * length..(i + 1) * length];
            method.begin(row, input, first);
            if row.finished {
                first.copy_from_slice(input);
            }
        });
    });
    let mut calls = 0;
    while leave(&mut rows, &mut active, &mut asked, stop.freeze) {
        let image = map(&asked, &active)?;
        calls += 1;
        if image.shape() != asked.shape() {
            return Err(Error::Data {
                place: format!("the map that {solver} iterates"),
                expected: format!("shape {}, as it was given", asked.shape()),
                found: format!("shape {}", image.shape()),
                help: "the image of a state is a state".to_owned(),
            });
        }
        let image = image.contiguous();
        let states = asked.as_slice().expect("made by a pass");
        let images = image.as_slice().expect("made contiguous");
        asked = Tensor::filled_by(*asked.shape(), |next| {
            threads::for_each_item_with(&mut rows, next, length, cost, |i, row, next| {
                let range = i * length..(i + 1) * length;
                let state = &states[range.clone()];
                if !row.finished {
                    row.sample.evaluations += 1;
                    method.advance(row, state, &images[range], next);
                }
                if row.finished {
                    next.copy_from_slice(state);
                }
            });
        });
    }
    drop(rows);
    let store = store.as_slice().expect("one block");
    let state = Tensor::filled_by(shape, |state| {
        for i in 0..batch {
            state[i * length..(i + 1) * length].copy_from_slice(&store[i * width..][..length]);
        }
    });
    let report = SolverReport {
        solver,
        tolerance: stop.tolerance,
        calls,
        samples,
    };
    Ok(Solution { state, report })
}

/// Lets finished rows leave the batch, if they may. Says whether there is any work left.
fn leave<F: Float, M>(
    rows: &mut Vec<Row<'_, F, M>>,
    active: &mut Vec<usize>,
    asked: &mut Tensor<F>,
    freeze: Freeze,
) -> bool {
    let finished = rows.iter().filter(|row| row.finished).count();
    if finished == rows.len() {
        return false;
    }
    if finished > 0 && freeze == Freeze::PerSample {
        let mut kept: Vec<usize> = (0..rows.len()).collect();
        kept.retain(|&i| !rows[i].finished);
        *asked = asked.select_rows(&kept);
        for (to, &from) in kept.iter().enumerate() {
            active[to] = active[from];
        }
        active.truncate(kept.len());
        rows.retain(|row| !row.finished);
    }
    true
}
