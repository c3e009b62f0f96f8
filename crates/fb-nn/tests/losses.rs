//! All losses: gradients against differences, weights, settings through files, what they refuse.

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_nn::loss::{
    BinaryCrossentropy, CrossEntropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError,
};
use fb_nn::{Registry, Target};
use fb_tensor::Tensor;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

type Case = (Box<dyn Loss<f64>>, Tensor<f64>, Target<f64>);

/// Every loss and setting, with an output and targets for it.
fn cases() -> Vec<Case> {
    let numbers = Tensor::from([[0.3, -1.2, 2.0], [1.1, 0.4, -0.7]]);
    let targets = Tensor::from([[0.0, 0.5, -1.0], [1.0, 0.0, 0.25]]);
    let shares = Tensor::from([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]]);
    let flags = Tensor::from([[1.0, 0.0, 0.3], [0.0, 1.0, 1.0]]);
    let labels = Tensor::from([2_i64, 0]);
    let sequence = Tensor::from([
        [[0.3, -1.2], [2.0, 1.1]],
        [[0.4, -0.7], [0.1, 0.9]],
        [[1.0, 0.0], [-2.0, 3.0]],
    ]);
    let steps = Tensor::from([[0_i64, 1], [1, 1], [0, 0]]);
    let probable = CrossEntropy.from_probabilities();
    let case = |loss: Box<dyn Loss<f64>>, output: &Tensor<f64>, target: Target<f64>| {
        (loss, output.clone(), target)
    };
    vec![
        case(Box::new(MeanSquaredError), &numbers, targets.clone().into()),
        case(
            Box::new(MeanAbsoluteError),
            &numbers,
            targets.clone().into(),
        ),
        case(Box::new(Huber { delta: 0.8 }), &numbers, targets.into()),
        case(Box::new(BinaryCrossentropy), &shares, flags.clone().into()),
        case(
            Box::new(BinaryCrossentropy.label_smoothing(0.2)),
            &shares,
            flags.clone().into(),
        ),
        case(
            Box::new(BinaryCrossentropy.from_logits()),
            &numbers,
            flags.into(),
        ),
        case(
            Box::new(BinaryCrossentropy.from_logits()),
            &Tensor::from([[0.3], [2.0]]),
            Tensor::from([1_i64, 0]).into(),
        ),
        case(Box::new(CrossEntropy), &numbers, labels.clone().into()),
        case(Box::new(CrossEntropy), &numbers, shares.clone().into()),
        case(
            Box::new(CrossEntropy.label_smoothing(0.1)),
            &numbers,
            labels.clone().into(),
        ),
        case(
            Box::new(CrossEntropy.class_weights([1.0, 0.5, 2.0])),
            &numbers,
            labels.clone().into(),
        ),
        case(
            Box::new(CrossEntropy.class_weights([1.0, 0.5, 2.0])),
            &numbers,
            shares.clone().into(),
        ),
        case(Box::new(probable.clone()), &shares, labels.clone().into()),
        case(Box::new(probable.clone()), &shares, shares.clone().into()),
        case(
            Box::new(probable.label_smoothing(0.1).class_weights([1.0, 0.5, 2.0])),
            &shares,
            labels.into(),
        ),
        case(Box::new(CrossEntropy), &sequence, steps.into()),
        case(
            Box::new(CrossEntropy),
            &sequence,
            sequence.softmax(2).into(),
        ),
    ]
}

#[test]
fn gradients_agree_with_differences() {
    for (loss, output, target) in cases() {
        let weights = Tensor::from_fn([output.dim(0)], |row| 0.5 + row[0] as f64);
        for weights in [None, Some(&weights)] {
            gradcheck(
                |vars| loss.forward(&vars[0], &target, weights).unwrap(),
                std::slice::from_ref(&output),
            )
            .unwrap_or_else(|error| panic!("{loss:?}: {error}"));
        }
    }
}

