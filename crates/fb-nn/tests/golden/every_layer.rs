//! Every layer that computes something of its own: outputs, all gradients, and running statistics.

use crate::file::{assert_close, cases, tensor};
use fb_autograd::{Tape, Var};
use fb_nn::layers::*;
use fb_nn::module::{AnyLayer, Scope, Spec, ValueKind};
use fb_nn::{Context, Mode, Value};
use fb_tensor::random::Key;
use fb_tensor::{Padding, Tensor};
use serde_json::Value as Json;
use std::sync::Arc;

/// The layer of a case.
fn layer(name: &str) -> Arc<dyn AnyLayer> {
    let explicit = |pairs| Padding::Explicit(pairs);
    match name {
        "conv2d" => Arc::new(Conv2d::new(4, [3, 2])),
        "conv2d_same" => Arc::new(Conv2d::new(3, [3, 4]).same().activation(Activation::Tanh)),
        "conv2d_strided" => Arc::new(
            Conv2d::new(3, [3, 2])
                .stride([2, 3])
                .padding(Padding::both([1, 2]))
                .dilation([2, 1]),
        ),
        "conv2d_grouped" => Arc::new(
            Conv2d::new(6, [3, 3])
                .groups(2)
                .padding(explicit([(1, 1), (1, 1)]))
                .bias(false),
        ),
        "conv2d_pointwise" => Arc::new(Conv2d::new(2, [1, 1])),
        "depthwise_conv2d" => Arc::new(DepthwiseConv2d::new([3, 3]).multiplier(2).stride([2, 2])),
        "conv1d" => Arc::new(
            Conv1d::new(4, [3])
                .stride([2])
                .padding(Padding::both([1]))
                .activation(Activation::Relu),
        ),
        "conv1d_dilated" => Arc::new(Conv1d::new(2, [3]).dilation([3]).groups(2)),
        "conv_transpose2d" => Arc::new(
            ConvTranspose2d::new(3, [3, 2])
                .stride([2, 3])
                .padding(Padding::both([1, 0]))
                .output_padding([1, 2])
                .activation(Activation::Tanh),
        ),
        "conv_transpose2d_grouped" => Arc::new(
            ConvTranspose2d::new(6, [2, 3])
                .groups(2)
                .dilation([1, 2])
                .bias(false),
        ),
        "conv_transpose1d" => Arc::new(
            ConvTranspose1d::new(2, [3])
                .stride([2])
                .padding(Padding::both([1])),
        ),
        "max_pool2d" => Arc::new(
            MaxPool2d::new([3, 2])
                .stride([2, 1])
                .padding(Padding::both([1, 0])),
        ),
        "avg_pool2d" => Arc::new(
            AvgPool2d::new([3, 2])
                .stride([2, 1])
                .padding(Padding::both([1, 1])),
        ),
        "avg_pool2d_without_padding" => Arc::new(
            AvgPool2d::new([3, 3])
                .stride([2, 2])
                .padding(Padding::both([1, 1]))
                .count_padding(false),
        ),
        "max_pool1d" => Arc::new(MaxPool1d::new([2])),
        "avg_pool1d" => Arc::new(AvgPool1d::new([3]).stride([2])),
        "adaptive_avg_pool2d" => Arc::new(AdaptiveAvgPool2d::new([3, 2])),
        "adaptive_max_pool2d" => Arc::new(AdaptiveMaxPool2d::new([2, 3])),
        "global_avg_pool" => Arc::new(GlobalAvgPool),
        "global_max_pool" => Arc::new(GlobalMaxPool),
        "resize_nearest" => Arc::new(Resize::to([5, 7])),
        "resize_by" => Arc::new(Resize::by([2, 3])),
        "resize_bilinear" => Arc::new(Resize::to([5, 7]).bilinear()),
        "resize_corners" => Arc::new(Resize::to([2, 6]).align_corners()),
        "layer_norm" => Arc::new(LayerNorm::new()),
        "layer_norm_plain" => Arc::new(LayerNorm::new().scale(false).bias(false).epsilon(1e-3)),
        "rms_norm" => Arc::new(RmsNorm::new()),
        "group_norm" => Arc::new(GroupNorm::new(2)),
        "batch_norm" | "batch_norm_eval" => Arc::new(BatchNorm::new()),
        "embedding" => Arc::new(Embedding::new(4, 3).padding(0)),
        "learned_positions" => Arc::new(LearnedPositions::new()),
        "attention" | "attention_masked" | "attention_cross" => {
            Arc::new(MultiHeadAttention::new(2))
        }
        "attention_causal" => Arc::new(MultiHeadAttention::new(3).causal()),
        "attention_grouped_rotary" => Arc::new(
            MultiHeadAttention::new(4)
                .key_value_heads(2)
                .head_width(4)
                .causal()
                .rotary(10_000.0)
                .bias(false),
        ),
        "feed_forward" => Arc::new(FeedForward::new(7)),
        "feed_forward_swiglu" => Arc::new(FeedForward::swiglu(7)),
        "block_gpt" => Arc::new(
            TransformerBlock::decoder(2)
                .hidden(6)
                .activation(Activation::GeluTanh),
        ),
        "block_encoder" => Arc::new(
            TransformerBlock::encoder(2)
                .hidden(6)
                .activation(Activation::Relu)
                .post_norm(),
        ),
        "block_encoder_pre" => Arc::new(TransformerBlock::encoder(2).hidden(6)),
        "block_cross" => Arc::new(TransformerDecoderBlock::new(2).hidden(6).post_norm()),
        "block_cross_pre" => Arc::new(TransformerDecoderBlock::new(2).hidden(6)),
        "block_llama" => Arc::new(
            TransformerBlock::decoder(4)
                .key_value_heads(2)
                .rotary(10_000.0)
                .swiglu(5)
                .rms_norm()
                .bias(false),
        ),
        "tied_output" => Arc::new(TiedOutput::to("layer/tokens").bias(true)),
        "sinusoidal_positions" => Arc::new(SinusoidalPositions),
        "residual" => Arc::new(
            Residual::new()
                .layer("wide", Dense::new(5).activation(Activation::Tanh))
                .layer("norm", LayerNorm::new())
                .layer("narrow", Dense::new(3))
                .activation(Activation::Relu),
        ),
        "residual_shortcut" => {
            let conv = Conv2d::new(4, [3, 3]).padding(Padding::both([1, 1]));
            let fit = Conv2d::new(4, [1, 1]).bias(false);
            Arc::new(
                Residual::new()
                    .layer("conv", conv.stride([2, 2]))
                    .shortcut("fit", fit.stride([2, 2]))
                    .activation(Activation::Tanh),
            )
        }
        "skip" => {
            let conv = Conv2d::new(3, [3, 3]).same();
            Arc::new(Skip::new().layer("conv", conv.activation(Activation::Tanh)))
        }
        other => panic!("no layer for case {other}"),
    }
}

