//! Gradient strategies against each other, against differences, and against closed forms.

use fb_autograd::{Tape, Var};
use fb_nn::feedback::gradient::{
    Bptt, Checkpointed, GradientStrategy, LastK, Phantom, Rtrl, Truncated,
};
use fb_nn::feedback::network::{RunOptions, Wanted};
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial};
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Graph, Mode, Network, Sequential};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use std::sync::Arc;

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

/// Weights that keep the loop moving: a network near its fixed point has no gradient through time to be wrong.
fn lively(mut network: Network<f64>) -> Network<f64> {
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(11).fold(param.name()).rng();
        let scale = 1.3 / (param.value.dims()[0] as f64).sqrt();
        param.value = Tensor::normal(*param.value.shape(), 0.0, scale, &mut rng);
    }
    network
}

/// Delays, learned and other initial values, gates, damping, a layer before and one after.
fn iterated(iterations: usize) -> Network<f64> {
    let tanh = |n| Dense::new(n).activation(Activation::Tanh);
    lively(
        Sequential::input([3])
            .layer("before", tanh(4))
            .layer("first", tanh(3))
            .layer("second", tanh(3))
            .layer("after", Dense::new(2))
            .feedback("second", "first")
            .initial(Initial::Learned)
            .feedback("first", "first")
            .gate()
            .delay(2)
            .feedback("second", "second")
            .damping(0.6)
            .schedule(Unroll::iterations(iterations))
            .build_as()
            .unwrap(),
    )
}

/// Memory of two kinds along a sequence, with iterations inside each step.
fn sequence() -> Network<f64> {
    let tanh = |n| Dense::new(n).activation(Activation::Tanh);
    lively(
        Graph::new()
            .input("x", [2])
            .layer("hidden", tanh(3), "x")
            .layer("deep", tanh(2), "hidden")
            .layer("out", Dense::new(2), "deep")
            .feedback("hidden", "hidden")
            .clock(Clock::Step)
            .initial(Initial::Learned)
            .feedback("deep", "hidden")
            .schedule(Sequence::with(Unroll::iterations(2)))
            .build_as()
            .unwrap(),
    )
}

struct Found {
    outputs: Vec<Tensor<f64>>,
    by_input: Tensor<f64>,
    by_weights: Vec<(String, Tensor<f64>)>,
    nodes: usize,
}

/// The gradients of a function of all wanted outputs.
fn gradients(
    network: &Network<f64>,
    x: &Tensor<f64>,
    strategy: impl GradientStrategy<f64> + 'static,
    wanted: Wanted,
) -> Found {
    let tape = Tape::new();
    let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
    let input = tape.leaf(x.clone());
    let options = RunOptions {
        gradient: Some(Arc::new(strategy)),
        wanted,
        ..RunOptions::default()
    };
    let run = network.run(&mut cx, input.clone(), &options).unwrap();
    let outputs: Vec<Var<f64>> = run
        .outputs()
        .iter()
        .map(|v| v.as_float().unwrap().clone())
        .collect();
    let mut loss = Var::constant(Tensor::from_scalar(0.0));
    for (k, output) in outputs.iter().enumerate() {
        let weight = Var::constant(random(output.dims(), 100 + k as u64));
        loss = loss + (output * output * weight).sum();
    }
    let nodes = tape.len();
    let found = loss.backward();
    let by_weights = cx.leaves().map(|(id, leaf)| {
        let zeros = || leaf.tensor().zeros_like();
        let gradient = found.get(leaf).cloned().unwrap_or_else(zeros);
        (network.params().get(id).name().to_owned(), gradient)
    });
    Found {
        outputs: outputs.iter().map(|v| v.tensor().clone()).collect(),
        by_input: found.get(&input).unwrap().clone(),
        by_weights: by_weights.collect(),
        nodes,
    }
}

fn assert_equal(got: &Found, want: &Found, what: &str) {
    assert_eq!(got.outputs, want.outputs, "{what}: the same answers");
    let worst = (&got.by_input - &want.by_input).abs().max();
    assert!(worst < 1e-10, "{what}: by the input, off by {worst}");
    for (name, want) in &want.by_weights {
        let (_, got) = got
            .by_weights
            .iter()
            .find(|(n, _)| n == name)
            .unwrap_or_else(|| panic!("{what}: no gradient of {name}"));
        let worst = (got - want).abs().max();
        assert!(worst < 1e-10, "{what}: by {name}, off by {worst}");
        assert!(
            want.norm() > 1e-9,
            "{name} has a gradient that can be wrong"
        );
    }
}

