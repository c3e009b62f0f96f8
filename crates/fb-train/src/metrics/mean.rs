//! A mean that is added to.

/// A mean of values with weights, such as the loss over batches of different sizes.
///
/// ```
/// use fb_train::metrics::Mean;
/// let mut loss = Mean::default();
/// loss.add(0.5, 32.0);
/// loss.add(0.2, 16.0);
/// assert!((loss.value() - 0.4).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    /// No value yet.
    pub(super) const ZERO: Self = Self {
        sum: 0.0,
        weight: 0.0,
    };

    /// Adds a value that counts `weight` times, such as a batch's mean loss and its number of rows.
    #[inline]
    pub fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    /// The mean so far; NaN before the first value.
    pub fn value(&self) -> f64 {
        self.sum / self.weight
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
