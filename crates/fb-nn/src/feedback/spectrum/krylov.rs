//! One sample's Krylov space.

use super::arnoldi::{Arnoldi, Spectrum};
use super::schur::Schur;
use super::square::Square;
use fb_tensor::random::Rng;
use fb_tensor::{Float, Tensor};

/// What is left of a product within this many rounding errors of the Jacobian's size is noise.
const NOISE: f64 = 8.0;

/// Elements of each vector that are combined at once, so that sums stay in the nearest cache.
const STRETCH: usize = 512;

/// An orthonormal basis `V`, and `H` with `J V = V H` up to a multiple of one more vector.
///
/// After a restart `H` begins with an upper triangular part and a row below it; from there on it is Hessenberg again.
pub(super) struct Krylov<F> {
    n: usize,
    /// `steps + 1` vectors, one after the other; the last one is multiplied next.
    basis: Vec<F>,
    projected: Square,
    /// How many vectors of the basis have been multiplied.
    size: usize,
    /// The largest length of a product so far, which the Jacobian's norm is not below.
    scale: f64,
    products: usize,
    restarts: usize,
    rng: Rng,
}

impl<F: Float> Krylov<F> {
    /// A space of one random vector.
    pub(super) fn new(n: usize, arnoldi: &Arnoldi) -> Self {
        let mut space = Self {
            n,
            basis: vec![F::ZERO; (arnoldi.steps + 1) * n],
            projected: Square::zeros(arnoldi.steps),
            size: 0,
            scale: 0.0,
            products: 0,
            restarts: 0,
            rng: arnoldi.key.rng(),
        };
        space.put_random(0);
        space
    }

    /// The vector that is to be multiplied.
    pub(super) fn vector(&self) -> &[F] {
        &self.basis[self.size * self.n..][..self.n]
    }

    /// Takes that vector's product in, and gives what came out if that is enough; none if a Schur form cannot be found.
    pub(super) fn grow(
        &mut self,
        mut product: Vec<f64>,
        arnoldi: &Arnoldi,
    ) -> Option<Option<Spectrum>> {
        self.products += 1;
        self.scale = self.scale.max(length(&product));
        let column = self.size;
        self.size += 1;
        let shares = self.orthogonalise(&mut product, self.size);
        for (row, share) in shares.into_iter().enumerate() {
            self.projected[(row, column)] += share;
        }
        let left = length(&product);
        let noise = NOISE * F::EPSILON.to_f64() * self.scale;
        let coupling = if left <= noise { 0.0 } else { left };
        if coupling == 0.0 {
            self.put_random(self.size);
        } else {
            self.put(self.size, &product, 1.0 / left);
        }
        if self.size < arnoldi.steps {
            self.projected[(self.size, column)] = coupling;
            return Some(None);
        }
        self.conclude(coupling, arnoldi)
    }

    /// Looks at the full space: either its eigenvalues are good enough, or it shrinks and goes on.
    fn conclude(&mut self, coupling: f64, arnoldi: &Arnoldi) -> Option<Option<Spectrum>> {
        let mut schur = Schur::of(self.projected.clone())?;
        let starts = schur.blocks().into_iter();
        let values = starts.flat_map(|(at, _)| schur.values(at)).collect();
        let spectrum = Spectrum::of::<F>(&self.projected, values, coupling, self.products, arnoldi);
        if spectrum.converged || self.restarts == arnoldi.restarts {
            return Some(Some(spectrum));
        }
        schur.lead();
        self.restart(&schur, coupling, arnoldi);
        Some(None)
    }

    /// Keeps the part of the space that belongs to the leading eigenvalues, and the vector that was next.
    fn restart(&mut self, schur: &Schur, coupling: f64, arnoldi: &Arnoldi) {
        let steps = arnoldi.steps;
        let wanted = arnoldi.count + (steps - arnoldi.count) / 2;
        let ends = schur.blocks().into_iter().map(|(at, rows)| at + rows);
        let kept = ends
            .into_iter()
            .find(|&end| end >= wanted)
            .unwrap_or(wanted);
        self.combine(schur, kept);
        let next = steps * self.n..(steps + 1) * self.n;
        self.basis.copy_within(next, kept * self.n);
        self.projected = Square::zeros(steps);
        for column in 0..kept {
            (0..kept).for_each(|row| self.projected[(row, column)] = schur.t[(row, column)]);
            self.projected[(kept, column)] = coupling * schur.q[(steps - 1, column)];
        }
        self.size = kept;
        self.restarts += 1;
    }

    /// `V Q`, its first `kept` vectors.
    fn combine(&mut self, schur: &Schur, kept: usize) {
        let steps = schur.q.extent();
        let mut combined = vec![F::ZERO; kept * self.n];
        for from in (0..self.n).step_by(STRETCH) {
            let to = (from + STRETCH).min(self.n);
            for column in 0..kept {
                let mut sums = [0.0; STRETCH];
                for row in 0..steps {
                    let factor = schur.q[(row, column)];
                    let vector = &self.basis[row * self.n + from..row * self.n + to];
                    for (sum, x) in sums.iter_mut().zip(vector) {
                        *sum += factor * x.to_f64();
                    }
                }
                let out = &mut combined[column * self.n + from..column * self.n + to];
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = F::from_f64(sum);
                }
            }
        }
        self.basis[..kept * self.n].copy_from_slice(&combined);
    }

    /// Takes away what `vector` has in common with the first `count` vectors of the basis, and says how much that was.
    ///
    /// Twice, because once leaves a rounding error that grows with the number of vectors (L. Giraud, J. Langou,
    /// M. Rozložník, "The loss of orthogonality in the Gram-Schmidt orthogonalization process", 2005).
    fn orthogonalise(&self, vector: &mut [f64], count: usize) -> Vec<f64> {
        let mut shares = vec![0.0; count];
        for _ in 0..2 {
            for (share, earlier) in shares.iter_mut().zip(self.basis.chunks_exact(self.n)) {
                let common = dot(earlier, vector);
                for (x, q) in vector.iter_mut().zip(earlier) {
                    *x -= common * q.to_f64();
                }
                *share += common;
            }
        }
        shares
    }

    /// Writes a random vector that is orthogonal to all before it.
    fn put_random(&mut self, place: usize) {
        loop {
            let drawn = Tensor::<f64>::normal([self.n], 0.0, 1.0, &mut self.rng);
            let mut vector = drawn.to_vec();
            self.orthogonalise(&mut vector, place);
            let norm = length(&vector);
            // There are more dimensions than vectors, so what is left is rounding noise only by a rare chance.
            if norm > 1e-3 {
                return self.put(place, &vector, 1.0 / norm);
            }
        }
    }

    fn put(&mut self, place: usize, vector: &[f64], factor: f64) {
        let out = &mut self.basis[place * self.n..][..self.n];
        for (out, x) in out.iter_mut().zip(vector) {
            *out = F::from_f64(x * factor);
        }
    }
}

fn length(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// The scalar product, in eight partial sums so that it is not one long chain of additions.
fn dot<F: Float>(a: &[F], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(x, y)| x.to_f64() * y).sum();
    for (a, b) in a.zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x.to_f64() * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}
