//! What can be chosen about attention, and what is made of it.

use super::AttentionModule;
use super::rotary::Rotary;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::layers::dropout::check_rate;
use crate::layers::projection::Projection;
use crate::module::{Built, Layer, Scope, Spec, ValueKind};
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Scaled dot-product attention in several heads.
///
/// `y = concat over heads(softmax(Q Kᵀ / √d) V) · W_o + b_o` with `Q = x W_q + b_q`, `K = c W_k + b_k`, `V = c W_v + b_v`
///
/// The context `c` is `x` itself (self-attention), or a second input (cross-attention). [Causal](Self::causal), a position
/// sees itself and those before it. With [fewer heads of keys and values](Self::key_value_heads) than of queries, several
/// heads share one (grouped-query attention). [Rotary](Self::rotary), queries and keys are turned by angles that grow with
/// their positions. All of it in one pass whose memory grows with the length, not with its square.
///
/// A [`Sequential`](crate::Sequential) network uses it as self-attention. [`Module::forward`](crate::Module::forward) also takes a context and a
/// mask, in this order: `[x]`, `[x, mask]`, `[x, context]` or `[x, context, mask]`; whether there is a context is said by
/// the inputs that it is built for. A mask says which keys count: `[batch, keys]`, such as the tokens that are not
/// padding, or `[batch, queries, keys]` or `[batch, heads, queries, keys]`. A query that may attend to nothing gets zeros.
///
/// A causal layer runs on a sequence [piece by piece](crate::module::StreamModule), remembering keys and values; as
/// cross-attention it remembers those of the context.
///
/// # Shapes
/// - `x`: `[batch, time, width]`, context: `[batch, keys, context width]`
/// - `query/weight`: `[width, heads · d]`, `key/weight`, `value/weight`: `[context width, key-value heads · d]`,
///   `output/weight`: `[heads · d, width]`, each with a `bias`; `d` is `width / heads` unless [set](Self::head_width)
/// - returns `[batch, time, width]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::MultiHeadAttention;
/// let network = Sequential::input([10, 16])
///     .layer("attention", MultiHeadAttention::new(4).causal().rotary(10_000.0))
///     .build()?;
/// assert!(network.params().id("attention/query/weight").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2; J. Ainslie et al., "GQA: training generalized
/// multi-query transformer models from multi-head checkpoints", EMNLP 2023; J. Su et al., "RoFormer: enhanced transformer
/// with rotary position embedding", 2021.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHeadAttention {
    heads: usize,
    key_value_heads: Option<usize>,
    head_width: Option<usize>,
    causal: bool,
    rotary: Option<f64>,
    #[serde(default)]
    dropout: f64,
    bias: bool,
    weight_init: Initializer,
}

impl MultiHeadAttention {
    /// So many heads, each over an equal part of the width, with biases; weights start from
    /// [`Initializer::glorot_uniform`].
    pub fn new(heads: usize) -> Self {
        Self {
            heads,
            key_value_heads: None,
            head_width: None,
            causal: false,
            rotary: None,
            dropout: 0.0,
            bias: true,
            weight_init: Initializer::glorot_uniform(),
        }
    }

    /// Fewer heads of keys and values, each shared by as many heads of queries; 1 is multi-query attention.
    #[must_use]
    pub fn key_value_heads(self, heads: usize) -> Self {
        Self {
            key_value_heads: Some(heads),
            ..self
        }
    }

    /// Features of a head, where they are not an equal part of the width.
    #[must_use]
    pub fn head_width(self, width: usize) -> Self {
        Self {
            head_width: Some(width),
            ..self
        }
    }

    /// A position sees itself and those before it only.
    #[must_use]
    pub fn causal(self) -> Self {
        Self {
            causal: true,
            ..self
        }
    }

    /// Turns queries and keys by angles `position · base^(−2i / d)`; the usual base is 10 000. Feature `i` of a head is
    /// paired with `i + d / 2`, as in GPT-NeoX and LLaMA's weights for transformers.
    #[must_use]
    pub fn rotary(self, base: f64) -> Self {
        Self {
            rotary: Some(base),
            ..self
        }
    }

    /// The share of the attention weights that is silenced in training, as by `dropout` of PyTorch's `MultiheadAttention`: in
    /// each head, a query forgets so many of the keys, and the others count the more.
    ///
    /// What is silenced depends on the seed, the layer's name, the training step, the row's number in the epoch, head, query
    /// and key alone, and stays the same at every iteration of a loop.
    #[must_use]
    pub fn dropout(self, rate: f64) -> Self {
        Self {
            dropout: rate,
            ..self
        }
    }

