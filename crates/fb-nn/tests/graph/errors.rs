//! What is refused, with the place and a way out.

use crate::random;
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial};
use fb_nn::layers::{Activation, Add, Dense, Embedding};
use fb_nn::{Context, Graph, Network, Sequential, Value};
use fb_tensor::Tensor;

fn graph() -> Graph {
    Graph::new()
        .input("x", [2])
        .input("y", [3])
        .layer("a", Dense::new(4), "x")
        .layer("b", Dense::new(4), "y")
        .layer("sum", Add::new(), ["a", "b"])
        .layer("out", Dense::new(1), "sum")
        .schedule(Unroll::iterations(4))
}

#[track_caller]
fn refused(graph: Graph, parts: &[&str]) {
    let text = graph.build().expect_err("it cannot be").to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(text.contains("\n  help: "), "{text}");
}

#[test]
fn loops_that_cannot_be_computed() {
    refused(
        graph().feedback("out", "a").delay(0),
        &["edge \"out\" -> \"a\" has a delay of 0", "use .delay(1)"],
    );
    refused(
        graph().feedback("out", "a").delay(0).clock(Clock::Step),
        &[
            "edge \"out\" -> \"a\" has a delay of 0 steps",
            "use .delay(1)",
        ],
    );
    refused(
        graph().feedback("out", "a").clock(Clock::Step),
        &[
            "feedback \"out\" -> \"a\" is on the wrong clock",
            "the schedule Unroll runs over the same input",
            "use .schedule(Sequence::new())",
        ],
    );
    refused(
        graph().feedback("b", "a"),
        &[
            "feedback \"b\" -> \"a\" closes no loop",
            "connect them without delay: .forward_edge(\"b\", \"a\")",
        ],
    );
    refused(
        graph()
            .feedback("out", "b")
            .feedback("b", "a")
            .feedback("a", "a")
            .carry(),
        &[
            "feedback \"a\" -> \"a\" carries nothing on",
            "drop .carry()",
        ],
    );
    refused(
        graph().feedback("out", "a").delay(4),
        &[
            "feedback \"out\" -> \"a\" can never be reached",
            "Unroll::iterations(5)",
        ],
    );
    let by_way_of_another = graph().feedback("out", "b").feedback("b", "a");
    assert!(
        by_way_of_another.build().is_ok(),
        "b depends on a by way of out"
    );
    refused(
        graph()
            .feedback("out", "a")
            .delay(3)
            .schedule(Sequence::with(Unroll::iterations(3))),
        &[
            "can never be reached",
            "or .clock(Clock::Step) if it counts steps",
        ],
    );
}

#[test]
fn edges_that_do_not_fit() {
    refused(
        graph().feedback("out", "sum").identity(),
        &[
            "feedback \"out\" -> \"sum\" cannot be added without weights",
            "\"out\" gives [batch, 1]",
            "drop .identity() to learn a 1 -> 4 map",
        ],
    );
    refused(
        graph().forward_edge("x", "out").identity(),
        &["edge \"x\" -> \"out\" cannot be added without weights"],
    );
    refused(
        graph().forward_edge("x", "y"),
        &[
            "edge \"x\" -> \"y\" goes to an input",
            "join the first layer instead",
        ],
    );
    refused(
        graph().feedback("x", "out"),
        &[
            "feedback \"x\" -> \"out\" starts at the input",
            ".forward_edge(from, to)",
        ],
    );
    let words = Graph::new()
        .indices("words", [5])
        .layer("vectors", Embedding::new(9, 4), "words")
        .layer("out", Dense::new(4), "vectors")
        .schedule(Unroll::iterations(3));
    refused(
        words.clone().feedback("out", "vectors"),
        &[
            "feedback \"out\" -> \"vectors\" does not carry numbers",
            "the layer after it",
        ],
    );
    refused(
        words.feedback("out", "words"),
        &["feedback \"out\" -> \"words\" does not carry numbers"],
    );
    refused(
        Graph::new()
            .input("x", [2])
            .layer("a", Dense::new(2), "x")
            .feedback("x", "x")
            .clock(Clock::Step)
            .concat()
            .schedule(Sequence::new()),
        &["its own width would depend on itself"],
    );
}

#[test]
fn settings_that_mean_nothing() {
    let edge = || graph().forward_edge("x", "out");
    for (method, graph) in [
        ("clock", edge().clock(Clock::Step)),
        ("carry", edge().carry()),
        ("initial", edge().initial(Initial::Learned)),
        ("damping", edge().damping(0.5)),
        ("limit", edge().limit(2.0)),
    ] {
        refused(
            graph,
            &[
                &format!("edge \"x\" -> \"out\" has .{method}() and no delay"),
                &format!("drop .{method}()"),
            ],
        );
    }
    let edge = || graph().feedback("out", "a");
    for (what, graph) in [
        ("the damping", edge().damping(0.0)),
        ("the damping", edge().damping(1.5)),
        ("the damping", edge().damping(f64::NAN)),
        ("the noise", edge().noise(-1.0)),
        ("the dropout", edge().dropout(1.0)),
        ("the clip", edge().clip(0.0)),
        ("the limit", edge().limit(f64::INFINITY)),
        (
            "the initial value",
            edge().initial(Initial::Constant(f64::NAN)),
        ),
        ("the initial noise", edge().initial(Initial::Noise(-0.5))),
    ] {
        let text = graph.build().unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("{what} of feedback \"out\" -> \"a\": expected")),
            "{text}"
        );
    }
}

