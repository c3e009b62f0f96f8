//! Start values of parameters.

mod fan;
mod gates;
mod orthogonal;
mod reservoir;

use crate::error::{Error, Result};
use fan::Fans;
use fb_tensor::random::Rng;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// How a parameter's first value is drawn.
///
/// The rules of Glorot, He and LeCun keep the variance of signals the same from layer to layer. They count the inputs
/// and outputs of a unit, `fan_in` and `fan_out`: for dense weights `[in, out]` these are the two extents; for kernels
/// `[…, in, out]` both are multiplied by the number of positions; a vector `[n]` counts as `n` and `n`. Their `gain`
/// multiplies the standard deviation; 1 is the paper's rule, which [`Initializer::glorot_uniform`] and its siblings
/// give.
///
/// Keras draws its `GlorotNormal`, `HeNormal` and `LecunNormal` from a normal distribution cut at two standard
/// deviations and widened to the same variance; here, as in the papers and in PyTorch, it is not cut.
///
/// ```
/// use fb_nn::init::Initializer;
/// use fb_tensor::{Tensor, random::Key};
/// let weight: Tensor = Initializer::glorot_uniform().sample([2, 4].into(), &mut Key::new(42).rng())?;
/// assert!(weight.abs().max() <= 1.0); // √(6 / (2 + 4))
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Initializer {
    /// All zero.
    Zeros,
    /// All the same number.
    Constant(f64),
    /// Spread evenly over `low ≤ x < high`.
    Uniform {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
    /// `N(mean, std²)`
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// `N(mean, std²)`, drawn again while more than two `std` from the mean; what comes out has 0.88 of `std`.
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before the tails are cut.
        std: f64,
    },
    /// `U(−a, a)` with `a = gain · √(6 / (fan_in + fan_out))`: for tanh, sigmoid and linear layers.
    ///
    /// # References
    /// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010,
    /// equation 16.
    GlorotUniform {
        /// Factor on the standard deviation.
        gain: f64,
    },
    /// `N(0, gain² · 2 / (fan_in + fan_out))`: for tanh, sigmoid and linear layers.
    ///
    /// # References
    /// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010,
    /// equation 12.
    GlorotNormal {
        /// Factor on the standard deviation.
        gain: f64,
    },
    /// `U(−a, a)` with `a = gain · √(6 / fan_in)`: for rectifiers.
    ///
    /// # References
    /// K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, the variance of equation 10.
    HeUniform {
        /// Factor on the standard deviation.
        gain: f64,
    },
    /// `N(0, gain² · 2 / fan_in)`: for rectifiers.
    ///
    /// # References
    /// K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, equation 10.
    HeNormal {
        /// Factor on the standard deviation.
        gain: f64,
    },
    /// `U(−a, a)` with `a = gain · √(3 / fan_in)`: for scaled tanh and self-normalising layers.
    ///
    /// # References
    /// Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998, the variance of equation 16.
    LecunUniform {
        /// Factor on the standard deviation.
        gain: f64,
    },
    /// `N(0, gain² / fan_in)`: for scaled tanh and self-normalising layers.
    ///
    /// # References
    /// Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998, equation 16.
    LecunNormal {
        /// Factor on the standard deviation.
        gain: f64,
    },
    /// A random matrix with orthonormal columns (or rows, if those are fewer), times `gain`: a loop through it neither
    /// grows nor shrinks its state. Kernels `[…, in, out]` are taken as matrices with `out` columns.
    ///
    /// Every such matrix is equally likely (the Haar distribution).
    ///
    /// # References
    /// A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    /// networks", ICLR 2014; F. Mezzadri, "How to generate random matrices from the classical compact groups", Notices
    /// of the AMS 54(5), 2007, section 5.
    Orthogonal {
        /// Factor on the matrix.
        gain: f64,
    },
    /// `gain` on the diagonal of a matrix, 0 elsewhere: a loop of rectifiers through it (IRNN) keeps its state at first, and
    /// with a gain below 1 forgets it slowly.
    ///
    /// # References
    /// Q. Le, N. Jaitly, G. Hinton, "A simple way to initialize recurrent networks of rectified linear units", 2015,
    /// section 3.
    Identity {
        /// Factor on the matrix.
        gain: f64,
    },
    /// The biases of `gates` gates, one after the other, as a fused layer of gates has them: 1 for the forget gate, 0 for
    /// the others, so that a fresh cell remembers. `[i f g o]` is 4 gates with gate 1 to forget.
    ///
    /// # References
    /// R. Jozefowicz, W. Zaremba, I. Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015,
    /// section 5; the advice is of F. Gers, J. Schmidhuber, F. Cummins, "Learning to forget", 2000.
    UnitForget {
        /// Into how many parts of the same size the vector is cut.
        gates: usize,
        /// Which of them forgets, from 0.
        forget: usize,
    },
    /// The biases of `gates` gates, as [`Initializer::UnitForget`] has them, for lags of up to `longest` steps:
    /// `ln U(1, longest − 1)` for the gate that forgets, so that the cells' memories reach between 2 and `longest` steps, the
    /// same with the other sign for the gate that writes, if there is one, and 0 for the others.
    ///
    /// # References
    /// C. Tallec, Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 2 (equation 16).
    Chrono {
        /// The longest lag that is looked for, in steps: more than 2.
        longest: f64,
        /// Into how many parts of the same size the vector is cut.
        gates: usize,
        /// Which of them forgets, from 0: the one by which the state is multiplied.
        forget: usize,
        /// Which of them writes.
        input: Option<usize>,
    },
    /// A random square matrix for the state of an echo-state network: each number is other than 0 with probability
    /// `density`, drawn from `U(−1, 1)` then, and the whole is scaled so that its spectral radius, the size of its largest
    /// eigenvalue, real or not, is `radius`, to about 10⁻⁴ of it.
    ///
    /// Below 1 the state forgets its start in practice; tasks with long memories want a radius near 1, or above it where
    /// strong inputs keep the state small. The radius is found from powers of the matrix, which takes 15 products `n × n`.
    ///
    /// # References
    /// H. Jaeger, "The 'echo state' approach to analysing and training recurrent neural networks", GMD report 148, 2001;
    /// M. Lukoševičius, "A practical guide to applying echo state networks", 2012, section 3.2.
    SpectralRadius {
        /// The size of the largest eigenvalue.
        radius: f64,
        /// The share of numbers that are not 0, above 0 and up to 1.
        density: f64,
    },
    /// Random weights with a gain of at most `norm`: for feedback edges, whose gains multiply around the loop. Where their
    /// product is below 1, and the functions between have slopes of at most 1, a fresh loop has one fixed point and reaches it.
    ///
    /// `N(0, 1)`, scaled so that the largest singular value of a matrix `[in, out]` is `norm`; those of a kernel
    /// `[…, in, out]` at all its positions together have that sum, which bounds the convolution as an operator on maps of
    /// any size, stride and padding with zeros.
    ///
    /// # References
    /// G. Zames, "On the input-output stability of time-varying nonlinear feedback systems", part I, 1966 (the small-gain
    /// theorem).
    SmallGain {
        /// The bound on the gain.
        norm: f64,
    },
}

