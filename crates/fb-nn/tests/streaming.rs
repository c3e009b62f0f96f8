//! Sequences that come piece by piece give what they give as a whole.

use fb_autograd::Var;
use fb_nn::layers::*;
use fb_nn::module::{AnyLayer, Memory, Scope, Spec, Streaming};
use fb_nn::{Context, Network, Sequential, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use std::sync::Arc;

const TIME: usize = 7;

fn gpt() -> Network<f64> {
    let residual = Residual::new().layer("norm", LayerNorm::new()).layer(
        "attention",
        MultiHeadAttention::new(2).causal().key_value_heads(1),
    );
    Sequential::indices([TIME])
        .layer("tokens", Embedding::new(11, 8))
        .layer("learned", LearnedPositions::new())
        .layer("waves", SinusoidalPositions)
        .layer("plain", TransformerBlock::decoder(2).dropout(0.5))
        .layer(
            "rotary",
            TransformerBlock::decoder(4)
                .rotary(100.0)
                .rms_norm()
                .swiglu(6),
        )
        .layer(
            "after",
            TransformerBlock::decoder(2).key_value_heads(1).post_norm(),
        )
        .layer("residual", residual)
        .layer("skip", Skip::new().layer("hidden", Dense::new(4)))
        .layer("norm", BatchNorm::new())
        .layer("narrow", Dense::new(8).activation(Activation::Gelu))
        .layer("scores", TiedOutput::to("tokens"))
        .seed(3)
        .build_as()
        .unwrap()
}

fn tokens(batch: usize) -> Tensor<i64> {
    Tensor::from_fn([batch, TIME], |at| ((at[0] * 5 + at[1] * 3) % 11) as i64)
}

fn floats(value: &Value<f64>) -> &Tensor<f64> {
    value.as_float().unwrap().tensor()
}

#[test]
fn pieces_give_what_the_whole_gives() {
    let network = gpt();
    let x = tokens(2);
    let mut cx = Context::eval(network.params());
    let whole = network.forward(&mut cx, x.clone()).unwrap();
    for cuts in [vec![1; TIME], vec![3, 1, 3], vec![TIME]] {
        let (mut memory, mut start, mut parts) = (Memory::Empty, 0, Vec::new());
        for piece in cuts {
            let part = x.slice(1, start..start + piece);
            let y;
            (y, memory) = network.forward_from(&mut cx, part, memory).unwrap();
            parts.push(floats(&y).clone());
            start += piece;
        }
        let together = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1);
        let worst = (together - floats(&whole)).abs().max();
        assert!(worst < 1e-12, "off by {worst}");
    }
}

#[test]
fn a_memory_is_a_value_that_can_go_on_in_several_ways() {
    let network = gpt();
    let x = tokens(1);
    let mut cx = Context::eval(network.params());
    let (_, memory) = network
        .forward_from(&mut cx, x.slice(1, 0..3), Memory::Empty)
        .unwrap();
    let mut next = |token: i64| {
        let token = Tensor::from([[token]]);
        let (y, _) = network
            .forward_from(&mut cx, token, memory.clone())
            .unwrap();
        floats(&y).clone()
    };
    let first = next(1);
    assert_ne!(next(2), first);
    assert_eq!(next(1), first, "the other way left no trace");
}

