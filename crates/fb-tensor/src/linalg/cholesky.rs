//! Cholesky's factor of a symmetric matrix, and what is solved with it.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::gemm::{MatMut, MatRef, Update};
use crate::storage::UniqueStorage;
use crate::tensor::Tensor;
use crate::threads;

/// Columns that are factored, and rows that are solved, between two products.
const BLOCK: usize = 64;
/// Rows below a block that are solved as one piece of work.
const PIECE: usize = 32;
/// Multiply–adds per nanosecond of one core in the solve of those rows.
const MULTIPLY_ADDS_PER_NS: usize = 4;

const MINUS: Update<'static, f64> = Update {
    alpha: -1.0,
    ..Update::ADD
};

impl<F: Float> Tensor<F> {
    /// Cholesky's factor: the lower triangular `L` with positive diagonal for which `L · Lᵀ` is the matrix.
    ///
    /// Only what lies on and below the diagonal is read. Everything is computed in `f64`, whatever the tensor's type.
    ///
    /// # Shapes
    /// - `self`: `[n, n]`, symmetric and positive definite
    /// - returns `[n, n]`, zeros above the diagonal
    ///
    /// # Panics
    /// If the matrix is not square or not positive definite.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let a = Tensor::from([[4.0, 2.0], [2.0, 5.0]]);
    /// assert_eq!(a.cholesky(), Tensor::from([[2.0, 0.0], [1.0, 2.0]]));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn cholesky(&self) -> Self {
        self.try_cholesky().or_panic()
    }

    /// [`Tensor::cholesky`] for matrices that come from data.
    ///
    /// # Errors
    /// The matrix is not square, or not positive definite; then the error names the pivot.
    pub fn try_cholesky(&self) -> Result<Self> {
        square("cholesky", self)?;
        Ok(factor("cholesky", &self.to_f64())?.cast())
    }

    /// Solves `A · X = B` given Cholesky's factor of `A`: `self` is the `L` of [`Tensor::cholesky`].
    ///
    /// # Shapes
    /// - `self`: `[n, n]`, of which only what lies on and below the diagonal is read
    /// - `right`: `[n, m]`
    /// - returns `[n, m]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let a = Tensor::from([[4.0, 2.0], [2.0, 5.0]]);
    /// let x = a.cholesky().cholesky_solve(&Tensor::from([[8.0], [12.0]]));
    /// assert_eq!(x.to_vec(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn cholesky_solve(&self, right: &Self) -> Self {
        self.try_cholesky_solve(right).or_panic()
    }

    /// [`Tensor::cholesky_solve`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_cholesky_solve(&self, right: &Self) -> Result<Self> {
        square("cholesky_solve", self)?;
        if right.rank() != 2 || right.dim(0) != self.dim(0) {
            return Err(Error::Shapes {
                op: "cholesky_solve",
                left: self.shape().to_string(),
                right: right.shape().to_string(),
                help: "the right side is [n, m] for a factor [n, n]",
            });
        }
        Ok(solve(&self.to_f64(), &right.to_f64()).cast())
    }

    /// The weights of ridge regression: the `W` that makes `‖X · W − Y‖² + ridge · ‖W‖²` smallest.
    ///
    /// `W = (Xᵀ·X + ridge · 1)⁻¹ · Xᵀ·Y`, in `f64` whatever the tensor's type, by Cholesky's factor. It has no intercept: give
    /// `X` a column of ones for one, which is held small like the others.
    ///
    /// # Shapes
    /// - `self`: `X`, `[rows, features]`
    /// - `targets`: `Y`, `[rows, outputs]`
    /// - returns `[features, outputs]`
    ///
    /// # Panics
    /// As [`Tensor::try_solve_ridge`] has errors.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x: Tensor = Tensor::from([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let y = Tensor::from([[1.0], [3.0], [5.0]]);
    /// let w = x.solve_ridge(&y, 1e-9);
    /// assert!((w.at(&[0, 0]) - 1.0).abs() < 1e-6 && (w.at(&[1, 0]) - 2.0).abs() < 1e-6);
    /// ```
    ///
    /// # References
    /// A. E. Hoerl, R. W. Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12,
    /// 55–67, equation 2.1.
    #[track_caller]
    #[must_use]
    pub fn solve_ridge(&self, targets: &Self, ridge: f64) -> Self {
        self.try_solve_ridge(targets, ridge).or_panic()
    }

    /// [`Tensor::solve_ridge`] for data.
    ///
    /// # Errors
    /// The shapes do not fit, the ridge is negative or not finite, or `Xᵀ·X + ridge · 1` is not positive definite: columns of
    /// `X` depend on each other or hold NaN, and the ridge is too small to help.
    pub fn try_solve_ridge(&self, targets: &Self, ridge: f64) -> Result<Self> {
        if self.rank() != 2 || targets.rank() != 2 || self.dim(0) != targets.dim(0) {
            return Err(Error::Shapes {
                op: "solve_ridge",
                left: self.shape().to_string(),
                right: targets.shape().to_string(),
                help: "both have an axis of rows and one of numbers a row",
            });
        }
        if !(ridge >= 0.0 && ridge.is_finite()) {
            return Err(Error::Argument {
                op: "solve_ridge",
                what: format!("the ridge {ridge} is not a finite size"),
            });
        }
        let (x, y) = (self.to_f64(), targets.to_f64());
        let across = x.transpose();
        let (squares, products) = (across.try_matmul(&x)?, across.try_matmul(&y)?);
        let features = x.dim(1);
        let raised = Tensor::filled_by([features, features], |out| {
            out.copy_from_slice(squares.as_slice().expect("a product is contiguous"));
            out.iter_mut()
                .step_by(features + 1)
                .for_each(|d| *d += ridge);
        });
        let lower = factor("solve_ridge", &raised)?;
        Ok(solve(&lower, &products).cast())
    }
}

