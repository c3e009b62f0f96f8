//! The tape as a whole: size, order, identity, threads, memory.

use fb_autograd::{Gradients, Tape, Var};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};

fn scalar<F: Float>(value: f64) -> Tensor<F> {
    Tensor::from_scalar(F::from_f64(value))
}

fn normal(name: &str, shape: impl Into<fb_tensor::Shape>) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(5).fold(name).rng())
}

#[test]
fn a_million_nodes_go_forward_backward_and_drop_on_a_small_stack() {
    // Recursion over nodes would need tens of megabytes of stack.
    let work = || {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::scalar(1.0));
        let mut y = x.clone();
        for i in 0..1_000_000 {
            // The second saves its input; its slope is 1 everywhere, so that signs alone are left in the end.
            y = if i % 2 == 0 {
                y.negate()
            } else {
                y.leaky_relu(1.0)
            };
        }
        assert_eq!(tape.len(), 1_000_001);
        let gradient = y.backward().get(&x).unwrap().item();
        assert_eq!(
            gradient, 1.0,
            "half a million signs, an even number, cancel"
        );
        let middle = tape.vjp(&[(&y, Tensor::scalar(2.0))], &[&x]);
        assert_eq!(middle[0].item(), 2.0);
    };
    let thread = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(work)
        .unwrap();
    thread.join().unwrap();
}

/// A small network with shared weights, views and reductions: a loss that takes many paths.
fn network(tape: &Tape) -> (Var, Vec<Var>) {
    let leaf = |name: &str, shape: [usize; 2]| tape.leaf(normal(name, shape) * 0.5);
    let (x, w, v) = (leaf("x", [5, 4]), leaf("w", [4, 4]), leaf("v", [4, 3]));
    let mut hidden = x.clone();
    for _ in 0..6 {
        hidden = (hidden.linear(&w, None) + x.slice(0, 1..2)).tanh();
    }
    let scores = Var::concat(&[&hidden.matmul(&v), &hidden.narrow(1, 0, 2)], 1);
    let loss = scores
        .log_softmax(1)
        .transpose()
        .max_axes(&[0], false)
        .mean()
        + hidden.square().sum();
    (loss, vec![x, w, v])
}

fn bits(gradients: &Gradients, leaves: &[Var]) -> Vec<Vec<u32>> {
    leaves
        .iter()
        .map(|leaf| {
            gradients
                .get(leaf)
                .unwrap()
                .iter()
                .map(f32::to_bits)
                .collect()
        })
        .collect()
}

#[test]
fn sweeping_again_gives_the_same_bits() {
    let tape = Tape::new();
    let (loss, leaves) = network(&tape);
    let first = bits(&loss.backward(), &leaves);
    for _ in 0..3 {
        // A partial walk in between must leave nothing behind.
        let _ = tape.vjp(&[(&loss, Tensor::scalar(3.0))], &[&leaves[2]]);
        assert_eq!(bits(&loss.backward(), &leaves), first);
    }
    tape.clear();
    let (loss, leaves) = network(&tape);
    assert_eq!(
        bits(&loss.backward(), &leaves),
        first,
        "a cleared tape is like a new one"
    );
}

#[test]
fn products_with_the_jacobian_of_a_part() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(Tensor::from([0.5, -1.0]));
    let w = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    let hidden = x.matmul(&w);
    let y = hidden.tanh();
    let other = x.exp();
    let u = Tensor::from([1.0, -2.0]);
    let products = tape.vjp(&[(&y, u.clone())], &[&hidden, &x, &hidden, &y, &other]);
    let by_hidden = &u * &(Tensor::from_scalar(1.0) - &y.tensor().square());
    assert_eq!(products[0], by_hidden);
    assert_eq!(products[1], w.tensor().matmul(&by_hidden));
    assert_eq!(products[2], by_hidden, "a variable may be named twice");
    assert_eq!(products[3], u, "an output's own product is its cotangent");
    assert_eq!(
        products[4].to_vec(),
        [0.0, 0.0],
        "what the output does not depend on gets zeros"
    );
    assert_eq!(&products[1], tape.gradients(&[(&y, u)]).get(&x).unwrap());
}

#[test]
fn several_outputs_add_up() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from([2.0, 3.0]));
    let (a, b) = (x.square(), x.sum());
    let constant = Var::constant(Tensor::scalar(1.0));
    let outputs = [
        (&a, Tensor::from([1.0, 0.0])),
        (&b, scalar(10.0)),
        (&constant, scalar(1.0)),
    ];
    assert_eq!(
        tape.gradients(&outputs).get(&x).unwrap().to_vec(),
        [14.0, 10.0]
    );
}

