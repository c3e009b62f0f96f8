//! What a loop computes: the same as the loop written out by hand, whatever is computed once, whatever the batch.

use fb_autograd::gradcheck::GradCheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::gradient::GradientStrategy;
use fb_nn::feedback::network::{ExecutionPath, RunOptions, Wanted};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::feedback::topology::{Initial, Topology};
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Error, Mode, Network, Registry, Sequential, Value};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};
use std::sync::Arc;

/// One network with every kind of edge: into the input and the middle, from the end and the middle, to itself, added,
/// gated, concatenated, delayed, with a learned start; with layers before and after the loop.
fn everything(iterations: usize) -> Sequential {
    Sequential::input([3])
        .layer("before", Dense::new(5).activation(Activation::Tanh))
        .layer("first", Dense::new(4).activation(Activation::Tanh))
        .layer("second", Dense::new(6).activation(Activation::Tanh))
        .layer("third", Dense::new(2).activation(Activation::Tanh))
        .layer("after", Dense::new(3))
        .feedback("third", "first")
        .feedback("second", "first")
        .gate()
        .feedback("second", "second")
        .identity()
        .feedback("third", "second")
        .concat()
        .delay(2)
        .initial(Initial::Learned)
        .schedule(Unroll::iterations(iterations))
        .seed(3)
}

fn random<F: Float>(shape: [usize; 2], seed: u64) -> Tensor<F> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

/// Weights that keep the loop moving: a network near its fixed point has no gradient through time to be wrong.
fn lively<F: Float>(mut network: Network<F>) -> Network<F> {
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(11).fold(param.name()).rng();
        let scale = 1.3 / (param.value.dims()[0] as f64).sqrt();
        param.value = Tensor::normal(*param.value.shape(), 0.0, scale, &mut rng);
    }
    network
}

fn run<F: Float>(network: &Network<F>, x: &Tensor<F>, wanted: Wanted) -> Vec<Tensor<F>> {
    let options = RunOptions {
        wanted,
        ..RunOptions::default()
    };
    let mut cx = Context::eval(network.params());
    let trajectory = network
        .run(&mut cx, Var::constant(x.clone()), &options)
        .unwrap();
    trajectory
        .outputs()
        .iter()
        .map(|v| v.as_float().unwrap().tensor().clone())
        .collect()
}

/// The same computation as in [`everything`], written out.
fn by_hand(network: &Network<f64>, x: &Tensor<f64>, iterations: usize) -> Vec<Tensor<f64>> {
    let p = |name: &str| {
        network
            .params()
            .by_name(name)
            .unwrap_or_else(|| panic!("{name}"))
            .value
            .clone()
    };
    let dense = |name: &str, x: &Tensor<f64>| {
        x.matmul(&p(&format!("{name}/weight"))) + &p(&format!("{name}/bias"))
    };
    let batch = x.dim(0);
    let before = dense("before", x).tanh();
    let (mut second, mut third) = (vec![Tensor::<f64>::zeros_of([batch, 6])], vec![]);
    let start = p("feedback/third->second/initial").broadcast_to([batch, 2]);
    let mut outputs = Vec::new();
    for k in 0..iterations {
        let last_third = third
            .last()
            .cloned()
            .unwrap_or_else(|| Tensor::<f64>::zeros_of([batch, 2]));
        let last_second = second.last().unwrap().clone();
        let mut u =
            dense("first", &before) + &last_third.matmul(&p("feedback/third->first/weight"));
        if k > 0 {
            let both = Tensor::concat(&[&u, &last_second], 1);
            let gate = both.matmul(&p("feedback/second->first/gate_weight"))
                + &p("feedback/second->first/gate_bias");
            u = u + gate.sigmoid() * last_second.matmul(&p("feedback/second->first/weight"));
        }
        let first = u.tanh();
        let two_ago = if k >= 2 {
            third[k - 2].clone()
        } else {
            start.clone()
        };
        let s = (dense("second", &Tensor::concat(&[&first, &two_ago], 1)) + &last_second).tanh();
        let t = dense("third", &s).tanh();
        outputs.push(dense("after", &t));
        second.push(s);
        third.push(t);
    }
    outputs
}

#[test]
fn a_run_is_the_loop_written_out() {
    let iterations = 5;
    let network = lively(everything(iterations).build_as::<f64>().unwrap());
    let x = random([7, 3], 1);
    let got = run(&network, &x, Wanted::Every);
    let want = by_hand(&network, &x, iterations);
    assert_eq!(got.len(), want.len());
    for (iteration, (g, w)) in got.iter().zip(&want).enumerate() {
        let worst = (g - w).abs().max();
        assert!(worst < 1e-12, "iteration {}: off by {worst}", iteration + 1);
    }
    assert!(
        (&got[4] - &got[3]).norm() > 0.1,
        "the loop moves, so the test can fail"
    );
    assert_eq!(run(&network, &x, Wanted::Last)[0], got[4]);
}