fn square<F: Float>(op: &'static str, matrix: &Tensor<F>) -> Result<()> {
    match matrix.dims() {
        [rows, columns] if rows == columns => Ok(()),
        _ => Err(Error::Argument {
            op,
            what: format!("{} is not a square matrix", matrix.shape()),
        }),
    }
}

/// The factor of a contiguous matrix.
fn factor(op: &'static str, matrix: &Tensor<f64>) -> Result<Tensor<f64>> {
    let n = matrix.dim(0);
    let from = matrix
        .as_slice()
        .expect("converted matrices are contiguous");
    let mut failed = None;
    let lower = Tensor::filled_by([n, n], |out| {
        for (row, (to, from)) in rows_mut(out, n).zip(from.chunks(n.max(1))).enumerate() {
            to[..=row].copy_from_slice(&from[..=row]);
            to[row + 1..].fill(0.0);
        }
        failed = factor_in_place(out, n).err();
    });
    match failed {
        None => Ok(lower),
        Some((pivot, value)) => Err(Error::NotPositiveDefinite {
            op,
            pivot,
            value: format!("{value:e}"),
        }),
    }
}

fn rows_mut(matrix: &mut [f64], n: usize) -> impl Iterator<Item = &mut [f64]> {
    matrix.chunks_mut(n.max(1))
}

