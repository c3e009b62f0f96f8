//! Branch-free single-precision functions: straight-line code with selects, so that a loop over them vectorises.
//!
//! Sums of products are fused explicitly, with one rounding, so every instruction set gives the same bits (decision 3).
//! Coefficients are S. Moshier's (Cephes Mathematical Library, single precision) or fitted for the smallest relative
//! error, where nothing else is said. Errors are asserted in `tests/suite/accuracy.rs`.

/// Adding 1.5·2²³ rounds a float of moderate size to the nearest integer, which then stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts.
const LN_2_HIGH: f32 = std::f32::consts::LN_2;
const LN_2_LOW: f32 = -1.904_654_3e-9;

/// 2³², by which results are held above the subnormal numbers until the last step.
const TWO_TO_32: f32 = 4_294_967_296.0;

/// The bits of 2ⁿ.
const fn power_of_two(n: i32) -> u32 {
    ((n + 127) << 23) as u32
}

/// `(r, n)` with `x = n ln 2 + r`, `|r| ≤ ln 2 / 2`, and `n` as what is added to the bits of a float to multiply it by 2ⁿ.
#[inline(always)]
fn reduced(x: f32) -> (f32, u32) {
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    (r, rounded.to_bits() << 23)
}

/// `(eʳ − 1 − r) / r²` for `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn exp_rest(r: f32) -> f32 {
    let mut p = 1.381_459_9e-3_f32;
    p = p.mul_add(r, 8.368_717e-3);
    p = p.mul_add(r, 4.166_839e-2);
    p = p.mul_add(r, 1.666_652_1e-1);
    p.mul_add(r, 4.999_999_4e-1)
}

/// `eʳ` for `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn exp_of_reduced(r: f32) -> f32 {
    exp_rest(r).mul_add(r, 1.0).mul_add(r, 1.0)
}

/// `eʳ − 1` for `|r| ≤ ln 2 / 2`.
#[inline(always)]
fn exp_m1_of_reduced(r: f32) -> f32 {
    (exp_rest(r) * r).mul_add(r, r)
}

/// `eˣ`: 1 ulp; 0 at −∞, ∞ above 88.72, NaN at NaN, gradual underflow kept.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Written as selects and not `clamp`, so that a NaN passes through.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (r, n) = reduced(x);
    // 2ⁿ in two factors: n runs from −150 to 128, past what one exponent field holds.
    let (one, other) = if x < 0.0 {
        (power_of_two(32), 1.0 / TWO_TO_32)
    } else {
        (power_of_two(-1), 2.0)
    };
    exp_of_reduced(r) * f32::from_bits(n.wrapping_add(one)) * other
}

/// `eˣ` as [`exp`] gives it, for arguments that are not above 0, or NaN.
#[inline(always)]
pub(super) fn exp_of_negative(x: f32) -> f32 {
    let x = if x < -104.0 { -104.0 } else { x };
    let (r, n) = reduced(x);
    let power = f32::from_bits(n.wrapping_add(power_of_two(32)));
    exp_of_reduced(r) * power * (1.0 / TWO_TO_32)
}

/// `eˣ − 1`: 2 ulp; odd at 0 (−0 kept), −1 at −∞.
#[inline(always)]
pub(super) fn exp_m1(x: f32) -> f32 {
    let a = if x > 89.0 { 89.0 } else { x };
    let a = if a < -30.0 { -30.0 } else { a };
    let (r, n) = reduced(a);
    let p = exp_m1_of_reduced(r);
    // Half of everything: 2ⁿ itself may be too large.
    let scale = f32::from_bits(n.wrapping_add(power_of_two(-1)));
    let y = 2.0 * scale.mul_add(p, scale - 0.5);
    // Halves of subnormal numbers would be rounded.
    let y = if n == 0 { p } else { y };
    y.copysign(x)
}

