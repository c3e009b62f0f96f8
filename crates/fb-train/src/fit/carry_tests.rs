use super::carry::{Carry, Rules};
use crate::model::{Compile, IntoSamples, Model, Samples};
use fb_nn::feedback::gradient::{DeepSupervision, GradientStrategy};
use fb_nn::feedback::schedule::{Halt, Unroll};
use fb_nn::init::Initializer;
use fb_nn::layers::{Activation, Dense};
use fb_nn::loss::{BinaryCrossentropy, MeanSquaredError};
use fb_nn::optim::Sgd;
use fb_nn::{Context, Graph, Sequential};
use fb_tensor::Tensor;

/// A loop whose state says which sample it belongs to: `h ← h + x` twice a segment, so after `n` segments `h = 2n·x`.
fn counter(count: usize) -> Model {
    let mut network = Sequential::input([1])
        .layer("sum", Dense::new(1).bias_init(Initializer::Zeros))
        .feedback("sum", "sum")
        .schedule(Unroll::iterations(2))
        .build()
        .unwrap();
    for (_, param) in network.params_mut().iter_mut() {
        let one = if param.name().ends_with("bias") {
            0.0
        } else {
            1.0
        };
        param.value = Tensor::full(*param.value.shape(), one);
    }
    network
        .compile(Sgd::new(0.0), MeanSquaredError, ())
        .unwrap()
        .gradient(DeepSupervision::segments(count).refill())
}

fn numbers(rows: usize) -> Samples {
    let x: Vec<f32> = (1..=rows).map(|n| n as f32).collect();
    let x = Tensor::from_vec(x, [rows, 1]);
    (&x, &(&x * 10.0)).into_samples()
}

fn rules(model: &Model) -> Rules<'static> {
    Rules {
        segments: model.segments().unwrap(),
        schedule: None,
        epoch: 0,
    }
}

#[test]
fn a_slot_keeps_sample_label_and_state_together() {
    let mut model = counter(3);
    let (train, rules) = (numbers(7), rules(&model));
    let mut rows = [4, 2, 6, 0, 1, 3, 5].into_iter();
    let mut carry = Carry::new();
    carry.fill(2, &mut rows, &model, &rules);
    let mut left = Vec::new();
    while !carry.is_empty() {
        let turn = carry
            .turn(&mut model, &train, None, false, &rules, &mut rows)
            .unwrap();
        for (place, &row) in turn.left.iter().enumerate() {
            // Three segments of its own number, however long its neighbours have run.
            assert_eq!(turn.answers.at(&[place, 0]), 6.0 * (row + 1) as f32);
        }
        left.extend(turn.left);
        let Some(state) = carry.state() else { continue };
        let state = state.values().next().unwrap().tensor().to_vec();
        for (place, slot) in carry.slots().iter().enumerate() {
            if !carry.fresh()[place] {
                assert_eq!(state[place], (2 * slot.age * (slot.row + 1)) as f32);
            }
        }
    }
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_refilled_slot_starts_as_a_fresh_one() {
    let model = counter(2);
    let mut cx = Context::eval(model.params());
    let fresh = model.network().initial_state(&mut cx, 2);
    let used = fresh.with_values(fresh.values().map(|v| v + 5.0).collect::<Vec<_>>());
    let mask = Tensor::from_vec(vec![true, false], [2]);
    let reset = used.reset_rows(&mask, &fresh).unwrap();
    let values = |state: &fb_nn::State| state.values().next().unwrap().tensor().to_vec();
    assert_eq!(values(&reset), [values(&fresh)[0], values(&used)[1]]);
}

#[test]
fn samples_that_the_network_is_sure_of_leave_at_once_and_explorers_stay() {
    let network = Graph::new()
        .input("x", [2])
        .layer("hidden", Dense::new(4).activation(Activation::Tanh), "x")
        .layer("answer", Dense::new(1), "hidden")
        .layer(
            "halt",
            Dense::new(1).bias_init(Initializer::Constant(50.0)),
            "hidden",
        )
        .feedback("hidden", "hidden")
        .output("answer")
        .schedule(Halt::confidence("halt", 2))
        .build()
        .unwrap();
    let mut model: Model = network
        .compile(Sgd::new(0.0), BinaryCrossentropy.from_logits(), ())
        .unwrap()
        .gradient(DeepSupervision::segments(4).refill());
    let x = Tensor::ones([200, 2]);
    let train = (&x, &Tensor::zeros([200, 1])).into_samples();
    let rules = rules(&model);
    let mut rows = 0..200;
    let mut carry = Carry::new();
    carry.fill(50, &mut rows, &model, &rules);
    let explorers = carry.slots().iter().filter(|slot| slot.least > 1).count();
    assert!((1..15).contains(&explorers));
    let turn = carry
        .turn(&mut model, &train, None, false, &rules, &mut rows)
        .unwrap();
    assert_eq!(turn.left.len(), 50 - explorers);
    let strategy: &dyn GradientStrategy<f32> = &DeepSupervision::segments(4).refill();
    assert!(strategy.segments().unwrap().refill);
}

#[test]
fn the_order_of_slots_changes_no_sample() {
    let run = |order: [usize; 4]| {
        let mut model = counter(2);
        let (train, rules) = (numbers(4), rules(&model));
        let mut rows = order.into_iter();
        let mut carry = Carry::new();
        carry.fill(4, &mut rows, &model, &rules);
        let mut found = vec![f32::NAN; 4];
        while !carry.is_empty() {
            let turn = carry
                .turn(&mut model, &train, None, false, &rules, &mut rows)
                .unwrap();
            for (place, &row) in turn.left.iter().enumerate() {
                found[row] = turn.answers.at(&[place, 0]);
            }
        }
        found
    };
    assert_eq!(run([0, 1, 2, 3]), run([2, 0, 3, 1]));
}
