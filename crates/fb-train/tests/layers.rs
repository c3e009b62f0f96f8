//! Networks of all layers, trained, described, saved and loaded; networks that start with tokens.

use fb_nn::feedback::network::{IntoTopology, Nested};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::feedback::topology::Topology;
use fb_nn::layers::*;
use fb_nn::loss::CrossEntropy;
use fb_nn::optim::Adam;
use fb_nn::{Graph, Network, Registry, Sequential};
use fb_tensor::random::Key;
use fb_tensor::{Padding, Tensor};
use fb_train::file::ModelFile;
use fb_train::metrics::Accuracy;
use fb_train::{Compile, Fit, IntoInputs, Model, NetworkFile};
use serde_json::json;
use std::collections::BTreeSet;

const TIME: usize = 6;
const VOCABULARY: usize = 5;

fn gpt() -> Sequential {
    Sequential::indices([TIME])
        .layer("tokens", Embedding::new(VOCABULARY, 16))
        .layer("positions", LearnedPositions::new())
        .layer("block1", TransformerBlock::decoder(2).hidden(32))
        .layer("block2", TransformerBlock::decoder(2).hidden(32))
        .layer("norm", LayerNorm::new())
        .layer("scores", TiedOutput::to("tokens"))
        .seed(4)
}

fn compiled(declared: impl IntoTopology) -> Model {
    compiled_network(Network::build(declared.into_topology().unwrap()).unwrap())
}

/// Texts that count upwards from anywhere, and what comes after each token.
fn counting() -> (Tensor<i64>, Tensor<i64>) {
    let from = |ahead: usize| {
        Tensor::from_fn([40, TIME], |at| {
            ((at[0] + at[1] + ahead) % VOCABULARY) as i64
        })
    };
    (from(0), from(1))
}

#[test]
fn a_gpt_learns_to_count() {
    let (x, y) = counting();
    let mut model = compiled(gpt());
    let before = model.evaluate((&x, &y)).unwrap();
    let fit = Fit::epochs(12).batch_size(10).silent();
    model.fit((&x, &y), fit).unwrap();
    let after = model.evaluate((&x, &y)).unwrap();
    assert!(before.get("accuracy").unwrap() < 0.7, "{before}");
    assert!(after.loss() < 0.1 * before.loss(), "{before} -> {after}");
    assert_eq!(
        after.get("accuracy"),
        Some(1.0),
        "a right answer at each position"
    );

    let scores = model.predict(&x).unwrap();
    assert_eq!(scores.dims(), [40, TIME, VOCABULARY]);
    assert_eq!(model.predict_classes(&x).unwrap(), y);
    assert_eq!(model.predict_iterations(&x).unwrap()[0], scores);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gpt.safetensors");
    model.save(&path).unwrap();
    let again = compiled_network(Network::load(&path).unwrap());
    assert_eq!(again.predict(&x).unwrap(), scores, "bit for bit");
}

fn compiled_network(network: Network) -> Model {
    network
        .compile(Adam::new(0.01), CrossEntropy, (Accuracy,))
        .unwrap()
}

#[test]
fn training_on_tokens_goes_on_from_a_checkpoint() {
    let (x, y) = counting();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gpt.ckpt");
    let fit = |epochs| Fit::epochs(epochs).batch_size(16).silent();
    let mut whole = compiled(gpt());
    whole.fit((&x, &y), fit(4)).unwrap();
    let mut first = compiled(gpt());
    first.fit((&x, &y), fit(2).checkpoint(&path)).unwrap();
    let mut second = compiled(gpt());
    second
        .fit((&x, &y), fit(4).checkpoint(&path).resume())
        .unwrap();
    assert_eq!(second.params().state_dict(), whole.params().state_dict());
}