/// `(e, m − 1)` with `x = m · 2ᵉ` and `m` in [√½, √2), for positive normal numbers.
#[inline(always)]
fn exponent_and_rest(x: f32) -> (f32, f32) {
    let shifted = x.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    (exponent as f32, m - 1.0)
}

/// `ln(1 + f) + e ln 2 + rest` for `1 + f` in [√½, √2).
#[inline(always)]
fn ln_of_parts(e: f32, f: f32, rest: f32) -> f32 {
    let z = f * f;
    let mut p = 7.037_683_6e-2_f32;
    p = p.mul_add(f, -1.151_461e-1);
    p = p.mul_add(f, 1.167_699_9e-1);
    p = p.mul_add(f, -1.242_014_1e-1);
    p = p.mul_add(f, 1.424_932_3e-1);
    p = p.mul_add(f, -1.666_805_8e-1);
    p = p.mul_add(f, 2.000_071_5e-1);
    p = p.mul_add(f, -2.499_999_4e-1);
    p = p.mul_add(f, 3.333_333e-1);
    let y = (p * f).mul_add(z, e.mul_add(LN_2_LOW, rest));
    let y = z.mul_add(-0.5, y);
    e.mul_add(LN_2_HIGH, f + y)
}

/// Natural logarithm: 1 ulp; −∞ at 0, NaN below, subnormals handled.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let bias = if subnormal { -23.0 } else { 0.0 };
    let (e, f) = exponent_and_rest(scaled);
    let finite = ln_of_parts(e + bias, f, 0.0);
    let finite = if x == 0.0 { f32::NEG_INFINITY } else { finite };
    let finite = if x == f32::INFINITY { x } else { finite };
    if x >= 0.0 { finite } else { f32::NAN }
}

/// `ln(1 + x)`: 2 ulp; odd at 0 (−0 kept), −∞ at −1, NaN below.
#[inline(always)]
pub(super) fn ln_1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let (e, f) = exponent_and_rest(sum);
    // What rounding took from the sum, relative to it; near 0 the argument itself is at hand.
    let lost = if x > 1.0 {
        1.0 - (sum - x)
    } else {
        x - (sum - 1.0)
    };
    let near = e == 0.0;
    let f = if near { x } else { f };
    let rest = if near { 0.0 } else { lost / sum };
    let finite = ln_of_parts(e, f, rest);
    let finite = if x == 0.0 || x == f32::INFINITY {
        x
    } else {
        finite
    };
    let finite = if x == -1.0 { f32::NEG_INFINITY } else { finite };
    if x >= -1.0 { finite } else { f32::NAN }
}

/// `ln(1 + eˣ)`: 2 ulp, gradual underflow kept, NaN at NaN.
#[inline(always)]
pub(super) fn softplus(x: f32) -> f32 {
    let power = exp_of_negative(-x.abs());
    // 1 + eˣ up to √2 as it is, above in halves; the subtraction from 1 is exact or far below the sum.
    let near = power < 0.414_213_56;
    let f = if near { power } else { 0.5 * (power - 1.0) };
    let e = if near { 0.0 } else { 1.0 };
    let above = if x < 0.0 { 0.0 } else { x };
    above + ln_of_parts(e, f, 0.0)
}

/// `(1 + eˣ) / 2³²`, with 1.5 roundings, for `x` from −87 to 110, or NaN.
#[inline(always)]
fn one_and_exp(x: f32) -> f32 {
    let (r, n) = reduced(x);
    // 1 + 2ⁿ + 2ⁿ (eʳ − 1), all of it divided by 2³²: n runs from −126 to 159.
    let power = f32::from_bits(n.wrapping_add(power_of_two(-32)));
    let sum = power + 1.0 / TWO_TO_32;
    let lost = 1.0 / TWO_TO_32 - (sum - power);
    sum + power.mul_add(exp_m1_of_reduced(r), lost)
}

