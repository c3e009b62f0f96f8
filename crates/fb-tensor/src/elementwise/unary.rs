//! The elementwise functions of one argument: the list, and the tensor methods made from it.

use super::{Saves, UnaryLoops, UnaryOp};
use crate::element::Float;
use crate::loops_table;
use crate::tensor::Tensor;

/// A parameter of an operation as its formula sees it: real ones in the tensor's type, integer ones as they are.
#[doc(hidden)]
pub trait Parameter<F> {
    /// The type in the formula.
    type Lifted;
    /// Brings the parameter into the formula.
    fn lift(self) -> Self::Lifted;
}

impl<F: Float> Parameter<F> for f64 {
    type Lifted = F;
    #[inline(always)]
    fn lift(self) -> F {
        F::from_f64(self)
    }
}

impl<F: Float> Parameter<F> for i32 {
    type Lifted = i32;
    #[inline(always)]
    fn lift(self) -> i32 {
        self
    }
}

/// Calls a macro with the list of all elementwise functions of one argument.
///
/// Each entry reads: documentation; `name(parameters) Type, saves what, costs picoseconds; |x| formula; |s| derivative;
/// check parameters at points`, where `s` is the saved input or output, `F` the floating-point type and `c(…)` a
/// constant of it. To add an operation, add an entry: nothing else needs to change.
#[macro_export]
macro_rules! for_each_unary_op {
    ($callback:path) => {
        $callback! {
            /// `eˣ`
            exp() Exp, saves Output, costs 400; |x| x.exp(); |y| y; check () at [-2.0, -0.3, 0.0, 1.7];
            /// `eˣ − 1`, accurate near 0
            exp_m1() ExpM1, saves Output, costs 400; |x| x.exp_m1(); |y| y + F::ONE; check () at [-2.0, -1e-3, 1.7];
            /// Natural logarithm `ln x`: −∞ at 0, NaN below
            ln() Ln, saves Input, costs 600; |x| x.ln(); |x| F::ONE / x; check () at [0.1, 1.0, 7.5];
            /// `ln(1 + x)`, accurate near 0
            ln_1p() Ln1P, saves Input, costs 700; |x| x.ln_1p(); |x| F::ONE / (F::ONE + x); check () at [-0.9, 1e-3, 7.5];
            /// `√x`: NaN below 0
            sqrt() Sqrt, saves Output, costs 500; |x| x.sqrt(); |y| F::from_f64(0.5) / y; check () at [0.1, 1.0, 7.5];
            /// `1 / √x`
            rsqrt() Rsqrt, saves Output, costs 700; |x| F::ONE / x.sqrt(); |y| F::from_f64(-0.5) * y * y * y; check () at [0.1, 1.0, 7.5];
            /// `1 / x`
            recip() Recip, saves Output, costs 400; |x| F::ONE / x; |y| -(y * y); check () at [-2.0, 0.1, 7.5];
            /// `x²`
            square() Square, saves Input, costs 300; |x| x * x; |x| x + x; check () at [-2.0, 0.0, 1.5];
            /// `xⁿ` for a whole number `n`
            powi(n: i32) Powi, saves Input, costs 1000; |x| x.powi(n);
                |x| if n == 0 { F::ZERO } else { F::from_f64(f64::from(n)) * x.powi(n - 1) }; check (3) at [-2.0, 0.1, 1.5];
            /// `xᵖ` for a real `p`: NaN for negative `x` unless `p` is whole
            powf(p: f64) Powf, saves Input, costs 15000; |x| x.powf(p); |x| p * x.powf(p - F::ONE); check (1.7) at [0.1, 1.5];
            /// Absolute value `|x|`; the derivative at 0 is taken as 0
            abs() Abs, saves Input, costs 300; |x| x.abs();
                |x| F::select(x > F::ZERO, F::ONE, F::select(x < F::ZERO, -F::ONE, F::ZERO)); check () at [-2.0, 1.5];
            /// The sign: −1, 0 or 1; its derivative is 0
            sign() Sign, saves Nothing, costs 300;
                |x| F::select(x > F::ZERO, F::ONE, F::select(x < F::ZERO, -F::ONE, x)); |_x| F::ZERO; check () at [-2.0, 1.5];
            /// The largest whole number not above `x`; its derivative is 0
            floor() Floor, saves Nothing, costs 300; |x| x.floor(); |_x| F::ZERO; check () at [-2.4, 1.5];
            /// The smallest whole number not below `x`; its derivative is 0
            ceil() Ceil, saves Nothing, costs 300; |x| x.ceil(); |_x| F::ZERO; check () at [-2.4, 1.5];
            /// The nearest whole number, ties to even; its derivative is 0
            round() Round, saves Nothing, costs 300; |x| x.round_ties_even(); |_x| F::ZERO; check () at [-2.4, 1.4];
            /// Sine of an angle in radians
            sin() Sin, saves Input, costs 1500; |x| x.sin(); |x| x.cos(); check () at [-2.0, 0.0, 1.5];
            /// Cosine of an angle in radians
            cos() Cos, saves Input, costs 1500; |x| x.cos(); |x| -x.sin(); check () at [-2.0, 0.0, 1.5];
            /// Hyperbolic tangent
            tanh() Tanh, saves Output, costs 600; |x| x.tanh(); |y| F::ONE - y * y; check () at [-2.0, 0.0, 1.5];
            /// The logistic function `σ(x) = 1 / (1 + e⁻ˣ)`
            sigmoid() Sigmoid, saves Output, costs 500; |x| x.sigmoid(); |y| y * (F::ONE - y); check () at [-2.0, 0.0, 1.5];
            /// `ln σ(x)`, accurate for very negative `x`
            log_sigmoid() LogSigmoid, saves Input, costs 1200;
                |x| F::ZERO - (-x).softplus(); |x| (-x).sigmoid(); check () at [-2.0, 0.0, 1.5];
            /// Rectifier `max(x, 0)`; the derivative at 0 is taken as 0, NaN stays NaN
            relu() Relu, saves Output, costs 300; |x| F::select(x < F::ZERO, F::ZERO, x);
                |y| F::select(y > F::ZERO, F::ONE, F::ZERO); check () at [-2.0, 1.5];
            /// `x` above 0, `slope · x` below (A. Maas et al., 2013)
            leaky_relu(slope: f64) LeakyRelu, saves Input, costs 300; |x| F::select(x < F::ZERO, slope * x, x);
                |x| F::select(x > F::ZERO, F::ONE, slope); check (0.01) at [-2.0, 1.5];
            /// `x` above 0, `alpha · (eˣ − 1)` below (D.-A. Clevert et al., 2016)
            elu(alpha: f64) Elu, saves Input, costs 500; |x| F::select(x > F::ZERO, x, alpha * x.exp_m1());
                |x| F::select(x > F::ZERO, F::ONE, alpha * x.exp()); check (1.3) at [-2.0, 1.5];
            /// `x · σ(x)`, also called swish (S. Elfwing et al., 2018); its derivative is `σ(x) (1 + x (1 − σ(x)))`
            silu() Silu, saves Input, costs 600; |x| x.silu(); |x| x.silu_derivative(); check () at [-2.0, 0.0, 1.5];
            /// Gaussian error linear unit `x · Φ(x)`, exact (D. Hendrycks, K. Gimpel, 2016); its derivative is `Φ(x) + x φ(x)`
            gelu() Gelu, saves Input, costs 900; |x| x.gelu(); |x| x.gelu_derivative(); check () at [-2.0, 0.0, 1.5];
            /// The approximation of [`gelu`](#method.gelu) `x/2 · (1 + tanh(u)) = x · σ(2u)` with `u = √(2/π)(x + 0.044715 x³)`
            gelu_tanh() GeluTanh, saves Input, costs 400;
                |x| {
                    let (one, three) = (F::from_f64(1.595_769_121_605_730_8), F::from_f64(0.071_354_816_272_600_25));
                    let double = x * (x * x).mul_add(three, one);
                    F::select(x < F::MIN, F::MIN, x) * double.sigmoid()
                };
                |x| {
                    let (one, three) = (F::from_f64(1.595_769_121_605_730_8), F::from_f64(0.071_354_816_272_600_25));
                    let (s, z) = ((x * (x * x).mul_add(three, one)).sigmoid(), x * x);
                    s * (x * (F::ONE - s)).mul_add(z.mul_add(F::from_f64(3.0) * three, one), F::ONE)
                }; check () at [-2.0, 0.0, 1.5];
            /// `ln(1 + eˣ)`, a smooth rectifier
            softplus() Softplus, saves Input, costs 1200; |x| x.softplus(); |x| x.sigmoid(); check () at [-2.0, 0.0, 1.5];
            /// The error function `2/√π ∫₀ˣ e^(−t²) dt`
            erf() Erf, saves Input, costs 900; |x| x.erf();
                |x| F::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp_of_negative(); check () at [-2.0, 0.0, 1.5];
            /// `x` held between `low` and `high`; the derivative outside is 0, NaN stays NaN
            clamp(low: f64, high: f64) Clamp, saves Input, costs 300;
                |x| { let x = F::select(x < low, low, x); F::select(x > high, high, x) };
                |x| F::select(x >= low, F::select(x <= high, F::ONE, F::ZERO), F::ZERO); check (-1.0, 1.0) at [-2.0, 0.3, 1.5];
            /// `x + addend`
            add_scalar(addend: f64) AddScalar, saves Nothing, costs 300; |x| x + addend; |_x| F::ONE; check (0.7) at [-2.0, 1.5];
            /// `x · factor`
            mul_scalar(factor: f64) MulScalar, saves Nothing, costs 300; |x| x * factor; |_x| factor; check (0.7) at [-2.0, 1.5];
            /// `−x`
            negate() Negate, saves Nothing, costs 300; |x| -x; |_x| -F::ONE; check () at [-2.0, 1.5];
        }
    };
}

