//! Positions as rotations of pairs of features.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::rotary::{self as kernel, Pairing};
use crate::layout::{Layout, Walk};
use crate::shape::{MAX_RANK, Shape};
use crate::tensor::Tensor;
use crate::threads::for_each_chunk_mut;

/// Rough cost per element on one core.
const PICOSECONDS: usize = 500;

impl<F: Float> Tensor<F> {
    /// Rotates pairs of features by the angles of their positions, so that inner products depend on the distance of two
    /// positions alone: `(a, b)` becomes `(a cos − b sin, a sin + b cos)`.
    ///
    /// Feature `i` pairs with `i + width / 2` (*half-split*): the convention of GPT-NeoX, and of LLaMA's weights as converted for
    /// Hugging Face's transformers. LLaMA's original weights and GPT-J pair neighbours: [`Tensor::rotary_interleaved`].
    /// Where the tables have fewer columns than half the width, the first features are rotated, two for each column, and
    /// the others stay (GPT-NeoX's `rotary_pct`).
    ///
    /// The result lies in memory in the order of axes of `self`.
    ///
    /// # Shapes
    /// - `self`: `[…, time, width]`
    /// - `cos`, `sin`: `[time, pairs]`, or anything that broadcasts to `[…, time, pairs]`, with `2 · pairs ≤ width`; see
    ///   [`Tensor::rotary_tables_of`]
    /// - returns the shape of `self`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let (cos, sin) = Tensor::rotary_tables(0..2, 4, 10_000.0);
    /// let x = Tensor::from([[1.0, 2.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]]);
    /// let y = x.rotary(&cos, &sin);
    /// assert_eq!(y.slice(0, 0..1), x.slice(0, 0..1), "position 0 is not rotated");
    /// assert_eq!(y.at(&[1, 2]), 1.0_f32.sin());
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// # References
    /// J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, equation 34.
    #[track_caller]
    #[must_use]
    pub fn rotary(&self, cos: &Self, sin: &Self) -> Self {
        self.try_rotary(cos, sin).or_panic()
    }

    /// [`Tensor::rotary`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_rotary(&self, cos: &Self, sin: &Self) -> Result<Self> {
        (F::kernels().rotary)(self, cos, sin, Pairing::HalfSplit, "rotary")
    }

    /// [`Tensor::rotary`] with features `2i` and `2i + 1` as pairs (*interleaved*): the convention of RoFormer, GPT-J and
    /// LLaMA's original weights.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn rotary_interleaved(&self, cos: &Self, sin: &Self) -> Self {
        self.try_rotary_interleaved(cos, sin).or_panic()
    }

    /// [`Tensor::rotary_interleaved`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_rotary_interleaved(&self, cos: &Self, sin: &Self) -> Result<Self> {
        let op = "rotary_interleaved";
        (F::kernels().rotary)(self, cos, sin, Pairing::Interleaved, op)
    }
}

/// See [`Tensor::rotary`].
pub(crate) fn rotary<F: Float>(
    x: &Tensor<F>,
    cos: &Tensor<F>,
    sin: &Tensor<F>,
    pairing: Pairing,
    op: &'static str,
) -> Result<Tensor<F>> {
    let angles = check(x, cos, sin, op)?;
    if x.is_empty() {
        return Ok(x.contiguous());
    }
    // The axes in the order in which they lie in memory, the last one staying where it is.
    let rank = x.rank();
    let mut order: [usize; MAX_RANK] = std::array::from_fn(|axis| axis);
    order[..rank - 1].sort_by_key(|&axis| std::cmp::Reverse(x.strides()[axis].unsigned_abs()));
    let order = &order[..rank];
    let mut back = [0; MAX_RANK];
    order
        .iter()
        .enumerate()
        .for_each(|(to, &from)| back[from] = to);
    let x = x.permute(order);
    let x = if x.strides()[rank - 1] == 1 {
        x
    } else {
        x.contiguous()
    };
    let table = |t: &Tensor<F>| {
        let t = if matches!(t.strides().last(), Some(1)) {
            t.clone()
        } else {
            t.contiguous()
        };
        t.expand(angles).permute(order)
    };
    let (cos, sin) = (table(cos), table(sin));
    let (width, pairs) = (x.dim(rank - 1), cos.dim(rank - 1));
    let result = Tensor::filled_by(*x.shape(), |out| {
        let cost = out.len() * PICOSECONDS / 1000;
        let chunk = out.len() / x.dim(0);
        for_each_chunk_mut(out, chunk, cost, |start, out| {
            let part = start / chunk..start / chunk + 1;
            let parts = [&x, &cos, &sin].map(|t| t.slice(0, part.clone()));
            let layouts = parts.each_ref().map(rows);
            let walk = Walk::new(layouts.each_ref());
            let (length, steps) = walk.inner();
            let mut lines = out.chunks_exact_mut(width);
            walk.rows(|at| {
                for i in 0..length as isize {
                    let place = |n: usize| at[n].wrapping_add_signed(steps[n] * i);
                    let x = &x.storage_slice()[place(0)..][..width];
                    let cos = &cos.storage_slice()[place(1)..][..pairs];
                    let sin = &sin.storage_slice()[place(2)..][..pairs];
                    let out = lines.next().expect("as many lines as the view has");
                    kernel::rotate(x, cos, sin, pairing, out);
                }
            });
        });
    });
    Ok(result.permute(&back[..rank]))
}

/// The layout of the first numbers of a tensor's rows.
fn rows<F: Float>(t: &Tensor<F>) -> Layout {
    let outer = t.rank() - 1;
    Layout::strided(
        Shape::from(&t.dims()[..outer]),
        &t.strides()[..outer],
        t.layout().offset,
    )
}

/// The shape that the tables are stretched to, if all shapes fit.
fn check<F: Float>(
    x: &Tensor<F>,
    cos: &Tensor<F>,
    sin: &Tensor<F>,
    op: &'static str,
) -> Result<Shape> {
    let misfit = |left: &Tensor<F>, right: &Tensor<F>, help| Error::Shapes {
        op,
        left: left.shape().to_string(),
        right: right.shape().to_string(),
        help,
    };
    if cos.shape() != sin.shape() {
        return Err(misfit(
            cos,
            sin,
            "there is a cosine and a sine for each angle",
        ));
    }
    let help = "the tables are [time, pairs] for […, time, width], two features of the width for each pair";
    let (Some((&width, _)), Some(&pairs)) = (x.dims().split_last(), cos.dims().last()) else {
        return Err(misfit(x, cos, help));
    };
    let angles = x.shape().try_with_extent(x.rank() - 1, pairs)?;
    let stretched = cos.shape().broadcast(&angles, op);
    if x.rank() < 2 || pairs > width / 2 || stretched.as_ref() != Ok(&angles) {
        return Err(misfit(x, cos, help));
    }
    Ok(angles)
}
