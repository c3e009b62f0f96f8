//! What runs in one tick of a loop.

use super::edge::BuiltEdge;
use super::plan::{Item, LoopPlan};
use super::runner::Inner;
use super::{BuiltNode, Wiring};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::feedback::topology::{Clock, Initial};
use crate::module::{Context, SplitModule, Value, one_output};
use fb_autograd::Var;
use fb_tensor::Float;
use std::sync::{Mutex, PoisonError};

/// The values of a pass under way.
#[derive(Debug, Default)]
pub(super) struct Values<F: Float> {
    /// By slot: inputs first, then layers.
    pub(super) slots: Vec<Option<Value<F>>>,
    /// By layer: the sum without what edges add, where it was computed ahead for all ticks.
    pub(super) sums: Vec<Option<Var<F>>>,
}

/// Lists of passes that are over, empty, for the next: so that a pass like the one before allocates none.
#[derive(Debug, Default)]
pub(super) struct Shelf<F: Float> {
    lists: Mutex<Vec<Values<F>>>,
}

/// The most lists that are kept: a pass has one for the network and one for each loop that runs.
const KEPT: usize = 4;

impl<F: Float> Shelf<F> {
    fn take(&self) -> Option<Values<F>> {
        self.lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Keeps the memory of lists for the next pass.
    pub(super) fn keep(&self, mut values: Values<F>) {
        if values.slots.is_empty() {
            return;
        }
        values.slots.fill(None);
        values.sums.fill(None);
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.len() < KEPT {
            lists.push(values);
        }
    }
}

impl<F: Float> Values<F> {
    pub(super) fn new(wiring: &Wiring<F>) -> Self {
        if let Some(values) = wiring.shelf.take() {
            return values;
        }
        let (inputs, nodes) = (wiring.topology.inputs.len(), wiring.nodes.len());
        Self {
            slots: vec![None; inputs + nodes],
            sums: vec![None; nodes],
        }
    }

    /// The values of some of the samples.
    pub(super) fn select_rows(&self, rows: &[usize], batch: usize) -> Self {
        let all = rows.len() == batch;
        let part = |value: &Option<Value<F>>| {
            value.as_ref().map(|value| {
                if all {
                    value.clone()
                } else {
                    value.select_rows(rows)
                }
            })
        };
        Self {
            slots: self.slots.iter().map(part).collect(),
            sums: vec![None; self.sums.len()],
        }
    }

    /// The value of a slot that the plan says is there.
    #[inline]
    pub(super) fn get(&self, slot: usize) -> &Value<F> {
        self.slots[slot].as_ref().expect("the plan orders values")
    }
}

impl<F: Float> Wiring<F> {
    /// One tick of a loop: its items in order, then its edges take the new values.
    pub(super) fn tick(
        &self,
        cx: &mut Context<'_, F>,
        plan: &LoopPlan,
        values: &mut Values<F>,
        state: &mut State<F>,
        inner: Option<&Inner<F>>,
        tick: usize,
    ) -> Result<()> {
        for item in &plan.items {
            match item {
                Item::Join(slot) => {
                    let joined = self.join_input(cx, *slot, values, state, tick)?;
                    values.slots[*slot] = Some(joined);
                }
                Item::Node(node) => {
                    let value = self.node(cx, *node, values, state, tick)?;
                    values.slots[self.topology.inputs.len() + node] = Some(value);
                }
                Item::Cycles(scope, cycles) => {
                    let hoisted = self.hoist(cx, scope, values)?;
                    for cycle in 1..=*cycles {
                        let count = (tick - 1) * cycles + cycle;
                        self.tick(cx, scope, values, state, inner, count)?;
                    }
                    hoisted
                        .into_iter()
                        .for_each(|node| values.sums[node] = None);
                }
                Item::Iterate(body) => {
                    let inner = inner.expect("a loop inside a sequence has a rule");
                    self.iterate(cx, body, inner, values, state)?;
                }
            }
        }
        for &e in &plan.edges {
            let edge = &self.edges[e];
            if let Some(Value::Float(value)) = &values.slots[edge.from] {
                edge.store(cx, state, value)?;
            }
        }
        Ok(())
    }

    /// Computes the sums that are the same at each tick, where they are not there yet; returns which were made.
    pub(super) fn hoist(
        &self,
        cx: &mut Context<'_, F>,
        plan: &LoopPlan,
        values: &mut Values<F>,
    ) -> Result<Vec<usize>> {
        let mut made = Vec::new();
        for &node in &plan.hoisted {
            let built = &self.nodes[node];
            if values.sums[node].is_none()
                && let Some(Value::Float(x)) = &values.slots[built.inputs[0].0]
                && let Some(module) = split(built)
            {
                cx.enter_layer(&built.path);
                values.sums[node] = Some(module.project(cx, x)?);
                made.push(node);
            }
        }
        Ok(made)
    }

