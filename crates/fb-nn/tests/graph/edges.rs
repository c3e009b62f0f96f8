//! What edges carry and how: start values, noise, dropout, clipped gradients, limits; and what is left without one.

use crate::naive::Naive;
use crate::{agree, lively, numbers, random};
use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::{RunOptions, Wanted};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::feedback::topology::Initial;
use fb_nn::layers::{Activation, Add, Concat, Dense, Film, GatedMix, Multiply};
use fb_nn::{Context, Graph, Mode, Network, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;

/// `a ← x + a`, by an edge without weights.
fn sum(iterations: usize) -> Graph {
    Graph::new()
        .input("x", [3])
        .layer("a", Activation::Linear, "x")
        .feedback("a", "a")
        .identity()
        .schedule(Unroll::iterations(iterations))
}

fn build(graph: Graph) -> Network<f64> {
    graph.build_as().unwrap()
}

/// The output at each iteration.
fn run(network: &Network<f64>, cx: &mut Context<'_, f64>, x: &Tensor<f64>) -> Vec<Tensor<f64>> {
    let options = RunOptions {
        wanted: Wanted::Every,
        ..RunOptions::default()
    };
    let run = network.run(cx, x.clone(), &options).unwrap();
    run.outputs().iter().map(|y| numbers(y).clone()).collect()
}

fn zeros(rows: usize) -> Tensor<f64> {
    Tensor::zeros_of([rows, 3])
}

#[test]
fn several_inputs_and_outputs_come_together_and_part() {
    let tanh = |units| Dense::new(units).activation(Activation::Tanh);
    let graph = Graph::new()
        .input("image", [4])
        .input("label", [2])
        .layer("seen", tanh(3), "image")
        .layer("told", tanh(3), "label")
        .layer("sum", Add::new(), ["seen", "told", "seen"])
        .layer("product", Multiply::new(), ["sum", "told"])
        .layer("both", Concat::new(), ["product", "label"])
        .layer("mixed", GatedMix::new(), ["sum", "product"])
        .layer("shaped", Film::new(), ["mixed", "both"])
        .layer("belief", tanh(3), "shaped")
        .layer("score", Dense::new(2), "both")
        .forward_edge("image", "belief")
        .forward_edge("label", "belief")
        .film()
        .forward_edge("told", "score")
        .gate()
        .forward_edge("seen", "belief")
        .multiply()
        .forward_edge("seen", "both")
        .concat()
        .feedback("belief", "sum")
        .feedback("belief", "mixed")
        .identity()
        .gate()
        .feedback("score", "label")
        .delay(2)
        .damping(0.4)
        .feedback("belief", "label")
        .concat()
        .initial(Initial::FirstSweep)
        .feedback("score", "both")
        .delay(3)
        .initial(Initial::Constant(0.5))
        .outputs(["score", "seen", "belief"])
        .schedule(Unroll::iterations(5));
    let network = lively(build(graph));
    let inputs = [random([6, 4], 1), random([6, 2], 2)];
    let naive = Naive::new(&network);
    let want = naive.iterations(&inputs, &mut naive.start(), 5);
    let values = inputs.map(Value::from);
    let options = RunOptions {
        wanted: Wanted::Every,
        ..RunOptions::default()
    };
    let mut cx = Context::eval(network.params());
    let got = network.run_all(&mut cx, &values, &options).unwrap();
    for (k, want) in want.iter().enumerate() {
        agree(&got.all_outputs(k), want, &format!("iteration {k}"));
    }
    assert!((&want[4][0] - &want[3][0]).norm() > 0.1, "the loop moves");
    let last = network.forward_all(&mut cx, &values).unwrap();
    agree(&last, &want[4], "the last alone");
}

#[test]
fn noise_at_the_start_is_the_rows_own_and_new_in_each_step_of_training() {
    let network = build(sum(2).initial(Initial::Noise(0.5)));
    let at = |step: u64, first: u64, rows: usize| {
        let mut cx = Context::train(network.params(), Tape::no_grad(), Key::new(5), step)
            .with_first_row(first);
        run(&network, &mut cx, &zeros(rows)).remove(0)
    };
    let all = at(7, 0, 6);
    assert_eq!(all, at(7, 0, 6));
    assert_eq!(
        all.slice(0, 2..5),
        at(7, 2, 3),
        "whatever rows are beside it"
    );
    assert_ne!(all, at(8, 0, 6));
    let deviation = at(0, 0, 4000).square().mean().sqrt();
    assert!((deviation - 0.5).abs() < 0.02, "{deviation}");
    let evaluated = |key: u64| {
        let mut cx = Context::eval(network.params()).with_key(Key::new(key));
        run(&network, &mut cx, &zeros(2)).remove(0)
    };
    assert_eq!(evaluated(1), evaluated(1));
    assert_ne!(evaluated(1), evaluated(2));
}

#[test]
fn noise_is_new_at_each_tick_and_the_rows_own() {
    let network = build(sum(4).noise(0.5));
    let with = |mut cx: Context<'_, f64>, rows| run(&network, &mut cx, &zeros(rows));
    let eval = || Context::eval(network.params());
    assert_eq!(with(eval(), 3)[3], zeros(3), "none in evaluation");
    let noisy = with(eval().with_key(Key::new(1)), 5);
    let added: Vec<_> = std::iter::once(noisy[0].clone())
        .chain(noisy.windows(2).map(|pair| &pair[1] - &pair[0]))
        .collect();
    for (k, a) in added.iter().enumerate() {
        assert!(a.norm() > 0.1, "tick {}", k + 1);
        assert!(added[..k].iter().all(|b| (a - b).norm() > 0.1), "{}", k + 1);
    }
    let first = with(eval().with_key(Key::new(1)), 2);
    assert_eq!(noisy[3].slice(0, 0..2), first[3]);
    let later = with(eval().with_key(Key::new(1)).with_first_row(3), 2);
    assert_eq!(noisy[3].slice(0, 3..5), later[3]);
    let train = |step| {
        let tape = Tape::no_grad();
        with(Context::train(network.params(), tape, Key::new(1), step), 5).remove(3)
    };
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
}

#[test]
fn noise_goes_on_where_a_run_goes_on() {
    let network = build(sum(4).noise(0.5));
    let mut cx = Context::eval(network.params()).with_key(Key::new(1));
    let whole = run(&network, &mut cx, &zeros(2)).remove(3);
    let half = RunOptions {
        schedule: Some(&Unroll::iterations(2)),
        ..RunOptions::default()
    };
    let first = network.run(&mut cx, zeros(2), &half).unwrap();
    assert_eq!(first.state().ticks(), 2);
    let options = RunOptions {
        state: Some(first.into_state().select_rows(&[0, 1]).detached()),
        ..half
    };
    let second = network.run(&mut cx, zeros(2), &options).unwrap();
    assert_eq!(numbers(second.last()), &whole);
    let options = RunOptions {
        state: Some(network.initial_state(&mut cx, 2)),
        ..RunOptions::default()
    };
    let given = network.run(&mut cx, zeros(2), &options).unwrap();
    assert_eq!(
        numbers(given.last()),
        &whole,
        "the initial state is where a run starts"
    );
}

#[test]
fn dropout_silences_the_same_features_at_every_tick() {
    let network = build(sum(3).dropout(0.5).initial(Initial::Constant(1.0)));
    let train = |step: u64, first: u64, rows: usize| {
        let mut cx = Context::train(network.params(), Tape::no_grad(), Key::new(1), step)
            .with_first_row(first);
        run(&network, &mut cx, &zeros(rows))
    };
    let outputs = train(3, 0, 40);
    let mask = &outputs[0];
    let kept = mask.iter().filter(|&x| x == 2.0).count();
    assert_eq!(kept + mask.iter().filter(|&x| x == 0.0).count(), 120);
    assert!((40..80).contains(&kept), "{kept}");
    assert_eq!(outputs[2], mask * mask * mask);
    assert_ne!(train(4, 0, 40)[0], *mask);
    assert_eq!(train(3, 10, 5)[0], mask.slice(0, 10..15));
    let mut cx = Context::eval(network.params()).with_key(Key::new(1));
    assert_eq!(
        run(&network, &mut cx, &zeros(1))[2],
        Tensor::full_of([1, 3], 1.0)
    );
}

#[test]
fn gradients_along_an_edge_are_clipped_for_each_sample() {
    let network = build(sum(2).clip(1.0));
    let tape = Tape::new();
    let x = tape.leaf(zeros(2));
    let weights = Tensor::from_vec(vec![3.0, 0.0, 4.0, 0.1, 0.2, 0.2], [2, 3]);
    let mut cx = Context::new(network.params(), tape, Mode::Train);
    let y = network.forward(&mut cx, x.clone()).unwrap();
    let loss = (y.as_float().unwrap() * &Var::constant(weights)).sum();
    let found = loss.backward().get(&x).unwrap().clone();
    let want = Tensor::from_vec(vec![3.6, 0.0, 4.8, 0.2, 0.4, 0.4], [2, 3]);
    assert!((&found - &want).abs().max() < 1e-15, "{found:?}");
}

#[test]
fn an_edge_beyond_its_limit_ends_the_run() {
    let network = build(sum(6).limit(3.0));
    let mut cx = Context::eval(network.params());
    let x = Tensor::from_vec(vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0], [2, 3]);
    let text = network.forward(&mut cx, x).unwrap_err().to_string();
    assert_eq!(
        text,
        "feedback \"a\" -> \"a\" at iteration 4 gives 4.000e0 in row 1 of the batch, and may carry up to 3\n  \
         help: the loop diverges: lower the learning rate, damp the edge with .damping(0.5), or bound its source with Tanh"
    );
}

