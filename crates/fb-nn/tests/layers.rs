//! All layers: gradients against differences, configurations through files, properties.

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::Nested;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::init::Initializer;
use fb_nn::layers::*;
use fb_nn::module::{AnyLayer, Scope, Spec, ValueKind};
use fb_nn::{Context, Layer, Mode, Registry, Sequential, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
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

fn any(layer: impl Layer) -> Arc<dyn AnyLayer> {
    Arc::new(layer)
}

/// Every layer that takes one tensor of numbers, with a shape per sample that it takes.
fn layers() -> Vec<(Arc<dyn AnyLayer>, Vec<usize>)> {
    let tanh = Activation::Tanh;
    let block = Residual::new()
        .layer("wide", Dense::new(5).activation(tanh))
        .layer("norm", LayerNorm::new())
        .layer("narrow", Dense::new(3))
        .activation(tanh);
    let shortcut = Residual::new()
        .layer("conv", Conv2d::new(3, [3, 3]).stride([2, 2]).same())
        .shortcut("fit", Conv2d::new(3, [1, 1]).stride([2, 2]).bias(false));
    let skip = Skip::new()
        .layer("drop", Dropout::new(0.3))
        .layer("hidden", Dense::new(2).activation(tanh));
    let mut layers = vec![
        (any(Dense::new(4)), vec![3]),
        (any(Dense::new(2).bias(false)), vec![2, 3]),
        (
            any(Dense::new(5)
                .weight_init(Initializer::orthogonal())
                .bias_init(Initializer::Constant(0.1))),
            vec![3],
        ),
        (any(Dropout::new(0.4)), vec![2, 5]),
        (any(Leaky::new(0.3)), vec![2, 3]),
        (any(Flatten), vec![2, 3]),
        (any(Reshape::new([3, 1, 2])), vec![2, 3]),
        (any(BatchNorm::new()), vec![3]),
        (
            any(BatchNorm::new().scale(false).bias(false)),
            vec![2, 2, 3],
        ),
        (any(LayerNorm::new()), vec![2, 4]),
        (any(LayerNorm::new().scale(false)), vec![4]),
        (any(RmsNorm::new()), vec![2, 4]),
        (any(RmsNorm::new().scale(false).epsilon(0.1)), vec![4]),
        (any(GroupNorm::new(2)), vec![2, 2, 4]),
        (any(GroupNorm::new(4).bias(false)), vec![3, 4]),
        (any(Conv1d::new(3, [2]).activation(tanh)), vec![4, 2]),
        (
            any(Conv1d::new(2, [3]).stride([2]).same().groups(2).bias(false)),
            vec![5, 2],
        ),
        (any(Conv2d::new(3, [2, 3]).activation(tanh)), vec![3, 4, 2]),
        (
            any(Conv2d::new(2, [3, 3])
                .stride([2, 1])
                .dilation([1, 2])
                .same()),
            vec![4, 5, 1],
        ),
        (
            any(DepthwiseConv2d::new([2, 2]).multiplier(2)),
            vec![3, 3, 2],
        ),
        (
            any(ConvTranspose1d::new(3, [3]).stride([2]).same()),
            vec![3, 2],
        ),
        (
            any(ConvTranspose2d::new(2, [2, 3])
                .stride([2, 2])
                .activation(tanh)),
            vec![2, 3, 2],
        ),
        (any(MaxPool1d::new([2])), vec![5, 2]),
        (any(MaxPool2d::new([2, 2]).stride([1, 2])), vec![4, 5, 2]),
        (any(AvgPool1d::new([3]).stride([1])), vec![5, 2]),
        (any(AvgPool2d::new([2, 2])), vec![4, 5, 2]),
        (any(AdaptiveAvgPool2d::new([2, 3])), vec![3, 5, 2]),
        (any(AdaptiveMaxPool2d::new([2, 2])), vec![3, 5, 2]),
        (any(GlobalAvgPool), vec![2, 3, 2]),
        (any(GlobalMaxPool), vec![4, 2]),
        (any(Resize::by([2, 1])), vec![2, 3, 2]),
        (any(Resize::to([3, 5]).bilinear()), vec![2, 3, 2]),
        (any(Resize::to([3, 5]).align_corners()), vec![2, 3, 1]),
        (any(LearnedPositions::new()), vec![3, 4]),
        (any(SinusoidalPositions), vec![3, 5]),
        (
            any(FeedForward::new(6).activation(Activation::GeluTanh)),
            vec![2, 3],
        ),
        (any(FeedForward::swiglu(5).dropout(0.2)), vec![3]),
        (any(block), vec![2, 3]),
        (any(shortcut), vec![4, 4, 2]),
        (any(skip), vec![3]),
    ];
    for activation in ACTIVATIONS {
        layers.push((any(activation), vec![2, 3]));
        layers.push((any(Dense::new(4).activation(activation)), vec![3]));
    }
    layers
}

/// A layer with a shape per sample for each of its inputs.
type WithShapes = (Arc<dyn AnyLayer>, Vec<Vec<usize>>);

/// Layers that take sequences, alone or with a context.
fn sequence_layers() -> Vec<WithShapes> {
    let (x, context) = (vec![3, 4], vec![2, 6]);
    let attention = MultiHeadAttention::new(2);
    vec![
        (any(attention), vec![x.clone()]),
        (any(attention.causal().rotary(100.0)), vec![x.clone()]),
        (
            any(attention.key_value_heads(1).head_width(3)),
            vec![x.clone()],
        ),
        (any(attention.bias(false)), vec![x.clone(), context.clone()]),
        (any(attention.causal().dropout(0.4)), vec![x.clone()]),
        (
            any(attention.dropout(0.3)),
            vec![x.clone(), context.clone()],
        ),
        (
            any(TransformerBlock::encoder(2).post_norm()),
            vec![x.clone()],
        ),
        (
            any(TransformerBlock::decoder(2).dropout(0.2).hidden(5)),
            vec![x.clone()],
        ),
        (
            any(TransformerBlock::decoder(2)
                .rms_norm()
                .swiglu(5)
                .rotary(50.0)
                .bias(false)),
            vec![x.clone()],
        ),
        (any(Elman::new(3)), vec![x.clone()]),
        (
            any(Recurrent::new(MinGruCell::new(3).learned_start()).levels(2)),
            vec![x.clone()],
        ),
        (
            any(Recurrent::new(ElmanCell::new(3).bias(false)).last()),
            vec![x.clone(), vec![3]],
        ),
        (
            any(Recurrent::new(LstmCell::new(2).learned_start())
                .levels(2)
                .bidirectional()
                .residual()),
            vec![x.clone()],
        ),
        (any(Lstm::new(3)), vec![x.clone(), vec![3], vec![3]]),
        (
            any(Gru::new(4).levels(3).residual().dropout(0.4).last()),
            vec![x.clone()],
        ),
        (
            any(
                Recurrent::new(GruCell::new(2).reset_before().learned_start())
                    .bidirectional()
                    .last(),
            ),
            vec![x.clone()],
        ),
        (
            any(TransformerDecoderBlock::new(2).attention_dropout(0.4)),
            vec![x.clone(), context.clone()],
        ),
        (
            any(TransformerDecoderBlock::new(2)
                .post_norm()
                .rms_norm()
                .hidden(5)),
            vec![x, context],
        ),
    ]
}

/// All of them, with their inputs.
fn all_layers() -> Vec<(Arc<dyn AnyLayer>, Vec<Spec>)> {
    let one = layers()
        .into_iter()
        .map(|(layer, shape)| (layer, vec![Spec::float(&*shape)]));
    let several = sequence_layers().into_iter().map(|(layer, shapes)| {
        let specs = shapes.iter().map(|shape| Spec::float(&**shape));
        (layer, specs.collect())
    });
    one.chain(several).collect()
}

#[test]
fn gradients_agree_with_differences() {
    for (layer, specs) in all_layers() {
        let mut scope = Scope::<f64>::new(Key::new(1));
        scope.enter("layer");
        let built = layer.build(&mut scope, &specs).unwrap();
        let params = scope.into_params();
        let mut rng = Key::new(2).rng();
        let mut values: Vec<Tensor<f64>> = specs
            .iter()
            .map(|spec| Tensor::normal(spec.shape.with_inserted(0, 2), 0.0, 1.0, &mut rng))
            .collect();
        let trained: Vec<_> = params.iter().filter(|(_, p)| p.trainable()).collect();
        // Away from the start, where biases are zero and norms do not scale.
        values.extend(trained.iter().map(|(_, param)| {
            let noise = Tensor::normal(*param.value.shape(), 0.0, 0.2, &mut rng);
            &param.value + &noise
        }));
        let forward = |vars: &[Var<f64>]| {
            let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
            let mut cx = Context::train(&params, tape, Key::new(3), 0);
            cx.enter_layer("layer");
            let (inputs, weights) = vars.split_at(specs.len());
            trained
                .iter()
                .zip(weights)
                .for_each(|((id, _), var)| cx.bind(*id, var.clone()));
            let inputs: Vec<Value<f64>> = inputs.iter().cloned().map(Value::Float).collect();
            let output = built.module.forward(&mut cx, &inputs).unwrap().remove(0);
            output.as_float().unwrap().clone()
        };
        let constants: Vec<_> = values.iter().cloned().map(Var::constant).collect();
        assert_eq!(
            forward(&constants).dims()[1..],
            *built.output.shape,
            "{layer:?} infers its shape"
        );
        gradcheck(forward, &values).unwrap_or_else(|error| panic!("{layer:?}: {error}"));
    }
}

#[test]
fn gradients_of_a_shared_table_agree_with_differences() {
    // The padding token is not among them: its row gets no gradient, whatever differences say.
    let tokens = Tensor::from([[1_i64, 0, 1, 4], [3, 3, 0, 1]]);
    for bias in [false, true] {
        let mut scope = Scope::<f64>::new(Key::new(1));
        scope.enter("tokens");
        let embedding = any(Embedding::new(5, 3).padding(2));
        let embedding = embedding.build(&mut scope, &[Spec::index([4])]).unwrap();
        scope.enter("scores");
        let scores = any(TiedOutput::to("tokens").bias(bias));
        let scores = scores.build(&mut scope, &[embedding.output]).unwrap();
        let params = scope.into_params();
        let mut rng = Key::new(2).rng();
        let (ids, values): (Vec<_>, Vec<_>) = params
            .iter()
            .map(|(id, p)| (id, Tensor::normal(*p.value.shape(), 0.0, 1.0, &mut rng)))
            .unzip();
        assert_eq!(ids.len(), 1 + usize::from(bias));
        let forward = |vars: &[Var<f64>]| {
            let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
            let mut cx = Context::train(&params, tape, Key::new(3), 0);
            for (id, var) in ids.iter().zip(vars) {
                cx.bind(*id, var.clone());
            }
            let inputs = [Value::Index(tokens.clone())];
            let x = embedding.module.forward(&mut cx, &inputs).unwrap();
            let y = scores.module.forward(&mut cx, &x).unwrap().remove(0);
            y.as_float().unwrap().clone()
        };
        gradcheck(forward, &values).unwrap_or_else(|error| panic!("bias {bias}: {error}"));
    }
}

#[test]
fn configurations_survive_files() {
    let registry = Registry::builtin();
    let mut tested = BTreeSet::new();
    let tokens = [
        any(Embedding::new(7, 3).padding(2)),
        any(TiedOutput::to("tokens").bias(true)),
    ];
    let inner = Sequential::input([3])
        .layer("hidden", Dense::new(3))
        .feedback("hidden", "hidden")
        .schedule(Unroll::iterations(2));
    let several = [
        any(Add::new()),
        any(Multiply::new()),
        any(Concat::new().axis(0)),
        any(GatedMix::new().bias(1.0)),
        any(Film::new()),
        any(Nested::new(inner).unwrap()),
    ];
    let others = tokens
        .into_iter()
        .chain(several)
        .map(|layer| (layer, Vec::new()));
    for (layer, _) in all_layers().into_iter().chain(others) {
        let text = layer.config().unwrap().to_string();
        let read = registry
            .layer(
                "layer \"x\"",
                layer.kind(),
                serde_json::from_str(&text).unwrap(),
            )
            .unwrap();
        assert_eq!(format!("{read:?}"), format!("{layer:?}"));
        tested.insert(layer.kind());
    }
    let known: BTreeSet<_> = registry.layer_kinds().collect();
    assert_eq!(known, tested, "each kind is in the tables above");
}

/// The value with one more entry in one of its objects, for each of them.
fn with_surplus(value: &Json) -> Vec<Json> {
    let put = |key: &str, inner: Json| {
        let mut whole = value.clone();
        whole[key] = inner;
        whole
    };
    match value {
        Json::Object(entries) => {
            let inner = entries.iter().flat_map(|(key, inner)| {
                with_surplus(inner)
                    .into_iter()
                    .map(move |inner| put(key, inner))
            });
            std::iter::once(put("surplus", json!(1)))
                .chain(inner)
                .collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn what_a_configuration_does_not_know_is_an_error() {
    let registry = Registry::builtin();
    let scores = any(TiedOutput::to("tokens"));
    for (layer, _) in all_layers().into_iter().chain([(scores, Vec::new())]) {
        for edited in with_surplus(&layer.config().unwrap()) {
            let read = registry.layer("layer \"x\"", layer.kind(), edited.clone());
            assert!(read.is_err(), "{} from {edited}", layer.kind());
        }
    }
    let pool = any(MaxPool2d::new([2, 2])).config().unwrap();
    assert_eq!(
        pool,
        json!({"window": [2, 2], "stride": [2, 2], "padding": "Valid"}),
        "what padding counts for is a choice of averages alone"
    );
}

#[test]
fn groups_of_a_depthwise_convolution_in_a_file_are_told() {
    let mut config = any(DepthwiseConv2d::new([3, 3])).config().unwrap();
    config["options"]["groups"] = json!(2);
    let registry = Registry::builtin();
    let layer = registry
        .layer("layer \"x\"", "DepthwiseConv2d", config)
        .unwrap();
    let mut scope = Scope::<f32>::new(Key::new(0));
    scope.enter("x");
    let error = layer
        .build_f32(&mut scope, &[Spec::float([5, 5, 4])])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer \"x\" (DepthwiseConv2d): expected 1 group in its options, found 2\n  \
         help: each channel becomes a group when it is built; for other groups use Conv2d"
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
    let known: Vec<_> = registry.layer_kinds().collect();
    assert_eq!(
        error("Convolution", "{}"),
        format!(
            "layer \"x\" is of kind \"Convolution\", which is not registered\n  \
             help: known kinds: {}; register yours and load with load_with(&registry)",
            known.join(", ")
        )
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
    fn dropout_of_attention_weights_does_not_depend_on_how_rows_are_batched(
        rows in 1_usize..6, cut in 0_usize..6, time in 1_usize..6, rate in 0.0..0.95, step in 0_u64..5,
    ) {
        let cut = cut.min(rows);
        let mut scope = Scope::<f32>::new(Key::new(0));
        scope.enter("attention");
        let layer = any(MultiHeadAttention::new(2).dropout(rate));
        let module = layer.build_f32(&mut scope, &[Spec::float([time, 4])]).unwrap().module;
        let params = scope.into_params();
        let x = Tensor::normal([rows, time, 4], 0.0, 1.0, &mut Key::new(4).rng());
        let run = |mut cx: Context<'_, f32>, range: std::ops::Range<usize>| {
            cx.enter_layer("attention");
            let x = Var::constant(x.slice(0, range));
            let forward = |cx: &mut Context<'_, f32>| {
                let y = module.forward(cx, &[Value::Float(x.clone())]).unwrap().remove(0);
                y.as_float().unwrap().tensor().clone()
            };
            let first = forward(&mut cx);
            cx.enter_iteration(Some(2));
            assert_eq!(forward(&mut cx), first, "the same at every iteration");
            first
        };
        let train = |range: std::ops::Range<usize>| {
            let cx = Context::train(&params, Tape::no_grad(), Key::new(9), step);
            run(cx.with_first_row(100 + range.start as u64), range)
        };
        let parts = Tensor::concat(&[&train(0..cut), &train(cut..rows)], 0);
        prop_assert_eq!(train(0..rows), parts);
        let plain = any(MultiHeadAttention::new(2));
        let mut scope = Scope::<f32>::new(Key::new(0));
        scope.enter("attention");
        let plain = plain.build_f32(&mut scope, &[Spec::float([time, 4])]).unwrap().module;
        let y = plain.forward(&mut Context::eval(&params), &[Value::Float(Var::constant(x.clone()))]).unwrap().remove(0);
        prop_assert_eq!(&run(Context::eval(&params), 0..rows), y.as_float().unwrap().tensor());
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
