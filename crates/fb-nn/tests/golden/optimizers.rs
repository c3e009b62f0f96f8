//! Ten steps of each optimizer, and clipping.

use crate::file::{assert_close, cases, tensor};
use fb_nn::Optimizer;
use fb_nn::optim::{Adam, AdamW, Clip, OptimizerState, RmsProp, Sgd, apply};
use fb_nn::param::{Params, Role};
use serde_json::Value as Json;

/// The optimizer of a trajectory; `None` for what this library does not have.
fn optimizer(case: &Json) -> Option<Box<dyn Optimizer<f64>>> {
    let parameters = &case["parameters"];
    let number = |name: &str, default: f64| parameters[name].as_f64().unwrap_or(default);
    let flag = |name: &str| parameters[name].as_bool().unwrap_or(false);
    let rate = number("learning_rate", f64::NAN);
    Some(match case["name"].as_str().unwrap() {
        "sgd" => {
            let sgd = Sgd::new(rate)
                .momentum(number("momentum", 0.0))
                .nesterov(flag("nesterov"));
            Box::new(sgd.weight_decay(number("weight_decay", 0.0)))
        }
        "adam" if !flag("amsgrad") => Box::new(
            Adam::new(rate)
                .beta1(number("beta1", 0.9))
                .beta2(number("beta2", 0.999))
                .epsilon(number("epsilon", 1e-8))
                .weight_decay(number("weight_decay", 0.0)),
        ),
        "adamw" => Box::new(AdamW::new(rate).weight_decay(number("weight_decay", f64::NAN))),
        "rmsprop" => {
            let rms_prop = RmsProp::new(rate)
                .rho(number("rho", f64::NAN))
                .momentum(number("momentum", 0.0));
            Box::new(
                rms_prop
                    .centered(flag("centered"))
                    .weight_decay(number("weight_decay", 0.0)),
            )
        }
        _ => return None,
    })
}

#[test]
fn trajectories_agree_with_pytorch() {
    let cases = cases(include_str!("optimizers.json"));
    let gradients = tensor(&cases["gradients"]);
    let mut checked = 0;
    for case in cases["trajectories"].as_array().unwrap() {
        let Some(optimizer) = optimizer(case) else {
            continue;
        };
        optimizer.validate().unwrap();
        let mut params = Params::new();
        let id = params
            .insert("weight", tensor(&cases["start"]), Role::Weight)
            .unwrap();
        let mut state = OptimizerState::new();
        for (step, want) in case["points"].as_array().unwrap().iter().enumerate() {
            let gradient = [(id, gradients.index_axis(0, step))];
            let rate = optimizer.learning_rate();
            apply(&*optimizer, &mut state, &mut params, &gradient, rate).unwrap();
            let what = format!("{optimizer:?} after {} steps", step + 1);
            assert_close(&params.get(id).value, &tensor(want), 1e-12, &what);
        }
        checked += 1;
    }
    assert_eq!(checked, 13);
}

#[test]
fn clipping_agrees_with_pytorch() {
    for case in cases(include_str!("optimizers.json"))["clips"]
        .as_array()
        .unwrap()
    {
        let limit = case["limit"].as_f64().unwrap();
        let clip = match case["name"].as_str().unwrap() {
            "clip_grad_norm" => Clip::Norm(limit),
            "clip_grad_value" => Clip::Value(limit),
            other => panic!("unknown case {other}"),
        };
        let mut params = Params::new();
        let mut gradients = Vec::new();
        for (position, gradient) in case["gradients"].as_array().unwrap().iter().enumerate() {
            let gradient = tensor(gradient);
            gradients.push((
                params
                    .insert(position.to_string(), gradient.clone(), Role::Weight)
                    .unwrap(),
                gradient,
            ));
        }
        let norm = clip.apply(&mut gradients);
        if let Some(want) = case["norm_before"].as_f64() {
            assert!((norm - want).abs() < 1e-14 * want);
        }
        for ((_, got), want) in gradients.iter().zip(case["clipped"].as_array().unwrap()) {
            assert_close(got, &tensor(want), 1e-15, "clipped");
        }
    }
}
