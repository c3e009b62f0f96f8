//! Keys and values of the tokens so far.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::copy;
use crate::layout::Layout;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Steps that a cache has room for once it is used at all.
const FIRST_CAPACITY: usize = 64;

/// The keys and values of the tokens so far, for decoding step by step.
///
/// A value like any other: a clone is a snapshot (the first of both to append copies), and nothing but its owner changes
/// it. Room is doubled when it runs out, so a step costs its own tokens on average. Appending copies everything while
/// views from [`KvCache::keys`] or [`KvCache::values`] are still held: drop them first.
///
/// ```
/// use fb_tensor::{Attention, KvCache, Tensor};
/// let mut cache = KvCache::new(1, 2, 8, 8);
/// for _ in 0..3 {
///     let (q, k, v) = (Tensor::ones([1, 4, 1, 8]), Tensor::ones([1, 2, 1, 8]), Tensor::ones([1, 2, 1, 8]));
///     cache.append(&k, &v);
///     let y = q.attention(&cache.keys(), &cache.values(), &Attention::new().causal());
///     assert_eq!(*y.shape(), [1, 4, 1, 8]);
/// }
/// assert_eq!(cache.len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct KvCache<F: Float = f32> {
    /// `[batch, heads, capacity, width]`, of which the first `len` steps count.
    keys: Tensor<F>,
    values: Tensor<F>,
    len: usize,
}

impl<F: Float> KvCache<F> {
    /// An empty cache for keys `[batch, heads, …, width]` and values `[batch, heads, …, value_width]`.
    ///
    /// # Panics
    /// If memory cannot hold the keys of one step.
    #[track_caller]
    pub fn new(batch: usize, heads: usize, width: usize, value_width: usize) -> Self {
        Self {
            keys: Tensor::zeros_of([batch, heads, 0, width]),
            values: Tensor::zeros_of([batch, heads, 0, value_width]),
            len: 0,
        }
    }

    /// The cache with room for at least so many steps, which then append without moving what is there.
    ///
    /// # Panics
    /// If memory cannot hold them.
    #[track_caller]
    #[must_use]
    pub fn with_capacity(mut self, steps: usize) -> Self {
        if steps > self.capacity() {
            self.grow(steps).or_panic();
        }
        self
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many steps there is room for.
    pub fn capacity(&self) -> usize {
        self.keys.dim(2)
    }

    /// How many sequences there are.
    pub fn batch(&self) -> usize {
        self.keys.dim(0)
    }

    /// The keys so far, `[batch, heads, len, width]`: a view.
    #[must_use]
    pub fn keys(&self) -> Tensor<F> {
        self.keys.slice(2, 0..self.len)
    }

    /// The values so far, `[batch, heads, len, value_width]`: a view.
    #[must_use]
    pub fn values(&self) -> Tensor<F> {
        self.values.slice(2, 0..self.len)
    }

    /// Appends the keys and values of new steps.
    ///
    /// # Shapes
    /// - `keys`: `[batch, heads, steps, width]`
    /// - `values`: `[batch, heads, steps, value_width]`
    ///
    /// # Panics
    /// If the shapes do not fit the cache or each other.
    #[track_caller]
    pub fn append(&mut self, keys: &Tensor<F>, values: &Tensor<F>) {
        self.try_append(keys, values).or_panic();
    }

    /// [`KvCache::append`] for shapes that come from data. The cache is as before where it fails.
    ///
    /// # Errors
    /// The shapes do not fit the cache or each other, or memory cannot hold the steps.
    pub fn try_append(&mut self, keys: &Tensor<F>, values: &Tensor<F>) -> Result<()> {
        let steps = keys.dims().get(2).copied().unwrap_or(0);
        for (own, new) in [(&self.keys, keys), (&self.values, values)] {
            let mut wanted = *own.shape();
            wanted.extents_mut()[2] = steps;
            if *new.shape() != wanted {
                return Err(Error::Shapes {
                    op: "kv_cache.append",
                    left: format!("cache {}", own.slice(2, 0..self.len).shape()),
                    right: new.shape().to_string(),
                    help: "new keys and values are [batch, heads, steps, width], like those of the cache but for the steps",
                });
            }
        }
        let len = self.len.saturating_add(steps);
        if len > self.capacity() {
            self.grow(
                len.max(self.capacity().saturating_mul(2))
                    .max(FIRST_CAPACITY),
            )?;
        }
        put(&mut self.keys, self.len, keys);
        put(&mut self.values, self.len, values);
        self.len = len;
        Ok(())
    }

    /// Keeps the first `len` steps only; does nothing if there are no more. The room stays.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Picks sequences of the batch, some perhaps several times: the beams that go on.
    ///
    /// # Panics
    /// If a sequence is not there.
    #[track_caller]
    pub fn reorder(&mut self, sequences: &[usize]) {
        self.try_reorder(sequences).or_panic();
    }

    /// [`KvCache::reorder`] for indices that come from data. The cache is as before where it fails.
    ///
    /// # Errors
    /// A sequence is not there.
    pub fn try_reorder(&mut self, sequences: &[usize]) -> Result<()> {
        if let Some(&index) = sequences.iter().find(|&&i| i >= self.batch()) {
            return Err(Error::Index {
                op: "kv_cache.reorder",
                index: index as i64,
                axis: 0,
                shape: self.keys().shape().to_string(),
            });
        }
        let capacity = self.capacity();
        let picked = |own: &Tensor<F>| -> Result<Tensor<F>> {
            let mut shape = *own.shape();
            shape.extents_mut()[0] = sequences.len();
            let mut new = Tensor::zeros_of(Shape::try_new(&shape)?);
            for (to, &from) in sequences.iter().enumerate() {
                let steps = own.slice(0, from..from + 1).slice(2, 0..self.len);
                place(&mut new, [to, 0], &steps);
            }
            Ok(new)
        };
        let (keys, values) = (picked(&self.keys)?, picked(&self.values)?);
        debug_assert_eq!(keys.dim(2), capacity);
        (self.keys, self.values) = (keys, values);
        Ok(())
    }

    /// Makes room for `capacity` steps.
    fn grow(&mut self, capacity: usize) -> Result<()> {
        let larger = |own: &Tensor<F>| -> Result<Tensor<F>> {
            let shape = own.shape().try_with_extent(2, capacity)?;
            let mut new = Tensor::zeros_of(shape);
            put(&mut new, 0, &own.slice(2, 0..self.len));
            Ok(new)
        };
        let (keys, values) = (larger(&self.keys)?, larger(&self.values)?);
        (self.keys, self.values) = (keys, values);
        Ok(())
    }
}

/// Copies steps to those from `start` on.
fn put<F: Float>(whole: &mut Tensor<F>, start: usize, steps: &Tensor<F>) {
    place(whole, [0, start], steps);
}

/// Copies sequences and steps to those from `[sequence, step]` on.
fn place<F: Float>(whole: &mut Tensor<F>, [sequence, step]: [usize; 2], part: &Tensor<F>) {
    if part.is_empty() {
        return;
    }
    let target = Layout::row_major(*whole.shape());
    let offset = target.position(&[sequence, 0, step, 0]);
    let target = Layout::strided(*part.shape(), target.strides(), offset);
    copy::place(
        part.storage_slice(),
        part.layout(),
        whole.make_mut(),
        &target,
    );
}