#[test]
fn names_that_cannot_be() {
    let with = |input: &str, layer: &str, takes: &str| {
        Graph::new()
            .input(input, [2])
            .layer(layer, Dense::new(1), takes)
    };
    refused(with("x", "x", "x"), &["layer \"x\" is declared twice"]);
    refused(
        with("x", "input", "x"),
        &["layer \"input\" has a reserved name"],
    );
    refused(
        with("feedback", "a", "feedback"),
        &["input \"feedback\" has a reserved name"],
    );
    refused(
        with("x", "edge", "x"),
        &["layer \"edge\" has a reserved name"],
    );
    refused(
        with("x", "a", "z"),
        &["layer \"a\" names an input \"z\"", "before it stand \"x\""],
    );
    refused(
        with("x", "a", "b").layer("b", Dense::new(1), "x"),
        &[
            "layer \"a\" names an input \"b\"",
            ".feedback(\"b\", \"a\")",
        ],
    );
    refused(
        with("x", "a", "x").output("x"),
        &["the output names layer \"x\""],
    );
    refused(
        with("x", "a", "x").layer("b", Add::new(), Vec::new()),
        &["the inputs of layer \"b\": expected at least one"],
    );
    refused(
        Graph::new().layer("a", Dense::new(1), "x"),
        &["at least one input", ".input(\"x\", [2])"],
    );
}

#[test]
fn inputs_that_are_not_what_was_declared() {
    let network: Network<f32> = graph().feedback("out", "a").build().unwrap();
    let mut cx = Context::eval(network.params());
    let (x, y) = (random::<f32>([3, 2], 1), random::<f32>([3, 3], 2));
    let mut error = |inputs: &[Value]| {
        let text = network
            .forward_all(&mut cx, inputs)
            .unwrap_err()
            .to_string();
        assert!(text.contains("\n  help: "), "{text}");
        text
    };
    assert_eq!(
        error(&[x.clone().into()]),
        "the network's inputs: expected 2: \"x\", \"y\", found 1\n  help: Network::run_all takes several inputs"
    );
    assert!(error(&[x.clone().into(), x.clone().into()]).starts_with(
        "the network's input \"y\": expected numbers [batch, 3], found numbers [3, 2]"
    ));
    let other = error(&[x.into(), y.slice(0, 0..2).into()]);
    assert!(other.contains("all inputs have the same batch"), "{other}");
    let indices = error(&[Tensor::from([[1_i64, 2]]).into(), y.into()]);
    assert!(indices.contains("found indices [1, 2]"), "{indices}");
}

#[test]
fn sequences_without_samples_or_steps() {
    let network: Network<f32> = Sequential::input([2])
        .layer("hidden", Dense::new(3).activation(Activation::Tanh))
        .layer("out", Dense::new(1))
        .feedback("hidden", "hidden")
        .clock(Clock::Step)
        .initial(Initial::Learned)
        .feedback("out", "hidden")
        .noise(0.1)
        .dropout(0.1)
        .clip(1.0)
        .limit(10.0)
        .schedule(Sequence::with(Unroll::iterations(2)))
        .build()
        .unwrap();
    let mut cx = Context::train(
        network.params(),
        fb_autograd::Tape::new(),
        fb_tensor::random::Key::new(1),
        0,
    );
    let none = network
        .forward(&mut cx, Tensor::<f32>::zeros_of([0, 4, 2]))
        .unwrap();
    assert_eq!(none.shape().to_vec(), [0, 4, 1]);
    let text = network
        .forward(&mut cx, Tensor::<f32>::zeros_of([3, 0, 2]))
        .unwrap_err();
    assert!(
        text.to_string()
            .ends_with("found numbers [3, 0, 2]\n  help: a sequence has at least one step"),
        "{text}"
    );
    let text = network
        .forward(&mut cx, Tensor::<f32>::zeros_of([3, 2]))
        .unwrap_err();
    assert!(
        text.to_string()
            .contains("expected numbers [batch, time, 2]"),
        "{text}"
    );
}

#[test]
fn a_schedule_for_one_run_is_checked_too() {
    let network: Network<f32> = Sequential::input([2])
        .layer("hidden", Dense::new(3).activation(Activation::Tanh))
        .feedback("hidden", "hidden")
        .carry()
        .schedule(Sequence::with(Unroll::iterations(2)))
        .build()
        .unwrap();
    let options = RunOptions {
        schedule: Some(&Unroll::iterations(2)),
        ..RunOptions::default()
    };
    let mut cx = Context::eval(network.params());
    let text = network
        .run(&mut cx, random::<f32>([3, 2], 1), &options)
        .unwrap_err();
    assert!(text.to_string().contains("carries nothing on"), "{text}");
}
