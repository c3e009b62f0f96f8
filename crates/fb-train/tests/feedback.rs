//! Training of loops: losses that a run brings, segments, averaged weights, sequences, several inputs, other schedules.

use fb_nn::feedback::gradient::{DeepSupervision, LastK, SegmentWeights};
use fb_nn::feedback::schedule::{Halt, Sequence, Unroll};
use fb_nn::feedback::topology::Clock;
use fb_nn::init::Initializer;
use fb_nn::layers::{Activation, Concat, Dense};
use fb_nn::loss::{CrossEntropy, MeanSquaredError};
use fb_nn::optim::{Adam, Sgd};
use fb_nn::{Graph, Network, Sequential};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use fb_train::metrics::Accuracy;
use fb_train::{Compile, Fit, Model, Predict};

/// 2 → 4 → 1 with a loop and a layer that halts, in double precision.
fn halting(schedule: Halt) -> Network<f64> {
    Graph::new()
        .input("x", [2])
        .layer("hidden", Dense::new(4).activation(Activation::Tanh), "x")
        .layer("answer", Dense::new(1), "hidden")
        .layer(
            "halt",
            Dense::new(1).bias_init(Initializer::Constant(-1.0)),
            "hidden",
        )
        .feedback("hidden", "hidden")
        .output("answer")
        .schedule(schedule)
        .seed(3)
        .build_as::<f64>()
        .unwrap()
}

fn batch() -> (Tensor<f64>, Tensor<f64>) {
    let x = Tensor::from_vec(vec![1.0, -0.5, 0.3, 0.8, -1.0, 0.2], [3, 2]);
    let y = Tensor::from_vec(vec![1.0, 0.0, 1.0], [3, 1]);
    (x, y)
}

/// The loss of one step, and how plain gradient descent changed each weight.
fn step(network: Network<f64>, rate: f64) -> (f64, f64, Vec<(String, f64)>) {
    let (x, y) = batch();
    let before = network.params().state_dict();
    let mut model = network
        .compile(Sgd::new(rate), MeanSquaredError, ())
        .unwrap();
    let report = model.train_batch((&x, &y)).unwrap();
    let after = model.params().state_dict();
    let moved = before.iter().flat_map(|(name, old)| {
        let moved = (old - &after[name]) / rate;
        let moved: Vec<f64> = moved.to_vec();
        moved.into_iter().map(move |g| (name.clone(), g))
    });
    (report.loss, report.penalty, moved.collect())
}

#[test]
fn the_gradient_of_the_ponder_cost_agrees_with_finite_differences() {
    let schedule = || Halt::ponder("halt", 5).ponder_cost(0.05);
    let (loss, penalty, gradients) = step(halting(schedule()), 1e-3);
    assert!(loss > 0.0 && penalty > 0.0 && penalty < loss);
    let mut position = 0;
    let mut of_bias = 0.0;
    let h = 1e-5;
    let names: Vec<(String, usize)> = halting(schedule())
        .params()
        .iter()
        .map(|(_, p)| (p.name().to_owned(), p.value.len()))
        .collect();
    let mut sorted = names;
    sorted.sort();
    for (name, len) in sorted {
        for index in 0..len {
            let at = |change: f64| {
                let mut network = halting(schedule());
                let id = network.params().id(&name).unwrap();
                let param = network.params_mut().get_mut(id);
                let mut values = param.value.to_vec();
                values[index] += change;
                param.value = Tensor::from_vec(values, *param.value.shape());
                step(network, 1e-3).0
            };
            let expected = (at(h) - at(-h)) / (2.0 * h);
            let (of, found) = &gradients[position];
            assert_eq!(*of, name);
            assert!(
                (found - expected).abs() < 1e-6 + 1e-4 * expected.abs(),
                "{name}[{index}]: {found} against {expected}"
            );
            if name == "halt/bias" {
                of_bias = *found;
            }
            position += 1;
        }
    }
    assert!(of_bias.abs() > 1e-3);
}

#[test]
fn a_confident_layer_learns_whether_the_answer_is_right() {
    let (_, _, gradients) = step(halting(Halt::confidence("halt", 3)), 1e-3);
    let bias = gradients.iter().find(|(name, _)| name == "halt/bias");
    assert!(bias.unwrap().1.abs() > 1e-3);

    let (x, _) = batch();
    let mut model = halting(Halt::confidence("halt", 3))
        .compile(Sgd::new(0.1), MeanSquaredError, ())
        .unwrap();
    let numbers = Tensor::from_vec(vec![0.7, 2.0, 1.0], [3, 1]);
    let error = model.train_batch((&x, &numbers)).unwrap_err().to_string();
    assert!(
        error.starts_with("Halt::confidence: bad setting")
            && error.contains("found the number 0.7"),
        "{error}"
    );
}

