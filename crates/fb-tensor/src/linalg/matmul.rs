//! `A · B` with batches, broadcasting and views of every kind.

use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Result};
use crate::kernels::copy;
use crate::kernels::gemm::{MatMut, MatRef, Update};
use crate::layout::{Layout, Walk};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads;

/// Multiply–adds per nanosecond of one core in batches of small products.
const MULTIPLY_ADDS_PER_NS: usize = 16;

impl<F: Float> Tensor<F> {
    /// Matrix product `self · other` over the last two axes; the axes before them are batches and broadcast.
    ///
    /// Transposed, strided, flipped and broadcast views are read where they lie.
    ///
    /// # Shapes
    /// - `self`: `[…, m, k]`, or `[k]` read as a row
    /// - `other`: `[…, k, n]`, or `[k]` read as a column
    /// - returns `[…, m, n]`, without the axis of an operand that had one axis
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::ones([5, 2, 3]);
    /// let w = Tensor::ones([3, 4]);
    /// assert_eq!(*x.matmul(&w).shape(), [5, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// If the inner extents differ, the batches do not broadcast, or an operand has no axes.
    #[track_caller]
    #[must_use]
    pub fn matmul(&self, other: &Self) -> Self {
        self.try_matmul(other).or_panic()
    }

    /// [`Tensor::matmul`] for shapes that come from data.
    ///
    /// # Errors
    /// The inner extents differ, the batches do not broadcast, or an operand has no axes.
    pub fn try_matmul(&self, other: &Self) -> Result<Self> {
        if runs_backwards(self, 1) || runs_backwards(other, 2) {
            return forwards(self, 1).try_matmul(&forwards(other, 2));
        }
        if let (&[m, k], &[k2, n]) = (self.dims(), other.dims())
            && k == k2
        {
            return Ok(Self::filled_by([m, n], |data| {
                other.as_right_factor(self, Update::ASSIGN, MatMut::row_major(data, m, n));
            }));
        }
        if self.rank() == 1 && other.rank() >= 1 {
            let product = self.unsqueeze(0).try_matmul(other)?;
            let axis = product.rank() - if other.rank() == 1 { 1 } else { 2 };
            return Ok(product.squeeze(axis));
        }
        if other.rank() == 1 && self.rank() >= 1 {
            let product = self.try_matmul(&other.unsqueeze(1))?;
            return Ok(product.squeeze(product.rank() - 1));
        }
        self.batched_matmul(other)
    }

    /// The inner product of two vectors.
    ///
    /// # Panics
    /// If they do not have one axis each of the same extent.
    #[track_caller]
    pub fn dot(&self, other: &Self) -> F {
        assert!(
            self.rank() == 1 && self.shape() == other.shape(),
            "dot: {} and {} are not vectors of the same length",
            self.shape(),
            other.shape()
        );
        self.matmul(other).item()
    }

    /// The matrix of all products of an element of one vector with an element of the other.
    ///
    /// # Panics
    /// If they do not have one axis each.
    #[track_caller]
    #[must_use]
    pub fn outer(&self, other: &Self) -> Self {
        assert!(
            self.rank() == 1 && other.rank() == 1,
            "outer: {} and {} are not vectors",
            self.shape(),
            other.shape()
        );
        self.unsqueeze(1).matmul(&other.unsqueeze(0))
    }

    fn batched_matmul(&self, other: &Self) -> Result<Self> {
        let mismatch = |help| Error::Shapes {
            op: "matmul",
            left: self.shape().to_string(),
            right: other.shape().to_string(),
            help,
        };
        if self.rank() < 2 || other.rank() < 2 {
            return Err(mismatch("each operand needs at least one axis"));
        }
        let (m, k) = (self.dim(self.rank() - 2), self.dim(self.rank() - 1));
        let (k2, n) = (other.dim(other.rank() - 2), other.dim(other.rank() - 1));
        if k != k2 {
            return Err(mismatch(
                "the last axis of the left must be as long as the last but one of the right",
            ));
        }
        if other.rank() == 2 && self.is_contiguous() {
            // One weight matrix for all batches: a single tall product.
            let last = self.rank() - 1;
            let shape = self.shape().try_with_extent(last, n)?;
            let rows = self.dims()[..last].iter().product::<usize>();
            return Ok(self.reshape([rows, k]).try_matmul(other)?.reshape(shape));
        }
        let left_batch = Shape::from(&self.dims()[..self.rank() - 2]);
        let right_batch = Shape::from(&other.dims()[..other.rank() - 2]);
        let batch = left_batch.broadcast(&right_batch, "matmul")?;
        let mut extents = batch.to_vec();
        extents.extend([m, n]);
        let shape = Shape::try_new(&extents)?;
        let starts = batch_starts(self, &left_batch, other, &right_batch, batch);
        Ok(Self::filled_by(shape, |data| {
            let each = (m * n).max(1);
            let cost = starts.len() * m * n * k / MULTIPLY_ADDS_PER_NS;
            // Whole products per piece of work; a piece of a few products keeps both cores busy to the end.
            let per_piece = starts.len().div_ceil(8 * threads::count()).max(1);
            threads::for_each_chunk_mut(data, per_piece * each, cost, |start, part| {
                for (out, &(a, b)) in part.chunks_mut(each).zip(&starts[start / each..]) {
                    let out = MatMut::row_major(out, m, n);
                    (F::kernels().product)(self.matrix(a), other.matrix(b), Update::ASSIGN, out);
                }
            });
        }))
    }

