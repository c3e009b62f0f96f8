//! The losses, weighted and not.

use crate::file::{assert_close, cases, optional, tensor};
use fb_autograd::Tape;
use fb_nn::Target;
use fb_nn::loss::{
    BinaryCrossentropy, CrossEntropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError,
};
use fb_tensor::Tensor;
use serde_json::Value as Json;

/// The loss of a case; `None` for softmaxes and for what this library does not have.
fn loss(case: &Json) -> Option<Box<dyn Loss<f64>>> {
    let parameters = &case["parameters"];
    Some(match case["name"].as_str().unwrap() {
        "mse" => Box::new(MeanSquaredError),
        "l1" => Box::new(MeanAbsoluteError),
        "huber" => Box::new(Huber {
            delta: parameters["delta"].as_f64().unwrap(),
        }),
        "bce" => Box::new(BinaryCrossentropy),
        "bce_with_logits" if parameters["positive_weight"].is_null() => {
            Box::new(BinaryCrossentropy.from_logits())
        }
        // Weights do not normalise here, so PyTorch's division by the sum of class weights has no counterpart.
        "cross_entropy" if parameters["normalised_by"] != "class_weights" => {
            let smoothing = parameters["label_smoothing"].as_f64().unwrap();
            let weights = optional(&parameters["class_weights"])
                .map_or(Vec::new(), |weights| weights.to_vec());
            Box::new(
                CrossEntropy
                    .label_smoothing(smoothing)
                    .class_weights(weights),
            )
        }
        _ => return None,
    })
}

fn target(case: &Json) -> Target<f64> {
    let numbers = tensor(&case["target"]);
    if case["parameters"]["target"] == "index" {
        numbers.cast::<i64>().into()
    } else {
        numbers.into()
    }
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    let mut checked = 0;
    for case in cases(include_str!("losses.json")).as_array().unwrap() {
        let Some(loss) = loss(case) else {
            continue;
        };
        let what = case["expression"].as_str().unwrap();
        let tape = Tape::new();
        let output = tape.leaf(tensor(&case["output"]));
        let weights = optional(&case["sample_weights"]);
        let value = loss
            .forward(&output, &target(case), weights.as_ref())
            .unwrap();
        assert_close(
            value.tensor(),
            &Tensor::from_scalar(case["value"].as_f64().unwrap()),
            1e-12,
            what,
        );
        let gradients = value.backward();
        assert_close(
            gradients.get(&output).unwrap(),
            &tensor(&case["gradient"]),
            1e-12,
            what,
        );
        checked += 1;
    }
    assert_eq!(checked, 22);
}

#[test]
fn single_samples_have_pytorchs_losses() {
    for case in cases(include_str!("losses.json")).as_array().unwrap() {
        let Some(loss) = loss(case) else {
            continue;
        };
        let output = Tape::no_grad().leaf(tensor(&case["output"]));
        for (row, want) in tensor(&case["per_sample"]).iter().enumerate() {
            let target = match target(case) {
                Target::Index(labels) => Target::Index(labels.slice(0, row..row + 1)),
                Target::Float(numbers) => Target::Float(numbers.slice(0, row..row + 1)),
                _ => unreachable!("targets are numbers or indices"),
            };
            let value = loss
                .forward(&output.slice(0, row..row + 1), &target, None)
                .unwrap();
            assert_close(
                value.tensor(),
                &Tensor::from_scalar(want),
                1e-12,
                case["expression"].as_str().unwrap(),
            );
        }
    }
}
