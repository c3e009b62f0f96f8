//! Loops inside the loop.

use crate::naive::Naive;
use crate::{affine, agree, lively, param, random};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Graph, Network};
use fb_tensor::Tensor;

fn tanh(units: usize) -> Dense {
    Dense::new(units).activation(Activation::Tanh)
}

/// A latent `z` that is refined several times, then an answer `y`, and again.
fn recursion() -> Graph {
    Graph::new()
        .input("x", [3])
        .layer("z", tanh(4), "x")
        .layer("y", tanh(2), "z")
        .feedback("z", "z")
        .feedback("y", "z")
        .feedback("y", "y")
        .scope("latent", ["z"], 3)
        .schedule(Unroll::iterations(4))
}

#[test]
fn an_answer_and_a_latent_that_is_refined_several_times_for_each() {
    let network = lively(recursion().build_as::<f64>().unwrap());
    let x: Tensor<f64> = random([5, 3], 1);
    let (mut z, mut y) = (Tensor::zeros_of([5, 4]), Tensor::zeros_of([5, 2]));
    for _ in 0..4 {
        for _ in 0..3 {
            let sum = affine(&network, "z", &x)
                + &z.matmul(&param(&network, "feedback/z->z/weight"))
                + &y.matmul(&param(&network, "feedback/y->z/weight"));
            z = sum.tanh();
        }
        let sum = affine(&network, "y", &z) + &y.matmul(&param(&network, "feedback/y->y/weight"));
        y = sum.tanh();
    }
    let mut cx = Context::eval(network.params());
    let got = network.forward(&mut cx, x).unwrap();
    agree(&[got], &[y], "answer and latent");
    let cycles: Vec<usize> = network.describe().nodes.iter().map(|n| n.cycles).collect();
    assert_eq!(cycles, [3, 1]);
}

#[test]
fn scopes_hold_scopes() {
    let declaration = Graph::new()
        .input("x", [2])
        .layer("a", tanh(3), "x")
        .layer("b", tanh(3), "a")
        .layer("c", tanh(3), "b")
        .layer("d", tanh(2), "c")
        .feedback("a", "a")
        .feedback("b", "a")
        .delay(2)
        .feedback("c", "b")
        .feedback("d", "b")
        .scope("all three", ["c", "a", "b"], 2)
        .scope("inner", ["a", "b"], 3)
        .schedule(Unroll::iterations(3));
    let network = lively(declaration.build_as::<f64>().unwrap());
    let x: Tensor<f64> = random([4, 2], 2);
    let naive = Naive::new(&network);
    let want = naive.iterations(std::slice::from_ref(&x), &mut naive.start(), 3);
    let mut cx = Context::eval(network.params());
    agree(
        &[network.forward(&mut cx, x).unwrap()],
        &want[2],
        "scopes in scopes",
    );
    let cycles: Vec<usize> = network.describe().nodes.iter().map(|n| n.cycles).collect();
    assert_eq!(cycles, [6, 6, 2, 1]);
}

#[test]
fn scopes_that_cannot_be() {
    let chain = || {
        Graph::new()
            .input("x", [2])
            .layer("a", tanh(3), "x")
            .layer("b", tanh(3), "a")
            .layer("c", tanh(3), "b")
            .layer("after", Dense::new(1), "c")
            .feedback("c", "a")
            .feedback("a", "a")
            .schedule(Unroll::iterations(3))
    };
    let error = |graph: Graph| graph.build().expect_err("it cannot be").to_string();
    assert_eq!(
        error(chain().scope("s", ["a", "c"], 2)),
        "the scope \"s\": expected layers that run one after another inside the loop, found it is not one piece: \
         a layer that is not in it runs between its layers\n  \
         help: declare its layers one after another, or take that layer in"
    );
    assert_eq!(
        error(chain().scope("s", ["a", "b"], 2).scope("t", ["b", "c"], 2)),
        "the scope \"t\": expected layers that run one after another inside the loop, found it shares layers with the \
         scope \"s\", and neither holds the other\n  help: let one hold the other, or keep them apart"
    );
    assert!(
        error(chain().scope("s", ["b", "c"], 2))
            .contains("has no feedback edge inside: each of its cycles would do the same")
    );
    assert!(
        error(chain().scope("s", ["after"], 2))
            .contains("holds \"after\", which is not in a loop over iterations")
    );
    assert_eq!(
        error(chain().scope("s", ["aa"], 2)),
        "the scope \"s\" names layer \"aa\", but there is none\n  \
         help: the layers are \"a\", \"b\", \"c\", \"after\""
    );
    for (graph, found) in [
        (chain().scope("s", ["a"], 0), "found 0"),
        (chain().scope("s", [""; 0], 2), "found none"),
        (chain().scope("s", ["a", "a"], 2), "found \"a\" twice"),
        (
            chain().scope("s", ["a"], 2).scope("s", ["a", "b"], 2),
            "found a second scope of that name",
        ),
    ] {
        let text = error(graph);
        assert!(
            text.starts_with("the scope \"s\": ") && text.contains(found),
            "{text}"
        );
    }
}

#[test]
fn a_delay_within_a_scope_counts_its_cycles() {
    let graph = |delay| {
        let graph = recursion().layer("again", tanh(2), "y");
        graph.feedback("again", "again").delay(delay)
    };
    assert!(graph(3).build().is_ok());
    assert!(
        graph(4)
            .build()
            .unwrap_err()
            .to_string()
            .contains("can never be reached")
    );
    let inside = |delay| {
        Graph::new()
            .input("x", [3])
            .layer("z", tanh(4), "x")
            .feedback("z", "z")
            .delay(delay)
            .scope("latent", ["z"], 3)
            .schedule(Unroll::iterations(2))
            .build()
            .map(|_: Network| ())
    };
    assert!(inside(5).is_ok());
    assert!(inside(6).is_err());
}