#[test]
fn feedback_into_the_input_joins_it() {
    let network = lively(
        Sequential::input([3])
            .layer("hidden", Dense::new(4).activation(Activation::Tanh))
            .layer("output", Dense::new(2))
            .feedback("output", "input")
            .schedule(Unroll::iterations(3))
            .build_as::<f64>()
            .unwrap(),
    );
    let p = |name: &str| network.params().by_name(name).unwrap().value.clone();
    let x: Tensor<f64> = random([4, 3], 2);
    let mut output = Tensor::<f64>::zeros_of([4, 2]);
    for _ in 0..3 {
        let joined = &x + &output.matmul(&p("feedback/output->input/weight"));
        let hidden = (joined.matmul(&p("hidden/weight")) + &p("hidden/bias")).tanh();
        output = hidden.matmul(&p("output/weight")) + &p("output/bias");
    }
    let got = run(&network, &x, Wanted::Last);
    assert!((&got[0] - &output).abs().max() < 1e-13);
}

#[test]
fn gradients_of_every_parameter_agree_with_differences() {
    for wanted in [Wanted::Last, Wanted::Every] {
        let network = lively(everything(4).build_as::<f64>().unwrap());
        let values: Vec<Tensor<f64>> = network
            .params()
            .iter()
            .map(|(_, p)| p.value.clone())
            .collect();
        let mut inputs = vec![random([3, 3], 5)];
        inputs.extend(values);
        let report = GradCheck::new().tolerance(1e-7).check(
            |vars| {
                // The network takes parameters from its own list, so each check runs on a copy with these values, and
                // the sum below ties the copies' gradients to the variables that are checked.
                let mut copy = everything(4).build_as::<f64>().unwrap();
                for ((_, param), var) in copy.params_mut().iter_mut().zip(&vars[1..]) {
                    param.value = var.tensor().clone();
                }
                let tape = Tape::new();
                let x = tape.leaf(vars[0].tensor().clone());
                let mut cx = Context::new(copy.params(), tape, Mode::Train);
                let options = RunOptions {
                    wanted,
                    ..RunOptions::default()
                };
                let trajectory = copy.run(&mut cx, x.clone(), &options).unwrap();
                let loss = trajectory
                    .outputs()
                    .iter()
                    .map(|v| (v.as_float().unwrap() * v.as_float().unwrap()).sum())
                    .reduce(|a, b| a + b)
                    .unwrap();
                let gradients = loss.backward();
                let mut shares = vec![gradients.get(&x).cloned()];
                shares.extend(cx.leaves().map(|(_, leaf)| gradients.get(leaf).cloned()));
                let parents: Vec<&Var<f64>> = vars.iter().collect();
                Var::custom("network", &parents, loss.tensor().clone(), move |g| {
                    shares
                        .iter()
                        .map(|s| s.as_ref().map(|s| s * g.item()))
                        .collect()
                })
            },
            &inputs,
        );
        report.unwrap();
    }
}

