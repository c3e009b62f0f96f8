//! What is connected with what: plain data that goes into model files.

mod edge;
mod file;

pub use edge::{Clock, Combine, Edge, INPUT, Initial, Projection};

use super::schedule::AnySchedule;
use crate::module::{AnyLayer, Spec};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A layer with its name and what it takes.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, unique in the network.
    pub name: String,
    /// Its configuration.
    pub layer: Arc<dyn AnyLayer>,
    /// The layers before it, or inputs of the network, whose values it takes, in order.
    pub inputs: Vec<String>,
}

/// Something that a network is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Kind and shape of one sample.
    pub spec: Spec,
}

/// Layers that run several times where the others run once: the inner of two nested loops.
///
/// Edges between its layers tick at each of its cycles, all others at each iteration of the loop around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// Its layers.
    pub layers: Vec<String>,
    /// How often it runs in each iteration of the loop around it.
    pub cycles: usize,
}

/// A whole architecture: inputs, the layers in order, the edges beside their inputs, the default schedule, and the seed
/// of the initial values.
#[derive(Clone, Debug)]
pub struct Topology {
    /// What the network is given.
    pub inputs: Vec<Input>,
    /// The layers in forward order: each takes what stands before it.
    pub nodes: Vec<Node>,
    /// The layers whose values the network gives.
    pub outputs: Vec<String>,
    /// Feedback edges, and forward edges that add to what layers take as inputs.
    pub edges: Vec<Edge>,
    /// Loops inside the loop.
    pub scopes: Vec<Scope>,
    /// How often the loop runs unless a run says otherwise.
    pub schedule: Arc<dyn AnySchedule>,
    /// The seed of the initial values.
    pub seed: u64,
}

impl Topology {
    /// The position of a layer.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// The position of a value: inputs are counted first, then layers.
    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        let input = self.inputs.iter().position(|input| input.name == name);
        input.or_else(|| Some(self.inputs.len() + self.position(name)?))
    }

    /// The architecture without an edge, and without the scopes in which nothing is fed back any more: each of their cycles
    /// would do the same.
    ///
    /// # Errors
    /// There is no such edge.
    pub(super) fn without_edge(&self, from: &str, to: &str) -> crate::Result<Self> {
        let mut smaller = self.clone();
        smaller.edges.retain(|e| !(e.from == from && e.to == to));
        if smaller.edges.len() == self.edges.len() {
            let edges: Vec<_> = self
                .edges
                .iter()
                .map(|e| format!("{:?}", format!("{} -> {}", e.from, e.to)))
                .collect();
            return Err(crate::Error::UnknownName {
                what: "Network::without".to_owned(),
                kind: "edge",
                name: format!("{from} -> {to}"),
                help: match edges.as_slice() {
                    [] => "the network has no edges beside the inputs of layers".to_owned(),
                    some => format!("the edges are {}", some.join(", ")),
                },
            });
        }
        let loops = |scope: &Scope| {
            let holds = |name: &String| scope.layers.contains(name);
            let mut edges = smaller.edges.iter();
            edges.any(|edge| {
                let goes_back = self.position(&edge.from) >= self.position(&edge.to);
                goes_back && holds(&edge.from) && holds(&edge.to)
            })
        };
        let scopes = self.scopes.iter().filter(|scope| loops(scope));
        smaller.scopes = scopes.cloned().collect();
        Ok(smaller)
    }

    /// The names of the layers, for messages.
    pub(super) fn layer_list(&self) -> String {
        let names: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("{:?}", node.name))
            .collect();
        if names.is_empty() {
            "there are no layers".to_owned()
        } else {
            format!("the layers are {}", names.join(", "))
        }
    }
}