/// The layer before that of a case, whose path is `layer/tokens`.
fn before(name: &str) -> Option<Arc<dyn AnyLayer>> {
    match name {
        "tied_output" => Some(Arc::new(Embedding::new(4, 3))),
        _ => None,
    }
}

/// Numbers, indices or a mask, by what the list holds.
fn value(json: &Json, tape: &Tape<f64>) -> Value<f64> {
    let mut leaf = json;
    while let Some(list) = leaf.as_array() {
        leaf = &list[0];
    }
    if leaf.is_boolean() {
        return Value::Mask(mapped(json, &|v| v.as_bool().unwrap()));
    }
    if leaf.is_i64() {
        return Value::Index(mapped(json, &|v| v.as_i64().unwrap()));
    }
    Value::Float(tape.leaf(tensor(json)))
}

/// A matrix of another type than numbers.
fn mapped<T: fb_tensor::Element>(json: &Json, read: &dyn Fn(&Json) -> T) -> Tensor<T> {
    let rows = json.as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    let all = rows.iter().flat_map(|row| row.as_array().unwrap());
    Tensor::from_vec(all.map(read).collect(), [rows.len(), columns])
}

fn spec(value: &Value<f64>) -> Spec {
    Spec {
        kind: value.kind(),
        shape: value.shape().without(0),
    }
}

#[test]
fn every_layer_agrees_with_pytorch() {
    let cases = cases(include_str!("layers.json"));
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 50);
    for case in cases {
        check(case);
    }
}

fn check(case: &Json) {
    let name = case["name"].as_str().unwrap();
    let tape = Tape::new();
    let inputs: Vec<Value<f64>> = case["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|json| value(json, &tape))
        .collect();
    let specs: Vec<Spec> = inputs.iter().map(spec).collect();
    let mut scope = Scope::<f64>::new(Key::new(0));
    let before = before(name).map(|layer| {
        scope.enter("layer/tokens");
        layer.build(&mut scope, &specs).unwrap()
    });
    let specs = before.as_ref().map_or(specs, |built| vec![built.output]);
    scope.enter("layer");
    let built = layer(name)
        .build(&mut scope, &specs)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut params = scope.into_params();
    let values = case["parameters"].as_object().unwrap();
    let named = values
        .iter()
        .map(|(path, json)| (format!("layer/{path}"), tensor(json)));
    params
        .load_state_dict(&named.collect())
        .unwrap_or_else(|error| panic!("{name}: {error}"));

    let train = case["train"].as_bool().unwrap();
    let mode = if train { Mode::Train } else { Mode::Eval };
    let mut cx = Context::new(&params, tape.clone(), mode);
    cx.enter_layer("layer");
    let given = match &before {
        Some(before) => before.module.forward(&mut cx, &inputs).unwrap(),
        None => inputs.clone(),
    };
    let y = built
        .module
        .forward(&mut cx, &given)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .remove(0);
    let y: &Var<f64> = y.as_float().unwrap();
    assert_close(y.tensor(), &tensor(&case["y"]), 1e-12, name);
    assert_eq!(y.dims()[1..], *built.output.shape, "{name}");

    let gradients = tape.gradients(&[(y, tensor(&case["upstream"]))]);
    for (input, wanted) in inputs
        .iter()
        .zip(case["input_gradients"].as_array().unwrap())
    {
        if input.kind() != ValueKind::Float {
            continue;
        }
        let found = gradients.get(input.as_float().unwrap()).unwrap();
        assert_close(
            found,
            &tensor(wanted),
            1e-12,
            &format!("{name} by its input"),
        );
    }
    let wanted = case["gradients"].as_object().unwrap();
    let mut seen = 0;
    for (id, leaf) in cx.leaves() {
        let path = params.get(id).name().trim_start_matches("layer/");
        let found = gradients.get(leaf).unwrap();
        assert_close(
            found,
            &tensor(&wanted[path]),
            1e-12,
            &format!("{name} by {path}"),
        );
        seen += 1;
    }
    assert_eq!(seen, wanted.len(), "{name}");
    let after = case["buffers_after"].as_object().unwrap();
    let updates = cx.take_buffer_updates();
    assert_eq!(updates.len(), after.len(), "{name}");
    for (id, found) in updates {
        let path = params.get(id).name().trim_start_matches("layer/");
        assert_close(
            &found,
            &tensor(&after[path]),
            1e-12,
            &format!("{name}: {path}"),
        );
    }
}
