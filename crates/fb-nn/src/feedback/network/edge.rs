//! An edge, built: where it goes and through which weights.

use super::BuiltNode;
use super::build::BuiltValues;
use super::map::{GAIN, Map, features};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::feedback::topology::{Combine, Edge, Initial, Projection, Topology};
use crate::init::Initializer;
use crate::module::{Context, Mode, Scope, Spec, ValueKind};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::random::Key;
use fb_tensor::{Float, Shape, Tensor};
use rand::RngExt as _;
use rand_distr::{Distribution as _, StandardNormal};

/// Start value of a gate's bias: σ(−2) = 0.12, so a fresh network is nearly its feed-forward self.
const GATE_BIAS: f64 = -2.0;

/// An edge with its parameters.
#[derive(Debug)]
pub(super) struct BuiltEdge {
    /// The slot of the source.
    pub(super) from: usize,
    /// The slot of the destination.
    pub(super) to: usize,
    /// Where the state keeps what it carries; `None` for forward edges.
    pub(super) register: Option<usize>,
    /// How many ticks back it reads, at least 1 for edges with a register.
    pub(super) delay: usize,
    pub(super) combine: Combine,
    /// For messages: `feedback "output" -> "hidden1"`.
    pub(super) place: String,
    /// Of its parameters and random numbers.
    path: String,
    source: Spec,
    map: Map,
    /// The shift of FiLM.
    shift: Option<Map>,
    gate: Option<(ParamId, ParamId)>,
    pub(super) initial: Initial,
    learned: Option<ParamId>,
    damping: f64,
    noise: f64,
    dropout: f64,
    clip: Option<f64>,
    limit: Option<f64>,
}

impl BuiltEdge {
    pub(super) fn build<F: Float>(
        edge: &Edge,
        topology: &Topology,
        values: &BuiltValues<F>,
        register: Option<usize>,
        scope: &mut Scope<F>,
    ) -> Result<Self> {
        let slot = |name: &str| topology.slot(name).expect("ends were checked");
        let (from, to) = (slot(&edge.from), slot(&edge.to));
        let inputs = topology.inputs.len();
        let node = |slot: usize| slot.checked_sub(inputs).map(|node| &values.nodes[node]);
        let source = values.spec(from).expect("ends were checked");
        let joined = node(to).map_or_else(|| topology.inputs[to].spec, |node| node.inputs[0].1);
        let target = node(to).and_then(|node| node.sum).unwrap_or(joined.shape);
        if source.kind != ValueKind::Float || joined.kind != ValueKind::Float {
            return Err(carries_no_numbers(edge, source, joined));
        }
        let path = edge.path();
        let place = || Destination {
            node: node(to),
            input: joined.shape,
            target,
        };
        scope.inside(&path, |scope| {
            let map = Self::map(edge, source, target, scope, place)?;
            let shift = match edge.combine {
                Combine::Film => Some(scope.inside("shift", |scope| {
                    Self::map(edge, source, target, scope, place)
                })?),
                _ => None,
            };
            let gate = match edge.combine {
                Combine::Gate => Some(Self::gate_weights(edge, &map, source, target, scope)?),
                _ => None,
            };
            let learned = match edge.initial {
                Initial::Learned => Some(scope.param_with(
                    "initial",
                    Tensor::zeros_of(source.shape),
                    Role::State,
                )?),
                _ => None,
            };
            Ok(Self {
                from,
                to,
                register,
                delay: edge.delay.max(1),
                combine: edge.combine,
                place: edge.place(),
                path: scope.path().to_owned(),
                source,
                map,
                shift,
                gate,
                initial: edge.initial,
                learned,
                damping: edge.damping,
                noise: edge.noise,
                dropout: edge.dropout,
                clip: edge.clip,
                limit: edge.limit,
            })
        })
    }

