//! Loops that run until each sample is done.

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::gradient::{Bptt, Checkpointed, LastK};
use fb_nn::feedback::network::{RunOptions, Trajectory};
use fb_nn::feedback::schedule::{Halt, HaltRule, Unroll};
use fb_nn::feedback::topology::Topology;
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Graph, Mode, Network, Registry};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use std::sync::Arc;

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

fn network(halt: Halt) -> Network<f64> {
    let mut network = Graph::new()
        .input("x", [3])
        .layer("hidden", Dense::new(4).activation(Activation::Tanh), "x")
        .layer("answer", Dense::new(2), "hidden")
        .layer("halt", Dense::new(1), "hidden")
        .feedback("hidden", "hidden")
        .output("answer")
        .schedule(halt)
        .build_as()
        .unwrap();
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(3).fold(param.name()).rng();
        param.value = Tensor::normal(*param.value.shape(), 0.0, 0.8, &mut rng);
    }
    network
}

fn eval(network: &Network<f64>, x: &Tensor<f64>) -> Trajectory<f64> {
    let mut cx = Context::eval(network.params());
    network
        .run(&mut cx, x.clone(), &RunOptions::default())
        .unwrap()
}

/// In training mode no sample leaves the batch.
fn train(network: &Network<f64>, x: &Tensor<f64>) -> Trajectory<f64> {
    let mut cx = Context::new(network.params(), Tape::new(), Mode::Train);
    network
        .run(&mut cx, x.clone(), &RunOptions::default())
        .unwrap()
}

fn answer(run: &Trajectory<f64>) -> Tensor<f64> {
    run.last().as_float().unwrap().tensor().clone()
}

#[test]
fn samples_that_leave_have_the_answers_of_those_that_stay() {
    let x = random(&[9, 3], 1);
    for halt in [
        Halt::adaptive("halt", 8),
        Halt::residual(0.05, 40),
        Halt::stable_argmax(2, 12),
    ] {
        let network = network(halt.clone());
        let (left, stayed) = (eval(&network, &x), train(&network, &x));
        let used = left.iterations_used();
        assert_eq!(used, stayed.iterations_used(), "{halt:?}");
        assert!(used.iter().any(|&n| n != used[0]), "{halt:?}: {used:?}");
        let worst = (answer(&left) - answer(&stayed)).abs().max();
        assert!(worst < 1e-12, "{halt:?}: off by {worst}");
        let state = (left.state().values().next().unwrap().tensor()
            - stayed.state().values().next().unwrap().tensor())
        .abs();
        if matches!(halt.when(), HaltRule::Adaptive { .. }) {
            // Samples that stay go on; those that leave keep the state that they left with.
            assert!(state.max() >= 0.0);
        }
        for row in 0..9 {
            let alone = eval(&network, &x.slice(0, row..row + 1));
            assert_eq!(
                answer(&alone),
                answer(&left).slice(0, row..row + 1),
                "bit for bit"
            );
            assert_eq!(alone.iterations_used(), [used[row]]);
        }
        let order = [4, 2, 8, 0, 1, 7, 3, 6, 5];
        assert_eq!(
            answer(&eval(&network, &x.select_rows(&order))),
            answer(&left).select_rows(&order)
        );
    }
}

/// Adaptive computation time by hand, one sample at a time.
#[test]
fn adaptive_answers_are_means_with_the_remainder() {
    let network = network(Halt::adaptive("halt", 5));
    let x = random(&[6, 3], 2);
    let run = eval(&network, &x);
    let mut looked = network.topology().clone();
    looked.outputs = vec!["answer".to_owned(), "halt".to_owned()];
    let mut same = Network::<f64>::build(looked).unwrap();
    same.params_mut()
        .load_state_dict(&network.params().state_dict())
        .unwrap();
    for row in 0..6 {
        let (mut used, mut want, mut iterations) = (0.0, Tensor::zeros_of([1, 2]), 0);
        for k in 1..=5 {
            let x = [x.slice(0, row..row + 1).into()];
            let options = RunOptions {
                schedule: Some(&Unroll::iterations(k)),
                ..RunOptions::default()
            };
            let mut cx = Context::eval(same.params());
            let all = same.run_all(&mut cx, &x, &options).unwrap().into_last_all();
            let logit = all[1].as_float().unwrap().item();
            let p = 1.0 / (1.0 + (-logit).exp());
            let ends = used + p >= 0.99 || k == 5;
            let weight = if ends { 1.0 - used } else { p };
            want = want + all[0].as_float().unwrap().tensor() * weight;
            used += p;
            iterations = k;
            if ends {
                break;
            }
        }
        assert_eq!(run.iterations_used()[row], iterations);
        let worst = (answer(&run).slice(0, row..row + 1) - want).abs().max();
        assert!(worst < 1e-12, "row {row}: off by {worst}");
    }
}

