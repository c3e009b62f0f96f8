//! What can be chosen about a transformer block.

use crate::error::Result;
use crate::init::Initializer;
use crate::layers::dropout::check_rate;
use crate::layers::norm::{Affine, check_epsilon};
use crate::layers::{Activation, FeedForward, MultiHeadAttention};
use crate::module::{Context, Scope};
use fb_autograd::Var;
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// The choices that blocks with and without a context have in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    pub(super) heads: usize,
    pub(super) key_value_heads: Option<usize>,
    pub(super) causal: bool,
    pub(super) rotary: Option<f64>,
    /// Four times the width without it.
    pub(super) hidden: Option<usize>,
    pub(super) activation: Activation,
    pub(super) gated: bool,
    pub(super) norm: Norm,
    pub(super) epsilon: f64,
    pub(super) placement: Placement,
    pub(super) dropout: f64,
    #[serde(default)]
    pub(super) attention_dropout: f64,
    pub(super) bias: bool,
    pub(super) weight_init: Initializer,
}

/// The kind of norm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Norm {
    Layer,
    Rms,
}

/// Where the norms stand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Placement {
    /// `x + f(norm(x))`
    Pre,
    /// `norm(x + f(x))`
    Post,
}

impl Options {
    pub(super) fn new(heads: usize, causal: bool) -> Self {
        Self {
            heads,
            key_value_heads: None,
            causal,
            rotary: None,
            hidden: None,
            activation: Activation::Gelu,
            gated: false,
            norm: Norm::Layer,
            epsilon: 1e-5,
            placement: Placement::Pre,
            dropout: 0.0,
            attention_dropout: 0.0,
            bias: true,
            weight_init: Initializer::glorot_uniform(),
        }
    }

    /// Self-attention of the block.
    pub(super) fn attention(&self) -> MultiHeadAttention {
        let mut attention = self.cross_attention();
        if self.causal {
            attention = attention.causal();
        }
        if let Some(base) = self.rotary {
            attention = attention.rotary(base);
        }
        attention
    }

    /// Attention to a context.
    pub(super) fn cross_attention(&self) -> MultiHeadAttention {
        let attention = MultiHeadAttention::new(self.heads)
            .dropout(self.attention_dropout)
            .bias(self.bias)
            .weight_init(self.weight_init);
        match self.key_value_heads {
            Some(heads) => attention.key_value_heads(heads),
            None => attention,
        }
    }

    pub(super) fn feed_forward(&self, width: usize) -> FeedForward {
        FeedForward::new(self.hidden.unwrap_or(width.saturating_mul(4)))
            .activation(self.activation)
            .gated(self.gated)
            .bias(self.bias)
            .dropout(self.dropout)
            .weight_init(self.weight_init)
    }

    pub(super) fn check<F: Float>(&self, scope: &Scope<F>, kind: &str) -> Result<()> {
        check_epsilon(scope, kind, self.epsilon)?;
        check_rate(scope, kind, "a dropout rate", self.dropout)
    }

    pub(super) fn norm<F: Float>(&self, scope: &mut Scope<F>, width: usize) -> Result<BlockNorm> {
        Ok(BlockNorm {
            affine: Affine::build(scope, width, true, self.norm == Norm::Layer && self.bias)?,
            kind: self.norm,
            epsilon: self.epsilon,
        })
    }

    /// `4 heads of 16, causal; 64 -> 256 -> 64 gelu; layer norm before`
    pub(super) fn describe(&self, width: usize) -> String {
        let norm = match self.norm {
            Norm::Layer => "layer norm",
            Norm::Rms => "RMS norm",
        };
        let place = match self.placement {
            Placement::Pre => "before",
            Placement::Post => "after",
        };
        format!(
            "{}; {}; {norm} {place}",
            self.attention().describe(width),
            self.feed_forward(width).describe(width)
        )
    }
}

/// A norm within a block.
#[derive(Debug)]
pub(super) struct BlockNorm {
    affine: Affine,
    kind: Norm,
    epsilon: f64,
}

