//! The extents of a tensor's axes, kept inline so that no operation allocates for them.

use crate::error::{Error, OrPanic, Result, fail};
use std::fmt;
use std::ops::Deref;

/// The most axes that a tensor can have.
pub const MAX_RANK: usize = 6;

/// The extents of a tensor's axes, outermost first; at most [`MAX_RANK`] of them.
///
/// ```
/// use fb_tensor::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.len(), 2);
/// assert_eq!(shape.elements(), 6);
/// assert_eq!(shape.to_string(), "[2, 3]");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Beyond the rank these are 0, so that shapes compare as a whole.
    extents: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// The shape of a single number: no axes.
    pub const SCALAR: Self = Self {
        extents: [0; MAX_RANK],
        rank: 0,
    };

    /// A shape with the given extents.
    ///
    /// # Errors
    /// More than [`MAX_RANK`] axes, or more elements than memory can hold.
    #[inline]
    pub fn try_new(extents: &[usize]) -> Result<Self> {
        if extents.len() > MAX_RANK {
            return Err(too_many_axes(extents.len()));
        }
        let mut shape = Self {
            extents: [0; MAX_RANK],
            rank: extents.len(),
        };
        for (to, &from) in shape.extents.iter_mut().zip(extents) {
            *to = from;
        }
        shape.checked()
    }

    /// The shape, if its elements can be counted in memory.
    #[inline]
    fn checked(self) -> Result<Self> {
        // Zero-sized axes must not hide an overflow of the others: strides are products of those.
        let mut cells = 1_usize;
        let mut overflows = false;
        for &extent in self.iter() {
            let (product, overflow) = cells.overflowing_mul(extent.max(1));
            cells = product;
            overflows |= overflow;
        }
        if overflows || cells > isize::MAX as usize / 16 {
            Err(too_large(&self))
        } else {
            Ok(self)
        }
    }

    /// The number of elements: the product of the extents, 1 for no axes.
    #[inline]
    pub fn elements(&self) -> usize {
        self.iter().product()
    }

    /// The shape with `axis` taken out.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn without(&self, axis: usize) -> Self {
        assert!(axis < self.len(), "shape {self} has no axis {axis}");
        let mut shape = *self;
        shape.extents.copy_within(axis + 1.., axis);
        shape.extents[MAX_RANK - 1] = 0;
        shape.rank -= 1;
        shape
    }

    /// The shape with an axis of the given extent put in before `axis`.
    ///
    /// # Panics
    /// If `axis` is beyond the end or the rank would exceed [`MAX_RANK`].
    #[track_caller]
    pub fn with_inserted(&self, axis: usize, extent: usize) -> Self {
        assert!(
            axis <= self.len(),
            "cannot insert an axis at {axis} into shape {self}"
        );
        if self.rank == MAX_RANK {
            fail(&too_many_axes(MAX_RANK + 1));
        }
        let mut shape = *self;
        shape.extents.copy_within(axis..MAX_RANK - 1, axis + 1);
        shape.extents[axis] = extent;
        shape.rank += 1;
        shape.checked().or_panic()
    }

    /// The shape with the extent of `axis` replaced.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn with_extent(&self, axis: usize, extent: usize) -> Self {
        assert!(axis < self.len(), "shape {self} has no axis {axis}");
        let mut shape = *self;
        shape.extents[axis] = extent;
        shape
    }

    /// [`Shape::with_extent`] for extents that may be too large.
    ///
    /// # Errors
    /// There is no such axis, or more elements than memory can hold.
    pub fn try_with_extent(&self, axis: usize, extent: usize) -> Result<Self> {
        if axis >= self.len() {
            return Err(Error::Axis {
                op: "shape",
                axis,
                shape: self.to_string(),
            });
        }
        let mut shape = *self;
        shape.extents[axis] = extent;
        shape.checked()
    }

    /// The shape that both broadcast to, by NumPy's rules: aligned at the last axis, an extent of 1 stretches.
    ///
    /// # Errors
    /// Two different extents meet and neither is 1.
    #[inline]
    pub fn broadcast(&self, other: &Self, op: &'static str) -> Result<Self> {
        let (long, short) = if self.len() >= other.len() {
            (self, other)
        } else {
            (other, self)
        };
        let mut shape = *long;
        let lead = long.len() - short.len();
        for (i, &extent) in short.iter().enumerate() {
            let slot = &mut shape.extents[lead + i];
            if *slot == 1 {
                *slot = extent;
            } else if extent != 1 && extent != *slot {
                return Err(no_broadcast(self, other, op));
            }
        }
        Ok(shape)
    }

    /// Appends an axis. The rank must be below its maximum and the elements countable, as for part of a valid shape.
    #[inline]
    pub(crate) fn push(&mut self, extent: usize) {
        self.extents[self.rank] = extent;
        self.rank += 1;
    }

    #[inline]
    pub(crate) fn extents_mut(&mut self) -> &mut [usize] {
        &mut self.extents[..self.rank]
    }
}