    /// The value of a layer.
    pub(super) fn node(
        &self,
        cx: &mut Context<'_, F>,
        node: usize,
        values: &Values<F>,
        state: &State<F>,
        tick: usize,
    ) -> Result<Value<F>> {
        let built = &self.nodes[node];
        let joining = &self.plan.joining[self.topology.inputs.len() + node];
        if joining.is_empty() {
            return match built.inputs.as_slice() {
                [(slot, _)] => self.forward(cx, node, values.get(*slot)),
                _ => {
                    let inputs: Vec<_> = self.inputs(built, values);
                    self.forward_all(cx, node, &inputs)
                }
            };
        }
        if joining.concat.is_empty()
            && let Some(module) = split(built)
            && let Value::Float(x) = values.get(built.inputs[0].0)
        {
            let sum = match &values.sums[node] {
                Some(sum) => sum.clone(),
                None => {
                    cx.enter_layer(&built.path);
                    module.project(cx, x)?
                }
            };
            let joined = self.join_all(cx, &joining.sum, sum, values, state, tick)?;
            return self.finish(cx, built, module, joined);
        }
        let mut inputs = self.inputs(built, values);
        if let Value::Float(x) = &inputs[0] {
            let mut x = self.join_all(cx, &joining.concat, x.clone(), values, state, tick)?;
            match split(built) {
                Some(module) if !joining.sum.is_empty() => {
                    cx.enter_layer(&built.path);
                    let sum = module.project(cx, &x)?;
                    let joined = self.join_all(cx, &joining.sum, sum, values, state, tick)?;
                    return self.finish(cx, built, module, joined);
                }
                _ => x = self.join_all(cx, &joining.sum, x, values, state, tick)?,
            }
            inputs[0] = Value::Float(x);
        }
        self.forward_all(cx, node, &inputs)
    }

    fn inputs(&self, built: &BuiltNode<F>, values: &Values<F>) -> Vec<Value<F>> {
        let slots = built.inputs.iter().map(|&(slot, _)| slot);
        slots.map(|slot| values.get(slot).clone()).collect()
    }

    fn finish(
        &self,
        cx: &mut Context<'_, F>,
        built: &BuiltNode<F>,
        module: &dyn SplitModule<F>,
        joined: Var<F>,
    ) -> Result<Value<F>> {
        cx.enter_layer(&built.path);
        let output = Value::Float(module.finish(cx, joined)?);
        check_finite(cx, &output, || cx.place_without_iteration())?;
        Ok(output)
    }

    /// A layer's value for one input.
    #[inline]
    pub(super) fn forward(
        &self,
        cx: &mut Context<'_, F>,
        node: usize,
        input: &Value<F>,
    ) -> Result<Value<F>> {
        let built = &self.nodes[node];
        cx.enter_layer(&built.path);
        let output = one_output(cx, &*built.module, input)?;
        check_finite(cx, &output, || cx.place_without_iteration())?;
        Ok(output)
    }

    fn forward_all(
        &self,
        cx: &mut Context<'_, F>,
        node: usize,
        inputs: &[Value<F>],
    ) -> Result<Value<F>> {
        if let [input] = inputs {
            return self.forward(cx, node, input);
        }
        let built = &self.nodes[node];
        cx.enter_layer(&built.path);
        let mut outputs = built.module.forward(cx, inputs)?;
        let output = outputs.pop().ok_or_else(|| no_output(cx))?;
        check_finite(cx, &output, || cx.place_without_iteration())?;
        Ok(output)
    }

    fn join_input(
        &self,
        cx: &mut Context<'_, F>,
        slot: usize,
        values: &Values<F>,
        state: &State<F>,
        tick: usize,
    ) -> Result<Value<F>> {
        let joining = &self.plan.joining[slot];
        let Value::Float(x) = values.get(slot) else {
            return Ok(values.get(slot).clone());
        };
        // What is added joins what comes from outside, in its shape; what widens it comes last.
        let x = self.join_all(cx, &joining.sum, x.clone(), values, state, tick)?;
        let x = self.join_all(cx, &joining.concat, x, values, state, tick)?;
        Ok(Value::Float(x))
    }

    /// Joins a value with what the given edges carry now.
    fn join_all(
        &self,
        cx: &mut Context<'_, F>,
        edges: &[usize],
        value: Var<F>,
        values: &Values<F>,
        state: &State<F>,
        tick: usize,
    ) -> Result<Var<F>> {
        let mut u = value;
        for &e in edges {
            let edge = &self.edges[e];
            let Some(r) = carried(cx, edge, values, state, u.shape()[0]) else {
                continue;
            };
            let r = edge.deliver(cx, r, tick);
            u = edge.join(cx, &u, &r);
            check_finite_var(cx, &u, || edge.place.clone())?;
        }
        Ok(u)
    }