#[test]
fn checkpointed_loops_have_the_whole_gradient() {
    let strategies = || {
        [
            ("sqrt", Checkpointed::sqrt()),
            ("every 1", Checkpointed::every(1)),
            ("every 3", Checkpointed::every(3)),
            ("every 99", Checkpointed::every(99)),
            ("revolve 1", Checkpointed::revolve(1)),
            ("revolve 2", Checkpointed::revolve(2)),
            ("revolve 3", Checkpointed::revolve(3)),
            ("revolve 20", Checkpointed::revolve(20)),
        ]
    };
    let (network, x) = (iterated(7), random(&[4, 3], 1));
    for wanted in [Wanted::Last, Wanted::Every] {
        let want = gradients(&network, &x, Bptt, wanted);
        for (name, strategy) in strategies() {
            let got = gradients(&network, &x, strategy, wanted);
            assert_equal(&got, &want, name);
            assert_eq!(got.by_input, want.by_input, "{name}: bit for bit");
        }
    }
    let (network, x) = (sequence(), random(&[3, 9, 2], 2));
    let want = gradients(&network, &x, Bptt, Wanted::Last);
    for (name, strategy) in strategies() {
        let got = gradients(&network, &x, strategy, Wanted::Last);
        assert_equal(&got, &want, name);
        assert!(
            got.nodes < want.nodes,
            "{name}: the loop is not on the tape"
        );
    }
}

#[test]
fn gradients_forward_in_time_equal_those_backward() {
    for wanted in [Wanted::Last, Wanted::Every] {
        let (network, x) = (iterated(4), random(&[2, 3], 1));
        let want = gradients(&network, &x, Bptt, wanted);
        assert_equal(&gradients(&network, &x, Rtrl, wanted), &want, "Rtrl");
    }
    let (network, x) = (sequence(), random(&[2, 5, 2], 2));
    let want = gradients(&network, &x, Bptt, Wanted::Last);
    assert_equal(&gradients(&network, &x, Rtrl, Wanted::Last), &want, "Rtrl");
}

#[test]
fn windows_that_hold_everything_have_the_whole_gradient() {
    let (network, x) = (sequence(), random(&[3, 6, 2], 3));
    let want = gradients(&network, &x, Bptt, Wanted::Last);
    for (k1, k2) in [(6, 6), (2, 6), (1, 6), (100, 100), (4, 50)] {
        let got = gradients(&network, &x, Truncated { k1, k2 }, Wanted::Last);
        assert_equal(&got, &want, &format!("k1 {k1}, k2 {k2}"));
    }
    let cut = gradients(&network, &x, Truncated::pieces(2), Wanted::Last);
    assert_eq!(cut.outputs, want.outputs, "the state goes on");
    let differs = |name: &str| {
        let of = |found: &Found| {
            let (_, g) = found.by_weights.iter().find(|(n, _)| n == name).unwrap();
            g.clone()
        };
        (of(&cut) - of(&want)).norm()
    };
    assert!(differs("feedback/hidden->hidden/weight") > 1e-3);
}