#[cold]
#[inline(never)]
fn no_broadcast(left: &Shape, right: &Shape, op: &'static str) -> Error {
    let help = "axes are aligned from the last one; extents must be equal or 1";
    Error::Shapes {
        op,
        left: left.to_string(),
        right: right.to_string(),
        help,
    }
}

#[cold]
#[inline(never)]
fn too_many_axes(found: usize) -> Error {
    Error::Rank {
        op: "shape",
        found,
        max: MAX_RANK,
    }
}

#[cold]
#[inline(never)]
fn too_large(shape: &Shape) -> Error {
    Error::TooLarge {
        op: "shape",
        shape: shape.to_string(),
    }
}

impl Deref for Shape {
    type Target = [usize];

    #[inline]
    fn deref(&self) -> &[usize] {
        &self.extents[..self.rank]
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == *other
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, extent) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{extent}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// # Panics
/// Like [`Shape::try_new`] fails: more than [`MAX_RANK`] axes, or too large for memory.
impl From<&[usize]> for Shape {
    #[track_caller]
    fn from(extents: &[usize]) -> Self {
        Self::try_new(extents).or_panic()
    }
}

/// # Panics
/// Like [`Shape::try_new`] fails: more than [`MAX_RANK`] axes, or too large for memory.
impl<const N: usize> From<[usize; N]> for Shape {
    #[track_caller]
    #[inline]
    fn from(extents: [usize; N]) -> Self {
        Self::try_new(&extents).or_panic()
    }
}

/// # Panics
/// Like [`Shape::try_new`] fails: more than [`MAX_RANK`] axes, or too large for memory.
impl From<Vec<usize>> for Shape {
    #[track_caller]
    fn from(extents: Vec<usize>) -> Self {
        Self::try_new(&extents).or_panic()
    }
}

/// A shape with one axis.
impl From<usize> for Shape {
    #[track_caller]
    fn from(extent: usize) -> Self {
        Self::from([extent])
    }
}

impl From<&Self> for Shape {
    #[inline]
    fn from(shape: &Self) -> Self {
        *shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let pairs: [(&[usize], &[usize], &[usize]); 4] = [
            (&[2, 3], &[3], &[2, 3]),
            (&[4, 1, 3], &[2, 1], &[4, 2, 3]),
            (&[], &[5], &[5]),
            (&[0, 2], &[1], &[0, 2]),
        ];
        for (a, b, want) in pairs {
            assert_eq!(
                *Shape::from(a).broadcast(&Shape::from(b), "test").unwrap(),
                *want
            );
            assert_eq!(
                *Shape::from(b).broadcast(&Shape::from(a), "test").unwrap(),
                *want
            );
        }
        let error = Shape::from([2, 3])
            .broadcast(&Shape::from([2]), "add")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "add: [2, 3] and [2] do not fit\n  help: axes are aligned from the last one; extents must be equal or 1"
        );
    }

    #[test]
    fn overflow_is_found_even_behind_a_zero_axis() {
        assert!(matches!(
            Shape::try_new(&[usize::MAX, 2]),
            Err(Error::TooLarge { .. })
        ));
        assert!(matches!(
            Shape::try_new(&[0, 1 << 62, 1 << 10]),
            Err(Error::TooLarge { .. })
        ));
        assert!(matches!(
            Shape::try_new(&[1; 7]),
            Err(Error::Rank { found: 7, .. })
        ));
    }
}
