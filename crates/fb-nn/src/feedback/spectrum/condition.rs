//! How far an eigenvalue may be off.

use super::complex::Complex;
use super::square::Square;

/// An eigenvalue of a small matrix and what its eigenvectors say about it.
pub(super) struct Sensitivity {
    /// The size of the last element of the right eigenvector, which has length 1.
    pub(super) last: f64,
    /// The condition number: how much farther than a small change of the matrix the eigenvalue moves. 1 for normal
    /// matrices, without bound near defective ones.
    pub(super) condition: f64,
}

/// The sensitivity of an eigenvalue, from its left and right eigenvectors `y`, `x`: the condition number is
/// `‖y‖ ‖x‖ / |yᴴ x|`.
///
/// # References
/// The vectors come from inverse iteration (I. Ipsen, "Computing an eigenvector with inverse iteration", SIAM Rev. 39,
/// 1997); the condition number is J. Wilkinson's ("The algebraic eigenvalue problem", 1965, chapter 2).
pub(super) fn sensitivity(matrix: &Square, eigenvalue: Complex) -> Sensitivity {
    let size = matrix.largest();
    if size == 0.0 {
        return Sensitivity {
            last: 1.0,
            condition: 1.0,
        };
    }
    let factors = Factors::of(matrix, eigenvalue, size);
    // Two rounds, because the first may begin at a vector that has little of the one looked for.
    let iterate = |solve: &dyn Fn(&mut Vec<Complex>)| {
        let mut x = start(matrix.extent());
        for _ in 0..2 {
            solve(&mut x);
            normalise(&mut x);
        }
        x
    };
    let right = iterate(&|x| factors.solve(x));
    let left = iterate(&|y| factors.solve_adjoint(y));
    let product = left.iter().zip(&right);
    let product = product.fold(Complex::ZERO, |sum, (y, x)| sum + y.conjugate() * *x);
    Sensitivity {
        last: right.last().map_or(0.0, |x| x.modulus()),
        condition: 1.0 / product.modulus().min(1.0),
    }
}

/// How far any eigenvalue of an `n × n` matrix of this norm moves at most when the matrix changes by `change`, however
/// defective it is.
///
/// # References
/// L. Elsner, "An optimal bound for the spectral variation of two matrices", Linear Algebra Appl. 71, 1985.
pub(super) fn largest_shift(n: usize, norm: f64, change: f64) -> f64 {
    let root = 1.0 / n.max(1) as f64;
    (2.0 * norm + change).powf(1.0 - root) * change.powf(root)
}

/// A vector that no structure of a matrix is likely to be orthogonal to.
fn start(n: usize) -> Vec<Complex> {
    let value = |i: usize| Complex::new(1.0 + 0.3 * (i as f64 * 1.7).sin(), 0.0);
    (0..n).map(value).collect()
}

fn normalise(x: &mut [Complex]) {
    let largest = x.iter().fold(0.0_f64, |most, z| most.max(z.modulus()));
    let squares = x.iter().map(|z| (z.modulus() / largest).powi(2));
    let norm = largest * squares.sum::<f64>().sqrt();
    x.iter_mut().for_each(|z| *z = z.scaled(1.0 / norm));
}

/// `P (A − λ) = L U`, with pivots that are nothing replaced by rounding errors.
struct Factors {
    rows: Vec<Vec<Complex>>,
    order: Vec<usize>,
}

impl Factors {
    fn of(matrix: &Square, eigenvalue: Complex, size: f64) -> Self {
        let n = matrix.extent();
        let element = |i: usize, j: usize| {
            let shift = if i == j { eigenvalue } else { Complex::ZERO };
            (Complex::new(matrix[(i, j)], 0.0) - shift).scaled(1.0 / size)
        };
        let mut rows: Vec<Vec<Complex>> = (0..n)
            .map(|i| (0..n).map(|j| element(i, j)).collect())
            .collect();
        let mut order: Vec<usize> = (0..n).collect();
        for k in 0..n {
            let by_size = |a: &usize, b: &usize| {
                let modulus = |i: usize| rows[i][k].modulus();
                modulus(*a).total_cmp(&modulus(*b))
            };
            let pivot = (k..n).max_by(by_size).unwrap_or(k);
            rows.swap(k, pivot);
            order.swap(k, pivot);
            if rows[k][k].modulus() < f64::EPSILON {
                rows[k][k] = Complex::new(f64::EPSILON, 0.0);
            }
            let (done, rest) = rows.split_at_mut(k + 1);
            for row in rest {
                let factor = row[k] / done[k][k];
                row[k] = factor;
                for j in k + 1..n {
                    row[j] = row[j] - factor * done[k][j];
                }
            }
        }
        Self { rows, order }
    }

    /// `(A − λ)⁻¹ x`.
    fn solve(&self, x: &mut Vec<Complex>) {
        let n = self.rows.len();
        let mut y: Vec<Complex> = self.order.iter().map(|&i| x[i]).collect();
        for i in 0..n {
            y[i] = (0..i).fold(y[i], |sum, j| sum - self.rows[i][j] * y[j]);
        }
        for i in (0..n).rev() {
            let sum = (i + 1..n).fold(y[i], |sum, j| sum - self.rows[i][j] * y[j]);
            y[i] = sum / self.rows[i][i];
        }
        *x = y;
    }

    /// `(A − λ)⁻ᴴ x`.
    fn solve_adjoint(&self, x: &mut [Complex]) {
        let n = self.rows.len();
        let adjoint = |i: usize, j: usize| self.rows[j][i].conjugate();
        let mut y = x.to_vec();
        for i in 0..n {
            let sum = (0..i).fold(y[i], |sum, j| sum - adjoint(i, j) * y[j]);
            y[i] = sum / adjoint(i, i);
        }
        for i in (0..n).rev() {
            y[i] = (i + 1..n).fold(y[i], |sum, j| sum - adjoint(i, j) * y[j]);
        }
        for (i, value) in self.order.iter().zip(y) {
            x[*i] = value;
        }
    }
}
