//! Rows that can be asked for by number.
//!
//! [`Dataset`] is what a training loop needs: how many rows there are, and the rows of a batch. The
//! one in memory is [`TensorDataset`]; [`Labelled`] adds names, classes and where the rows come from.
//! A set that reads its rows when asked (pictures in a folder, say) implements the trait alone, with a
//! [`Dataset::Batch`] of its own. A stream, whose rows have no numbers, is an iterator of such batches.

mod finite;
mod labelled;
mod tensors;

pub use finite::check_finite;
pub use labelled::{About, Labelled};
pub use tensors::TensorDataset;

pub(crate) use finite::index;
pub(crate) use tensors::{check_rows, paired_rows};

use crate::error::Result;

/// Numbered rows, given batch by batch.
///
/// # Examples
/// A set that makes its rows when asked:
/// ```
/// use fb_data::{Dataset, Result};
/// use fb_tensor::Tensor;
///
/// struct Squares(usize);
///
/// impl Dataset for Squares {
///     type Batch = (Tensor, Tensor);
///
///     fn len(&self) -> usize {
///         self.0
///     }
///
///     fn batch(&self, rows: &[usize]) -> Result<Self::Batch> {
///         let x: Vec<f32> = rows.iter().map(|&row| row as f32).collect();
///         let x = Tensor::from_vec(x, [rows.len(), 1]);
///         Ok((x.clone(), &x * &x))
///     }
/// }
///
/// let (_, y) = Squares(100).batch(&[3, 9])?;
/// assert_eq!(y.to_vec(), [9.0, 81.0]);
/// # Ok::<(), fb_data::Error>(())
/// ```
pub trait Dataset: Send + Sync {
    /// What a batch is: for [`TensorDataset`] the pair of inputs and targets.
    type Batch;

    /// How many rows.
    fn len(&self) -> usize;

    /// The rows in the given order; a row may be asked for more than once.
    ///
    /// # Errors
    /// A row number is beyond the end, or a row cannot be read.
    fn batch(&self, rows: &[usize]) -> Result<Self::Batch>;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
