//! The graph of a network, for programs that draw graphs.

use super::{dot, mermaid, words};
use fb_nn::feedback::network::Description;
use fb_nn::feedback::topology::INPUT;

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
        let mut nodes = vec![vec![INPUT.to_owned(), network.input.to_string()]];
        nodes.extend(network.nodes.iter().map(|node| {
            vec![
                words::on_one_line(&node.name),
                words::on_one_line(&node.description),
                node.output.to_string(),
            ]
        }));
        let position = |name: &str| {
            network
                .nodes
                .iter()
                .position(|node| node.name == name)
                .map_or(0, |i| i + 1)
        };
        let back = network
            .edges
            .iter()
            .map(|edge| (position(&edge.from), position(&edge.to), words::mark(edge)));
        Graph {
            nodes,
            back: back.collect(),
        }
    }
}

/// What both languages write: nodes by number, so that no name can be mistaken for a keyword.
pub(super) struct Graph {
    /// The lines of each node's label, the input first; the forward edges join each node to the next.
    pub(super) nodes: Vec<Vec<String>>,
    /// The feedback edges: from, to, label.
    pub(super) back: Vec<(usize, usize, String)>,
}

/// The colour of feedback edges.
pub(super) const BACK: &str = "#c2410c";