#[test]
fn weights_scale_samples_and_do_not_normalise() {
    let row = |target: &Target<f64>, range: std::ops::Range<usize>| match target {
        Target::Float(t) => Target::Float(t.slice(0, range)),
        Target::Index(t) => Target::Index(t.slice(0, range)),
        _ => unreachable!("targets are numbers or indices"),
    };
    for (loss, output, target) in cases() {
        let batch = output.dim(0);
        let weights: Vec<f64> = (0..batch).map(|i| 3.0 - i as f64).collect();
        let output = Var::constant(output);
        let single = |i: usize| {
            loss.forward(&output.slice(0, i..i + 1), &row(&target, i..i + 1), None)
                .unwrap()
                .item()
        };
        let want = (0..batch).map(|i| weights[i] * single(i)).sum::<f64>() / batch as f64;
        let got = loss
            .forward(&output, &target, Some(&Tensor::from(weights)))
            .unwrap()
            .item();
        assert!((got - want).abs() < 1e-14, "{loss:?}: {got} and {want}");
        let plain = loss.forward(&output, &target, None).unwrap().item();
        let ones = loss
            .forward(&output, &target, Some(&Tensor::ones_of([batch])))
            .unwrap()
            .item();
        assert!((plain - ones).abs() < 1e-15, "{loss:?}");
    }
}

#[test]
fn settings_survive_files() {
    let registry = Registry::builtin();
    for (loss, output, target) in cases() {
        let text = loss.config().unwrap().to_string();
        let read = registry
            .loss::<f64>(
                "the loss",
                loss.kind(),
                serde_json::from_str(&text).unwrap(),
            )
            .unwrap();
        assert_eq!(
            (read.kind(), format!("{read:?}")),
            (loss.kind(), format!("{loss:?}"))
        );
        let output = Var::constant(output);
        let value = |loss: &dyn Loss<f64>| loss.forward(&output, &target, None).unwrap().item();
        assert_eq!(value(&*read), value(&*loss));
    }
    let kinds: Vec<_> = registry.loss_kinds().collect();
    assert_eq!(
        kinds,
        [
            "BinaryCrossentropy",
            "CrossEntropy",
            "Huber",
            "MeanAbsoluteError",
            "MeanSquaredError"
        ]
    );
    let error = registry
        .loss::<f32>("the loss", "Hinge", serde_json::Value::Null)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the loss is of kind \"Hinge\", which is not registered"),
        "{error}"
    );
    let error = registry
        .loss::<f32>("the loss", "Huber", serde_json::json!({ "delta": -1.0 }))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("Huber delta: expected a finite number above 0, found -1"),
        "{error}"
    );
}

/// The error of a loss for outputs and targets that do not fit.
fn error(loss: impl Loss<f32>, output: impl Into<Tensor>, target: impl Into<Target>) -> String {
    loss.forward(&Var::constant(output.into()), &target.into(), None)
        .unwrap_err()
        .to_string()
}

#[test]
fn shapes_that_differ() {
    assert_eq!(
        error(MeanSquaredError, Tensor::zeros([4, 1]), Tensor::zeros([4])),
        "MeanSquaredError: expected targets [4, 1], like the output, found [4]\n  \
         help: a Dense(1) output needs targets [batch, 1]: use targets.unsqueeze(1)"
    );
    assert_eq!(
        error(
            Huber::default(),
            Tensor::zeros([4, 3]),
            Tensor::zeros([4, 2])
        ),
        "Huber: expected targets [4, 3], like the output, found [4, 2]\n  \
         help: the last layer gives 3 numbers per sample: change its units or the targets"
    );
    assert_eq!(
        error(
            MeanAbsoluteError,
            Tensor::zeros([4, 3]),
            Tensor::zeros([5, 3])
        ),
        "MeanAbsoluteError: expected targets [4, 3], like the output, found [5, 3]\n  \
         help: inputs and targets have one row per sample"
    );
    assert_eq!(
        error(
            MeanSquaredError,
            Tensor::zeros([2, 3]),
            Tensor::from([0_i64, 2])
        ),
        "MeanSquaredError: expected numbers [2, 3] as targets, found class indices [2]\n  \
         help: Tensor::one_hot turns indices into numbers; CrossEntropy takes indices as they are"
    );
    assert_eq!(
        error(
            CrossEntropy,
            Tensor::zeros([2, 3]),
            Tensor::from([[0_i64], [2]])
        ),
        "CrossEntropy: expected class indices [2] for the output [2, 3], found [2, 1]\n  \
         help: indices have the shape of the output without its last axis"
    );
    assert_eq!(
        error(
            CrossEntropy,
            Tensor::zeros([2, 3]),
            Tensor::from([0.0, 2.0])
        ),
        "CrossEntropy: expected distributions [2, 3], found numbers [2]\n  \
         help: give class indices as Tensor<i64>, or distributions over the classes"
    );
    assert_eq!(
        error(
            CrossEntropy,
            Tensor::zeros([2, 1]),
            Tensor::from([0_i64, 0])
        ),
        "CrossEntropy: expected an output [batch, ..., classes], found [2, 1]\n  \
         help: one number per sample cannot tell classes apart: use BinaryCrossentropy"
    );
    assert!(
        error(
            BinaryCrossentropy,
            Tensor::zeros([2, 3]),
            Tensor::from([0_i64, 1])
        )
        .contains("class indices")
    );
    assert_eq!(
        error(
            CrossEntropy.class_weights([1.0, 2.0]),
            Tensor::zeros([2, 3]),
            Tensor::from([0_i64, 2])
        ),
        "CrossEntropy: expected one class weight for each of 3 classes, found 2 weights"
    );
}