#[test]
fn wrong_tokens_and_labels_are_told_with_their_place() {
    let (x, y) = counting();
    let mut model = compiled(gpt());
    let mut wrong = x.clone();
    wrong.make_mut()[3 * TIME + 2] = 9;
    let texts = [
        model.evaluate((&wrong, &y)).unwrap_err().to_string(),
        model.predict(&wrong).unwrap_err().to_string(),
    ];
    for text in texts {
        assert_eq!(
            text,
            "layer \"tokens\": expected tokens from 0 to 4 (a vocabulary of 5), found token 9 in row 3 at position 2\n  \
             help: map words that the vocabulary does not have to a token of their own"
        );
    }
    let start = model.params().state_dict();
    let fit = Fit::epochs(1).batch_size(40).silent();
    let text = model.fit((&wrong, &y), fit).unwrap_err().to_string();
    assert!(text.contains("found token 9 in row"), "{text}");
    assert_eq!(
        model.params().state_dict(),
        start,
        "nothing was learned from it"
    );

    let mut labels = y.clone();
    labels.make_mut()[7 * TIME + 1] = 5;
    let text = model.evaluate((&x, &labels)).unwrap_err().to_string();
    assert!(text.contains("row 7") && text.contains('5'), "{text}");
    let numbers = Tensor::zeros([2, TIME]);
    let text = model.predict(&numbers).unwrap_err().to_string();
    assert!(
        text.contains("indices [batch, 6]") && text.contains("numbers [2, 6]"),
        "{text}"
    );
    let short = Tensor::from([[1_i64, 2]]);
    let text = model.predict(&short).unwrap_err().to_string();
    assert!(
        text.contains("found indices [1, 2]") && text.contains("Sequential::indices"),
        "{text}"
    );
}

fn conv(filters: usize) -> Conv2d {
    Conv2d::new(filters, [3, 3])
        .same()
        .activation(Activation::Relu)
}

/// Networks that together have every kind of layer.
fn networks() -> Vec<Topology> {
    let images = Sequential::input([8, 8, 2])
        .layer("conv", conv(4))
        .layer("norm", BatchNorm::new())
        .layer("act", Activation::Relu)
        .layer("leak", Leaky::new(0.6))
        .layer("depthwise", DepthwiseConv2d::new([3, 3]).same())
        .layer("groups", GroupNorm::new(2))
        .layer("pool", MaxPool2d::new([2, 2]))
        .layer(
            "block",
            Residual::new()
                .layer("conv1", conv(6))
                .layer("groups", GroupNorm::new(3))
                .shortcut("fit", Conv2d::new(6, [1, 1]).bias(false))
                .activation(Activation::Relu),
        )
        .layer("average", AvgPool2d::new([2, 2]))
        .layer("wide", Resize::by([2, 2]).bilinear())
        .layer("up", ConvTranspose2d::new(3, [2, 2]).stride([2, 2]))
        .layer("grid", AdaptiveAvgPool2d::new([3, 3]))
        .layer("peaks", AdaptiveMaxPool2d::new([2, 2]))
        .layer("skip", Skip::new().layer("more", conv(2)))
        .layer("mean", GlobalAvgPool)
        .layer("drop", Dropout::new(0.1))
        .layer("output", Dense::new(VOCABULARY))
        .feedback("block", "conv")
        .feedback("output", "block")
        .feedback("skip", "block")
        .gate()
        .schedule(Unroll::iterations(2));
    let series = Sequential::input([12, 2])
        .layer("conv", Conv1d::new(4, [3]).padding(Padding::both([1])))
        .layer("pool", MaxPool1d::new([2]))
        .layer("average", AvgPool1d::new([2]))
        .layer("up", ConvTranspose1d::new(4, [2]).stride([2]))
        .layer("waves", SinusoidalPositions)
        .layer("attention", MultiHeadAttention::new(2).causal())
        .layer("norm", RmsNorm::new())
        .layer("feed_forward", FeedForward::swiglu(6))
        .layer("peak", GlobalMaxPool)
        .layer("square", Reshape::new([2, 2]))
        .layer("flat", Flatten)
        .layer("output", Dense::new(VOCABULARY))
        .feedback("up", "conv")
        .schedule(Unroll::iterations(2));
    let inner = Sequential::input([6])
        .layer("hidden", Dense::new(6).activation(Activation::Tanh))
        .feedback("hidden", "hidden")
        .schedule(Unroll::iterations(2));
    let merges = Graph::new()
        .input("x", [6])
        .layer("left", Dense::new(6).activation(Activation::Tanh), "x")
        .layer("settle", Nested::new(inner).unwrap(), "left")
        .layer("sum", Add::new(), ["left", "settle", "x"])
        .layer("product", Multiply::new(), ["sum", "left"])
        .layer("mix", GatedMix::new(), ["product", "settle"])
        .layer("told", Film::new(), ["mix", "x"])
        .layer("both", Concat::new(), ["told", "left"])
        .layer("scores", Dense::new(5), "both")
        .feedback("told", "left")
        .schedule(Unroll::iterations(2));
    let memory = Sequential::input([TIME, 3])
        .layer("memory", Lstm::new(6).last())
        .layer("scores", Dense::new(5));
    let all = [images, series, gpt(), memory].map(|chain| chain.topology());
    let mut all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    all.push(merges.topology().unwrap());
    all
}

