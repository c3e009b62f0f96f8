//! The whole loop with less memory.

use super::{GradientStrategy, Loop, Read, Unrolled, Wanted};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::module::{Context, Replay, Value};
use fb_autograd::{Tape, Var};
use fb_tensor::{Float, Tensor};
use std::sync::Mutex;

/// Backpropagation through the whole loop that keeps few states and computes what lies between them once more.
///
/// The gradient is that of [`Bptt`](super::Bptt): states and gradients by data bit for bit, gradients by weights to
/// rounding. Random numbers of the pass are drawn again as they were.
///
/// | | states kept | ticks on the tape at once | ticks computed |
/// |---|---|---|---|
/// | [`Bptt`](super::Bptt) | none | `T` | `T` |
/// | [`Checkpointed::sqrt`] | `√T` | `√T` | `2 T` |
/// | [`Checkpointed::every`] | `T / n` | `n` | `2 T` |
/// | [`Checkpointed::revolve`] | `slots` | 1 | as few as can be with so many slots |
///
/// # References
/// A. Griewank, A. Walther, "Algorithm 799: revolve", ACM TOMS 26(1), 2000; T. Chen et al., "Training deep nets with sublinear
/// memory cost", 2016.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    checkpoints: Checkpoints,
}

/// Which states are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checkpoints {
    /// One in `√T`.
    Sqrt,
    /// One in so many.
    Every(usize),
    /// So many at a time, at the ticks that make the fewest computations.
    Revolve {
        /// So many.
        slots: usize,
    },
}

impl Checkpointed {
    /// One state in `√T` is kept.
    pub fn sqrt() -> Self {
        Self {
            checkpoints: Checkpoints::Sqrt,
        }
    }

    /// One state in `ticks` is kept.
    pub fn every(ticks: usize) -> Self {
        Self {
            checkpoints: Checkpoints::Every(ticks),
        }
    }

    /// At most `slots` states are kept at a time, where they save the most.
    pub fn revolve(slots: usize) -> Self {
        Self {
            checkpoints: Checkpoints::Revolve { slots },
        }
    }

    /// Which states are kept.
    pub fn checkpoints(&self) -> Checkpoints {
        self.checkpoints
    }

    /// The ticks after which a state is kept on the way forward; 0 is the start.
    fn stations(&self, ticks: usize) -> Vec<usize> {
        let every = |n: usize| (0..ticks).step_by(n).collect();
        match self.checkpoints {
            Checkpoints::Sqrt => every((ticks as f64).sqrt().ceil().max(1.0) as usize),
            Checkpoints::Every(n) => every(n),
            Checkpoints::Revolve { .. } => vec![0],
        }
    }
}

