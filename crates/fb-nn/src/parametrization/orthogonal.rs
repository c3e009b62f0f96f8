//! Weights that keep lengths.

use super::{Parametrization, Site, WeightModule};
use crate::error::Result;
use crate::module::Context;
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A square matrix that keeps the length of every vector: `W = base · exp(A − Aᵀ)`.
///
/// A linear loop through it neither grows nor shrinks its state or its gradients. The stored value is `A`, which starts
/// from 0; the buffer `….base` is the orthogonal matrix nearest in direction to the weight that the layer has started from
/// (its columns made orthogonal one after the other, as [`Initializer::Orthogonal`](crate::init::Initializer::Orthogonal)
/// does, and left alone if they are). The exponential reaches every rotation of the base; it is summed to rounding as a
/// Taylor series of `A − Aᵀ` halved until it is small, then squared back.
///
/// # Errors
/// The parameter is not a square matrix, or its columns depend on each other.
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Dense;
/// use fb_nn::parametrization::Orthogonal;
/// let mut network = Sequential::input([8]).layer("hidden", Dense::new(8)).build()?;
/// network.params_mut().parametrize("hidden/weight", Orthogonal)?;
/// let w = network.params().weight("hidden/weight").unwrap();
/// let unit = fb_tensor::Tensor::eye(8);
/// assert!((w.transpose().matmul(&w) - unit).abs().max() < 1e-5);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// M. Lezcano-Casado, D. Martínez-Rubio, "Cheap orthogonal constraints in neural networks: a simple parametrization of the
/// orthogonal and unitary group", ICML 2019; N. Higham, "Functions of matrices", 2008, section 10.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orthogonal;

impl Parametrization for Orthogonal {
    const KIND: &'static str = "Orthogonal";

    fn build<F: Float>(&self, site: &mut Site<'_, F>) -> Result<Arc<dyn WeightModule<F>>> {
        let shape = site.shape();
        let &[n, columns] = &*shape else {
            return Err(site.error("a square matrix", shape.to_string(), ""));
        };
        if n != columns {
            return Err(site.error("a square matrix", shape.to_string(), ""));
        }
        let Some(base) = orthonormalised(&site.value().to_f64()) else {
            return Err(site.error(
                "columns that do not depend on each other",
                "some that do",
                "start from Initializer::orthogonal()",
            ));
        };
        let base = site.part("base", base.cast(), Role::Buffer)?;
        site.start_from(Tensor::zeros_of(shape));
        Ok(Arc::new(OrthogonalModule { base }))
    }
}

/// The columns made orthogonal and 1 long, one after the other; `None` if one has nothing of its own.
fn orthonormalised(matrix: &Tensor<f64>) -> Option<Tensor<f64>> {
    let n = matrix.dim(0);
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(n);
    for column in 0..n {
        let mut vector: Vec<f64> = (0..n).map(|row| matrix.at(&[row, column])).collect();
        let before = crate::spectrum::dot(&vector, &vector).sqrt();
        for _ in 0..2 {
            for earlier in &columns {
                let share = crate::spectrum::dot(earlier, &vector);
                vector
                    .iter_mut()
                    .zip(earlier)
                    .for_each(|(x, q)| *x -= share * q);
            }
        }
        let length = crate::spectrum::dot(&vector, &vector).sqrt();
        if length.is_nan() || length <= 1e-10 * before {
            return None;
        }
        columns.push(vector.iter().map(|x| x / length).collect());
    }
    Some(Tensor::from_fn([n, n], |at| columns[at[1]][at[0]]))
}

#[derive(Debug)]
struct OrthogonalModule {
    base: ParamId,
}

/// With arguments of norm up to 1/2, what the Taylor series leaves out is below rounding in f64.
const TERMS: i32 = 14;

impl<F: Float> WeightModule<F> for OrthogonalModule {
    fn weight(&self, cx: &mut Context<'_, F>, raw: &Var<F>) -> Var<F> {
        let base = Var::constant(cx.buffer(self.base).clone());
        let skew = raw - &raw.transpose();
        let size = skew.tensor().norm().to_f64();
        // A NaN takes no halvings, and is seen in the weight.
        let halvings = if size > 0.5 && size.is_finite() {
            (2.0 * size).log2().ceil() as i32
        } else {
            0
        };
        let small = skew * F::from_f64(0.5_f64.powi(halvings));
        let unit = Var::constant(Tensor::<F>::eye_of(raw.shape()[0]));
        // 1 + x (1 + x/2 (1 + x/3 (…)))
        let mut power = &unit + &(&small * F::from_f64(1.0 / f64::from(TERMS)));
        for term in (1..TERMS).rev() {
            let scaled = &small * F::from_f64(1.0 / f64::from(term));
            power = &unit + &scaled.matmul(&power);
        }
        for _ in 0..halvings {
            power = power.matmul(&power);
        }
        base.matmul(&power)
    }
}