    /// The loop over iterations at one step of a sequence.
    fn iterate(
        &self,
        cx: &mut Context<'_, F>,
        body: &std::sync::Arc<LoopPlan>,
        inner: &Inner<F>,
        values: &mut Values<F>,
        state: &mut State<F>,
    ) -> Result<()> {
        for e in body.all_edges() {
            if !self.topology.edges[e].carry {
                state.clear(
                    self.edges[e]
                        .register
                        .expect("edges of loops have registers"),
                );
            }
        }
        self.hoist(cx, body, values)?;
        let reads = inner.run(cx, body, values, state)?;
        for &node in &body.hoisted {
            values.sums[node] = None;
        }
        for (&slot, value) in body.reads.iter().zip(reads) {
            values.slots[slot] = Some(value);
        }
        Ok(())
    }

    /// Gives the edges that start from a first sweep what their sources give in one, where they carry nothing yet.
    pub(super) fn first_sweep(
        &self,
        cx: &mut Context<'_, F>,
        plan: &LoopPlan,
        values: &mut Values<F>,
        state: &mut State<F>,
        inner: Option<&Inner<F>>,
    ) -> Result<()> {
        let waits = |e: &usize| {
            let edge = &self.edges[*e];
            edge.initial == Initial::FirstSweep
                && edge.register.is_some_and(|r| state.register(r).is_empty())
        };
        let waiting: Vec<usize> = plan.all_edges().into_iter().filter(waits).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut swept = state.clone();
        self.tick(cx, plan, values, &mut swept, inner, 1)?;
        for e in waiting {
            let edge = &self.edges[e];
            let register = edge.register.expect("edges of loops have registers");
            if let Some(Value::Float(value)) = &values.slots[edge.from] {
                for _ in 0..edge.delay {
                    state.push(register, value.clone());
                }
            }
        }
        Ok(())
    }

    /// The clock of the outermost loop.
    pub(super) fn steps(&self) -> bool {
        self.plan
            .body
            .as_ref()
            .is_some_and(|body| body.clock == Clock::Step)
    }
}

/// What an edge carries now; `None` for zeros that change nothing.
fn carried<F: Float>(
    cx: &mut Context<'_, F>,
    edge: &BuiltEdge,
    values: &Values<F>,
    state: &State<F>,
    batch: usize,
) -> Option<Var<F>> {
    match edge.register {
        None => values.get(edge.from).as_float().cloned(),
        Some(register) => match state.get(register, edge.delay) {
            Some(value) => Some(value.clone()),
            None => edge.initial_value(cx, batch),
        },
    }
}

pub(super) fn split<F: Float>(node: &BuiltNode<F>) -> Option<&dyn SplitModule<F>> {
    node.module.as_simple()?.split()
}

#[cold]
fn no_output<F: Float>(cx: &Context<'_, F>) -> Error {
    Error::Data {
        place: cx.place(),
        expected: "one output".to_owned(),
        found: "none".to_owned(),
        help: "Module::forward returns one value per output of the layer".to_owned(),
    }
}

#[inline]
pub(super) fn check_finite<F: Float>(
    cx: &Context<'_, F>,
    value: &Value<F>,
    place: impl FnOnce() -> String,
) -> Result<()> {
    match value {
        Value::Float(v) => check_finite_var(cx, v, place),
        _ => Ok(()),
    }
}

/// In a checked pass, refuses NaN and infinity.
#[inline]
fn check_finite_var<F: Float>(
    cx: &Context<'_, F>,
    v: &Var<F>,
    place: impl FnOnce() -> String,
) -> Result<()> {
    if !cx.is_checked() || v.tensor().is_all_finite() {
        return Ok(());
    }
    Err(non_finite(cx, v, place()))
}

#[cold]
fn non_finite<F: Float>(cx: &Context<'_, F>, v: &Var<F>, place: String) -> Error {
    let batch = v.shape().first().copied().unwrap_or(1).max(1);
    let per_row = (v.tensor().len() / batch).max(1);
    let position = v.tensor().iter().position(|x| !x.is_finite()).unwrap_or(0);
    let (kind, help) = if v.tensor().iter().any(|x| x.is_nan()) {
        ("NaN", "look for it in the data, or lower the learning rate")
    } else {
        (
            "an infinity",
            "lower the learning rate, clip gradients with .clip(Clip::Norm(1.0)), or bound the loop with Tanh",
        )
    };
    Error::NonFinite {
        place,
        iteration: cx.iteration(),
        found: format!("{kind} in row {} of the batch", position / per_row),
        help: help.to_owned(),
    }
}