impl<F: Float> GradientStrategy<F> for Checkpointed {
    fn kind(&self) -> &'static str {
        "Checkpointed"
    }

    fn validate(&self) -> Result<()> {
        match self.checkpoints {
            Checkpoints::Every(0) | Checkpoints::Revolve { slots: 0 } => Err(Error::Config {
                what: "Checkpointed".to_owned(),
                expected: "at least 1".to_owned(),
                found: "0".to_owned(),
                help: "Checkpointed::sqrt() finds a number by itself".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn by_tick(&self) -> bool {
        false
    }

    fn unroll(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
        ticks: usize,
        wanted: Wanted,
    ) -> Result<Unrolled<F>> {
        let mut state = state;
        // Initial values can be learned: with all registers filled they are inputs as the others.
        body.fill(cx, &mut state);
        let start: Vec<Var<F>> = state.values().cloned().collect();
        let entry = body.entry();
        let stations = self.stations(ticks);
        let mut kept = Vec::with_capacity(stations.len());
        let mut stations = stations.into_iter().peekable();
        let mut reads = Vec::new();
        let mut run = state.detached();
        cx.without_gradients(|cx| -> Result<()> {
            for tick in 1..=ticks {
                if stations.next_if_eq(&(tick - 1)).is_some() {
                    kept.push((tick - 1, run.clone()));
                }
                cx.enter_iteration(Some(tick));
                let read = wanted.at(tick, ticks);
                let values = body.tick(cx, &mut run, tick, read)?;
                if read {
                    reads.push(Read {
                        values,
                        recorded: true,
                    });
                }
            }
            Ok(())
        })?;
        cx.enter_iteration(None);
        let replay = cx.replay();
        let params: Vec<Var<F>> = replay.used().map(|id| cx.param(id)).collect();
        let inputs: Vec<&Var<F>> = start.iter().chain(&entry).chain(&params).collect();
        if inputs.iter().all(|input| !input.requires_grad()) {
            return Ok(Unrolled::new(reads, run));
        }
        let mut outputs = Outputs::default();
        let reads_at: Vec<Vec<Option<usize>>> = reads
            .iter()
            .map(|read| {
                read.values
                    .iter()
                    .map(|v| outputs.push(v.as_float()))
                    .collect()
            })
            .collect();
        let state_at: Vec<Option<usize>> = run
            .values()
            .map(|value| outputs.push(Some(value)))
            .collect();
        let constants = entry.iter().map(Var::detach).collect();
        let again = Again {
            body: Mutex::new(body.with_entry(constants)),
            replay,
            start: start.len(),
            entry: entry.iter().map(|v| v.tensor().clone()).collect(),
            kept,
            ticks,
            wanted,
            slots: match self.checkpoints {
                Checkpoints::Revolve { slots } => Some(slots),
                _ => None,
            },
            reads_at: reads_at.clone(),
            state_at: state_at.clone(),
            outputs: outputs.parts.clone(),
        };
        let packed = outputs.packed();
        let packed = Var::custom("checkpointed loop", &inputs, packed, move |gradient| {
            again.backward(gradient)
        });
        for (read, at) in reads.iter_mut().zip(&reads_at) {
            for (value, at) in read.values.iter_mut().zip(at) {
                if let Some(at) = at {
                    *value = Value::Float(outputs.unpack(&packed, *at));
                }
            }
        }
        let state = run.with_values(
            state_at
                .iter()
                .map(|at| outputs.unpack(&packed, at.expect("states are numbers"))),
        );
        Ok(Unrolled::new(reads, state))
    }
}

/// Several tensors as one row of numbers, since an operation has one output.
#[derive(Default)]
struct Outputs<F: Float> {
    tensors: Vec<Tensor<F>>,
    parts: Vec<Part>,
    length: usize,
}

#[derive(Clone, Debug)]
struct Part {
    start: usize,
    shape: fb_tensor::Shape,
}

impl<F: Float> Outputs<F> {
    fn push(&mut self, value: Option<&Var<F>>) -> Option<usize> {
        let tensor = value?.tensor();
        self.parts.push(Part {
            start: self.length,
            shape: *tensor.shape(),
        });
        self.length += tensor.len();
        self.tensors.push(tensor.clone());
        Some(self.parts.len() - 1)
    }

    fn packed(&mut self) -> Tensor<F> {
        let flat: Vec<Tensor<F>> = self.tensors.iter().map(|t| t.reshape([t.len()])).collect();
        self.tensors.clear();
        Tensor::concat(&flat.iter().collect::<Vec<_>>(), 0)
    }

    fn unpack(&self, packed: &Var<F>, at: usize) -> Var<F> {
        let part = &self.parts[at];
        packed
            .narrow(0, part.start, part.shape.elements())
            .reshape(part.shape)
    }
}

/// The loop once more, on the way back.
struct Again<F: Float> {
    body: Mutex<Box<dyn Loop<F>>>,
    replay: Replay<F>,
    /// How many values the state has.
    start: usize,
    entry: Vec<Tensor<F>>,
    kept: Vec<(usize, State<F>)>,
    ticks: usize,
    wanted: Wanted,
    slots: Option<usize>,
    reads_at: Vec<Vec<Option<usize>>>,
    state_at: Vec<Option<usize>>,
    outputs: Vec<Part>,
}

/// What has been found so far on the way back.
struct Found<F: Float> {
    /// By the state before the ticks that have been gone through.
    state: Vec<Tensor<F>>,
    entry: Vec<Option<Tensor<F>>>,
    params: Vec<Option<Tensor<F>>>,
}

impl<F: Float> Again<F> {
    fn backward(&self, gradient: &Tensor<F>) -> Vec<Option<Tensor<F>>> {
        let part = |at: usize| {
            let part = &self.outputs[at];
            gradient
                .slice(0, part.start..part.start + part.shape.elements())
                .reshape(part.shape)
        };
        let mut found = Found {
            state: self
                .state_at
                .iter()
                .map(|at| part(at.expect("states are numbers")))
                .collect(),
            entry: vec![None; self.entry.len()],
            params: vec![None; self.replay.used().len()],
        };
        let mut end = self.ticks;
        for (station, state) in self.kept.iter().rev() {
            match self.slots {
                Some(slots) => self.revolve(*station, end, state, slots, &part, &mut found),
                None => self.segment(*station, end, state, &part, &mut found),
            }
            end = *station;
        }
        debug_assert_eq!(found.state.len(), self.start);
        let state = found.state.into_iter().map(Some);
        state.chain(found.entry).chain(found.params).collect()
    }

    /// Goes back through ticks `start + 1 ..= end` with a number of slots for states between, the first of which is taken.
    fn revolve(
        &self,
        start: usize,
        end: usize,
        state: &State<F>,
        slots: usize,
        part: &dyn Fn(usize) -> Tensor<F>,
        found: &mut Found<F>,
    ) {
        if end - start <= 1 {
            return self.segment(start, end, state, part, found);
        }
        if slots <= 1 {
            // Only the first state is there: each tick is reached from it.
            for tick in (start + 1..=end).rev() {
                let before = self.advance(start, tick - 1, state);
                self.segment(tick - 1, tick, &before, part, found);
            }
            return;
        }
        let middle = start + split(end - start, slots);
        let between = self.advance(start, middle, state);
        self.revolve(middle, end, &between, slots - 1, part, found);
        self.revolve(start, middle, state, slots, part, found);
    }

    /// The state after tick `end`, from that after tick `start`.
    fn advance(&self, start: usize, end: usize, state: &State<F>) -> State<F> {
        let (mut cx, _) = self.replay.context(&Tape::no_grad());
        let mut body = self.lock();
        let mut state = state.clone();
        for tick in start + 1..=end {
            cx.enter_iteration(Some(tick));
            body.tick(&mut cx, &mut state, tick, false)
                .expect("what ran on the way forward runs again");
        }
        state
    }

    /// Goes back through ticks `start + 1 ..= end`, recorded on a tape of their own.
    fn segment(
        &self,
        start: usize,
        end: usize,
        state: &State<F>,
        part: &dyn Fn(usize) -> Tensor<F>,
        found: &mut Found<F>,
    ) {
        let tape = Tape::new();
        let entry: Vec<Var<F>> = self.entry.iter().map(|t| tape.leaf(t.clone())).collect();
        let before: Vec<Var<F>> = state
            .values()
            .map(|value| tape.leaf(value.tensor().clone()))
            .collect();
        let (mut cx, params) = self.replay.context(&tape);
        let mut body = self.lock().with_entry(entry.clone());
        let mut run = state.with_values(before.iter().cloned());
        // What is read comes first, then what later ticks send back: the order of the whole loop.
        let mut seeds: Vec<(Var<F>, Tensor<F>)> = Vec::new();
        for tick in start + 1..=end {
            cx.enter_iteration(Some(tick));
            let read = self.wanted.at(tick, self.ticks);
            let values = body
                .tick(&mut cx, &mut run, tick, read)
                .expect("what ran on the way forward runs again");
            if read {
                let at = match self.wanted {
                    Wanted::Every => &self.reads_at[tick - 1],
                    Wanted::Last => &self.reads_at[0],
                };
                for (value, at) in values.iter().zip(at) {
                    if let (Some(value), Some(at)) = (value.as_float(), at) {
                        seeds.push((value.clone(), part(*at)));
                    }
                }
            }
        }
        let later = std::mem::take(&mut found.state);
        seeds.extend(run.values().cloned().zip(later));
        // Sums over ticks go on where the ticks after these left off.
        for (leaf, sum) in entry.iter().zip(&mut found.entry) {
            seeds.extend(sum.take().map(|sum| (leaf.clone(), sum)));
        }
        let seeds: Vec<(&Var<F>, Tensor<F>)> = seeds.iter().map(|(v, g)| (v, g.clone())).collect();
        let mut gradients = tape.gradients(&seeds);
        found.state = before
            .iter()
            .map(|leaf| {
                gradients
                    .take(leaf)
                    .unwrap_or_else(|| leaf.tensor().zeros_like())
            })
            .collect();
        for (leaf, sum) in entry.iter().zip(&mut found.entry) {
            *sum = gradients.take(leaf);
        }
        for (leaf, sum) in params.iter().zip(&mut found.params) {
            if let Some(gradient) = gradients.take(leaf) {
                match sum {
                    Some(sum) => sum.add_assign(&gradient),
                    empty => *empty = Some(gradient),
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Box<dyn Loop<F>>> {
        self.body
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// After how many of `ticks` the next state is kept, with `slots` of which one is taken: the binomial rule. With `c` more
/// slots and `r` runs over each tick, `C(c + r, c)` ticks can be gone through.
fn split(ticks: usize, slots: usize) -> usize {
    let reach = |slots: usize, runs: usize| -> usize {
        (1..=slots.min(runs)).fold(1_usize, |b, i| b.saturating_mul(slots.max(runs) + i) / i)
    };
    let slots = slots - 1;
    let mut runs = 1;
    while reach(slots, runs) < ticks {
        runs += 1;
    }
    // What is left after the split must be within reach of one slot fewer in as many runs.
    let rest = reach(slots.saturating_sub(1), runs).min(ticks - 1).max(1);
    (ticks - rest).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many ticks are computed before the last run over each, with the rule above.
    fn cost(ticks: usize, slots: usize) -> usize {
        if ticks <= 1 {
            return 0;
        }
        if slots <= 1 {
            return ticks * (ticks - 1) / 2;
        }
        let first = split(ticks, slots);
        first + cost(ticks - first, slots - 1) + cost(first, slots)
    }

    #[test]
    fn splits_are_inside_and_more_slots_cost_less() {
        for ticks in [2, 3, 7, 50, 300] {
            for slots in 2..12 {
                let first = split(ticks, slots);
                assert!((1..ticks).contains(&first), "{ticks} {slots}: {first}");
                assert!(cost(ticks, slots) <= cost(ticks, slots - 1));
            }
            assert!(cost(ticks, ticks + 1) < 2 * ticks);
        }
        // With 10 slots 300 ticks need no more than three runs over each: C(9 + 3, 3) = 220 < 300 ≤ C(9 + 4, 4) = 715.
        assert!(cost(300, 10) <= 4 * 300, "{}", cost(300, 10));
    }

    #[test]
    fn stations_are_where_they_should_be() {
        assert_eq!(Checkpointed::sqrt().stations(9), [0, 3, 6]);
        assert_eq!(Checkpointed::every(4).stations(9), [0, 4, 8]);
        assert_eq!(Checkpointed::revolve(3).stations(9), [0]);
        assert_eq!(Checkpointed::sqrt().stations(1), [0]);
    }
}
