use crate::support::{
    assert_close, at_broadcast, cases, indices, shapes, shrunk, styles, view, view_with,
};
use fb_tensor::ops::{Saves, UnaryOp, unary};
use fb_tensor::{Tensor, for_each_unary_op};
use proptest::prelude::*;

/// One elementwise function of the list, as the tests want it.
struct Row {
    name: &'static str,
    points: &'static [f64],
    single: Box<dyn Fn(&Tensor<f32>) -> Tensor<f32>>,
    value: Box<dyn Fn(f64) -> f64>,
    /// `(saved from x, gradient) -> gradient by x`
    chain: Box<dyn Fn(&Tensor<f64>, Tensor<f64>) -> Tensor<f64>>,
}

fn chain<Op: UnaryOp>(op: &Op, x: &Tensor<f64>, gradient: Tensor<f64>) -> Tensor<f64> {
    match Op::SAVES {
        Saves::Output => {
            let y: Vec<f64> = x.iter().map(|x| op.value(x)).collect();
            Tensor::chain_op(&Tensor::from(y), gradient, op)
        }
        Saves::Input | Saves::Nothing => Tensor::chain_op(x, gradient, op),
    }
}

macro_rules! rows {
    ($(
        $(#[$doc:meta])*
        $name:ident($($parameter:ident : $type:ty),*) $Op:ident, saves $saves:ident, costs $cost:literal;
        |$x:pat_param| $value:expr; |$s:pat_param| $derivative:expr; check ($($at:expr),*) at [$($point:expr),*];
    )*) => {
        fn all_rows() -> Vec<Row> {
            vec![$({
                fn op() -> unary::$Op {
                    fn with($($parameter: $type),*) -> unary::$Op {
                        unary::$Op { $($parameter),* }
                    }
                    with($($at),*)
                }
                Row {
                    name: stringify!($name),
                    points: &[$($point),*],
                    single: Box::new(|x| x.$name($($at),*)),
                    value: Box::new(|x| op().value(x)),
                    chain: Box::new(|x, g| chain(&op(), x, g)),
                }
            }),*]
        }
    };
}

for_each_unary_op!(rows);

/// The function evaluated in double precision, held against single precision: 1e-5 relative, 1e-6 near 0.
fn assert_single(name: &str, x: f32, got: f32, want: f64) {
    let near = (f64::from(got) - want).abs() <= 1e-5 * want.abs() + 1e-6;
    let same = got.is_nan() && want.is_nan() || f64::from(got) == want;
    assert!(near || same, "{name}({x}): got {got}, expected {want}");
}

#[test]
fn every_function_agrees_with_double_precision() {
    for row in all_rows() {
        let grid = (-400..=400)
            .map(|i| i as f32 * 0.021)
            .chain([0.0, 1.0, -1.0, 1e-6, 20.0, -20.0]);
        let points: Vec<f32> = grid.chain(row.points.iter().map(|&p| p as f32)).collect();
        let x = Tensor::from(points.clone());
        for (&x, got) in points.iter().zip((row.single)(&x).iter()) {
            assert_single(row.name, x, got, (row.value)(f64::from(x)));
        }
    }
}

#[test]
fn every_derivative_is_the_slope() {
    for row in all_rows() {
        let x = Tensor::from(row.points.to_vec());
        let slope = (row.chain)(&x, Tensor::full_of([x.len()], 2.0));
        let shared = Tensor::full_of([x.len()], 2.0);
        let again = (row.chain)(&x, shared.clone());
        assert_eq!(slope, again, "{}: in place and not in place", row.name);
        assert_eq!(
            shared.to_vec(),
            vec![2.0; x.len()],
            "{}: a shared gradient stays",
            row.name
        );
        for (&at, got) in row.points.iter().zip(slope.iter()) {
            let h = 1e-6;
            let want = 2.0 * ((row.value)(at + h) - (row.value)(at - h)) / (2.0 * h);
            assert!(
                (got - want).abs() < 1e-5 * want.abs().max(1.0),
                "{}'({at}): got {got}, expected {want}",
                row.name
            );
        }
    }
}

/// Values from tables, since agreement with itself in double precision would not see a wrong formula.
#[test]
fn well_known_values() {
    let x = Tensor::<f64>::from([-1.0, 0.0, 1.0]);
    let table: [(Tensor<f64>, [f64; 3]); 16] = [
        (x.exp(), [0.367_879_441, 1.0, 2.718_281_828]),
        (x.exp_m1(), [-0.632_120_559, 0.0, 1.718_281_828]),
        (x.tanh(), [-0.761_594_156, 0.0, 0.761_594_156]),
        (x.sigmoid(), [0.268_941_421, 0.5, 0.731_058_579]),
        (
            x.log_sigmoid(),
            [-1.313_261_688, -0.693_147_181, -0.313_261_688],
        ),
        (x.relu(), [0.0, 0.0, 1.0]),
        (x.leaky_relu(0.1), [-0.1, 0.0, 1.0]),
        (x.elu(2.0), [-1.264_241_118, 0.0, 1.0]),
        (x.silu(), [-0.268_941_421, 0.0, 0.731_058_579]),
        (x.gelu(), [-0.158_655_254, 0.0, 0.841_344_746]),
        (x.gelu_tanh(), [-0.158_808_009, 0.0, 0.841_191_991]),
        (x.softplus(), [0.313_261_688, 0.693_147_181, 1.313_261_688]),
        (x.erf(), [-0.842_700_793, 0.0, 0.842_700_793]),
        (x.sin(), [-0.841_470_985, 0.0, 0.841_470_985]),
        (x.add_scalar(2.0).ln(), [0.0, 0.693_147_181, 1.098_612_289]),
        (
            x.add_scalar(2.0).rsqrt(),
            [1.0, 0.707_106_781, 0.577_350_269],
        ),
    ];
    for (got, want) in table {
        for (got, want) in got.iter().zip(want) {
            assert_close(got, want, 1e-8);
        }
    }
    let y = Tensor::from([-2.5, -0.5, 0.5, 1.5, 2.5]);
    assert_eq!(y.round().to_vec(), [-2.0, -0.0, 0.0, 2.0, 2.0]);
    assert_eq!(y.floor().to_vec(), [-3.0, -1.0, 0.0, 1.0, 2.0]);
    assert_eq!(y.ceil().to_vec(), [-2.0, -0.0, 1.0, 2.0, 3.0]);
    assert_eq!(y.sign().to_vec(), [-1.0, -1.0, 1.0, 1.0, 1.0]);
    assert_eq!(y.clamp(-1.0, 1.0).to_vec(), [-1.0, -0.5, 0.5, 1.0, 1.0]);
    assert_eq!(y.powi(2).to_vec(), y.square().to_vec());
    assert_eq!((-&y).to_vec(), [2.5, 0.5, -0.5, -1.5, -2.5]);
}

#[test]
fn a_nan_is_never_lost() {
    let x = Tensor::from([f32::NAN; 3]);
    for row in all_rows() {
        let lost = (row.single)(&x).iter().any(|y| !y.is_nan());
        assert!(!lost, "{} loses a NaN", row.name);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn every_function_takes_every_view(shape in shapes(4), style in styles()) {
        let x = view(&shape, &style);
        for row in all_rows() {
            let y = (row.single)(&x);
            prop_assert_eq!(y.shape(), x.shape());
            for (x, got) in x.iter().zip(y.iter()) {
                assert_single(row.name, x, got, (row.value)(f64::from(x)));
            }
        }
    }
}

type Operator = (
    &'static str,
    fn(&Tensor<f32>, &Tensor<f32>) -> Tensor<f32>,
    fn(f32, f32) -> f32,
);

const OPERATORS: [Operator; 6] = [
    ("add", |a, b| a + b, |a, b| a + b),
    ("sub", |a, b| a - b, |a, b| a - b),
    ("mul", |a, b| a * b, |a, b| a * b),
    ("div", |a, b| a / b, |a, b| a / b),
    ("maximum", |a, b| a.maximum(b), f32::max),
    ("minimum", |a, b| a.minimum(b), f32::min),
];

type Comparison = (
    &'static str,
    fn(&Tensor<f32>, &Tensor<f32>) -> Tensor<bool>,
    fn(&f32, &f32) -> bool,
);

const COMPARISONS: [Comparison; 6] = [
    ("eq", |a, b| a.eq(b), f32::eq),
    ("ne", |a, b| a.ne(b), f32::ne),
    ("lt", |a, b| a.lt(b), f32::lt),
    ("le", |a, b| a.le(b), f32::le),
    ("gt", |a, b| a.gt(b), f32::gt),
    ("ge", |a, b| a.ge(b), f32::ge),
];

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn arithmetic_broadcasts_over_every_view(
        shape in shapes(4), drop in 0_usize..3, masks in any::<(u8, u8)>(), left in styles(), right in styles(), swap in any::<bool>(),
    ) {
        let (full, part) = (shrunk(&shape, 0, masks.0 & masks.1), shrunk(&shape, drop, masks.0 & !masks.1));
        let (a, b) = (view(&full, &left), view(&part, &right));
        let (a, b) = if swap { (b, a) } else { (a, b) };
        let wanted = a.shape().broadcast(b.shape(), "test").unwrap();
        for (name, apply, scalar) in OPERATORS {
            let got = apply(&a, &b);
            prop_assert_eq!(*got.shape(), wanted);
            prop_assert!(got.is_contiguous());
            for (index, got) in indices(&wanted).iter().zip(got.iter()) {
                let want = scalar(at_broadcast(&a, index), at_broadcast(&b, index));
                prop_assert!(got == want || got.is_nan() && want.is_nan(), "{} at {:?}: {} {}", name, index, got, want);
            }
        }
        for (name, apply, scalar) in COMPARISONS {
            for (index, got) in indices(&wanted).iter().zip(apply(&a, &b).iter()) {
                prop_assert_eq!(got, scalar(&at_broadcast(&a, index), &at_broadcast(&b, index)), "{}", name);
            }
        }
    }

    #[test]
    fn owned_operands_give_the_same_as_borrowed_ones(shape in shapes(4), drop in 0_usize..3, mask in any::<u8>(), left in styles(), right in styles()) {
        let (a, b) = (view(&shape, &left), view(&shrunk(&shape, drop, mask), &right));
        for (a, b) in [(a.clone(), b.clone()), (a.contiguous(), b.contiguous()), (b, a)] {
            // A computed tensor has no other owner, so that it may be written over.
            let own = |t: &Tensor| t.contiguous() * 1.0;
            let (sum, difference) = (&a + &b, &a - &b);
            prop_assert_eq!(&(own(&a) + &b), &sum);
            prop_assert_eq!(&(own(&a) + own(&b)), &sum);
            prop_assert_eq!(&(&a + own(&b)), &sum);
            prop_assert_eq!(&(own(&a) - &b), &difference);
            prop_assert_eq!(&(&a - own(&b)), &difference);
            let shared = a.contiguous();
            let keep = shared.clone();
            prop_assert_eq!(&(shared + &b), &sum);
            prop_assert_eq!(&keep, &a);
            if sum.shape() == a.shape() {
                let mut target = own(&a);
                target.add_assign(&b);
                prop_assert_eq!(&target, &sum);
                let mut view = a.clone();
                view.add_assign(&b);
                prop_assert_eq!(&view, &sum);
            }
        }
    }

    #[test]
    fn selection_broadcasts(shape in shapes(3), drops in (0_usize..3, 0_usize..3), masks in any::<(u8, u8)>(), s in (styles(), styles(), styles())) {
        let condition = view_with(&shrunk(&shape, drops.0, masks.0), &s.0, |x| x > 0.0);
        let (a, b) = (view(&shape, &s.1), view(&shrunk(&shape, drops.1, masks.1), &s.2));
        let got = Tensor::where_(&condition, &a, &b);
        prop_assert_eq!(got.dims(), &shape[..]);
        for (index, got) in indices(&shape).iter().zip(got.iter()) {
            let from = if at_broadcast(&condition, index) { &a } else { &b };
            prop_assert_eq!(got, at_broadcast(from, index));
        }
    }
}

#[test]
fn masks_are_combined_and_counted() {
    let a = Tensor::from([true, true, false, false]);
    let b = Tensor::from([true, false, true, false]);
    assert_eq!(a.and(&b).to_vec(), [true, false, false, false]);
    assert_eq!(a.or(&b).to_vec(), [true, true, true, false]);
    assert_eq!(a.not().to_vec(), [false, false, true, true]);
    assert!(a.any() && !a.all() && a.count() == 2);
    let none = Tensor::<bool>::zeros_of([0]);
    assert!(none.all() && !none.any());
}

#[test]
fn numbers_and_tensors_mix() {
    let a = Tensor::from([1.0, 2.0]);
    assert_eq!((&a + 1.0).to_vec(), [2.0, 3.0]);
    assert_eq!((&a - 1.0).to_vec(), [0.0, 1.0]);
    assert_eq!((&a * 3.0).to_vec(), [3.0, 6.0]);
    assert_eq!((&a / 2.0).to_vec(), [0.5, 1.0]);
    assert_eq!((a.clone() / 2.0).to_vec(), [0.5, 1.0]);
    assert_eq!(((a.clone() + 1.0) / 4.0).to_vec(), [0.5, 0.75]);
    assert_eq!(a.pow(&Tensor::from([3.0])).to_vec(), [1.0, 8.0]);
    assert_eq!(a.to_vec(), [1.0, 2.0]);
}

#[test]
fn extrema_of_pairs_keep_nan() {
    let (a, b) = (Tensor::from([f32::NAN, 1.0]), Tensor::from([1.0, f32::NAN]));
    assert!(
        a.maximum(&b)
            .iter()
            .chain(a.minimum(&b).iter())
            .all(f32::is_nan)
    );
    assert!(!a.eq(&a.clone()).at(&[0]) && a.ne(&a.clone()).at(&[0]));
}

#[test]
fn long_tensors_are_split_without_a_trace() {
    let n = 300_000;
    let a = Tensor::from_fn([n], |i| crate::support::number(i[0], 1) as f32);
    let b = Tensor::from_fn([n], |i| crate::support::number(i[0], 2) as f32);
    let wide = a.reshape([n / 10, 10]);
    let bias = b.slice(0, 0..10);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            vec![
                &a + &b,
                a.tanh(),
                a.tanh() * &b,
                (&wide + &bias).flatten(),
                (wide.exp() + &bias).flatten(),
            ]
        })
    };
    let alone = run(1);
    assert_eq!(alone, run(3));
    assert_eq!(alone[0].at(&[n - 1]), a.at(&[n - 1]) + b.at(&[n - 1]));
    assert_eq!(alone[3].at(&[n - 1]), a.at(&[n - 1]) + b.at(&[9]));
}