/// Logistic function: 2 ulp, within [0, 1], gradual underflow kept.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    let x = if x > 60.0 { 60.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    1.0 / TWO_TO_32 / one_and_exp(-x)
}

/// `x / (1 + e⁻ˣ)`: 2 ulp, gradual underflow and sign kept.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    let a = if x < -110.0 { -110.0 } else { x };
    let y = a / one_and_exp(-a) * (1.0 / TWO_TO_32);
    // The quotient may be too large, and nothing is lost from 17 on.
    if x > 60.0 { x } else { y }
}

/// The derivative `σ (1 + x (1 − σ))`, `σ = 1 / (1 + e⁻ˣ)`, of [`silu`]: 2 ulp of the larger of it and ½, and 3 of itself
/// from −2 down, which is past its zero at −1.28.
#[inline(always)]
pub(super) fn silu_derivative(x: f32) -> f32 {
    let w = x.abs();
    let w = if w > 110.0 { 110.0 } else { w };
    // σ(−w) (1 − w + w σ(−w)) below 0, 1 less that above; the share is 2³² times the logistic function.
    let share = 1.0 / one_and_exp(w);
    let rest = (w * share).mul_add(1.0 / TWO_TO_32, 1.0 - w);
    let below = share * rest * (1.0 / TWO_TO_32);
    if x < 0.0 { below } else { 1.0 - below }
}

/// Error function: 2 ulp, odd (−0 kept), within [−1, 1].
///
/// Two polynomials, the second in the exponent of `1 − e^(−p)`; coefficients after N. Juffa, "erff", 2015.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 4.0 { 4.0 } else { a };
    let z = a * a;
    let mut p = -5.967_617e-4_f32;
    p = p.mul_add(z, 4.991_194_2e-3);
    p = p.mul_add(z, -2.676_813_5e-2);
    p = p.mul_add(z, 1.128_199_25e-1);
    p = p.mul_add(z, -3.761_253_4e-1);
    p = p.mul_add(z, 1.283_791_7e-1);
    let small = p.mul_add(a, a);
    let r = (-1.728_534_7e-5_f32).mul_add(a, 3.831_971_3e-4);
    let u = (-3.883_964_4e-3_f32).mul_add(a, 2.425_462_2e-2);
    let mut r = r.mul_add(z, u);
    r = r.mul_add(a, -1.067_778_8e-1);
    r = r.mul_add(a, -6.348_467e-1);
    r = r.mul_add(a, -1.287_175_1e-1);
    r = r.mul_add(a, -a);
    let (r, n) = reduced(r);
    let power = f32::from_bits(n.wrapping_add(power_of_two(0)));
    let large = (-power).mul_add(exp_of_reduced(r), 1.0);
    let magnitude = if a > 0.927_734_4 { large } else { small };
    magnitude.copysign(x)
}

/// `(1 + r + t) 2ⁿ = e^(−w²/2)` for `w` in [0, 15], as `(r, t, n)` with `t` a correction far below `r²`, `n` as in
/// [`reduced`] and from −163 to 0.
#[inline(always)]
fn bell(w: f32) -> (f32, f32, u32) {
    let half = -0.5 * w;
    let high = half * w;
    let low = half.mul_add(w, -high);
    let rounded = high.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let near = n.mul_add(-LN_2_HIGH, high);
    let low = n.mul_add(-LN_2_LOW, low);
    let r = near + low;
    let lost = low - (r - near);
    let t = (exp_rest(r) * r).mul_add(r, lost);
    (r, t, rounded.to_bits() << 23)
}

