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

#[test]
fn a_step_in_steady_state_takes_no_large_block_and_writes_weights_in_place() {
    let (x, y) = (Tensor::ones([640, 100]), Tensor::<i64>::zeros_of([640]));
    let mut model = model();
    threads::scope_with(2, move || {
        for _ in 0..5 {
            model.train_batch((&x, &y)).unwrap();
        }
        let before = (
            ALLOCATOR.large_allocations(),
            pool::stats().large_allocations,
        );
        for _ in 0..10 {
            model.train_batch((&x, &y)).unwrap();
        }
        let after = (
            ALLOCATOR.large_allocations(),
            pool::stats().large_allocations,
        );
        assert_eq!(after, before);
        assert!(
            model.params().iter().all(|(_, p)| p.value.is_unshared()),
            "weights are written in place"
        );
    });
}
