//! Memory of training steps. One test alone in its program, as it counts what the whole program asks the system for.

use fb_nn::Sequential;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Dense};
use fb_nn::loss::CrossEntropy;
use fb_nn::optim::{Adam, Clip};
use fb_tensor::pool::CountingAllocator;
use fb_tensor::{Tensor, pool, threads};
use fb_train::{Compile, Model};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

fn model() -> Model {
    let network = Sequential::input([100])
        .layer("hidden", Dense::new(300).activation(Activation::Relu))
        .layer("output", Dense::new(10))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(5))
        .build()
        .unwrap();
    let model = network.compile(Adam::new(1e-3), CrossEntropy, ()).unwrap();
    model.clip(Clip::Norm(1.0))
}

/// The blocks above 4 KiB that so many steps took from the system: counted by the allocator, and by the pool.
fn taken(model: &mut Model, steps: usize, (x, y): &(Tensor, Tensor<i64>)) -> (u64, u64) {
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
