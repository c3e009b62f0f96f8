//! Normalisations, masked softmax, embeddings and gates.

use crate::file::{assert_close, cases, tensor};
use fb_autograd::{Tape, Var};
use fb_tensor::Tensor;
use serde_json::Value as Json;

/// The result of a case's method on its inputs.
fn apply(case: &Json, input: impl Fn(&str) -> Var<f64>) -> Var<f64> {
    let parameters = &case["parameters"];
    let epsilon = || parameters["epsilon"].as_f64().unwrap();
    let affine = || (input("x"), input("weight"), input("bias"));
    match case["name"].as_str().unwrap() {
        "layer_norm" => {
            let (x, weight, bias) = affine();
            let (sum, y) = Var::constant(x.tensor().zeros_like()).add_layer_norm(
                &x,
                Some(&weight),
                Some(&bias),
                epsilon(),
            );
            assert_eq!(sum.tensor(), x.tensor());
            let plain = x.layer_norm(Some(&weight), Some(&bias), epsilon());
            assert_eq!(y.tensor(), plain.tensor());
            plain
        }
        "rms_norm" => input("x").rms_norm(Some(&input("weight")), epsilon()),
        "batch_norm" => {
            let (x, weight, bias) = affine();
            x.batch_norm(Some(&weight), Some(&bias), epsilon()).0
        }
        "batch_norm_with" => {
            let (x, weight, bias) = affine();
            let (mean, variance) = (tensor(&parameters["mean"]), tensor(&parameters["variance"]));
            x.batch_norm_with(&mean, &variance, Some(&weight), Some(&bias), epsilon())
        }
        "group_norm" => {
            let (x, weight, bias) = affine();
            let groups = parameters["groups"].as_u64().unwrap() as usize;
            x.group_norm(groups, Some(&weight), Some(&bias), epsilon())
        }
        "masked_softmax" => {
            let mask = tensor(&parameters["mask"]).gt(&Tensor::from_scalar(0.5));
            let scale = parameters["scale"].as_f64().unwrap();
            input("x").masked_softmax(scale, Some(&mask))
        }
        "embedding" => {
            let padding = parameters["padding"].as_u64().map(|row| row as usize);
            let index = tensor(&parameters["index"]).cast::<i64>();
            input("table").embedding(&index, padding)
        }
        "silu_mul" => input("gate_").silu_mul(&input("values")),
        "gelu_mul" => input("gate_").gelu_mul(&input("values")),
        "sigmoid_mul" => input("gate_").sigmoid_mul(&input("values")),
        other => panic!("no method for {other}"),
    }
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    let cases = cases(include_str!("passes.json"));
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let tape = Tape::new();
        let inputs: Vec<(&String, Var<f64>)> = case["inputs"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, values)| (key, tape.leaf(tensor(values))))
            .collect();
        let input = |name: &str| {
            let found = inputs.iter().find(|(key, _)| *key == name);
            found.expect("an input of that name").1.clone()
        };
        let y = apply(case, input);
        assert_close(y.tensor(), &tensor(&case["y"]), 1e-12, name);
        let gradients = tape.gradients(&[(&y, tensor(&case["upstream"]))]);
        for (key, leaf) in &inputs {
            let want = tensor(&case["gradients"][*key]);
            let what = format!("{name} by {key}");
            assert_close(gradients.get(leaf).unwrap(), &want, 1e-11, &what);
        }
    }
}
