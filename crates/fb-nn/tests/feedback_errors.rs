//! Everything wrong with a declaration is found in `build()`, with the place, what was expected and found, and a way
//! out.

use fb_nn::Sequential;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Dense, Flatten};

/// 2 → 8 → 1 with four iterations, still without feedback.
fn chain() -> Sequential {
    Sequential::input([2])
        .layer("hidden1", Dense::new(8))
        .layer("output", Dense::new(1))
        .schedule(Unroll::iterations(4))
}

fn error(declaration: Sequential) -> String {
    declaration
        .build()
        .expect_err("the declaration is wrong")
        .to_string()
}

#[test]
fn identity_between_different_widths() {
    assert_eq!(
        error(chain().feedback("output", "hidden1").identity()),
        "feedback \"output\" -> \"hidden1\" cannot be added without weights\n  \
         \"output\" gives [batch, 1]; \"hidden1\" (Dense 2 -> 8) sums feedback into [batch, 8]\n  \
         help: drop .identity() to learn a 1 -> 8 map (the default), or use .concat() to widen \"hidden1\" to 3 inputs"
    );
}

#[test]
fn identity_into_the_input() {
    assert_eq!(
        error(chain().feedback("output", "input").identity()),
        "feedback \"output\" -> \"input\" cannot be added without weights\n  \
         \"output\" gives [batch, 1]; the input takes feedback into [batch, 2]\n  \
         help: drop .identity() to learn a 1 -> 2 map (the default), or use .concat() to widen \"input\" to 3 inputs"
    );
}

#[test]
fn unknown_layer() {
    assert_eq!(
        error(chain().feedback("output", "hiden1")),
        "feedback \"output\" -> \"hiden1\" names layer \"hiden1\", but there is none\n  \
         help: the layers are \"hidden1\", \"output\""
    );
}

#[test]
fn duplicate_layer() {
    assert_eq!(
        error(chain().layer("output", Dense::new(1))),
        "layer \"output\" is declared twice\n  help: give each layer a name of its own"
    );
}

#[test]
fn names_with_a_meaning() {
    for name in ["", "input", "feedback", "a/b", "a->b", "a*", "a\nb", "a\tb"] {
        assert!(
            error(Sequential::input([2]).layer(name, Dense::new(1)))
                .starts_with(&format!("layer {name:?} has "))
        );
    }
}

#[test]
fn feedback_that_goes_forward() {
    assert_eq!(
        error(chain().feedback("hidden1", "output")),
        "feedback \"hidden1\" -> \"output\" does not go back\n  \
         \"hidden1\" comes before \"output\", so this is a forward connection\n  \
         help: feedback goes from a later layer to an earlier one: .feedback(\"output\", \"hidden1\"); forward it is .forward_edge(\"hidden1\", \"output\")"
    );
}

#[test]
fn feedback_from_the_input() {
    assert!(error(chain().feedback("input", "hidden1")).contains("starts at the input"));
}

#[test]
fn feedback_that_is_never_reached() {
    assert_eq!(
        error(chain().feedback("output", "hidden1").delay(4)),
        "feedback \"output\" -> \"hidden1\" can never be reached\n  \
         its delay is 4, so it first carries a value at iteration 5, and the schedule stops after 4\n  \
         help: use .schedule(Unroll::iterations(5)) or more"
    );
    let without_schedule = Sequential::input([2])
        .layer("hidden1", Dense::new(8))
        .layer("output", Dense::new(1))
        .feedback("output", "hidden1");
    assert!(
        error(without_schedule).ends_with("help: use .schedule(Unroll::iterations(2)) or more")
    );
}

#[test]
fn delay_of_zero_and_no_iterations() {
    assert!(error(chain().feedback("output", "hidden1").delay(0)).contains("has a delay of 0"));
    assert_eq!(
        error(chain().schedule(Unroll::iterations(0))),
        "Unroll: expected at least 1 iteration, found 0\n  help: one iteration is a plain feed-forward pass"
    );
}

