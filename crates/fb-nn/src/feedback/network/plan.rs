//! What runs when: found once, from the edges alone.

use super::BuiltNode;
use super::edge::BuiltEdge;
use crate::feedback::topology::Combine;
use fb_tensor::Float;

/// The chain cut into what runs before, in and after the loop, and the edges sorted by where they join.
#[derive(Debug)]
pub(super) struct Plan {
    /// The first layer whose value changes from one iteration to the next; the number of layers without feedback.
    pub(super) first: usize,
    /// The layer after the last one that feeds back; layers from here on run only where an output is wanted.
    pub(super) end: usize,
    /// Edges that join the network's input, by position in the list of edges.
    pub(super) into_input: Vec<usize>,
    /// Edges that join each layer: those that widen its input, and those that join its sum.
    pub(super) into_node: Vec<Joining>,
    /// Whether the first layer's `project` half is computed once for all iterations.
    pub(super) hoisted: bool,
    /// For each layer, how many past values edges want.
    pub(super) memory: Vec<usize>,
}

/// The edges that join one layer.
#[derive(Debug, Default)]
pub(super) struct Joining {
    pub(super) concat: Vec<usize>,
    pub(super) sum: Vec<usize>,
}

impl Plan {
    pub(super) fn new<F: Float>(nodes: &[BuiltNode<F>], edges: &[BuiltEdge]) -> Self {
        let first = edges
            .iter()
            .map(|edge| edge.to.unwrap_or(0))
            .min()
            .unwrap_or(nodes.len());
        let end = edges
            .iter()
            .map(|edge| edge.from + 1)
            .max()
            .unwrap_or(nodes.len());
        let mut into_node: Vec<Joining> = nodes.iter().map(|_| Joining::default()).collect();
        let mut into_input = Vec::new();
        let mut memory = vec![0; nodes.len()];
        for (position, edge) in edges.iter().enumerate() {
            memory[edge.from] = memory[edge.from].max(edge.delay);
            match edge.to {
                None => into_input.push(position),
                Some(to) if edge.combine == Combine::Concat => into_node[to].concat.push(position),
                Some(to) => into_node[to].sum.push(position),
            }
        }
        let hoisted = into_input.is_empty()
            && into_node
                .get(first)
                .is_some_and(|joining| joining.concat.is_empty())
            && nodes.get(first).is_some_and(|node| node.sum.is_some());
        Self {
            first,
            end,
            into_input,
            into_node,
            hoisted,
            memory,
        }
    }
}