impl Initializer {
    /// [`Initializer::GlorotUniform`] with gain 1.
    pub const fn glorot_uniform() -> Self {
        Self::GlorotUniform { gain: 1.0 }
    }

    /// [`Initializer::GlorotNormal`] with gain 1.
    pub const fn glorot_normal() -> Self {
        Self::GlorotNormal { gain: 1.0 }
    }

    /// [`Initializer::HeUniform`] with gain 1.
    pub const fn he_uniform() -> Self {
        Self::HeUniform { gain: 1.0 }
    }

    /// [`Initializer::HeNormal`] with gain 1.
    pub const fn he_normal() -> Self {
        Self::HeNormal { gain: 1.0 }
    }

    /// [`Initializer::LecunUniform`] with gain 1.
    pub const fn lecun_uniform() -> Self {
        Self::LecunUniform { gain: 1.0 }
    }

    /// [`Initializer::LecunNormal`] with gain 1.
    pub const fn lecun_normal() -> Self {
        Self::LecunNormal { gain: 1.0 }
    }

    /// [`Initializer::Orthogonal`] with gain 1.
    pub const fn orthogonal() -> Self {
        Self::Orthogonal { gain: 1.0 }
    }

    /// [`Initializer::Identity`] with gain 1.
    pub const fn identity() -> Self {
        Self::Identity { gain: 1.0 }
    }

