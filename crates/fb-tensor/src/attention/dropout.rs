//! Weights of attention silenced at random.

use super::NAME;
use crate::element::Float;
use crate::error::{Error, Result};
use crate::kernels::attention::dropout::{Silence, bits, head_start, query_start};
use crate::random::Key;
use crate::tensor::Tensor;
use rand::Rng as _;

/// Silences a share of the weights of attention at random and scales the others by `1 / (1 − rate)`, so that the mean stays;
/// see [`Attention::dropout`](super::Attention::dropout).
///
/// Whether a weight is silenced depends on the key, the step, the number of the row in the data, the head, the query and the
/// key alone: not on threads, on the batch around it, nor on the number type. Nothing is stored: the backward pass draws the
/// same again.
///
/// ```
/// use fb_tensor::{Attention, AttentionDropout, Tensor, random::Key};
/// let dropout = AttentionDropout::new(0.5, Key::new(7).fold("attention"), 3);
/// let options = Attention::<f32>::new().dropout(dropout);
/// // All scores are equal here, so the output is the share of the weights that stayed, doubled.
/// let y = Tensor::ones([1, 1, 1, 4]).attention(&Tensor::ones([1, 1, 8, 4]), &Tensor::ones([1, 1, 8, 1]), &options);
/// let factors: Tensor = dropout.factors([1, 1, 1, 8]);
/// assert!((y.item() - factors.mean()).abs() < 1e-6);
/// ```
///
/// # References
/// N. Srivastava et al., "Dropout", JMLR 15, 2014; the generator: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014 (its mixer, from a ChaCha number for each row).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionDropout {
    rate: f64,
    key: Key,
    step: u64,
    first_row: u64,
}

impl AttentionDropout {
    /// Silences this share, from 0 up to but not including 1; `key` and `step` name the random numbers.
    pub fn new(rate: f64, key: Key, step: u64) -> Self {
        Self {
            rate,
            key,
            step,
            first_row: 0,
        }
    }

    /// Says that the first row of the batch is row number `row` of the data.
    #[must_use]
    pub fn first_row(self, row: u64) -> Self {
        Self {
            first_row: row,
            ..self
        }
    }

    /// What each weight is multiplied with, 0 or `1 / (1 − rate)`, written out as `[batch, heads, queries, keys]`.
    pub fn factors<F: Float>(&self, shape: [usize; 4]) -> Tensor<F> {
        let rows = self.rows(shape[0]);
        let silence = self.silence::<F>(&rows);
        Tensor::from_fn(shape, |at| {
            let head = head_start(silence.rows[at[0]] as u64, at[1]);
            let drawn = bits(query_start(head, at[2]), at[3] as u32);
            F::select(drawn < silence.threshold, F::ZERO, silence.kept)
        })
    }

    /// Whether it does anything.
    pub(super) fn is_on(&self) -> bool {
        self.rate != 0.0
    }

    pub(super) fn check(&self) -> Result<()> {
        if (0.0..1.0).contains(&self.rate) {
            return Ok(());
        }
        Err(Error::Argument {
            op: NAME,
            what: format!(
                "a dropout rate is from 0 to below 1, found {}\n  \
                 help: the rate is the share that is silenced: 0.2 keeps 80 %",
                self.rate
            ),
        })
    }

    /// What the randomness of each row of the batch starts from.
    pub(super) fn rows(&self, batch: usize) -> Tensor<i64> {
        Tensor::filled_by([batch], |out| {
            for (row, start) in (0..).zip(out) {
                let mut rng = self.key.at(self.step, self.first_row.wrapping_add(row));
                *start = rng.next_u64() as i64;
            }
        })
    }

    /// The kernels' view, given [`AttentionDropout::rows`].
    pub(super) fn silence<'a, F: Float>(&self, rows: &'a Tensor<i64>) -> Silence<'a, F> {
        let share = (self.rate * (1_u64 << 32) as f64).round();
        Silence {
            rows: rows.storage_slice(),
            threshold: share as u32,
            kept: F::from_f64(1.0 / (1.0 - self.rate)),
        }
    }
}
