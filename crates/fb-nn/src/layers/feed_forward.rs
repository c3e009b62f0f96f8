//! Two dense layers with a wider one between, at each position.

use super::dropout::{DropoutModule, check_rate};
use super::projection::Projection;
use super::{Activation, misfit};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, Streaming, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Widens each position, applies a nonlinearity, and narrows it again: the other half of a transformer block.
///
/// `y = activation(x · W_up + b_up) · W_down + b_down`, or, gated,
/// `y = (activation(x · W_gate + b_gate) ⊙ (x · W_up + b_up)) · W_down + b_down`
///
/// # Shapes
/// - `x`: `[batch, …, width]`
/// - `up/weight` (and `gate/weight`): `[width, hidden]`, `down/weight`: `[hidden, width]`, each with a `bias`
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::FeedForward;
/// let network = Sequential::input([6, 8])
///     .layer("plain", FeedForward::new(32))
///     .layer("gated", FeedForward::swiglu(20))
///     .build()?;
/// assert!(network.params().id("gated/gate/weight").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.3; N. Shazeer, "GLU variants improve
/// transformer", 2020, equations 5 and 6.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedForward {
    hidden: usize,
    activation: Activation,
    gated: bool,
    bias: bool,
    dropout: f64,
    weight_init: Initializer,
}

impl FeedForward {
    /// So many features between, with GELU and biases; weights start from [`Initializer::glorot_uniform`].
    pub fn new(hidden: usize) -> Self {
        Self {
            hidden,
            activation: Activation::Gelu,
            gated: false,
            bias: true,
            dropout: 0.0,
            weight_init: Initializer::glorot_uniform(),
        }
    }

    /// SwiGLU: gated by SiLU, without biases, as in Llama.
    pub fn swiglu(hidden: usize) -> Self {
        Self {
            activation: Activation::Silu,
            gated: true,
            bias: false,
            ..Self::new(hidden)
        }
    }

    /// The nonlinearity.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Whether the nonlinearity is applied to a gate, which the widened features are multiplied with.
    #[must_use]
    pub fn gated(self, gated: bool) -> Self {
        Self { gated, ..self }
    }

    /// Whether there are biases.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// The share of the features between that is silenced in training.
    #[must_use]
    pub fn dropout(self, rate: f64) -> Self {
        Self {
            dropout: rate,
            ..self
        }
    }

    /// Where the weights start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self {
            weight_init,
            ..self
        }
    }

    /// Checks everything and makes the parameters; for layers that have this inside, which name their `kind`.
    pub(super) fn module<F: Float>(
        &self,
        scope: &mut Scope<F>,
        kind: &str,
        input: Shape,
    ) -> Result<FeedForwardModule> {
        self.activation.validate()?;
        check_rate(scope, kind, "a dropout rate", self.dropout)?;
        if self.hidden == 0 {
            return Err(scope.error(
                kind,
                "at least 1 feature between",
                "0",
                "four times the width is usual",
            ));
        }
        let width = input[input.len() - 1];
        let mut map =
            |name, ends| Projection::build(scope, name, ends, &self.weight_init, self.bias);
        Ok(FeedForwardModule {
            gate: match self.gated {
                true => Some(map("gate", [width, self.hidden])?),
                false => None,
            },
            up: map("up", [width, self.hidden])?,
            down: map("down", [self.hidden, width])?,
            activation: self.activation,
            dropout: DropoutModule { rate: self.dropout },
            input,
        })
    }

    /// `8 -> 32 -> 8 gelu`
    pub(super) fn describe(&self, width: usize) -> String {
        let gated = if self.gated { ", gated" } else { "" };
        format!(
            "{width} -> {} -> {width} {}{gated}",
            self.hidden, self.activation
        )
    }
}

impl Layer for FeedForward {
    const KIND: &'static str = "FeedForward";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let wanted = "[batch, …, width]";
        let (shape, width) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        Ok(Built {
            module: simple(self.module(scope, Self::KIND, shape)?),
            output: Spec::float(shape),
            sum: None,
            description: format!("FeedForward {}", self.describe(width)),
        })
    }
}

#[derive(Debug)]
pub(super) struct FeedForwardModule {
    gate: Option<Projection>,
    up: Projection,
    down: Projection,
    activation: Activation,
    dropout: DropoutModule,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for FeedForwardModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let up = self.up.apply(cx, x);
        let hidden = match &self.gate {
            None => self.activation.apply(up),
            Some(gate) => match (gate.apply(cx, x), self.activation) {
                (gate, Activation::Silu) => gate.silu_mul(&up),
                (gate, Activation::Gelu) => gate.gelu_mul(&up),
                (gate, Activation::GeluTanh) => gate.gelu_tanh_mul(&up),
                (gate, Activation::Sigmoid) => gate.sigmoid_mul(&up),
                (gate, activation) => activation.apply(gate) * up,
            },
        };
        let hidden = cx.inside("dropout", |cx| self.dropout.forward(cx, &hidden))?;
        Ok(self.down.apply(cx, &hidden))
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}