/// `x Φ(x)` with the normal distribution's `Φ`: 2 ulp also far below 0, gradual underflow and sign kept.
///
/// `max(x, 0) − w Φ(−w)` with `w = |x|`. `e^(w²/2) Φ(−w)` is smooth in `w`, and `w` times that in `1 / (w + 7/4)`: two
/// polynomials, of which the coefficients are chosen first. The number about which the first is developed has a value and
/// a slope there that are floats, all but exactly.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    const NEAR: [f32; 10] = [
        0.280_751_94,
        -0.155_066_46,
        7.302_655e-2,
        -3.054_340_6e-2,
        1.162_382_4e-2,
        -4.093_918e-3,
        1.343_224_1e-3,
        -4.026_396_8e-4,
        1.304_812_5e-4,
        -5.136_274_6e-5,
    ];
    const FAR: [f32; 10] = [
        0.398_943_25,
        -1.036_393_2e-4,
        -0.394_651_35,
        -1.490_348,
        -1.241_865_5,
        -10.094_232,
        60.897_354,
        -104.546_58,
        63.838_818,
        0.0,
    ];
    let w = x.abs();
    let w = if w > 14.6 { 14.6 } else { w };
    let near = w < 1.5;
    let v = if near {
        w - 0.868_652_34
    } else {
        1.0 / (w + 1.75)
    };
    let c = |k: usize| if near { NEAR[k] } else { FAR[k] };
    // In halves and quarters: what waits for one number after the other is slow.
    let v2 = v * v;
    let low = c(4).mul_add(v, c(3)).mul_add(v2, c(2).mul_add(v, c(1)));
    let high = c(9).mul_add(v2, c(8).mul_add(v, c(7)));
    let high = high.mul_add(v2, c(6).mul_add(v, c(5)));
    let p = high.mul_add(v2 * v2, low);
    let last = c(0);
    let y = p.mul_add(v, last);
    let lost = p.mul_add(v, last - y);
    let (r, t, n) = bell(w);
    let product = y + y.mul_add(r, y.mul_add(t, lost));
    // Only far away is 2ⁿ below the normal numbers.
    let (factor, one) = if near {
        (w, power_of_two(0))
    } else {
        (1.0 / TWO_TO_32 / TWO_TO_32, power_of_two(64))
    };
    let below = product * f32::from_bits(n.wrapping_add(one)) * factor;
    let above = if x < -0.0 { -0.0 } else { x };
    above - below
}

/// The derivative `Φ(x) + x φ(x)` of [`gelu`]: 2 ulp of the larger of it and ½, and 3 of itself from −2 down, which is
/// past its zero at −0.75.
///
/// With `w = |x|` it is `e^(−w²/2) (e^(w²/2) Φ(−w) − w/√(2π))` below 0, and 1 less that above; `e^(w²/2) Φ(−w)` is a
/// ratio of polynomials.
#[inline(always)]
pub(super) fn gelu_derivative(x: f32) -> f32 {
    let w = x.abs();
    let w = if w > 14.8 { 14.8 } else { w };
    let mut p = 4.094_151e-3_f32;
    p = p.mul_add(w, 4.049_980_3e-2);
    p = p.mul_add(w, 1.828_627_7e-1);
    p = p.mul_add(w, 4.378_289_3e-1);
    p = p.mul_add(w, 0.5);
    let mut q = 1.026_239_4e-2_f32;
    q = q.mul_add(w, 1.015_244_35e-1);
    q = q.mul_add(w, 4.684_806e-1);
    q = q.mul_add(w, 1.201_015_4);
    q = q.mul_add(w, 1.673_542_7);
    q = q.mul_add(w, 1.0);
    let y = w.mul_add(-0.398_942_3, p / q);
    let (r, t, n) = bell(w);
    let product = y + y.mul_add(r, y * t);
    let power = f32::from_bits(n.wrapping_add(power_of_two(64)));
    let below = product * power * (1.0 / TWO_TO_32 / TWO_TO_32);
    if x < 0.0 { below } else { 1.0 - below }
}

/// π/2 in parts of 27, 27 and 53 bits: up to 2²⁶ times the first two are exact.
const HALF_PI: [f64; 3] = [
    1.570_796_325_802_803,
    9.920_935_739_593_517e-10,
    5.721_188_726_109_832e-18,
];

