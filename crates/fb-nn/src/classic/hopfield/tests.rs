use super::*;
use fb_tensor::random::Key;

fn patterns(count: usize, units: usize, seed: u64) -> Tensor<f64> {
    Tensor::bernoulli([count, units], 0.5, &mut Key::new(seed).rng()) * 2.0 - 1.0
}

/// The signs of the first `turned` units of each row changed.
fn damaged(patterns: &Tensor<f64>, turned: usize) -> Tensor<f64> {
    Tensor::from_fn(*patterns.shape(), |at| {
        let value = patterns.at(at);
        if at[1] < turned { -value } else { value }
    })
}

const BOTH: [Updates; 2] = [Updates::Synchronous, Updates::Asynchronous { seed: 4 }];

#[test]
fn weights_are_hebbs_without_a_diagonal() {
    let stored = patterns(3, 7, 1);
    let memory = Hopfield::store(&stored).unwrap();
    for i in 0..7 {
        for j in 0..7 {
            let sum: f64 = (0..3)
                .map(|p| stored.at(&[p, i]) * stored.at(&[p, j]))
                .sum();
            let expected = if i == j { 0.0 } else { sum / 7.0 };
            assert!((memory.weights().at(&[i, j]) - expected).abs() < 1e-15);
        }
    }
}

#[test]
fn damaged_patterns_are_completed_alone_and_in_a_batch() {
    let stored = patterns(6, 150, 2);
    for updates in BOTH {
        let memory = Hopfield::store(&stored).unwrap().updates(updates).unwrap();
        let queries = damaged(&stored, 20);
        let recalled = memory.recall(&queries).unwrap();
        assert_eq!(recalled.states, stored, "{updates:?}");
        for row in 0..6 {
            let one = memory.recall(&queries.index_axis(0, row)).unwrap();
            assert_eq!(one.states, stored.index_axis(0, row));
            assert_eq!(one.sweeps, [recalled.sweeps[row]], "{updates:?}");
        }
    }
}

/// With all units at once, that is a plain product of matrices; the engine must do the same.
#[test]
fn sweeps_are_the_formula() {
    let stored = patterns(25, 61, 3);
    let memory = Hopfield::store(&stored).unwrap();
    let query = patterns(4, 61, 8);
    let swept = memory.sweeps(&query, 5).unwrap();
    assert_eq!(swept.len(), 5);
    let mut state = query;
    for found in swept {
        let fields = state.matmul(memory.weights());
        let next = |at: &[usize]| match fields.at(at) {
            field if field.abs() < 1e-9 => state.at(at),
            field => field.signum(),
        };
        state = Tensor::from_fn([4, 61], next);
        assert_eq!(found, state);
    }
}

#[test]
fn the_energy_of_units_that_change_one_by_one_never_rises() {
    let memory = Hopfield::store(&patterns(40, 100, 5))
        .unwrap()
        .updates(Updates::Asynchronous { seed: 1 })
        .unwrap();
    let queries = patterns(8, 100, 6);
    let mut energy = memory.energy(&queries).unwrap();
    for states in memory.sweeps(&queries, 12).unwrap() {
        let next = memory.energy(&states).unwrap();
        assert!(energy.iter().zip(next.iter()).all(|(a, b)| b <= a + 1e-12));
        energy = next;
    }
    let recalled = memory.recall(&queries).unwrap();
    assert!(recalled.settled.iter().all(|&settled| settled));
    let again = memory.sweeps(&recalled.states, 1).unwrap();
    assert_eq!(again[0], recalled.states, "at rest in any order");
}

/// Two units that suppress each other swap for ever when they change together, and not when one comes first.
#[test]
fn a_cycle_of_two_states_is_told() {
    let weights = Tensor::from([[0.0, -1.0], [-1.0, 0.0]]).to_f64();
    let memory = Hopfield::with_weights(weights).unwrap().most_sweeps(9);
    let recalled = memory.recall(&Tensor::from([1.0, 1.0]).to_f64()).unwrap();
    assert_eq!((recalled.sweeps[0], recalled.settled[0]), (9, false));
    let memory = memory.updates(BOTH[1]).unwrap();
    let recalled = memory.recall(&Tensor::from([1.0, 1.0]).to_f64()).unwrap();
    assert!(recalled.settled[0]);
    assert_eq!(recalled.states.sum(), 0.0);
}

/// A field of exactly 0 leaves a unit as it is, so that a memory without weights changes nothing.
#[test]
fn ties_change_nothing() {
    for updates in BOTH {
        let memory = Hopfield::with_weights(Tensor::<f64>::zeros_of([5, 5])).unwrap();
        let memory = memory.updates(updates).unwrap();
        let query = Tensor::from([1.0, -1.0, 1.0, 1.0, -1.0]).to_f64();
        let recalled = memory.recall(&query).unwrap();
        assert_eq!((recalled.states, recalled.sweeps[0]), (query, 1));
    }
}

/// The mean overlap after the memory came to rest, starting from the patterns themselves.
fn retained(load: f64) -> f64 {
    let stored = patterns((load * 400.0) as usize, 400, 7).to_f32();
    let memory = Hopfield::store(&stored).unwrap();
    let memory = memory.updates(BOTH[1]).unwrap();
    let recalled = memory.recall(&stored).unwrap();
    overlap(&recalled.states, &stored).unwrap().mean()
}

#[test]
fn beyond_its_capacity_it_forgets() {
    assert!(retained(0.05) > 0.999);
    assert!(retained(0.12) > 0.93);
    assert!(retained(0.20) < 0.6);
}

#[test]
fn what_is_not_binary_or_not_symmetric_is_refused() {
    let error = Hopfield::store(&Tensor::from([[1.0, 0.5]])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Hopfield::store: expected −1 and 1, found 0.5\n  \
         help: pixels from 0 to 1 become so by a threshold"
    );
    let lopsided = Tensor::from([[0.0, 1.0], [0.5, 0.0]]);
    assert!(Hopfield::with_weights(lopsided).is_err());
    assert!(Hopfield::with_weights(Tensor::eye(2)).is_err());
    assert!(Hopfield::with_weights(Tensor::zeros([2, 3])).is_err());
    let memory = Hopfield::store(&Tensor::from([[1.0, -1.0]])).unwrap();
    let error = memory.recall(&Tensor::from([1.0, 1.0, 1.0])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a query of Hopfield: expected [2] or [batch, 2], found [3]\n  \
         help: a batch has at least one row"
    );
    assert!(
        memory
            .most_sweeps(0)
            .recall(&Tensor::from([1.0, 1.0]))
            .is_err()
    );
}
