//! Optimizers over parameters: state, freezing, checkpoints, clipping, penalties, what they refuse.

use fb_nn::Optimizer;
use fb_nn::optim::{Adam, AdamW, Clip, OptimizerState, Penalty, RmsProp, Sgd, apply};
use fb_nn::param::{ParamId, Params, Role};
use fb_tensor::{Tensor, pool};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn optimizers() -> Vec<Box<dyn Optimizer<f64>>> {
    vec![
        Box::new(Sgd::new(0.1)),
        Box::new(Sgd::new(0.1).momentum(0.9)),
        Box::new(
            Sgd::new(0.1)
                .momentum(0.9)
                .nesterov(true)
                .weight_decay(0.01),
        ),
        Box::new(Adam::new(0.1)),
        Box::new(AdamW::new(0.1)),
        Box::new(RmsProp::new(0.01)),
        Box::new(RmsProp::new(0.01).momentum(0.9).centered(true)),
    ]
}

/// Two layers with a weight and a bias each.
fn network() -> Params<f64> {
    let mut params = Params::new();
    for (name, start) in [("hidden1", 1.0), ("hidden2", -1.0)] {
        params
            .insert(
                format!("{name}/weight"),
                Tensor::full_of([2, 2], start),
                Role::Weight,
            )
            .unwrap();
        params
            .insert(
                format!("{name}/bias"),
                Tensor::full_of([2], start),
                Role::Bias,
            )
            .unwrap();
    }
    params
}

/// A gradient for each parameter, different at each step.
fn gradients(params: &Params<f64>, step: usize) -> Vec<(ParamId, Tensor<f64>)> {
    params
        .iter()
        .map(|(id, param)| {
            let phase = (step * 7 + id.index() * 3) as f64;
            (
                id,
                Tensor::from_fn(*param.value.shape(), |at| {
                    (phase + at.iter().sum::<usize>() as f64).sin()
                }),
            )
        })
        .collect()
}

fn run(
    optimizer: &dyn Optimizer<f64>,
    state: &mut OptimizerState<f64>,
    params: &mut Params<f64>,
    steps: std::ops::Range<usize>,
) {
    for step in steps {
        let gradients = gradients(params, step);
        apply(
            optimizer,
            state,
            params,
            &gradients,
            optimizer.learning_rate(),
        )
        .unwrap();
    }
}

#[test]
fn values_and_state_are_written_in_place() {
    for optimizer in optimizers() {
        let mut params = Params::new();
        let id = params
            .insert("weight", Tensor::<f64>::ones_of([64, 64]), Role::Weight)
            .unwrap();
        let mut state = OptimizerState::new();
        let gradient = [(id, Tensor::ones_of([64, 64]))];
        apply(&*optimizer, &mut state, &mut params, &gradient, 0.1).unwrap();
        assert!(params.get(id).value.is_unshared());
        let address = params.get(id).value.as_slice().unwrap().as_ptr();
        let before = pool::stats().large_allocations;
        for _ in 0..3 {
            apply(&*optimizer, &mut state, &mut params, &gradient, 0.1).unwrap();
        }
        assert_eq!(
            params.get(id).value.as_slice().unwrap().as_ptr(),
            address,
            "{optimizer:?} moved the value"
        );
        // Other tests share the counter, but none of them makes blocks of this size.
        assert_eq!(
            pool::stats().large_allocations,
            before,
            "{optimizer:?} allocated"
        );
    }
}

#[test]
fn someone_elses_copy_is_left_alone() {
    let mut params = network();
    let kept = params.state_dict();
    run(
        &Adam::new(0.1),
        &mut OptimizerState::new(),
        &mut params,
        0..1,
    );
    assert_eq!(kept["hidden1/weight"].to_vec(), [1.0; 4]);
    assert_ne!(
        params.by_name("hidden1/weight").unwrap().value,
        kept["hidden1/weight"]
    );
}