/// Replaces the lower triangle by its factor, column block by column block: what the blocks before it contribute is one
/// product. The first pivot that is not positive is the error.
fn factor_in_place(lower: &mut [f64], n: usize) -> Result<(), (usize, f64)> {
    let mut panel = UniqueStorage::<f64>::stale(n * BLOCK.min(n));
    let panel = panel.as_mut_slice();
    let mut across = [0.0; BLOCK * BLOCK];
    for start in (0..n).step_by(BLOCK) {
        let width = BLOCK.min(n - start);
        let panel = &mut panel[..(n - start) * width];
        for (row, to) in panel.chunks_mut(width).enumerate() {
            let from = (start + row) * n + start;
            to.copy_from_slice(&lower[from..from + width]);
        }
        if start > 0 {
            let before = MatRef::row_major(lower, n, n);
            let left = before.part(start..n, 0..start);
            let right = before.part(start..start + width, 0..start).transposed();
            let out = MatMut::row_major(panel, n - start, width);
            (f64::kernels().product)(left, right, MINUS, out);
        }
        let (top, below) = panel.split_at_mut(width * width);
        factor_block(top, width).map_err(|(pivot, value)| (start + pivot, value))?;
        for (row, line) in top.chunks(width).enumerate() {
            for (column, &value) in line.iter().enumerate() {
                across[column * width + row] = value;
            }
        }
        let cost = below.len() * width / 2 / MULTIPLY_ADDS_PER_NS;
        threads::for_each_chunk_mut(below, PIECE * width, cost, |_, part| {
            for row in part.chunks_mut(width) {
                solve_row(row, &across, width);
            }
        });
        for (row, from) in panel.chunks(width).enumerate() {
            let to = (start + row) * n + start;
            lower[to..to + width].copy_from_slice(from);
        }
    }
    Ok(())
}

/// The factor of a small matrix, in place, with zeros above the diagonal.
fn factor_block(block: &mut [f64], n: usize) -> Result<(), (usize, f64)> {
    for row in 0..n {
        let (before, rest) = block.split_at_mut(row * n);
        let line = &mut rest[..n];
        for column in 0..row {
            let other = &before[column * n..][..n];
            let sum: f64 = (0..column).map(|k| line[k] * other[k]).sum();
            line[column] = (line[column] - sum) / other[column];
        }
        let pivot = line[row] - line[..row].iter().map(|x| x * x).sum::<f64>();
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err((row, pivot));
        }
        line[row] = pivot.sqrt();
        line[row + 1..].fill(0.0);
    }
    Ok(())
}

/// Solves `x · U = row` in place for an upper triangular `U` of rows that are `width` apart.
fn solve_row(row: &mut [f64], upper: &[f64], width: usize) {
    for at in 0..row.len() {
        let line = &upper[at * width..][..width];
        let x = row[at] / line[at];
        row[at] = x;
        for (rest, u) in row[at + 1..].iter_mut().zip(&line[at + 1..]) {
            *rest -= x * u;
        }
    }
}

/// `(L · Lᵀ)⁻¹ · right`, by blocks of rows from the first to the last and back: what is solved already is one product.
fn solve(lower: &Tensor<f64>, right: &Tensor<f64>) -> Tensor<f64> {
    let (n, columns) = (lower.dim(0), right.dim(1));
    let l = lower.as_slice().expect("converted matrices are contiguous");
    let matrix = MatRef::row_major(l, n, n);
    let from = right.as_slice().expect("converted matrices are contiguous");
    Tensor::filled_by([n, columns], |x| {
        x.copy_from_slice(from);
        if x.is_empty() {
            return;
        }
        for start in (0..n).step_by(BLOCK) {
            let end = (start + BLOCK).min(n);
            let (solved, rest) = x.split_at_mut(start * columns);
            let block = &mut rest[..(end - start) * columns];
            if start > 0 {
                let left = matrix.part(start..end, 0..start);
                let solved = MatRef::row_major(solved, start, columns);
                let out = MatMut::row_major(block, end - start, columns);
                (f64::kernels().product)(left, solved, MINUS, out);
            }
            for row in 0..end - start {
                let line = &l[(start + row) * n + start..][..=row];
                substitute(block, columns, row, 0..row, |k| line[k], line[row]);
            }
        }
        for start in (0..n).step_by(BLOCK).rev() {
            let end = (start + BLOCK).min(n);
            let (rest, solved) = x.split_at_mut(end * columns);
            let block = &mut rest[start * columns..];
            if end < n {
                let left = matrix.part(end..n, start..end).transposed();
                let solved = MatRef::row_major(solved, n - end, columns);
                let out = MatMut::row_major(block, end - start, columns);
                (f64::kernels().product)(left, solved, MINUS, out);
            }
            for row in (0..end - start).rev() {
                let value = |k: usize| l[(start + k) * n + start + row];
                substitute(block, columns, row, row + 1..end - start, value, value(row));
            }
        }
    })
}

