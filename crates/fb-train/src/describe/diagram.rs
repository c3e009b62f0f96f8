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
        let scopes = network.scopes.iter().map(|(name, layers, cycles)| Group {
            label: format!("{} × {}", words::on_one_line(name), words::cycles(*cycles)),
            nodes: layers.iter().map(|layer| position(layer)).collect(),
        });
        let mut groups: Vec<Group> = scopes.collect();
        // A scope inside another comes first, so that its nodes are put in the inner frame.
        groups.sort_by_key(|group| group.nodes.len());
        Graph {
            groups,
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
    /// Frames around nodes, the smallest first.
    pub(super) groups: Vec<Group>,
    /// The lines of each node's label, the inputs first.
    pub(super) nodes: Vec<Vec<String>>,
    /// What goes forward: from, to, label.
    pub(super) forward: Vec<(usize, usize, String)>,
    /// The feedback edges: from, to, label.
    pub(super) back: Vec<(usize, usize, String)>,
}

/// A frame around some nodes: a loop inside the loop.
pub(super) struct Group {
    pub(super) label: String,
    pub(super) nodes: Vec<usize>,
}

impl Group {
    /// Whether another group stands inside this one.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.nodes.len() > other.nodes.len()
            && other.nodes.iter().all(|node| self.nodes.contains(node))
    }
}

impl Graph {
    /// The groups directly inside one, or those inside none; and the nodes that stand in no smaller one.
    pub(super) fn inside(&self, outer: Option<&Group>) -> Vec<&Group> {
        let within = |group: &&Group| match outer {
            None => !self.groups.iter().any(|other| other.holds(group)),
            Some(outer) => {
                outer.holds(group)
                    && !self
                        .groups
                        .iter()
                        .any(|other| outer.holds(other) && other.holds(group))
            }
        };
        self.groups.iter().filter(within).collect()
    }

    /// The nodes of a group that stand in no smaller one.
    pub(super) fn own<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = usize> + 'a {
        let smaller = move |node: usize| {
            let mut others = self.groups.iter();
            others.any(|other| group.holds(other) && other.nodes.contains(&node))
        };
        group
            .nodes
            .iter()
            .copied()
            .filter(move |&node| !smaller(node))
    }
}

/// The colour of feedback edges.
pub(super) const BACK: &str = "#c2410c";