#[test]
fn what_cannot_be_streamed_says_so() {
    let network = gpt();
    let mut cx = Context::eval(network.params());
    let (_, memory) = network
        .forward_from(&mut cx, tokens(1), Memory::Empty)
        .unwrap();
    let one = Tensor::from([[1_i64]]);
    let error = |network: &Network<f64>, x: Tensor<i64>, memory: Memory<f64>| {
        let mut cx = Context::eval(network.params());
        network
            .forward_from(&mut cx, x, memory)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(&network, one.clone(), memory.clone()),
        "layer \"learned\": expected at most 7 positions of 8 features, found 8 positions of 8 features\n  \
         help: a longer sequence needs a network that was built for it"
    );
    let text = error(&network, Tensor::from([1_i64]), Memory::Empty);
    assert!(
        text.contains("expected a piece of indices [batch, 7], found indices [1]"),
        "{text}"
    );
    let vectors = Sequential::input([4])
        .layer("shares", Activation::Softmax)
        .build_as::<f64>()
        .unwrap();
    let half = Var::constant(Tensor::ones_of([1, 2]));
    let text = vectors
        .forward_from(&mut Context::eval(vectors.params()), half, Memory::Empty)
        .unwrap_err();
    assert!(
        text.to_string()
            .ends_with("help: the network takes vectors: use Network::forward"),
        "{text}"
    );
    let text = error(&network, one.clone(), Memory::Position(3));
    assert!(
        text.contains("expected what 11 layers remember as memory, found 3 positions"),
        "{text}"
    );
    let encoder = Sequential::indices([4])
        .layer("tokens", Embedding::new(5, 4))
        .layer("block", TransformerBlock::encoder(2))
        .build_as()
        .unwrap();
    let text = error(&encoder, one.clone(), Memory::Empty);
    assert!(
        text.starts_with(
            "layer \"block\": expected a layer that can run on a sequence piece by piece"
        ),
        "{text}"
    );
    let looped = Sequential::indices([4])
        .layer("tokens", Embedding::new(5, 4))
        .layer("hidden", Dense::new(4))
        .feedback("hidden", "hidden")
        .schedule(fb_nn::feedback::schedule::Unroll::iterations(2))
        .build_as()
        .unwrap();
    assert!(
        error(&looped, one, Memory::Empty)
            .contains("expected a chain of layers without edges beside it")
    );
    // Keys and values of one sequence do not serve two.
    let Memory::Parts(parts) = memory else {
        panic!("a network remembers what its layers do")
    };
    let attention: Arc<dyn AnyLayer> = Arc::new(TransformerBlock::decoder(2));
    let mut scope = Scope::<f64>::new(Key::new(0));
    scope.enter("block");
    let module = attention
        .build(&mut scope, &[Spec::float([TIME, 8])])
        .unwrap()
        .module;
    let params = scope.into_params();
    let mut cx = Context::eval(&params);
    cx.enter_layer("block");
    let Streaming::Stateful(module) = module.streaming() else {
        panic!("a causal block runs on pieces")
    };
    let x = Value::Float(Var::constant(Tensor::ones_of([2, 1, 8])));
    let text = module
        .forward_from(&mut cx, &[x], parts[3].clone())
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with(
            "layer \"block/attention\": expected keys and values [2, 2, …, 4] as memory, found keys and values [1, "
        ),
        "{text}"
    );
}

#[test]
fn a_translator_writes_with_the_context_read_once() {
    let block: Arc<dyn AnyLayer> = Arc::new(TransformerDecoderBlock::new(2).hidden(5));
    let mut scope = Scope::<f64>::new(Key::new(1));
    scope.enter("block");
    let specs = [Spec::float([4, 6]), Spec::float([3, 2])];
    let module = block.build(&mut scope, &specs).unwrap().module;
    let params = scope.into_params();
    let mut rng = Key::new(2).rng();
    let x = Tensor::normal([2, 4, 6], 0.0, 1.0, &mut rng);
    let context = Value::Float(Var::constant(Tensor::normal([2, 3, 2], 0.0, 1.0, &mut rng)));
    let mask = Value::Mask(Tensor::from([[true, true, false], [true, true, true]]));
    let value = |x: Tensor<f64>| Value::Float(Var::constant(x));
    let mut cx = Context::eval(&params);
    let inputs = [value(x.clone()), context.clone(), mask.clone()];
    let whole = module.forward(&mut cx, &inputs).unwrap().remove(0);
    let Streaming::Stateful(stream) = module.streaming() else {
        panic!("it runs on pieces")
    };
    let mut memory = Memory::Empty;
    for step in 0..4 {
        let inputs = [
            value(x.slice(1, step..step + 1)),
            context.clone(),
            mask.clone(),
        ];
        let y;
        (y, memory) = stream.forward_from(&mut cx, &inputs, memory).unwrap();
        let want = floats(&whole).slice(1, step..step + 1);
        assert!((floats(&y) - &want).abs().max() < 1e-12);
    }
}
