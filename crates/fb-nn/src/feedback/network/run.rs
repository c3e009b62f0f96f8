//! Running a network: the loop.

use super::edge::BuiltEdge;
use super::{BuiltNode, Network};
use crate::error::{Error, Result};
use crate::feedback::gradient::{Bptt, GradientStrategy};
use crate::feedback::schedule::AnySchedule;
use crate::module::{Context, Spec, Value, ValueKind, one_output};
use fb_autograd::Var;
use fb_tensor::Float;
use std::collections::VecDeque;

/// The outputs that a run should give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// That of the last iteration.
    #[default]
    Last,
    /// That of every iteration.
    Every,
}

/// How to run a network where it should differ from its defaults.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions<'a> {
    /// A schedule instead of the topology's.
    pub schedule: Option<&'a dyn AnySchedule>,
    /// Through which iterations gradients flow.
    pub gradient: &'a dyn GradientStrategy,
    /// Which outputs to give.
    pub wanted: Wanted,
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        Self {
            schedule: None,
            gradient: &Bptt,
            wanted: Wanted::Last,
        }
    }
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Trajectory<F: Float> {
    outputs: Vec<Value<F>>,
    iterations: usize,
    gradient: &'static str,
}

impl<F: Float> Trajectory<F> {
    /// The outputs of the iterations that were wanted, in order; the last is the network's answer.
    pub fn outputs(&self) -> &[Value<F>] {
        &self.outputs
    }

    /// The output of the last iteration.
    pub fn last(&self) -> &Value<F> {
        self.outputs.last().expect("every run has an output")
    }

    /// The output of the last iteration, given away.
    pub fn into_last(mut self) -> Value<F> {
        self.outputs.pop().expect("every run has an output")
    }

    /// How many iterations ran.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// The kind of the gradient strategy that was really used.
    pub fn gradient_used(&self) -> &'static str {
        self.gradient
    }
}

impl<F: Float> Network<F> {
    /// Runs the network.
    ///
    /// # Errors
    /// The input is not what the network was built for, the schedule is not valid, or (in a
    /// [checked](Context::checked) pass) a NaN or infinity appears.
    pub fn run(
        &self,
        cx: &mut Context<'_, F>,
        input: impl Into<Value<F>>,
        options: &RunOptions<'_>,
    ) -> Result<Trajectory<F>> {
        let input = input.into();
        check_input(&input, self.topology.input)?;
        let gradient = gradient_name(options.gradient);
        let (first, end) = (self.plan.first, self.plan.end);
        let before = self.chain(cx, 0..first.min(end), input)?;
        if self.edges.is_empty() {
            return Ok(Trajectory {
                outputs: vec![before],
                iterations: 1,
                gradient,
            });
        }
        if let Some(schedule) = options.schedule {
            schedule.validate()?;
        }
        let iterations = options
            .schedule
            .unwrap_or(&*self.topology.schedule)
            .iterations();
        let mut run = Loop::new(self, cx, before)?;
        let mut outputs = Vec::with_capacity(if options.wanted == Wanted::Every {
            iterations
        } else {
            1
        });
        for iteration in 1..=iterations {
            cx.enter_iteration(Some(iteration));
            let wanted = options.wanted == Wanted::Every || iteration == iterations;
            let mut step = |cx: &mut Context<'_, F>| -> Result<()> {
                let value = run.step(cx)?;
                if wanted {
                    outputs.push(self.chain(cx, end..self.nodes.len(), value)?);
                }
                Ok(())
            };
            let records = options.gradient.records(iteration, iterations);
            if records {
                step(cx)?
            } else {
                cx.without_gradients(step)?
            }
        }
        cx.enter_iteration(None);
        Ok(Trajectory {
            outputs,
            iterations,
            gradient,
        })
    }

    /// Runs a part of the chain that no feedback joins.
    fn chain(
        &self,
        cx: &mut Context<'_, F>,
        range: std::ops::Range<usize>,
        mut value: Value<F>,
    ) -> Result<Value<F>> {
        for position in range {
            value = self.forward_node(cx, position, value)?;
        }
        Ok(value)
    }

    fn forward_node(
        &self,
        cx: &mut Context<'_, F>,
        position: usize,
        value: Value<F>,
    ) -> Result<Value<F>> {
        let node = &self.nodes[position];
        cx.enter_layer(&self.topology.nodes[position].name);
        let output = one_output(cx, &*node.module, &value)?;
        check_finite(cx, &output, || cx.place_without_iteration())?;
        Ok(output)
    }
}

