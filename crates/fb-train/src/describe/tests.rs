//! What summaries and diagrams look like, letter by letter.

use super::{Summary, Training, diagram, summary};
use crate::model::LossOn;
use fb_nn::feedback::network::{Description, EdgeDescription, ExecutionPath, NodeDescription};
use fb_nn::feedback::topology::{Clock, Combine, Initial};
use fb_nn::module::Spec;

fn node(name: &str, [from, to]: [usize; 2], path: ExecutionPath) -> NodeDescription {
    let parameters = from * to + to;
    NodeDescription {
        name: name.to_owned(),
        kind: "Dense",
        description: format!("Dense {from} -> {to}, sigmoid"),
        inputs: Vec::new(),
        input: Spec::float([from]),
        output: Spec::float([to]),
        parameters,
        trainable: parameters,
        path,
        cycles: 1,
    }
}

fn edge(from: &str, to: &str, map: &str, parameters: usize) -> EdgeDescription {
    EdgeDescription {
        from: from.to_owned(),
        to: to.to_owned(),
        combine: Combine::Add,
        map: map.to_owned(),
        sampling: String::new(),
        delay: 1,
        clock: Clock::Iteration,
        is_forward: false,
        initial: Initial::Zeros,
        parameters,
        trainable: parameters,
    }
}

/// A chain.
fn network(mut nodes: Vec<NodeDescription>, edges: Vec<EdgeDescription>) -> Description {
    let mut before = "input".to_owned();
    for node in &mut nodes {
        node.inputs = vec![std::mem::replace(&mut before, node.name.clone())];
    }
    Description {
        inputs: vec![("input".to_owned(), nodes[0].input)],
        nodes,
        outputs: vec![before],
        edges,
        scopes: Vec::new(),
        schedule: "Unroll",
        iterations: 4,
    }
}

fn xor() -> Description {
    let nodes = vec![
        node("hidden1", [2, 8], ExecutionPath::EveryIterationHoisted),
        node("hidden2", [8, 8], ExecutionPath::EveryIteration),
        node("output", [8, 1], ExecutionPath::EveryIteration),
    ];
    network(nodes, vec![edge("output", "hidden1", "learned 1 -> 8", 8)])
}

/// Several edges, among them one to itself and one that widens; a frozen layer; a layer after the loop.
fn tangled() -> Description {
    let mut nodes = vec![
        node("frozen", [4, 3], ExecutionPath::Once),
        node("first", [5, 3], ExecutionPath::EveryIteration),
        node("second", [3, 2], ExecutionPath::EveryIteration),
        node("third", [2, 2], ExecutionPath::EveryIteration),
        node("answer", [2, 2], ExecutionPath::WantedIterations),
    ];
    nodes[0].trainable = 0;
    let mut gated = edge("third", "second", "learned 2 -> 2, gated", 14);
    gated.combine = Combine::Gate;
    gated.delay = 12;
    let mut wide = edge("second", "first", "widens by 2", 0);
    wide.combine = Combine::Concat;
    wide.initial = Initial::Learned;
    let mut own = edge("third", "third", "as it is", 0);
    own.delay = 2;
    own.sampling = "up by patches of 2x2".to_owned();
    network(nodes, vec![gated, wide, own])
}

#[test]
fn a_summary_draws_its_edge_beside_the_layers() {
    let training = Training {
        loss: "BinaryCrossentropy",
        loss_on: LossOn::Every,
        gradient: "Bptt",
        optimizer: "Adam",
        learning_rate: 0.1,
        extras: vec!["gradients clipped by norm 1".to_owned()],
    };
    let summary = Summary::new(xor(), Some(training));
    assert_eq!(
        summary.to_string(),
        "\
layer    description            output      parameters  trainable  runs
input                           [batch, 2]
hidden1  Dense 2 -> 8, sigmoid  [batch, 8]          24         24  each iteration, x·W once  ◄─┐
hidden2  Dense 8 -> 8, sigmoid  [batch, 8]          72         72  each iteration              │
output   Dense 8 -> 1, sigmoid  [batch, 1]           9          9  each iteration            ──┘

feedback
  output -> hidden1  add, learned 1 -> 8, delay 1, from zeros  8 parameters

parameters  113 in all: 113 trainable, 0 frozen
iterations  4 (Unroll)
loss        BinaryCrossentropy on every iteration
gradient    Bptt
optimizer   Adam, learning rate 0.1
            gradients clipped by norm 1"
    );
    assert_eq!(
        (summary.parameters(), summary.trainable(), summary.frozen()),
        (113, 113, 0)
    );
}

