//! Attention: what a token takes from others, by how well its query meets their keys.

mod cache;
mod dropout;
mod options;
mod positions;
mod rotary;

pub use cache::KvCache;
pub use dropout::AttentionDropout;
pub use options::{Attention, AttentionMask};
pub(crate) use rotary::rotary;

use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Result};
use crate::kernels::attention::{self as kernel, Gradients, Heads, Mask, Pairs, Problem, Saved};
use crate::shape::Shape;
use crate::tensor::Tensor;

const NAME: &str = "attention";

impl<F: Float> Tensor<F> {
    /// Scaled dot-product attention, `softmax(scale · q kᵀ + mask) v` for each head, of the queries `self`. With
    /// [dropout](Attention::dropout), weights are silenced between the softmax and `v`.
    ///
    /// Scores are made and used tile by tile, so memory grows with the length of the sequence, not with its square.
    /// `kv_heads` may be a divisor of `heads`: then each head of keys and values serves `heads / kv_heads` neighbouring
    /// heads of queries. A query that may attend to nothing gives zeros; a NaN that it attends to shows. What a mask hides
    /// has the weight 0, which makes NaN only of values that are not finite.
    ///
    /// A row of the result depends on its query and on the keys that it sees alone, bit for bit: step-by-step decoding with
    /// a [`KvCache`] gives what one causal run gives. (The keys are seen from the first on: padding before them shifts
    /// their tiles, and so the rounding.)
    ///
    /// # Shapes
    /// - `self`: `[batch, heads, queries, width]`
    /// - `keys`: `[batch, kv_heads, keys, width]`
    /// - `values`: `[batch, kv_heads, keys, value_width]`
    /// - returns `[batch, heads, queries, value_width]`, which lies in memory as `[batch, queries, heads, value_width]`: to
    ///   join the heads, `permute(&[0, 2, 1, 3])` and `reshape`, copies nothing
    ///
    /// Views of every kind are read where they lie as long as a token's numbers are next to each other, such as
    /// `x.reshape([batch, time, heads, width]).permute(&[0, 2, 1, 3])`.
    ///
    /// ```
    /// use fb_tensor::{Attention, Tensor};
    /// let q = Tensor::ones([2, 4, 3, 8]);
    /// let (k, v) = (Tensor::ones([2, 2, 5, 8]), Tensor::ones([2, 2, 5, 6]));
    /// let y = q.attention(&k, &v, &Attention::new().causal());
    /// assert_eq!(*y.shape(), [2, 4, 3, 6]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// # References
    /// A. Vaswani et al., "Attention is all you need", 2017, equation 1. J. Ainslie et al., "GQA: training generalized
    /// multi-query transformer models from multi-head checkpoints", 2023 (shared heads of keys and values). T. Dao et al.,
    /// "FlashAttention: fast and memory-efficient exact attention with IO-awareness", 2022 (tiles).
    #[track_caller]
    #[must_use]
    pub fn attention(&self, keys: &Self, values: &Self, options: &Attention<F>) -> Self {
        self.try_attention(keys, values, options).or_panic()
    }

    /// [`Tensor::attention`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_attention(
        &self,
        keys: &Self,
        values: &Self,
        options: &Attention<F>,
    ) -> Result<Self> {
        let (output, _) = self.try_attention_forward(keys, values, options)?;
        Ok(output)
    }

    /// [`Tensor::attention`], and for each query the logarithm of the sum of the exponentials of its scores,
    /// `[batch, heads, queries]` (0 where it attends to nothing), from which [`Tensor::attention_backward`] makes the
    /// weights again.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_attention_forward(
        &self,
        keys: &Self,
        values: &Self,
        options: &Attention<F>,
    ) -> Result<(Self, Self)> {
        (F::kernels().attention)(self, keys, values, options)
    }

    /// The gradients by queries, keys and values of ⟨`gradient`, `output`⟩, each if `wanted`; they lie in memory as
    /// `[batch, time, heads, width]`. `output` and `log_sums` are what [`Tensor::try_attention_forward`] gave.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn attention_backward(
        [queries, keys, values]: [&Self; 3],
        options: &Attention<F>,
        (output, log_sums): (&Self, &Self),
        gradient: &Self,
        wanted: [bool; 3],
    ) -> [Option<Self>; 3] {
        let shape = check([queries, keys, values], options).or_panic();
        let rows = [shape[0], shape[1], shape[2]];
        assert!(
            *output.shape() == shape && *gradient.shape() == shape && *log_sums.shape() == rows,
            "attention_backward: output {}, sums {} and gradient {} do not belong to {shape}",
            output.shape(),
            log_sums.shape(),
            gradient.shape()
        );
        let forward = Forward { output, log_sums };
        (F::kernels().attention_backward)(
            [queries, keys, values],
            options,
            forward,
            gradient,
            wanted,
        )
    }
}