/// The state of a loop while it runs.
struct Loop<'a, F: Float> {
    network: &'a Network<F>,
    /// What enters the loop, the same at every iteration.
    entry: Value<F>,
    /// The first layer's sum without feedback, if it is the same at every iteration.
    hoisted: Option<Var<F>>,
    /// The past values of each layer that feeds back, newest first.
    memory: Vec<VecDeque<Var<F>>>,
}

impl<'a, F: Float> Loop<'a, F> {
    fn new(network: &'a Network<F>, cx: &mut Context<'_, F>, entry: Value<F>) -> Result<Self> {
        let plan = &network.plan;
        let hoisted = match (&entry, plan.hoisted) {
            (Value::Float(x), true) => {
                cx.enter_layer(&network.topology.nodes[plan.first].name);
                split(&network.nodes[plan.first])
                    .map(|module| module.project(cx, x))
                    .transpose()?
            }
            _ => None,
        };
        let memory = plan
            .memory
            .iter()
            .map(|&length| VecDeque::with_capacity(length))
            .collect();
        Ok(Self {
            network,
            entry,
            hoisted,
            memory,
        })
    }

    /// One iteration; returns the value of the last layer that feeds back.
    fn step(&mut self, cx: &mut Context<'_, F>) -> Result<Value<F>> {
        let network = self.network;
        let plan = &network.plan;
        if cx.is_detached() {
            self.detach();
        }
        let mut value = self.constant_or_not(cx, &self.entry);
        if !plan.into_input.is_empty() {
            value = self.join_all(cx, &plan.into_input, value)?;
        }
        // Values of this iteration must not be seen by edges of this iteration, so they are stored at the end.
        let mut fresh: Vec<(usize, Var<F>)> = Vec::new();
        for position in plan.first..plan.end {
            value = self.node(cx, position, value)?;
            if plan.memory[position] > 0
                && let Value::Float(v) = &value
            {
                fresh.push((position, v.clone()));
            }
        }
        for (position, v) in fresh {
            let past = &mut self.memory[position];
            past.truncate(plan.memory[position] - 1);
            past.push_front(v);
        }
        Ok(value)
    }

    fn node(
        &mut self,
        cx: &mut Context<'_, F>,
        position: usize,
        value: Value<F>,
    ) -> Result<Value<F>> {
        let network = self.network;
        let joining = &network.plan.into_node[position];
        if joining.concat.is_empty() && joining.sum.is_empty() {
            return network.forward_node(cx, position, value);
        }
        let value = self.join_all(cx, &joining.concat, value)?;
        if joining.sum.is_empty() {
            return network.forward_node(cx, position, value);
        }
        let Some(module) = split(&network.nodes[position]) else {
            let joined = self.join_all(cx, &joining.sum, value)?;
            return network.forward_node(cx, position, joined);
        };
        let Value::Float(x) = &value else {
            return network.forward_node(cx, position, value);
        };
        cx.enter_layer(&network.topology.nodes[position].name);
        let sum = match &self.hoisted {
            Some(sum) if position == network.plan.first && cx.is_detached() => sum.detach(),
            Some(sum) if position == network.plan.first => sum.clone(),
            _ => module.project(cx, x)?,
        };
        let joined = self.join_all(cx, &joining.sum, Value::Float(sum))?;
        cx.enter_layer(&network.topology.nodes[position].name);
        let Value::Float(joined) = joined else {
            unreachable!("joining keeps the kind")
        };
        let output = Value::Float(module.finish(cx, joined)?);
        check_finite(cx, &output, || cx.place_without_iteration())?;
        Ok(output)
    }

