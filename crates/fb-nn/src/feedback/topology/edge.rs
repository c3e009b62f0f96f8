//! What carries a value from one layer to another: forward past the layers between, or back.

use crate::error::Error;
use serde::{Deserialize, Serialize};

/// The name of a chain's input as the end of an edge.
pub const INPUT: &str = "input";

/// How the value of an edge joins its destination: `u` is the sum inside the destination before its activation, or its
/// (first) input if it has none; `r` is what the edge carries and `P` its projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Combine {
    /// `u + P(r)`.
    Add,
    /// `[x, r]`: the layer's input gets wider by the features of the edge.
    Concat,
    /// `u + σ(W_g [u, r] + b_g) · P(r)`: added like [`Combine::Add`], through a learned gate that starts nearly shut. Maps
    /// have a gate at each position; where the source has other positions than the destination, the gate sees `P(r)` in
    /// place of `r`.
    Gate,
    /// `u · (1 + P(r))`: the edge turns each number of its destination up or down; nothing changes where it carries zeros.
    Multiply,
    /// `u · (1 + P(r)) + Q(r)`: feature-wise linear modulation, with a projection each for scale and shift.
    ///
    /// # References
    /// E. Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018.
    Film,
}

/// How the value of an edge is brought into the shape of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Projection {
    /// By learned weights, the fewest that make sense of the two shapes:
    ///
    /// | source → destination | weights | what they do |
    /// |---|---|---|
    /// | `[…, c]` → `[…, d]`, the same positions | `[c, d]` | a matrix at each position (a 1×1 convolution) |
    /// | `[c]` → `[h, w, d]` or `[t, d]` | `[c, d]` | the same addition at each position |
    /// | `[h, w, c]` or `[t, c]` → `[d]` | `[c, d]` | a matrix on the average over positions |
    /// | a map → one `r` times as large on each axis, `r` up to 4 | `[r, r, d, c]` | a transposed convolution with stride `r`: each position becomes a patch |
    /// | a map → one `r` times as small | `[r, r, c, d]` | a convolution with stride `r`: each patch becomes a position |
    /// | a map → another smaller one | `[c, d]` | averages over cells, then a matrix at each position |
    /// | a map → one of other extents | `[c, d]` | a matrix at each position, then bilinear interpolation |
    /// | `[t, c]` ↔ `[h, w, d]` with `t = h · w` | `[c, d]` | positions in row-major order, a matrix at each |
    /// | other shapes | `[c, d]` | the average over positions, the same addition at each position |
    Learned,
    /// By a learned matrix from all features of the source to all features of the destination.
    Full,
    /// Not at all: the shapes must be equal.
    Identity,
}

/// What an edge carries before its source has a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initial {
    /// Zeros.
    Zeros,
    /// A learned value, the same for every sample.
    Learned,
    /// The same number everywhere.
    Constant(f64),
    /// Normally distributed numbers of this standard deviation, drawn anew for each sample and step of training, so that the
    /// loop learns to come to its answer from anywhere. In evaluation they depend on the key of the pass alone
    /// ([`Context::with_key`](crate::Context::with_key)).
    Noise(f64),
    /// What the source gives in a sweep without feedback.
    FirstSweep,
}

/// What a delay counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Clock {
    /// Iterations over the same input; inside a [scope](super::Scope), its cycles.
    #[default]
    Iteration,
    /// Steps along a sequence.
    Step,
}

/// An edge beside the inputs of layers: a feedback edge, or a forward one past the layers between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The layer whose output it carries; a forward edge may start at an input.
    pub from: String,
    /// The layer that it goes to, or an input.
    pub to: String,
    /// How it joins its destination.
    pub combine: Combine,
    /// How it is brought into shape.
    pub projection: Projection,
    /// After how many ticks of its clock it arrives. 0 is a forward edge if the source comes before the destination, and
    /// otherwise an algebraic loop: the value is the one that the loop itself comes to, which a solver finds.
    pub delay: usize,
    /// What it carries before.
    pub initial: Initial,
    /// What the delay counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock: Clock,
    /// Whether the value of an iteration edge is kept from one step of a sequence to the next instead of starting anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub carry: bool,
    /// The share `λ` of the new value in what is carried: `r ← (1 − λ) r + λ v`. 1 is the new value alone.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub damping: f64,
    /// The standard deviation of the noise that is added at each tick, in training and where the pass has a
    /// [key](crate::Context::with_key).
    #[serde(default, skip_serializing_if = "is_default")]
    pub noise: f64,
    /// The share of features that is silenced in training, the same ones at every tick (variational dropout).
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropout: f64,
    /// The largest norm of the gradient that flows back along the edge, for each sample and tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// The largest number that the edge may carry: beyond it the run ends with an error that names edge and iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl Edge {
    /// An edge that adds through learned weights, with a delay of one iteration, from zeros.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            combine: Combine::Add,
            projection: Projection::Learned,
            delay: 1,
            initial: Initial::Zeros,
            clock: Clock::Iteration,
            carry: false,
            damping: 1.0,
            noise: 0.0,
            dropout: 0.0,
            clip: None,
            limit: None,
        }
    }

    /// A forward edge that adds through learned weights.
    pub fn forward(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            delay: 0,
            ..Self::new(from, to)
        }
    }

    /// The path of the edge's parameters: `feedback/output->hidden1`, or `edge/input->output` without delay.
    pub fn path(&self) -> String {
        format!("{}/{}->{}", self.kind(), self.from, self.to)
    }

    /// The edge in messages: `feedback "output" -> "hidden1"`, or `edge "input" -> "output"` without delay.
    pub fn place(&self) -> String {
        format!("{} {:?} -> {:?}", self.kind(), self.from, self.to)
    }

    fn kind(&self) -> &'static str {
        if self.delay == 0 { "edge" } else { "feedback" }
    }

    /// An error about this edge.
    pub(in crate::feedback) fn error(
        &self,
        problem: impl Into<String>,
        detail: impl Into<String>,
        help: impl Into<String>,
    ) -> Error {
        Error::Feedback {
            kind: self.kind(),
            from: self.from.clone(),
            to: self.to.clone(),
            problem: problem.into(),
            detail: detail.into(),
            help: help.into(),
        }
    }
}