/// Truncation is a sum over outputs of gradients that stop: each can be had by cutting the state by hand.
#[test]
fn windows_end_where_they_say() {
    let network = lively(
        Sequential::input([2])
            .layer("hidden", Dense::new(3).activation(Activation::Tanh))
            .feedback("hidden", "hidden")
            .clock(Clock::Step)
            .schedule(Sequence::new())
            .build_as()
            .unwrap(),
    );
    let (steps, batch) = (7, 2);
    let x = random(&[batch, steps, 2], 4);
    for (k1, k2) in [(1, 1), (2, 2), (1, 3), (2, 3), (3, 4), (2, 1), (3, 2)] {
        let got = gradients(&network, &x, Truncated { k1, k2 }, Wanted::Last);
        let whole = random(&[batch, steps, 3], 100);
        let mut want: Option<Tensor<f64>> = None;
        let mut piece = 0;
        while piece < steps {
            let end = (piece + k1).min(steps);
            let cut = match k2 > k1 {
                true => piece.saturating_sub(k2 - k1),
                false => end.saturating_sub(k2).max(piece),
            };
            // Steps up to `cut` run on constants, those after it are recorded; the outputs of the piece count.
            let tape = Tape::new();
            let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
            let (head, tail) = (x.slice(1, 0..cut), x.slice(1, cut..end));
            let state = (cut > 0).then(|| {
                let mut eval = Context::eval(network.params());
                let run = network.run(&mut eval, Var::constant(head), &RunOptions::default());
                run.unwrap().into_state()
            });
            let options = RunOptions {
                state,
                ..RunOptions::default()
            };
            let run = network.run(&mut cx, tape.leaf(tail), &options).unwrap();
            let output = run.last().as_float().unwrap();
            let first = piece.max(cut) - cut;
            let counted = output.slice(1, first..end - cut);
            let weight = Var::constant(whole.slice(1, piece.max(cut)..end));
            let gradients = (&counted * &counted * weight).sum().backward();
            let leaf = cx.leaves().find(|(id, _)| {
                network.params().get(*id).name() == "feedback/hidden->hidden/weight"
            });
            // The first step alone has nothing fed back.
            if let Some(g) = leaf.and_then(|(_, leaf)| gradients.get(leaf)) {
                want = Some(match want {
                    Some(sum) => sum + g,
                    None => g.clone(),
                });
            }
            piece = end;
        }
        let (_, found) = got
            .by_weights
            .iter()
            .find(|(n, _)| n == "feedback/hidden->hidden/weight")
            .unwrap();
        let want = want.unwrap_or_else(|| found.zeros_like());
        let worst = (found - &want).abs().max();
        assert!(worst < 1e-12, "k1 {k1}, k2 {k2}: off by {worst}");
    }
}

#[test]
fn the_last_iterations_alone() {
    let (network, x) = (iterated(6), random(&[4, 3], 1));
    let whole = gradients(&network, &x, Bptt, Wanted::Last);
    let all = gradients(&network, &x, LastK(6), Wanted::Last);
    assert_equal(&all, &whole, "LastK(6) of 6");
    for k in 1..6 {
        let last = gradients(&network, &x, LastK(k), Wanted::Last);
        let window = gradients(&network, &x, Truncated { k1: 1, k2: k }, Wanted::Last);
        assert_eq!(last.outputs, whole.outputs);
        assert!(last.nodes < whole.nodes);
        let of = |found: &Found| {
            let name = "feedback/second->first/weight";
            found
                .by_weights
                .iter()
                .find(|(n, _)| n == name)
                .unwrap()
                .1
                .clone()
        };
        assert!((of(&last) - of(&window)).abs().max() < 1e-12);
        assert!((of(&last) - of(&whole)).norm() > 1e-6, "k {k}");
    }
}

#[test]
fn strategies_that_cannot_serve_say_so() {
    let network = iterated(3);
    let error = |strategy: Arc<dyn GradientStrategy<f64>>| {
        let options = RunOptions {
            gradient: Some(strategy),
            ..RunOptions::default()
        };
        let mut cx = Context::eval(network.params());
        let run = network.run(&mut cx, random(&[1, 3], 1), &options);
        run.unwrap_err().to_string()
    };
    assert_eq!(
        error(Arc::new(Phantom::one_step())),
        "the gradient strategy Phantom: expected one that can serve the schedule Unroll, found Phantom\n  \
         help: use LastK(k) for the last k iterations, or the schedule Converge"
    );
    for wrong in [
        Arc::new(LastK(0)) as Arc<dyn GradientStrategy<f64>>,
        Arc::new(Truncated { k1: 0, k2: 3 }),
        Arc::new(Truncated { k1: 3, k2: 0 }),
        Arc::new(Checkpointed::every(0)),
        Arc::new(Checkpointed::revolve(0)),
        Arc::new(Phantom {
            steps: 0,
            damping: 1.0,
        }),
        Arc::new(Phantom {
            steps: 1,
            damping: 1.5,
        }),
    ] {
        let text = error(wrong);
        assert!(
            text.contains("expected at least 1") || text.contains("k1 and k2"),
            "{text}"
        );
    }
}
