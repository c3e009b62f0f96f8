//! Reflections that make a vector's tail zero.

use super::square::Square;
use std::ops::Range;

/// The symmetric orthogonal map `I − τ v vᵀ`.
pub(super) struct Reflector {
    v: Vec<f64>,
    tau: f64,
}

impl Reflector {
    /// The reflection that turns `x` into a multiple of the first unit vector.
    ///
    /// # References
    /// A. Householder, "Unitary triangularization of a nonsymmetric matrix", J. ACM 5(4), 1958; the sign is chosen so
    /// that nothing cancels (G. Golub, C. Van Loan, "Matrix computations", section 5.1.3).
    pub(super) fn of(x: &[f64]) -> Self {
        let scale = x.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let mut v = x.to_vec();
        let tail_is_zero = v.iter().skip(1).all(|&x| x == 0.0);
        if tail_is_zero {
            return Self { v, tau: 0.0 };
        }
        v.iter_mut().for_each(|x| *x /= scale);
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v[0] += norm.copysign(v[0]);
        let tau = 2.0 / v.iter().map(|x| x * x).sum::<f64>();
        Self { v, tau }
    }

    /// Applies the reflection to the rows from `row` on, in these columns.
    pub(super) fn rows(&self, matrix: &mut Square, row: usize, columns: Range<usize>) {
        let mut shares = vec![0.0; columns.len()];
        for (i, v) in self.v.iter().enumerate() {
            let row = matrix.row(row + i, columns.clone());
            for (share, x) in shares.iter_mut().zip(row) {
                *share += self.tau * v * x;
            }
        }
        for (i, v) in self.v.iter().enumerate() {
            let row = matrix.row_mut(row + i, columns.clone());
            for (x, share) in row.iter_mut().zip(&shares) {
                *x -= share * v;
            }
        }
    }

    /// Applies the reflection to the columns from `column` on, in these rows.
    pub(super) fn columns(&self, matrix: &mut Square, column: usize, rows: Range<usize>) {
        for row in rows {
            self.vector(matrix.row_mut(row, column..column + self.v.len()));
        }
    }

    /// Applies the reflection to a vector.
    pub(super) fn vector(&self, x: &mut [f64]) {
        let share = self.tau * self.v.iter().zip(&*x).map(|(v, x)| v * x).sum::<f64>();
        x.iter_mut().zip(&self.v).for_each(|(x, v)| *x -= share * v);
    }
}