#[test]
fn numbers_outside_their_domain() {
    let labels =
        |labels: [i64; 2]| error(CrossEntropy, Tensor::zeros([2, 3]), Tensor::from(labels));
    assert_eq!(
        labels([1, 3]),
        "CrossEntropy: expected labels from 0 to 2 for 3 classes, found label 3 in row 1\n  \
         help: labels count from 0; give the last layer as many units as there are classes"
    );
    assert!(labels([-1, 0]).contains("found label -1 in row 0"));
    let smoothed = error(
        CrossEntropy.label_smoothing(0.1),
        Tensor::zeros([2, 3]),
        Tensor::from([0_i64, 7]),
    );
    assert!(smoothed.contains("found label 7 in row 1"), "{smoothed}");
    let sequence = error(
        CrossEntropy,
        Tensor::zeros([2, 2, 3]),
        Tensor::from([[0_i64, 1], [2, 5]]),
    );
    assert!(sequence.contains("found label 5 in row 1"), "{sequence}");

    let half = || Tensor::full([2, 1], 0.5);
    assert_eq!(
        error(BinaryCrossentropy, half(), Tensor::from([[0.0], [2.0]])),
        "BinaryCrossentropy: expected targets between 0 and 1, found 2 in row 1\n  \
         help: targets are probabilities: 1 for what is the case, 0 for what is not"
    );
    assert!(
        error(
            BinaryCrossentropy,
            half(),
            Tensor::from([[f32::NAN], [0.0]])
        )
        .contains("found NaN in row 0")
    );
    assert!(
        error(BinaryCrossentropy, half(), Tensor::from([2_i64, 0]))
            .contains("found label 2 in row 0")
    );
    assert_eq!(
        error(
            BinaryCrossentropy,
            Tensor::from([[0.5], [1.5]]),
            Tensor::from([[0.0], [1.0]])
        ),
        "BinaryCrossentropy: expected an output between 0 and 1, found 1.5 in row 1\n  \
         help: give the last layer .activation(Sigmoid), or use .from_logits()"
    );
    let scores = error(
        CrossEntropy.from_probabilities(),
        Tensor::from([[0.5, -2.0]]),
        Tensor::from([0_i64]),
    );
    assert!(
        scores.ends_with(
            "help: give the last layer .activation(Softmax), or drop .from_probabilities()"
        ),
        "{scores}"
    );
    assert_eq!(
        error(MeanSquaredError, half(), Tensor::from([[0.0], [f32::NAN]])),
        "MeanSquaredError: expected finite targets, found NaN in row 1\n  \
         help: drop or fill missing values before training"
    );
    assert!(
        error(
            CrossEntropy,
            Tensor::zeros([1, 2]),
            Tensor::from([[1.5, -0.5]])
        )
        .contains("found 1.5 in row 0")
    );
}

#[test]
fn empty_batches() {
    for loss in [
        &MeanSquaredError as &dyn Loss<f32>,
        &BinaryCrossentropy,
        &CrossEntropy,
    ] {
        let empty = Tensor::zeros([0, 2]);
        let error = loss
            .forward(&Var::constant(empty.clone()), &empty.into(), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("expected an output [batch, ...] of at least one sample, found [0, 2]"),
            "{error}"
        );
    }
}

#[test]
fn weights_that_do_not_fit() {
    let with = |weights: Tensor| {
        let (output, target) = (
            Var::constant(Tensor::zeros([2, 1])),
            Tensor::zeros([2, 1]).into(),
        );
        MeanSquaredError
            .forward(&output, &target, Some(&weights))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        with(Tensor::ones([3])),
        "the sample weights of MeanSquaredError: expected one weight per sample [2], found [3]\n  \
         help: a weight of 1 leaves a sample as it is, 0 leaves it out"
    );
    assert!(
        with(Tensor::from([1.0, -1.0]))
            .contains("expected finite numbers from 0 on, found -1 in row 1")
    );
    assert!(with(Tensor::from([f32::NAN, 1.0])).contains("found NaN in row 0"));
}

