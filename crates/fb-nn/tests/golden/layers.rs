//! `Dense` and the activations.

use crate::file::{assert_close, cases, optional, tensor};
use fb_autograd::Tape;
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Mode, Sequential};
use serde_json::Value as Json;

#[test]
fn dense_layers_agree_with_pytorch() {
    for case in cases(include_str!("linear.json")).as_array().unwrap() {
        let what = case["name"].as_str().unwrap();
        let (x, weight, bias) = (
            tensor(&case["x"]),
            tensor(&case["weight"]),
            optional(&case["bias"]),
        );
        let dense = Dense::new(weight.dim(1)).bias(bias.is_some());
        let mut network = Sequential::input(&x.dims()[1..])
            .layer("dense", dense)
            .build_as::<f64>()
            .unwrap();
        let values = [("weight", Some(weight)), ("bias", bias)];
        let values = values
            .into_iter()
            .filter_map(|(name, value)| Some((format!("dense/{name}"), value?)));
        network
            .params_mut()
            .load_state_dict(&values.collect())
            .unwrap();

        let tape = Tape::new();
        let x = tape.leaf(x);
        let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
        let y = network.forward(&mut cx, x.clone()).unwrap();
        let y = y.as_float().unwrap();
        assert_close(y.tensor(), &tensor(&case["y"]), 1e-12, what);
        let gradients = tape.gradients(&[(y, tensor(&case["upstream"]))]);
        assert_close(
            gradients.get(&x).unwrap(),
            &tensor(&case["gradients"]["x"]),
            1e-12,
            what,
        );
        for (id, leaf) in cx.leaves() {
            let name = network.params().get(id).name().trim_start_matches("dense/");
            assert_close(
                gradients.get(leaf).unwrap(),
                &tensor(&case["gradients"][name]),
                1e-12,
                what,
            );
        }
    }
}

/// The activation that a case of `elementwise.json` is about, if it is one.
fn activation(case: &Json) -> Option<Activation> {
    let number = |name: &str| case["parameters"][name].as_f64().unwrap();
    Some(match case["name"].as_str().unwrap() {
        "sigmoid" => Activation::Sigmoid,
        "tanh" => Activation::Tanh,
        "relu" => Activation::Relu,
        "leaky_relu" => Activation::LeakyRelu {
            slope: number("slope"),
        },
        "elu" => Activation::Elu {
            alpha: number("alpha"),
        },
        "silu" => Activation::Silu,
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        "softplus" => Activation::Softplus,
        _ => return None,
    })
}

#[test]
fn activations_agree_with_pytorch() {
    let mut checked = 0;
    for case in cases(include_str!("elementwise.json")).as_array().unwrap() {
        let Some(activation) = activation(case) else {
            continue;
        };
        let tape = Tape::new();
        let x = tape.leaf(tensor(&case["x"]));
        let y = activation.apply(x.clone());
        let what = activation.to_string();
        assert_close(y.tensor(), &tensor(&case["y"]), 1e-12, &what);
        assert_close(
            y.sum().backward().get(&x).unwrap(),
            &tensor(&case["dy_dx"]),
            1e-12,
            &what,
        );
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn softmaxes_agree_with_pytorch() {
    for case in cases(include_str!("losses.json")).as_array().unwrap() {
        let activation = match case["name"].as_str().unwrap() {
            "softmax" => Activation::Softmax,
            "log_softmax" => Activation::LogSoftmax,
            _ => continue,
        };
        let tape = Tape::new();
        let x = tape.leaf(tensor(&case["output"]));
        let y = activation.apply(x.clone());
        let gradients = tape.gradients(&[(&y, tensor(&case["upstream"]))]);
        assert_close(y.tensor(), &tensor(&case["y"]), 1e-12, "softmax");
        assert_close(
            gradients.get(&x).unwrap(),
            &tensor(&case["gradient"]),
            1e-12,
            "its gradient",
        );
    }
}
