//! A loop of a network as gradient strategies see it.

use super::Wiring;
use super::plan::LoopPlan;
use super::tick::Values;
use crate::error::Result;
use crate::feedback::State;
use crate::feedback::gradient::{GradientStrategy, Loop, Wanted};
use crate::feedback::schedule::{Count, Rule};
use crate::feedback::topology::Clock;
use crate::module::{Context, Value};
use fb_autograd::Var;
use fb_tensor::Float;
use std::sync::Arc;

/// How the loop inside each step of a sequence runs.
#[derive(Clone, Debug)]
pub(super) struct Inner<F: Float> {
    pub(super) wiring: Arc<Wiring<F>>,
    pub(super) rule: Rule,
    pub(super) strategy: Arc<dyn GradientStrategy<F>>,
}

impl<F: Float> Inner<F> {
    /// Runs the loop at one step; gives what is read outside of it.
    pub(super) fn run(
        &self,
        cx: &mut Context<'_, F>,
        body: &Arc<LoopPlan>,
        values: &mut Values<F>,
        state: &mut State<F>,
    ) -> Result<Vec<Value<F>>> {
        let mut runner = Runner::new(self.wiring.clone(), body.clone(), None, values);
        let step = cx.iteration();
        let own = std::mem::replace(state, State::new(state.layout().clone()));
        let own = runner.begin(cx, own)?;
        let mut done = match &self.rule {
            Rule::Iterate(count) => {
                let ticks = ticks(cx, *count);
                self.strategy
                    .unroll(&mut runner, cx, own, ticks, Wanted::Last)?
            }
            other => unreachable!("{} inside a sequence is refused before", other.kind()),
        };
        cx.enter_iteration(step);
        *state = done.state;
        Ok(done.reads.pop().map(|read| read.values).unwrap_or_default())
    }
}

/// The number of iterations of a run: drawn in training.
pub(super) fn ticks<F: Float>(cx: &Context<'_, F>, count: Count) -> usize {
    if count.is_fixed() || !cx.draws() {
        return count.typical();
    }
    let key = cx.root_key().fold("iterations");
    count.draw(&mut key.at(cx.step(), 0))
}

/// A loop that runs.
pub(super) struct Runner<F: Float> {
    wiring: Arc<Wiring<F>>,
    plan: Arc<LoopPlan>,
    inner: Option<Inner<F>>,
    /// What enters from outside: the slots of the plan's entry, then the sums that were computed ahead. Under the clock of
    /// steps each has an axis of steps behind the batch.
    entry: Vec<Value<F>>,
    /// The same cut off the tape, made when the first tick that is not recorded runs.
    constants: Option<Vec<Value<F>>>,
    /// Whether the slots hold what enters now (`Some`), and whether it is cut off the tape.
    entered: Option<bool>,
    values: Values<F>,
    observer: Option<Observer<F>>,
}

/// What is told of each tick: its number and the state before and after.
pub(super) type Observer<F> = Arc<dyn Fn(usize, &State<F>, &State<F>, &[Value<F>]) + Send + Sync>;

impl<F: Float> Runner<F> {
    /// A loop that enters with what `values` hold.
    pub(super) fn new(
        wiring: Arc<Wiring<F>>,
        plan: Arc<LoopPlan>,
        inner: Option<Inner<F>>,
        values: &Values<F>,
    ) -> Self {
        let slots = plan.entry.iter().map(|&slot| values.get(slot).clone());
        let sums = plan.hoisted.iter().map(|&node| {
            let sum = values.sums[node].as_ref();
            Value::Float(sum.expect("hoisted before the loop").clone())
        });
        let entry = slots.chain(sums).collect();
        let values = Values::new(&wiring);
        Self {
            wiring,
            plan,
            inner,
            entry,
            constants: None,
            entered: None,
            values,
            observer: None,
        }
    }

    /// Tells `observer` of each tick.
    pub(super) fn observed(mut self, observer: Option<Observer<F>>) -> Self {
        self.observer = observer;
        self
    }

    /// The state that the loop starts from: what it is given, and what a first sweep gives besides.
    pub(super) fn begin(&mut self, cx: &mut Context<'_, F>, state: State<F>) -> Result<State<F>> {
        let mut state = state;
        self.enter(cx, 1);
        let wiring = self.wiring.clone();
        wiring.first_sweep(
            cx,
            &self.plan,
            &mut self.values,
            &mut state,
            self.inner.as_ref(),
        )?;
        Ok(state)
    }