#[test]
fn frozen_parameters_stay_and_start_afresh_later() {
    let adam = Adam::new(0.1);
    let mut params = network();
    let mut state = OptimizerState::new();
    params.freeze("hidden1").unwrap();
    run(&adam, &mut state, &mut params, 0..5);
    let weight = params.id("hidden1/weight").unwrap();
    assert_eq!(params.get(weight).value.to_vec(), [1.0; 4]);
    assert_eq!(
        (
            state.steps(weight),
            state.steps(params.id("hidden2/bias").unwrap())
        ),
        (0, 5)
    );
    params.unfreeze("hidden1").unwrap();
    run(&adam, &mut state, &mut params, 5..6);
    // Adam's first step has the size of the learning rate, whatever the gradient; with another step's correction it
    // would be three times as large.
    assert!(
        params
            .get(weight)
            .value
            .iter()
            .all(|w| ((w - 1.0).abs() - 0.1).abs() < 1e-6)
    );
}

#[test]
fn parameters_without_a_gradient_stay() {
    let mut params = network();
    let mut state = OptimizerState::new();
    let mut some = gradients(&params, 0);
    some.truncate(1);
    apply(&AdamW::new(0.1), &mut state, &mut params, &some, 0.1).unwrap();
    assert_eq!(
        params.by_name("hidden2/weight").unwrap().value.to_vec(),
        [-1.0; 4],
        "not even decayed"
    );
}

