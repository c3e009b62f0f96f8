//! Memory of training steps. One test alone in its program, as it counts what the whole program asks the system for.

use fb_nn::Sequential;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::*;
use fb_nn::loss::CrossEntropy;
use fb_nn::optim::{Adam, Clip};
use fb_tensor::pool::CountingAllocator;
use fb_tensor::{Tensor, pool, threads};
use fb_train::{Compile, IntoSamples, Model};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

fn compiled(declared: Sequential) -> Model {
    let network = declared.build().unwrap();
    let model = network.compile(Adam::new(1e-3), CrossEntropy, ()).unwrap();
    model.clip(Clip::Norm(1.0))
}

fn model() -> Model {
    compiled(
        Sequential::input([100])
            .layer("hidden", Dense::new(300).activation(Activation::Relu))
            .layer("output", Dense::new(10))
            .feedback("output", "hidden")
            .schedule(Unroll::iterations(5)),
    )
}

/// Convolutions, norms, pooling, and a way back to larger maps.
fn maps() -> Model {
    compiled(
        Sequential::input([16, 16, 3])
            .layer("conv1", Conv2d::new(16, [3, 3]).same())
            .layer("batch", BatchNorm::new())
            .layer("group", GroupNorm::new(4))
            .layer("relu", Activation::Relu)
            .layer("pool", MaxPool2d::new([2, 2]))
            .layer("depth", DepthwiseConv2d::new([3, 3]).same())
            .layer("conv2", Conv2d::new(32, [3, 3]).stride([2, 2]).same())
            .layer("up", ConvTranspose2d::new(8, [3, 3]).stride([2, 2]))
            .layer("resize", Resize::to([8, 8]).bilinear())
            .layer("average", GlobalAvgPool)
            .layer("drop", Dropout::new(0.1))
            .layer("output", Dense::new(10))
            .feedback("conv2", "conv1")
            .schedule(Unroll::iterations(2)),
    )
}

/// A small GPT, with as many scores as there are tokens.
fn texts(blocks: &[TransformerBlock]) -> Model {
    let declared = Sequential::indices([32])
        .layer("tokens", Embedding::new(40, 32))
        .layer("positions", LearnedPositions::new());
    let declared = blocks
        .iter()
        .enumerate()
        .fold(declared, |network, (i, block)| {
            network.layer(
                format!("block{i}"),
                block.dropout(0.1).attention_dropout(0.1),
            )
        });
    compiled(
        declared
            .layer("norm", LayerNorm::new())
            .layer("scores", TiedOutput::to("tokens")),
    )
}

/// Recurrent layers over more steps than fit into a small list.
fn sequences() -> Model {
    compiled(
        Sequential::input([600, 4])
            .layer("lstm", Lstm::new(8).levels(2).residual())
            .layer("gru", Gru::new(8).bidirectional())
            .layer("minimal", Recurrent::new(MinGruCell::new(8)))
            .layer("elman", Elman::new(8).last())
            .layer("output", Dense::new(10)),
    )
}

/// A chain of so many layers with a weight, a bias, a norm's two parameters and its two running statistics each, in a loop.
fn deep(layers: usize) -> Model {
    let chain = (0..layers).fold(Residual::new(), |chain, i| {
        chain
            .layer(format!("dense{i}"), Dense::new(16))
            .layer(format!("norm{i}"), BatchNorm::new())
    });
    compiled(
        Sequential::input([16])
            .layer("chain", chain)
            .layer("output", Dense::new(10))
            .feedback("output", "chain")
            .schedule(Unroll::iterations(2)),
    )
}

/// The blocks above 4 KiB that so many steps took from the system: counted by the allocator, and by the pool.
fn taken<X>(model: &mut Model, steps: usize, (x, y): &(X, Tensor<i64>)) -> (u64, u64)
where
    for<'a> (&'a X, &'a Tensor<i64>): IntoSamples<f32>,
{
    let now = || {
        (
            ALLOCATOR.large_allocations(),
            pool::stats().large_allocations,
        )
    };
    let before = now();
    for _ in 0..steps {
        model.train_batch((x, y)).unwrap();
    }
    let after = now();
    (after.0 - before.0, after.1 - before.1)
}

#[test]
fn a_step_in_steady_state_takes_no_large_block_and_writes_weights_in_place() {
    let samples = (Tensor::ones([640, 100]), Tensor::<i64>::zeros_of([640]));
    let mut alone = model();
    threads::scope_with(1, || {
        taken(&mut alone, 3, &samples);
        assert_eq!(taken(&mut alone, 10, &samples), (0, 0));
    });
    threads::scope_with(1, || {
        let samples = (Tensor::ones([8, 16, 16, 3]), Tensor::<i64>::zeros_of([8]));
        let mut model = maps();
        taken(&mut model, 3, &samples);
        assert_eq!(taken(&mut model, 10, &samples), (0, 0), "maps");
        let seen = Tensor::<i64>::zeros_of([8, 32]);
        let samples = (seen.clone(), seen);
        let block = TransformerBlock::decoder(4);
        let llama = block.swiglu(48).rms_norm().rotary(1e4);
        for blocks in [&[block, llama][..], &[block; 14]] {
            let mut model = texts(blocks);
            taken(&mut model, 3, &samples);
            assert_eq!(taken(&mut model, 10, &samples), (0, 0), "{blocks:?}");
        }
        let samples = (Tensor::ones([8, 600, 4]), Tensor::<i64>::zeros_of([8]));
        let mut model = sequences();
        taken(&mut model, 3, &samples);
        assert_eq!(taken(&mut model, 10, &samples), (0, 0), "sequences");
        let samples = (Tensor::ones([8, 16]), Tensor::<i64>::zeros_of([8]));
        let mut model = deep(60);
        assert!(model.params().len() > 300);
        taken(&mut model, 3, &samples);
        assert_eq!(taken(&mut model, 10, &samples), (0, 0), "deep");
    });
    assert!(
        alone.params().iter().all(|(_, p)| p.value.is_unshared()),
        "weights are written in place"
    );
    // How many blocks two threads hold at once depends on their timing, so a new most may be seen now and then; a block a
    // step would be a hundred.
    let mut shared = model();
    threads::scope_with(2, || {
        taken(&mut shared, 20, &samples);
        let (system, pool) = taken(&mut shared, 100, &samples);
        assert!(system < 20 && pool < 20, "{system} and {pool}");
    });
}
