//! Leading eigenvalues of a batch of Jacobians that are known by their products only.

use super::complex::Complex;
use super::condition::{Sensitivity, largest_shift, sensitivity};
use super::krylov::Krylov;
use super::schur::eigenvalues_of;
use super::square::Square;
use crate::error::{Error, Result};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};

/// What messages call what is given to [`eigenvalues`].
const PRODUCT: &str = "the product with the loop's Jacobian";

/// Products with larger elements are refused: their lengths would overflow.
const LARGEST: f64 = 1e150;

/// How many more steps than eigenvalues a restart needs to gain anything.
const SPARE_STEPS: usize = 3;

/// Rounding errors of a product with the Jacobian, relative to the Jacobian's norm.
const ROUNDINGS: f64 = 4.0;

/// States of up to this many elements are multiplied out when restarts do not help, as where all eigenvalues lie on one
/// circle: the small matrices of larger ones would take long.
const MULTIPLIED_OUT: usize = 128;

/// How eigenvalues are looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Arnoldi {
    /// Vectors kept for each sample. States of at most twice as many elements are multiplied out, with one product for
    /// each element; larger ones cost this many products and, for each restart, about half as many again.
    pub steps: usize,
    /// How many eigenvalues are wanted, those of the largest modulus; of a conjugate pair both are given.
    pub count: usize,
    /// An eigenvalue is found when its estimated error is below this share of the spectral radius.
    pub tolerance: f64,
    /// How often the iteration is restarted, on the half of its space that holds the leading eigenvalues.
    pub restarts: usize,
    /// Names the random vector that each sample begins with: the same for all, so that a sample's result depends neither
    /// on its place in the batch nor on its neighbours.
    pub key: Key,
}

impl Default for Arnoldi {
    /// 6 eigenvalues to 1e-5 of the radius, from 32 steps and up to 30 restarts.
    fn default() -> Self {
        Self {
            steps: 32,
            count: 6,
            tolerance: 1e-5,
            restarts: 30,
            key: Key::new(0).fold("spectrum"),
        }
    }
}

/// The leading eigenvalues of one sample's Jacobian.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// By falling modulus; of a conjugate pair the one above the real axis first.
    pub eigenvalues: Vec<Complex>,
    /// The spectral radius: the largest modulus. Disturbances of the state die out if it is below 1.
    pub radius: f64,
    /// How far the least certain of the eigenvalues may be off, estimated: what the iteration left over and the rounding
    /// of the number type, times the eigenvalue's condition number. Near defective Jacobians it is much larger than either.
    pub error: f64,
    /// Whether nothing was left over: the eigenvalues are exact but for rounding.
    pub exact: bool,
    /// Whether all eigenvalues are found to the tolerance, or as exactly as the number type allows. If not, they are
    /// those of the last restart.
    pub converged: bool,
    /// How many products with the Jacobian it took.
    pub products: usize,
}

impl Spectrum {
    /// From eigenvalues of a small matrix, and what the rest of the Jacobian does: `coupling` times the last element of an
    /// eigenvector is its residual.
    pub(super) fn of<F: Float>(
        small: &Square,
        mut values: Vec<Complex>,
        coupling: f64,
        products: usize,
        arnoldi: &Arnoldi,
    ) -> Self {
        values.sort_by(Complex::leading);
        let splits_pair =
            |at: usize| values[at].im < 0.0 && values[at - 1] == values[at].conjugate();
        let mut count = arnoldi.count.min(values.len());
        if count < values.len() && count > 0 && splits_pair(count) {
            count += 1;
        }
        values.truncate(count);
        let radius = values.first().map_or(0.0, |z| z.modulus());
        let (norm, n) = (small.norm(), small.extent());
        let rounding = ROUNDINGS * F::EPSILON.to_f64() * norm;
        let mut spectrum = Self {
            radius,
            error: 0.0,
            exact: true,
            converged: true,
            products,
            eigenvalues: Vec::new(),
        };
        for &value in values.iter().filter(|z| z.im >= 0.0) {
            let Sensitivity { last, condition } = sensitivity(small, value);
            let residual = coupling * last;
            let exact = residual <= rounding;
            let change = residual + rounding;
            let error = (condition * change).min(largest_shift(n, norm, change));
            spectrum.exact &= exact;
            spectrum.converged &= exact || error <= arnoldi.tolerance * radius;
            spectrum.error = spectrum.error.max(error);
        }
        spectrum.eigenvalues = values;
        spectrum
    }
}

