//! From declaration to network.

use super::edge::BuiltEdge;
use super::plan::Plan;
use super::tick::Shelf;
use super::{BuiltNode, Network, Wiring, check};
use crate::error::Result;
use crate::feedback::state::{Layout, RegisterLayout};
use crate::feedback::topology::{Combine, Topology};
use crate::module::{Scope, Spec};
use fb_tensor::Float;
use fb_tensor::random::Key;
use std::sync::Arc;

impl<F: Float> Network<F> {
    /// Checks an architecture, makes its parameters and plans how it runs.
    ///
    /// # Errors
    /// Anything wrong with layers, names, shapes, edges or the schedule.
    pub fn build(topology: Topology) -> Result<Self> {
        Self::build_within(topology, Scope::<F>::MOST_NUMBERS)
    }

    /// [`Network::build`] for parameters of at most so many numbers in all, such as the file has that they are read from:
    /// an architecture that says more is refused before memory is asked for.
    ///
    /// # Errors
    /// As [`Network::build`], or there are more.
    pub fn build_within(topology: Topology, numbers: usize) -> Result<Self> {
        let mut scope = Scope::within(Key::new(topology.seed), numbers);
        let wiring = Wiring::build(topology, &mut scope)?;
        Ok(Self {
            wiring: Arc::new(wiring),
            params: scope.into_params(),
        })
    }

    /// The network without an edge, on the same weights.
    pub(super) fn ablated(&self, edge: &str) -> Result<Self> {
        let (from, to) = edge.split_once("->").unwrap_or((edge, ""));
        let topology = self.topology().without_edge(from.trim(), to.trim())?;
        let mut smaller = Self::build(topology)?;
        for (name, kind) in self.params.parametrizations() {
            if smaller.params.id(name).is_some() {
                smaller.params.parametrize_one(name, kind, usize::MAX)?;
            }
        }
        let ids: Vec<_> = smaller.params.iter().map(|(id, _)| id).collect();
        for id in ids {
            let param = smaller.params.get_mut(id);
            let own = self.params.by_name(param.name());
            match own {
                Some(own) if own.value.shape() == param.value.shape() => {
                    param.value = own.value.clone();
                }
                _ => {
                    return Err(crate::Error::Data {
                        place: format!("Network::without({edge:?})"),
                        expected: format!("{:?} {}", param.name(), param.value.shape()),
                        found: own.map_or("none".to_owned(), |own| own.value.shape().to_string()),
                        help: "an edge that widens its destination takes its part of the weights with it: set its source to zeros instead"
                            .to_owned(),
                    });
                }
            }
        }
        for (_, param) in self.params.iter().filter(|(_, param)| param.is_frozen()) {
            if smaller.params.id(param.name()).is_some() {
                smaller.params.freeze(param.name())?;
            }
        }
        Ok(smaller)
    }
}

impl<F: Float> Wiring<F> {
    /// Checks an architecture, makes its parameters in `scope`, below its path, and plans how it runs.
    pub(super) fn build(topology: Topology, scope: &mut Scope<F>) -> Result<Self> {
        check::declaration::<F>(&topology)?;
        let widens = |edge: &crate::feedback::topology::Edge| edge.combine == Combine::Concat;
        let values = if topology.edges.iter().any(widens) {
            // A source's shape must be known before the layer that it widens is built: a first pass without
            // edges finds the shapes, the second uses them.
            let mut first = Scope::new(Key::new(topology.seed));
            first.enter(scope.path().to_owned());
            let narrow = build_nodes::<F>(&topology, &mut first, |_| 0)?;
            let spec = |name: &str| narrow.spec(topology.slot(name)?);
            let features = |to: &str| {
                let edges = topology.edges.iter().filter(|e| widens(e) && e.to == to);
                edges
                    .filter_map(|e| spec(&e.from)?.shape.last().copied())
                    .sum()
            };
            let wide = build_nodes(&topology, scope, features)?;
            check::concat_shapes(&topology, &narrow, &wide)?;
            wide
        } else {
            build_nodes(&topology, scope, |_| 0)?
        };
        let mut registers = Vec::new();
        let mut edges = Vec::with_capacity(topology.edges.len());
        for edge in &topology.edges {
            let slot = |name: &str| topology.slot(name).expect("ends were checked");
            let has_register = edge.delay > 0 || slot(&edge.from) >= slot(&edge.to);
            let register = has_register.then_some(registers.len());
            edges.push(BuiltEdge::build(edge, &topology, &values, register, scope)?);
            if has_register {
                let spec = values.spec(slot(&edge.from));
                registers.push(RegisterLayout {
                    name: format!("{}->{}", edge.from, edge.to),
                    shape: spec.expect("the slot is there").shape,
                    depth: edge.delay.max(1),
                });
            }
        }
        let outputs: Vec<usize> = topology
            .outputs
            .iter()
            .filter_map(|name| topology.slot(name))
            .collect();
        let plan = Plan::new(&topology, &values.nodes, &edges, &outputs)?;
        let wiring = Self {
            topology,
            nodes: values.nodes,
            edges,
            outputs,
            plan,
            layout: Arc::new(Layout { registers }),
            shelf: Shelf::default(),
        };
        wiring.check_rule(&wiring.topology.schedule.rule())?;
        Ok(wiring)
    }
}

/// What slots hold, before the network is one.
pub(super) struct BuiltValues<F: Float> {
    /// The inputs, as layers read them: widened where edges widen them.
    pub(super) inputs: Vec<Spec>,
    pub(super) nodes: Vec<BuiltNode<F>>,
}

impl<F: Float> BuiltValues<F> {
    pub(super) fn spec(&self, slot: usize) -> Option<Spec> {
        match slot.checked_sub(self.inputs.len()) {
            None => Some(self.inputs[slot]),
            Some(node) => Some(self.nodes.get(node)?.output),
        }
    }
}

/// Builds the layers; `extra_features` says by how many features edges widen the (first) input of a layer, or an input.
fn build_nodes<F: Float>(
    topology: &Topology,
    scope: &mut Scope<F>,
    extra_features: impl Fn(&str) -> usize,
) -> Result<BuiltValues<F>> {
    let mut specs = topology
        .inputs
        .iter()
        .map(|input| widened(input.spec, extra_features(&input.name)))
        .collect::<Result<Vec<_>>>()?;
    let nodes = topology
        .nodes
        .iter()
        .map(|node| {
            let mut inputs = node
                .inputs
                .iter()
                .map(|name| {
                    let slot = topology.slot(name).expect("names were checked");
                    (slot, specs[slot])
                })
                .collect::<Vec<_>>();
            inputs[0].1 = widened(inputs[0].1, extra_features(&node.name))?;
            let given: Vec<Spec> = inputs.iter().map(|&(_, spec)| spec).collect();
            scope.inside(&node.name, |scope| {
                let built = node.layer.build(scope, &given)?;
                specs.push(built.output);
                Ok(BuiltNode {
                    path: scope.path().to_owned(),
                    module: built.module,
                    inputs,
                    output: built.output,
                    sum: built.sum,
                    description: built.description,
                })
            })
        })
        .collect::<Result<Vec<_>>>()?;
    specs.truncate(topology.inputs.len());
    Ok(BuiltValues {
        inputs: specs,
        nodes,
    })
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