macro_rules! tensor_methods {
    ($(
        $(#[$doc:meta])*
        $name:ident($($parameter:ident : $type:ty),*) $Op:ident, saves $saves:ident, costs $cost:literal;
        |$x:pat_param| $value:expr; |$s:pat_param| $derivative:expr; check ($($at:expr),*) at [$($point:expr),*];
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct $Op {
                $(#[doc = concat!("The parameter `", stringify!($parameter), "`.")] pub $parameter: $type,)*
            }

            impl UnaryOp for $Op {
                const NAME: &'static str = stringify!($name);
                const SAVES: Saves = Saves::$saves;
                const PICOSECONDS: usize = $cost;

                #[inline(always)]
                fn value<F: Float>(&self, $x: F) -> F {
                    $(let $parameter = <$type as Parameter<F>>::lift(self.$parameter);)*
                    $value
                }

                #[inline(always)]
                #[allow(unused_variables)]
                fn derivative<F: Float>(&self, $s: F) -> F {
                    $(let $parameter = <$type as Parameter<F>>::lift(self.$parameter);)*
                    $derivative
                }

                #[inline]
                fn loops<F: Float>() -> &'static UnaryLoops<Self, F> {
                    loops_table!(UnaryLoops, $Op, F)
                }
            }
        )*

        /// Functions of each element.
        impl<F: Float> Tensor<F> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self $(, $parameter: $type)*) -> Self {
                    self.map_op(&$Op { $($parameter),* })
                }
            )*
        }
    };
}

for_each_unary_op!(tensor_methods);
