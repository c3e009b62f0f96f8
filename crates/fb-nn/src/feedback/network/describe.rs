//! A network in words and numbers, for summaries and diagrams.

use super::Network;
use super::plan::LoopPlan;
use crate::feedback::topology::{Clock, Combine, Initial};
use crate::module::Spec;
use fb_tensor::Float;

/// How often a layer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutionPath {
    /// Once per run: it is not in a loop.
    Once,
    /// At every iteration.
    EveryIteration,
    /// At every iteration, but the product of its input with its weights only once.
    EveryIterationHoisted,
    /// Once per iteration whose output is wanted: it comes after the loop.
    WantedIterations,
    /// Once on all steps of a sequence together.
    AllSteps,
    /// At every step of a sequence.
    EveryStep,
    /// At every step of a sequence, but the product of its input with its weights on all steps together.
    EveryStepHoisted,
    /// At every iteration of every step.
    EveryIterationOfEveryStep,
}

/// One layer.
#[derive(Clone, Debug)]
pub struct NodeDescription {
    /// Its name.
    pub name: String,
    /// Its kind, such as `"Dense"`.
    pub kind: &'static str,
    /// In a few words, such as `"Dense 2 -> 8, sigmoid"`.
    pub description: String,
    /// The names of what it takes.
    pub inputs: Vec<String>,
    /// What its (first) input is.
    pub input: Spec,
    /// What it gives.
    pub output: Spec,
    /// How many numbers its parameters hold.
    pub parameters: usize,
    /// How many of them optimizers may change.
    pub trainable: usize,
    /// How often it runs.
    pub path: ExecutionPath,
    /// How often it runs in each iteration: the cycles of the scopes that hold it.
    pub cycles: usize,
}

/// One feedback edge.
#[derive(Clone, Debug)]
pub struct EdgeDescription {
    /// The layer it comes from.
    pub from: String,
    /// The layer it goes to, or `"input"`.
    pub to: String,
    /// How it joins its destination.
    pub combine: Combine,
    /// What its weights do, such as `"learned 1 -> 8"`.
    pub map: String,
    /// How the weights sample up or down between maps of different size, such as `"up by patches of 2x2"`; empty where
    /// they do not.
    pub sampling: String,
    /// After how many ticks of its clock it arrives.
    pub delay: usize,
    /// What the delay counts.
    pub clock: Clock,
    /// Whether it goes from an earlier value to a later layer without delay.
    pub is_forward: bool,
    /// What it carries before.
    pub initial: Initial,
    /// How many numbers its parameters hold.
    pub parameters: usize,
    /// How many of them optimizers may change.
    pub trainable: usize,
}

/// A network's layers and edges.
#[derive(Clone, Debug)]
pub struct Description {
    /// What the network takes: names, kinds and shapes of a sample, or of a step.
    pub inputs: Vec<(String, Spec)>,
    /// The layers in forward order.
    pub nodes: Vec<NodeDescription>,
    /// The names of the layers whose values it gives.
    pub outputs: Vec<String>,
    /// The edges beside the inputs of layers.
    pub edges: Vec<EdgeDescription>,
    /// Loops inside the loop: name, layers, cycles.
    pub scopes: Vec<(String, Vec<String>, usize)>,
    /// The kind of the schedule, such as `"Unroll"`.
    pub schedule: &'static str,
    /// The most iterations of the default schedule; 1 without a loop.
    pub iterations: usize,
}

impl<F: Float> Network<F> {
    /// The network in words and numbers.
    pub fn describe(&self) -> Description {
        let wiring = &*self.wiring;
        let topology = &wiring.topology;
        let nodes = topology.nodes.iter().zip(&wiring.nodes).enumerate().map(
            |(position, (node, built))| {
                let (parameters, trainable) = self.count(&built.path);
                NodeDescription {
                    name: node.name.clone(),
                    kind: node.layer.kind(),
                    description: built.description.clone(),
                    inputs: node.inputs.clone(),
                    input: built.inputs[0].1,
                    output: built.output,
                    parameters,
                    trainable,
                    path: self.path(position),
                    cycles: self.cycles(position),
                }
            },
        );
        let edges = topology
            .edges
            .iter()
            .zip(&wiring.edges)
            .map(|(edge, built)| {
                let (parameters, trainable) = self.count(&edge.path());
                EdgeDescription {
                    from: edge.from.clone(),
                    to: edge.to.clone(),
                    combine: edge.combine,
                    map: built.description(),
                    sampling: built.sampling(),
                    delay: edge.delay,
                    clock: edge.clock,
                    is_forward: built.register.is_none(),
                    initial: edge.initial,
                    parameters,
                    trainable,
                }
            });
        let scopes = topology.scopes.iter();
        Description {
            inputs: self
                .input_specs()
                .map(|(name, spec)| (name.to_owned(), spec))
                .collect(),
            nodes: nodes.collect(),
            outputs: topology.outputs.clone(),
            edges: edges.collect(),
            scopes: scopes
                .map(|s| (s.name.clone(), s.layers.clone(), s.cycles))
                .collect(),
            schedule: topology.schedule.kind(),
            iterations: self.iterations(),
        }
    }

    fn path(&self, node: usize) -> ExecutionPath {
        let plan = &self.wiring.plan;
        let sequence = self.takes_sequences();
        let runs_in = |body: &LoopPlan| body.nodes().contains(&node);
        let hoisted_in = |body: &LoopPlan| body.hoisted.contains(&node);
        let iterations = plan.iterations();
        match &plan.body {
            Some(body) if body.clock == Clock::Step && runs_in(body) => match iterations {
                Some(inner) if runs_in(inner) => ExecutionPath::EveryIterationOfEveryStep,
                _ if hoisted_in(body) => ExecutionPath::EveryStepHoisted,
                _ => ExecutionPath::EveryStep,
            },
            Some(body) if body.clock == Clock::Iteration && runs_in(body) => {
                if hoisted_in(body) {
                    ExecutionPath::EveryIterationHoisted
                } else {
                    ExecutionPath::EveryIteration
                }
            }
            _ if sequence => ExecutionPath::AllSteps,
            Some(_) if plan.after.contains(&node) => ExecutionPath::WantedIterations,
            _ => ExecutionPath::Once,
        }
    }

    /// How often a layer runs in each iteration: the cycles of the scopes that hold it.
    fn cycles(&self, node: usize) -> usize {
        let body = self.wiring.plan.body.as_deref();
        body.and_then(|body| body.cycles_of(node)).unwrap_or(1)
    }

    /// The numbers in the parameters below a path, and how many of them are trainable.
    fn count(&self, path: &str) -> (usize, usize) {
        let below = |name: &str| {
            name.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        self.params.iter().filter(|(_, p)| below(p.name())).fold(
            (0, 0),
            |(all, trainable), (_, p)| {
                let n = p.value.len();
                (all + n, trainable + if p.trainable() { n } else { 0 })
            },
        )
    }
}
