//! Optimizers over lists of parameters. Apart from the other tests of optimizers, which count allocations.

use fb_nn::optim::{AdamW, OptimizerState, apply};
use fb_nn::param::{Params, Role};
use fb_tensor::Tensor;

/// All parameters as one list over threads change as each by itself.
#[test]
fn many_parameters_at_once_change_as_one_by_one() {
    let sizes = [3_usize, 40_000, 1, 700, 0, 9_000, 64];
    let make = || {
        let mut params = Params::<f32>::new();
        let ids: Vec<_> = (0..sizes.len())
            .map(|i| {
                let role = if i % 2 == 0 { Role::Weight } else { Role::Bias };
                let value = Tensor::full([sizes[i]], 0.5);
                params.insert(format!("p{i}/value"), value, role).unwrap()
            })
            .collect();
        params.freeze("p3/*").unwrap();
        (params, ids)
    };
    let gradient = |i: usize, step: usize| {
        Tensor::from_fn([sizes[i]], |at| ((at[0] * 7 + i + step) % 13) as f32 - 6.0)
    };
    let optimizer = AdamW::new(0.01).weight_decay(0.1);
    let ((mut together, ids), mut state) = (make(), OptimizerState::new());
    let ((mut single, _), mut single_state) = (make(), OptimizerState::new());
    for step in 0..3 {
        let mut gradients: Vec<_> = ids
            .iter()
            .map(|&id| (id, gradient(id.index(), step)))
            .collect();
        gradients.reverse();
        fb_tensor::threads::scope_with(3, || {
            apply(&optimizer, &mut state, &mut together, &gradients, 0.01).unwrap();
        });
        for one in &gradients {
            let one = std::slice::from_ref(one);
            apply(&optimizer, &mut single_state, &mut single, one, 0.01).unwrap();
        }
    }
    for ((_, a), (_, b)) in together.iter().zip(single.iter()) {
        assert_eq!(a.value.to_vec(), b.value.to_vec(), "{}", a.name());
    }
    assert_eq!(state.steps(ids[3]), 0, "frozen");
    assert_eq!(state.steps(ids[1]), 3);
}