#[test]
fn shared_subexpressions_get_the_gradients_of_all_their_uses() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from([3.0]));
    let square = &x * &x;
    let y = &square * &square + &square + &x;
    let gradients = y.sum().backward();
    assert_eq!(gradients.get(&x).unwrap().item(), 4.0 * 27.0 + 6.0 + 1.0);
}

#[test]
fn a_weight_used_many_times_gets_the_sum_of_the_parts() {
    let (steps, size) = (50, 6);
    let weight = normal("weight", [size, size]);
    let inputs: Vec<Tensor> = (0..steps)
        .map(|t| normal(&format!("input {t}"), [3, size]))
        .collect();

    let tape = Tape::new();
    let shared = tape.leaf(weight.clone());
    let loss = |weights: &[Var]| {
        let products = inputs
            .iter()
            .zip(weights.iter().cycle())
            .map(|(x, w)| Var::constant(x.clone()).matmul(w).sin().sum());
        products.reduce(|a, b| a + b).unwrap()
    };
    let nodes = tape.len();
    let total = loss(std::slice::from_ref(&shared));
    assert_eq!(
        tape.len() - nodes,
        4 * steps - 1,
        "one node an operation: the products are joined in the sweep"
    );
    let gathered = total.backward().take(&shared).unwrap();

    let separate: Vec<Var> = (0..steps).map(|_| tape.leaf(weight.clone())).collect();
    let gradients = loss(&separate).backward();
    let summed = separate
        .iter()
        .map(|w| gradients.get(w).unwrap().clone())
        .reduce(|a, b| a + b)
        .unwrap();
    for (a, b) in gathered.iter().zip(summed.iter()) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn constants_stop_gradients_and_cost_no_nodes() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from([1.0, 2.0]));
    let stopped = x.exp().detach();
    let nodes = tape.len();
    let y = (&stopped * 2.0).tanh().reshape([2, 1]).sum();
    assert!(!y.requires_grad() && y.tape().is_none());
    assert_eq!(tape.len(), nodes);
    assert!(y.backward().is_empty());
    let mixed = &x * &stopped;
    assert_eq!(mixed.sum().backward().get(&x).unwrap(), stopped.tensor());

    let silent = Tape::no_grad();
    let z = silent.leaf(Tensor::from([1.0])).exp();
    assert!(!silent.records() && silent.is_empty() && !z.requires_grad());
    assert_eq!(
        silent.vjp(&[(&z, Tensor::from([1.0]))], &[&z])[0].to_vec(),
        [0.0]
    );
}

#[test]
fn gradients_belong_to_their_tape_and_time() {
    let tapes = [Tape::new(), Tape::new()];
    let leaves = tapes.each_ref().map(|tape| tape.leaf(Tensor::from([1.0])));
    let gradients = leaves[0].exp().sum().backward();
    assert!(gradients.get(&leaves[0]).is_some());
    assert!(
        gradients.get(&leaves[1]).is_none(),
        "the same index on another tape"
    );
    tapes[0].clear();
    assert!(
        gradients.get(&tapes[0].leaf(Tensor::from([1.0]))).is_none(),
        "the same index after clearing"
    );
    assert!(gradients.get(&Var::constant(Tensor::from([1.0]))).is_none());
}

#[test]
#[should_panic(
    expected = "an operation mixes variables of two tapes; use detach() to carry a value over"
)]
fn mixing_tapes_panics() {
    let (a, b) = (
        Tape::new().leaf(Tensor::scalar(1.0)),
        Tape::new().leaf(Tensor::scalar(2.0)),
    );
    let _ = a + b;
}

#[test]
#[should_panic(expected = "use detach() to carry a value over")]
fn differentiating_on_another_tape_panics() {
    let y = Tape::new().leaf(Tensor::scalar(1.0)).exp();
    let _ = Tape::new().gradients(&[(&y, Tensor::scalar(1.0))]);
}

#[test]
#[should_panic(expected = "the variable was recorded before its tape was cleared")]
fn computing_with_a_cleared_variable_panics() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::scalar(1.0));
    tape.clear();
    let _ = x.exp();
}

#[test]
#[should_panic(expected = "the variable was recorded before its tape was cleared")]
fn a_cleared_variable_as_second_operand_panics() {
    let tape = Tape::new();
    let old = tape.leaf(Tensor::scalar(1.0));
    tape.clear();
    let _ = tape.leaf(Tensor::scalar(1.0)) * old;
}

#[test]
#[should_panic(
    expected = "backward() is for one number, found shape [2]; give Tape::gradients a cotangent"
)]
fn backward_of_many_numbers_panics() {
    let _ = Tape::new().leaf(Tensor::from([1.0, 2.0])).exp().backward();
}