#[test]
fn a_row_does_not_see_its_neighbours() {
    let network = lively(everything(4).build().unwrap());
    let x: Tensor = random([9, 3], 4);
    let all = run(&network, &x, Wanted::Last);
    for row in 0..9 {
        let alone = run(&network, &x.slice(0, row..row + 1), Wanted::Last);
        assert_eq!(alone[0], all[0].slice(0, row..row + 1), "bit for bit");
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let network = lively(everything(4).build().unwrap());
    let x: Tensor = random([600, 3], 4);
    let results: Vec<Tensor> = [1, 2, 4]
        .iter()
        .map(|&n| {
            let pool = rayon_pool(n);
            pool.install(|| run(&network, &x, Wanted::Last).remove(0))
        })
        .collect();
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

#[test]
fn the_plan_says_what_runs_how_often() {
    let network = everything(4).build().unwrap();
    let paths: Vec<ExecutionPath> = network
        .describe()
        .nodes
        .iter()
        .map(|node| node.path)
        .collect();
    assert_eq!(
        paths,
        [
            ExecutionPath::Once,
            ExecutionPath::EveryIterationHoisted,
            ExecutionPath::EveryIteration,
            ExecutionPath::EveryIteration,
            ExecutionPath::WantedIterations
        ]
    );
    let plain = Sequential::input([2])
        .layer("output", Dense::new(1))
        .build()
        .unwrap();
    assert_eq!(plain.describe().nodes[0].path, ExecutionPath::Once);
    assert_eq!(plain.iterations(), 1);
}

#[test]
fn an_architecture_survives_its_file() {
    let network = everything(4).build().unwrap();
    let json = network.topology().to_json().unwrap();
    let text = serde_json::to_string(&json).unwrap();
    let again =
        Topology::from_json(serde_json::from_str(&text).unwrap(), &Registry::builtin()).unwrap();
    let rebuilt = Network::<f32>::build(again).unwrap();
    assert_eq!(
        rebuilt.params().state_dict(),
        network.params().state_dict(),
        "same seed, same names, same values"
    );

    let mut unknown = json.clone();
    unknown["layers"][1]["kind"] = "Dnese".into();
    let error = Topology::from_json(unknown, &Registry::builtin())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("layer \"first\" is of kind \"Dnese\", which is not registered"),
        "{error}"
    );
    let mut newer = json.clone();
    newer["format"] = 99.into();
    assert!(
        Topology::from_json(newer, &Registry::builtin())
            .unwrap_err()
            .to_string()
            .contains("format 99")
    );
    for broken in [
        serde_json::json!(null),
        serde_json::json!({"format": 1}),
        serde_json::json!([]),
    ] {
        assert!(matches!(
            Topology::from_json(broken, &Registry::builtin()),
            Err(Error::Format { .. })
        ));
    }
}

#[test]
fn a_fresh_loop_contracts() {
    // The promise of the default feedback weights: over many seeds, iterating a new network settles.
    for seed in 0..20 {
        let network = Sequential::input([8])
            .layer("hidden1", Dense::new(16).activation(Activation::Tanh))
            .layer("hidden2", Dense::new(16).activation(Activation::Tanh))
            .layer("output", Dense::new(4))
            .feedback("output", "hidden1")
            .feedback("hidden2", "hidden1")
            .schedule(Unroll::iterations(30))
            .seed(seed)
            .build()
            .unwrap();
        let outputs = run(&network, &random([16, 8], seed), Wanted::Every);
        let early = (&outputs[2] - &outputs[1]).norm();
        let late = (&outputs[29] - &outputs[28]).norm();
        assert!(
            late < 1e-2 * early,
            "seed {seed}: steps go from {early} to {late}"
        );
    }
}

#[test]
fn a_nan_is_traced_to_layer_edge_and_iteration() {
    let mut network = Sequential::input([2])
        .layer("hidden", Dense::new(3))
        .layer("output", Dense::new(2))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(60))
        .build()
        .unwrap();
    for (_, param) in network.params_mut().iter_mut() {
        param.value = Tensor::full_of(*param.value.shape(), 30.0);
    }
    let mut cx = Context::eval(network.params()).checked();
    let error = network
        .run(
            &mut cx,
            Var::constant(Tensor::ones([1, 2])),
            &RunOptions::default(),
        )
        .unwrap_err();
    let Error::NonFinite {
        place, iteration, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!(
        place.contains("layer") || place.contains("feedback"),
        "{error}"
    );
    assert!(iteration.is_some_and(|k| k > 1), "{error}");
    assert!(
        error
            .to_string()
            .contains("gives an infinity in row 0 of the batch"),
        "{error}"
    );
    assert!(error.to_string().contains("\n  help: "), "{error}");
}

#[test]
fn iterations_that_are_not_recorded_give_no_gradient() {
    #[derive(Debug)]
    struct OnlyLast;
    impl<F: Float> GradientStrategy<F> for OnlyLast {
        fn kind(&self) -> &'static str {
            "OnlyLast"
        }
        fn records(&self, iteration: usize, total: usize) -> bool {
            iteration == total
        }
    }
    let network = lively(everything(4).build_as::<f64>().unwrap());
    let x: Tensor<f64> = random([3, 3], 8);
    let gradients_of = |strategy: Arc<dyn GradientStrategy<f64>>| {
        let tape = Tape::new();
        let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
        let options = RunOptions {
            gradient: Some(strategy),
            ..RunOptions::default()
        };
        let trajectory = network
            .run(&mut cx, Var::constant(x.clone()), &options)
            .unwrap();
        let output = trajectory.last().as_float().unwrap().clone();
        let gradients = (&output * &output).sum().backward();
        let by_first = cx
            .leaves()
            .find(|(id, _)| network.params().get(*id).name() == "first/weight")
            .unwrap()
            .1;
        (
            output.into_tensor(),
            gradients.get(by_first).unwrap().clone(),
            tape.len(),
        )
    };
    let (full, whole, long) = gradients_of(Arc::new(fb_nn::feedback::gradient::Bptt));
    let (cut, last, short) = gradients_of(Arc::new(OnlyLast));
    assert_eq!(full, cut, "the strategy does not change the answer");
    assert!(
        (&whole - &last).norm() > 1e-3,
        "but it changes the gradient"
    );
    assert!(
        short * 2 < long,
        "and the tape is short: {short} against {long}"
    );
}

#[test]
fn inputs_of_another_shape_are_refused() {
    let network = everything(3).build().unwrap();
    let mut cx = Context::eval(network.params());
    let error = network
        .forward(&mut cx, Var::constant(Tensor::zeros([4, 2])))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the network's input: expected numbers [batch, 3], found numbers [4, 2]"),
        "{error}"
    );
    let error = network
        .forward(&mut cx, Var::constant(Tensor::zeros([3])))
        .unwrap_err()
        .to_string();
    assert!(error.contains(".unsqueeze(0)"), "{error}");
    let error = network
        .forward(&mut cx, Value::Index(Tensor::from([[1_i64, 2, 3]])))
        .unwrap_err()
        .to_string();
    assert!(error.contains("found indices [1, 3]"), "{error}");
}