    /// [`Initializer::UnitForget`] for gates in the order `[i f g o]`.
    pub const fn unit_forget() -> Self {
        Self::UnitForget {
            gates: 4,
            forget: 1,
        }
    }

    /// [`Initializer::Chrono`] for gates in the order `[i f g o]`.
    ///
    /// ```
    /// use fb_nn::init::Initializer;
    /// use fb_tensor::{Tensor, random::Key};
    /// let bias: Tensor = Initializer::chrono(100.0).sample([4 * 8].into(), &mut Key::new(1).rng())?;
    /// let (write, forget) = (bias.slice(0, 0..8), bias.slice(0, 8..16));
    /// assert_eq!(write, -&forget);
    /// assert!(forget.max() <= 99.0_f32.ln());
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    pub const fn chrono(longest: f64) -> Self {
        Self::Chrono {
            longest,
            gates: 4,
            forget: 1,
            input: Some(0),
        }
    }

    /// [`Initializer::SpectralRadius`] with a tenth of the numbers other than 0.
    pub const fn spectral_radius(radius: f64) -> Self {
        Self::SpectralRadius {
            radius,
            density: 0.1,
        }
    }

    /// [`Initializer::SmallGain`].
    pub const fn small_gain(norm: f64) -> Self {
        Self::SmallGain { norm }
    }