#[test]
fn settings_outside_their_domain() {
    assert_eq!(
        BinaryCrossentropy
            .label_smoothing(1.5)
            .validate()
            .unwrap_err()
            .to_string(),
        "BinaryCrossentropy label smoothing: expected a share from 0 to 1, found 1.5\n  \
         help: 0.1 is usual; 0 switches it off"
    );
    assert!(CrossEntropy.label_smoothing(f64::NAN).validate().is_err());
    assert_eq!(
        CrossEntropy
            .class_weights([1.0, f64::INFINITY])
            .validate()
            .unwrap_err()
            .to_string(),
        "CrossEntropy class weights: expected finite numbers from 0 on, found inf for class 1\n  \
         help: a weight of 1 leaves a class as it is"
    );
    assert!(
        error(
            Huber { delta: 0.0 },
            Tensor::zeros([1, 1]),
            Tensor::zeros([1, 1])
        )
        .starts_with("Huber delta: ")
    );
}

#[test]
fn a_nan_in_the_output_comes_out_as_a_nan() {
    // Training looks for the layer that made it; an error here would hide the place.
    for loss in [
        &MeanSquaredError as &dyn Loss<f32>,
        &BinaryCrossentropy,
        &CrossEntropy,
    ] {
        let output = Var::constant(Tensor::from([[f32::NAN, 0.5]]));
        assert!(
            loss.forward(&output, &Tensor::from([[0.0, 1.0]]).into(), None)
                .unwrap()
                .item()
                .is_nan(),
            "{loss:?}"
        );
    }
}

#[test]
fn a_certain_error_costs_a_hundred_and_can_be_unlearned() {
    let tape = Tape::new();
    let p = tape.leaf(Tensor::from([[1.0, 0.0]]));
    let loss = CrossEntropy
        .from_probabilities()
        .forward(&p, &Tensor::from([1_i64]).into(), None)
        .unwrap();
    assert_eq!(loss.item(), 100.0);
    assert!(loss.backward().get(&p).unwrap().at(&[0, 1]) < -1e11);
}

#[test]
fn a_single_probability_takes_two_nodes() {
    let tape = Tape::new();
    let p = tape.leaf(Tensor::from([[0.3]]));
    BinaryCrossentropy
        .forward(&p, &Tensor::from([[1.0]]).into(), None)
        .unwrap();
    assert_eq!(tape.len(), 3, "the leaf, the loss of each number, the mean");
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
    fn indices_are_distributions_with_one_class(
        rows in proptest::collection::vec((proptest::collection::vec(-8.0..8.0, 4), 0_i64..4), 1..7),
        smoothing in 0.0..1.0,
        probable: bool,
    ) {
        let labels = Tensor::from(rows.iter().map(|(_, label)| *label).collect::<Vec<_>>());
        let scores = Tensor::from_vec(rows.iter().flat_map(|(row, _)| row.clone()).collect(), [rows.len(), 4]);
        let (loss, scores) = match probable {
            true => (CrossEntropy.from_probabilities(), scores.softmax(1)),
            false => (CrossEntropy, scores),
        };
        let output = Var::<f64>::constant(scores);
        for loss in [loss.clone(), loss.clone().label_smoothing(smoothing), loss.class_weights([0.5, 1.0, 2.0, 0.0])] {
            let by_index = loss.forward(&output, &labels.clone().into(), None).unwrap().item();
            let by_share = loss.forward(&output, &Tensor::<f64>::one_hot_of(&labels, 4).into(), None).unwrap().item();
            prop_assert!((by_index - by_share).abs() < 1e-12 * by_index.abs().max(1.0), "{} {}", by_index, by_share);
        }
    }

    #[test]
    fn logits_and_probabilities_agree(rows in proptest::collection::vec((-15.0..15.0, 0.0..1.0), 1..9)) {
        let logits = Tensor::from_vec(rows.iter().map(|(x, _)| *x).collect(), [rows.len(), 1]);
        let targets: Target<f64> = Tensor::from_vec(rows.iter().map(|(_, t)| *t).collect(), [rows.len(), 1]).into();
        let loss = BinaryCrossentropy;
        let by_logits = loss.from_logits().forward(&Var::constant(logits.clone()), &targets, None).unwrap().item();
        let by_shares = loss.forward(&Var::constant(logits.sigmoid()), &targets, None).unwrap().item();
        prop_assert!((by_logits - by_shares).abs() < 1e-9 * by_logits.max(1.0), "{} {}", by_logits, by_shares);
    }
}
