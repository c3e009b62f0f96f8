//! Graphs with feedback: what they compute, their gradients, their state, their files, and what is refused.

mod edges;
mod errors;
mod files;
mod gradients;
mod naive;
mod property;
mod scopes;
mod sequences;

use fb_nn::{Network, Value};
use fb_tensor::random::Key;
use fb_tensor::{Float, Shape, Tensor};

fn random<F: Float>(shape: impl Into<Shape>, seed: u64) -> Tensor<F> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

/// Weights that keep the loop moving: a network near its fixed point has no gradient through time to be wrong.
fn lively<F: Float>(mut network: Network<F>) -> Network<F> {
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(11).fold(param.name()).rng();
        let scale = 1.3 / (param.value.dims()[0] as f64).sqrt();
        param.value = Tensor::normal(*param.value.shape(), 0.0, scale, &mut rng);
    }
    network
}

/// The parameter of this name.
fn param<F: Float>(network: &Network<F>, name: &str) -> Tensor<F> {
    let param = network.params().by_name(name);
    param.unwrap_or_else(|| panic!("{name}")).value.clone()
}

fn affine(network: &Network<f64>, name: &str, x: &Tensor<f64>) -> Tensor<f64> {
    x.matmul(&param(network, &format!("{name}/weight"))) + &param(network, &format!("{name}/bias"))
}

fn numbers<F: Float>(value: &Value<F>) -> &Tensor<F> {
    value.as_float().unwrap().tensor()
}

/// Equal but for rounding.
#[track_caller]
fn agree(got: &[Value<f64>], want: &[Tensor<f64>], place: &str) {
    assert_eq!(got.len(), want.len(), "{place}");
    for (got, want) in got.iter().zip(want) {
        let got = got.as_float().unwrap().tensor();
        assert_eq!(got.dims(), want.dims(), "{place}");
        let scale = 1.0 + want.abs().max();
        if scale.is_nan() || scale > 1e100 {
            return; // a random loop that blew up
        }
        let worst = (got - want).abs().max();
        assert!(worst < 1e-12 * scale, "off by {worst}: {place}");
    }
}
