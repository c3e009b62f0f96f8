//! All layers: gradients against differences, configurations through files, properties.

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_nn::init::Initializer;
use fb_nn::layers::{Activation, Dense, Dropout, Flatten, Reshape};
use fb_nn::module::{AnyLayer, Scope, Spec, ValueKind};
use fb_nn::{Context, Mode, Registry, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::Arc;

const ACTIVATIONS: [Activation; 13] = [
    Activation::Linear,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Elu { alpha: 1.3 },
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Softplus,
    Activation::LogSigmoid,
    Activation::Softmax,
    Activation::LogSoftmax,
];

/// Every layer with a shape per sample that it takes.
fn layers() -> Vec<(Arc<dyn AnyLayer>, Vec<usize>)> {
    let mut layers: Vec<(Arc<dyn AnyLayer>, Vec<usize>)> = vec![
        (Arc::new(Dense::new(4)), vec![3]),
        (Arc::new(Dense::new(2).bias(false)), vec![2, 3]),
        (
            Arc::new(
                Dense::new(5)
                    .weight_init(Initializer::orthogonal())
                    .bias_init(Initializer::Constant(0.1)),
            ),
            vec![3],
        ),
        (Arc::new(Dropout::new(0.4)), vec![2, 5]),
        (Arc::new(Flatten), vec![2, 3]),
        (Arc::new(Reshape::new([3, 1, 2])), vec![2, 3]),
    ];
    for activation in ACTIVATIONS {
        layers.push((Arc::new(activation), vec![2, 3]));
        layers.push((Arc::new(Dense::new(4).activation(activation)), vec![3]));
    }
    layers
}

#[test]
fn gradients_agree_with_differences() {
    for (layer, shape) in layers() {
        let mut scope = Scope::<f64>::new(Key::new(1));
        scope.enter("layer");
        let built = layer.build(&mut scope, &[Spec::float(&*shape)]).unwrap();
        let params = scope.into_params();
        let mut extents = vec![2];
        extents.extend(shape);
        let mut inputs = vec![Tensor::normal(extents, 0.0, 1.0, &mut Key::new(2).rng())];
        inputs.extend(params.iter().map(|(_, param)| param.value.clone()));
        let forward = |vars: &[Var<f64>]| {
            let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
            let mut cx = Context::train(&params, tape, Key::new(3), 0);
            cx.enter_layer("layer");
            params
                .iter()
                .zip(&vars[1..])
                .for_each(|((id, _), var)| cx.bind(id, var.clone()));
            built
                .module
                .as_simple()
                .unwrap()
                .forward(&mut cx, &vars[0])
                .unwrap()
        };
        let output = forward(
            &inputs
                .iter()
                .cloned()
                .map(Var::constant)
                .collect::<Vec<_>>(),
        );
        assert_eq!(
            output.dims()[1..],
            *built.output.shape,
            "{layer:?} infers its shape"
        );
        gradcheck(forward, &inputs).unwrap_or_else(|error| panic!("{layer:?}: {error}"));
    }
}

#[test]
fn configurations_survive_files() {
    let registry = Registry::builtin();
    for (layer, _) in layers() {
        let text = layer.config().unwrap().to_string();
        let read = registry
            .layer(
                "layer \"x\"",
                layer.kind(),
                serde_json::from_str(&text).unwrap(),
            )
            .unwrap();
        assert_eq!(format!("{read:?}"), format!("{layer:?}"));
    }
    let known: Vec<_> = registry.layer_kinds().collect();
    assert_eq!(
        known,
        ["Activation", "Dense", "Dropout", "Flatten", "Reshape"]
    );
}

#[test]
fn foreign_configurations_are_errors() {
    let registry = Registry::builtin();
    let error = |kind: &str, json: &str| {
        registry
            .layer("layer \"x\"", kind, serde_json::from_str(json).unwrap())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("Convolution", "{}"),
        "layer \"x\" is of kind \"Convolution\", which is not registered\n  \
         help: known kinds: Activation, Dense, Dropout, Flatten, Reshape; register yours and load with \
         load_with(&registry)"
    );
    assert_eq!(
        error("Dropout", r#"{"rate": 0.1, "noise": 3}"#),
        "the configuration of layer \"x\" (Dropout) cannot be read: unknown field `noise`, expected `rate`\n  \
         help: the file was written by another version, or edited"
    );
    assert!(error("Dense", r#"{"units": -1}"#).contains("cannot be read"));
}

#[test]
fn every_layer_refuses_what_is_not_one_tensor_of_numbers() {
    for (layer, shape) in layers() {
        let numbers = Spec::float(&*shape);
        let indices = Spec {
            kind: ValueKind::Index,
            ..numbers
        };
        for inputs in [vec![], vec![indices], vec![numbers, numbers]] {
            let mut scope = Scope::<f32>::new(Key::new(0));
            scope.enter("x");
            let error = layer.build(&mut scope, &inputs).unwrap_err().to_string();
            assert!(error.starts_with("layer \"x\" ("), "{error}");
            assert!(error.contains("expected one input of numbers"), "{error}");
        }
        let mut scope = Scope::<f32>::new(Key::new(0));
        let module = layer.build(&mut scope, &[numbers]).unwrap().module;
        let params = scope.into_params();
        let error = module
            .forward(
                &mut Context::eval(&params),
                &[Value::Index(Tensor::from([1_i64]))],
            )
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected one tensor of numbers, found indices [1]"),
            "{error}"
        );
    }
}

#[test]
fn frozen_and_detached_parameters_are_constants() {
    let mut scope = Scope::<f32>::new(Key::new(1));
    scope.enter("hidden");
    let built = Dense::new(3)
        .build_f32(&mut scope, &[Spec::float([2])])
        .unwrap();
    let mut params = scope.into_params();
    params.freeze("hidden/weight").unwrap();
    let tape = Tape::new();
    let mut cx = Context::new(&params, tape.clone(), Mode::Train);
    let x = Var::constant(Tensor::ones([1, 2]));
    let module = built.module.as_simple().unwrap();
    let y = module.forward(&mut cx, &x).unwrap();
    assert_eq!(y.sum().backward().len(), 1, "the bias alone");
    let nodes = tape.len();
    let z = cx.without_gradients(|cx| module.forward(cx, &x)).unwrap();
    assert!(!z.requires_grad() && tape.len() == nodes);
    assert_eq!(z.tensor(), y.tensor());
}

/// The same cases at every run, and no files beside the source.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 32,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn dropout_does_not_depend_on_how_rows_are_batched(
        rows in 1_usize..12, cut in 0_usize..12, features in 1_usize..9, rate in 0.0..0.95, step in 0_u64..5,
    ) {
        let cut = cut.min(rows);
        let mut scope = Scope::<f32>::new(Key::new(0));
        let built = Dropout::new(rate).build_f32(&mut scope, &[Spec::float([features])]).unwrap();
        let params = scope.into_params();
        let x = Tensor::from_fn([rows, features], |at| (at[0] * features + at[1] + 1) as f32);
        let run = |range: std::ops::Range<usize>| {
            let mut cx = Context::train(&params, Tape::no_grad(), Key::new(9), step)
                .with_first_row(100 + range.start as u64);
            let x = Var::constant(x.slice(0, range));
            built.module.as_simple().unwrap().forward(&mut cx, &x).unwrap().into_tensor()
        };
        let parts = Tensor::concat(&[&run(0..cut), &run(cut..rows)], 0);
        prop_assert_eq!(run(0..rows), parts);
    }

    #[test]
    fn reshape_undoes_flatten(a in 1_usize..5, b in 1_usize..5, batch in 0_usize..4) {
        let network = fb_nn::Sequential::input([a, b])
            .layer("flat", Flatten)
            .layer("back", Reshape::new([a, b]))
            .build()
            .unwrap();
        let x = Tensor::from_fn([batch, a, b], |at| (at[0] * 100 + at[1] * 10 + at[2]) as f32);
        let y = network.forward(&mut Context::eval(network.params()), Var::constant(x.clone())).unwrap();
        prop_assert_eq!(y.as_float().unwrap().tensor(), &x);
    }
}