/// `2ᵉ · 2/π` less multiples of 4, in two parts of 29 and 53 bits, for `e` below 105.
static QUADRANTS: [[f64; 2]; 128] = {
    // The first 192 bits of 2/π.
    const DIGITS: [u64; 3] = [
        0xa2f9_836e_4e44_1529,
        0xfc27_57d1_f534_ddc0,
        0xdb62_9599_3c43_9041,
    ];
    let mut table = [[0.0; 2]; 128];
    let mut e = 0;
    while e < 105 {
        let mut at = 0;
        let mut parts = [0_u64; 2];
        while at < 82 {
            // Two digits before the point: those worth 2 and 1.
            let digit = e + at;
            let one = digit >= 2 && (DIGITS[(digit - 2) / 64] >> (63 - (digit - 2) % 64)) & 1 == 1;
            let part = (at >= 29) as usize;
            parts[part] = (parts[part] << 1) | one as u64;
            at += 1;
        }
        const TWO_TO_27: f64 = 134_217_728.0;
        const TWO_TO_80: f64 = 1_208_925_819_614_629_174_706_176.0;
        table[e] = [parts[0] as f64 / TWO_TO_27, parts[1] as f64 / TWO_TO_80];
        e += 1;
    }
    table
};

/// The quadrant of an angle that is not negative, and the rest in [−π/4, π/4].
#[inline(always)]
fn quadrant_and_rest(angle: f32) -> (i32, f32) {
    /// Adding and subtracting 1.5·2⁵² rounds a double of moderate size to the nearest integer.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let wide = f64::from(angle);
    let rounded = wide * std::f64::consts::FRAC_2_PI + ROUND;
    let n = rounded - ROUND;
    let rest = ((wide - n * HALF_PI[0]) - n * HALF_PI[1]) - n * HALF_PI[2];
    // From 2²³ on the angle is m · 2ᵉ with whole m below 2²⁴, whose product with the first part is exact.
    let bits = angle.to_bits();
    let m = f64::from(((bits & 0x007f_ffff) | 0x0080_0000) as i32);
    let [high, low] = QUADRANTS[((bits >> 23) as usize).saturating_sub(150) % QUADRANTS.len()];
    let (high, low) = (m * high, m * low);
    let far_rounded = (high + low) + ROUND;
    let far_rest = ((high - (far_rounded - ROUND)) + low) * std::f64::consts::FRAC_PI_2;
    let far = angle >= 8_388_608.0;
    let (rounded, rest) = if far {
        (far_rounded, far_rest)
    } else {
        (rounded, rest)
    };
    let rest = if angle < f32::INFINITY {
        rest as f32
    } else {
        f32::NAN
    };
    (rounded.to_bits() as i32, rest)
}

/// Sine of a rest, turned by so many quadrants.
#[inline(always)]
fn sin_of(quadrant: i32, r: f32) -> f32 {
    let z = r * r;
    let mut s = -1.951_529_6e-4_f32;
    s = s.mul_add(z, 8.332_161e-3);
    s = s.mul_add(z, -1.666_665_5e-1);
    let s = (s * z).mul_add(r, r);
    let mut c = 2.443_315_7e-5_f32;
    c = c.mul_add(z, -1.388_731_6e-3);
    c = c.mul_add(z, 4.166_664_6e-2);
    c = c.mul_add(z, -0.5);
    let c = c.mul_add(z, 1.0);
    let y = if quadrant & 1 == 0 { s } else { c };
    if quadrant & 2 == 0 { y } else { -y }
}

/// Sine: 2 ulp for every angle, odd (−0 kept), NaN at ±∞.
#[inline(always)]
pub(super) fn sin(x: f32) -> f32 {
    let (quadrant, rest) = quadrant_and_rest(x.abs());
    let y = sin_of(quadrant, rest);
    let y = if x < 0.0 { -y } else { y };
    if x == 0.0 { x } else { y }
}

