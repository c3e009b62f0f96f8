//! How far single precision is from exact values, in units of the last place.

use fb_tensor::ops::{UnaryOp, unary};
use fb_tensor::{Float, Tensor};

type Function<F> = fn(&Tensor<F>) -> Tensor<F>;

/// A function, the same in double precision, the arguments it is tried at, and the most units it may be off.
struct Row {
    name: &'static str,
    single: Function<f32>,
    double: Function<f64>,
    range: (f32, f32),
    units: f64,
}

macro_rules! rows {
    ($($name:ident from $low:literal to $high:literal within $units:literal;)*) => {
        [$(Row {
            name: stringify!($name),
            single: |x| x.$name(),
            double: |x| x.$name(),
            range: ($low, $high),
            units: $units,
        }),*]
    };
}

fn table() -> impl IntoIterator<Item = Row> {
    rows! {
        exp from -1e3 to 1e3 within 1.0;
        exp_m1 from -1e3 to 1e3 within 1.6;
        ln from 0.0 to 3e38 within 1.0;
        ln_1p from -1.0 to 3e38 within 1.0;
        sqrt from 0.0 to 3e38 within 0.51;
        rsqrt from 1e-37 to 3e38 within 1.5;
        recip from 1e-37 to 1e37 within 0.51;
        tanh from -1e3 to 1e3 within 1.5;
        sigmoid from -103.0 to 1e3 within 1.7;
        silu from -3e38 to 3e38 within 1.8;
        log_sigmoid from -1e3 to 86.0 within 2.0;
        softplus from -86.0 to 1e3 within 2.0;
        erf from -1e3 to 1e3 within 1.1;
        gelu from -3e38 to 3e38 within 2.0;
        sin from -3e38 to 3e38 within 1.6;
        cos from -3e38 to 3e38 within 1.6;
    }
}

/// Numbers of every size, and numbers evenly spaced, from `low` to `high`.
fn arguments((low, high): (f32, f32)) -> Vec<f32> {
    let by_size = (0..f32::INFINITY.to_bits())
        .step_by(50_021)
        .map(f32::from_bits)
        .flat_map(|x| [x, -x]);
    let wide = f64::from(high).min(120.0) - f64::from(low).max(-120.0);
    let start = f64::from(low).max(-120.0);
    let even = (0..=200_000).map(|i| (start + wide * f64::from(i) / 200_000.0) as f32);
    let near = (0..=50_000).map(|i| i as f32 * 8e-5 - 2.0);
    by_size
        .chain(even)
        .chain(near)
        .filter(|x| (low..=high).contains(x))
        .collect()
}

/// The distance in units of the last place of the number nearest to the wanted one.
fn units(got: f32, want: f64) -> f64 {
    let nearest = want as f32;
    if !nearest.is_finite() || !got.is_finite() {
        return if got == nearest || got.is_nan() && nearest.is_nan() {
            0.0
        } else {
            f64::INFINITY
        };
    }
    let above = f32::from_bits(nearest.abs().to_bits() + 1);
    (f64::from(got) - want).abs() / (f64::from(above) - f64::from(nearest.abs()))
}

#[test]
fn functions_are_within_their_units() {
    let mut too_far = Vec::new();
    for row in table() {
        let x = Tensor::from(arguments(row.range));
        assert!(x.len() > 50_000);
        let (got, want) = ((row.single)(&x), (row.double)(&x.to_f64()));
        let places = x.iter().zip(got.iter().zip(want.iter()));
        let (worst, at) = places.fold((0.0, 0.0), |worst, (x, (got, want))| {
            let distance = units(got, want);
            if distance > worst.0 {
                (distance, x)
            } else {
                worst
            }
        });
        if worst > row.units {
            too_far.push(format!("{} at {at}: {worst:.2}", row.name));
        }
    }
    assert!(too_far.is_empty(), "units off: {}", too_far.join(", "));
}

