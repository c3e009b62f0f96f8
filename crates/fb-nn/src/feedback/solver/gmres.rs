//! The generalised minimal residual method.

use super::drive::{Method, Row, Rules, drive, row_length};
use super::neumann::measure;
use super::{LinearSolver, Map, Solution, Stop, setting};
use crate::error::Result;
use fb_tensor::{Float, Tensor, vectors};
use serde::{Deserialize, Serialize};

/// GMRES: the `u` with the least residual among all combinations of `g, A g, A² g, …`, one more with each product.
///
/// The vectors are made orthonormal as they come (classical Gram–Schmidt, a second time where the first took more than
/// half of the square away), and the small least-squares problem is kept triangular by Givens rotations in double
/// precision, so the residual is known without forming `u`. After `restart` products, or once the estimate is within
/// the tolerance, `u` is formed and one more product measures its residual: what the report says is the residual of
/// the `u` that is returned, and a cycle that rounding led astray is followed by another.
///
/// It is exact after as many products as there are numbers in a row (in exact arithmetic), whatever the spectral radius of `A`,
/// if `I − A` is regular; with fewer vectors than that, `restart` may make it stall on rotations.
///
/// ```
/// use fb_nn::feedback::solver::{Gmres, LinearSolver, Stop};
/// use fb_tensor::Tensor;
/// // A quarter turn, scaled: powers of it never settle, two products are enough.
/// let turn = Tensor::from([[0.0, 3.0], [-3.0, 0.0]]).cast::<f64>();
/// let found = Gmres::default().solve(
///     &mut |u: &Tensor<f64>, _: &[usize]| Ok(u.matmul(&turn)),
///     Tensor::from([[1.0, 0.0]]).cast(),
///     &Stop::to(1e-12),
/// )?;
/// assert!((found.state.at(&[0, 0]) - 0.1).abs() < 1e-12 && (found.state.at(&[0, 1]) - 0.3).abs() < 1e-12);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// Y. Saad, M. Schultz, "GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems", SIAM Journal
/// on Scientific and Statistical Computing 7(3), 1986 (algorithm 4); L. Giraud, J. Langou, M. Rozložník, J. van den Eshof,
/// "Rounding error analysis of the classical Gram–Schmidt orthogonalization process", Numerische Mathematik 101, 2005.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gmres {
    restart: usize,
}

impl Default for Gmres {
    /// Restarts after 20 products.
    fn default() -> Self {
        Self { restart: 20 }
    }
}

impl Gmres {
    /// The most vectors that are kept before `u` is formed and a new cycle begins: 1 to 1024.
    #[must_use]
    pub fn restart(self, restart: usize) -> Self {
        Self { restart }
    }
}

/// A cycle is closed a little below the tolerance, so that its true residual is within it.
const MARGIN: f64 = 0.9;
/// How many cycles without progress below the floor end a row.
const PATIENCE: u16 = 2;

struct Krylov {
    /// The most vectors of a cycle.
    most: usize,
    rules: Rules,
}

/// Where a row stands.
#[derive(Default)]
struct Cycle {
    /// Products in all, but for those that measure.
    taken: u32,
    /// How many vectors of this cycle have been multiplied.
    column: u16,
    /// Whether the product that is awaited measures `u`.
    measuring: bool,
}

/// What is kept of the rotated Hessenberg matrix, in double precision.
struct Small<'n> {
    /// The norm of `g`.
    size: &'n mut f64,
    /// The triangle, column by column, each of `most` numbers.
    triangle: &'n mut [f64],
    /// Cosines and sines of the rotations.
    cosines: &'n mut [f64],
    sines: &'n mut [f64],
    /// The rotated right side; its last number is the residual.
    right: &'n mut [f64],
    /// A column, and the factors of the solution.
    column: &'n mut [f64],
    again: &'n mut [f64],
    most: usize,
}

impl<'n> Small<'n> {
    fn numbers(most: usize) -> usize {
        1 + most * most + 2 * most + 3 * (most + 1)
    }

    fn of(numbers: &'n mut [f64], most: usize) -> Self {
        let (size, mut rest) = numbers.split_first_mut().expect("room for it");
        let mut take = |count: usize| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(count);
            rest = after;
            part
        };
        Self {
            size,
            triangle: take(most * most),
            cosines: take(most),
            sines: take(most),
            right: take(most + 1),
            column: take(most + 1),
            again: take(most + 1),
            most,
        }
    }

    /// Takes the new column (`j + 1` numbers and what is left below) into the triangle; gives the residual.
    fn rotate(&mut self, j: usize, below: f64) -> f64 {
        for i in 0..j {
            let (c, s) = (self.cosines[i], self.sines[i]);
            let (a, b) = (self.column[i], self.column[i + 1]);
            self.column[i] = c * a + s * b;
            self.column[i + 1] = c * b - s * a;
        }
        let diagonal = self.column[j];
        let length = diagonal.hypot(below);
        let (c, s) = if length > 0.0 {
            (diagonal / length, below / length)
        } else {
            (1.0, 0.0)
        };
        (self.cosines[j], self.sines[j]) = (c, s);
        self.column[j] = length;
        self.triangle[j * self.most..][..=j].copy_from_slice(&self.column[..=j]);
        let before = self.right[j];
        self.right[j] = c * before;
        self.right[j + 1] = -s * before;
        self.right[j + 1].abs()
    }

    /// The factors of the first `count` vectors, to `column`. A direction that the matrix takes to nothing gets none.
    fn back_substitute(&mut self, count: usize) {
        let largest = (0..count)
            .map(|j| self.triangle[j * self.most + j].abs())
            .fold(0.0, f64::max);
        for i in (0..count).rev() {
            let mut value = self.right[i];
            for j in i + 1..count {
                value -= self.triangle[j * self.most + i] * self.column[j];
            }
            let diagonal = self.triangle[i * self.most + i];
            self.column[i] = if diagonal > 1e-15 * largest {
                value / diagonal
            } else {
                0.0
            };
        }
    }
}