    /// Whether there are biases.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Where the weights start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self {
            weight_init,
            ..self
        }
    }

    /// Checks everything and makes the parameters; for layers that have attention inside, which name their `kind`.
    pub(in crate::layers) fn module<F: Float>(
        &self,
        scope: &mut Scope<F>,
        kind: &str,
        x: Shape,
        context: Option<Shape>,
    ) -> Result<AttentionModule<F>> {
        let width = x[1];
        let heads = self.heads;
        let shared = self.key_value_heads.unwrap_or(heads);
        if heads == 0 || shared == 0 || !heads.is_multiple_of(shared) {
            return Err(scope.error(
                kind,
                "at least 1 head, in equal groups for each head of keys and values",
                format!("{heads} heads for {shared}"),
                "the number of key-value heads divides the number of heads",
            ));
        }
        check_rate(
            scope,
            kind,
            "a dropout rate of attention weights",
            self.dropout,
        )?;
        let head = match self.head_width {
            Some(0) => {
                return Err(scope.error(
                    kind,
                    "at least 1 feature a head",
                    ".head_width(0)",
                    "without .head_width(features), each head has an equal part of the width",
                ));
            }
            Some(head) => head,
            None if width.is_multiple_of(heads) => width / heads,
            None => {
                return Err(scope.error(
                    kind,
                    format!("a width that {heads} heads divide"),
                    width.to_string(),
                    "change the number of heads or the width before it, or give .head_width(features)",
                ));
            }
        };
        if let Some(base) = self.rotary
            && !(base > 0.0 && base.is_finite() && head.is_multiple_of(2) && context.is_none())
        {
            return Err(scope.error(
                kind,
                "a base above 0, heads of an even width and one input for .rotary()",
                format!(
                    "base {base}, width {head} and {} inputs",
                    1 + usize::from(context.is_some())
                ),
                "pairs of features are turned by the distance of positions in one sequence",
            ));
        }
        if self.causal && context.is_some() {
            return Err(scope.error(
                kind,
                "one input for .causal()",
                "a context",
                "the positions of two sequences have no order: drop .causal()",
            ));
        }
        let source = context.unwrap_or(x);
        let (all, kept) = (Shape::try_new(&[heads, head])?.elements(), shared * head);
        let mut map =
            |name, ends| Projection::build(scope, name, ends, &self.weight_init, self.bias);
        let query = map("query", [width, all])?;
        let key = map("key", [source[1], kept])?;
        let value = map("value", [source[1], kept])?;
        let output = map("output", [all, width])?;
        Ok(AttentionModule {
            query,
            key,
            value,
            output,
            heads,
            shared,
            causal: self.causal,
            rotary: self.rotary.map(|base| Rotary::new(x[0], head, base)),
            dropout: self.dropout,
            input: x,
            context,
        })
    }

    /// `4 heads of 16, causal`
    pub(in crate::layers) fn describe(&self, width: usize) -> String {
        let head = self.head_width.unwrap_or(width / self.heads.max(1));
        let mut text = format!("{} heads of {head}", self.heads);
        if let Some(shared) = self.key_value_heads.filter(|&shared| shared != self.heads) {
            text += &format!(" for {shared}");
        }
        if self.causal {
            text += ", causal";
        }
        if self.rotary.is_some() {
            text += ", rotary";
        }
        text
    }
}

/// The shapes of `x` and, if there is one, of the context; a mask may follow.
pub(in crate::layers) fn sequences<F: Float>(
    scope: &Scope<F>,
    kind: &str,
    inputs: &[Spec],
) -> Result<(Shape, Option<Shape>)> {
    let floats = match inputs {
        [
            floats @ ..,
            Spec {
                kind: ValueKind::Mask,
                ..
            },
        ] if !floats.is_empty() => floats,
        floats => floats,
    };
    let sequence = |input: &Spec| {
        let wanted = "[batch, time, width]";
        let (shape, _) = scope.features(kind, std::slice::from_ref(input), 2..=2, wanted)?;
        Ok::<_, Error>(shape)
    };
    match floats {
        [x] => Ok((sequence(x)?, None)),
        [x, context] if context.kind == ValueKind::Float => {
            Ok((sequence(x)?, Some(sequence(context)?)))
        }
        _ => scope.single_float(kind, floats).map(|shape| (shape, None)),
    }
}

impl Layer for MultiHeadAttention {
    const KIND: &'static str = "MultiHeadAttention";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let (x, context) = sequences(scope, Self::KIND, inputs)?;
        Ok(Built {
            module: Box::new(self.module(scope, Self::KIND, x, context)?),
            output: Spec::float(x),
            sum: None,
            description: format!("MultiHeadAttention {}", self.describe(x[1])),
        })
    }
}
