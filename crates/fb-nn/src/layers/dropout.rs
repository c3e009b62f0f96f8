//! Random silence.

use crate::error::{Error, Result};
use crate::module::{Built, Context, Layer, Mode, Scope, SimpleModule, Spec, Streaming, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Sets each number to 0 with probability `rate` while training, and scales the others by `1 / (1 − rate)` so that
/// the mean stays. Does nothing in evaluation.
///
/// What is silenced depends on the seed, the layer's name, the training step and the row's number in the epoch alone:
/// not on threads nor on how rows are grouped into batches. In a loop it stays the same at every iteration, so that a
/// fixed point exists (variational dropout).
///
/// # Shapes
/// - `x`: `[batch, …]`
/// - returns the same
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Activation::*, Dense, Dropout};
/// let network = Sequential::input([4])
///     .layer("hidden", Dense::new(8).activation(Relu))
///     .layer("dropout", Dropout::new(0.2))
///     .layer("output", Dense::new(3))
///     .build()?;
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout", JMLR 15, 2014; Y. Gal,
/// Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// A layer that silences this share of the numbers, from 0 up to but not including 1.
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

/// Checks the rate of a layer that has dropout inside.
pub(super) fn check_rate<F: Float>(
    scope: &Scope<F>,
    kind: &str,
    what: &str,
    rate: f64,
) -> Result<()> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    let help = "the rate is the share that is silenced: 0.2 keeps 80 %";
    Err(scope.error(
        kind,
        format!("{what} from 0 to below 1"),
        rate.to_string(),
        help,
    ))
}

impl Layer for Dropout {
    const KIND: &'static str = "Dropout";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        check_rate(scope, Self::KIND, "a rate", self.rate)?;
        Ok(Built {
            output: Spec::float(scope.single_float(Self::KIND, inputs)?),
            module: simple(DropoutModule { rate: self.rate }),
            sum: None,
            description: format!("Dropout {}", self.rate),
        })
    }
}

#[derive(Debug)]
pub(super) struct DropoutModule {
    pub(super) rate: f64,
}

impl<F: Float> SimpleModule<F> for DropoutModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        if cx.mode() == Mode::Eval || self.rate == 0.0 || x.tensor().is_empty() {
            return Ok(x.clone());
        }
        let Some(&batch) = x.shape().first() else {
            return Err(Error::Data {
                place: cx.place(),
                expected: "a batch axis".to_owned(),
                found: "a number without axes".to_owned(),
                help: String::new(),
            });
        };
        Ok(x * &Var::constant(self.mask(cx, *x.shape(), x.tensor().len() / batch)))
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

impl DropoutModule {
    /// What each element of a batch with so many elements a row is multiplied by: 0 or `1 / (1 − rate)`.
    pub(super) fn mask<F: Float>(
        &self,
        cx: &Context<'_, F>,
        shape: Shape,
        features: usize,
    ) -> Tensor<F> {
        let (key, step) = (cx.key(), cx.step());
        let kept = F::from_f64(1.0 / (1.0 - self.rate));
        // An element is silenced if 32 random bits, read as a number, lie below the same share of all such numbers.
        let threshold = (self.rate * (1_u64 << 32) as f64).round() as u64;
        Tensor::filled_by(shape, |out| {
            for (row, values) in out.chunks_exact_mut(features).enumerate() {
                let mut rng = key.at(step, cx.row(row));
                for value in values {
                    *value = F::select(u64::from(rng.next_u32()) < threshold, F::ZERO, kept);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Params;
    use fb_autograd::Tape;
    use fb_tensor::random::Key;

    fn module(rate: f64) -> Result<Built<f32>> {
        let mut scope = Scope::new(Key::new(0));
        scope.enter("dropout");
        Dropout::new(rate).build(&mut scope, &[Spec::float([50])])
    }

    /// The output for `rows` rows of ones, the first of which is number `first_row`.
    fn train(rate: f64, step: u64, first_row: u64, rows: usize) -> Tensor {
        let params = Params::new();
        let mut cx =
            Context::train(&params, Tape::new(), Key::new(3), step).with_first_row(first_row);
        cx.enter_layer("dropout");
        let x = Var::constant(Tensor::ones([rows, 50]));
        let built = module(rate).unwrap();
        let simple = built.module.as_simple().unwrap();
        let first = simple.forward(&mut cx, &x).unwrap().into_tensor();
        cx.enter_iteration(Some(2));
        assert_eq!(
            simple.forward(&mut cx, &x).unwrap().tensor(),
            &first,
            "the same at every iteration"
        );
        first
    }

    #[test]
    fn the_share_and_the_mean_are_right() {
        let y = train(0.25, 0, 0, 400);
        let silent = y.iter().filter(|&v| v == 0.0).count();
        assert!((silent as f64 / 20_000.0 - 0.25).abs() < 0.013, "{silent}");
        assert!(y.iter().all(|v| v == 0.0 || (v - 1.0 / 0.75).abs() < 1e-6));
    }

    #[test]
    fn masks_depend_on_step_and_row_but_not_on_batches() {
        let whole = train(0.5, 7, 0, 6);
        let parts = Tensor::concat(&[&train(0.5, 7, 0, 2), &train(0.5, 7, 2, 4)], 0);
        assert_eq!(whole, parts);
        assert_ne!(whole, train(0.5, 8, 0, 6));
        assert_ne!(whole.slice(0, 0..1).to_vec(), whole.slice(0, 1..2).to_vec());
    }

    #[test]
    fn evaluation_changes_nothing() {
        let params = Params::new();
        let built = module(0.9).unwrap();
        let x = Var::constant(Tensor::ones([3, 50]));
        let y = built
            .module
            .as_simple()
            .unwrap()
            .forward(&mut Context::eval(&params), &x)
            .unwrap();
        assert_eq!(y.tensor(), x.tensor());
        assert_eq!(train(0.0, 0, 0, 3), Tensor::ones([3, 50]));
    }

    #[test]
    fn rates_outside_their_domain_are_errors() {
        for rate in [1.0, -0.1, f64::NAN] {
            assert_eq!(
                module(rate).unwrap_err().to_string(),
                format!(
                    "layer \"dropout\" (Dropout): expected a rate from 0 to below 1, found {rate}\n  \
                     help: the rate is the share that is silenced: 0.2 keeps 80 %"
                )
            );
        }
    }
}