#[test]
fn loops_without_end() {
    assert_eq!(
        error(chain().feedback("output", "hidden1").delay(usize::MAX)),
        format!(
            "feedback \"output\" -> \"hidden1\" can never be reached\n  \
             its delay is {}, and a schedule makes at most 1000000 iterations\n  \
             help: use a shorter delay",
            usize::MAX
        )
    );
    for iterations in [1_000_001, usize::MAX] {
        assert_eq!(
            error(chain().schedule(Unroll::iterations(iterations))),
            format!(
                "Unroll: expected at most 1000000 iterations, found {iterations}\n  \
                 help: a loop that settles does so within tens or hundreds of iterations"
            )
        );
    }
    let longest = chain().feedback("output", "hidden1").delay(999_999);
    assert!(
        longest
            .schedule(Unroll::iterations(1_000_000))
            .build()
            .is_ok()
    );
}

#[test]
fn edges_declared_twice_or_modified_without_being_there() {
    let twice = chain()
        .feedback("output", "hidden1")
        .feedback("output", "hidden1")
        .concat();
    assert_eq!(
        error(twice),
        "feedback \"output\" -> \"hidden1\" is declared twice\n  \
         parameters are named by the two layers (feedback/output->hidden1/weight), so there is one edge for each pair\n  \
         help: drop one of them; or give the second a source of its own, a layer that hands \"output\" on: \
         .layer(\"output_again\", Activation::Linear) after it, and .feedback(\"output_again\", \"hidden1\")"
    );
    let two_delays = chain()
        .layer("output_again", Activation::Linear)
        .feedback("output", "hidden1")
        .feedback("output_again", "hidden1")
        .delay(2);
    let network = two_delays.build().unwrap();
    assert_eq!(network.describe().edges.len(), 2);
    assert_eq!(
        error(chain().gate()),
        ".gate(): expected a feedback edge before it, found none\n  help: call .feedback(from, to) first"
    );
    let both = chain().feedback("output", "hidden1").concat().gate();
    let text = error(both);
    assert!(
        text.starts_with(".gate() of ") && text.contains("found two"),
        "{text}"
    );
}

#[test]
fn concatenation_that_cannot_be() {
    let maps = Sequential::input([2, 2, 1])
        .layer("flat", Flatten)
        .layer("output", Dense::new(3))
        .feedback("output", "input")
        .concat()
        .schedule(Unroll::iterations(3));
    let text = error(maps);
    assert!(
        text.contains("cannot be concatenated") && text.contains("[batch, 2, 2, 1]"),
        "{text}"
    );
    let widening_itself = Sequential::input([2, 3])
        .layer("flat", Flatten)
        .layer("again", Flatten)
        .feedback("again", "again")
        .concat()
        .schedule(Unroll::iterations(3));
    assert!(error(widening_itself).contains("its own width would depend on itself"));
    assert!(
        error(chain().feedback("output", "hidden1").concat().identity())
            .contains(".identity() and .concat()")
    );
}

#[test]
fn nothing_to_build() {
    assert!(
        error(Sequential::input([2]))
            .starts_with("network: expected at least one layer, found none")
    );
    for shape in [vec![], vec![0], vec![2, 0]] {
        let text = error(Sequential::input(&shape).layer("output", Dense::new(1)));
        assert!(
            text.starts_with("network input: expected a shape per sample"),
            "{text}"
        );
    }
    assert!(
        error(Sequential::input([usize::MAX, 8]).layer("output", Dense::new(1)))
            .contains("more elements than memory")
    );
    assert!(error(Sequential::input([1; 7]).layer("output", Dense::new(1))).contains("at most 6"));
}

#[test]
fn layers_beyond_all_memory() {
    let text = error(Sequential::input([2]).layer("hidden", Dense::new(1 << 45)));
    assert!(
        text.contains("the size of parameter \"hidden/weight\"") && text.contains("fewer units"),
        "{text}"
    );
}