/// A count of iterations alone would have no derivative: what is learned from is the remainder.
#[test]
fn pondering_has_a_gradient_by_the_halting_layer() {
    for halt in [
        Halt::adaptive("halt", 6).ponder_cost(0.3),
        Halt::ponder("halt", 6).prior(0.3).ponder_cost(0.2),
    ] {
        let network = network(halt.clone());
        let x = random(&[5, 3], 4);
        let ids: Vec<_> = network.params().iter().map(|(id, _)| id).collect();
        let mut values: Vec<Tensor<f64>> = network
            .params()
            .iter()
            .map(|(_, p)| p.value.clone())
            .collect();
        values.push(x);
        let forward = |vars: &[Var<f64>]| {
            let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
            let mut cx = Context::new(network.params(), tape, Mode::Train);
            for (id, var) in ids.iter().zip(vars) {
                cx.bind(*id, var.clone());
            }
            let run = network
                .run(
                    &mut cx,
                    vars[vars.len() - 1].clone(),
                    &RunOptions::default(),
                )
                .unwrap();
            let y = run.last().as_float().unwrap();
            run.penalty().unwrap() * 3.0 + (y * y).sum()
        };
        gradcheck(forward, &values).unwrap_or_else(|error| panic!("{halt:?}: {error}"));

        let tape = Tape::new();
        let mut cx = Context::new(network.params(), tape, Mode::Train);
        let run = network
            .run(&mut cx, random(&[5, 3], 4), &RunOptions::default())
            .unwrap();
        let found = run.penalty().unwrap().backward();
        let bias = network.params().id("halt/bias").unwrap();
        let (_, leaf) = cx.leaves().find(|(id, _)| *id == bias).unwrap();
        assert!(found.get(leaf).unwrap().norm() > 1e-4, "{halt:?}");
    }
}

#[test]
fn halting_distributions_add_up() {
    let network = network(Halt::ponder("halt", 7));
    let run = train(&network, &random(&[5, 3], 5));
    let halting = run.halting().unwrap();
    assert_eq!(halting.weights.len(), 7);
    assert_eq!(run.outputs().len(), 7);
    let mut sum = Tensor::zeros_of([5]);
    for weight in &halting.weights {
        assert!(weight.tensor().iter().all(|w| w >= 0.0));
        sum = sum + weight.tensor();
    }
    assert!((sum - &Tensor::ones_of([5])).abs().max() < 1e-12);
    let confident = network_with_logits();
    let run = train(&confident, &random(&[5, 3], 5));
    assert_eq!(run.halting().unwrap().logits.len(), 7);
    assert!(run.penalty().is_none());
    let evaluated = eval(&confident, &random(&[5, 3], 5));
    assert_eq!(evaluated.outputs().len(), 1);
}

fn network_with_logits() -> Network<f64> {
    network(Halt::confidence("halt", 7))
}

#[test]
fn halting_starts_late_where_its_bias_is_low() {
    let iterations = |bias: f64| {
        let mut network = network(Halt::adaptive("halt", 50));
        let id = network.params().id("halt/bias").unwrap();
        network.params_mut().get_mut(id).value = Tensor::full_of([1], bias);
        let id = network.params().id("halt/weight").unwrap();
        network.params_mut().get_mut(id).value = Tensor::zeros_of([4, 1]);
        eval(&network, &random(&[1, 3], 1)).iterations_used()[0]
    };
    assert_eq!(iterations(0.0), 2, "one half and one half");
    // σ(−3) = 0.0474: 21 times that is 0.996.
    assert_eq!(iterations(Halt::START_BIAS), 21);
}

#[test]
fn what_cannot_halt_says_so() {
    let build = |halt: Halt, halting: usize| {
        let graph = Graph::new()
            .input("x", [3])
            .layer("hidden", Dense::new(4), "x")
            .layer("halt", Dense::new(halting), "hidden")
            .feedback("hidden", "hidden")
            .schedule(halt);
        graph.build_as::<f64>().unwrap_err().to_string()
    };
    assert!(build(Halt::adaptive("halt", 5), 2).contains("gives [batch, 2]"));
    assert!(build(Halt::adaptive("elsewhere", 5), 1).contains("names layer \"elsewhere\""));
    assert!(build(Halt::adaptive("halt", 0), 1).contains("at least 1 iteration"));
    assert!(build(Halt::residual(-1.0, 5), 1).contains("a tolerance above 0"));
    assert!(build(Halt::ponder("halt", 5).prior(1.0), 1).contains("between 0 and 1"));
    let no_loop = Graph::new()
        .input("x", [3])
        .layer("halt", Dense::new(1), "x")
        .schedule(Halt::adaptive("halt", 5))
        .build_as::<f64>();
    assert!(
        no_loop
            .unwrap_err()
            .to_string()
            .contains("a network with a loop")
    );

    let network = network(Halt::adaptive("halt", 5));
    let mut cx = Context::eval(network.params());
    let options = RunOptions {
        gradient: Some(Arc::new(Checkpointed::sqrt())),
        ..RunOptions::default()
    };
    let text = network
        .run(&mut cx, random(&[1, 3], 1), &options)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("can serve the schedule Halt") && text.contains("use Bptt"),
        "{text}"
    );
    for strategy in [
        Arc::new(Bptt) as Arc<dyn fb_nn::feedback::gradient::GradientStrategy<f64>>,
        Arc::new(LastK(2)),
    ] {
        let options = RunOptions {
            gradient: Some(strategy),
            ..RunOptions::default()
        };
        network.run(&mut cx, random(&[1, 3], 1), &options).unwrap();
    }
}

#[test]
fn halting_survives_files() {
    for halt in [
        Halt::adaptive("halt", 8).ponder_cost(0.5),
        Halt::ponder("halt", 8).prior(0.25),
        Halt::confidence("halt", 8),
        Halt::residual(0.05, 40),
        Halt::stable_argmax(2, 12),
    ] {
        let network = network(halt);
        let json = network.topology().to_json().unwrap();
        let read = Topology::from_json(json.clone(), &Registry::builtin()).unwrap();
        assert_eq!(read.to_json().unwrap(), json);
    }
}