    fn map<'a, F: Float>(
        edge: &Edge,
        source: Spec,
        target: Shape,
        scope: &mut Scope<F>,
        destination: impl Fn() -> Destination<'a, F>,
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
        // Noise is added to zeros, too; a first sweep is one without the edge.
        let noisy = self.noise > 0.0 && cx.draws() && self.initial == Initial::Zeros;
        match self.initial {
            Initial::Zeros | Initial::FirstSweep if self.combine != Combine::Concat && !noisy => {
                None
            }
            _ => Some(self.full_initial_value(cx, batch)),
        }
    }

    /// The value that the edge carries while its source has none yet.
    pub(super) fn full_initial_value<F: Float>(
        &self,
        cx: &mut Context<'_, F>,
        batch: usize,
    ) -> Var<F> {
        let mut extents = vec![batch];
        extents.extend(self.source.shape.iter());
        let constant = |x: f64| Var::constant(Tensor::full_of(extents.as_slice(), F::from_f64(x)));
        match (self.initial, self.learned) {
            (_, Some(id)) => cx.param(id).broadcast_to(extents),
            (Initial::Constant(value), _) => constant(value),
            (Initial::Noise(deviation), _) => {
                let key = cx.root_key().fold(&self.path).fold("initial");
                Var::constant(noise(cx, key, deviation, extents.as_slice().into()))
            }
            _ => constant(0.0),
        }
    }

    /// What joins the destination, given what the register or the source holds.
    pub(super) fn deliver<F: Float>(
        &self,
        cx: &Context<'_, F>,
        value: Var<F>,
        tick: usize,
    ) -> Var<F> {
        let mut r = value;
        if let Some(norm) = self.clip {
            r = clip_gradient(&r, norm);
        }
        if self.dropout > 0.0 && cx.mode() == Mode::Train && !r.tensor().is_empty() {
            r = &r * &Var::constant(self.dropout_mask(cx, &r));
        }
        if self.noise > 0.0 && cx.draws() {
            let key = cx.root_key().fold(&self.path).fold_index(tick as u64);
            let shape = *r.shape();
            r = r + Var::constant(noise(cx, key, self.noise, shape));
        }
        r
    }

    /// The same features at every tick.
    fn dropout_mask<F: Float>(&self, cx: &Context<'_, F>, r: &Var<F>) -> Tensor<F> {
        let key = cx.root_key().fold(&self.path).fold("dropout");
        let kept = F::from_f64(1.0 / (1.0 - self.dropout));
        let features = r.tensor().len() / r.shape()[0];
        Tensor::filled_by(*r.shape(), |out| {
            for (row, values) in out.chunks_exact_mut(features).enumerate() {
                let mut rng = key.at(cx.step(), cx.row(row));
                for value in values {
                    let silent = rng.random::<f64>() < self.dropout;
                    *value = if silent { F::ZERO } else { kept };
                }
            }
        })
    }

    /// Whether its register holds just what the source gave.
    pub(super) fn is_plain(&self) -> bool {
        self.damping == 1.0
    }

    /// Notes in the state what the source gives at this tick.
    pub(super) fn store<F: Float>(
        &self,
        cx: &mut Context<'_, F>,
        state: &mut State<F>,
        value: &Var<F>,
    ) -> Result<()> {
        let register = self.register.expect("forward edges store nothing");
        let value = if self.damping < 1.0 {
            let share = F::from_f64(self.damping);
            let rest = F::from_f64(1.0 - self.damping);
            let before = match state.get(register, 1) {
                Some(before) => Some(before.clone()),
                None => self.initial_value(cx, value.shape()[0]),
            };
            match before {
                Some(before) => before * rest + value * share,
                None => value * share,
            }
        } else {
            value.clone()
        };
        if let Some(limit) = self.limit {
            self.check_limit(cx, value.tensor(), limit)?;
        }
        state.push(register, value);
        Ok(())
    }

    fn check_limit<F: Float>(
        &self,
        cx: &Context<'_, F>,
        value: &Tensor<F>,
        limit: f64,
    ) -> Result<()> {
        let beyond = |x: F| x.to_f64().abs() > limit || !x.is_finite();
        let Some(position) = value.iter().position(beyond) else {
            return Ok(());
        };
        let row = position / (value.len() / value.dim(0)).max(1);
        let found = value.iter().nth(position).map_or(f64::NAN, F::to_f64);
        Err(Error::NonFinite {
            place: self.place.clone(),
            iteration: cx.iteration(),
            found: format!("{found:.3e} in row {row} of the batch, and may carry up to {limit}"),
            help: "the loop diverges: lower the learning rate, damp the edge with .damping(0.5), or bound its source with Tanh"
                .to_owned(),
        })
    }

    /// Joins the fed-back value `r` with `u`: the sum inside the destination, or its input.
    pub(super) fn join<F: Float>(&self, cx: &mut Context<'_, F>, u: &Var<F>, r: &Var<F>) -> Var<F> {
        if self.combine == Combine::Concat {
            return Var::concat(&[u, r], u.shape().len() - 1);
        }
        if self.combine == Combine::Add {
            return self.map.add(cx, u, r);
        }
        let mapped = self.map.apply(cx, r);
        if let Combine::Multiply | Combine::Film = self.combine {
            let scaled = u + &(u * &mapped);
            return match &self.shift {
                Some(shift) => scaled + shift.apply(cx, r),
                None => scaled,
            };
        }
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
        match self.combine {
            Combine::Gate => format!("{how}, gated"),
            Combine::Multiply => format!("{how}, multiplies"),
            Combine::Film => format!("{how}, scales and shifts"),
            _ => how,
        }
    }

    /// How the weights of the edge sample up or down, for diagrams; empty where they do not.
    pub(super) fn sampling(&self) -> String {
        self.map.note()
    }
}

/// Normally distributed numbers, for each row from its own stream.
fn noise<F: Float>(cx: &Context<'_, F>, key: Key, deviation: f64, shape: Shape) -> Tensor<F> {
    let features = shape[1..].iter().product::<usize>().max(1);
    Tensor::filled_by(shape, |out| {
        for (row, values) in out.chunks_exact_mut(features).enumerate() {
            let mut rng = key.at(cx.step(), cx.row(row));
            for value in values {
                let z: f64 = StandardNormal.sample(&mut rng);
                *value = F::from_f64(deviation * z);
            }
        }
    })
}

/// The same value, whose gradient has at most this norm in each row.
fn clip_gradient<F: Float>(value: &Var<F>, norm: f64) -> Var<F> {
    Var::custom(
        "clip_gradient",
        &[value],
        value.tensor().clone(),
        move |g| {
            let rows = g.dim(0);
            let per_row = (g.len() / rows.max(1)).max(1);
            let mut clipped = g.contiguous();
            for row in clipped.make_mut().chunks_exact_mut(per_row) {
                let length = row.iter().map(|x| x.to_f64().powi(2)).sum::<f64>().sqrt();
                if length > norm {
                    let factor = F::from_f64(norm / length);
                    row.iter_mut().for_each(|x| *x *= factor);
                }
            }
            vec![Some(clipped)]
        },
    )
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