/// What the forward pass left.
pub(crate) struct Forward<'a, F: Element> {
    output: &'a Tensor<F>,
    log_sums: &'a Tensor<F>,
}

/// See [`Tensor::try_attention_forward`].
pub(crate) fn forward<F: Float>(
    queries: &Tensor<F>,
    keys: &Tensor<F>,
    values: &Tensor<F>,
    options: &Attention<F>,
) -> Result<(Tensor<F>, Tensor<F>)> {
    let shape = check([queries, keys, values], options)?;
    let [batch, heads, times, width] = [shape[0], shape[1], shape[2], shape[3]];
    let [queries, keys, values] = [queries, keys, values].map(in_lines);
    let mask = options.mask.as_ref().map(readable);
    let mut log_sums = Tensor::zeros_of([batch, times, heads]);
    let output = Tensor::filled_by([batch, times, heads, width], |out| {
        if !out.is_empty() {
            let problem = problem([&queries, &keys, &values], options, mask.as_ref());
            kernel::forward(&problem, out, log_sums.make_mut());
        }
    });
    Ok((output.permute(&HEADS_FIRST), log_sums.permute(&[0, 2, 1])))
}

/// See [`Tensor::attention_backward`].
pub(crate) fn backward<F: Float>(
    tensors: [&Tensor<F>; 3],
    options: &Attention<F>,
    forward: Forward<'_, F>,
    gradient: &Tensor<F>,
    wanted: [bool; 3],
) -> [Option<Tensor<F>>; 3] {
    let mut index = 0;
    let mut results = tensors.map(|t| {
        index += 1;
        let shape = t.permute(&HEADS_FIRST).shape().to_vec();
        wanted[index - 1].then(|| Tensor::zeros_of(shape))
    });
    if !gradient.is_empty() && wanted.contains(&true) {
        let [queries, keys, values] = tensors.map(in_lines);
        let mask = options.mask.as_ref().map(readable);
        let (output, gradient) = (in_lines(forward.output), in_lines(gradient));
        let log_sums = forward.log_sums.unsqueeze(3);
        let problem = problem([&queries, &keys, &values], options, mask.as_ref());
        let saved = Saved {
            output: lines_of(&output),
            log_sums: lines_of(&log_sums),
            gradient: lines_of(&gradient),
        };
        let [by_queries, by_keys, by_values] = &mut results;
        let gradients = Gradients {
            queries: by_queries.as_mut().map(Tensor::make_mut),
            keys: by_keys.as_mut().map(Tensor::make_mut),
            values: by_values.as_mut().map(Tensor::make_mut),
        };
        kernel::backward(&problem, &saved, gradients);
    }
    results.map(|t| t.map(|t| t.permute(&HEADS_FIRST)))
}

/// Exchanges `[batch, heads, time, width]` and `[batch, time, heads, width]`.
const HEADS_FIRST: [usize; 4] = [0, 2, 1, 3];