#[test]
fn adaptive_halting_adds_its_penalty() {
    let (dear, cost, _) = step(halting(Halt::adaptive("halt", 4).ponder_cost(1.0)), 0.1);
    let (free, none, _) = step(halting(Halt::adaptive("halt", 4).ponder_cost(0.0)), 0.1);
    assert!(cost > 1.0 && none == 0.0);
    assert!((dear - cost - free).abs() < 1e-12);
}

fn looped(seed: u64) -> Network {
    Sequential::input([2])
        .layer("hidden", Dense::new(6).activation(Activation::Tanh))
        .layer("output", Dense::new(3))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(2))
        .seed(seed)
        .build()
        .unwrap()
}

fn points() -> (Tensor, Tensor<i64>) {
    let mut rng = Key::new(5).rng();
    let x: Tensor = Tensor::normal([40, 2], 0.0, 1.0, &mut rng);
    let labels: Vec<i64> = (0..40)
        .map(|row| {
            let (a, b) = (x.at(&[row, 0]), x.at(&[row, 1]));
            if a > 0.5 { 2 } else { i64::from(b > 0.0) }
        })
        .collect();
    (x, Tensor::from_vec(labels, [40]))
}

#[test]
fn each_segment_is_a_step_and_evaluation_runs_them_all() {
    let (x, y) = points();
    let model = |strategy: DeepSupervision| -> Model {
        let model = looped(1).compile(Adam::new(0.02), CrossEntropy, (Accuracy,));
        model.unwrap().gradient(strategy)
    };
    let mut three = model(DeepSupervision::segments(3));
    let report = three.train_batch((&x, &y)).unwrap();
    assert_eq!((three.steps_trained(), report.iterations), (3, 6));
    assert_eq!(report.gradient_used, "DeepSupervision");

    let mut last = model(DeepSupervision::segments(3).weights(SegmentWeights::Last));
    last.train_batch((&x, &y)).unwrap();
    assert_eq!(last.steps_trained(), 1);

    // Three segments of two iterations are six iterations.
    let whole = three.network().topology().schedule.iterations() * 3;
    let plain = looped(1)
        .compile(Adam::new(0.02), CrossEntropy, (Accuracy,))
        .unwrap();
    let untrained = model(DeepSupervision::segments(3));
    let six = Predict::new().schedule(Unroll::iterations(whole));
    let (a, b) = (
        untrained.predict(&x).unwrap(),
        plain.predict_with(&x, &six).unwrap(),
    );
    assert_eq!(a.to_vec(), b.to_vec());
    assert_eq!(untrained.predict_iterations(&x).unwrap().len(), 6);
}

#[test]
fn a_batch_that_refills_learns() {
    let (x, y) = points();
    for within in [1, 2] {
        let model = looped(2).compile(Adam::new(0.02), CrossEntropy, (Accuracy,));
        let strategy = DeepSupervision::segments(3).within(LastK(within)).refill();
        let mut model = model.unwrap().gradient(strategy);
        let fit = Fit::epochs(15).batch_size(16).silent();
        let history = model.fit((&x, &y), fit).unwrap();
        assert!(history.last("accuracy").unwrap() > 0.8, "{within}");
        assert_eq!(history.last("iterations"), Some(6.0));
        assert!(model.evaluate((&x, &y)).unwrap().get("accuracy").unwrap() > 0.8);
    }
}

#[test]
fn residuals_are_recorded_where_there_is_a_loop() {
    let (x, y) = points();
    let mut model: Model = looped(1)
        .compile(Adam::new(0.01), CrossEntropy, ())
        .unwrap();
    let history = model.fit((&x, &y), Fit::epochs(1).silent()).unwrap();
    assert!(history.last("residual").unwrap() > 0.0);

    let flat = Sequential::input([2])
        .layer("output", Dense::new(3))
        .build();
    let mut flat: Model = flat
        .unwrap()
        .compile(Adam::new(0.01), CrossEntropy, ())
        .unwrap();
    let history = flat.fit((&x, &y), Fit::epochs(1).silent()).unwrap();
    assert_eq!(history.last("residual"), None);
}

#[test]
fn the_average_of_weights_is_kept_and_resumed_exactly() {
    let (x, y) = points();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.ckpt");
    let model = || -> Model {
        looped(4)
            .compile(Adam::new(0.05), CrossEntropy, ())
            .unwrap()
    };
    let fit = |epochs| Fit::epochs(epochs).batch_size(8).silent().ema(0.9);

    let mut whole = model();
    let history = whole.fit((&x, &y), fit(6).validation((&x, &y))).unwrap();
    // What was validated last is what the model ends with.
    let loss = whole.evaluate((&x, &y)).unwrap().loss();
    assert_eq!(history.last("val_loss"), Some(loss));

    let mut plain = model();
    plain
        .fit((&x, &y), Fit::epochs(6).batch_size(8).silent())
        .unwrap();
    assert_ne!(plain.params().state_dict(), whole.params().state_dict());

    model().fit((&x, &y), fit(3).checkpoint(&path)).unwrap();
    let mut resumed = model();
    resumed
        .fit((&x, &y), fit(6).checkpoint(&path).resume())
        .unwrap();
    assert_eq!(resumed.params().state_dict(), whole.params().state_dict());

    let other = model().fit((&x, &y), fit(7).ema(0.5).checkpoint(&path).resume());
    assert!(other.unwrap_err().to_string().contains("fit.ema"));
    let wrong = model().fit((&x, &y), fit(1).ema(1.0)).unwrap_err();
    assert!(wrong.to_string().starts_with("Fit::ema: bad setting"));
}

