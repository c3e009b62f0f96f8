//! Nonlinearities.

use super::axes::Axes;
use crate::error::{Error, Result};
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, Streaming, simple};
use fb_autograd::Var;
use fb_tensor::ops::unary;
use fb_tensor::{ConvOptions, Float};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A nonlinear function of a layer's sum, or a layer of its own.
///
/// All but the softmaxes look at each number by itself; those look at the last axis.
///
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Activation::*, Dense};
/// let network = Sequential::input([4])
///     .layer("hidden", Dense::new(8).activation(Tanh))
///     .layer("scores", Dense::new(3))
///     .layer("probabilities", Softmax)
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 3]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Activation {
    /// `x`: nothing.
    #[default]
    Linear,
    /// `σ(x) = 1 / (1 + e⁻ˣ)`, between 0 and 1.
    Sigmoid,
    /// The hyperbolic tangent, between −1 and 1.
    Tanh,
    /// `max(x, 0)` (V. Nair, G. Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010).
    Relu,
    /// `x` above 0, `slope · x` below (A. Maas, A. Hannun, A. Ng, "Rectifier nonlinearities improve neural network
    /// acoustic models", 2013). PyTorch's slope is 0.01, Keras's 0.3.
    LeakyRelu {
        /// The slope below 0.
        slope: f64,
    },
    /// `x` above 0, `alpha · (eˣ − 1)` below (D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep
    /// network learning by exponential linear units", ICLR 2016). The usual alpha is 1.
    Elu {
        /// Minus the value at −∞.
        alpha: f64,
    },
    /// `x · σ(x)`, also called swish (S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units", 2018).
    Silu,
    /// `x · Φ(x)` with the normal distribution function, exactly (D. Hendrycks, K. Gimpel, "Gaussian error linear
    /// units", 2016).
    Gelu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, the approximation of [`Activation::Gelu`] that GPT-2 uses.
    GeluTanh,
    /// `ln(1 + eˣ)`, above 0.
    Softplus,
    /// `ln σ(x)`, below 0.
    LogSigmoid,
    /// `eˣ / Σ eˣ` over the last axis: positive numbers that add up to 1.
    Softmax,
    /// `x − ln Σ eˣ` over the last axis: the logarithm of [`Activation::Softmax`].
    LogSoftmax,
}

impl Activation {
    /// The function of `x`, recorded; a variable without axes counts as one number.
    ///
    /// ```
    /// use fb_autograd::Var;
    /// use fb_nn::layers::Activation;
    /// use fb_tensor::Tensor;
    /// let y = Activation::Relu.apply(Var::constant(Tensor::from([-1.0, 2.0])));
    /// assert_eq!(y.tensor().to_vec(), [0.0, 2.0]);
    /// ```
    pub fn apply<F: Float>(self, x: Var<F>) -> Var<F> {
        match self {
            Self::Linear => x,
            Self::Sigmoid => x.sigmoid(),
            Self::Tanh => x.tanh(),
            Self::Relu => x.relu(),
            Self::LeakyRelu { slope } => x.leaky_relu(slope),
            Self::Elu { alpha } => x.elu(alpha),
            Self::Silu => x.silu(),
            Self::Gelu => x.gelu(),
            Self::GeluTanh => x.gelu_tanh(),
            Self::Softplus => x.softplus(),
            Self::LogSigmoid => x.log_sigmoid(),
            Self::Softmax | Self::LogSoftmax => match (x.shape().len().checked_sub(1), self) {
                (Some(last), Self::Softmax) => x.softmax(last),
                (Some(last), _) => x.log_softmax(last),
                (None, _) => self.apply(x.reshape([1])).reshape([]),
            },
        }
    }

    /// The function of `x · weight + bias`, as one operation where there is one.
    pub(super) fn apply_to_linear<F: Float>(
        self,
        x: &Var<F>,
        weight: &Var<F>,
        bias: Option<&Var<F>>,
    ) -> Var<F> {
        match self {
            Self::Sigmoid => x.linear_then(weight, bias, unary::Sigmoid {}),
            Self::Tanh => x.linear_then(weight, bias, unary::Tanh {}),
            Self::Relu => x.linear_then(weight, bias, unary::Relu {}),
            _ => self.apply(x.linear(weight, bias)),
        }
    }