#[test]
fn layers_that_send_and_receive_have_a_line_for_each() {
    assert_eq!(
        summary(&tangled()).to_string(),
        "\
layer   description            output      parameters  trainable  runs
input                          [batch, 4]
frozen  Dense 4 -> 3, sigmoid  [batch, 3]          15          0  once
first   Dense 5 -> 3, sigmoid  [batch, 3]          18         18  each iteration  ◄─┐
second  Dense 3 -> 2, sigmoid  [batch, 2]           8          8  each iteration  ◄─│─┐
                                                                                  ──┘ │
third   Dense 2 -> 2, sigmoid  [batch, 2]           6          6  each iteration  ◄─┐ │
                                                                                  ──┴─┘
answer  Dense 2 -> 2, sigmoid  [batch, 2]           6          6  each answer

feedback
  third -> second  add, learned 2 -> 2, gated, delay 12, from zeros    14 parameters
  second -> first  concat, widens by 2, delay 1, from a learned value  no parameters
  third -> third   add, as it is, delay 2, from zeros                  no parameters

parameters  67 in all: 52 trainable, 15 frozen
iterations  4 (Unroll)"
    );
}

#[test]
fn a_network_without_feedback_has_no_loop_in_its_summary() {
    let plain = network(
        vec![node("output", [2, 1], ExecutionPath::Once)],
        Vec::new(),
    );
    assert_eq!(
        summary(&plain).to_string(),
        "\
layer   description            output      parameters  trainable  runs
input                          [batch, 2]
output  Dense 2 -> 1, sigmoid  [batch, 1]           3          3  once

parameters  3 in all: 3 trainable, 0 frozen"
    );
}

