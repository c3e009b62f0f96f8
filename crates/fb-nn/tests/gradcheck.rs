//! The gradient check of whole networks: what is exact passes, what is not is told by how much.

use fb_autograd::Var;
use fb_nn::feedback::gradcheck::{GradCheck, gradcheck};
use fb_nn::feedback::gradient::{Bptt, Checkpointed, Implicit, LastK, Phantom, Rtrl, Truncated};
use fb_nn::feedback::network::Trajectory;
use fb_nn::feedback::schedule::{Converge, Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial};
use fb_nn::layers::{Activation, Concat, Dense, Dropout, Embedding, Flatten};
use fb_nn::{Graph, Network, Sequential, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

fn scaled(mut network: Network<f64>, scale: f64) -> Network<f64> {
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(11).fold(param.name()).rng();
        let scale = scale / (param.value.dims()[0] as f64).sqrt();
        param.value = Tensor::normal(*param.value.shape(), 0.0, scale, &mut rng);
    }
    network
}

fn tanh(n: usize) -> Dense {
    Dense::new(n).activation(Activation::Tanh)
}

/// Five iterations that do not collapse, with a learned start and dropout, which is drawn alike each time.
fn iterated() -> Network<f64> {
    let network = Sequential::input([3])
        .layer("hidden", tanh(4))
        .layer("drop", Dropout::new(0.3))
        .layer("out", Dense::new(2))
        .feedback("drop", "hidden")
        .initial(Initial::Learned)
        .schedule(Unroll::iterations(5))
        .build_as()
        .unwrap();
    scaled(network, 1.3)
}

/// A loop that settles, read by a layer behind it.
fn settling(scale: f64) -> Network<f64> {
    let network = Sequential::input([3])
        .layer("z", tanh(4))
        .layer("out", Dense::new(2))
        .feedback("z", "z")
        .delay(0)
        .schedule(Converge::to(1e-13).max_iterations(300))
        .build_as()
        .unwrap();
    scaled(network, scale)
}

fn loss(outputs: &[Value<f64>]) -> Var<f64> {
    let y = outputs[0].as_float().unwrap();
    (y * y * Var::constant(random(y.dims(), 9))).sum()
}

fn last(run: &Trajectory<f64>) -> Var<f64> {
    loss(&run.all_outputs(0))
}

#[test]
fn exact_strategies_pass() {
    let (network, x) = (iterated(), [random(&[4, 3], 1).into()]);
    let report = gradcheck(&network, &x, Bptt, loss).unwrap();
    assert_eq!(report.strategy(), "Bptt");
    let names: Vec<&str> = report
        .deviations()
        .iter()
        .map(|d| d.name.as_str())
        .collect();
    let mut want: Vec<&str> = network.params().iter().map(|(_, p)| p.name()).collect();
    want.push("input");
    assert_eq!(names, want);
    for strategy in [Checkpointed::sqrt(), Checkpointed::revolve(2)] {
        gradcheck(&network, &x, strategy, loss).unwrap();
    }
    gradcheck(&network, &x, Rtrl, loss).unwrap();
    gradcheck(&network, &x, LastK(5), loss).unwrap();
    let settled = settling(0.6);
    gradcheck(&settled, &x, Implicit::default().tolerance(1e-12), loss).unwrap();
    gradcheck(&settled, &x, Phantom::steps(80), loss).unwrap();
}

#[test]
fn what_is_left_out_is_told_by_parameter() {
    let (network, x) = (iterated(), [random(&[4, 3], 1).into()]);
    let text = gradcheck(&network, &x, LastK(2), loss)
        .unwrap_err()
        .to_string();
    let report = GradCheck::of(LastK(2)).measure(&network, &x, last).unwrap();
    assert!(!report.passed());
    let worst = report.worst();
    assert!(
        text.starts_with(&format!("the gradient by {:?} under LastK", worst.name)),
        "{text}"
    );
    for part in ["central difference", "off by", "beyond 1e-6", "help:"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(report.get("out/weight").unwrap().deviation < 1e-7);
    assert!(report.to_string().contains("  *"), "{report}");

    let settled = settling(0.9);
    let of = |phantom: Phantom| {
        let report = GradCheck::of(phantom).measure(&settled, &x, last).unwrap();
        report.get("z/weight").unwrap().deviation
    };
    let steps = [1, 4, 16].map(|steps| of(Phantom::steps(steps)));
    assert!(
        steps[0] > steps[1] && steps[1] > steps[2] && steps[0] > 0.05,
        "{steps:?}"
    );
    // What is accepted is a choice.
    GradCheck::of(Phantom::steps(16))
        .tolerance(2.0 * steps[2].max(1e-3))
        .check(&settled, &x, last)
        .unwrap();
}

#[test]
fn sequences_indices_and_frozen_parameters() {
    let mut network = scaled(
        Graph::new()
            .indices("words", [2])
            .input("x", [2])
            .layer("embed", Embedding::new(5, 3), "words")
            .layer("flat", Flatten, "embed")
            .layer("joined", Concat::new(), ["flat", "x"])
            .layer("hidden", tanh(3), "joined")
            .layer("out", Dense::new(2), "hidden")
            .feedback("hidden", "hidden")
            .clock(Clock::Step)
            .schedule(Sequence::new())
            .build_as()
            .unwrap(),
        1.2,
    );
    network.params_mut().freeze("out/*").unwrap();
    let words = Tensor::from_fn([2, 4, 2], |at| ((at[0] + 2 * at[1] + at[2]) % 5) as i64);
    let inputs = [words.into(), random(&[2, 4, 2], 3).into()];
    let report = gradcheck(&network, &inputs, Bptt, loss).unwrap();
    assert!(report.get("out/weight").is_none() && report.get("x").is_some());
    assert!(report.get("embed/weight").unwrap().gradient != 0.0);
    let cut = gradcheck(&network, &inputs, Truncated::pieces(2), loss);
    assert!(cut.unwrap_err().to_string().contains("under Truncated"));
}

#[test]
fn questions_without_an_answer_are_refused() {
    let x = [random(&[2, 3], 1).into()];
    let settled = settling(0.6);
    let text = GradCheck::of(Implicit::default())
        .schedule(&Converge::to(1e-3))
        .measure(&settled, &x, last)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("a residual of at most 1e-11") && text.contains("Converge::to(1e-13)"),
        "{text}"
    );
    let text = gradcheck(&iterated(), &x, Phantom::one_step(), loss)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("Phantom") && text.contains("Unroll"),
        "{text}"
    );
    let text = gradcheck(&iterated(), &[random(&[2, 7], 1).into()], Bptt, loss)
        .unwrap_err()
        .to_string();
    assert!(text.contains('7'), "{text}");
    let endless = |_: &[Value<f64>]| Var::constant(Tensor::from_scalar(f64::INFINITY));
    let text = gradcheck(&iterated(), &x, Bptt, endless)
        .unwrap_err()
        .to_string();
    assert!(text.contains("not finite"), "{text}");
}

#[test]
fn kinks_are_named() {
    let mut network = Sequential::input([2])
        .layer("hidden", Dense::new(2).activation(Activation::Relu))
        .feedback("hidden", "hidden")
        .schedule(Unroll::iterations(2))
        .build_as::<f64>()
        .unwrap();
    for (_, param) in network.params_mut().iter_mut() {
        param.value = param.value.zeros_like();
    }
    let x = [random(&[1, 2], 4).into()];
    let sum = |y: &[Value<f64>]| y[0].as_float().unwrap().sum();
    let text = gradcheck(&network, &x, Bptt, sum).unwrap_err().to_string();
    assert!(text.contains("a kink"), "{text}");
}
