//! Weights that are made of others.

use crate::file::{assert_close, cases, tensor};
use fb_autograd::Tape;
use fb_nn::param::Role;
use fb_nn::parametrization::{Orthogonal, SpectralNorm, WeightNorm};
use fb_nn::{Context, Mode, Params};
use fb_tensor::Tensor;
use serde_json::Value as Json;

/// Parameters with the case's weight, parametrised, and the values of the case.
fn params(case: &Json) -> Params<f64> {
    let mut params = Params::new();
    let raw = tensor(&case["raw"]);
    params.insert("w", raw.clone(), Role::Weight).unwrap();
    let parts: &[&str] = match case["kind"].as_str().unwrap() {
        "WeightNorm" => {
            params.parametrize("w", WeightNorm).unwrap();
            &["magnitude"]
        }
        "SpectralNorm" => {
            let iterations = case["iterations"].as_u64().unwrap() as usize;
            let kind = SpectralNorm::exactly(1.0).iterations(iterations);
            params.parametrize("w", kind).unwrap();
            &["singular"]
        }
        "Orthogonal" => {
            params.get_mut(params.id("w").unwrap()).value = tensor(&case["base"]);
            params.parametrize("w", Orthogonal).unwrap();
            &["base"]
        }
        other => panic!("{other}"),
    };
    let mut values: fb_nn::param::StateDict<f64> = parts
        .iter()
        .map(|part| (format!("w.{part}"), tensor(&case[part])))
        .collect();
    values.insert("w".to_owned(), raw);
    params.load_state_dict(&values).unwrap();
    params
}

#[test]
fn parametrised_weights_agree_with_pytorch() {
    let mut kinds = std::collections::BTreeSet::new();
    let cases = cases(include_str!("parametrizations.json"));
    for case in cases.as_array().unwrap() {
        let kind = case["kind"].as_str().unwrap();
        let what = format!("{kind} {}", case["name"]);
        kinds.insert(kind);
        let params = params(case);
        let tape = Tape::new();
        let mut cx = Context::new(&params, tape.clone(), Mode::Train);
        let weight = cx.param(params.id("w").unwrap());
        assert_close(weight.tensor(), &tensor(&case["weight"]), 1e-12, &what);
        let gradients = tape.gradients(&[(&weight, tensor(&case["upstream"]))]);
        for (id, leaf) in cx.leaves() {
            let name = params.get(id).name();
            let name = name.strip_prefix("w.").unwrap_or("raw");
            let mut found = gradients.get(leaf).unwrap().clone();
            if kind == "Orthogonal" {
                // PyTorch learns the lower triangle only.
                let lower = Tensor::from_fn(*found.shape(), |at| f64::from(at[0] > at[1]));
                found = found * lower;
            }
            let want = tensor(&case["gradients"][name]);
            assert_close(&found, &want, 1e-12, &format!("{what}, by {name}"));
        }
        let updates = cx.take_buffer_updates();
        if kind == "SpectralNorm" {
            let [(_, singular)] = &updates[..] else {
                panic!("{what}: {} buffers changed", updates.len())
            };
            assert_close(singular, &tensor(&case["singular_after"]), 1e-12, &what);
            let settled = params.weight("w").unwrap();
            assert_close(&settled, &tensor(&case["settled"]), 1e-12, &what);
        } else {
            assert!(updates.is_empty(), "{what}");
        }
    }
    assert_eq!(kinds.len(), 3);
}