    /// The same loop for some of the samples.
    pub(super) fn select_rows(&self, rows: &[usize]) -> Self {
        let entry = self
            .entry
            .iter()
            .map(|value| value.select_rows(rows))
            .collect();
        self.with_values(entry)
    }

    fn with_values(&self, entry: Vec<Value<F>>) -> Self {
        Self {
            wiring: self.wiring.clone(),
            plan: self.plan.clone(),
            inner: self.inner.clone(),
            entry,
            constants: None,
            entered: None,
            values: Values::new(&self.wiring),
            observer: None,
        }
    }

    /// How many samples run.
    pub(super) fn rows(&self) -> usize {
        self.entry.first().map_or(0, |value| value.shape()[0])
    }

    /// Puts what enters the loop in its slots: over iterations it is the same at each tick.
    fn enter(&mut self, cx: &Context<'_, F>, tick: usize) {
        let before = self.entered.replace(cx.is_detached());
        let entry = if cx.is_detached() {
            let cut = || self.entry.iter().map(Value::detach).collect();
            &*self.constants.get_or_insert_with(cut)
        } else {
            &self.entry
        };
        let at = |value: &Value<F>| match self.plan.clock {
            Clock::Step => value.index_axis(1, tick - 1),
            Clock::Iteration => value.clone(),
        };
        if self.plan.clock == Clock::Iteration && before == self.entered {
            for &position in &self.plan.rejoined {
                self.values.slots[self.plan.entry[position]] = Some(entry[position].clone());
            }
            return;
        }
        let (slots, sums) = entry.split_at(self.plan.entry.len());
        for (&slot, value) in self.plan.entry.iter().zip(slots) {
            self.values.slots[slot] = Some(at(value));
        }
        for (&node, value) in self.plan.hoisted.iter().zip(sums) {
            self.values.sums[node] = at(value).as_float().cloned();
        }
    }
}

impl<F: Float> Loop<F> for Runner<F> {
    fn tick(
        &mut self,
        cx: &mut Context<'_, F>,
        state: &mut State<F>,
        tick: usize,
        read: bool,
    ) -> Result<Vec<Value<F>>> {
        if cx.is_detached() {
            state.detach();
        }
        self.enter(cx, tick);
        let before = self.observer.as_ref().map(|_| state.clone());
        let (wiring, plan) = (&*self.wiring, &*self.plan);
        let count = state.ticks() + 1;
        wiring.tick(
            cx,
            plan,
            &mut self.values,
            state,
            self.inner.as_ref(),
            count,
        )?;
        state.advance();
        let values = if read || self.observer.is_some() {
            let slots = plan.reads.iter();
            slots.map(|&slot| self.values.get(slot).clone()).collect()
        } else {
            Vec::new()
        };
        if let (Some(observer), Some(before)) = (&self.observer, &before) {
            observer(tick, before, state, &values);
        }
        Ok(values)
    }

    fn entry(&self) -> Vec<Var<F>> {
        self.entry
            .iter()
            .filter_map(|value| value.as_float().cloned())
            .collect()
    }

    fn with_entry(&self, entry: Vec<Var<F>>) -> Box<dyn Loop<F>> {
        let mut new = entry.into_iter();
        let mut swap = |value: &Value<F>| match value {
            Value::Float(_) => Value::Float(new.next().expect("as many numbers as entry() gives")),
            other => other.clone(),
        };
        let entry = self.entry.iter().map(&mut swap).collect();
        Box::new(self.with_values(entry))
    }

    fn read_state(&self, state: &State<F>) -> Option<Vec<Value<F>>> {
        let newest = |slot: &usize| {
            let carries = |e: &&usize| {
                let edge = &self.wiring.edges[**e];
                edge.from == *slot && edge.is_plain()
            };
            let edge = self.plan.edges.iter().find(carries)?;
            let register = self.wiring.edges[*edge].register?;
            Some(Value::Float(state.get(register, 1)?.clone()))
        };
        self.plan.reads.iter().map(newest).collect()
    }

    fn fill(&self, cx: &mut Context<'_, F>, state: &mut State<F>) {
        self.wiring.fill(cx, state, self.rows());
    }
}
