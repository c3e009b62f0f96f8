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
/// let dropout = AttentionDropout::new(0.5, Key::new(7).fold("attention"), 3, [0].into_iter());
/// let options = Attention::<f32>::new().dropout(dropout.clone());
/// // All scores are equal here, so the output is the share of the weights that stayed, doubled.
/// let y = Tensor::ones([1, 1, 1, 4]).attention(&Tensor::ones([1, 1, 8, 4]), &Tensor::ones([1, 1, 8, 1]), &options);
/// let factors: Tensor = dropout.factors([1, 1, 8]);
/// assert!((y.item() - factors.mean()).abs() < 1e-6);
/// ```
///
/// # References
/// N. Srivastava et al., "Dropout", JMLR 15, 2014; the generator: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014 (its mixer, from a ChaCha number for each row).
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionDropout {
    rate: f64,
    /// What the randomness of each row of the batch starts from.
    rows: Tensor<i64>,
}

impl AttentionDropout {
    /// Silences this share, from 0 up to but not including 1, in a batch of as many rows as `rows` gives the numbers of; `key`
    /// and `step` name the random numbers.
    pub fn new(rate: f64, key: Key, step: u64, rows: impl ExactSizeIterator<Item = u64>) -> Self {
        let rows = Tensor::filled_by([rows.len()], |out| {
            for (start, row) in out.iter_mut().zip(rows) {
                *start = key.at(step, row).next_u64() as i64;
            }
        });
        Self { rate, rows }
    }

    /// What each weight is multiplied with, 0 or `1 / (1 − rate)`, written out as `[batch, heads, queries, keys]`.
    pub fn factors<F: Float>(&self, [heads, queries, keys]: [usize; 3]) -> Tensor<F> {
        let silence = self.silence::<F>();
        Tensor::from_fn([self.rows.len(), heads, queries, keys], |at| {
            let head = head_start(silence.rows[at[0]] as u64, at[1]);
            let drawn = bits(query_start(head, at[2]), at[3] as u32);
            F::select(drawn < silence.threshold, F::ZERO, silence.kept)
        })
    }

    /// Whether it does anything.
    pub(super) fn is_on(&self) -> bool {
        self.rate != 0.0
    }

    pub(super) fn check(&self, batch: usize) -> Result<()> {
        let wrong = |what| Err(Error::Argument { op: NAME, what });
        if !(0.0..1.0).contains(&self.rate) {
            return wrong(format!(
                "a dropout rate is from 0 to below 1, found {}\n  \
                 help: the rate is the share that is silenced: 0.2 keeps 80 %",
                self.rate
            ));
        }
        if self.rows.len() != batch {
            return wrong(format!(
                "dropout was made for {} rows, but the batch has {batch}",
                self.rows.len()
            ));
        }
        Ok(())
    }

    /// The kernels' view.
    pub(super) fn silence<F: Float>(&self) -> Silence<'_, F> {
        let share = (self.rate * (1_u64 << 32) as f64).round();
        Silence {
            rows: self.rows.storage_slice(),
            threshold: share as u32,
            kept: F::from_f64(1.0 / (1.0 - self.rate)),
        }
    }
}
