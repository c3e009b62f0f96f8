//! The graph of a network, for programs that draw graphs.

use super::summary::position;
use super::{dot, mermaid, words};
use fb_nn::feedback::network::Description;

/// A network as a graph: solid edges forward, dashed and labelled edges back.
#[derive(Clone, Debug)]
pub struct Diagram {
    network: Description,
}

impl Diagram {
    pub(super) fn new(network: Description) -> Self {
        Self { network }
    }

    /// The graph as a Mermaid flowchart, which Markdown on many sites shows as a picture.
    ///
    /// Feedback edges are dashed and marked with their delay and how they join, such as `z⁻¹ add`.
    pub fn mermaid(&self) -> String {
        mermaid::flowchart(&self.graph())
    }

    /// The graph in the DOT language of Graphviz.
    ///
    /// Feedback edges are dashed and marked with their delay and how they join, such as `z⁻¹ add`.
    pub fn dot(&self) -> String {
        dot::digraph(&self.graph())
    }

    fn graph(&self) -> Graph {
        let network = &self.network;
        let inputs = network.inputs.iter();
        let mut nodes: Vec<_> = inputs
            .map(|(name, spec)| vec![words::on_one_line(name), spec.to_string()])
            .collect();
        nodes.extend(network.nodes.iter().map(|node| {
            vec![
                words::on_one_line(&node.name),
                words::on_one_line(&node.description),
                node.output.to_string(),
            ]
        }));
        let position = |name: &str| position(network, name);
        let taken = network.nodes.iter().flat_map(|node| {
            let to = position(&node.name);
            let from = node.inputs.iter().map(move |name| position(name));
            from.map(move |from| (from, to, String::new()))
        });
        let joined = |forward: bool| {
            let edges = network
                .edges
                .iter()
                .filter(move |e| e.is_forward == forward);
            edges.map(|e| (position(&e.from), position(&e.to), words::mark(e)))
        };
        Graph {
            inputs: network.inputs.len(),
            nodes,
            forward: taken.chain(joined(true)).collect(),
            back: joined(false).collect(),
        }
    }
}

/// What both languages write: nodes by number, so that no name can be mistaken for a keyword.
pub(super) struct Graph {
    /// How many of the nodes are inputs.
    pub(super) inputs: usize,
    /// The lines of each node's label, the inputs first.
    pub(super) nodes: Vec<Vec<String>>,
    /// What goes forward: from, to, label.
    pub(super) forward: Vec<(usize, usize, String)>,
    /// The feedback edges: from, to, label.
    pub(super) back: Vec<(usize, usize, String)>,
}

/// The colour of feedback edges.
pub(super) const BACK: &str = "#c2410c";