    /// The function of a convolution's sum, as one operation where there is one.
    pub(super) fn apply_to_convolution<F: Float, const D: usize>(
        self,
        x: &Var<F>,
        weight: &Var<F>,
        bias: Option<&Var<F>>,
        options: &ConvOptions<D>,
    ) -> Var<F>
    where
        Var<F>: Axes<F, D>,
    {
        match self {
            Self::Sigmoid => x.convolve_then(weight, bias, options, unary::Sigmoid {}),
            Self::Tanh => x.convolve_then(weight, bias, options, unary::Tanh {}),
            Self::Relu => x.convolve_then(weight, bias, options, unary::Relu {}),
            _ => self.apply(x.convolve(weight, bias, options)),
        }
    }

    /// Checks the numbers of the function.
    ///
    /// # Errors
    /// One is not finite.
    pub fn validate(&self) -> Result<()> {
        let (name, value) = match *self {
            Self::LeakyRelu { slope } => ("slope", slope),
            Self::Elu { alpha } => ("alpha", alpha),
            _ => return Ok(()),
        };
        if value.is_finite() {
            return Ok(());
        }
        Err(Error::Config {
            what: format!("the {name} of {self}"),
            expected: "a finite number".to_owned(),
            found: value.to_string(),
            help: String::new(),
        })
    }
}

/// The name in lower case, as summaries show it: `relu`, `leaky_relu(0.01)`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::Tanh => f.write_str("tanh"),
            Self::Relu => f.write_str("relu"),
            Self::LeakyRelu { slope } => write!(f, "leaky_relu({slope})"),
            Self::Elu { alpha } => write!(f, "elu({alpha})"),
            Self::Silu => f.write_str("silu"),
            Self::Gelu => f.write_str("gelu"),
            Self::GeluTanh => f.write_str("gelu_tanh"),
            Self::Softplus => f.write_str("softplus"),
            Self::LogSigmoid => f.write_str("log_sigmoid"),
            Self::Softmax => f.write_str("softmax"),
            Self::LogSoftmax => f.write_str("log_softmax"),
        }
    }
}

impl Layer for Activation {
    const KIND: &'static str = "Activation";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        self.validate()?;
        let shape = scope.single_float(Self::KIND, inputs)?;
        if matches!(self, Self::Softmax | Self::LogSoftmax) && shape.is_empty() {
            let help = "without one, it would compare the samples of a batch with each other";
            return Err(scope.error(Self::KIND, "a last axis to add up to 1", "[batch]", help));
        }
        Ok(Built {
            module: simple(ActivationModule(*self)),
            output: Spec::float(shape),
            sum: None,
            description: format!("Activation {self}"),
        })
    }
}

#[derive(Debug)]
struct ActivationModule(Activation);

impl<F: Float> SimpleModule<F> for ActivationModule {
    fn forward(&self, _cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        Ok(self.0.apply(x.clone()))
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::Tensor;
    use fb_tensor::random::Key;

    fn build(activation: Activation, shape: &[usize]) -> Result<Built<f32>> {
        let mut scope = Scope::new(Key::new(0));
        scope.enter("act");
        activation.build(&mut scope, &[Spec::float(shape)])
    }

    #[test]
    fn softmax_adds_up_over_the_last_axis() {
        let x = Var::constant(Tensor::from([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]));
        let y = Activation::Softmax.apply(x.clone());
        assert!(
            y.tensor()
                .sum_axes(&[1], false)
                .iter()
                .all(|s| (s - 1.0_f32).abs() < 1e-6)
        );
        let logarithms = Activation::LogSoftmax.apply(x);
        assert!((logarithms.exp().tensor() - y.tensor()).abs().max() < 1e-6);
        assert_eq!(
            Activation::Softmax
                .apply(Var::constant(Tensor::scalar(5.0)))
                .item(),
            1.0
        );
    }

    #[test]
    fn bad_configurations_are_errors() {
        assert_eq!(
            build(Activation::LeakyRelu { slope: f64::NAN }, &[2])
                .unwrap_err()
                .to_string(),
            "the slope of leaky_relu(NaN): expected a finite number, found NaN"
        );
        assert_eq!(
            build(Activation::Softmax, &[]).unwrap_err().to_string(),
            "layer \"act\" (Activation): expected a last axis to add up to 1, found [batch]\n  \
             help: without one, it would compare the samples of a batch with each other"
        );
        assert_eq!(
            build(Activation::Tanh, &[]).unwrap().description,
            "Activation tanh"
        );
    }
}