/// The leading eigenvalues of each sample's Jacobian.
///
/// `product` multiplies: it maps `v` to `J v`, or to `Jᵀ v`, row by row, each row with the Jacobian of its own sample.
/// All samples are multiplied at once; the rows of those that are done are 0.
///
/// Small states (see [`Arnoldi::steps`]) are multiplied out, and the QR algorithm finds all eigenvalues of the balanced
/// matrix; so are those of up to 128 elements for which restarts do not help. For larger ones an orthonormal basis of a Krylov space is built, re-orthogonalised in f64, and restarted
/// by the Krylov–Schur method. Where a space maps into itself before it is full, it is continued by a random vector.
///
/// How many digits there are depends on the Jacobian: an eigenvalue of a Jordan block of size `k` is known to the `k`-th
/// root of the rounding error, 1e-4 in f64 and 2e-2 in f32 for `k = 4`. [`Spectrum::error`] says so.
///
/// # Shapes
/// - `v` and what `product` gives: `[batch, n]`
///
/// # Errors
/// A setting is outside its domain; `product` fails, gives another shape or, for a sample that is named, a number that is
/// not finite.
///
/// # Examples
/// ```
/// use fb_nn::feedback::spectrum::{Arnoldi, eigenvalues};
/// use fb_tensor::{Tensor, random::Key};
///
/// let jacobian = Tensor::<f32>::normal([200, 200], 0.0, 0.05, &mut Key::new(1).rng());
/// let spectra = eigenvalues(&mut |v: &Tensor| Ok(v.matmul(&jacobian)), 1, 200, &Arnoldi::default())?;
/// // The circular law: about 0.05 · √200.
/// assert!((spectra[0].radius - 0.7).abs() < 0.1);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// W. Arnoldi, "The principle of minimized iterations in the solution of the matrix eigenvalue problem", Quart. Appl.
/// Math. 9, 1951; G. W. Stewart, "A Krylov–Schur algorithm for large eigenproblems", SIAM J. Matrix Anal. Appl. 23, 2002.
pub fn eigenvalues<F: Float>(
    product: &mut dyn FnMut(&Tensor<F>) -> Result<Tensor<F>>,
    batch: usize,
    n: usize,
    arnoldi: &Arnoldi,
) -> Result<Vec<Spectrum>> {
    arnoldi.check()?;
    if batch == 0 {
        return Ok(Vec::new());
    }
    let mut spectra = vec![None; batch];
    if n > 2 * arnoldi.steps {
        iterate(product, &mut spectra, n, arnoldi)?;
    }
    let unfinished = |spectrum: &Option<Spectrum>| match spectrum {
        None => true,
        Some(spectrum) => !spectrum.converged && n <= MULTIPLIED_OUT,
    };
    if spectra.iter().any(unfinished) {
        multiply_out(product, &mut spectra, unfinished, n, arnoldi)?;
    }
    Ok(spectra.into_iter().flatten().collect())
}

/// The leading eigenvalues, from restarted Krylov spaces that grow side by side.
fn iterate<F: Float>(
    product: &mut dyn FnMut(&Tensor<F>) -> Result<Tensor<F>>,
    spectra: &mut [Option<Spectrum>],
    n: usize,
    arnoldi: &Arnoldi,
) -> Result<()> {
    let mut spaces: Vec<Krylov<F>> = spectra.iter().map(|_| Krylov::new(n, arnoldi)).collect();
    while spectra.iter().any(Option::is_none) {
        let open: Vec<bool> = spectra.iter().map(Option::is_none).collect();
        let fill = |sample: usize, row: &mut [F]| row.copy_from_slice(spaces[sample].vector());
        let products = multiply(product, &open, n, fill)?;
        for (sample, values) in products {
            let grown = spaces[sample].grow(finite(values, sample)?, arnoldi);
            spectra[sample] = grown.ok_or_else(|| unsettled(sample))?;
        }
    }
    Ok(())
}