#[test]
fn sequences_are_fitted_and_evaluated_at_every_step() {
    let network = Sequential::input([1])
        .layer("memory", Dense::new(8).activation(Activation::Tanh))
        .layer("output", Dense::new(2))
        .feedback("memory", "memory")
        .clock(Clock::Step)
        .schedule(Sequence::new())
        .seed(1)
        .build()
        .unwrap();
    let mut rng = Key::new(9).rng();
    let x: Tensor = Tensor::normal([30, 6, 1], 0.0, 1.0, &mut rng);
    let labels: Vec<i64> = x.to_vec().iter().map(|&v| i64::from(v > 0.0)).collect();
    let y = Tensor::from_vec(labels, [30, 6]);
    let mut model: Model = network
        .compile(Adam::new(0.03), CrossEntropy, (Accuracy,))
        .unwrap();
    model.fit((&x, &y), Fit::epochs(20).silent()).unwrap();
    let found = model.evaluate((&x, &y)).unwrap();
    assert!(found.get("accuracy").unwrap() > 0.9);
    assert_eq!(*model.predict(&x).unwrap().shape(), [30, 6, 2]);
    assert_eq!(*model.predict_classes(&x).unwrap().shape(), [30, 6]);
    let error = model
        .predict(&Tensor::ones([30, 1]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected numbers [batch, time, 1], found numbers [30, 1]"),
        "{error}"
    );
}

#[test]
fn several_inputs_are_checked_by_name() {
    let network = Graph::new()
        .input("left", [2])
        .input("right", [3])
        .layer("a", Dense::new(4), "left")
        .layer("b", Dense::new(4), "right")
        .layer("both", Concat::new(), ["a", "b"])
        .layer("output", Dense::new(1), "both")
        .output("output")
        .build()
        .unwrap();
    let mut model: Model = network
        .compile(Adam::new(0.05), MeanSquaredError, ())
        .unwrap();
    let mut rng = Key::new(2).rng();
    let left: Tensor = Tensor::normal([20, 2], 0.0, 1.0, &mut rng);
    let right: Tensor = Tensor::normal([20, 3], 0.0, 1.0, &mut rng);
    let y = (&left.sum_axes(&[1], true)) - &right.sum_axes(&[1], true);
    let before = model.evaluate(((&left, &right), &y)).unwrap().loss();
    model
        .fit(((&left, &right), &y), Fit::epochs(30).silent())
        .unwrap();
    assert!(model.evaluate(([&left, &right], &y)).unwrap().loss() < 0.1 * before);
    assert_eq!(
        *model.predict(vec![&left, &right]).unwrap().shape(),
        [20, 1]
    );
    assert_eq!(model.predict_all((&left, &right)).unwrap().len(), 1);

    let text = |x: fb_train::Result<Tensor>| x.unwrap_err().to_string();
    let swapped = text(model.predict((&right, &left)));
    assert!(
        swapped.contains("input \"left\": numbers [batch, 2], found numbers [20, 3]"),
        "{swapped}"
    );
    let one = text(model.predict(&left));
    assert!(
        one.contains("expected 2 inputs: \"left\", \"right\", found 1"),
        "{one}"
    );
    let fewer = text(model.predict((&left, &right.slice(0, 0..5))));
    assert!(
        fewer.contains("input \"right\"") && fewer.contains("same rows"),
        "{fewer}"
    );
}

#[test]
fn schedules_can_be_others() {
    let (x, y) = points();
    let mut model: Model = looped(1)
        .compile(Adam::new(0.01), CrossEntropy, (Accuracy,))
        .unwrap();
    let random = Fit::epochs(3)
        .schedule(Unroll::uniform(1, 5))
        .batch_size(8)
        .silent();
    let history = model.fit((&x, &y), random).unwrap();
    let iterations = history.last("iterations").unwrap();
    assert!((1.0..=5.0).contains(&iterations));
    let longer = Predict::new().schedule(Unroll::iterations(9));
    assert_ne!(
        model.evaluate_with((&x, &y), &longer).unwrap().loss(),
        model.evaluate((&x, &y)).unwrap().loss()
    );
    assert!(
        model
            .predict_with(&x, &Predict::new().schedule(Unroll::iterations(0)))
            .is_err()
    );
}
