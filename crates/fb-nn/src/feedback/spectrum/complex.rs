//! A complex number.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Sub};

/// A complex number, such as an eigenvalue.
///
/// ```
/// use fb_nn::feedback::spectrum::Complex;
/// let z = Complex::new(3.0, -4.0);
/// assert_eq!(z.modulus(), 5.0);
/// assert_eq!(z.to_string(), "3-4i");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl Complex {
    pub(super) const ZERO: Self = Self::new(0.0, 0.0);

    /// The number `re + im·i`.
    pub const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// The distance from 0.
    pub fn modulus(self) -> f64 {
        self.re.hypot(self.im)
    }

    /// The angle from the positive real axis in radians, from −π to π: how far one iteration turns.
    pub fn angle(self) -> f64 {
        self.im.atan2(self.re)
    }

    /// The mirror image on the real axis.
    pub fn conjugate(self) -> Self {
        Self::new(self.re, -self.im)
    }

    /// The number times a real one.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }

    /// By falling modulus. Those of a conjugate pair, whose moduli are equal, stand together, the upper one first.
    pub(super) fn leading(&self, other: &Self) -> Ordering {
        let key = |z: &Self| [z.modulus(), z.re, z.im.abs(), z.im];
        key(other)
            .into_iter()
            .zip(key(self))
            .map(|(a, b)| a.total_cmp(&b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl Mul for Complex {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(
            self.re * other.re - self.im * other.im,
            self.re * other.im + self.im * other.re,
        )
    }
}

/// By R. Smith's method ("Algorithm 116: complex division", 1962), which does not square.
impl Div for Complex {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        if other.re.abs() >= other.im.abs() {
            let ratio = other.im / other.re;
            let size = other.re + other.im * ratio;
            Self::new(
                (self.re + self.im * ratio) / size,
                (self.im - self.re * ratio) / size,
            )
        } else {
            let ratio = other.re / other.im;
            let size = other.re * ratio + other.im;
            Self::new(
                (self.re * ratio + self.im) / size,
                (self.im * ratio - self.re) / size,
            )
        }
    }
}

/// `0.5+0.25i`, a real one as `0.5`; `{:.3}` gives both parts three decimals.
impl fmt::Display for Complex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.re, f)?;
        if self.im == 0.0 {
            return Ok(());
        }
        if !self.im.is_sign_negative() {
            f.write_str("+")?;
        }
        fmt::Display::fmt(&self.im, f)?;
        f.write_str("i")
    }
}

#[cfg(test)]
mod tests {
    use super::Complex;

    #[test]
    fn a_quotient_times_the_divisor_is_the_dividend() {
        let numbers = [(1.0, 2.0), (-3.0, 0.0), (0.0, 0.5), (1e200, -1e200)];
        for (a, b) in numbers.iter().flat_map(|a| numbers.map(|b| (*a, b))) {
            let (a, b) = (Complex::new(a.0, a.1), Complex::new(b.0, b.1));
            let error = (a / b) * b - a;
            assert!(error.modulus() <= 1e-15 * a.modulus(), "{a} / {b}");
        }
    }

    #[test]
    fn pairs_stand_together_behind_larger_ones() {
        let mut numbers = [(0.1, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0), (0.0, 2.0)]
            .map(|(re, im)| Complex::new(re, im));
        numbers.sort_by(Complex::leading);
        let texts = numbers.map(|z| format!("{z:.1}"));
        assert_eq!(texts, ["0.0+2.0i", "0.0+1.0i", "0.0-1.0i", "-1.0", "0.1"]);
    }
}
