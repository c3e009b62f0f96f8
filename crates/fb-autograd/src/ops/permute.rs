//! Axes in another order.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, MAX_RANK};

impl<F: Float> Var<F> {
    /// The axes in another order: axis `i` of the result is axis `axes[i]`. Nothing is copied.
    ///
    /// # Panics
    /// If `axes` does not name each axis once.
    #[track_caller]
    #[must_use]
    pub fn permute(&self, axes: &[usize]) -> Self {
        let output = self.tensor().permute(axes);
        let mut inverse = [0; MAX_RANK];
        axes.iter()
            .enumerate()
            .for_each(|(to, &from)| inverse[from] = to);
        let rank = axes.len();
        unary(self, output, move |g| g.permute(&inverse[..rank]))
    }

    /// The last two axes exchanged.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    #[must_use]
    pub fn transpose(&self) -> Self {
        unary(self, self.tensor().transpose(), |g| g.transpose())
    }

    /// Two axes exchanged.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn swap_axes(&self, first: usize, second: usize) -> Self {
        unary(self, self.tensor().swap_axes(first, second), move |g| {
            g.swap_axes(first, second)
        })
    }

    /// One axis reversed.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    #[must_use]
    pub fn flip(&self, axis: usize) -> Self {
        unary(self, self.tensor().flip(axis), move |g| g.flip(axis))
    }
}