impl BlockNorm {
    pub(super) fn apply<F: Float>(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Var<F> {
        let (weight, bias) = self.affine.values(cx);
        match self.kind {
            Norm::Layer => x.layer_norm(weight.as_ref(), bias.as_ref(), self.epsilon),
            Norm::Rms => x.rms_norm(weight.as_ref(), self.epsilon),
        }
    }

    /// The sum `y + around`, and the norm of it.
    pub(super) fn add<F: Float>(
        &self,
        cx: &mut Context<'_, F>,
        y: &Var<F>,
        around: &Var<F>,
    ) -> (Var<F>, Var<F>) {
        let (weight, bias) = self.affine.values(cx);
        match self.kind {
            Norm::Layer => y.add_layer_norm(around, weight.as_ref(), bias.as_ref(), self.epsilon),
            Norm::Rms => {
                let sum = around + y;
                let normed = sum.rms_norm(weight.as_ref(), self.epsilon);
                (sum, normed)
            }
        }
    }
}

/// The choices as methods of a block's configuration, whose first field they are.
macro_rules! block_options {
    () => {
        /// Features between the two layers of the position-wise part; four times the width without it.
        #[must_use]
        pub fn hidden(mut self, hidden: usize) -> Self {
            self.0.hidden = Some(hidden);
            self
        }

        /// The nonlinearity of the position-wise part; [`Activation::Gelu`] without it.
        #[must_use]
        pub fn activation(mut self, activation: Activation) -> Self {
            self.0.activation = activation;
            self
        }

        /// A position-wise part gated by SiLU (SwiGLU) with so many features between.
        #[must_use]
        pub fn swiglu(mut self, hidden: usize) -> Self {
            self.0.hidden = Some(hidden);
            self.0.activation = Activation::Silu;
            self.0.gated = true;
            self
        }

        /// Norms after each sum, `norm(x + f(x))`, as in the first transformers and in PyTorch's layers unless told
        /// otherwise.
        #[must_use]
        pub fn post_norm(mut self) -> Self {
            self.0.placement = Placement::Post;
            self
        }

        /// RMS norm in place of layer norm.
        #[must_use]
        pub fn rms_norm(mut self) -> Self {
            self.0.norm = Norm::Rms;
            self
        }

        /// What norms add to the variance, or to the mean square; 10⁻⁵ without it.
        #[must_use]
        pub fn epsilon(mut self, epsilon: f64) -> Self {
            self.0.epsilon = epsilon;
            self
        }

        /// The share that is silenced in training: of what each part adds, and of the features between. Attention weights
        /// have [a rate of their own](Self::attention_dropout).
        #[must_use]
        pub fn dropout(mut self, rate: f64) -> Self {
            self.0.dropout = rate;
            self
        }

        /// The share of the attention weights that is silenced in training; see
        /// [`MultiHeadAttention::dropout`](crate::layers::MultiHeadAttention::dropout). PyTorch's layers have one rate for this
        /// and for [`dropout`](Self::dropout).
        #[must_use]
        pub fn attention_dropout(mut self, rate: f64) -> Self {
            self.0.attention_dropout = rate;
            self
        }

        /// Turns queries and keys of self-attention by angles that grow with their positions; see
        /// [`MultiHeadAttention::rotary`](crate::layers::MultiHeadAttention::rotary).
        #[must_use]
        pub fn rotary(mut self, base: f64) -> Self {
            self.0.rotary = Some(base);
            self
        }

        /// Fewer heads of keys and values than of queries; see
        /// [`MultiHeadAttention::key_value_heads`](crate::layers::MultiHeadAttention::key_value_heads).
        #[must_use]
        pub fn key_value_heads(mut self, heads: usize) -> Self {
            self.0.key_value_heads = Some(heads);
            self
        }

        /// Whether there are biases, in maps and norms.
        #[must_use]
        pub fn bias(mut self, bias: bool) -> Self {
            self.0.bias = bias;
            self
        }

        /// Where the weights start; from [`Initializer::glorot_uniform`] without it.
        #[must_use]
        pub fn weight_init(mut self, weight_init: Initializer) -> Self {
            self.0.weight_init = weight_init;
            self
        }
    };
}
pub(super) use block_options;
