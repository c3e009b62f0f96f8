//! Architectures in files.

use crate::{lively, numbers, random};
use fb_nn::feedback::network::Nested;
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial, Topology};
use fb_nn::layers::{Activation, Concat, Dense};
use fb_nn::{Context, Graph, Network, Registry, Sequential};
use fb_tensor::Tensor;
use serde_json::json;

fn read(json: serde_json::Value) -> fb_nn::Result<Topology> {
    Topology::from_json(json, &Registry::builtin())
}

fn everything() -> Graph {
    let inner = Sequential::input([3])
        .layer("hidden", Dense::new(3))
        .feedback("hidden", "hidden")
        .schedule(Unroll::uniform(2, 3));
    Graph::new()
        .input("x", [2])
        .input("z", [3])
        .layer("a", Dense::new(3).activation(Activation::Tanh), "z")
        .layer("inner", Nested::new(inner).unwrap(), "a")
        .layer("both", Concat::new(), ["x", "inner"])
        .layer("out", Dense::new(2), "both")
        .forward_edge("x", "out")
        .film()
        .feedback("out", "x")
        .clock(Clock::Step)
        .delay(2)
        .initial(Initial::Constant(0.5))
        .full()
        .feedback("inner", "a")
        .carry()
        .damping(0.5)
        .noise(0.1)
        .dropout(0.2)
        .clip(3.0)
        .limit(1e4)
        .initial(Initial::Noise(0.1))
        .feedback("a", "a")
        .gate()
        .initial(Initial::Learned)
        .scope("latent", ["a", "inner"], 2)
        .outputs(["out", "both"])
        .schedule(Sequence::with(Unroll::iterations(3)))
        .seed(5)
}

#[test]
fn graphs_survive_their_files() {
    let topology = everything().topology().unwrap();
    let json = topology.to_json().unwrap();
    let text = serde_json::to_string(&json).unwrap();
    let again = read(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(again.edges, topology.edges);
    assert_eq!(again.scopes, topology.scopes);
    assert_eq!(again.inputs, topology.inputs);
    assert_eq!(again.outputs, topology.outputs);
    assert_eq!(again.to_json().unwrap(), json);
    let (first, second) = (
        Network::<f32>::build(topology).unwrap(),
        Network::<f32>::build(again).unwrap(),
    );
    assert_eq!(first.params().state_dict(), second.params().state_dict());
    assert!(
        first
            .params()
            .by_name("inner/feedback/hidden->hidden/weight")
            .is_some()
    );
    let (x, z) = (random::<f32>([2, 4, 2], 1), random::<f32>([2, 4, 3], 2));
    let inputs = [x.into(), z.into()];
    let run = |network: &Network| {
        let mut cx = Context::eval(network.params());
        let outputs = network.forward_all(&mut cx, &inputs).unwrap();
        outputs
            .iter()
            .map(|y| numbers(y).clone())
            .collect::<Vec<Tensor>>()
    };
    assert_eq!(run(&first), run(&second));
}

#[test]
fn the_first_format_still_reads() {
    let json = json!({
        "format": 1,
        "input": [2],
        "layers": [
            {"name": "hidden", "kind": "Dense", "config": {"units": 3, "activation": "Tanh", "bias": true,
                "weight_init": {"GlorotUniform": {"gain": 1.0}}, "bias_init": "Zeros"}},
            {"name": "output", "kind": "Dense", "config": {"units": 1, "activation": "Linear", "bias": true,
                "weight_init": {"GlorotUniform": {"gain": 1.0}}, "bias_init": "Zeros"}}
        ],
        "feedback": [{"from": "output", "to": "hidden", "combine": "add", "projection": "learned", "delay": 1,
            "initial": "zeros"}],
        "schedule": {"kind": "Unroll", "config": {"iterations": 4}},
        "seed": 3
    });
    let read = Network::<f64>::build(read(json).unwrap()).unwrap();
    let declared = Sequential::input([2])
        .layer("hidden", Dense::new(3).activation(Activation::Tanh))
        .layer("output", Dense::new(1))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(4))
        .seed(3)
        .build_as::<f64>()
        .unwrap();
    let x: Tensor<f64> = random([3, 2], 1);
    let run = |network: Network<f64>| {
        let network = lively(network);
        let y = network
            .forward(&mut Context::eval(network.params()), x.clone())
            .unwrap();
        numbers(&y).clone()
    };
    assert_eq!(run(read), run(declared));
}

#[test]
fn what_is_not_known_is_not_ignored() {
    let good = everything().topology().unwrap().to_json().unwrap();
    let wrong = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = good.clone();
        change(&mut json);
        read(json).unwrap_err().to_string()
    };
    type Change = Box<dyn Fn(&mut serde_json::Value)>;
    let changes: [(&str, Change); 7] = [
        ("colour", Box::new(|json| json["colour"] = json!(1))),
        (
            "gain",
            Box::new(|json| json["feedback"][0]["gain"] = json!(1)),
        ),
        (
            "sort",
            Box::new(|json| json["layers"][0]["sort"] = json!(1)),
        ),
        (
            "kinds",
            Box::new(|json| json["inputs"][0]["kinds"] = json!(1)),
        ),
        (
            "times",
            Box::new(|json| json["scopes"][0]["times"] = json!(1)),
        ),
        (
            "steps",
            Box::new(|json| json["schedule"]["config"]["steps"] = json!(1)),
        ),
        (
            "why",
            Box::new(|json| json["layers"][1]["config"]["why"] = json!(1)),
        ),
    ];
    for (field, change) in changes {
        let text = wrong(&*change);
        assert!(text.contains(&format!("unknown field `{field}`")), "{text}");
        assert!(text.contains("help: "), "{text}");
    }
    let both = wrong(&|json| json["input"] = json!([2]));
    assert!(both.contains("it has both `input` and `inputs`"), "{both}");
    let nested = wrong(&|json| json["layers"][1]["config"]["layers"][0]["kind"] = json!("Dnese"));
    assert!(nested.contains("is of kind \"Dnese\""), "{nested}");
}