#[test]
fn biases_do_not_decay() {
    let zero = |params: &Params<f64>| -> Vec<_> {
        params
            .iter()
            .map(|(id, p)| (id, p.value.zeros_like()))
            .collect()
    };
    for optimizer in [
        &AdamW::new(0.1).weight_decay(0.5) as &dyn Optimizer<f64>,
        &Sgd::new(0.1).weight_decay(0.5),
    ] {
        let mut params = network();
        let gradients = zero(&params);
        apply(
            optimizer,
            &mut OptimizerState::new(),
            &mut params,
            &gradients,
            0.1,
        )
        .unwrap();
        assert_eq!(
            params.by_name("hidden1/weight").unwrap().value.to_vec(),
            [0.95; 4]
        );
        assert_eq!(
            params.by_name("hidden1/bias").unwrap().value.to_vec(),
            [1.0; 2]
        );
    }
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one() {
    for optimizer in optimizers() {
        let (mut params, mut state) = (network(), OptimizerState::new());
        run(&*optimizer, &mut state, &mut params, 0..4);
        let (named, weights) = (state.to_named(&*optimizer, &params), params.state_dict());
        run(&*optimizer, &mut state, &mut params, 4..8);

        let mut resumed = network();
        resumed.load_state_dict(&weights).unwrap();
        let mut state = OptimizerState::from_named(&named, &*optimizer, &resumed).unwrap();
        run(&*optimizer, &mut state, &mut resumed, 4..8);
        assert_eq!(resumed.state_dict(), params.state_dict(), "{optimizer:?}");
    }
}

#[test]
fn names_are_paths() {
    let (mut params, mut state) = (network(), OptimizerState::new());
    params.freeze("hidden2").unwrap();
    run(&Adam::new(0.1), &mut state, &mut params, 0..1);
    let named = state.to_named(&Adam::new(0.1), &params);
    let names: Vec<_> = named.slots.keys().cloned().collect();
    assert_eq!(
        names,
        [
            "hidden1/bias/m",
            "hidden1/bias/v",
            "hidden1/weight/m",
            "hidden1/weight/v"
        ]
    );
    assert_eq!(
        named.steps.into_iter().collect::<Vec<_>>(),
        [("hidden1/bias".into(), 1), ("hidden1/weight".into(), 1)]
    );
    assert!(
        OptimizerState::<f64>::new()
            .to_named(&Adam::new(0.1), &params)
            .slots
            .is_empty()
    );
}

#[test]
fn foreign_states_are_errors() {
    let (mut params, mut state) = (network(), OptimizerState::new());
    run(&Adam::new(0.1), &mut state, &mut params, 0..1);
    let named = state.to_named(&Adam::new(0.1), &params);
    let error = |named: &fb_nn::optim::NamedState<f64>, optimizer: &dyn Optimizer<f64>| {
        OptimizerState::from_named(named, optimizer, &network())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(&named, &AdamW::new(0.1)),
        "the optimizer state: expected that of AdamW, found that of Adam\n  \
         help: compile with the optimizer that the checkpoint was written with"
    );
    let mut other = named.clone();
    other
        .slots
        .insert("hidden1/weight/m".into(), Tensor::zeros_of([3]));
    assert!(error(&other, &Adam::new(0.1)).starts_with(
        "optimizer state \"hidden1/weight/m\": expected a tensor of shape [2, 2], found shape [3]"
    ));
    other.slots.remove("hidden1/weight/m");
    assert!(error(&other, &Adam::new(0.1)).contains("found none"));
    other = named.clone();
    other
        .slots
        .insert("hidden1/weight/x".into(), Tensor::zeros_of([2, 2]));
    assert!(
        error(&other, &Adam::new(0.1))
            .starts_with("the optimizer state: expected 8 tensors, found 9")
    );
    other = named.clone();
    other.steps.insert("hidden9/weight".into(), 3);
    assert_eq!(
        error(&other, &Adam::new(0.1)),
        "the optimizer state: expected steps on known parameters, found 3 steps on \"hidden9/weight\"\n  \
         help: resume with the network that the checkpoint was written with"
    );
    let sgd = apply(
        &Sgd::new(0.1),
        &mut state,
        &mut params,
        &gradients(&network(), 0),
        0.1,
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        sgd,
        "the Sgd state of \"hidden1/weight\": expected 0 tensors of shape [2, 2], found 2 that another optimizer or \
         network left\n  help: start from OptimizerState::new()"
    );
}

#[test]
fn bad_steps_change_nothing() {
    let mut params = network();
    let before = params.state_dict();
    let mut wrong = gradients(&params, 0);
    wrong[3].1 = Tensor::zeros_of([5]);
    let mut state = OptimizerState::new();
    assert_eq!(
        apply(&Adam::new(0.1), &mut state, &mut params, &wrong, 0.1)
            .unwrap_err()
            .to_string(),
        "the gradient of \"hidden2/bias\": expected shape [2], like the parameter, found shape [5]"
    );
    for rate in [f64::NAN, -0.1, f64::INFINITY] {
        let right = gradients(&params, 0);
        let error = apply(&Adam::new(0.1), &mut state, &mut params, &right, rate)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!(
                "the learning rate of this Adam step: expected a finite number from 0 on, found {rate}\n  \
                 help: a schedule's rates end at 0, not below"
            )
        );
    }
    assert_eq!(params.state_dict(), before);
    assert!(state.is_empty());
}

