//! A feedback edge, built: where it goes and through which weights.

use super::BuiltNode;
use super::map::{GAIN, Map, features};
use crate::error::{Error, Result};
use crate::feedback::topology::{Combine, Edge, INPUT, Initial, Projection, Topology};
use crate::init::Initializer;
use crate::module::{Context, Scope, Spec, ValueKind};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};

/// Start value of a gate's bias: σ(−2) = 0.12, so a fresh network is nearly its feed-forward self.
const GATE_BIAS: f64 = -2.0;

/// A feedback edge with its parameters.
#[derive(Debug)]
pub(super) struct BuiltEdge {
    /// The position of the source layer.
    pub(super) from: usize,
    /// The position of the destination layer; `None` for the network's input.
    pub(super) to: Option<usize>,
    pub(super) delay: usize,
    pub(super) combine: Combine,
    /// For messages: `feedback "output" -> "hidden1"`.
    pub(super) place: String,
    source: Spec,
    map: Map,
    gate: Option<(ParamId, ParamId)>,
    initial: Option<ParamId>,
}

impl BuiltEdge {
    pub(super) fn build<F: Float>(
        edge: &Edge,
        topology: &Topology,
        nodes: &[BuiltNode<F>],
        scope: &mut Scope<F>,
    ) -> Result<Self> {
        let from = topology.position(&edge.from).expect("ends were checked");
        let to = if edge.to == INPUT {
            None
        } else {
            topology.position(&edge.to)
        };
        let source = nodes[from].output;
        let joined = to.map_or(topology.input, |to| nodes[to].input);
        let target = to.and_then(|to| nodes[to].sum).unwrap_or(joined.shape);
        if source.kind != ValueKind::Float || joined.kind != ValueKind::Float {
            return Err(carries_no_numbers(edge, source, joined));
        }
        scope.enter(edge.path());
        let place = || Destination {
            node: to.map(|to| &nodes[to]),
            input: joined.shape,
            target,
        };
        let map = Self::map(edge, source, target, scope, place)?;
        let gate = match edge.combine {
            Combine::Gate => Some(Self::gate_weights(edge, &map, source, target, scope)?),
            _ => None,
        };
        let initial = match edge.initial {
            Initial::Zeros => None,
            Initial::Learned => {
                Some(scope.param_with("initial", Tensor::zeros_of(source.shape), Role::State)?)
            }
        };
        let place = format!("feedback {:?} -> {:?}", edge.from, edge.to);
        Ok(Self {
            from,
            to,
            delay: edge.delay,
            combine: edge.combine,
            place,
            source,
            map,
            gate,
            initial,
        })
    }