/// All eigenvalues of the samples that are open, from their Jacobians column by column.
fn multiply_out<F: Float>(
    product: &mut dyn FnMut(&Tensor<F>) -> Result<Tensor<F>>,
    spectra: &mut [Option<Spectrum>],
    is_open: impl Fn(&Option<Spectrum>) -> bool,
    n: usize,
    arnoldi: &Arnoldi,
) -> Result<()> {
    let open: Vec<bool> = spectra.iter().map(is_open).collect();
    let extent = |&open: &bool| Square::zeros(if open { n } else { 0 });
    let mut jacobians: Vec<Square> = open.iter().map(extent).collect();
    for column in 0..n {
        let fill = |_: usize, row: &mut [F]| row[column] = F::ONE;
        for (sample, values) in multiply(product, &open, n, fill)? {
            for (row, value) in finite(values, sample)?.into_iter().enumerate() {
                jacobians[sample][(row, column)] = value;
            }
        }
    }
    for (sample, jacobian) in jacobians.into_iter().enumerate().filter(|(i, _)| open[*i]) {
        let before = spectra[sample].as_ref().map_or(0, |found| found.products);
        let values = eigenvalues_of(jacobian.clone()).ok_or_else(|| unsettled(sample))?;
        let spectrum = Spectrum::of::<F>(&jacobian, values, 0.0, before + n, arnoldi);
        spectra[sample] = Some(spectrum);
    }
    Ok(())
}

/// Multiplies the vectors that `fill` writes for the open samples; the others are 0. Gives each open one's product.
fn multiply<F: Float>(
    product: &mut dyn FnMut(&Tensor<F>) -> Result<Tensor<F>>,
    open: &[bool],
    n: usize,
    fill: impl Fn(usize, &mut [F]),
) -> Result<Vec<(usize, Vec<f64>)>> {
    let samples = || (0..open.len()).filter(|&sample| open[sample]);
    let v = Tensor::filled_by([open.len(), n], |out: &mut [F]| {
        out.fill(F::ZERO);
        samples().for_each(|sample| fill(sample, &mut out[sample * n..][..n]));
    });
    let out = product(&v)?;
    if out.shape() != v.shape() {
        return Err(Error::Data {
            place: PRODUCT.to_owned(),
            expected: format!("the shape of its factor, {:?}", v.dims()),
            found: format!("{:?}", out.dims()),
            help: "flatten the state to [batch, n] and multiply each row with its own sample's Jacobian"
                .to_owned(),
        });
    }
    let row = |sample: usize| out.narrow(0, sample, 1).iter().map(Float::to_f64).collect();
    Ok(samples().map(|sample| (sample, row(sample))).collect())
}

/// One sample's product, if its elements are finite and small enough to be squared.
fn finite(values: Vec<f64>, sample: usize) -> Result<Vec<f64>> {
    let found = if values.iter().any(|x| x.is_nan()) {
        "NaN"
    } else if values.iter().any(|x| x.is_infinite()) {
        "an infinity"
    } else if values.iter().any(|x| x.abs() > LARGEST) {
        "a number beyond 1e150"
    } else {
        return Ok(values);
    };
    Err(Error::NonFinite {
        place: PRODUCT.to_owned(),
        iteration: None,
        found: format!("{found} in sample {sample}"),
        help: "look at the state it is taken at: the loop may have diverged before".to_owned(),
    })
}

fn unsettled(sample: usize) -> Error {
    Error::Data {
        place: format!("the Jacobian of sample {sample}"),
        expected: "eigenvalues that the QR iteration can separate".to_owned(),
        found: "one that it does not settle on".to_owned(),
        help: "another key begins the search at another vector".to_owned(),
    }
}

impl Arnoldi {
    pub(super) fn check(&self) -> Result<()> {
        let least = self.count.saturating_add(SPARE_STEPS);
        let (what, expected, found) = if self.count == 0 {
            ("count", "at least 1".to_owned(), self.count.to_string())
        } else if self.steps < least {
            let expected = format!("at least {least}, count + {SPARE_STEPS}");
            ("steps", expected, self.steps.to_string())
        } else if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let expected = "a number between 0 and 1".to_owned();
            ("tolerance", expected, self.tolerance.to_string())
        } else {
            return Ok(());
        };
        Err(Error::Config {
            what: format!("Arnoldi {what}"),
            expected,
            found,
            help: "32 steps for 6 eigenvalues to 1e-5 are usual".to_owned(),
        })
    }
}
