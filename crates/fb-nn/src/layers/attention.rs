//! Positions that look at each other.

use super::misfit;
use super::projection::Projection;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{
    Built, Context, Layer, Memory, Module, Scope, Spec, StreamModule, Streaming, Value, ValueKind,
    not_one,
};
use fb_autograd::Var;
use fb_tensor::{Attention, Float, KvCache, Shape, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// Scaled dot-product attention in several heads.
///
/// `y = concat over heads(softmax(Q Kᵀ / √d) V) · W_o + b_o` with `Q = x W_q + b_q`, `K = c W_k + b_k`, `V = c W_v + b_v`
///
/// The context `c` is `x` itself (self-attention), or a second input (cross-attention). [Causal](Self::causal), a position
/// sees itself and those before it. With [fewer heads of keys and values](Self::key_value_heads) than of queries, several
/// heads share one (grouped-query attention). [Rotary](Self::rotary), queries and keys are turned by angles that grow with
/// their positions. All of it in one pass whose memory grows with the length, not with its square.
///
/// A [`Sequential`](crate::Sequential) network uses it as self-attention. [`Module::forward`] also takes a context and a
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
    pub(super) fn module<F: Float>(
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
        let head = match self.head_width {
            Some(head) if head > 0 => head,
            None if width.is_multiple_of(heads) => width / heads,
            _ => {
                return Err(scope.error(
                    kind,
                    format!("a width that {heads} heads divide"),
                    self.head_width.unwrap_or(width).to_string(),
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
            rotary: self.rotary.map(|base| Rotary {
                positions: x[0],
                width: head,
                base,
                tables: OnceLock::new(),
            }),
            input: x,
            context,
        })
    }

    /// `4 heads of 16, causal`
    pub(super) fn describe(&self, width: usize) -> String {
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
pub(super) fn sequences<F: Float>(
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

/// The angles of positions.
#[derive(Debug)]
struct Rotary<F: Float> {
    positions: usize,
    width: usize,
    base: f64,
    /// Cosines and sines, made when an input is there: what a file says is not enough to ask for memory.
    tables: OnceLock<(Tensor<F>, Tensor<F>)>,
}

#[derive(Debug)]
pub(super) struct AttentionModule<F: Float> {
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    heads: usize,
    /// Heads of keys and values.
    shared: usize,
    causal: bool,
    rotary: Option<Rotary<F>>,
    input: Shape,
    context: Option<Shape>,
}

impl<F: Float> AttentionModule<F> {
    /// Attention of the positions of `x` to those of the context, or to each other.
    pub(super) fn attend(
        &self,
        cx: &mut Context<'_, F>,
        x: &Var<F>,
        context: Option<&Var<F>>,
        mask: Option<&Tensor<bool>>,
    ) -> Result<Var<F>> {
        self.check(cx, x, context)?;
        let q = self.queries(cx, x, 0)?;
        let (k, v) = self.keys_values(cx, context.unwrap_or(x), 0)?;
        self.mix(cx, &q, &k, &v, mask)
    }

    /// [`AttentionModule::attend`] for the next piece of `x`.
    pub(super) fn attend_from(
        &self,
        cx: &mut Context<'_, F>,
        x: &Var<F>,
        context: Option<&Var<F>>,
        mask: Option<&Tensor<bool>>,
        memory: Memory<F>,
    ) -> Result<(Var<F>, Memory<F>)> {
        self.check(cx, x, context)?;
        let batch = x.shape()[0];
        let head = cx.params().get(self.key.weight).value.dim(1) / self.shared;
        let mut cache = match memory {
            Memory::KeysValues(cache) => cache,
            Memory::Empty => Box::new(KvCache::new(batch, self.shared, head, head)),
            other => return Err(other.misfit(cx, "keys and values")),
        };
        let extents = |t: Tensor<F>| [t.dim(0), t.dim(1), t.dim(3)];
        let wanted = [batch, self.shared, head];
        if extents(cache.keys()) != wanted || extents(cache.values()) != wanted {
            let expected = format!("keys and values [{batch}, {}, …, {head}]", self.shared);
            return Err(Memory::KeysValues(cache).misfit(cx, &expected));
        }
        let passed = cache.len();
        let q = self.queries(cx, x, if self.context.is_some() { 0 } else { passed })?;
        if self.context.is_none() || passed == 0 {
            let (k, v) = self.keys_values(cx, context.unwrap_or(x), passed)?;
            cache.try_append(k.tensor(), v.tensor())?;
        }
        let (k, v) = (Var::constant(cache.keys()), Var::constant(cache.values()));
        let y = self.mix(cx, &q, &k, &v, mask)?;
        Ok((y, Memory::KeysValues(cache)))
    }

    /// Whether the layer can run on pieces of a sequence.
    pub(super) fn is_streamable(&self) -> bool {
        self.causal || self.context.is_some()
    }

    /// Checks that `x` is a sequence of the width that the layer was built for.
    pub(super) fn check_input(&self, cx: &Context<'_, F>, x: &Var<F>) -> Result<()> {
        sequence(cx, x, &self.input)
    }

    fn check(&self, cx: &Context<'_, F>, x: &Var<F>, context: Option<&Var<F>>) -> Result<()> {
        self.check_input(cx, x)?;
        match (context, &self.context) {
            (None, None) => Ok(()),
            (Some(context), Some(input)) => {
                sequence(cx, context, input)?;
                if context.shape()[0] == x.shape()[0] {
                    return Ok(());
                }
                Err(misfit::error(
                    cx,
                    context,
                    input,
                    "x and its context have the same batch",
                ))
            }
            (given, _) => Err(Error::Data {
                place: cx.place(),
                expected: match given {
                    None => "x and a context".to_owned(),
                    Some(_) => "x alone".to_owned(),
                },
                found: match given {
                    None => "x alone".to_owned(),
                    Some(_) => "x and a context".to_owned(),
                },
                help:
                    "whether there is a context is said by the inputs that the layer is built for"
                        .to_owned(),
            }),
        }
    }

    fn queries(&self, cx: &mut Context<'_, F>, x: &Var<F>, first: usize) -> Result<Var<F>> {
        let q = split_heads(&self.query.apply(cx, x), self.heads);
        self.turned(cx, q, first)
    }

    fn keys_values(
        &self,
        cx: &mut Context<'_, F>,
        context: &Var<F>,
        first: usize,
    ) -> Result<(Var<F>, Var<F>)> {
        let k = split_heads(&self.key.apply(cx, context), self.shared);
        let v = split_heads(&self.value.apply(cx, context), self.shared);
        Ok((self.turned(cx, k, first)?, v))
    }

    /// Turned by the angles of their positions, the first of which is number `first`.
    fn turned(&self, cx: &Context<'_, F>, x: Var<F>, first: usize) -> Result<Var<F>> {
        let Some(rotary) = &self.rotary else {
            return Ok(x);
        };
        let end = first + x.shape()[2];
        if end > rotary.positions {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("at most {} positions", rotary.positions),
                found: format!("{end} positions"),
                help: "a longer sequence needs a network that was built for it".to_owned(),
            });
        }
        let (cos, sin) = rotary.tables.get_or_init(|| {
            Tensor::rotary_tables_of(0..rotary.positions, rotary.width, rotary.base)
        });
        Ok(x.rotary(&cos.slice(0, first..end), &sin.slice(0, first..end)))
    }

    fn mix(
        &self,
        cx: &mut Context<'_, F>,
        q: &Var<F>,
        k: &Var<F>,
        v: &Var<F>,
        mask: Option<&Tensor<bool>>,
    ) -> Result<Var<F>> {
        let mut options = Attention::new();
        if self.causal {
            options = options.causal();
        }
        let [batch, heads, queries, _] = <[usize; 4]>::try_from(q.dims()).expect("split in heads");
        if let Some(mask) = mask {
            options = options.allow(broadcast(cx, mask, [batch, heads, queries, k.dims()[2]])?);
        }
        let y = q.try_attention(k, v, &options)?;
        let all = heads * y.dims()[3];
        let y = y.permute(&[0, 2, 1, 3]).reshape([batch, queries, all]);
        Ok(self.output.apply(cx, &y))
    }
}

fn sequence<F: Float>(cx: &Context<'_, F>, x: &Var<F>, input: &Shape) -> Result<()> {
    if x.shape().len() == 3 && x.shape()[1] > 0 && x.shape()[2] == input[1] {
        return Ok(());
    }
    Err(misfit::error(cx, x, input, "a sequence has time and width"))
}

/// `[batch, time, heads · d]` as `[batch, heads, time, d]`, without a copy.
fn split_heads<F: Float>(x: &Var<F>, heads: usize) -> Var<F> {
    let [batch, time, all] = <[usize; 3]>::try_from(x.dims()).expect("checked");
    x.reshape([batch, time, heads, all / heads])
        .permute(&[0, 2, 1, 3])
}

/// A mask as `[batch, heads, queries, keys]`, axes that it does not have with extent 1.
fn broadcast<F: Float>(
    cx: &Context<'_, F>,
    mask: &Tensor<bool>,
    [batch, heads, queries, keys]: [usize; 4],
) -> Result<Tensor<bool>> {
    let shape = match *mask.dims() {
        [b, k] => Some([b, 1, 1, k]),
        [b, q, k] => Some([b, 1, q, k]),
        [b, h, q, k] => Some([b, h, q, k]),
        _ => None,
    };
    let fits = |extent: usize, whole: usize| extent == whole || extent == 1;
    match shape {
        Some(shape @ [b, h, q, k])
            if fits(b, batch) && fits(h, heads) && fits(q, queries) && k == keys =>
        {
            Ok(mask.reshape(shape))
        }
        _ => Err(Error::Data {
            place: cx.place(),
            expected: format!(
                "a mask [{batch}, {keys}], [{batch}, {queries}, {keys}] or [{batch}, {heads}, {queries}, {keys}]"
            ),
            found: mask.shape().to_string(),
            help: "a mask says for each key whether it counts: [batch, keys] for padded sequences"
                .to_owned(),
        }),
    }
}

/// What attention is given: `x`, a context if there is one, a mask if there is one.
type Operands<'a, F> = (&'a Var<F>, Option<&'a Var<F>>, Option<&'a Tensor<bool>>);

pub(super) fn operands<'a, F: Float>(
    cx: &Context<'_, F>,
    inputs: &'a [Value<F>],
) -> Result<Operands<'a, F>> {
    match inputs {
        [Value::Float(x)] => Ok((x, None, None)),
        [Value::Float(x), Value::Mask(mask)] => Ok((x, None, Some(mask))),
        [Value::Float(x), Value::Float(context)] => Ok((x, Some(context), None)),
        [Value::Float(x), Value::Float(context), Value::Mask(mask)] => {
            Ok((x, Some(context), Some(mask)))
        }
        _ => Err(not_one(
            cx,
            inputs,
            "one tensor of numbers, perhaps with a context and a mask",
        )),
    }
}