fn square<F: Float>(x: &[F]) -> f64 {
    let mut square = [0.0];
    vectors::dots(x, x, &mut square);
    square[0]
}

/// `x / length`
fn normalise<F: Float>(x: &mut [F], length: f64) {
    let factor = F::from_f64(1.0 / length);
    for x in x {
        *x *= factor;
    }
}

impl Krylov {
    /// Makes the newest vector of a cycle orthogonal to those before; the parts along them go to `small.column`. Gives the
    /// squares of its length before and after.
    fn orthogonalise<F: Float>(
        small: &mut Small<'_>,
        basis: &[F],
        newest: &mut [F],
        room: &mut [F],
    ) -> [f64; 2] {
        let count = basis.len() / newest.len().max(1);
        let before = square(newest);
        let mut length = before;
        small.column[..count].fill(0.0);
        for _ in 0..2 {
            let start = length;
            let again = &mut small.again[..count];
            room.copy_from_slice(newest);
            vectors::dots(basis, room, again);
            for (part, again) in small.column.iter_mut().zip(again.iter_mut()) {
                *part += *again;
                *again = -*again;
            }
            vectors::combine(room, basis, again, newest);
            length = square(newest);
            if length > 0.5 * start {
                break;
            }
        }
        [before, length]
    }
}

impl<F: Float> Method<F> for Krylov {
    type Memory = Cycle;

    fn vectors(&self) -> usize {
        // The right side, u, room, and the vectors of a cycle with the one after them.
        3 + self.most + 1
    }

    fn numbers(&self) -> usize {
        Small::numbers(self.most)
    }

    fn begin(&self, row: &mut Row<'_, F, Cycle>, input: &[F], first: &mut [F]) {
        let length = input.len();
        let size = measure(row, input);
        if !size.is_finite() || size == 0.0 {
            return;
        }
        first.fill(F::ZERO);
        // What is known without a product: u = 0 leaves everything.
        row.trace(1.0);
        if row.judge(&self.rules, first, 1.0, self.rules.max_iterations == 0) {
            return;
        }
        let (store, numbers, _) = row.parts(length);
        let small = Small::of(numbers, self.most);
        (*small.size, small.right[0]) = (size, size);
        store[..length].copy_from_slice(input);
        store[length..2 * length].fill(F::ZERO);
        first.copy_from_slice(input);
        normalise(first, size);
        store[3 * length..4 * length].copy_from_slice(first);
    }

    fn advance(&self, row: &mut Row<'_, F, Cycle>, asked: &[F], image: &[F], next: &mut [F]) {
        let length = asked.len();
        let (store, numbers, cycle) = row.parts(length);
        let (right, store) = store.split_at_mut(length);
        let (u, store) = store.split_at_mut(length);
        let (room, basis) = store.split_at_mut(length);
        let mut small = Small::of(numbers, self.most);

        if cycle.measuring {
            let rest = &mut basis[..length];
            for ((rest, &g), (&u, &image)) in rest.iter_mut().zip(&*right).zip(u.iter().zip(image))
            {
                *rest = (g - u) + image;
            }
            let left = square(rest).sqrt();
            let residual = left / *small.size;
            small.right[0] = left;
            normalise(rest, left);
            next.copy_from_slice(rest);
            (cycle.column, cycle.measuring) = (0, false);
            let exhausted = cycle.taken >= self.rules.max_iterations;
            row.trace(residual);
            row.judge(&self.rules, asked, residual, exhausted);
            return;
        }

        let j = usize::from(cycle.column);
        let (basis, newest) = basis.split_at_mut((j + 1) * length);
        let newest = &mut newest[..length];
        for ((newest, &v), &image) in newest.iter_mut().zip(asked).zip(image) {
            *newest = v - image;
        }
        let [before, after] = Self::orthogonalise(&mut small, basis, newest, room);
        let below = after.sqrt();
        let estimate = small.rotate(j, below) / *small.size;
        cycle.taken = cycle.taken.saturating_add(1);
        cycle.column += 1;
        let (count, taken) = (j + 1, cycle.taken);
        if !estimate.is_finite() {
            row.trace(estimate);
            row.stop_non_finite();
            return;
        }
        // The products so far span all that more of them would reach.
        let complete = below <= 10.0 * F::EPSILON.to_f64() * before.sqrt();
        let within = estimate <= MARGIN * self.rules.tolerance;
        if within || complete || count == self.most || taken >= self.rules.max_iterations {
            small.back_substitute(count);
            vectors::combine(u, &basis[..count * length], &small.column[..count], next);
            u.copy_from_slice(next);
            cycle.measuring = true;
        } else {
            normalise(newest, below);
            next.copy_from_slice(newest);
        }
        row.trace(estimate);
    }
}

impl LinearSolver for Gmres {
    const KIND: &'static str = "Gmres";

    fn validate(&self) -> Result<()> {
        let help = "20 is usual; each vector of a cycle is kept for every row";
        setting::count(Self::KIND, "restart", self.restart, 1..=1024, help)
    }

    fn solve<F: Float>(
        &self,
        product: &mut Map<'_, F>,
        right: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>> {
        self.validate()?;
        stop.validate()?;
        let length = row_length(&right);
        // There are no more independent vectors than numbers in a row.
        let most = self.restart.min(length).min(stop.max_iterations).max(1);
        let method = Krylov {
            most,
            rules: Rules::new::<F>(stop, length, PATIENCE),
        };
        drive(Self::KIND, &method, product, &right, stop)
    }
}
