//! Tables that tell places in a sequence apart.

use crate::element::Float;
use crate::tensor::Tensor;
use std::ops::Range;

impl<F: Float> Tensor<F> {
    /// Cosines and sines for [`Tensor::rotary`]: of the angles `position · base^(−2i / width)` for pair `i` of `width / 2`.
    ///
    /// # Shapes
    /// - returns two tables `[positions, width / 2]`
    ///
    /// # Panics
    /// If the width is odd or the base not positive.
    ///
    /// # References
    /// J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021, equation 15.
    #[track_caller]
    #[must_use]
    pub fn rotary_tables_of(positions: Range<usize>, width: usize, base: f64) -> (Self, Self) {
        assert!(
            width.is_multiple_of(2),
            "rotary_tables: a width of {width} has no whole pairs"
        );
        assert!(
            base > 0.0,
            "rotary_tables: the base must be positive, found {base}"
        );
        let table = |f: fn(f64) -> f64| {
            Self::from_fn([positions.len(), width / 2], |at| {
                F::from_f64(f(angle(positions.start + at[0], 2 * at[1], width, base)))
            })
        };
        (table(f64::cos), table(f64::sin))
    }

    /// Sinusoids of many wavelengths to be added to embeddings: `sin(p · 10000^(−2i / width))` in column `2i` and the cosine
    /// of the same angle in column `2i + 1`, for each position `p`.
    ///
    /// # Shapes
    /// - returns `[positions, width]`
    ///
    /// # References
    /// A. Vaswani et al., "Attention is all you need", 2017, section 3.5.
    #[must_use]
    pub fn sinusoidal_positions_of(positions: Range<usize>, width: usize) -> Self {
        Self::from_fn([positions.len(), width], |at| {
            let angle = angle(positions.start + at[0], at[1] / 2 * 2, width, 10_000.0);
            let even = at[1].is_multiple_of(2);
            F::from_f64(if even { angle.sin() } else { angle.cos() })
        })
    }
}

impl Tensor {
    /// [`Tensor::rotary_tables_of`] in single precision.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let (cos, sin) = Tensor::rotary_tables(0..16, 8, 10_000.0);
    /// assert_eq!(*cos.shape(), [16, 4]);
    /// assert_eq!(sin.at(&[1, 0]), 1.0_f32.sin());
    /// ```
    ///
    /// # Panics
    /// If the width is odd or the base not positive.
    #[track_caller]
    #[must_use]
    pub fn rotary_tables(positions: Range<usize>, width: usize, base: f64) -> (Self, Self) {
        Self::rotary_tables_of(positions, width, base)
    }

    /// [`Tensor::sinusoidal_positions_of`] in single precision.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let table = Tensor::sinusoidal_positions(0..100, 32);
    /// assert_eq!(table.slice(0, 0..1).slice(1, 0..4).to_vec(), [0.0, 1.0, 0.0, 1.0]);
    /// ```
    #[must_use]
    pub fn sinusoidal_positions(positions: Range<usize>, width: usize) -> Self {
        Self::sinusoidal_positions_of(positions, width)
    }
}

/// `position · base^(−column / width)`
fn angle(position: usize, column: usize, width: usize, base: f64) -> f64 {
    position as f64 / base.powf(column as f64 / width as f64)
}
