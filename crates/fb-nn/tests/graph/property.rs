//! Random graphs against the plain interpreter.

use crate::naive::Naive;
use crate::{agree, lively, random};
use fb_nn::feedback::network::{RunOptions, Wanted};
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::*;
use fb_nn::layers::{Activation, Add, Concat, Dense, Film, GatedMix, Multiply};
use fb_nn::module::{AnyLayer, Spec};
use fb_nn::{Context, Network, Value};
use fb_tensor::Tensor;
use fb_tensor::random::{Key, Rng};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::Arc;

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())].clone()
}

fn slots(topology: &Topology) -> Vec<String> {
    let inputs = topology.inputs.iter().map(|input| input.name.clone());
    let nodes = topology.nodes.iter().map(|node| node.name.clone());
    inputs.chain(nodes).collect()
}

/// Whether there is such a network.
fn can_be(topology: &Topology) -> bool {
    Network::<f64>::build(topology.clone()).is_ok()
}

fn random_layer(rng: &mut Rng) -> (Arc<dyn AnyLayer>, usize) {
    let activation = pick(
        rng,
        &[Activation::Tanh, Activation::Sigmoid, Activation::Linear],
    );
    match rng.random_range(0..10) {
        0 => (Arc::new(Add::new()), 2),
        1 => (Arc::new(Multiply::new()), 2),
        2 => (Arc::new(Concat::new()), 2),
        3 => (Arc::new(GatedMix::new()), 2),
        4 => (Arc::new(Film::new()), 2),
        5 => (Arc::new(Activation::Tanh), 1),
        _ => {
            let units = rng.random_range(1..4);
            (Arc::new(Dense::new(units).activation(activation)), 1)
        }
    }
}

fn random_edge(rng: &mut Rng, topology: &Topology, sequence: bool) -> Edge {
    let slots = slots(topology);
    let mut edge = Edge::new(pick(rng, &slots), pick(rng, &slots));
    edge.delay = pick(rng, &[0, 1, 1, 1, 2, 3]);
    edge.combine = pick(
        rng,
        &[
            Combine::Add,
            Combine::Concat,
            Combine::Gate,
            Combine::Multiply,
            Combine::Film,
        ],
    );
    edge.projection = pick(
        rng,
        &[Projection::Learned, Projection::Full, Projection::Identity],
    );
    if edge.combine == Combine::Concat {
        edge.projection = Projection::Learned;
    }
    if edge.delay > 0 {
        edge.initial = pick(
            rng,
            &[
                Initial::Zeros,
                Initial::Constant(0.7),
                Initial::Learned,
                Initial::FirstSweep,
            ],
        );
        edge.damping = pick(rng, &[1.0, 1.0, 0.6]);
        if sequence {
            edge.clock = pick(rng, &[Clock::Step, Clock::Iteration]);
            edge.carry = edge.clock == Clock::Iteration && rng.random();
        }
    }
    edge
}

/// A small network of which each part was kept because the whole can be built with it.
fn random_graph(seed: u64) -> (Topology, usize) {
    let rng = &mut Key::new(seed).rng();
    let sequence = rng.random();
    let iterations = rng.random_range(1..5);
    let unroll = Unroll::iterations(iterations);
    let input = |n: usize| Input {
        name: format!("x{n}"),
        spec: Spec::float([n + 1]),
    };
    let mut topology = Topology {
        inputs: (0..rng.random_range(1..3)).map(input).collect(),
        nodes: Vec::new(),
        outputs: Vec::new(),
        edges: Vec::new(),
        scopes: Vec::new(),
        schedule: match sequence {
            true => Arc::new(Sequence::with(unroll)),
            false => Arc::new(unroll),
        },
        seed,
    };
    for n in 0..rng.random_range(2..7) {
        let name = format!("n{n}");
        let slots = slots(&topology);
        let (layer, takes) = random_layer(rng);
        let inputs = (0..takes).map(|_| pick(rng, &slots)).collect();
        let mut larger = topology.clone();
        larger.outputs = vec![name.clone()];
        larger.nodes.push(Node {
            name: name.clone(),
            layer,
            inputs,
        });
        if !can_be(&larger) {
            let node = larger.nodes.last_mut().unwrap();
            node.layer = Arc::new(Dense::new(2).activation(Activation::Tanh));
            node.inputs.truncate(1);
        }
        topology = larger;
    }
    for _ in 0..rng.random_range(1..12) {
        let mut larger = topology.clone();
        larger.edges.push(random_edge(rng, &topology, sequence));
        if can_be(&larger) {
            topology = larger;
        }
    }
    for n in 0..8 {
        let from = rng.random_range(0..topology.nodes.len());
        let to = rng.random_range(from..topology.nodes.len());
        let layers: Vec<String> = (from..=to).map(|i| format!("n{i}")).collect();
        let mut larger = topology.clone();
        let scope = Scope {
            name: format!("s{n}"),
            layers,
            cycles: rng.random_range(1..4),
        };
        if topology.scopes.iter().any(|s| s.layers == scope.layers) {
            continue;
        }
        larger.scopes.push(scope);
        if can_be(&larger) {
            topology = larger;
        }
    }
    let more = rng.random_range(0..topology.nodes.len());
    topology.outputs.push(format!("n{more}"));
    (topology, iterations)
}

