//! Triangles of matrices: masks for what may look at what.

use crate::element::Element;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The matrices of the last two axes with zeros (`false`) above a diagonal: element `(i, j)` stays where
    /// `j − i ≤ diagonal`. With 0, ones become the causal mask of a sequence.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// assert_eq!(Tensor::ones([2, 2]).tril(0).to_vec(), [1.0, 0.0, 1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    #[must_use]
    pub fn tril(&self, diagonal: i64) -> Self {
        self.where_on_diagonals("tril", |d| d <= diagonal)
    }

    /// The matrices of the last two axes with zeros (`false`) below a diagonal: element `(i, j)` stays where
    /// `j − i ≥ diagonal`.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    #[must_use]
    pub fn triu(&self, diagonal: i64) -> Self {
        self.where_on_diagonals("triu", |d| d >= diagonal)
    }

    #[track_caller]
    fn where_on_diagonals(&self, op: &str, stays: impl Fn(i64) -> bool) -> Self {
        assert!(
            self.rank() >= 2,
            "{op} needs two axes, found shape {}",
            self.shape()
        );
        let (rows, columns) = (self.dim(self.rank() - 2), self.dim(self.rank() - 1));
        let mut result = self.clone();
        if result.is_empty() {
            return result;
        }
        for (i, row) in result.make_mut().chunks_exact_mut(columns).enumerate() {
            for (j, x) in row.iter_mut().enumerate() {
                if !stays(j as i64 - (i % rows) as i64) {
                    *x = T::default();
                }
            }
        }
        result
    }
}