#[test]
#[should_panic(expected = "a gradient function uses the tape that is being swept")]
fn a_gradient_function_that_uses_its_own_tape_is_told() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::scalar(1.0));
    let same = tape.clone();
    let y = Var::custom("reentrant", &[&x], Tensor::scalar(1.0), move |g| {
        vec![Some(same.leaf(g.clone()).into_tensor())]
    });
    let _ = y.backward();
}

#[test]
fn a_gradient_function_may_use_a_tape_of_its_own() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(scalar(0.3));
    let value = x.tensor().clone();
    let y = Var::custom("sine", &[&x], value.sin(), move |g| {
        let inner = Tape::new();
        let z = inner.leaf(value.clone());
        let y = z.sin();
        inner
            .vjp(&[(&y, g.clone())], &[&z])
            .into_iter()
            .map(Some)
            .collect()
    });
    assert_eq!(y.backward().get(&x).unwrap().item(), 0.3_f64.cos());
}

#[test]
fn a_tape_goes_on_after_a_gradient_function_panicked() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::scalar(2.0));
    let bad = Var::custom("bad", &[&x], Tensor::scalar(0.0), |_| panic!("on purpose"));
    let sum = bad + &x;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sum.backward()));
    assert!(result.is_err());
    assert_eq!(x.square().backward().get(&x).unwrap().item(), 4.0);
}

#[test]
#[should_panic(
    expected = "custom operation \"short\": its gradient function gave 1 shares for 2 inputs"
)]
fn a_custom_operation_must_give_a_share_for_every_input() {
    let tape = Tape::new();
    let (a, b) = (
        tape.leaf(Tensor::scalar(1.0)),
        tape.leaf(Tensor::scalar(1.0)),
    );
    let _ = Var::custom("short", &[&a, &b], Tensor::scalar(1.0), |g| {
        vec![Some(g.clone())]
    })
    .backward();
}

#[test]
fn variables_and_tapes_are_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Var<f32>>();
    check::<Var<f64>>();
    check::<Tape>();
    check::<Gradients>();

    let tape = Tape::new();
    let x = tape.leaf(Tensor::from([1.0, 2.0, 3.0]));
    let squares: Vec<Var> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).map(|_| x.square().sum()).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(tape.len(), 1 + 2 * 400);
    let total = squares.into_iter().reduce(|a, b| a + b).unwrap();
    assert_eq!(
        total.backward().get(&x).unwrap().to_vec(),
        [800.0, 1600.0, 2400.0]
    );
}

#[test]
fn an_optimizer_writes_in_place_once_the_tape_is_cleared() {
    let tape = Tape::new();
    let mut weight = normal("weight", [4, 4]);
    let place = weight.as_slice().unwrap().as_ptr();
    for _ in 0..3 {
        let w = tape.leaf(weight.clone());
        let x = Var::constant(Tensor::ones([2, 4]));
        let loss = x.matmul(&w).matmul(&w.transpose()).square().mean();
        let gradient = loss.backward().take(&w).unwrap();
        drop((w, loss));
        assert!(!weight.is_unshared(), "the tape still holds the weight");
        tape.clear();
        assert!(weight.is_unshared());
        weight.add_assign(&(gradient * -0.1));
    }
    assert_eq!(
        weight.as_slice().unwrap().as_ptr(),
        place,
        "the weight was copied"
    );
}

#[test]
fn gradients_do_not_keep_what_was_recorded() {
    let weight = normal("weight", [4, 4]);
    let (gradients, w) = {
        let tape = Tape::new();
        let w = tape.leaf(weight.clone());
        (w.square().sum().backward(), w.detach())
    };
    drop(w);
    assert_eq!(gradients.len(), 1);
    assert!(
        weight.is_unshared(),
        "the tape is gone, its gradients are not"
    );
}

#[test]
fn gradients_dropped_by_a_gradient_function_are_dropped() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::scalar(3.0));
    let held = std::sync::Mutex::new(Some(x.square().backward()));
    let y = Var::custom("double", &[&x], Tensor::scalar(6.0), move |g| {
        drop(held.lock().unwrap().take());
        vec![Some(g * 2.0)]
    });
    assert_eq!(y.backward().get(&x).unwrap().item(), 2.0);
    tape.clear();
}

#[test]
fn gradients_of_leaves_are_contiguous() {
    let tape = Tape::new();
    let x = tape.leaf(normal("x", [3, 4]));
    for y in [x.transpose(), x.sum_axes(&[0], false), x.flip(1)] {
        let cotangent = normal("cotangent", *y.shape());
        assert!(
            tape.gradients(&[(&y, cotangent)])
                .get(&x)
                .unwrap()
                .is_contiguous()
        );
    }
}