/// Near the zero of a derivative what counts is how far it is off beside ½, far below 0 how far beside itself.
#[test]
fn derivatives_are_within_their_units() {
    fn slope<Op: UnaryOp, F: Float>(x: &Tensor<F>, op: &Op) -> Tensor<F> {
        Tensor::chain_op(x, x.ones_like(), op)
    }
    let x = Tensor::from(arguments((-3e38, 3e38)));
    let wide = x.to_f64();
    for (name, got, want) in [
        (
            "gelu",
            slope(&x, &unary::Gelu {}),
            slope(&wide, &unary::Gelu {}),
        ),
        (
            "silu",
            slope(&x, &unary::Silu {}),
            slope(&wide, &unary::Silu {}),
        ),
    ] {
        for (x, (got, want)) in x.iter().zip(got.iter().zip(want.iter())) {
            let off = (f64::from(got) - want).abs();
            let near = off <= 2.0 * f64::from(f32::EPSILON) * if want < 1.0 { 0.5 } else { 1.0 };
            let tail = x > -2.0 || units(got, want) <= 3.0;
            assert!(near && tail, "{name} at {x}: {got} and not {want}");
        }
    }
}

/// Beyond what a float can tell from its neighbours, the approximation's argument is rounded before the exponential.
#[test]
fn the_approximated_gelu_keeps_its_tail() {
    let x = Tensor::linspace(-9.0, 9.0, 100_000);
    let (got, want) = (x.gelu_tanh(), x.to_f64().gelu_tanh());
    for (got, want) in got.iter().zip(want.iter()) {
        assert!(
            (f64::from(got) - want).abs() <= 2e-5 * want.abs(),
            "{got} {want}"
        );
    }
}

#[test]
fn ends_of_the_range() {
    const LOW: f32 = f32::NEG_INFINITY;
    let x = Tensor::from([LOW, -0.0, 0.0, f32::INFINITY, f32::NAN]);
    let text = |y: Tensor| format!("{:?}", y.to_vec());
    for (y, want) in [
        (x.exp(), "[0.0, 1.0, 1.0, inf, NaN]"),
        (x.exp_m1(), "[-1.0, -0.0, 0.0, inf, NaN]"),
        (x.ln_1p(), "[NaN, -0.0, 0.0, inf, NaN]"),
        (x.tanh(), "[-1.0, -0.0, 0.0, 1.0, NaN]"),
        (x.sigmoid(), "[0.0, 0.5, 0.5, 1.0, NaN]"),
        (x.silu(), "[-0.0, -0.0, 0.0, inf, NaN]"),
        (x.gelu(), "[-0.0, -0.0, 0.0, inf, NaN]"),
        (x.gelu_tanh(), "[-0.0, -0.0, 0.0, inf, NaN]"),
        (x.erf(), "[-1.0, -0.0, 0.0, 1.0, NaN]"),
        (x.softplus(), "[0.0, 0.6931472, 0.6931472, inf, NaN]"),
        (x.log_sigmoid(), "[-inf, -0.6931472, -0.6931472, 0.0, NaN]"),
        (x.sin(), "[NaN, -0.0, 0.0, NaN, NaN]"),
        (x.rsqrt(), "[NaN, -inf, inf, 0.0, NaN]"),
    ] {
        assert_eq!(text(y), want);
    }
}

/// Code compiled for every processor of the target, as these tests are, calls a function where loops use an instruction.
#[test]
fn bits_do_not_depend_on_the_instruction_set() {
    let x = Tensor::from(arguments((-200.0, 200.0)));
    let functions: [(Function<f32>, fn(f32) -> f32); 12] = [
        (|x| x.exp(), |x| Float::exp(x)),
        (|x| x.exp_m1(), |x| Float::exp_m1(x)),
        (|x| x.ln(), |x| Float::ln(x)),
        (|x| x.ln_1p(), |x| Float::ln_1p(x)),
        (|x| x.tanh(), |x| Float::tanh(x)),
        (|x| x.sigmoid(), |x| Float::sigmoid(x)),
        (|x| x.silu(), |x| Float::silu(x)),
        (|x| x.softplus(), |x| Float::softplus(x)),
        (|x| x.erf(), |x| Float::erf(x)),
        (|x| x.gelu(), |x| Float::gelu(x)),
        (|x| x.sin(), |x| Float::sin(x)),
        (|x| x.cos(), |x| Float::cos(x)),
    ];
    for (number, (vector, scalar)) in functions.into_iter().enumerate() {
        for (x, y) in x.iter().zip(vector(&x).iter()) {
            let want = scalar(x);
            let same = y.to_bits() == want.to_bits() || y.is_nan() && want.is_nan();
            assert!(same, "function {number} at {x}: {y} and {want}");
        }
    }
}