    /// Joins the value with what the given edges carry now.
    fn join_all(
        &mut self,
        cx: &mut Context<'_, F>,
        edges: &[usize],
        value: Value<F>,
    ) -> Result<Value<F>> {
        let Value::Float(mut u) = value else {
            return Ok(value);
        };
        for &position in edges {
            let edge = &self.network.edges[position];
            let Some(r) = self.carried(cx, edge, u.shape()[0]) else {
                continue;
            };
            u = edge.join(cx, &u, &r);
            check_finite_var(cx, &u, || edge.place.clone())?;
        }
        Ok(Value::Float(u))
    }

    /// What an edge carries at this iteration; `None` for zeros that change nothing.
    fn carried(&self, cx: &mut Context<'_, F>, edge: &BuiltEdge, batch: usize) -> Option<Var<F>> {
        match self.memory[edge.from].get(edge.delay - 1) {
            Some(value) => Some(value.clone()),
            None => edge.initial_value(cx, batch),
        }
    }

    /// What enters the loop, cut off the tape where this iteration is not recorded.
    fn constant_or_not(&self, cx: &Context<'_, F>, value: &Value<F>) -> Value<F> {
        match value {
            Value::Float(v) if cx.is_detached() => Value::Float(v.detach()),
            other => other.clone(),
        }
    }

    /// Cuts the loop's state off the tape.
    fn detach(&mut self) {
        for past in &mut self.memory {
            past.iter_mut().for_each(|v| *v = v.detach());
        }
    }
}

fn split<F: Float>(node: &BuiltNode<F>) -> Option<&dyn crate::module::SplitModule<F>> {
    node.module.as_simple()?.split()
}

fn gradient_name(strategy: &dyn GradientStrategy) -> &'static str {
    strategy.kind()
}

fn check_input<F: Float>(input: &Value<F>, spec: Spec) -> Result<()> {
    let fits = input.kind() == spec.kind && input.shape().get(1..) == Some(&*spec.shape);
    if fits {
        return Ok(());
    }
    let help = if input.kind() == spec.kind && **input.shape() == *spec.shape {
        "the first axis is the batch: give one sample as a batch of one with .unsqueeze(0)"
            .to_owned()
    } else if spec.kind == ValueKind::Index {
        "the network's input shape was given to Sequential::indices, without the batch axis"
            .to_owned()
    } else {
        "the network's input shape was given to Sequential::input, without the batch axis"
            .to_owned()
    };
    Err(Error::Data {
        place: "the network's input".to_owned(),
        expected: format!("{} {spec}", spec.kind),
        found: format!("{} {}", input.kind(), input.shape()),
        help,
    })
}

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
fn check_finite_var<F: Float>(
    cx: &Context<'_, F>,
    v: &Var<F>,
    place: impl FnOnce() -> String,
) -> Result<()> {
    if !cx.is_checked() || v.tensor().is_all_finite() {
        return Ok(());
    }
    let batch = v.shape().first().copied().unwrap_or(1).max(1);
    let per_row = (v.tensor().len() / batch).max(1);
    let position = v.tensor().iter().position(|x| !x.is_finite()).unwrap_or(0);
    let kind = if v.tensor().iter().any(|x| x.is_nan()) {
        "NaN"
    } else {
        "an infinity"
    };
    let help = match (ValueKind::Float, kind) {
        (_, "NaN") => "look for it in the data, or lower the learning rate",
        _ => {
            "lower the learning rate, clip gradients with .clip(Clip::Norm(1.0)), or bound the loop with Tanh"
        }
    };
    Err(Error::NonFinite {
        place: place(),
        iteration: cx.iteration(),
        found: format!("{kind} in row {} of the batch", position / per_row),
        help: help.to_owned(),
    })
}
