//! From declaration to network.

use super::edge::BuiltEdge;
use super::plan::Plan;
use super::{BuiltNode, Network, check};
use crate::error::Result;
use crate::feedback::topology::{Combine, INPUT, Topology};
use crate::module::{Scope, Spec};
use fb_tensor::Float;
use fb_tensor::random::Key;

impl<F: Float> Network<F> {
    /// Checks an architecture, makes its parameters and plans how it runs.
    ///
    /// # Errors
    /// Anything wrong with layers, names, shapes, feedback edges or the schedule.
    pub fn build(topology: Topology) -> Result<Self> {
        Self::build_within(topology, Scope::<F>::MOST_NUMBERS)
    }

    /// [`Network::build`] for parameters of at most so many numbers in all, such as the file has that they are read from:
    /// an architecture that says more is refused before memory is asked for.
    ///
    /// # Errors
    /// As [`Network::build`], or there are more.
    pub fn build_within(topology: Topology, numbers: usize) -> Result<Self> {
        check::declaration::<F>(&topology)?;
        let new_scope = || Scope::within(Key::new(topology.seed), numbers);
        let mut scope = new_scope();
        let nodes = if topology
            .edges
            .iter()
            .any(|edge| edge.combine == Combine::Concat)
        {
            // A source's shape must be known before the layer that it widens is built: a first pass without
            // feedback finds the shapes, the second uses them.
            let narrow = build_nodes::<F>(&topology, &mut new_scope(), |_| 0)?;
            let features = |to: &str| {
                topology
                    .edges
                    .iter()
                    .filter(|edge| edge.combine == Combine::Concat && edge.to == to)
                    .filter_map(|edge| {
                        narrow[topology.position(&edge.from)?]
                            .output
                            .shape
                            .last()
                            .copied()
                    })
                    .sum()
            };
            let wide = build_nodes(&topology, &mut scope, features)?;
            check::concat_shapes(&topology, &narrow, &wide)?;
            wide
        } else {
            build_nodes(&topology, &mut scope, |_| 0)?
        };
        let edges = topology
            .edges
            .iter()
            .map(|edge| BuiltEdge::build(edge, &topology, &nodes, &mut scope))
            .collect::<Result<Vec<_>>>()?;
        let plan = Plan::new(&nodes, &edges);
        Ok(Self {
            topology,
            nodes,
            edges,
            plan,
            params: scope.into_params(),
        })
    }
}

/// Builds the chain; `extra_features` says by how many features feedback widens the input of a layer.
fn build_nodes<F: Float>(
    topology: &Topology,
    scope: &mut Scope<F>,
    extra_features: impl Fn(&str) -> usize,
) -> Result<Vec<BuiltNode<F>>> {
    let mut spec = widened(topology.input, extra_features(INPUT))?;
    topology
        .nodes
        .iter()
        .map(|node| {
            let input = widened(spec, extra_features(&node.name))?;
            scope.enter(node.name.clone());
            let built = node.layer.build(scope, &[input])?;
            spec = built.output;
            let sum = built.sum;
            Ok(BuiltNode {
                module: built.module,
                input,
                output: built.output,
                sum,
                description: built.description,
            })
        })
        .collect()
}

fn widened(spec: Spec, features: usize) -> Result<Spec> {
    let Some(last) = spec.shape.len().checked_sub(1) else {
        return Ok(spec);
    };
    let wide = spec.shape[last].saturating_add(features);
    Ok(Spec {
        shape: spec.shape.try_with_extent(last, wide)?,
        ..spec
    })
}