/// The shape of the result, if all shapes fit.
fn check<F: Float>([q, k, v]: [&Tensor<F>; 3], options: &Attention<F>) -> Result<Shape> {
    let misfit = |left: &Tensor<F>, right: &Tensor<F>, help| Error::Shapes {
        op: NAME,
        left: left.shape().to_string(),
        right: right.shape().to_string(),
        help,
    };
    let (&[batch, heads, queries, width], &[k_batch, kv_heads, keys, k_width]) =
        (q.dims(), k.dims())
    else {
        return Err(misfit(
            q,
            k,
            "queries and keys are [batch, heads, time, width]",
        ));
    };
    if batch != k_batch {
        return Err(misfit(q, k, "queries and keys are of the same batch"));
    }
    if width != k_width {
        return Err(misfit(q, k, "queries and keys have the same width"));
    }
    if heads != kv_heads && (kv_heads == 0 || heads % kv_heads != 0) {
        return Err(misfit(
            q,
            k,
            "the heads of the keys divide those of the queries",
        ));
    }
    let &[v_batch, v_heads, v_keys, value_width] = v.dims() else {
        return Err(misfit(k, v, "values are [batch, heads, time, width]"));
    };
    if [v_batch, v_heads, v_keys] != [batch, kv_heads, keys] {
        return Err(misfit(k, v, "there is one value for each key"));
    }
    if let Some(dropout) = &options.dropout {
        dropout.check(batch)?;
    }
    if let Some(mask) = &options.mask {
        let (mask, scores) = (mask.shape(), count([batch, heads, queries, keys])?);
        let fits = mask
            .broadcast(&scores, NAME)
            .is_ok_and(|shape| shape == scores);
        if !fits {
            return Err(Error::Shapes {
                op: NAME,
                left: format!("mask {mask}"),
                right: format!("scores {scores}"),
                help: "a mask broadcasts to [batch, heads, queries, keys]",
            });
        }
    }
    count([batch, heads, queries, value_width])
}

/// The shape, if its elements can be counted.
fn count(extents: [usize; 4]) -> Result<Shape> {
    Shape::try_new(&extents).map_err(|_| Error::TooLarge {
        op: NAME,
        shape: format!("{extents:?}"),
    })
}

/// The tensor, copied unless the numbers along its last axis are next to each other and time runs forwards.
fn in_lines<F: Float>(t: &Tensor<F>) -> Tensor<F> {
    let strides = t.strides();
    let next_to_each_other = strides[3] == 1 || t.dim(3) <= 1;
    if t.is_empty() || (next_to_each_other && strides[2] >= 0) {
        return t.clone();
    }
    Tensor::filled_by(*t.shape(), |out| {
        crate::kernels::copy::gather(t.storage_slice(), t.layout(), out)
    })
}

/// A mask whose last axis runs in steps of 0 or 1.
fn readable<F: Float>(mask: &AttentionMask<F>) -> AttentionMask<F> {
    fn copied<T: Element>(t: &Tensor<T>) -> Tensor<T> {
        match t.strides().last() {
            Some(0 | 1) | None => t.clone(),
            Some(_) if t.dim(t.rank() - 1) <= 1 => t.clone(),
            Some(_) => Tensor::filled_by(*t.shape(), |out| {
                crate::kernels::copy::gather(t.storage_slice(), t.layout(), out)
            }),
        }
    }
    match mask {
        AttentionMask::Allow(t) => AttentionMask::Allow(copied(t)),
        AttentionMask::Add(t) => AttentionMask::Add(copied(t)),
    }
}

fn lines_of<F: Float>(t: &Tensor<F>) -> Heads<'_, F> {
    let (dims, strides) = (t.dims(), t.strides());
    Heads {
        data: t.storage_slice(),
        offset: t.layout().offset,
        extents: [dims[0], dims[1], dims[2], dims[3]],
        strides: [strides[0], strides[1], strides[2]],
    }
}

/// The kernels' view of checked operands.
fn problem<'a, F: Float>(
    [queries, keys, values]: [&'a Tensor<F>; 3],
    options: &'a Attention<F>,
    mask: Option<&'a AttentionMask<F>>,
) -> Problem<'a, F> {
    fn pairs<T: Element>(t: &Tensor<T>, scores: Shape) -> Pairs<'_, T> {
        let layout = t.layout().broadcast_to(scores);
        let strides = layout.strides();
        Pairs {
            data: t.storage_slice(),
            offset: layout.offset,
            strides: [strides[0], strides[1], strides[2], strides[3]],
        }
    }
    let scores = || Shape::from([queries.dim(0), queries.dim(1), queries.dim(2), keys.dim(2)]);
    let width = queries.dim(3).max(1) as f64;
    Problem {
        queries: lines_of(queries),
        keys: lines_of(keys),
        values: lines_of(values),
        scale: F::from_f64(options.scale.unwrap_or_else(|| width.sqrt().recip())),
        causal: options.causal,
        mask: match mask {
            None => Mask::None,
            Some(AttentionMask::Allow(t)) => Mask::Allow(pairs(t, scores())),
            Some(AttentionMask::Add(t)) => Mask::Add(pairs(t, scores())),
        },
        silence: options
            .dropout
            .as_ref()
            .filter(|dropout| dropout.is_on())
            .map(AttentionDropout::silence),
    }
}
