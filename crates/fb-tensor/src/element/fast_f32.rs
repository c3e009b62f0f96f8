//! Branch-free single-precision functions: straight-line code with selects, so that a loop over them vectorises.
//!
//! No fused multiply–add is used, so every instruction set gives the same bits. Coefficients: S. Moshier, Cephes
//! Mathematical Library, single precision (`expf`, `logf`, `tanhf`).

/// Adding and subtracting 1.5·2²³ rounds a float of moderate size to the nearest integer.
const ROUND: f32 = 12_582_912.0;

/// 2ⁿ for the integer `n` that was added to [`ROUND`] (−126 ..= 127).
#[inline(always)]
fn exp2_of_rounded(rounded: f32) -> f32 {
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    f32::from_bits(n.wrapping_add(127) << 23)
}

/// `eˣ`: 1 ulp; 0 at −∞, ∞ above 88.72, NaN at NaN, gradual underflow kept.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Written as selects and not `clamp`, so that a NaN passes through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    // ln 2 in two parts (Cody–Waite): the first has few bits, so n times it is exact.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5e-1;
    let y = p * (r * r) + r + 1.0;
    // 2ⁿ in two factors: n runs from −150 to 128, past what one exponent field holds.
    let half = (n * 0.5 + ROUND) - ROUND;
    y * exp2_of_rounded(half + ROUND) * exp2_of_rounded((n - half) + ROUND)
}

/// Natural logarithm: 1 ulp; −∞ at 0, NaN below, subnormals handled.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let bias = if subnormal { -23.0 } else { 0.0 };
    let bits = scaled.to_bits();
    // Mantissa brought to [√½, √2).
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let e = exponent as f32 + bias;
    let f = m - 1.0;
    let z = f * f;
    let mut p = 7.037_683_6e-2;
    p = p * f - 1.151_461e-1;
    p = p * f + 1.167_699_9e-1;
    p = p * f - 1.242_014_1e-1;
    p = p * f + 1.424_932_3e-1;
    p = p * f - 1.666_805_8e-1;
    p = p * f + 2.000_071_5e-1;
    p = p * f - 2.499_999_4e-1;
    p = p * f + 3.333_333e-1;
    let y = p * f * z - e * 2.121_944_4e-4 - 0.5 * z;
    let finite = f + y + e * 0.693_359_4;
    let finite = if x == 0.0 { f32::NEG_INFINITY } else { finite };
    let finite = if x == f32::INFINITY { x } else { finite };
    if x >= 0.0 { finite } else { f32::NAN }
}

/// Hyperbolic tangent: 2 ulp, odd (−0 kept), within [−1, 1].
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_909e-2;
    p = p * z - 5.373_971_6e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z - 3.333_328e-1;
    let small = p * z * a + a;
    let large = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    let magnitude = if a < 0.625 { small } else { large };
    magnitude.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(got: f32, want: f64) -> f64 {
        let nearest = want as f32;
        let spacing =
            f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(got) - want).abs() / spacing
    }

    fn worst(range: (f32, f32), f: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let steps = 200_000;
        (0..=steps)
            .map(|i| {
                let x = range.0 + (range.1 - range.0) * i as f32 / steps as f32;
                ulps(f(x), exact(f64::from(x)))
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn errors_stay_within_two_ulp() {
        assert!(worst((-87.0, 88.0), exp, f64::exp) < 2.0);
        assert!(worst((1e-6, 1e4), ln, f64::ln) < 2.0);
        assert!(worst((0.5, 2.0), ln, f64::ln) < 2.0);
        assert!(worst((-10.0, 10.0), tanh, f64::tanh) < 2.0);
    }

    #[test]
    fn edges_keep_sign_range_and_nan() {
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-100.0) > 0.0, "subnormal results are kept");
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f32::NAN).is_nan());
        assert!(ulps(ln(1e-40), f64::from(1e-40_f32).ln()) < 2.0);
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert!(tanh(-0.0).is_sign_negative());
        assert!(tanh(f32::NAN).is_nan());
        for i in 0..100_000 {
            assert!(tanh(i as f32 * 1e-3).abs() <= 1.0);
        }
    }
}
