//! The real Schur form of a small matrix, and with it its eigenvalues.

use super::balance::balance;
use super::complex::Complex;
use super::reflector::Reflector;
use super::square::Square;

/// Steps for one eigenvalue before the iteration is given up; two or three are usual.
const STEPS: usize = 60;

/// What is this much smaller than the matrix is nothing, and dividing by it might overflow.
const NOTHING: f64 = 1e-290;

/// `A = Q T Qᵀ` with orthogonal `Q`, and `T` upper triangular but for blocks of two rows on the diagonal, one for each
/// conjugate pair of eigenvalues.
#[derive(Clone, Debug)]
pub(super) struct Schur {
    pub(super) t: Square,
    pub(super) q: Square,
}

/// The eigenvalues of a finite matrix in no particular order; none if the iteration does not settle.
pub(super) fn eigenvalues_of(mut a: Square) -> Option<Vec<Complex>> {
    balance(&mut a);
    let schur = Schur::of(a)?;
    let blocks = schur.blocks();
    Some(
        blocks
            .into_iter()
            .flat_map(|(at, _)| schur.values(at))
            .collect(),
    )
}

impl Schur {
    /// The Schur form of a finite matrix; none if the iteration does not settle.
    ///
    /// The matrix is reduced to Hessenberg form by Householder reflections; then Francis's implicit double shift splits
    /// off one or two eigenvalues at a time.
    ///
    /// # References
    /// J. Francis, "The QR transformation", Comput. J. 4, 1961–62; G. Golub, C. Van Loan, "Matrix computations", 4th
    /// edition, algorithms 7.4.2, 7.5.1 and 7.5.2; shifts and tests as in `hqr2` of EISPACK.
    pub(super) fn of(a: Square) -> Option<Self> {
        let q = Square::identity(a.extent());
        let mut schur = Self { t: a, q };
        // With elements up to 1 no product of two of them overflows.
        let size = match schur.t.largest() {
            0.0 => 1.0,
            largest => largest.log2().floor().exp2(),
        };
        schur.t.scale(1.0 / size);
        schur.reduce();
        schur.iterate()?;
        schur.t.scale(size);
        Some(schur)
    }

    /// Brings `t` to Hessenberg form: zeros below the first subdiagonal.
    fn reduce(&mut self) {
        let n = self.t.extent();
        for k in 0..n.saturating_sub(2) {
            let column: Vec<f64> = (k + 1..n).map(|i| self.t[(i, k)]).collect();
            let reflector = Reflector::of(&column);
            reflector.rows(&mut self.t, k + 1, k..n);
            (k + 2..n).for_each(|i| self.t[(i, k)] = 0.0);
            reflector.columns(&mut self.t, k + 1, 0..n);
            reflector.columns(&mut self.q, k + 1, 0..n);
        }
    }

    /// Splits the Hessenberg matrix into blocks of one and two rows, from the end.
    fn iterate(&mut self) -> Option<()> {
        let norm = self.t.norm();
        let (mut end, mut steps) = (self.t.extent(), 0);
        while end > 0 {
            let start = self.split(end, norm);
            match end - start {
                1 => end = start,
                2 => {
                    self.separate(start);
                    end = start;
                }
                _ if steps == STEPS => return None,
                _ => {
                    steps += 1;
                    self.francis_step(start, end, steps % 10 == 0);
                    continue;
                }
            }
            steps = 0;
        }
        Some(())
    }

    /// Where the last block that ends at `end` and does not fall apart begins.
    fn split(&mut self, end: usize, norm: f64) -> usize {
        for k in (1..end).rev() {
            let neighbours = match self.t[(k - 1, k - 1)].abs() + self.t[(k, k)].abs() {
                0.0 => norm,
                sum => sum,
            };
            let below = self.t[(k, k - 1)].abs();
            if below <= f64::EPSILON * neighbours || below <= NOTHING * norm {
                self.t[(k, k - 1)] = 0.0;
                return k;
            }
        }
        0
    }

