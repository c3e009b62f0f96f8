//! Feedback networks against PyTorch: the outputs of every iteration, both losses, and all gradients.
//!
//! `golden/generate.py` holds the loops as PyTorch programs; its README says how to run it.

use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::{RunOptions, Trajectory, Wanted};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::feedback::topology::Initial;
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Mode, Network, Sequential};
use fb_tensor::Tensor;
use serde_json::Value as Json;

const TOLERANCE: f64 = 1e-12;

fn cases() -> Vec<Json> {
    let text = include_str!("golden/feedback.json");
    let file: Json = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// A tensor from nested lists.
fn tensor(json: &Json) -> Tensor<f64> {
    let mut shape = Vec::new();
    let mut level = json;
    while let Some(list) = level.as_array() {
        shape.push(list.len());
        level = &list[0];
    }
    let mut elements = Vec::new();
    flatten(json, &mut elements);
    Tensor::from_vec(elements, shape)
}

fn flatten(json: &Json, into: &mut Vec<f64>) {
    match json.as_array() {
        Some(list) => list.iter().for_each(|item| flatten(item, into)),
        None => into.push(json.as_f64().unwrap()),
    }
}

fn assert_close(got: &Tensor<f64>, want: &Tensor<f64>, what: &str) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    for (g, w) in got.iter().zip(want.iter()) {
        assert!(
            (g - w).abs() <= TOLERANCE * w.abs().max(1.0),
            "{what}: {g} instead of {w}"
        );
    }
}

/// The network of a case, with the weights of the file.
fn network(case: &Json) -> Network<f64> {
    let base = Sequential::input([3])
        .layer("hidden1", Dense::new(4).activation(Activation::Tanh))
        .layer("hidden2", Dense::new(4).activation(Activation::Tanh))
        .layer("output", Dense::new(2))
        .feedback("output", "hidden1");
    let declared = match case["name"].as_str().unwrap() {
        "add" => base.feedback("hidden2", "hidden1"),
        "gate" => base.gate(),
        "concat" => base.concat(),
        "delay_2" => base.delay(2),
        "learned_initial" => base.initial(Initial::Learned),
        other => panic!("unknown case {other}"),
    };
    let iterations = case["iterations"].as_u64().unwrap() as usize;
    let mut network = declared
        .schedule(Unroll::iterations(iterations))
        .build_as::<f64>()
        .unwrap();
    let values = case["parameters"].as_object().unwrap();
    let dict = values
        .iter()
        .map(|(name, value)| (ours(name), tensor(value)))
        .collect();
    network.params_mut().load_state_dict(&dict).unwrap();
    network
}

/// Edges' parameters stand below `feedback/` with us.
fn ours(name: &str) -> String {
    if name.contains("->") {
        format!("feedback/{name}")
    } else {
        name.to_owned()
    }
}

fn cross_entropy(trajectory: &Trajectory<f64>, target: &Tensor<i64>) -> Var<f64> {
    let losses: Vec<Var<f64>> = trajectory
        .outputs()
        .iter()
        .map(|output| {
            output
                .as_float()
                .unwrap()
                .softmax_cross_entropy(target)
                .mean()
        })
        .collect();
    let count = losses.len() as f64;
    losses.into_iter().reduce(|a, b| a + b).unwrap() * (1.0 / count)
}

#[test]
fn loops_agree_with_pytorch() {
    let cases = cases();
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let network = network(case);
        let target: Tensor<i64> = tensor(&case["target"]).cast();
        for (wanted, loss_key) in [
            (Wanted::Last, "loss_on_last"),
            (Wanted::Every, "loss_on_every"),
        ] {
            let tape = Tape::new();
            let x = tape.leaf(tensor(&case["input"]));
            let mut cx = Context::new(network.params(), tape, Mode::Train);
            let options = RunOptions {
                wanted,
                ..RunOptions::default()
            };
            let trajectory = network.run(&mut cx, x.clone(), &options).unwrap();
            assert_eq!(trajectory.gradient_used(), "Bptt");
            if wanted == Wanted::Every {
                for (iteration, want) in case["output"].as_array().unwrap().iter().enumerate() {
                    let got = trajectory.outputs()[iteration].as_float().unwrap().tensor();
                    assert_close(
                        got,
                        &tensor(want),
                        &format!("{name}, output of iteration {}", iteration + 1),
                    );
                }
            }
            let loss = cross_entropy(&trajectory, &target);
            let want = &case[loss_key];
            assert_close(
                loss.tensor(),
                &tensor(&want["value"]),
                &format!("{name}, {loss_key}"),
            );
            let gradients = loss.backward();
            let want = want["gradients"].as_object().unwrap();
            assert_eq!(want.len(), network.params().len() + 1);
            assert_close(
                gradients.get(&x).unwrap(),
                &tensor(&want["input"]),
                &format!("{name}, gradient by the input"),
            );
            for (id, leaf) in cx.leaves() {
                let path = network.params().get(id).name();
                let theirs = &want[path.strip_prefix("feedback/").unwrap_or(path)];
                let what = format!("{name}, {loss_key}, gradient by {path}");
                assert_close(gradients.get(leaf).expect(&what), &tensor(theirs), &what);
            }
            assert_eq!(cx.leaves().count(), network.params().len());
        }
    }
}
