//! Gradients of every parameter and input against differences.

use crate::{lively, random};
use fb_autograd::gradcheck::GradCheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::Nested;
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial, Topology};
use fb_nn::layers::{Activation, Dense, Film, GatedMix};
use fb_nn::{Context, Graph, Network, Sequential, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;

fn tanh(units: usize) -> Dense {
    Dense::new(units).activation(Activation::Tanh)
}

fn check(topology: Topology, inputs: Vec<Tensor<f64>>) {
    let network = lively(Network::<f64>::build(topology.clone()).unwrap());
    let mut all = inputs.clone();
    all.extend(
        network
            .params()
            .iter()
            .map(|(_, param)| param.value.clone()),
    );
    let report = GradCheck::new().tolerance(1e-7).check(
        |vars| {
            let (given, values) = vars.split_at(inputs.len());
            let mut copy = Network::<f64>::build(topology.clone()).unwrap();
            for ((_, param), var) in copy.params_mut().iter_mut().zip(values) {
                param.value = var.tensor().clone();
            }
            let tape = Tape::new();
            let leaves: Vec<Var<f64>> = given
                .iter()
                .map(|x| tape.leaf(x.tensor().clone()))
                .collect();
            let values: Vec<_> = leaves.iter().cloned().map(Value::Float).collect();
            let mut cx = Context::train(copy.params(), tape, Key::new(3), 1);
            let outputs = copy.forward_all(&mut cx, &values).unwrap();
            let squares = outputs
                .iter()
                .map(|y| y.as_float().unwrap())
                .map(|y| (y * y).sum());
            let loss = squares.reduce(|a, b| a + b).unwrap();
            let gradients = loss.backward();
            let mut shares: Vec<_> = leaves
                .iter()
                .map(|leaf| gradients.get(leaf).cloned())
                .collect();
            let mut of_params = vec![None; copy.params().len()];
            for (id, leaf) in cx.leaves() {
                of_params[id.index()] = gradients.get(leaf).cloned();
            }
            shares.extend(of_params);
            let parents: Vec<&Var<f64>> = vars.iter().collect();
            Var::custom("network", &parents, loss.tensor().clone(), move |g| {
                let scaled = |s: &Option<Tensor<f64>>| s.as_ref().map(|s| s * g.item());
                shares.iter().map(scaled).collect()
            })
        },
        &all,
    );
    report.unwrap();
}

#[test]
fn of_a_graph_with_every_way_to_join() {
    let graph = Graph::new()
        .input("x", [3])
        .input("y", [2])
        .layer("a", tanh(3), "x")
        .layer("b", tanh(3), "y")
        .layer("mixed", GatedMix::new(), ["a", "b"])
        .layer("shaped", Film::new(), ["mixed", "y"])
        .layer("c", tanh(2), "shaped")
        .forward_edge("x", "c")
        .film()
        .forward_edge("y", "mixed")
        .gate()
        .feedback("c", "a")
        .film()
        .initial(Initial::Learned)
        .feedback("c", "b")
        .multiply()
        .initial(Initial::Constant(0.4))
        .feedback("c", "mixed")
        .gate()
        .delay(2)
        .initial(Initial::FirstSweep)
        .feedback("c", "y")
        .identity()
        .damping(0.6)
        .dropout(0.3)
        .feedback("b", "a")
        .concat()
        .noise(0.1)
        .outputs(["c", "b"])
        .schedule(Unroll::iterations(4));
    check(
        graph.topology().unwrap(),
        vec![random([3, 3], 1), random([3, 2], 2)],
    );
}

#[test]
fn of_scopes() {
    let graph = Graph::new()
        .input("x", [3])
        .layer("z", tanh(3), "x")
        .layer("y", tanh(2), "z")
        .feedback("z", "z")
        .initial(Initial::Learned)
        .feedback("y", "z")
        .gate()
        .feedback("y", "y")
        .initial(Initial::Learned)
        .scope("latent", ["z"], 2)
        .schedule(Unroll::iterations(3));
    check(graph.topology().unwrap(), vec![random([2, 3], 1)]);
}

#[test]
fn of_sequences_with_iterations_inside() {
    let network = Sequential::input([2])
        .layer("before", tanh(2))
        .layer("hidden", tanh(3))
        .layer("second", tanh(2))
        .layer("after", tanh(2))
        .feedback("hidden", "hidden")
        .clock(Clock::Step)
        .initial(Initial::Learned)
        .feedback("second", "input")
        .clock(Clock::Step)
        .delay(2)
        .film()
        .feedback("second", "hidden")
        .carry()
        .initial(Initial::Learned)
        .feedback("second", "second")
        .initial(Initial::FirstSweep)
        .schedule(Sequence::with(Unroll::iterations(2)));
    check(network.topology().unwrap(), vec![random([2, 4, 2], 1)]);
}

#[test]
fn of_a_network_in_a_network() {
    let inner = Sequential::input([3])
        .layer("hidden", tanh(3))
        .feedback("hidden", "hidden")
        .initial(Initial::Learned)
        .schedule(Unroll::iterations(2));
    let network = Sequential::input([2])
        .layer("before", tanh(3))
        .layer("inner", Nested::new(inner).unwrap())
        .layer("after", tanh(2))
        .feedback("after", "inner")
        .schedule(Unroll::iterations(3));
    check(network.topology().unwrap(), vec![random([2, 2], 1)]);
}