impl<F: Float> Module<F> for AttentionModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let (x, context, mask) = operands(cx, inputs)?;
        Ok(vec![Value::Float(self.attend(cx, x, context, mask)?)])
    }

    fn streaming(&self) -> Streaming<'_, F> {
        if self.is_streamable() {
            Streaming::Stateful(self)
        } else {
            Streaming::Whole
        }
    }
}

impl<F: Float> StreamModule<F> for AttentionModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let (x, context, mask) = operands(cx, inputs)?;
        let (y, memory) = self.attend_from(cx, x, context, mask, memory)?;
        Ok((Value::Float(y), memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Params;
    use fb_tensor::random::Key;

    fn build(
        layer: MultiHeadAttention,
        inputs: &[Spec],
    ) -> Result<(Box<dyn Module<f64>>, Params<f64>)> {
        let mut scope = Scope::new(Key::new(0));
        scope.enter("attention");
        let module = layer.build(&mut scope, inputs)?.module;
        Ok((module, scope.into_params()))
    }

    #[test]
    fn bad_configurations_are_errors() {
        let (x, context) = (Spec::float([4, 6]), Spec::float([3, 5]));
        let error = |layer, inputs: &[Spec]| build(layer, inputs).unwrap_err().to_string();
        assert_eq!(
            error(MultiHeadAttention::new(4), &[x]),
            "layer \"attention\" (MultiHeadAttention): expected a width that 4 heads divide, found 6\n  \
             help: change the number of heads or the width before it, or give .head_width(features)"
        );
        assert_eq!(
            error(MultiHeadAttention::new(6).key_value_heads(4), &[x]),
            "layer \"attention\" (MultiHeadAttention): expected at least 1 head, in equal groups for each head of keys and \
             values, found 6 heads for 4\n  help: the number of key-value heads divides the number of heads"
        );
        for heads in [0, 3] {
            let layer = MultiHeadAttention::new(heads).key_value_heads(0);
            assert!(error(layer, &[x]).contains(&format!("found {heads} heads for 0")));
        }
        assert!(error(MultiHeadAttention::new(2).head_width(0), &[x]).contains("found 0"));
        let rotary = MultiHeadAttention::new(2).rotary(100.0);
        assert!(error(rotary, &[x]).contains("found base 100, width 3 and 1 inputs"));
        assert!(error(rotary.head_width(4), &[x, context]).contains("and 2 inputs"));
        assert!(
            error(MultiHeadAttention::new(2).causal(), &[x, context]).contains("found a context")
        );
        assert!(
            error(MultiHeadAttention::new(2), &[Spec::float([6])])
                .contains("expected an input [batch, time, width], found [batch, 6]")
        );
        assert!(error(MultiHeadAttention::new(2), &[x, x, x]).contains("one input of numbers"));
    }

    #[test]
    fn inputs_that_do_not_fit_are_errors() {
        let x = |shape: [usize; 3]| Value::Float(Var::constant(Tensor::ones_of(shape)));
        let mask = |shape: &[usize]| Value::Mask(Tensor::full_of(shape, true));
        let specs = [Spec::float([4, 6]), Spec::float([3, 5])];
        let (alone, params) = build(MultiHeadAttention::new(2), &specs[..1]).unwrap();
        let error = |module: &dyn Module<f64>, params: &Params<f64>, inputs: &[Value<f64>]| {
            let mut cx = Context::eval(params);
            cx.enter_layer("attention");
            module.forward(&mut cx, inputs).unwrap_err().to_string()
        };
        assert_eq!(
            error(&*alone, &params, &[x([2, 4, 6]), mask(&[2, 3])]),
            "layer \"attention\": expected a mask [2, 4], [2, 4, 4] or [2, 2, 4, 4], found [2, 3]\n  \
             help: a mask says for each key whether it counts: [batch, keys] for padded sequences"
        );
        for shape in [&[4][..], &[3, 4], &[2, 3, 4], &[2, 5, 4, 4], &[2, 2, 4, 1]] {
            let text = error(&*alone, &params, &[x([2, 4, 6]), mask(shape)]);
            assert!(text.contains("expected a mask"), "{text}");
        }
        let text = error(&*alone, &params, &[x([2, 4, 5])]);
        assert!(
            text.contains("expected numbers [batch, 4, 6], found [2, 4, 5]"),
            "{text}"
        );
        let text = error(&*alone, &params, &[x([2, 4, 6]), x([2, 3, 5])]);
        assert!(
            text.contains("expected x alone, found x and a context"),
            "{text}"
        );
        let (cross, params) = build(MultiHeadAttention::new(2), &specs).unwrap();
        let text = error(&*cross, &params, &[x([2, 4, 6])]);
        assert!(
            text.contains("expected x and a context, found x alone"),
            "{text}"
        );
        let text = error(&*cross, &params, &[x([2, 4, 6]), x([1, 3, 5])]);
        assert!(
            text.contains("expected numbers [batch, 3, 5], found [1, 3, 5]"),
            "{text}"
        );
    }

    #[test]
    fn rotary_positions_end_where_the_network_was_built_to() {
        let layer = MultiHeadAttention::new(1).rotary(100.0);
        let (module, params) = build(layer, &[Spec::float([3, 4])]).unwrap();
        let mut cx = Context::eval(&params);
        cx.enter_layer("attention");
        let x = Value::Float(Var::constant(Tensor::ones_of([1, 5, 4])));
        let error = module.forward(&mut cx, &[x]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer \"attention\": expected at most 3 positions, found 5 positions\n  \
             help: a longer sequence needs a network that was built for it"
        );
        // Tables of absurd sizes are not made before an input is there.
        let absurd = Spec::float([1 << 40, 4]);
        assert!(build(layer, &[absurd]).is_ok());
    }

    #[test]
    fn a_memory_of_other_heads_is_told() {
        let layer = MultiHeadAttention::new(2).causal();
        let (module, params) = build(layer, &[Spec::float([4, 6])]).unwrap();
        let Streaming::Stateful(module) = module.streaming() else {
            panic!("causal attention runs on pieces")
        };
        let mut cx = Context::eval(&params);
        cx.enter_layer("attention");
        let x = Value::Float(Var::constant(Tensor::ones_of([1, 1, 6])));
        let memory = Memory::KeysValues(Box::new(KvCache::new(1, 3, 2, 2)));
        let error = module.forward_from(&mut cx, &[x], memory).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "layer \"attention\": expected keys and values [1, 2, …, 3] as memory, found keys and values [1, 3, 0, 2]"
            ),
            "{error}"
        );
    }

    #[test]
    fn who_may_attend_to_nothing_gets_the_output_bias() {
        let (module, mut params) =
            build(MultiHeadAttention::new(2), &[Spec::float([3, 4])]).unwrap();
        let bias = params.id("attention/output/bias").unwrap();
        params.get_mut(bias).value = Tensor::from([1.0, 2.0, 3.0, 4.0]).cast();
        let x = Value::Float(Var::constant(Tensor::ones_of([1, 3, 4])));
        let none = Value::Mask(Tensor::full_of([1, 3], false));
        let mut cx = Context::eval(&params);
        let y = module.forward(&mut cx, &[x, none]).unwrap().remove(0);
        let y = y.as_float().unwrap().tensor();
        assert_eq!(y.index_axis(1, 2).to_vec(), [1.0, 2.0, 3.0, 4.0]);
    }
}
