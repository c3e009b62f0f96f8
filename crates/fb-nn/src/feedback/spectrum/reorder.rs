//! The leading eigenvalues brought to the front of a Schur form.

use super::reflector::Reflector;
use super::schur::Schur;
use super::square::Square;

/// A swap that leaves more than this, relative to the matrix, below the diagonal is not done.
const LEFT_BEHIND: f64 = 1e-13;

impl Schur {
    /// Sorts the blocks by falling modulus of their eigenvalues.
    ///
    /// Blocks whose eigenvalues are so much alike that they cannot be swapped without losing digits stay as they are.
    pub(super) fn lead(&mut self) {
        let norm = self.t.norm();
        for _ in 0..self.t.extent() {
            let (mut at, mut swapped) = (0, false);
            loop {
                let rows = self.rows(at);
                if at + rows >= self.t.extent() {
                    break;
                }
                let ahead = self.modulus(at + rows) > self.modulus(at) * (1.0 + 1e-12);
                if ahead && self.swap(at, rows, self.rows(at + rows), norm) {
                    swapped = true;
                }
                at += self.rows(at);
            }
            if !swapped {
                return;
            }
        }
    }

    /// How many rows the block that begins here has.
    fn rows(&self, at: usize) -> usize {
        self.values(at).len()
    }

    fn modulus(&self, at: usize) -> f64 {
        self.values(at)
            .iter()
            .fold(0.0, |most, z| z.modulus().max(most))
    }

    /// Swaps the block of `p` rows at `at` with the one of `q` rows behind it; whether that went well.
    ///
    /// With `A X − X B = C` for the blocks `A`, `B` and what stands beside them, the columns of `[−X; I]` span the space
    /// that belongs to `B`; reflections that turn them into the first axes bring `B` to the front.
    ///
    /// # References
    /// Z. Bai, J. Demmel, "On swapping diagonal blocks in real Schur form", Linear Algebra Appl. 186, 1993.
    fn swap(&mut self, at: usize, p: usize, q: usize, norm: f64) -> bool {
        let n = self.t.extent();
        let mut columns = vec![vec![0.0; p + q]; q];
        let x = sylvester(&self.t, at, p, q);
        for (j, column) in columns.iter_mut().enumerate() {
            (0..p).for_each(|i| column[i] = -x[i * q + j]);
            column[p + j] = 1.0;
        }
        let before = self.clone();
        for j in 0..q {
            let reflector = Reflector::of(&columns[j][j..]);
            for column in &mut columns[j + 1..] {
                reflector.vector(&mut column[j..]);
            }
            reflector.rows(&mut self.t, at + j, at..n);
            reflector.columns(&mut self.t, at + j, 0..at + p + q);
            reflector.columns(&mut self.q, at + j, 0..n);
        }
        let below = || (at + q..at + p + q).flat_map(|i| (at..at + q).map(move |j| (i, j)));
        if below().any(|place| self.t[place].abs() > LEFT_BEHIND * norm) {
            *self = before;
            return false;
        }
        below().for_each(|place| self.t[place] = 0.0);
        if q == 2 {
            self.separate(at);
        }
        if p == 2 {
            self.separate(at + q);
        }
        true
    }
}

/// Solves `A X − X B = C` for neighbouring blocks of `t`; `X` row after row.
fn sylvester(t: &Square, at: usize, p: usize, q: usize) -> Vec<f64> {
    let (size, behind) = (p * q, at + p);
    let mut system = vec![vec![0.0; size + 1]; size];
    for i in 0..p {
        for j in 0..q {
            let row = &mut system[i * q + j];
            (0..p).for_each(|k| row[k * q + j] += t[(at + i, at + k)]);
            (0..q).for_each(|k| row[i * q + k] -= t[(behind + k, behind + j)]);
            row[size] = t[(at + i, behind + j)];
        }
    }
    eliminate(system, f64::EPSILON * t.largest().max(f64::MIN_POSITIVE))
}