    /// One step with both eigenvalues of the last two rows as shifts, or, where those lead nowhere, with others.
    fn francis_step(&mut self, start: usize, end: usize, exceptional: bool) {
        let (n, last) = (self.t.extent(), end - 1);
        let t = &mut self.t;
        let (a, d, bc) = if exceptional {
            let size = t[(last, last - 1)].abs() + t[(last - 1, last - 2)].abs();
            let shifted = t[(last, last)] + 0.75 * size;
            (shifted, shifted, -0.4375 * size * size)
        } else {
            let bc = t[(last - 1, last)] * t[(last, last - 1)];
            (t[(last - 1, last - 1)], t[(last, last)], bc)
        };
        // The first column of (T − σ₁)(T − σ₂), divided by the first element below the diagonal.
        let z = t[(start, start)];
        let mut column = [
            ((z - a) * (z - d) - bc) / t[(start + 1, start)] + t[(start, start + 1)],
            z + t[(start + 1, start + 1)] - a - d,
            t[(start + 2, start + 1)],
        ];
        for k in start..last {
            let rows = (end - k).min(3);
            let reflector = Reflector::of(&column[..rows]);
            let before = if k > start { k - 1 } else { k };
            reflector.rows(t, k, before..n);
            if k > start {
                (k + 1..k + rows).for_each(|i| t[(i, k - 1)] = 0.0);
            }
            reflector.columns(t, k, 0..end.min(k + 4));
            reflector.columns(&mut self.q, k, 0..n);
            for (i, value) in column.iter_mut().enumerate() {
                *value = if k + 1 + i < end {
                    t[(k + 1 + i, k)]
                } else {
                    0.0
                };
            }
        }
    }

    /// Makes a block of two rows triangular if its eigenvalues are real.
    pub(super) fn separate(&mut self, at: usize) {
        let n = self.t.extent();
        let (a, b) = (self.t[(at, at)], self.t[(at, at + 1)]);
        let (c, d) = (self.t[(at + 1, at)], self.t[(at + 1, at + 1)]);
        let half = 0.5 * (a - d);
        let discriminant = half * half + b * c;
        if c == 0.0 || discriminant < 0.0 {
            return;
        }
        // The eigenvector (z, c) of a = d + z becomes the first axis.
        let z = half + discriminant.sqrt().copysign(half);
        let reflector = Reflector::of(&[z, c]);
        reflector.rows(&mut self.t, at, at..n);
        reflector.columns(&mut self.t, at, 0..at + 2);
        reflector.columns(&mut self.q, at, 0..n);
        self.t[(at + 1, at)] = 0.0;
    }

    /// Where the blocks on the diagonal begin and how many rows they have.
    pub(super) fn blocks(&self) -> Vec<(usize, usize)> {
        let (n, mut at, mut blocks) = (self.t.extent(), 0, Vec::new());
        while at < n {
            let rows = if at + 1 < n && self.t[(at + 1, at)] != 0.0 {
                2
            } else {
                1
            };
            blocks.push((at, rows));
            at += rows;
        }
        blocks
    }

    /// The eigenvalues of the block that begins here, one or two.
    pub(super) fn values(&self, at: usize) -> Vec<Complex> {
        let a = self.t[(at, at)];
        if at + 1 == self.t.extent() || self.t[(at + 1, at)] == 0.0 {
            return vec![Complex::new(a, 0.0)];
        }
        let (b, c) = (self.t[(at, at + 1)], self.t[(at + 1, at)]);
        let d = self.t[(at + 1, at + 1)];
        let half = 0.5 * (a - d);
        // Roots before the product, which for two small elements may be nothing.
        let mean_square = b.abs().sqrt() * c.abs().sqrt();
        if b * c >= 0.0 || mean_square <= half.abs() {
            let root = match b * c {
                positive if positive >= 0.0 => half.hypot(mean_square),
                _ => (half.abs() - mean_square).sqrt() * (half.abs() + mean_square).sqrt(),
            };
            return vec![
                Complex::new(d + half + root, 0.0),
                Complex::new(d + half - root, 0.0),
            ];
        }
        let im = (mean_square - half.abs()).sqrt() * (mean_square + half.abs()).sqrt();
        let upper = Complex::new(d + half, im);
        vec![upper, upper.conjugate()]
    }
}