/// Cosine: 2 ulp for every angle, even, NaN at ±∞.
#[inline(always)]
pub(super) fn cos(x: f32) -> f32 {
    let (quadrant, rest) = quadrant_and_rest(x.abs());
    sin_of(quadrant.wrapping_add(1), rest)
}

/// Hyperbolic tangent: 2 ulp, odd (−0 kept), within [−1, 1].
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let mut p = -5.704_986_4e-3_f32;
    p = p.mul_add(z, 2.063_908_6e-2);
    p = p.mul_add(z, -5.373_971_5e-2);
    p = p.mul_add(z, 1.333_144_2e-1);
    p = p.mul_add(z, -3.333_328e-1);
    let small = (p * z).mul_add(a, a);
    // 1 − 2 / (e²ᵃ + 1) of at most 9.5, so that one factor holds 2ⁿ.
    let double = a + a;
    let double = if double > 19.0 { 19.0 } else { double };
    // The other part of ln 2 does not count.
    let rounded = double.mul_add(std::f32::consts::LOG2_E, ROUND);
    let r = (rounded - ROUND).mul_add(-LN_2_HIGH, double);
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(power_of_two(0)));
    let large = 1.0 - 2.0 / power.mul_add(exp_of_reduced(r), 1.0);
    let magnitude = if a < 0.625 { small } else { large };
    magnitude.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(
            (ln(1e-40) + 92.103_4).abs() < 1e-4,
            "subnormal arguments are taken"
        );
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert!(tanh(-0.0).is_sign_negative());
        assert!(tanh(f32::NAN).is_nan());
        assert_eq!(exp_m1(f32::NEG_INFINITY), -1.0);
        assert_eq!(exp_m1(f32::INFINITY), f32::INFINITY);
        assert_eq!(ln_1p(-1.0), f32::NEG_INFINITY);
        assert_eq!(ln_1p(f32::INFINITY), f32::INFINITY);
        assert!(ln_1p(-1.5).is_nan() && ln_1p(f32::NAN).is_nan() && exp_m1(f32::NAN).is_nan());
        for odd in [exp_m1, ln_1p, erf, tanh] {
            assert!(odd(-0.0).is_sign_negative() && odd(0.0).is_sign_positive());
            let tiny = f32::from_bits(3);
            assert_eq!((odd(tiny), odd(-tiny)), (tiny, -tiny));
        }
        for share in [sigmoid, gelu_derivative, silu_derivative] {
            assert_eq!((share(f32::NEG_INFINITY), share(f32::INFINITY)), (0.0, 1.0));
            assert!(share(f32::NAN).is_nan() && share(0.0) == 0.5 && share(-0.0) == 0.5);
        }
        for unit in [gelu, silu] {
            assert_eq!(unit(f32::NEG_INFINITY).to_bits(), (-0.0_f32).to_bits());
            assert_eq!(unit(-0.0).to_bits(), (-0.0_f32).to_bits());
            assert_eq!(unit(0.0).to_bits(), 0);
            assert_eq!(
                (unit(f32::INFINITY), unit(f32::MAX)),
                (f32::INFINITY, f32::MAX)
            );
            assert!(unit(f32::NAN).is_nan() && unit(f32::MIN).is_sign_negative());
        }
        assert!(
            gelu(-14.0) < 0.0 && silu(-108.0) < 0.0,
            "subnormal results are kept"
        );
        assert!(sigmoid(-100.0) > 0.0, "subnormal results are kept");
        assert!((erf(f32::INFINITY), erf(f32::NEG_INFINITY)) == (1.0, -1.0));
        assert!(erf(f32::NAN).is_nan());
        for i in -100_000..100_000 {
            let x = i as f32 * 1e-3;
            assert!(tanh(x).abs() <= 1.0 && erf(x).abs() <= 1.0);
            assert!((0.0..=1.0).contains(&sigmoid(x)));
        }
    }
}