#[test]
fn settings_outside_their_domain_are_errors() {
    let cases: [(fb_nn::Result<()>, &str); 12] = [
        (
            Sgd::new(f64::NAN).validate(),
            "Sgd learning rate: expected a finite number from 0 on, found NaN\n  help: 0.0001 to 0.1 are usual",
        ),
        (
            Sgd::new(-0.1).validate(),
            "Sgd learning rate: expected a finite number from 0 on, found -0.1\n  help: 0.0001 to 0.1 are usual",
        ),
        (
            Sgd::new(0.1).momentum(1.0).validate(),
            "Sgd momentum: expected a number from 0 to below 1, found 1\n  help: 0.9 is usual; 0 switches it off",
        ),
        (
            Sgd::new(0.1).nesterov(true).validate(),
            "Sgd with .nesterov(true): expected a momentum above 0, found 0\n  help: add .momentum(0.9)",
        ),
        (
            Sgd::new(0.1).weight_decay(-1.0).validate(),
            "Sgd weight decay: expected a finite number from 0 on, found -1\n  help: 0 switches it off",
        ),
        (
            Adam::new(0.1).beta1(-0.1).validate(),
            "Adam beta1: expected a number from 0 to below 1, found -0.1\n  help: 0.9 is usual",
        ),
        (
            Adam::new(0.1).beta2(1.0).validate(),
            "Adam beta2: expected a number from 0 to below 1, found 1\n  help: 0.99 to 0.999 are usual",
        ),
        (
            AdamW::new(0.1).epsilon(0.0).validate(),
            "AdamW epsilon: expected a finite number above 0, found 0\n  help: 1e-8 is usual",
        ),
        (
            RmsProp::new(0.1).rho(2.0).validate(),
            "RmsProp rho: expected a number from 0 to below 1, found 2\n  help: 0.9 is usual",
        ),
        (
            Clip::Norm(0.0).validate(),
            "the limit of Clip::Norm: expected a finite number above 0, found 0\n  help: 0.5 to 5 are usual; leave the clip out for no limit",
        ),
        (
            Clip::Value(f64::NAN).validate(),
            "the limit of Clip::Value: expected a finite number above 0, found NaN\n  help: 0.5 to 5 are usual; leave the clip out for no limit",
        ),
        (
            Penalty::l1(-1.0).validate(),
            "the factor of Penalty::l1: expected a finite number from 0 on, found -1\n  help: 0 switches it off",
        ),
    ];
    for (result, want) in cases {
        assert_eq!(result.unwrap_err().to_string(), want);
    }
    for optimizer in optimizers() {
        optimizer.validate().unwrap();
    }
}

#[test]
fn settings_survive_serialisation() {
    let adam = Adam::new(0.1).beta1(0.5).epsilon(1e-3);
    assert_eq!(
        serde_json::from_str::<Adam>(&serde_json::to_string(&adam).unwrap()).unwrap(),
        adam
    );
    let clip = Clip::Value(0.5);
    assert_eq!(
        serde_json::from_str::<Clip>(&serde_json::to_string(&clip).unwrap()).unwrap(),
        clip
    );
    let penalty = Penalty::l1_l2(0.1, 0.2).on("hidden*");
    assert_eq!(
        serde_json::from_str::<Penalty>(&serde_json::to_string(&penalty).unwrap()).unwrap(),
        penalty
    );
    assert_eq!(
        (clip.to_string(), penalty.to_string()),
        ("value 0.5".into(), "L1 0.1, L2 0.2 on \"hidden*\"".into())
    );
    assert_eq!(Penalty::l2(0.01).to_string(), "L2 0.01 on weights");
}

#[test]
fn penalties_price_weights_or_what_they_are_told() {
    let mut params = network();
    let zeros: Vec<_> = params
        .iter()
        .map(|(id, p)| (id, p.value.zeros_like()))
        .collect();
    let price = |params: &Params<f64>, penalty: Penalty| {
        let mut gradients = zeros.clone();
        (penalty.add_to(params, &mut gradients).unwrap(), gradients)
    };
    let (value, gradients) = price(&params, Penalty::l1_l2(0.5, 0.25));
    assert_eq!(value, 0.5 * 8.0 + 0.25 * 8.0);
    assert_eq!(gradients[0].1.to_vec(), [0.5 + 0.5; 4]);
    assert_eq!(gradients[1].1.to_vec(), [0.0; 2], "a bias is free");
    assert_eq!(gradients[2].1.to_vec(), [-1.0; 4]);
    let (value, gradients) = price(&params, Penalty::l2(1.0).on("*/bias"));
    assert_eq!(value, 4.0);
    assert_eq!(
        (gradients[0].1.to_vec(), gradients[3].1.to_vec()),
        (vec![0.0; 4], vec![-2.0; 2])
    );
    let id = params.id("hidden1/weight").unwrap();
    params.get_mut(id).value = Tensor::zeros_of([2, 2]);
    assert_eq!(
        price(&params, Penalty::l1(1.0)).1[0].1.to_vec(),
        [0.0; 4],
        "no force at 0"
    );
    let error = Penalty::l2(1.0)
        .on("hiden*")
        .add_to(&params, &mut zeros.clone())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("pattern \"hiden*\" names parameter \"hiden*\", but there is none"),
        "{error}"
    );
}