/// `row = (row − Σ factor(k) · row k) / pivot` for rows of the block.
fn substitute(
    block: &mut [f64],
    columns: usize,
    row: usize,
    known: std::ops::Range<usize>,
    factor: impl Fn(usize) -> f64,
    pivot: f64,
) {
    for k in known {
        let by = factor(k);
        let [line, other] = block
            .get_disjoint_mut([
                row * columns..(row + 1) * columns,
                k * columns..(k + 1) * columns,
            ])
            .expect("two rows of the block");
        for (x, y) in line.iter_mut().zip(other) {
            *x -= by * *y;
        }
    }
    for x in &mut block[row * columns..(row + 1) * columns] {
        *x /= pivot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;
    use proptest::prelude::*;

    fn normal(shape: [usize; 2], seed: u64) -> Tensor<f64> {
        Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
    }

    /// Products of random numbers with themselves and something on the diagonal: positive definite.
    fn definite(n: usize, seed: u64) -> Tensor<f64> {
        let x = normal([n, n], seed);
        x.matmul(&x.transpose()) + Tensor::<f64>::eye_of(n) * 0.5
    }

    /// The definition, element by element.
    fn naive(a: &Tensor<f64>) -> Vec<f64> {
        let n = a.dim(0);
        let mut l = vec![0.0_f64; n * n];
        for j in 0..n {
            let squares: f64 = (0..j).map(|k| l[j * n + k].powi(2)).sum();
            l[j * n + j] = (a.at(&[j, j]) - squares).sqrt();
            for i in j + 1..n {
                let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
                l[i * n + j] = (a.at(&[i, j]) - sum) / l[j * n + j];
            }
        }
        l
    }

    fn assert_near(found: &Tensor<f64>, known: &Tensor<f64>, tolerance: f64) {
        assert_eq!(found.dims(), known.dims());
        let size = known.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
        for (a, b) in found.iter().zip(known.iter()) {
            assert!((a - b).abs() <= tolerance * size, "{a} {b}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn factors_are_the_definitions_and_multiply_to_the_matrix(n in 0_usize..150, seed in 0_u64..1000) {
            let a = definite(n, seed);
            let l = a.cholesky();
            assert_near(&l, &Tensor::from_vec(naive(&a), [n, n]), 1e-9);
            assert_near(&l.matmul(&l.transpose()), &a, 1e-13);
        }

        #[test]
        fn solutions_solve(n in 0_usize..150, m in 0_usize..5, seed in 0_u64..1000) {
            let (a, x) = (definite(n, seed), normal([n, m], seed + 1));
            let found = a.cholesky().cholesky_solve(&a.matmul(&x));
            assert_near(&found, &x, 1e-7);
        }
    }

    #[test]
    fn sizes_around_a_block_are_whole() {
        for n in [1, 2, 63, 64, 65, 127, 128, 129, 193] {
            let a = definite(n, 3);
            let l = a.cholesky();
            assert_near(&l.matmul(&l.transpose()), &a, 1e-13);
            for row in 0..n {
                assert!((row + 1..n).all(|column| l.at(&[row, column]) == 0.0));
            }
        }
    }

    #[test]
    fn only_the_lower_triangle_is_read() {
        let a = definite(70, 1);
        let spoilt = Tensor::filled_by([70, 70], |out| {
            for (at, (out, x)) in out.iter_mut().zip(a.iter()).enumerate() {
                *out = if at % 70 > at / 70 { f64::NAN } else { x };
            }
        });
        assert_eq!(spoilt.cholesky(), a.cholesky());
        let l = a.cholesky();
        let messy = &l + &(&spoilt - &spoilt);
        let right = normal([70, 2], 4);
        assert_eq!(messy.cholesky_solve(&right), l.cholesky_solve(&right));
    }

    #[test]
    fn views_are_read_where_they_lie() {
        let a = definite(40, 2);
        let wide = Tensor::concat(&[&a, &a], 1);
        assert_eq!(wide.slice(1, 0..40).cholesky(), a.cholesky());
        assert_eq!(
            a.transpose().contiguous().cholesky(),
            a.transpose().cholesky()
        );
    }

    #[test]
    fn threads_do_not_change_the_bits() {
        let (x, y) = (normal([500, 300], 1), normal([500, 3], 2));
        let [one, two] = [1, 2].map(|count| threads::scope_with(count, || x.solve_ridge(&y, 1e-3)));
        assert_eq!(one, two);
    }

    #[test]
    fn thirty_two_bits_lose_nothing_on_the_way() {
        let x = normal([90, 30], 5).cast::<f32>();
        let y = normal([90, 2], 6).cast::<f32>();
        let wide = x.to_f64().solve_ridge(&y.to_f64(), 1e-6);
        assert_eq!(x.solve_ridge(&y, 1e-6), wide.cast::<f32>());
    }

    #[test]
    fn ridge_weights_leave_no_gradient() {
        let (x, y) = (normal([60, 20], 1), normal([60, 2], 2));
        for ridge in [0.0, 0.1, 10.0] {
            let w = x.solve_ridge(&y, ridge);
            let gradient = x.transpose().matmul(&(x.matmul(&w) - &y)) + &w * ridge;
            assert!(gradient.iter().all(|g| g.abs() < 1e-10));
        }
        let sizes =
            [0.1, 10.0].map(|ridge| x.solve_ridge(&y, ridge).iter().map(|w| w * w).sum::<f64>());
        assert!(sizes[1] < sizes[0]);
    }

    #[test]
    fn matrices_that_are_not_definite_name_the_pivot() {
        let mut diagonal = vec![1.0; 100];
        diagonal[80] = -2.0;
        let a = Tensor::<f64>::eye_of(100) * Tensor::from_vec(diagonal, [100]);
        assert_eq!(
            a.try_cholesky().unwrap_err().to_string(),
            "cholesky: the matrix is not positive definite: pivot 80 is -2e0\n  help: check that it is symmetric; adding a little to its diagonal, which is what a ridge does, helps where columns depend on each other"
        );
        let nan = Tensor::from([[1.0, 0.0], [f64::NAN, 1.0]]);
        assert!(
            nan.try_cholesky()
                .unwrap_err()
                .to_string()
                .contains("pivot 1 is NaN")
        );
        let same = Tensor::<f64>::ones_of([5, 3]);
        let error = same
            .try_solve_ridge(&Tensor::ones_of([5, 1]), 0.0)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("solve_ridge: the matrix is not positive definite")
        );
        assert!(same.try_solve_ridge(&Tensor::ones_of([5, 1]), 1e-6).is_ok());
    }

    #[test]
    fn shapes_and_ridges_that_do_not_fit_are_told() {
        let a = Tensor::<f64>::ones_of([2, 3]);
        let text = |result: Result<Tensor<f64>>| result.unwrap_err().to_string();
        assert_eq!(
            text(a.try_cholesky()),
            "cholesky: [2, 3] is not a square matrix"
        );
        let eye = Tensor::<f64>::eye_of(3);
        assert!(text(eye.try_cholesky_solve(&a)).starts_with("cholesky_solve: [3, 3] and [2, 3]"));
        assert!(text(a.try_solve_ridge(&eye, 1.0)).starts_with("solve_ridge: [2, 3] and [3, 3]"));
        assert_eq!(
            text(a.try_solve_ridge(&a, -1.0)),
            "solve_ridge: the ridge -1 is not a finite size"
        );
        let empty = Tensor::<f64>::zeros_of([0, 4]);
        assert_eq!(
            empty.solve_ridge(&Tensor::zeros_of([0, 2]), 1.0),
            Tensor::zeros_of([4, 2])
        );
        let none = Tensor::<f64>::zeros_of([4, 0]);
        assert_eq!(
            none.solve_ridge(&Tensor::zeros_of([4, 2]), 1.0).dims(),
            [0, 2]
        );
    }
}