#[test]
fn mermaid_marks_feedback() {
    assert_eq!(
        diagram(&xor()).mermaid(),
        "\
flowchart TD
    n0([\"input<br/>[batch, 2]\"])
    n1[\"hidden1<br/>Dense 2 -#gt; 8, sigmoid<br/>[batch, 8]\"]
    n2[\"hidden2<br/>Dense 8 -#gt; 8, sigmoid<br/>[batch, 8]\"]
    n3[\"output<br/>Dense 8 -#gt; 1, sigmoid<br/>[batch, 1]\"]
    n0 --> n1
    n1 --> n2
    n2 --> n3
    n3 -.->|\"z⁻¹ add\"| n1
    linkStyle 3 stroke:#c2410c,color:#c2410c
"
    );
}

#[test]
fn dot_marks_feedback() {
    assert_eq!(
        diagram(&xor()).dot(),
        "\
digraph network {
    node [shape=box, fontname=\"sans-serif\"];
    edge [fontname=\"sans-serif\"];
    n0 [label=\"input\\n[batch, 2]\", shape=ellipse];
    n1 [label=\"hidden1\\nDense 2 -> 8, sigmoid\\n[batch, 8]\"];
    n2 [label=\"hidden2\\nDense 8 -> 8, sigmoid\\n[batch, 8]\"];
    n3 [label=\"output\\nDense 8 -> 1, sigmoid\\n[batch, 1]\"];
    n0 -> n1;
    n1 -> n2;
    n2 -> n3;
    n3 -> n1 [label=\"z⁻¹ add\", style=dashed, color=\"#c2410c\", fontcolor=\"#c2410c\", constraint=false];
}
"
    );
}

#[test]
fn all_edges_of_a_tangle_are_marked() {
    let mermaid = diagram(&tangled()).mermaid();
    for line in [
        "n4 -.->|\"z⁻¹² gate\"| n3",
        "n3 -.->|\"z⁻¹ concat\"| n2",
        "n4 -.->|\"z⁻² add, up by patches of 2x2\"| n4",
    ] {
        assert!(mermaid.contains(line), "{line} in\n{mermaid}");
    }
    assert!(mermaid.contains("linkStyle 5,6,7 "), "{mermaid}");
}

#[test]
fn no_name_breaks_a_drawing() {
    let names = ["end", "a \"b\" & #1", "第二层", "new\nline"];
    let nodes = names.map(|name| node(name, [1, 1], ExecutionPath::EveryIteration));
    let edges = vec![edge("new\nline", "end", "as it is", 0)];
    let odd = network(nodes.into(), edges);
    assert_eq!(
        summary(&odd).to_string(),
        "\
layer       description            output      parameters  trainable  runs
input                              [batch, 1]
end         Dense 1 -> 1, sigmoid  [batch, 1]           2          2  each iteration  ◄─┐
a \"b\" & #1  Dense 1 -> 1, sigmoid  [batch, 1]           2          2  each iteration    │
第二层      Dense 1 -> 1, sigmoid  [batch, 1]           2          2  each iteration    │
new\\nline   Dense 1 -> 1, sigmoid  [batch, 1]           2          2  each iteration  ──┘

feedback
  new\\nline -> end  add, as it is, delay 1, from zeros  no parameters

parameters  8 in all: 8 trainable, 0 frozen
iterations  4 (Unroll)"
    );
    let mermaid = diagram(&odd).mermaid();
    assert!(mermaid.contains("n1[\"end<br/>"), "{mermaid}");
    assert!(
        mermaid.contains("n2[\"a #quot;b#quot; #amp; #35;1<br/>"),
        "{mermaid}"
    );
    assert!(mermaid.contains("n4[\"new#92;nline<br/>"), "{mermaid}");
    let dot = diagram(&odd).dot();
    assert!(dot.contains("n2 [label=\"a \\\"b\\\" &amp; #1\\n"), "{dot}");
    assert!(dot.contains("n3 [label=\"第二层\\n"), "{dot}");
    assert!(dot.contains("n4 [label=\"new\\\\nline\\n"), "{dot}");
}

#[test]
fn a_long_name_does_not_widen_the_table() {
    let names = ["a".repeat(300), "output".to_owned()];
    let nodes = names
        .iter()
        .map(|name| node(name, [1, 1], ExecutionPath::EveryIteration));
    let long = network(
        nodes.collect(),
        vec![edge("output", &names[0], "as it is", 0)],
    );
    let text = summary(&long).to_string();
    assert!(
        text.lines().all(|line| line.chars().count() < 140),
        "{text}"
    );
    let cut = "a".repeat(39) + "…";
    assert!(text.contains(&format!("\n{cut}  Dense")), "{text}");
    assert!(text.contains(&format!("output -> {cut}  add")), "{text}");
}

/// Two inputs, a scope inside a scope, a forward edge and one along a sequence.
fn rich() -> Description {
    let mut nodes = vec![
        node("low", [2, 4], ExecutionPath::EveryIterationOfEveryStep),
        node("high", [4, 4], ExecutionPath::EveryIterationOfEveryStep),
        node("side", [3, 4], ExecutionPath::AllSteps),
        node("out", [4, 1], ExecutionPath::AllSteps),
    ];
    nodes[0].cycles = 6;
    nodes[1].cycles = 2;
    let mut step = edge("high", "low", "learned 4 -> 4", 16);
    step.clock = Clock::Step;
    let mut skip = edge("low", "out", "learned 4 -> 1", 4);
    (skip.delay, skip.is_forward) = (0, true);
    let edges = vec![edge("low", "low", "as it is", 0), step, skip];
    let mut rich = network(nodes, edges);
    rich.inputs = vec![
        ("left".to_owned(), Spec::float([2])),
        ("right".to_owned(), Spec::float([3])),
    ];
    rich.nodes[0].inputs = vec!["left".to_owned()];
    rich.nodes[2].inputs = vec!["right".to_owned()];
    rich.nodes[3].inputs = vec!["high".to_owned(), "side".to_owned()];
    rich.outputs = vec!["out".to_owned(), "high".to_owned()];
    rich.scopes = vec![
        (
            "think".to_owned(),
            vec!["low".to_owned(), "high".to_owned()],
            2,
        ),
        ("look".to_owned(), vec!["low".to_owned()], 3),
    ];
    rich.schedule = "Sequence";
    rich
}

#[test]
fn a_summary_says_what_scopes_and_clocks_do() {
    let text = summary(&rich()).to_string();
    for part in [
        "feedback and forward edges\n",
        "high -> low  add, learned 4 -> 4, delay 1 step, from zeros  16 parameters",
        "low -> out   add, learned 4 -> 1, forward",
        "scopes\n  think  low, high  2 cycles in each iteration\n  look   low        3 cycles in each iteration\n",
        "outputs     out, high\niterations  4 at each step (Sequence)",
        "each iteration of each step × 6",
        "(of high, side)",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn diagrams_frame_scopes_inside_scopes() {
    let mermaid = diagram(&rich()).mermaid();
    let frames = "    subgraph s0[\"think × 2 cycles\"]\n        subgraph s1[\"look × 3 cycles\"]\n            n2\n        end\n        n3\n    end\n";
    assert!(mermaid.contains(frames), "{mermaid}");
    for line in [
        "n0 --> n2\n",
        "n2 -->|\"add\"| n5\n",
        "n3 -.->|\"t⁻¹ add\"| n2\n",
    ] {
        assert!(mermaid.contains(line), "{line} in\n{mermaid}");
    }
    let dot = diagram(&rich()).dot();
    assert!(dot.contains("subgraph cluster_1 {"), "{dot}");
}