#[test]
fn every_layer_is_described_trained_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::from(["TransformerDecoderBlock"]); // It has two inputs: not for a chain.
    for (number, declared) in networks().into_iter().enumerate() {
        let mut model = compiled(declared);
        let summary = model.summary().to_string();
        let diagram = model.diagram().mermaid();
        for node in model.network().describe().nodes {
            seen.insert(node.kind);
            assert!(summary.contains(&node.name), "{}", node.name);
            assert!(summary.contains(&node.description), "{}", node.description);
        }
        for edge in model.network().describe().edges {
            assert!(summary.contains(&edge.map), "{}", edge.map);
            assert!(diagram.contains(&edge.sampling), "{}", edge.sampling);
        }

        let spec = model.network().input_spec();
        let shape = spec.shape.with_inserted(0, 4);
        let mut rng = Key::new(1).rng();
        let inputs: fb_train::Inputs = match spec.kind {
            fb_nn::module::ValueKind::Float => {
                (&Tensor::<f32>::normal(shape, 0.0, 1.0, &mut rng)).into_inputs()
            }
            _ => (&counting().0.slice(0, 0..4)).into_inputs(),
        };
        let targets = match model.network().output_spec().shape.len() {
            1 => Tensor::from([0_i64, 1, 2, 3]),
            _ => counting().1.slice(0, 0..4),
        };
        let samples = fb_train::Samples {
            inputs: inputs.clone(),
            targets: fb_nn::Target::Index(targets),
        };
        let before = model.params().state_dict();
        model.train_batch(&samples).unwrap();
        for (name, value) in model.params().state_dict() {
            assert_ne!(value, before[&name], "{name} is trained");
        }

        let path = folder.path().join(format!("{number}.safetensors"));
        model.save(&path).unwrap();
        let loaded: Network = Network::load(&path).unwrap();
        assert_eq!(loaded.params().state_dict(), model.params().state_dict());
        let again = compiled_network(loaded);
        assert_eq!(
            again.predict(&inputs).unwrap(),
            model.predict(&inputs).unwrap()
        );
        assert_eq!(again.summary().to_string(), model.summary().to_string());
    }
    let registry = Registry::builtin();
    assert_eq!(
        seen,
        registry.layer_kinds().collect(),
        "every kind has been here"
    );
}

