//! A feedback edge, built: where it goes and through which weights.

use super::BuiltNode;
use crate::error::Result;
use crate::feedback::topology::{Combine, Edge, INPUT, Initial, Projection, Topology};
use crate::init::Initializer;
use crate::module::{Context, Scope, Spec, ValueKind};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};

/// Gain of learned feedback weights relative to Glorot's rule: small, so that a fresh loop contracts.
const GAIN: f64 = 0.25;
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
    /// The shape per sample of what it joins.
    target: Shape,
    map: Map,
    gate: Option<(ParamId, ParamId)>,
    initial: Option<ParamId>,
}

/// How the source's value is brought into the destination's shape.
#[derive(Clone, Copy, Debug)]
enum Map {
    /// As it is.
    Identity,
    /// A matrix over the last axis.
    LastAxis(ParamId),
    /// A matrix from all features of the source to all of the destination.
    Flat(ParamId),
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
            let detail = format!(
                "{:?} gives {}; {:?} takes {}",
                edge.from, source.kind, edge.to, joined.kind
            );
            return Err(edge.error(
                "does not carry numbers",
                detail,
                "feed back a layer that gives numbers",
            ));
        }
        scope.enter(edge.path());
        let place = || Destination {
            node: to.map(|to| &nodes[to]),
            input: joined.shape,
            target,
        };
        let map = Self::map(edge, source, target, scope, place)?;
        let gate = match edge.combine {
            Combine::Gate => Some(Self::gate_weights(edge, source, target, scope)?),
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
            target,
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
            return Ok(Map::Identity);
        }
        if edge.projection == Projection::Identity {
            if source.shape == target {
                return Ok(Map::Identity);
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
        let same_lead = source.shape.len() == target.len() && !target.is_empty() && {
            let last = target.len() - 1;
            source.shape[..last] == target[..last]
        };
        let init = Initializer::GlorotUniform { gain: GAIN };
        if same_lead {
            let last = target.len() - 1;
            let id = scope.param(
                "weight",
                [source.shape[last], target[last]],
                &init,
                Role::Weight,
            )?;
            return Ok(Map::LastAxis(id));
        }
        let id = scope.param(
            "weight",
            [source.elements(), target.elements()],
            &init,
            Role::Weight,
        )?;
        Ok(Map::Flat(id))
    }

    fn gate_weights<F: Float>(
        edge: &Edge,
        source: Spec,
        target: Shape,
        scope: &mut Scope<F>,
    ) -> Result<(ParamId, ParamId)> {
        if source.shape.len() != 1 || target.len() != 1 {
            let detail = format!(
                "{:?} gives {source}; it joins {}",
                edge.from,
                Spec::float(target)
            );
            let help =
                "a gate looks at whole feature vectors: put a Flatten before, or drop .gate()";
            return Err(edge.error("cannot be gated", detail, help));
        }
        let init = Initializer::GlorotUniform { gain: GAIN };
        let weight = scope.param(
            "gate_weight",
            [target[0] + source.shape[0], target[0]],
            &init,
            Role::Weight,
        )?;
        let bias = scope.param(
            "gate_bias",
            [target[0]],
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
        let mapped = self.mapped(cx, r);
        match self.gate {
            None => u + &mapped,
            Some((weight, bias)) => {
                let both = Var::concat(&[u, r], 1);
                let gate = both
                    .linear(&cx.param(weight), Some(&cx.param(bias)))
                    .sigmoid();
                u + &(gate * mapped)
            }
        }
    }

    fn mapped<F: Float>(&self, cx: &mut Context<'_, F>, r: &Var<F>) -> Var<F> {
        match self.map {
            Map::Identity => r.clone(),
            Map::LastAxis(id) => r.linear(&cx.param(id), None),
            Map::Flat(id) => {
                let batch = r.shape()[0];
                let mut extents = vec![batch];
                extents.extend(self.target.iter());
                r.reshape([batch, self.source.elements()])
                    .linear(&cx.param(id), None)
                    .reshape(extents)
            }
        }
    }

    /// What the weights of the edge do, for summaries.
    pub(super) fn description(&self) -> String {
        let how = match self.map {
            Map::Identity if self.combine == Combine::Concat => {
                format!("widens by {}", features(self.source.shape))
            }
            Map::Identity => "as it is".to_owned(),
            Map::LastAxis(_) | Map::Flat(_) => {
                format!(
                    "learned {} -> {}",
                    features(self.source.shape),
                    features(self.target)
                )
            }
        };
        if self.gate.is_some() {
            format!("{how}, gated")
        } else {
            how
        }
    }
}

fn features(shape: Shape) -> String {
    shape
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join("x")
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