/// Gaussian elimination with partial pivoting; pivots smaller than `least` are taken as that.
fn eliminate(mut system: Vec<Vec<f64>>, least: f64) -> Vec<f64> {
    let size = system.len();
    for k in 0..size {
        let pivot = (k..size)
            .max_by(|&a, &b| system[a][k].abs().total_cmp(&system[b][k].abs()))
            .unwrap_or(k);
        system.swap(k, pivot);
        if system[k][k].abs() < least {
            system[k][k] = least;
        }
        let (done, rest) = system.split_at_mut(k + 1);
        for row in rest {
            let factor = row[k] / done[k][k];
            (k..=size).for_each(|j| row[j] -= factor * done[k][j]);
        }
    }
    let mut x = vec![0.0; size];
    for k in (0..size).rev() {
        let known: f64 = (k + 1..size).map(|j| system[k][j] * x[j]).sum();
        x[k] = (system[k][size] - known) / system[k][k];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::{Schur, Square};
    use fb_tensor::Tensor;
    use fb_tensor::random::Key;

    fn square(n: usize, element: impl Fn(usize, usize) -> f64) -> Square {
        let mut a = Square::zeros(n);
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            a[(i, j)] = element(i, j);
        }
        a
    }

    /// Asserts `A Q = Q T`, `Qᵀ Q = I` and that `T` has nothing below its blocks.
    fn assert_schur_form(a: &Square, schur: &Schur, what: &str) {
        let n = a.extent();
        let close = |x: f64, y: f64| assert!((x - y).abs() <= 1e-12 * a.norm().max(1.0), "{what}");
        let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let (q, t) = (&schur.q, &schur.t);
            close(
                sum(&|k| a[(i, k)] * q[(k, j)]),
                sum(&|k| q[(i, k)] * t[(k, j)]),
            );
            close(sum(&|k| q[(k, i)] * q[(k, j)]), f64::from(i == j));
        }
        let mut within = vec![0; n];
        for (block, (at, rows)) in schur.blocks().into_iter().enumerate() {
            within[at..at + rows].fill(block);
        }
        for (i, j) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))) {
            assert!(schur.t[(i, j)] == 0.0 || within[i] == within[j], "{what}");
        }
    }

    #[test]
    fn sorting_keeps_a_schur_form_and_leads_with_the_largest() {
        for n in [0, 1, 2, 3, 4, 5, 9, 20, 41] {
            let random: Tensor<f64> =
                Tensor::normal([n, n], 0.0, 1.0, &mut Key::new(n as u64).rng());
            let matrices = [
                ("random", square(n, |i, j| random.at(&[i, j]))),
                ("whole", square(n, |i, j| random.at(&[i, j]).round())),
                (
                    "skew",
                    square(n, |i, j| random.at(&[i, j]) - random.at(&[j, i])),
                ),
                ("cycle", square(n, |i, j| f64::from(i == (j + 1) % n))),
                ("huge", square(n, |i, j| 1e250 * random.at(&[i, j]))),
                (
                    "rising",
                    square(n, |i, j| if i == j { 1.0 + i as f64 } else { 0.1 }),
                ),
                (
                    "jordan",
                    square(n, |i, j| f64::from(i == j) * 0.5 + f64::from(i + 1 == j)),
                ),
            ];
            for (name, a) in matrices {
                let what = format!("{name} {n}");
                let mut schur = Schur::of(a.clone()).unwrap();
                if name == "huge" {
                    assert!(schur.t.largest().is_finite());
                    continue;
                }
                assert_schur_form(&a, &schur, &what);
                schur.lead();
                assert_schur_form(&a, &schur, &what);
                let starts = schur.blocks().into_iter();
                let moduli: Vec<f64> = starts.map(|(at, _)| schur.modulus(at)).collect();
                let sorted = moduli.is_sorted_by(|a, b| *a >= b * (1.0 - 1e-9));
                assert!(sorted || name == "cycle", "{what}: {moduli:?}");
            }
        }
    }
}
