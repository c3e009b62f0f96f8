//! A loop of a network as gradient strategies see it.

use super::Wiring;
use super::plan::LoopPlan;
use super::tick::Values;
use crate::error::Result;
use crate::feedback::State;
use crate::feedback::gradient::{GradientStrategy, Loop, Wanted};
use crate::feedback::schedule::{Count, Rule};
use crate::feedback::solver::SolverReport;
use crate::feedback::topology::Clock;
use crate::module::{Context, Value};
use fb_autograd::Var;
use fb_tensor::Float;
use std::sync::{Arc, Mutex, PoisonError};

/// How the loop inside each step of a sequence runs.
#[derive(Clone, Debug)]
pub(super) struct Inner<F: Float> {
    pub(super) wiring: Arc<Wiring<F>>,
    pub(super) rule: Rule,
    pub(super) strategy: Arc<dyn GradientStrategy<F>>,
    /// What solvers say at each step.
    pub(super) reports: Arc<Mutex<Vec<SolverReport>>>,
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
            Rule::Converge(converge) => {
                let (done, report) =
                    super::equilibrium::run(&mut runner, cx, own, converge, &*self.strategy)?;
                self.reports
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(report);
                done
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
}

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
        }
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

    /// The same loop for some of the samples, cut off the tape where nothing is recorded.
    pub(super) fn select_rows(&mut self, cx: &Context<'_, F>, rows: &[usize]) -> Self {
        let entry = self
            .current(cx)
            .iter()
            .map(|value| value.select_rows(rows))
            .collect();
        self.with_values(entry)
    }

    /// The edges that tick here, for messages.
    pub(super) fn edges(&self) -> String {
        let edges = self.plan.all_edges().into_iter();
        let names: Vec<_> = edges.map(|e| self.wiring.edges[e].place.clone()).collect();
        names.join(", ")
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
        }
    }

    /// How many samples run.
    pub(super) fn rows(&self) -> usize {
        self.entry.first().map_or(0, |value| value.shape()[0])
    }

    /// Puts what enters the loop in its slots: over iterations it is the same at each tick.
    fn enter(&mut self, cx: &Context<'_, F>, tick: usize) {
        let before = self.entered.replace(cx.is_detached());
        let same = self.plan.clock == Clock::Iteration && before == self.entered;
        let plan = self.plan.clone();
        let mut values = std::mem::take(&mut self.values);
        let entry = self.current(cx);
        let at = |value: &Value<F>| match plan.clock {
            Clock::Step => value.index_axis(1, tick - 1),
            Clock::Iteration => value.clone(),
        };
        if same {
            for &position in &plan.rejoined {
                values.slots[plan.entry[position]] = Some(entry[position].clone());
            }
            self.values = values;
            return;
        }
        let (slots, sums) = entry.split_at(plan.entry.len());
        for (&slot, value) in plan.entry.iter().zip(slots) {
            values.slots[slot] = Some(at(value));
        }
        for (&node, value) in plan.hoisted.iter().zip(sums) {
            values.sums[node] = at(value).as_float().cloned();
        }
        self.values = values;
    }

    /// What enters the loop, cut off the tape where nothing is recorded.
    fn current(&mut self, cx: &Context<'_, F>) -> &[Value<F>] {
        if cx.is_detached() {
            let cut = || self.entry.iter().map(Value::detach).collect();
            self.constants.get_or_insert_with(cut)
        } else {
            &self.entry
        }
    }
}

impl<F: Float> Drop for Runner<F> {
    fn drop(&mut self) {
        self.wiring.shelf.keep(std::mem::take(&mut self.values));
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
        if !read {
            return Ok(Vec::new());
        }
        let slots = plan.reads.iter();
        Ok(slots.map(|&slot| self.values.get(slot).clone()).collect())
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