/// The edges of functions that are made of several others.
fn composed_edges<F: fb_tensor::Float>() {
    let f = F::from_f64;
    let at = |x: f64, op: fn(&Tensor<F>) -> Tensor<F>| op(&Tensor::from_scalar(f(x))).item();
    assert_eq!(at(1e4, Tensor::softplus), f(1e4));
    assert_eq!(at(-1e4, Tensor::softplus), F::ZERO);
    assert_eq!(at(f64::INFINITY, Tensor::softplus), F::INFINITY);
    assert_eq!(at(-1e4, Tensor::log_sigmoid), f(-1e4));
    assert_eq!(at(1e4, Tensor::log_sigmoid), F::ZERO);
    assert_eq!(at(f64::NEG_INFINITY, Tensor::log_sigmoid), -F::INFINITY);
    assert_eq!(at(-1e4, Tensor::gelu), F::ZERO);
    assert_eq!(at(1e4, Tensor::gelu_tanh), f(1e4));
    assert_eq!(at(-1e4, Tensor::silu), F::ZERO);
    assert_eq!(at(f64::NEG_INFINITY, Tensor::relu), F::ZERO);
    assert_eq!(at(f64::NEG_INFINITY, |x| x.elu(1.5)), f(-1.5));
    assert_eq!(at(f64::INFINITY, |x| x.clamp(-1.0, 1.0)), F::ONE);
    assert_eq!(at(0.0, Tensor::rsqrt), F::INFINITY);
    assert_eq!(at(0.0, |x| x.powi(0)), F::ONE);
    assert!(at(-0.0, Tensor::relu) == F::ZERO && at(0.0, Tensor::sign) == F::ZERO);
}

#[test]
fn composed_functions_keep_their_limits() {
    composed_edges::<f32>();
    composed_edges::<f64>();
}