    /// The name, for messages.
    fn name(&self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Constant(_) => "constant",
            Self::Uniform { .. } => "uniform",
            Self::Normal { .. } => "normal",
            Self::TruncatedNormal { .. } => "truncated normal",
            Self::GlorotUniform { .. } => "Glorot uniform",
            Self::GlorotNormal { .. } => "Glorot normal",
            Self::HeUniform { .. } => "He uniform",
            Self::HeNormal { .. } => "He normal",
            Self::LecunUniform { .. } => "LeCun uniform",
            Self::LecunNormal { .. } => "LeCun normal",
            Self::Orthogonal { .. } => "orthogonal",
            Self::Identity { .. } => "identity",
            Self::UnitForget { .. } => "unit forget",
            Self::Chrono { .. } => "chrono",
            Self::SpectralRadius { .. } => "spectral radius",
            Self::SmallGain { .. } => "small gain",
        }
    }

    /// Checks the numbers of the initializer.
    ///
    /// # Errors
    /// One is outside its domain.
    pub fn validate(&self) -> Result<()> {
        let finite =
            |what: &str, x: f64| self.require(x.is_finite(), &format!("a finite {what}"), x);
        match *self {
            Self::Zeros => Ok(()),
            Self::Constant(value) => finite("number", value),
            Self::Uniform { low, high } => {
                let valid = low <= high && (high - low).is_finite();
                self.require(
                    valid,
                    "finite numbers low <= high",
                    format!("{low} and {high}"),
                )
            }
            Self::Normal { mean, std } | Self::TruncatedNormal { mean, std } => {
                finite("mean", mean)?;
                self.require(
                    std >= 0.0 && std.is_finite(),
                    "a finite standard deviation from 0 on",
                    std,
                )
            }
            Self::GlorotUniform { gain }
            | Self::GlorotNormal { gain }
            | Self::HeUniform { gain }
            | Self::HeNormal { gain }
            | Self::LecunUniform { gain }
            | Self::LecunNormal { gain }
            | Self::Orthogonal { gain }
            | Self::Identity { gain } => self.require(
                gain > 0.0 && gain.is_finite(),
                "a finite gain above 0",
                gain,
            ),
            Self::UnitForget { gates, forget } => self.check_gates(gates, &[forget]),
            Self::Chrono {
                longest,
                gates,
                forget,
                input,
            } => {
                let valid = longest > 2.0 && longest.is_finite();
                self.require(valid, "a finite longest lag above 2", longest)?;
                match input {
                    Some(input) => self.check_gates(gates, &[forget, input]),
                    None => self.check_gates(gates, &[forget]),
                }
            }
            Self::SpectralRadius { radius, density } => {
                let valid = radius > 0.0 && radius.is_finite();
                self.require(valid, "a finite radius above 0", radius)?;
                let valid = density > 0.0 && density <= 1.0;
                self.require(valid, "a density above 0 and up to 1", density)
            }
            Self::SmallGain { norm } => self.require(
                norm > 0.0 && norm.is_finite(),
                "a finite norm above 0",
                norm,
            ),
        }
    }

    /// Whether the gates that have a meaning are among those that there are, each once.
    fn check_gates(&self, gates: usize, named: &[usize]) -> Result<()> {
        let valid = named.iter().all(|gate| *gate < gates) && named.first() != named.get(1);
        self.require(
            valid,
            "gates of its own for each meaning, counted from 0",
            format!("{named:?} of {gates}"),
        )
    }

    /// Draws a value of the given shape.
    ///
    /// # Errors
    /// A number of the initializer is outside its domain, or it cannot serve the shape.
    pub fn sample<F: Float>(&self, shape: Shape, rng: &mut Rng) -> Result<Tensor<F>> {
        self.validate()?;
        let fans = Fans::of(&shape);
        let uniform = |std: f64, rng: &mut Rng| {
            let limit = 3.0_f64.sqrt() * std;
            Tensor::uniform(shape, -limit, limit, rng)
        };
        Ok(match *self {
            Self::Zeros => Tensor::zeros_of(shape),
            Self::Constant(value) => Tensor::full_of(shape, F::from_f64(value)),
            Self::Uniform { low, high } => Tensor::uniform(shape, low, high, rng),
            Self::Normal { mean, std } => Tensor::normal(shape, mean, std, rng),
            Self::TruncatedNormal { mean, std } => Tensor::truncated_normal(shape, mean, std, rng),
            Self::GlorotUniform { gain } => uniform(gain * fans.glorot_std(), rng),
            Self::GlorotNormal { gain } => {
                Tensor::normal(shape, 0.0, gain * fans.glorot_std(), rng)
            }
            Self::HeUniform { gain } => uniform(gain * fans.he_std(), rng),
            Self::HeNormal { gain } => Tensor::normal(shape, 0.0, gain * fans.he_std(), rng),
            Self::LecunUniform { gain } => uniform(gain * fans.lecun_std(), rng),
            Self::LecunNormal { gain } => Tensor::normal(shape, 0.0, gain * fans.lecun_std(), rng),
            Self::Orthogonal { gain } => {
                self.require(
                    shape.len() >= 2,
                    "a matrix [in, out] or a kernel [..., in, out]",
                    shape,
                )?;
                orthogonal::sample(shape, gain, rng)
            }
            Self::Identity { gain } => {
                self.require(shape.len() == 2, "a matrix [in, out]", shape)?;
                let gain = F::from_f64(gain);
                Tensor::from_fn(shape, |at| F::select(at[0] == at[1], gain, F::ZERO))
            }
            Self::UnitForget { gates, forget } => {
                self.require_gates(gates, shape)?;
                gates::unit_forget(shape, gates, forget)
            }
            Self::Chrono {
                longest,
                gates,
                forget,
                input,
            } => {
                self.require_gates(gates, shape)?;
                gates::chrono(shape, longest, [gates, forget, input.unwrap_or(gates)], rng)
            }
            Self::SpectralRadius { radius, density } => {
                let square = matches!(*shape, [n, columns] if n == columns);
                self.require(square, "a square matrix", shape)?;
                match reservoir::scaled_to_radius(shape[0], radius, density, rng) {
                    Some(matrix) => matrix.cast(),
                    None => {
                        let wanted = "a density that leaves a loop through the matrix";
                        return self
                            .require(false, wanted, density)
                            .map(|()| Tensor::zeros_of(shape));
                    }
                }
            }
            Self::SmallGain { norm } => {
                self.require(
                    shape.len() >= 2,
                    "a matrix [in, out] or a kernel [..., in, out]",
                    shape,
                )?;
                reservoir::scaled_to_gain(shape, norm, rng).cast()
            }
        })
    }

    fn require_gates(&self, gates: usize, shape: Shape) -> Result<()> {
        let fits = shape.len() == 1 && shape[0].is_multiple_of(gates);
        self.require(
            fits,
            &format!("a vector [{gates} gates times units]"),
            shape,
        )
    }

    fn require(&self, valid: bool, expected: &str, found: impl ToString) -> Result<()> {
        if valid {
            return Ok(());
        }
        Err(Error::Config {
            what: format!("{} initializer", self.name()),
            expected: expected.to_owned(),
            found: found.to_string(),
            help: String::new(),
        })
    }
}

#[cfg(test)]
mod tests;
