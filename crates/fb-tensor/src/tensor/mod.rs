//! The [`Tensor`]: shared storage seen through a layout.

mod convert;
mod create;
mod update;
mod view;

use crate::element::Element;
use crate::kernels::copy;
use crate::layout::Layout;
use crate::shape::Shape;
use crate::storage::{Storage, UniqueStorage};

/// An n-dimensional array of numbers, indices or flags.
///
/// Cloning is O(1): clones and views share their elements, and whoever writes first to shared elements gets a copy of
/// them. Elements of a freshly computed tensor lie in row-major order; views may be transposed, strided, flipped or
/// broadcast, and every operation takes them.
///
/// Arithmetic panics, naming the operation and both shapes, where shapes do not fit; operations whose shapes may come
/// from data have a `try_` twin.
///
/// ```
/// use fb_tensor::Tensor;
/// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// let b = a.transpose();
/// assert_eq!((&a + &b).to_vec(), [2.0, 5.0, 5.0, 8.0]);
/// assert_eq!(a.matmul(&b).to_vec(), [5.0, 11.0, 11.0, 25.0]);
/// ```
#[derive(Clone)]
pub struct Tensor<F: Element = f32> {
    storage: Storage<F>,
    layout: Layout,
}

impl<T: Element> Tensor<T> {
    /// A tensor of this shape whose elements `fill` writes, in row-major order. What it finds in the slice before is
    /// unspecified: it must write every element.
    ///
    /// This is how operations outside this crate make their result without filling memory twice.
    pub fn filled_by(shape: impl Into<Shape>, fill: impl FnOnce(&mut [T])) -> Self {
        let shape = shape.into();
        let len = shape.elements();
        let mut storage = UniqueStorage::stale(len);
        fill(&mut storage.as_mut_slice()[..len]);
        Self {
            storage: storage.share(),
            layout: Layout::row_major(shape),
        }
    }

    pub(crate) fn from_parts(storage: Storage<T>, layout: Layout) -> Self {
        Self { storage, layout }
    }

    /// The extents of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    /// The extents of the axes as a slice.
    #[inline]
    pub fn dims(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.layout.shape.len()
    }

    /// The extent of one axis.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[inline]
    pub fn dim(&self, axis: usize) -> usize {
        self.layout.shape[axis]
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.layout.shape.elements()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many elements of storage each axis steps over; negative for flipped axes, 0 for broadcast ones.
    pub fn strides(&self) -> &[isize] {
        self.layout.strides()
    }

    /// Whether the elements lie in storage in row-major order without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.layout.contiguous
    }

    /// The elements in row-major order, if they lie like that in storage.
    #[inline]
    pub fn as_slice(&self) -> Option<&[T]> {
        let start = self.layout.offset;
        self.layout
            .contiguous
            .then(|| &self.storage.as_slice()[start..start + self.len()])
    }

    /// The same elements in row-major order: itself if they are, a copy otherwise.
    #[must_use]
    pub fn contiguous(&self) -> Self {
        if self.layout.contiguous {
            return self.clone();
        }
        Self::filled_by(self.layout.shape, |out| {
            copy::gather(self.storage.as_slice(), &self.layout, out)
        })
    }

    /// The elements for writing, in row-major order; copied first if they are shared or lie otherwise.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let a = Tensor::zeros([2]);
    /// let mut b = a.clone();
    /// b.make_mut()[0] = 1.0;
    /// assert_eq!((a.to_vec(), b.to_vec()), (vec![0.0, 0.0], vec![1.0, 0.0]));
    /// ```
    pub fn make_mut(&mut self) -> &mut [T] {
        if !self.layout.contiguous || !self.storage.is_unique() {
            *self = Self::filled_by(self.layout.shape, |out| {
                copy::gather(self.storage.as_slice(), &self.layout, out)
            });
        }
        self.unique_slice().expect("made unshared and contiguous")
    }

    /// Whether no other tensor shares the elements, so that writing does not copy.
    pub fn is_unshared(&self) -> bool {
        self.storage.is_unique()
    }

    /// The elements of a contiguous tensor for writing, if nothing else shares them.
    pub(crate) fn unique_slice(&mut self) -> Option<&mut [T]> {
        debug_assert!(self.layout.contiguous);
        let (start, len) = (self.layout.offset, self.len());
        self.storage
            .get_mut()
            .map(|all| &mut all[start..start + len])
    }

    pub(crate) fn storage_slice(&self) -> &[T] {
        self.storage.as_slice()
    }

    pub(crate) fn storage(&self) -> &Storage<T> {
        &self.storage
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn with_layout(&self, layout: Layout) -> Self {
        Self {
            storage: self.storage.clone(),
            layout,
        }
    }

    pub(crate) fn into_storage(self) -> (Storage<T>, Layout) {
        (self.storage, self.layout)
    }

    /// The element at a multi-index.
    ///
    /// # Panics
    /// If the index has another length than the rank or leaves the shape.
    #[track_caller]
    pub fn at(&self, index: &[usize]) -> T {
        let inside =
            index.len() == self.rank() && index.iter().zip(self.dims()).all(|(i, n)| i < n);
        assert!(
            inside,
            "index {index:?} is out of range for shape {}",
            self.shape()
        );
        self.storage.as_slice()[self.layout.position(index)]
    }

    /// The only element.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> T {
        assert_eq!(
            self.len(),
            1,
            "item() is for one element, found shape {}",
            self.shape()
        );
        self.storage.as_slice()[self.layout.offset]
    }

    /// The elements in row-major order.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        // A view that is not contiguous is gathered first: walking strides one element at a time is slower.
        let source = self.contiguous();
        (0..source.len()).map(move |i| source.storage.as_slice()[source.layout.offset + i])
    }

    /// The elements in row-major order.
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(slice) => slice.to_vec(),
            None => self.contiguous().to_vec(),
        }
    }
}

/// Equal shapes and equal elements (so a NaN makes it false).
impl<T: Element> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_can_be_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<Tensor<f32>>();
        check::<Tensor<i64>>();
    }

    #[test]
    fn writing_never_shows_through_a_clone_or_view() {
        let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        let mut b = a.transpose();
        b.make_mut()[1] = 9.0;
        assert_eq!(a.to_vec(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(b.to_vec(), [1.0, 9.0, 2.0, 4.0]);
    }
}