    fn map<'a, F: Float>(
        edge: &Edge,
        source: Spec,
        target: Shape,
        scope: &mut Scope<F>,
        destination: impl FnOnce() -> Destination<'a, F>,
    ) -> Result<Map> {
        if edge.combine == Combine::Concat {
            return Ok(Map::identity(source.shape));
        }
        if edge.projection == Projection::Identity {
            if source.shape == target {
                return Ok(Map::identity(target));
            }
            let destination = destination();
            let detail = format!(
                "{:?} gives {source}; {}",
                edge.from,
                destination.describe(edge)
            );
            let help = destination.ways_out(edge, source);
            return Err(edge.error("cannot be added without weights", detail, help));
        }
        Map::build(edge.projection, source.shape, target, scope)
    }

    fn gate_weights<F: Float>(
        edge: &Edge,
        map: &Map,
        source: Spec,
        target: Shape,
        scope: &mut Scope<F>,
    ) -> Result<(ParamId, ParamId)> {
        let (Some(&c), Some(&d)) = (source.shape.last(), target.last()) else {
            let detail = format!(
                "{:?} gives {source}; it joins {}",
                edge.from,
                Spec::float(target)
            );
            let help =
                "a gate looks at features along a last axis: put a Reshape before, or drop .gate()";
            return Err(edge.error("cannot be gated", detail, help));
        };
        let seen = if map.keeps_positions() { c } else { d };
        let init = Initializer::GlorotUniform { gain: GAIN };
        let weight = scope.param("gate_weight", [d + seen, d], &init, Role::Weight)?;
        let bias = scope.param(
            "gate_bias",
            [d],
            &Initializer::Constant(GATE_BIAS),
            Role::Bias,
        )?;
        Ok((weight, bias))
    }

    /// The value that the edge carries while its source has none yet, or `None` for zeros that change nothing.
    pub(super) fn initial_value<F: Float>(
        &self,
        cx: &mut Context<'_, F>,
        batch: usize,
    ) -> Option<Var<F>> {
        let mut extents = vec![batch];
        extents.extend(self.source.shape.iter());
        match self.initial {
            Some(id) => Some(cx.param(id).broadcast_to(extents)),
            None if self.combine == Combine::Concat => {
                Some(Var::constant(Tensor::zeros_of(extents)))
            }
            None => None,
        }
    }

    /// Joins the fed-back value `r` with `u`: the sum inside the destination, or its input.
    pub(super) fn join<F: Float>(&self, cx: &mut Context<'_, F>, u: &Var<F>, r: &Var<F>) -> Var<F> {
        if self.combine == Combine::Concat {
            return Var::concat(&[u, r], u.shape().len() - 1);
        }
        let mapped = self.map.apply(cx, r);
        match self.gate {
            None => u + &mapped,
            Some((weight, bias)) => {
                let seen = if self.map.keeps_positions() {
                    r
                } else {
                    &mapped
                };
                let both = Var::concat(&[u, seen], u.shape().len() - 1);
                let gate = both
                    .linear(&cx.param(weight), Some(&cx.param(bias)))
                    .sigmoid();
                u + &(gate * mapped)
            }
        }
    }

    /// What the weights of the edge do, for summaries.
    pub(super) fn description(&self) -> String {
        let how = match self.combine {
            Combine::Concat => format!("widens by {}", features(self.source.shape)),
            _ => self.map.description(),
        };
        if self.gate.is_some() {
            format!("{how}, gated")
        } else {
            how
        }
    }

    /// How the weights of the edge sample up or down, for diagrams; empty where they do not.
    pub(super) fn sampling(&self) -> String {
        self.map.note()
    }
}

/// An edge between a layer and one that does not take numbers, or gives none.
pub(super) fn carries_no_numbers(edge: &Edge, source: Spec, joined: Spec) -> Error {
    let detail = format!(
        "{:?} gives {}; {:?} takes {}",
        edge.from, source.kind, edge.to, joined.kind
    );
    let help = if joined.kind == ValueKind::Float {
        "feed back a layer that gives numbers"
    } else {
        "feed back into the layer after it: its input is the sum then"
    };
    edge.error("does not carry numbers", detail, help)
}

/// Where an edge would join, for the message that it cannot.
struct Destination<'a, F: Float> {
    node: Option<&'a BuiltNode<F>>,
    input: Shape,
    target: Shape,
}

impl<F: Float> Destination<'_, F> {
    /// `"hidden1" (Dense 2 -> 8) sums feedback into [batch, 8]`
    fn describe(&self, edge: &Edge) -> String {
        let target = Spec::float(self.target);
        match self.node {
            Some(node) => format!(
                "{:?} ({}) sums feedback into {target}",
                edge.to, node.description
            ),
            None => format!("the input takes feedback into {target}"),
        }
    }

    fn ways_out(&self, edge: &Edge, source: Spec) -> String {
        let map = format!("{} -> {}", features(source.shape), features(self.target));
        let learn = format!("drop .identity() to learn a {map} map (the default)");
        match (source.shape.len(), self.input.len()) {
            (1, 1) => {
                let width = self.input[0] + source.shape[0];
                format!(
                    "{learn}, or use .concat() to widen {:?} to {width} inputs",
                    edge.to
                )
            }
            _ => learn,
        }
    }
}