#[test]
fn gradients_of_no_size_are_left_as_they_are() {
    let params = network();
    let mut zeros: Vec<_> = params
        .iter()
        .map(|(id, p)| (id, p.value.zeros_like()))
        .collect();
    assert_eq!(Clip::Norm(1.0).apply(&mut zeros), 0.0);
    assert!(zeros.iter().all(|(_, g)| g.iter().all(|x| x == 0.0)));
    let mut broken = zeros.clone();
    broken[0].1 = Tensor::full_of([2, 2], f64::INFINITY);
    broken[1].1 = Tensor::full_of([2], 3.0);
    assert_eq!(Clip::Norm(1.0).apply(&mut broken), f64::INFINITY);
    assert_eq!(broken[1].1.to_vec(), [3.0; 2]);
}

#[test]
fn gradients_whose_squares_overflow_are_clipped_all_the_same() {
    let params = network();
    let mut large: Vec<_> = params
        .iter()
        .map(|(id, p)| (id, p.value.zeros_like()))
        .collect();
    large[0].1 = Tensor::full_of([2, 2], -4e200);
    assert_eq!(Clip::Norm(1.0).apply(&mut large), 8e200);
    assert_eq!(large[0].1.to_vec(), [-0.5; 4]);
}

/// The same cases at every run, and no files beside the source.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn clipping_keeps_the_direction_and_the_limit(
        a in proptest::collection::vec(-100.0..100.0_f64, 4), b in proptest::collection::vec(-1.0..1.0_f64, 2),
        limit in 0.01..200.0_f64,
    ) {
        let params = network();
        let ids: Vec<_> = params.iter().map(|(id, _)| id).collect();
        let before = vec![(ids[0], Tensor::from_vec(a, [2, 2])), (ids[1], Tensor::from(b))];
        let mut after = before.clone();
        let norm = Clip::Norm(limit).apply(&mut after);
        let left = after.iter().map(|(_, g)| g.squared_norm()).sum::<f64>().sqrt();
        prop_assert!(left <= limit.min(norm) * (1.0 + 1e-12));
        prop_assert!(norm > limit || left == norm);
        for ((_, x), (_, y)) in before.iter().zip(&after) {
            for (x, y) in x.iter().zip(y.iter()) {
                prop_assert!((x * left - y * norm).abs() <= 1e-9 * norm * left.max(1.0));
            }
        }
        let mut after = before.clone();
        Clip::Value(limit).apply(&mut after);
        for ((_, x), (_, y)) in before.iter().zip(&after) {
            prop_assert!(x.iter().zip(y.iter()).all(|(x, y)| y == x.clamp(-limit, limit)));
        }
    }

    #[test]
    fn every_optimizer_goes_downhill(start in 0.5..3.0_f64, sign in prop_oneof![Just(-1.0), Just(1.0)]) {
        for optimizer in optimizers() {
            let mut params = Params::new();
            let id = params.insert("x", Tensor::from([start * sign]), Role::Bias).unwrap();
            let mut state = OptimizerState::new();
            for _ in 0..400 {
                let gradient = [(id, &params.get(id).value * 2.0)];
                apply(&*optimizer, &mut state, &mut params, &gradient, optimizer.learning_rate() / 4.0).unwrap();
            }
            let x = params.get(id).value.item();
            prop_assert!(x * x < start * start, "{:?}: {}", optimizer, x);
        }
    }
}