fn check(seed: u64) -> Topology {
    let (topology, iterations) = random_graph(seed);
    println!("seed {seed}: {}", topology.to_json().unwrap());
    let network = lively(Network::<f64>::build(topology.clone()).unwrap());
    let naive = Naive::new(&network);
    let sequence = network.takes_sequences();
    let inputs: Vec<Tensor<f64>> = (0..topology.inputs.len())
        .map(|n| match sequence {
            true => random([3, 4, n + 1], seed ^ n as u64),
            false => random([3, n + 1], seed ^ n as u64),
        })
        .collect();
    let want = match sequence {
        true => vec![naive.sequence(&inputs, &mut naive.start(), iterations)],
        false => naive.iterations(&inputs, &mut naive.start(), iterations),
    };
    let values: Vec<Value<f64>> = inputs.iter().map(|x| x.clone().into()).collect();
    let options = RunOptions {
        wanted: Wanted::Every,
        ..RunOptions::default()
    };
    let mut cx = Context::eval(network.params());
    let got = network.run_all(&mut cx, &values, &options).unwrap();
    // A network without a loop over iterations runs once.
    let runs = got.outputs().len();
    assert!(runs == want.len() || runs == 1, "seed {seed}");
    let first = want.len() - runs;
    for (k, want) in want[first..].iter().enumerate() {
        agree(&got.all_outputs(k), want, &format!("seed {seed}, {k}"));
    }
    if sequence {
        let mut session = network.session();
        for time in 0..4 {
            let now: Vec<_> = values.iter().map(|x| x.index_axis(1, time)).collect();
            let step = session.step_all(&mut cx, &now).unwrap();
            for (step, whole) in step.iter().zip(got.all_outputs(0)) {
                let whole = whole.index_axis(1, time);
                let (step, whole) = (step.as_float().unwrap(), whole.as_float().unwrap());
                let same = step.tensor() == whole.tensor();
                assert!(
                    same || !whole.tensor().is_all_finite(),
                    "seed {seed}, {time}"
                );
            }
        }
    }
    topology
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_graphs_mean_what_the_interpreter_says(seed in any::<u64>()) {
        check(seed);
    }
}

#[test]
fn the_random_graphs_have_everything() {
    let graphs: Vec<Topology> = (0..200).map(check).collect();
    let edges = || graphs.iter().flat_map(|g| &g.edges);
    let count = |such: &dyn Fn(&Edge) -> bool| edges().filter(|e| such(e)).count();
    for combine in [
        Combine::Add,
        Combine::Concat,
        Combine::Gate,
        Combine::Multiply,
        Combine::Film,
    ] {
        assert!(
            count(&|e| e.combine == combine && e.delay == 0) > 3,
            "{combine:?}"
        );
        assert!(
            count(&|e| e.combine == combine && e.delay > 0) > 10,
            "{combine:?}"
        );
    }
    assert!(count(&|e| e.clock == Clock::Step && e.delay > 1) > 10);
    assert!(count(&|e| e.carry) > 10);
    assert!(count(&|e| e.to.starts_with('x') && e.from.starts_with('x')) > 3);
    assert!(count(&|e| e.initial == Initial::FirstSweep) > 10);
    let scopes = |n: usize| graphs.iter().filter(|g| g.scopes.len() >= n).count();
    assert!(scopes(1) > 10 && scopes(2) > 1);
}
