//! Attention as it runs.

use super::rotary::Rotary;
use crate::error::{Error, Result};
use crate::layers::misfit;
use crate::layers::projection::Projection;
use crate::module::{Context, Mode, Module, Streaming, Value, not_one};
use fb_autograd::Var;
use fb_tensor::{Attention, AttentionDropout, Float, Shape, Tensor};

#[derive(Debug)]
pub(in crate::layers) struct AttentionModule<F: Float> {
    pub(super) query: Projection,
    pub(super) key: Projection,
    pub(super) value: Projection,
    pub(super) output: Projection,
    pub(super) heads: usize,
    /// Heads of keys and values.
    pub(super) shared: usize,
    pub(super) causal: bool,
    pub(super) rotary: Option<Rotary<F>>,
    /// The share of the weights that is silenced in training.
    pub(super) dropout: f64,
    pub(super) input: Shape,
    pub(super) context: Option<Shape>,
}

impl<F: Float> AttentionModule<F> {
    /// Attention of the positions of `x` to those of the context, or to each other.
    pub(in crate::layers) fn attend(
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

    /// Checks that `x` is a sequence of the width that the layer was built for.
    pub(in crate::layers) fn check_input(&self, cx: &Context<'_, F>, x: &Var<F>) -> Result<()> {
        sequence(cx, x, &self.input)
    }

    pub(super) fn check(
        &self,
        cx: &Context<'_, F>,
        x: &Var<F>,
        context: Option<&Var<F>>,
    ) -> Result<()> {
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

    pub(super) fn queries(
        &self,
        cx: &mut Context<'_, F>,
        x: &Var<F>,
        first: usize,
    ) -> Result<Var<F>> {
        let q = split_heads(&self.query.apply(cx, x), self.heads);
        self.turned(cx, q, first)
    }

    pub(super) fn keys_values(
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
        match &self.rotary {
            Some(rotary) => rotary.turned(cx, &x, first),
            None => Ok(x),
        }
    }

    pub(super) fn mix(
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
        if self.dropout > 0.0 && cx.mode() == Mode::Train {
            let key = cx.inside("weights", |cx| cx.key());
            let rows = (0..batch).map(|row| cx.row(row));
            options = options.dropout(AttentionDropout::new(self.dropout, key, cx.step(), rows));
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

pub(in crate::layers) fn operands<'a, F: Float>(
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