/// What loading says of a network whose architecture was edited: at each of these places stands another value.
fn edited(declared: Sequential, edits: &[(&str, serde_json::Value)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edited.safetensors");
    declared.build().unwrap().save(&path).unwrap();
    let file = ModelFile::load(&path).unwrap();
    let mut architecture = serde_json::from_str::<serde_json::Value>(file.architecture()).unwrap();
    for (place, value) in edits {
        *architecture.pointer_mut(place).unwrap() = value.clone();
    }
    let mut again = ModelFile::new(architecture.to_string());
    for (name, tensor) in file.tensors().iter() {
        again.tensors_mut().insert(name, tensor.clone());
    }
    again.save(&path).unwrap();
    Network::<f32>::load(&path).unwrap_err().to_string()
}

#[test]
fn sizes_without_measure_are_refused_before_memory_is_asked_for() {
    let convolution = || Sequential::input([8, 8, 4]).layer("maps", conv(4).same());
    let transposed = || {
        let layer = ConvTranspose2d::new(4, [3, 3]).stride([2, 2]);
        Sequential::input([8, 8, 4]).layer("maps", layer)
    };
    let options = "/layers/0/config/options";
    let huge = 1_u64 << 40;
    let cases: [(Sequential, &str, serde_json::Value); 10] = [
        (
            convolution(),
            "/padding",
            json!({"Explicit": [[huge, 0], [0, 0]]}),
        ),
        (convolution(), "/dilation", json!([huge, 1])),
        (convolution(), "/dilation", json!([1, u64::MAX >> 9])),
        (convolution(), "/stride", json!([huge, 1])),
        (transposed(), "/stride", json!([huge, 1])),
        (transposed(), "/stride", json!([1, 1_u64 << 32])),
        (transposed(), "/dilation", json!([huge, 1])),
        (transposed(), "/output_padding", json!([huge, 0])),
        (convolution(), "/groups", json!(u64::MAX)),
        (
            transposed(),
            "/padding",
            json!({"Explicit": [[huge, 0], [0, 0]]}),
        ),
    ];
    for (declared, option, value) in cases {
        let text = edited(declared, &[(&format!("{options}{option}"), value)]);
        assert!(text.contains("\n  layer \"maps\" (Conv"), "{text}");
    }
    // A step that is long and passes over little.
    let layer = ConvTranspose2d::new(1, [1, 1]).stride([2, 2]);
    let text = edited(
        Sequential::input([1, 1, 1]).layer("maps", layer),
        &[(&format!("{options}/stride"), json!([1_u64 << 32, 1]))],
    );
    assert!(text.contains("expected strides of at most 65536"), "{text}");
    let resized = || Sequential::input([8, 8, 4]).layer("maps", Resize::to([4, 4]));
    let size = "/layers/0/config/size";
    for to in [json!([1 << 20, 1 << 20]), json!([u64::MAX, 1])] {
        let text = edited(resized(), &[(size, json!({ "to": to }))]);
        assert!(text.contains("\n  layer \"maps\" (Resize): "), "{text}");
    }
    let text = edited(gpt(), &[("/input", json!([huge]))]);
    assert!(
        text.contains("network input: expected at most 8589934592 numbers for a sample"),
        "{text}"
    );
    // A layer widened by feedback, and one inside another.
    let wide = Sequential::input([8])
        .layer("maps", Activation::Relu)
        .layer("hidden", Dense::new(8))
        .feedback("hidden", "hidden")
        .concat()
        .schedule(Unroll::iterations(2));
    let text = edited(wide, &[("/layers/1/config/units", json!(u64::MAX >> 4))]);
    assert!(text.contains("cannot be used\n  "), "{text}");
    let inside =
        Sequential::input([8, 8, 4]).layer("skip", Skip::new().layer("maps", Resize::to([8, 8])));
    let inner = "/layers/0/config/layers/0/config/size/to";
    let text = edited(inside, &[(inner, json!([1 << 20, 1 << 20]))]);
    assert!(text.contains("layer \"skip/maps\" (Resize): "), "{text}");
}

#[test]
fn diagrams_say_how_maps_are_sampled() {
    let network: Network = Network::build(networks().remove(0)).unwrap();
    let description = network.describe();
    let summary = fb_train::describe::summary(&description).to_string();
    assert!(
        summary.contains("add, learned 4x4x6 -> 8x8x4, up by patches of 2x2, delay 1, from zeros"),
        "{summary}"
    );
    let mermaid = fb_train::describe::diagram(&description).mermaid();
    assert!(
        mermaid.contains("z⁻¹ add, up by patches of 2x2"),
        "{mermaid}"
    );
}

#[test]
fn frozen_batch_norm_stays_frozen_in_files_and_others_do_not() {
    let declared = Sequential::input([3])
        .layer("norm1", BatchNorm::new())
        .layer("norm2", BatchNorm::new())
        .layer("output", Dense::new(2));
    let mut model = compiled(declared);
    model.freeze("norm1").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let mut again = compiled_network(Network::load(&path).unwrap());
    let x: Tensor = Tensor::normal([8, 3], 1.0, 2.0, &mut Key::new(2).rng());
    let y = Tensor::from([0_i64, 1, 0, 1, 0, 1, 0, 1]);
    let before = again.params().state_dict();
    again.train_batch((&x, &y)).unwrap();
    let after = again.params().state_dict();
    for (name, value) in &before {
        let changed = *value != after[name];
        assert_eq!(changed, !name.starts_with("norm1/"), "{name}");
    }
}