#[test]
fn the_network_without_an_edge_has_the_same_weights() {
    let graph = || {
        Graph::new()
            .input("x", [2])
            .layer("hidden", Dense::new(3).activation(Activation::Tanh), "x")
            .layer("out", Dense::new(2), "hidden")
            .schedule(Unroll::iterations(3))
    };
    let both = graph()
        .feedback("hidden", "hidden")
        .feedback("out", "hidden");
    let mut network = lively(build(both));
    network.params_mut().freeze("hidden/weight").unwrap();
    network
        .params_mut()
        .freeze("feedback/hidden->hidden")
        .unwrap();
    let ablated = network.without("out -> hidden").unwrap();
    let mut built = lively(build(graph().feedback("hidden", "hidden")));
    for (_, param) in built.params_mut().iter_mut() {
        param.value = network
            .params()
            .by_name(param.name())
            .unwrap()
            .value
            .clone();
    }
    let x: Tensor<f64> = random([4, 2], 3);
    let forward = |network: &Network<f64>| {
        let y = network.forward(&mut Context::eval(network.params()), x.clone());
        numbers(&y.unwrap()).clone()
    };
    assert_eq!(forward(&ablated), forward(&built));
    assert_ne!(forward(&ablated), forward(&network));
    let frozen: Vec<&str> = ablated
        .params()
        .iter()
        .filter(|(_, param)| param.is_frozen())
        .map(|(_, param)| param.name())
        .collect();
    assert_eq!(frozen, ["hidden/weight", "feedback/hidden->hidden/weight"]);
    let text = network.without("out->out").unwrap_err().to_string();
    assert!(
        text.ends_with("help: the edges are \"hidden -> hidden\", \"out -> hidden\""),
        "{text}"
    );
    let widened = build(graph().feedback("out", "hidden").concat());
    let text = widened.without("out -> hidden").unwrap_err().to_string();
    assert!(
        text.contains("takes its part of the weights with it"),
        "{text}"
    );
}
