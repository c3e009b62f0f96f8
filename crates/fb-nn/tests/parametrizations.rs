//! Weights that are made of others: their bounds, their gradients, and how they stand in a network.

use fb_autograd::gradcheck::GradCheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Conv2d, Dense};
use fb_nn::param::Role;
use fb_nn::parametrization::{
    DiagonalDecay, InfinityNormBall, Monotone, Orthogonal, Parametrization, SpectralNorm,
    WeightNorm,
};
use fb_nn::{Context, Mode, Network, Params, Registry, Sequential};
use fb_tensor::random::Key;
use fb_tensor::{ConvOptions, Float, Padding, Shape, Tensor};
use proptest::prelude::*;

fn normal<F: Float>(shape: impl Into<Shape>, std: f64, seed: u64) -> Tensor<F> {
    Tensor::normal(shape, 0.0, std, &mut Key::new(seed).rng())
}

/// Parameters of one weight `layer/weight`.
fn one<F: Float>(weight: Tensor<F>) -> Params<F> {
    let mut params = Params::new();
    params.insert("layer/weight", weight, Role::Weight).unwrap();
    params
}

fn parametrized<F: Float>(weight: Tensor<F>, kind: impl Parametrization) -> Params<F> {
    let mut params = one(weight);
    params.parametrize("layer/weight", kind).unwrap();
    params
}

fn made<F: Float>(params: &Params<F>) -> Tensor<f64> {
    params.weight("layer/weight").unwrap().to_f64()
}

/// The largest singular value, from powers of the Gram matrix: not the way that the library goes.
fn gain(matrix: &Tensor<f64>) -> f64 {
    let mut power = matrix.transpose().matmul(matrix);
    let mut log = 0.0;
    for k in 0..40 {
        let size = power.norm();
        if size == 0.0 {
            return 0.0;
        }
        log += size.ln() / 2.0_f64.powi(k);
        power = power * (1.0 / size);
        power = power.matmul(&power);
    }
    (log / 2.0).exp()
}

/// A convolution as a matrix, a row for each element of a map.
fn dense_operator(kernel: &Tensor<f64>, map: [usize; 2], options: &ConvOptions<2>) -> Tensor<f64> {
    let channels = kernel.dim(2) * options.groups;
    let elements = map[0] * map[1] * channels;
    let units = Tensor::<f64>::eye_of(elements).reshape([elements, map[0], map[1], channels]);
    let images = units.conv2d(kernel, None, options);
    let outputs = images.len() / elements;
    images.reshape([elements, outputs])
}

