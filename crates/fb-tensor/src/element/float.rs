//! The arithmetic that kernels and derivative formulas are written in.

use super::{Element, fast_f32};
use crate::compiled::{Kernels, PerFloat};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A floating-point [`Element`] that can be computed with: `f32` or `f64`.
///
/// The `f32` transcendental functions are branch-free polynomials that the compiler turns into vector code; they keep
/// range, sign, ±∞ and NaN (`exp(−∞)` is 0, `tanh` never leaves [−1, 1]). Those of `f64` are the standard library's.
///
/// ```
/// use fb_tensor::Float;
/// fn logistic<F: Float>(x: F) -> F {
///     F::ONE / (F::ONE + (-x).exp())
/// }
/// assert_eq!(logistic(0.0_f32), 0.5);
/// ```
pub trait Float:
    Element
    + PartialOrd
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The smallest (most negative) finite number.
    const MIN: Self;
    /// +∞.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// The nearest number to `value`.
    fn from_f64(value: f64) -> Self;
    /// The number as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// `eˣ`.
    fn exp(self) -> Self;
    /// `eˣ − 1`, accurate near 0.
    fn exp_m1(self) -> Self;
    /// `eˣ` for arguments that are not above 0, or NaN.
    fn exp_of_negative(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + x)`, accurate near 0.
    fn ln_1p(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Logistic function `1 / (1 + e⁻ˣ)`.
    fn sigmoid(self) -> Self;
    /// `ln(1 + eˣ)`.
    fn softplus(self) -> Self;
    /// The error function `2/√π ∫₀ˣ e^(−t²) dt`.
    fn erf(self) -> Self;
    /// `x · Φ(x)` with the standard normal distribution's `Φ(x) = (1 + erf(x/√2)) / 2`, accurate also far below 0.
    fn gelu(self) -> Self;
    /// The derivative of [`gelu`](Float::gelu): `Φ(x) + x φ(x)` with `φ(x) = e^(−x²/2) / √(2π)`.
    fn gelu_derivative(self) -> Self;
    /// `x · σ(x)` with the logistic function `σ`, accurate also far below 0.
    fn silu(self) -> Self;
    /// The derivative of [`silu`](Float::silu): `σ(x) (1 + x (1 − σ(x)))`.
    fn silu_derivative(self) -> Self;
    /// Sine of an angle in radians.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians.
    fn cos(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// `self · factor + addend` with one rounding. Fast only where the processor fuses (see the kernels' dispatch).
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The larger of two numbers; NaN if either is NaN.
    fn maximum(self, other: Self) -> Self;
    /// The smaller of two numbers; NaN if either is NaN.
    fn minimum(self, other: Self) -> Self;
    /// `self` raised to an integer power.
    fn powi(self, exponent: i32) -> Self;
    /// `self` raised to a real power.
    fn powf(self, exponent: Self) -> Self;
    /// The largest integer not above.
    fn floor(self) -> Self;
    /// The smallest integer not below.
    fn ceil(self) -> Self;
    /// The nearest integer, ties to even.
    fn round_ties_even(self) -> Self;
    /// Whether neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Whether NaN.
    fn is_nan(self) -> bool;

    #[doc(hidden)]
    fn kernels() -> &'static Kernels<Self>;

    /// The table for this type.
    #[doc(hidden)]
    fn choose<T: PerFloat>(
        single: &'static T::Of<f32>,
        double: &'static T::Of<f64>,
    ) -> &'static T::Of<Self>;

    /// `if condition { a } else { b }` that compiles to a select.
    #[inline(always)]
    fn select(condition: bool, a: Self, b: Self) -> Self {
        if condition { a } else { b }
    }
}

macro_rules! common {
    ($type:ident) => {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        const EPSILON: Self = $type::EPSILON;
        const MAX: Self = $type::MAX;
        const MIN: Self = $type::MIN;
        const INFINITY: Self = $type::INFINITY;
        const NAN: Self = $type::NAN;

        fn kernels() -> &'static Kernels<Self> {
            static KERNELS: Kernels<$type> = Kernels::new();
            &KERNELS
        }
        #[inline(always)]
        fn from_f64(value: f64) -> Self {
            value as $type
        }
        #[inline(always)]
        fn to_f64(self) -> f64 {
            f64::from(self)
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            $type::sqrt(self)
        }
        #[inline(always)]
        fn abs(self) -> Self {
            $type::abs(self)
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            $type::mul_add(self, factor, addend)
        }
        #[inline(always)]
        fn maximum(self, other: Self) -> Self {
            if self > other || self != self {
                self
            } else {
                other
            }
        }
        #[inline(always)]
        fn minimum(self, other: Self) -> Self {
            if self < other || self != self {
                self
            } else {
                other
            }
        }
        #[inline(always)]
        fn powi(self, exponent: i32) -> Self {
            $type::powi(self, exponent)
        }
        #[inline(always)]
        fn powf(self, exponent: Self) -> Self {
            $type::powf(self, exponent)
        }
        #[inline(always)]
        fn floor(self) -> Self {
            $type::floor(self)
        }
        #[inline(always)]
        fn ceil(self) -> Self {
            $type::ceil(self)
        }
        #[inline(always)]
        fn round_ties_even(self) -> Self {
            $type::round_ties_even(self)
        }
        #[inline(always)]
        fn is_finite(self) -> bool {
            $type::is_finite(self)
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            $type::is_nan(self)
        }
    };
}

impl Float for f32 {
    common!(f32);

    #[inline(always)]
    fn choose<T: PerFloat>(
        single: &'static T::Of<f32>,
        _double: &'static T::Of<f64>,
    ) -> &'static T::Of<Self> {
        single
    }

    #[inline(always)]
    fn exp(self) -> Self {
        fast_f32::exp(self)
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        fast_f32::exp_of_negative(self)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        fast_f32::exp_m1(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        fast_f32::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        fast_f32::ln_1p(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        fast_f32::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        fast_f32::sigmoid(self)
    }
    #[inline(always)]
    fn softplus(self) -> Self {
        fast_f32::softplus(self)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        fast_f32::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        fast_f32::cos(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        fast_f32::erf(self)
    }
    #[inline(always)]
    fn gelu(self) -> Self {
        fast_f32::gelu(self)
    }
    #[inline(always)]
    fn gelu_derivative(self) -> Self {
        fast_f32::gelu_derivative(self)
    }
    #[inline(always)]
    fn silu(self) -> Self {
        fast_f32::silu(self)
    }
    #[inline(always)]
    fn silu_derivative(self) -> Self {
        fast_f32::silu_derivative(self)
    }
}

/// The standard normal distribution's `Φ(x) = erfc(−x/√2) / 2`.
#[inline(always)]
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

impl Float for f64 {
    common!(f64);

    #[inline(always)]
    fn choose<T: PerFloat>(
        _single: &'static T::Of<f32>,
        double: &'static T::Of<f64>,
    ) -> &'static T::Of<Self> {
        double
    }

    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        f64::exp_m1(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        f64::ln_1p(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + f64::exp(-self))
    }
    #[inline(always)]
    fn softplus(self) -> Self {
        Float::maximum(self, 0.0) + f64::ln_1p(f64::exp(-self.abs()))
    }
    #[inline(always)]
    fn sin(self) -> Self {
        f64::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        f64::cos(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        libm::erf(self)
    }
    #[inline(always)]
    fn gelu(self) -> Self {
        let x = if self < -40.0 { -40.0 } else { self };
        x * normal_cdf(x)
    }
    #[inline(always)]
    fn gelu_derivative(self) -> Self {
        let x = if self < -40.0 { -40.0 } else { self };
        let x = if x > 40.0 { 40.0 } else { x };
        let density = f64::exp(-0.5 * x * x) * 0.398_942_280_401_432_7;
        x.mul_add(density, normal_cdf(x))
    }
    #[inline(always)]
    fn silu(self) -> Self {
        let x = if self < -800.0 { -800.0 } else { self };
        // In two factors: their product may be below the normal numbers where the result is not.
        let root = f64::exp(-0.5 * x.abs());
        let over = if x < 0.0 { x * root * root } else { x };
        over / root.mul_add(root, 1.0)
    }
    #[inline(always)]
    fn silu_derivative(self) -> Self {
        let w = self.abs();
        let w = if w > 800.0 { 800.0 } else { w };
        let root = f64::exp(-0.5 * w);
        let share = 1.0 / root.mul_add(root, 1.0);
        let below = (1.0 - w * share) * share * root * root;
        if self < 0.0 { below } else { 1.0 - below }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function at the edges of its domain; `few` ulps are allowed where a rounded value is expected.
    fn edges<F: Float>() {
        let f = F::from_f64;
        let close = |got: F, want: f64| {
            let spacing = F::EPSILON.to_f64() * want.abs();
            assert!((got.to_f64() - want).abs() <= 4.0 * spacing, "{got} {want}");
        };
        for nan in [
            F::NAN.exp(),
            F::NAN.exp_m1(),
            F::NAN.ln(),
            F::NAN.ln_1p(),
            F::NAN.sqrt(),
            F::NAN.tanh(),
            F::NAN.sigmoid(),
            F::NAN.softplus(),
            F::NAN.exp_of_negative(),
            F::NAN.erf(),
            F::NAN.gelu(),
            F::NAN.gelu_derivative(),
            F::NAN.silu(),
            F::NAN.silu_derivative(),
            F::NAN.maximum(F::ONE),
            F::ONE.maximum(F::NAN),
            F::NAN.minimum(F::ONE),
            F::ONE.minimum(F::NAN),
            f(-1.0).sqrt(),
            f(-1.0).ln(),
            f(-1.0).powf(f(0.5)),
        ] {
            assert!(nan.is_nan() && !nan.is_finite());
        }
        assert_eq!((-F::INFINITY).exp(), F::ZERO);
        assert_eq!(F::INFINITY.exp(), F::INFINITY);
        assert_eq!(f(1e6).exp(), F::INFINITY);
        assert_eq!(f(-1e6).exp(), F::ZERO);
        assert_eq!(F::ZERO.ln(), -F::INFINITY);
        assert_eq!(F::INFINITY.ln(), F::INFINITY);
        assert_eq!(F::INFINITY.tanh(), F::ONE);
        assert_eq!((-F::INFINITY).tanh(), -F::ONE);
        assert_eq!(F::INFINITY.sigmoid(), F::ONE);
        assert_eq!((-F::INFINITY).sigmoid(), F::ZERO);
        assert_eq!((-F::INFINITY).exp_of_negative(), F::ZERO);
        assert_eq!(F::INFINITY.softplus(), F::INFINITY);
        assert_eq!((-F::INFINITY).softplus(), F::ZERO);
        assert_eq!(F::INFINITY.erf(), F::ONE);
        for unit in [F::gelu, F::silu] {
            assert_eq!(unit(F::INFINITY), F::INFINITY);
            assert_eq!(unit(F::MAX), F::MAX);
            assert_eq!(unit(-F::INFINITY), F::ZERO);
        }
        for slope in [F::gelu_derivative, F::silu_derivative] {
            assert_eq!(slope(F::INFINITY), F::ONE);
            assert_eq!(slope(F::ZERO), f(0.5));
            assert_eq!(slope(-F::INFINITY), F::ZERO);
        }
        assert_eq!(f(2.5).round_ties_even(), f(2.0));
        assert_eq!(f(-0.5).floor(), -F::ONE);
        assert_eq!(f(-0.5).ceil(), F::ZERO);
        assert_eq!(f(2.0).maximum(f(3.0)), f(3.0));
        assert_eq!(f(2.0).minimum(-F::INFINITY), -F::INFINITY);
        assert_eq!(F::select(true, F::ONE, F::NAN), F::ONE);
        close(f(1e-3).exp_m1(), f(1e-3).to_f64().exp_m1());
        close(f(1e-3).ln_1p(), f(1e-3).to_f64().ln_1p());
        close(f(-0.5).exp_of_negative(), f(-0.5).exp().to_f64());
        close(F::ONE.softplus(), 1.313_261_687_518_222_8);
        close(f(0.5).erf(), 0.520_499_877_813_046_5);
        close(F::ONE.gelu(), 0.841_344_746_068_542_9);
        close((-F::ONE).gelu(), -0.158_655_253_931_457_07);
        close(F::ONE.silu(), 0.731_058_578_630_004_9);
        close((-F::ONE).silu(), -0.268_941_421_369_995_1);
        close(F::ONE.gelu_derivative(), 1.083_315_470_587_686_4);
        close(F::ONE.silu_derivative(), 0.927_670_511_871_486_7);
        close(f(3.0).powi(-2), 1.0 / 9.0);
        close(f(2.0).powf(f(0.5)), std::f64::consts::SQRT_2);
        close(f(3.0).mul_add(f(4.0), f(5.0)), 17.0);
        assert!(F::MAX.is_finite() && F::MIN < F::ZERO && F::EPSILON > F::ZERO);
        for i in -4000..4000 {
            let x = f(f64::from(i) * 0.01);
            assert!(
                x.tanh().abs() <= F::ONE
                    && x.sigmoid() >= F::ZERO
                    && x.sigmoid() <= F::ONE
                    && x.exp() >= F::ZERO
            );
            assert_eq!(x.tanh(), -(-x).tanh());
        }
    }

    #[test]
    fn edges_of_single_precision() {
        edges::<f32>();
    }

    #[test]
    fn edges_of_double_precision() {
        edges::<f64>();
    }
}
