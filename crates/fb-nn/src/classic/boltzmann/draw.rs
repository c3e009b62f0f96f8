//! Units that are 0 or 1 by chance.

use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

/// 1 with the probability that it is given, 0 otherwise, drawn anew in each iteration: in training, and in evaluation with a
/// key. Without a key the probabilities themselves. It has no gradient.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Draw {}

impl Layer for Draw {
    const KIND: &'static str = "BoltzmannUnits";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        Ok(Built {
            output: Spec::float(scope.single_float(Self::KIND, inputs)?),
            module: simple(DrawModule),
            sum: None,
            description: "0 or 1, drawn".to_owned(),
        })
    }
}

#[derive(Debug)]
struct DrawModule;

impl<F: Float> SimpleModule<F> for DrawModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        if !cx.draws() || x.tensor().is_empty() {
            return Ok(x.detach());
        }
        let key = cx.key().fold_index(cx.iteration().unwrap_or(0) as u64);
        let probabilities = x.tensor().contiguous();
        let probabilities = probabilities.as_slice().expect("contiguous");
        let units = x.tensor().len() / x.shape()[0];
        let drawn = Tensor::filled_by(*x.shape(), |out| {
            let rows = out.chunks_exact_mut(units);
            for (row, (out, p)) in rows.zip(probabilities.chunks_exact(units)).enumerate() {
                let mut rng = key.at(cx.step(), cx.row(row));
                for (out, p) in out.iter_mut().zip(p) {
                    let is_on = rng.random::<f64>() < p.to_f64();
                    *out = F::select(is_on, F::ONE, F::ZERO);
                }
            }
        });
        Ok(Var::constant(drawn))
    }
}
