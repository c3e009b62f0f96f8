//! The first three programs that one writes with a `Graph`: two inputs and a merge, a network along a sequence that is also
//! stepped through, and answer and latent recursion with its ablations; and what goes wrong on the way.

use fb_nn::feedback::Graph;
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::Clock;
use fb_nn::layers::{Activation, Add, Dense};
use fb_nn::{Context, Network, Value};
use fb_tensor::Tensor;

fn merge() -> Graph {
    Graph::new()
        .input("left", [4])
        .input("right", [3])
        .layer("a", Dense::new(8).activation(Activation::Tanh), "left")
        .layer("b", Dense::new(8).activation(Activation::Tanh), "right")
        .layer("sum", Add::new(), ["a", "b"])
        .layer("out", Dense::new(2), "sum")
}

fn elman() -> Graph {
    Graph::new()
        .input("x", [2])
        .layer("hidden", Dense::new(5).activation(Activation::Tanh), "x")
        .layer("out", Dense::new(1), "hidden")
        .feedback("hidden", "hidden")
        .clock(Clock::Step)
        .schedule(Sequence::new())
}

fn recursion(cycles: Option<usize>) -> Graph {
    let graph = Graph::new()
        .input("x", [6])
        .layer("latent", Dense::new(8).activation(Activation::Tanh), "x")
        .layer(
            "answer",
            Dense::new(3).activation(Activation::Tanh),
            "latent",
        )
        .layer("scores", Dense::new(3), "answer")
        .feedback("latent", "latent")
        .feedback("answer", "latent")
        .feedback("answer", "answer")
        .schedule(Unroll::iterations(3));
    match cycles {
        Some(cycles) => graph.scope("think", ["latent"], cycles),
        None => graph,
    }
}

fn answer(network: &Network, x: &Tensor) -> Tensor {
    let mut cx = Context::eval(network.params());
    let y = network.forward(&mut cx, x.clone()).unwrap();
    y.as_float().unwrap().tensor().clone()
}

fn error(graph: Graph) -> String {
    let built = graph.build();
    built.expect_err("the declaration is wrong").to_string()
}

#[test]
fn two_inputs_and_a_merge() {
    let network = merge().build().unwrap();
    let inputs: [Value; 2] = [Tensor::ones([5, 4]).into(), Tensor::ones([5, 3]).into()];
    let mut cx = Context::eval(network.params());
    let outputs = network.forward_all(&mut cx, &inputs).unwrap();
    assert_eq!(*outputs[0].shape(), [5, 2]);
    let swapped: [Value; 2] = [Tensor::ones([5, 3]).into(), Tensor::ones([5, 4]).into()];
    assert_eq!(
        network
            .forward_all(&mut cx, &swapped)
            .unwrap_err()
            .to_string(),
        "the network's input \"left\": expected numbers [batch, 4], found numbers [5, 3]\n  \
         help: its shape was declared with input(…), without the batch axis"
    );
}

#[test]
fn what_layers_take_and_networks_give() {
    assert_eq!(
        error(merge().layer("both", Dense::new(2), ["a", "b"])),
        "layer \"both\" (Dense): expected one input of numbers, found numbers [batch, 8] and numbers [batch, 8]\n  \
         help: put a layer that brings several together before it, such as Concat or Add"
    );
    assert_eq!(
        error(merge().layer("self", Dense::new(2), "self")),
        "layer \"self\" names an input \"self\", but there is none\n  \
         help: \"self\" is the layer itself: a value that comes back is an edge, .feedback(\"self\", \"self\")"
    );
    assert_eq!(
        error(merge().output("left")),
        "the output names layer \"left\", but there is none\n  \
         help: \"left\" is an input: hand it on with a layer, .layer(\"seen\", Activation::Linear, \"left\")"
    );
    let seen = merge().layer("seen", Activation::Linear, "left");
    assert!(seen.outputs(["out", "seen"]).build().is_ok());
}

#[test]
fn a_session_asks_for_one_step() {
    let network = elman().build().unwrap();
    let x = Tensor::from_fn([3, 4, 2], |at| (at[0] + 2 * at[1] + at[2]) as f32 / 10.0);
    let whole = answer(&network, &x);
    let mut cx = Context::eval(network.params());
    let mut session = network.session();
    for step in 0..4 {
        let wrong = session.step(&mut cx, x.clone()).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "the network's input: expected numbers [batch, 2], found numbers [3, 4, 2]\n  \
             help: its shape was declared with input(…), without the batch axis"
        );
        let y = session.step(&mut cx, x.index_axis(1, step)).unwrap();
        assert_eq!(y.as_float().unwrap().tensor(), &whole.index_axis(1, step));
    }
}

#[test]
fn a_scope_goes_with_its_last_edge() {
    let network = recursion(Some(6)).build().unwrap();
    let x = Tensor::from_fn([2, 6], |at| (at[0] + at[1]) as f32 / 10.0);
    let ablated = network.without("latent -> latent").unwrap();
    assert!(ablated.topology().scopes.is_empty());
    let once = recursion(None).build().unwrap();
    let once = once.without("latent -> latent").unwrap();
    assert_eq!(answer(&ablated, &x), answer(&once, &x));
    assert_ne!(answer(&ablated, &x), answer(&network, &x));

    let kept = network.without("answer -> latent").unwrap();
    assert_eq!(kept.topology().scopes, network.topology().scopes);
    let forward = ablated.without("answer -> latent").unwrap();
    let forward = forward.without("answer -> answer").unwrap();
    assert_eq!(forward.iterations(), 1);
}