#[test]
fn weights_of_every_kind_have_their_gradients() {
    fn check(kind: impl Parametrization, weight: Tensor<f64>, mode: Mode) {
        let params = parametrized(weight, kind.clone());
        let trained: Vec<_> = params.iter().filter(|(_, p)| p.trainable()).collect();
        // Away from the start, where some are symmetric or 0.
        let values: Vec<Tensor<f64>> = trained
            .iter()
            .zip(1..)
            .map(|((_, p), seed)| &p.value + &normal(*p.value.shape(), 0.2, seed))
            .collect();
        let weight = |vars: &[Var<f64>]| {
            let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
            let mut cx = Context::new(&params, tape, mode);
            for ((id, _), var) in trained.iter().zip(vars) {
                cx.bind(*id, var.clone());
            }
            cx.param(params.id("layer/weight").unwrap())
        };
        GradCheck::new()
            .check(weight, &values)
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    for mode in [Mode::Train, Mode::Eval] {
        check(WeightNorm, normal([4, 3], 1.0, 1), mode);
        check(WeightNorm, normal([2, 2, 3, 4], 1.0, 2), mode);
        check(
            InfinityNormBall { kappa: 0.8 },
            normal([6, 5], 1.0, 3),
            mode,
        );
        check(
            InfinityNormBall { kappa: 2.0 },
            normal([2, 3, 2, 3], 0.3, 4),
            mode,
        );
        check(Monotone { margin: 0.3 }, normal([5, 5], 1.0, 5), mode);
        let between = Tensor::uniform([7], 0.05, 0.95, &mut Key::new(6).rng());
        check(DiagonalDecay, between, mode);
        check(Orthogonal, normal([5, 5], 1.0, 7), mode);
    }
    // In training its vectors are held fixed, which differences cannot do.
    let bound = SpectralNorm::at_most(0.7);
    check(bound.clone(), normal([6, 4], 1.0, 8), Mode::Eval);
    check(
        SpectralNorm::exactly(1.5),
        normal([4, 6], 1.0, 9),
        Mode::Eval,
    );
    check(
        bound.clone().over([4, 5]),
        normal([3, 3, 2, 3], 1.0, 10),
        Mode::Eval,
    );
    check(bound.over([6]), normal([3, 2, 3], 1.0, 11), Mode::Eval);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn spectral_bounds_hold(inputs in 1..20_usize, outputs in 1..20_usize, seed in 0..1000_u64, bound in 0.1..3.0_f64) {
        let weight: Tensor<f64> = normal([inputs, outputs], 0.4, seed);
        let before = gain(&weight);
        let found = made(&parametrized(weight.clone(), SpectralNorm::at_most(bound)));
        prop_assert!(gain(&found) <= bound * (1.0 + 1e-10));
        if before <= bound {
            prop_assert_eq!(&found, &weight);
        } else {
            prop_assert!((gain(&found) / bound - 1.0).abs() < 1e-9);
        }
        let exact = made(&parametrized(weight.clone(), SpectralNorm::exactly(bound)));
        prop_assert!((gain(&exact) / bound - 1.0).abs() < 1e-9);
        let single = made(&parametrized(weight.to_f32(), SpectralNorm::exactly(bound)));
        prop_assert!((gain(&single) / bound - 1.0).abs() < 3e-5, "{}", gain(&single) / bound);
    }

    #[test]
    fn sums_of_sizes_stay_in_the_ball(inputs in 1..20_usize, units in 1..8_usize, seed in 0..1000_u64, kappa in 0.1..5.0_f64) {
        let weight: Tensor<f64> = normal([inputs, units], 1.0, seed);
        let found = made(&parametrized(weight.clone(), InfinityNormBall { kappa }));
        let sums = |w: &Tensor<f64>| w.abs().sum_axes(&[0], false);
        for unit in 0..units {
            let (before, after) = (sums(&weight).at(&[unit]), sums(&found).at(&[unit]));
            if before <= kappa {
                prop_assert_eq!(before, after);
                continue;
            }
            prop_assert!((after / kappa - 1.0).abs() < 1e-12);
            // The nearest point: all that is left has moved by the same amount, all that is gone by no more.
            let moves: Vec<(f64, f64)> = (0..inputs)
                .map(|i| (weight.at(&[i, unit]), found.at(&[i, unit])))
                .map(|(w, y)| ((w - y) * w.signum(), y))
                .collect();
            let most = moves.iter().map(|(by, _)| *by).fold(0.0, f64::max);
            for (by, y) in moves {
                prop_assert!(y == 0.0 && by <= most + 1e-12 || (by - most).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn symmetric_parts_stay_below_the_margin(n in 1..12_usize, seed in 0..1000_u64, margin in 0.05..2.0_f64) {
        let weight: Tensor<f64> = normal([n, n], 1.0, seed);
        let mut params = parametrized(weight.clone(), Monotone { margin });
        let room = |w: &Tensor<f64>| {
            // 1 − m − (W + Wᵀ)/2 has no eigenvalue below 0: its largest after turning it round is at most the shift.
            let symmetric = (w + &w.transpose()) * 0.5;
            let shift = 2.0 * symmetric.norm() + 1.0;
            gain(&(symmetric + Tensor::eye_of(n) * shift)) - shift
        };
        let start = made(&params);
        prop_assert!(room(&start) <= 1.0 - margin + 1e-8);
        // What was lost is a multiple of the identity, and none if there was room.
        let lost = &weight - &start;
        let diagonal = lost.at(&[0, 0]);
        prop_assert!((&lost - &(Tensor::eye_of(n) * diagonal)).abs().max() < 1e-7);
        if room(&weight) <= 1.0 - margin - 1e-6 {
            prop_assert!(diagonal.abs() < 1e-7);
        }
        for name in ["layer/weight", "layer/weight.skew"] {
            let id = params.id(name).unwrap();
            params.get_mut(id).value = normal([n, n], 2.0, seed + 1);
        }
        prop_assert!(room(&made(&params)) <= 1.0 - margin + 1e-8);
    }

    #[test]
    fn decays_start_where_they_were_and_stay_between(seed in 0..1000_u64) {
        let start: Tensor<f64> = Tensor::uniform([9], 0.01, 0.999, &mut Key::new(seed).rng());
        let mut params = parametrized(start.clone(), DiagonalDecay);
        prop_assert!((made(&params) - start).abs().max() < 1e-12);
        for name in ["layer/weight", "layer/weight.step"] {
            let id = params.id(name).unwrap();
            params.get_mut(id).value = normal([9], 1.0, seed);
        }
        prop_assert!(made(&params).iter().all(|a| 0.0 < a && a < 1.0));
    }

    #[test]
    fn lengths_are_kept(n in 1..10_usize, seed in 0..1000_u64, size in 0.0..20.0_f64) {
        let mut params = parametrized(normal::<f64>([n, n], 1.0, seed), Orthogonal);
        params.get_mut(params.id("layer/weight").unwrap()).value = normal([n, n], size, seed + 1);
        let w = made(&params);
        let off = w.transpose().matmul(&w) - Tensor::eye_of(n);
        prop_assert!(off.abs().max() < 1e-11, "{}", off.abs().max());
    }
}

#[test]
fn convolutions_are_bounded_as_operators_on_maps() {
    let map = [5, 4];
    for (kernel, groups) in [
        ([3, 3, 2, 4], 1),
        ([2, 3, 2, 4], 2),
        ([1, 1, 3, 2], 1),
        ([3, 3, 1, 3], 3),
    ] {
        let kind = SpectralNorm::exactly(0.9).over(map).groups(groups);
        let found = made(&parametrized(normal::<f64>(kernel, 1.0, 3), kind));
        let of = |map, options: ConvOptions<2>| {
            gain(&dense_operator(&found, map, &options.groups(groups)))
        };
        let all = Padding::both([kernel[0] - 1, kernel[1] - 1]);
        let whole = of(map, ConvOptions::new().padding(all));
        assert!((whole / 0.9 - 1.0).abs() < 1e-9, "{kernel:?}: {whole}");
        // An upper bound for what layers really do.
        let same = ConvOptions::new().padding(Padding::Same);
        for (map, options) in [
            (map, same),
            (map, same.stride([2, 2])),
            (map, same.dilation([2, 2])),
            (map, ConvOptions::new()),
            ([4, 3], same),
        ] {
            let real = of(map, options);
            assert!(real <= 0.9 * (1.0 + 1e-9), "{kernel:?} {options:?}: {real}");
        }
        let real = of(map, same);
        assert!(
            real > 0.75 * 0.9,
            "tight but for the edges: {kernel:?}: {real}"
        );
    }
    // Reshaped to a matrix, a kernel of ones has a gain of 3, but of nearly 9 on maps.
    let ones = Tensor::<f64>::full_of([3, 3, 1, 1], 1.0);
    let found = made(&parametrized(
        ones,
        SpectralNorm::at_most(1.0).over([20, 20]),
    ));
    let sum = found.sum();
    assert!(1.0 < sum && sum < 1.03, "{sum}");
    let ones = Tensor::<f64>::full_of([3, 1, 1], 1.0);
    let sum = made(&parametrized(ones, SpectralNorm::at_most(1.0).over([40]))).sum();
    assert!(1.0 < sum && sum < 1.01, "{sum}");
}

#[test]
fn power_iteration_settles_over_training_steps() {
    let weight: Tensor<f64> = normal([30, 20], 1.0, 4);
    let mut params = parametrized(weight, SpectralNorm::at_most(0.9));
    let id = params.id("layer/weight").unwrap();
    // The weight moves a little, then rests; the buffer follows.
    params.get_mut(id).value = &params.get(id).value + &normal([30, 20], 0.3, 5);
    let mut gains = Vec::new();
    for _ in 0..150 {
        let mut cx = Context::new(&params, Tape::no_grad(), Mode::Train);
        gains.push(gain(cx.param(id).tensor()));
        for (id, value) in cx.take_buffer_updates() {
            params.get_mut(id).value = value;
        }
    }
    assert!(gains[0] > 0.9 && gains[0] < 1.1, "{}", gains[0]);
    assert!((gains[149] / 0.9 - 1.0).abs() < 1e-4, "{}", gains[149]);
    params.freeze("layer/weight").unwrap();
    let mut cx = Context::new(&params, Tape::new(), Mode::Train);
    assert!(!cx.param(id).requires_grad());
    assert!(cx.take_buffer_updates().is_empty(), "a frozen buffer stays");
}

#[test]
fn weights_of_nothing_and_of_nan_are_handed_on() {
    for mode in [Mode::Train, Mode::Eval] {
        for kind in [SpectralNorm::at_most(0.5), SpectralNorm::exactly(0.5)] {
            let mut params = parametrized(normal::<f32>([3, 4], 1.0, 1), kind);
            let id = params.id("layer/weight").unwrap();
            for value in [0.0, f32::NAN] {
                params.get_mut(id).value = Tensor::full_of([3, 4], value);
                let mut cx = Context::new(&params, Tape::new(), mode);
                let seen = cx.param(id).tensor().to_vec();
                assert!(seen.iter().all(|x| x.to_bits() == value.to_bits()));
                let buffer = cx.buffer(params.id("layer/weight.singular").unwrap());
                assert!((buffer.norm() - 1.0).abs() < 1e-6);
            }
        }
    }
    let mut params = parametrized(
        normal::<f64>([3, 3], 1.0, 1),
        InfinityNormBall { kappa: 0.1 },
    );
    params.get_mut(params.id("layer/weight").unwrap()).value = Tensor::full_of([3, 3], f64::NAN);
    assert!(made(&params).iter().all(f64::is_nan));
}

fn looped() -> Network<f64> {
    Sequential::input([3])
        .layer("hidden", Dense::new(5).activation(Activation::Tanh))
        .layer("output", Dense::new(2))
        .feedback("hidden", "hidden")
        .schedule(Unroll::iterations(4))
        .seed(3)
        .build_as()
        .unwrap()
}

const LOOP: &str = "feedback/hidden->hidden/weight";

#[test]
fn layers_see_the_weight_and_optimizers_what_is_stored() {
    let mut network = looped();
    let spare = network.params().len();
    network
        .params_mut()
        .parametrize(LOOP, SpectralNorm::exactly(0.8))
        .unwrap();
    network
        .params_mut()
        .parametrize("*/weight", WeightNorm)
        .unwrap_err();
    network
        .params_mut()
        .parametrize("output/weight", WeightNorm)
        .unwrap();
    let params = network.params();
    assert_eq!(params.len(), spare + 2);
    let id = params.id(LOOP).unwrap();
    let x = Var::constant(normal([2, 3], 1.0, 1));

    let tape = Tape::new();
    let mut cx = Context::new(params, tape.clone(), Mode::Eval);
    let y = network.forward(&mut cx, x.clone()).unwrap();
    let y = y.as_float().unwrap();
    let (_, leaf) = cx.leaves().find(|(at, _)| *at == id).unwrap();
    assert_eq!(
        *leaf.tensor(),
        params.get(id).value,
        "the leaf is what is stored"
    );
    let seen = cx.param(id).tensor().clone();
    assert!((gain(&seen) - 0.8).abs() < 1e-9);
    let mut plain = looped();
    let values = plain.params().state_dict().into_keys();
    let values = values
        .map(|name| (name.clone(), params.weight(&name).unwrap()))
        .collect();
    plain.params_mut().load_state_dict(&values).unwrap();
    let mut by_hand = Context::eval(plain.params());
    let want = plain.forward(&mut by_hand, x.clone()).unwrap();
    assert_eq!(y.tensor(), want.as_float().unwrap().tensor());

    // The whole network, parametrised weights included, against differences.
    let trained: Vec<_> = params.iter().filter(|(_, p)| p.trainable()).collect();
    let values: Vec<_> = trained.iter().map(|(_, p)| p.value.clone()).collect();
    let forward = |vars: &[Var<f64>]| {
        let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
        let mut cx = Context::new(params, tape, Mode::Eval);
        for ((id, _), var) in trained.iter().zip(vars) {
            cx.bind(*id, var.clone());
        }
        let run = network
            .run(&mut cx, x.clone(), &RunOptions::default())
            .unwrap();
        run.last().as_float().unwrap().clone()
    };
    GradCheck::new().check(forward, &values).unwrap();
}

#[test]
fn one_pass_has_one_weight() {
    let mut network = looped();
    let params = network.params_mut();
    params
        .parametrize(LOOP, SpectralNorm::exactly(0.8))
        .unwrap();
    params.parametrize("output/weight", WeightNorm).unwrap();
    let params = network.params();
    let id = params.id(LOOP).unwrap();
    let singular = params.id(&format!("{LOOP}.singular")).unwrap();
    for detached_first in [false, true] {
        let tape = Tape::new();
        let mut cx = Context::new(params, tape.clone(), Mode::Train);
        let constant = |cx: &mut Context<'_, f64>| {
            cx.without_gradients(|cx| {
                let constant = cx.param(id);
                assert!(!constant.requires_grad() && cx.is_detached());
                constant.into_tensor()
            })
        };
        let before = detached_first.then(|| constant(&mut cx));
        let weight = cx.param(id);
        let steps = tape.len();
        assert!(weight.requires_grad());
        for again in before
            .into_iter()
            .chain([constant(&mut cx), cx.param(id).into_tensor()])
        {
            assert_eq!(again, *weight.tensor());
        }
        assert_eq!(tape.len(), steps, "made once");
        let (_, leaf) = cx.leaves().find(|(at, _)| *at == id).unwrap();
        let gradient = weight.sum().backward();
        assert!(gradient.get(leaf).is_some());
        let updated: Vec<_> = cx
            .take_buffer_updates()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        assert_eq!(updated, [singular]);
    }

    // A value bound for what is stored, for a part, or for the weight itself is seen from then on, detached or not.
    let mut cx = Context::new(params, Tape::new(), Mode::Eval);
    let both = |cx: &mut Context<'_, f64>, id| {
        let weight = cx.param(id).into_tensor();
        assert_eq!(
            cx.without_gradients(|cx| cx.param(id)).into_tensor(),
            weight
        );
        weight
    };
    let first = both(&mut cx, id);
    cx.bind(id, Var::constant(normal([5, 5], 1.0, 9)));
    let second = both(&mut cx, id);
    assert!((&first - &second).norm() > 0.1 && (gain(&second) - 0.8).abs() < 1e-9);
    cx.bind_weight(id, Var::constant(Tensor::zeros_of([5, 5])));
    assert_eq!(both(&mut cx, id), Tensor::zeros_of([5, 5]));
    let output = params.id("output/weight").unwrap();
    let before = both(&mut cx, output);
    let magnitude = params.id("output/weight.magnitude").unwrap();
    cx.bind(magnitude, Var::constant(&params.get(magnitude).value * 2.0));
    assert_eq!(both(&mut cx, output), before * 2.0);
}

#[test]
fn passes_that_are_gone_through_again_have_the_same_weights() {
    use fb_nn::feedback::gradient::{Bptt, Checkpointed, GradientStrategy};
    use std::sync::Arc;
    let mut network = looped();
    let params = network.params_mut();
    params
        .parametrize(LOOP, SpectralNorm::exactly(0.8))
        .unwrap();
    params.parametrize("hidden/weight", WeightNorm).unwrap();
    let x = Var::constant(normal([2, 3], 1.0, 1));
    let run = |strategy: Arc<dyn GradientStrategy<f64>>| {
        let mut cx = Context::new(network.params(), Tape::new(), Mode::Train);
        let options = RunOptions {
            gradient: Some(strategy),
            ..RunOptions::default()
        };
        let run = network.run(&mut cx, x.clone(), &options).unwrap();
        let found = run.last().as_float().unwrap().square().sum().backward();
        let gradients: Vec<_> = cx
            .leaves()
            .map(|(id, leaf)| (id, found.get(leaf).unwrap().clone()))
            .collect();
        (gradients, cx.take_buffer_updates())
    };
    let (whole, updates) = run(Arc::new(Bptt));
    let (again, once) = run(Arc::new(Checkpointed::every(2)));
    assert_eq!(updates, once);
    assert_eq!(whole.len(), again.len());
    for ((id, a), (other, b)) in whole.iter().zip(&again) {
        let name = network.params().get(*id).name();
        assert_eq!(id, other);
        assert!((a - b).abs().max() < 1e-12 && a.norm() > 1e-3, "{name}");
    }
}

#[test]
fn evaluation_and_training_do_not_depend_on_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let network = || {
                let mut network: Network = Sequential::input([16, 16, 3])
                    .layer("conv", Conv2d::new(8, [3, 3]).same())
                    .layer("hidden", Conv2d::new(8, [1, 1]))
                    .build()
                    .unwrap();
                let params = network.params_mut();
                let over = SpectralNorm::exactly(1.0).over([16, 16]);
                params.parametrize("conv/weight", over).unwrap();
                params
                    .parametrize("hidden/weight", InfinityNormBall { kappa: 0.5 })
                    .unwrap();
                network
            };
            let mut found = Vec::new();
            for mode in [Mode::Train, Mode::Eval] {
                let network = network();
                let tape = Tape::new();
                let mut cx = Context::new(network.params(), tape, mode);
                let y = network
                    .forward(&mut cx, Var::constant(normal([4, 16, 16, 3], 1.0, 1)))
                    .unwrap();
                let gradients = y.as_float().unwrap().square().sum().backward();
                found.extend(
                    cx.leaves()
                        .map(|(_, leaf)| gradients.get(leaf).unwrap().to_vec()),
                );
                found.extend(
                    cx.take_buffer_updates()
                        .into_iter()
                        .map(|(_, value)| value.to_vec()),
                );
            }
            found
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn parametrisations_come_back_from_json() {
    let mut network = looped();
    let params = network.params_mut();
    params.parametrize(LOOP, Monotone { margin: 0.2 }).unwrap();
    params
        .parametrize("hidden/weight", SpectralNorm::at_most(0.3).iterations(2))
        .unwrap();
    params
        .parametrize("output/weight", InfinityNormBall { kappa: 0.5 })
        .unwrap();
    params.parametrize("output/bias", WeightNorm).unwrap_err();
    let json = params.parametrizations_to_json().unwrap();
    let mut again = looped();
    let registry = Registry::builtin();
    registry
        .parametrize(again.params_mut(), json.clone(), 1000)
        .unwrap();
    assert_eq!(again.params().parametrizations_to_json().unwrap(), json);
    let kinds: Vec<_> = again
        .params()
        .parametrizations()
        .map(|(name, kind)| (name, kind.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            (LOOP, "Monotone"),
            ("hidden/weight", "SpectralNorm"),
            ("output/weight", "InfinityNormBall")
        ]
    );
    again
        .params_mut()
        .load_state_dict(&network.params().state_dict())
        .unwrap();
    for (_, param) in network.params().iter() {
        assert_eq!(
            again.params().weight(param.name()),
            network.params().weight(param.name())
        );
    }

    let error = |json, numbers| {
        let mut fresh = looped();
        let before = fresh.params().state_dict();
        let error = registry
            .parametrize(fresh.params_mut(), json, numbers)
            .unwrap_err();
        assert_eq!(fresh.params().state_dict(), before);
        error.to_string()
    };
    let small = error(json, 5);
    assert_eq!(
        small,
        "Monotone of \"feedback/hidden->hidden/weight\": expected to need at most 5 numbers, found 25\n  \
         help: check each size for a slip"
    );
    let listed = |parameter: &str, kind: &str| serde_json::json!([{ "parameter": parameter, "kind": kind, "config": null }]);
    assert_eq!(
        error(listed("hidden", "WeightNorm"), 100),
        "a WeightNorm parametrisation names parameter \"hidden\", but there is none\n  \
         help: it belongs to another network"
    );
    assert!(
        error(listed(LOOP, "Shrink"), 100)
            .contains("is of kind \"Shrink\", which is not registered")
    );
    assert!(
        error(serde_json::json!({}), 100)
            .starts_with("the list of parametrisations cannot be read")
    );
}

#[test]
fn what_cannot_be_is_told_with_the_parameter() {
    fn error(weight: Tensor<f64>, kind: impl Parametrization) -> String {
        let mut params = one(weight);
        // By bits, so that NaN equals itself.
        let bits = |params: &Params<f64>| -> Vec<(String, Vec<u64>)> {
            let values = params.state_dict().into_iter();
            values
                .map(|(name, value)| (name, value.iter().map(f64::to_bits).collect()))
                .collect()
        };
        let before = bits(&params);
        let error = params.parametrize("layer/*", kind).unwrap_err().to_string();
        assert_eq!(bits(&params), before, "nothing changed");
        let place = " of \"layer/weight\": expected ";
        let (kind, rest) = error.split_once(place).unwrap_or_else(|| panic!("{error}"));
        format!("{kind}: {}", rest.lines().next().unwrap())
    }
    let square = || normal::<f64>([3, 3], 1.0, 1);
    let kernel = || normal::<f64>([3, 3, 2, 4], 1.0, 1);
    let zeros = |shape: [usize; 2]| Tensor::<f64>::zeros_of(shape);
    for (found, want) in [
        (
            error(square(), SpectralNorm::at_most(0.0)),
            "SpectralNorm: a finite bound above 0, found 0",
        ),
        (
            error(square(), SpectralNorm::at_most(f64::NAN)),
            "SpectralNorm: a finite bound above 0, found NaN",
        ),
        (
            error(square(), SpectralNorm::at_most(1.0).iterations(0)),
            "SpectralNorm: at least 1 iteration, found 0",
        ),
        (
            error(normal([3], 1.0, 1), SpectralNorm::at_most(1.0)),
            "SpectralNorm: a matrix [in, out] or a kernel [..., in, out] over one or two axes, found [3]",
        ),
        (
            error(kernel(), SpectralNorm::at_most(1.0)),
            "SpectralNorm: the size of maps over 2 axes for a kernel [3, 3, 2, 4], found []",
        ),
        (
            error(square(), SpectralNorm::at_most(1.0).over([4])),
            "SpectralNorm: no size of maps for a matrix, found [4]",
        ),
        (
            error(kernel(), SpectralNorm::at_most(1.0).over([4, 0])),
            "SpectralNorm: maps with elements, found [4, 0]",
        ),
        (
            error(kernel(), SpectralNorm::at_most(1.0).over([4, 4]).groups(3)),
            "SpectralNorm: groups that divide the 4 filters of a kernel, found 3",
        ),
        (
            error(kernel(), SpectralNorm::at_most(1.0).over([usize::MAX, 4])),
            "SpectralNorm: to need at most 8589934592 numbers, found 18446744073709551615",
        ),
        (
            error(zeros([2, 2]), SpectralNorm::exactly(1.0)),
            "SpectralNorm: a weight that can be scaled, found zeros",
        ),
        (
            error(zeros([2, 0]), SpectralNorm::at_most(1.0)),
            "SpectralNorm: a parameter with elements, found none",
        ),
        (
            error(square() * f64::NAN, WeightNorm),
            "WeightNorm: finite numbers, found NaN or an infinity",
        ),
        (
            error(zeros([2, 2]), WeightNorm),
            "WeightNorm: weights with a direction, found zeros only for unit 0",
        ),
        (
            error(normal([3], 1.0, 1), WeightNorm),
            "WeightNorm: a matrix [in, out] or a kernel [..., in, out], found [3]",
        ),
        (
            error(square(), InfinityNormBall { kappa: -1.0 }),
            "InfinityNormBall: a finite kappa above 0, found -1",
        ),
        (
            error(normal([3], 1.0, 1), InfinityNormBall { kappa: 1.0 }),
            "InfinityNormBall: a matrix [in, out] or a kernel [..., in, out], found [3]",
        ),
        (
            error(square(), Monotone { margin: 0.0 }),
            "Monotone: a finite margin above 0, found 0",
        ),
        (
            error(normal([3, 4], 1.0, 1), Monotone { margin: 0.1 }),
            "Monotone: a square matrix, found [3, 4]",
        ),
        (
            error(kernel(), Monotone { margin: 0.1 }),
            "Monotone: a square matrix, found [3, 3, 2, 4]",
        ),
        (
            error(Tensor::from([0.5, 1.0]), DiagonalDecay),
            "DiagonalDecay: numbers between 0 and 1 to start from, found 1",
        ),
        (
            error(normal([3, 4], 1.0, 1), Orthogonal),
            "Orthogonal: a square matrix, found [3, 4]",
        ),
        (
            error(Tensor::full_of([2, 2], 1.0), Orthogonal),
            "Orthogonal: columns that do not depend on each other, found some that do",
        ),
    ] {
        assert_eq!(found, want);
    }
    let mut params = parametrized(square(), SpectralNorm::at_most(1.0));
    let again = params
        .parametrize("layer/weight", WeightNorm)
        .unwrap_err()
        .to_string();
    assert!(again.starts_with(
        "WeightNorm of \"layer/weight\": expected a parameter without one, found a parametrised one"
    ));
    let mut buffers = Params::<f64>::new();
    buffers
        .insert("norm/running_mean", zeros([2, 2]), Role::Buffer)
        .unwrap();
    let buffer = buffers
        .parametrize("norm", WeightNorm)
        .unwrap_err()
        .to_string();
    assert!(
        buffer.contains("expected a parameter that is trained, found a buffer"),
        "{buffer}"
    );
    assert!(buffers.parametrize("nothing", WeightNorm).is_err());
}