    /// The tensor as a matrix: its last axis by all others.
    pub(crate) fn as_rows(&self) -> Self {
        if self.rank() == 2 {
            return self.clone();
        }
        let (columns, outer) = (last_extent(self), self.rank().saturating_sub(1));
        self.reshape([self.dims()[..outer].iter().product(), columns])
    }
}

impl<T: Element> Tensor<T> {
    /// The matrix of the last two axes that starts `shift` elements after the view's first.
    pub(crate) fn matrix(&self, shift: isize) -> MatRef<'_, T> {
        let rank = self.rank();
        MatRef {
            data: self.storage_slice(),
            offset: self.layout().offset.wrapping_add_signed(shift),
            rows: self.dim(rank - 2),
            columns: self.dim(rank - 1),
            row_stride: self.strides()[rank - 2],
            column_stride: self.strides()[rank - 1],
        }
    }
}

/// Whether the axis that is summed over, `from_end` axes from the end (a vector's only one), is a reversed view.
///
/// Kernels turn such an axis around, which would change the order of the sum and with it its bits.
#[inline]
pub(crate) fn runs_backwards<F: Float>(t: &Tensor<F>, from_end: usize) -> bool {
    let strides = t.strides();
    !strides.is_empty() && strides[strides.len().saturating_sub(from_end)] < 0
}

/// The tensor, copied if it [`runs_backwards`].
pub(crate) fn forwards<F: Float>(t: &Tensor<F>, from_end: usize) -> Tensor<F> {
    if !runs_backwards(t, from_end) {
        return t.clone();
    }
    // A single row of a reversed matrix counts as contiguous, but its stride is still that of the matrix.
    Tensor::filled_by(*t.shape(), |out| {
        copy::gather(t.storage_slice(), t.layout(), out)
    })
}

/// For every pair of matrices of a batched product, where each starts relative to its view's first element.
fn batch_starts<F: Float>(
    left: &Tensor<F>,
    left_batch: &Shape,
    right: &Tensor<F>,
    right_batch: &Shape,
    batch: Shape,
) -> Vec<(isize, isize)> {
    // Offsets are taken from the middle of the range so that negative strides cannot wrap below 0.
    const ORIGIN: usize = usize::MAX / 2;
    let view = |t: &Tensor<F>, shape: &Shape| {
        Layout::strided(*shape, &t.strides()[..shape.len()], ORIGIN).broadcast_to(batch)
    };
    let (a, b) = (view(left, left_batch), view(right, right_batch));
    let walk = Walk::new([&a, &b]);
    let (length, [a_step, b_step]) = walk.inner();
    let mut starts = Vec::with_capacity(batch.elements());
    walk.rows(|[a, b]| {
        for i in 0..length as isize {
            starts.push((
                a.wrapping_sub(ORIGIN) as isize + i * a_step,
                b.wrapping_sub(ORIGIN) as isize + i * b_step,
            ));
        }
    });
    starts
}

/// `Σ aᵢᵀ · bᵢ` over a list of pairs: the gradient of a weight that was used in several products, in one go.
///
/// Axes before the last are rows: nothing is joined or copied as long as the tensors are contiguous.
///
/// # Shapes
/// - each `aᵢ`: `[…, m]`, each `bᵢ`: `[…, n]` with the same leading axes
/// - returns `[m, n]`
///
/// # Panics
/// If the list is empty or shapes disagree.
#[track_caller]
pub fn sum_of_products<F: Float>(pairs: &[(Tensor<F>, Tensor<F>)]) -> Tensor<F> {
    let (a, b) = pairs
        .first()
        .expect("sum_of_products needs at least one pair");
    let (m, n) = (last_extent(a), last_extent(b));
    if let [(a, b)] = pairs
        && a.rank() == 2
        && b.rank() == 2
        && a.dim(0) == b.dim(0)
        && !runs_backwards(a, 2)
        && !runs_backwards(b, 2)
    {
        return Tensor::filled_by([m, n], |data| {
            let out = MatMut::row_major(data, m, n);
            (F::kernels().product)(a.matrix(0).transposed(), b.matrix(0), Update::ASSIGN, out);
        });
    }
    let rows: Vec<(Tensor<F>, Tensor<F>)> = pairs
        .iter()
        .map(|(a, b)| (forwards(&a.as_rows(), 2), forwards(&b.as_rows(), 2)))
        .collect();
    for (a, b) in &rows {
        let fits = a.dim(1) == m && b.dim(1) == n && a.dim(0) == b.dim(0);
        assert!(
            fits,
            "sum_of_products: {} and {} in a sum of shape [{m}, {n}]",
            a.shape(),
            b.shape()
        );
    }
    let factors: Vec<_> = rows
        .iter()
        .map(|(a, b)| (a.matrix(0).transposed(), b.matrix(0)))
        .collect();
    Tensor::filled_by([m, n], |data| {
        (F::kernels().products)(&factors, Update::ASSIGN, MatMut::row_major(data, m, n))
    })
}

fn last_extent<F: Float>(t: &Tensor<F>) -> usize {
    t.dims().last().copied().unwrap_or(1)
}
