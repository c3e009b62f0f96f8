//! A network in words and numbers, for summaries and diagrams.

use super::Network;
use crate::feedback::topology::{Combine, Initial};
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
    /// What it takes.
    pub input: Spec,
    /// What it gives.
    pub output: Spec,
    /// How many numbers its parameters hold.
    pub parameters: usize,
    /// How many of them optimizers may change.
    pub trainable: usize,
    /// How often it runs.
    pub path: ExecutionPath,
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
    /// After how many iterations it arrives.
    pub delay: usize,
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
    /// What the network takes.
    pub input: Spec,
    /// The layers in forward order.
    pub nodes: Vec<NodeDescription>,
    /// The feedback edges.
    pub edges: Vec<EdgeDescription>,
    /// The kind of the schedule, such as `"Unroll"`.
    pub schedule: &'static str,
    /// The most iterations of the default schedule; 1 without feedback.
    pub iterations: usize,
}

impl<F: Float> Network<F> {
    /// The network in words and numbers.
    pub fn describe(&self) -> Description {
        let nodes = self.topology.nodes.iter().zip(&self.nodes).enumerate().map(
            |(position, (node, built))| {
                let (parameters, trainable) = self.count(&node.name);
                NodeDescription {
                    name: node.name.clone(),
                    kind: node.layer.kind(),
                    description: built.description.clone(),
                    input: built.input,
                    output: built.output,
                    parameters,
                    trainable,
                    path: self.path(position),
                }
            },
        );
        let edges = self
            .topology
            .edges
            .iter()
            .zip(&self.edges)
            .map(|(edge, built)| {
                let (parameters, trainable) = self.count(&edge.path());
                EdgeDescription {
                    from: edge.from.clone(),
                    to: edge.to.clone(),
                    combine: edge.combine,
                    map: built.description(),
                    sampling: built.sampling(),
                    delay: edge.delay,
                    initial: edge.initial,
                    parameters,
                    trainable,
                }
            });
        Description {
            input: self.topology.input,
            nodes: nodes.collect(),
            edges: edges.collect(),
            schedule: self.topology.schedule.kind(),
            iterations: self.iterations(),
        }
    }

    fn path(&self, position: usize) -> ExecutionPath {
        let plan = &self.plan;
        if self.edges.is_empty() || position < plan.first {
            ExecutionPath::Once
        } else if position >= plan.end {
            ExecutionPath::WantedIterations
        } else if position == plan.first && plan.hoisted {
            ExecutionPath::EveryIterationHoisted
        } else {
            ExecutionPath::EveryIteration
        }
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
