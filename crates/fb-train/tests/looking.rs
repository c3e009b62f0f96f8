//! Looking at loops: traces, refinements under a budget, searches over starts.

use fb_nn::feedback::schedule::{Converge, Halt, Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial};
use fb_nn::init::Initializer;
use fb_nn::layers::{Activation, Dense};
use fb_nn::loss::{BinaryCrossentropy, CrossEntropy, MeanSquaredError};
use fb_nn::optim::Adam;
use fb_nn::{Graph, Network, Sequential};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use fb_train::{Budget, Compile, Model, Predict, Search, Select};
use std::time::Duration;

fn looped(initial: Initial) -> Network {
    Sequential::input([2])
        .layer("hidden", Dense::new(5).activation(Activation::Tanh))
        .layer("output", Dense::new(3))
        .feedback("hidden", "hidden")
        .initial(initial)
        .schedule(Unroll::iterations(6))
        .seed(1)
        .build()
        .unwrap()
}

fn model(initial: Initial) -> Model {
    let network = looped(initial);
    network.compile(Adam::new(0.01), CrossEntropy, ()).unwrap()
}

fn data(rows: usize) -> (Tensor, Tensor<i64>) {
    let x: Tensor = Tensor::normal([rows, 2], 0.0, 1.0, &mut Key::new(7).rng());
    let labels: Vec<i64> = (0..rows as i64).map(|row| row % 3).collect();
    (x, Tensor::from_vec(labels, [rows]))
}

#[test]
fn a_trace_follows_every_iteration_of_every_sample() {
    let model = model(Initial::Zeros);
    // More rows than run at a time.
    let (x, y) = data(300);
    let trace = model.trace((&x, &y)).unwrap();
    assert_eq!((trace.rows, trace.iterations.len()), (300, 6));
    for (number, iteration) in trace.iterations.iter().enumerate() {
        assert_eq!(iteration.residuals.len(), 300);
        assert_eq!(
            iteration.output_changes.len(),
            if number == 0 { 0 } else { 300 }
        );
        let (edge, norms) = &iteration.norms[0];
        assert_eq!((edge.as_str(), norms.len()), ("hidden->hidden", 300));
        // From zeros the first change is the whole state.
        if number == 0 {
            assert!((iteration.residuals[0] - 1.0).abs() < 1e-6);
            assert!((iteration.changes[7] - norms[7]).abs() < 1e-6);
        }
    }
    let by_iteration = model.evaluate_iterations((&x, &y)).unwrap();
    assert_eq!(by_iteration.len(), 6);
    assert_eq!(trace.accuracy().unwrap().len(), 6);
    assert_eq!(model.trace(&x).unwrap().accuracy(), None);
    assert!(
        trace
            .to_string()
            .contains("iteration  residual   largest    output  accuracy\n")
    );
}

#[test]
fn a_trace_is_written_whole() {
    let model = model(Initial::Zeros);
    let (x, y) = data(2);
    let trace = model.trace((&x, &y)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    trace.write_csv(path("trace.csv")).unwrap();
    let csv = std::fs::read_to_string(path("trace.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("iteration,sample,residual,change,output_change,norm hidden->hidden")
    );
    assert_eq!(lines.count(), 12);
    trace.write_json(path("trace.json")).unwrap();
    let json = std::fs::read_to_string(path("trace.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["iterations"].as_array().map(Vec::len), Some(6));
    trace.plot(path("trace.svg")).unwrap();
    assert!(
        std::fs::read_to_string(path("trace.svg"))
            .unwrap()
            .contains("<svg")
    );
}

#[test]
fn a_trace_says_where_samples_halted_and_what_the_solver_found() {
    let (x, _) = data(4);
    let network = looped(Initial::Zeros);
    let mut topology = network.topology().clone();
    topology.schedule = std::sync::Arc::new(Halt::residual(0.05, 9));
    let halting: Model = Network::build(topology.clone())
        .unwrap()
        .compile(Adam::new(0.01), CrossEntropy, ())
        .unwrap();
    let trace = halting.trace(&x).unwrap();
    assert_eq!((trace.used.len(), trace.iterations.len()), (4, 9));
    assert!(trace.to_string().contains("Halt took "));

    topology.schedule = std::sync::Arc::new(Converge::to(1e-3));
    let resting: Model = Network::build(topology)
        .unwrap()
        .compile(Adam::new(0.01), CrossEntropy, ())
        .unwrap();
    let trace = resting.trace(&x).unwrap();
    assert_eq!((trace.used.len(), trace.reports.len()), (4, 1));
}

#[test]
fn what_has_no_loop_is_not_traced() {
    let plain = Sequential::input([2])
        .layer("output", Dense::new(1))
        .build();
    let plain: Model = plain
        .unwrap()
        .compile(Adam::new(0.01), MeanSquaredError, ())
        .unwrap();
    let (x, _) = data(2);
    let text = plain.trace(&x).unwrap_err().to_string();
    assert!(
        text.contains("Model::trace") && text.contains("found one without feedback"),
        "{text}"
    );
    let steps = Sequential::input([2])
        .layer("hidden", Dense::new(2))
        .feedback("hidden", "hidden")
        .clock(Clock::Step)
        .schedule(Sequence::new())
        .build();
    let steps: Model = steps
        .unwrap()
        .compile(Adam::new(0.01), MeanSquaredError, ())
        .unwrap();
    assert!(steps.predict_iter(&x, Budget::iterations(2)).is_err());
}

#[test]
fn refinements_end_with_their_budget() {
    let model = model(Initial::Zeros);
    let (x, _) = data(5);
    let all: Vec<_> = model
        .predict_iter(&x, Budget::iterations(6))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let iterations = model.predict_iterations(&x).unwrap();
    assert_eq!(all.len(), 6);
    for (refinement, output) in all.iter().zip(&iterations) {
        assert_eq!(refinement.output, *output);
    }
    let enough = all[2].residual();
    let fewer = model
        .predict_iter(&x, Budget::iterations(6).tolerance(enough))
        .unwrap();
    assert!(fewer.count() <= 3);
    let hurried = Budget::iterations(6).time(Duration::ZERO);
    assert_eq!(model.predict_iter(&x, hurried).unwrap().count(), 1);
}

#[test]
fn a_search_takes_the_best_start_of_each_sample() {
    let model = model(Initial::Noise(2.0));
    let (x, _) = data(6);
    let search = Search::new().depth(3).breadth(5).key(Key::new(4));
    let found = model.search(&x, &search).unwrap();
    let starts: Vec<Tensor> = (0..5)
        .map(|start| {
            let how = Predict::new()
                .schedule(Unroll::iterations(3))
                .key(Key::new(4).fold_index(start));
            model.predict_with(&x, &how).unwrap()
        })
        .collect();
    for (row, &start) in found.start.iter().enumerate() {
        assert_eq!(
            found.output.index_axis(0, row),
            starts[start].index_axis(0, row)
        );
    }
    let one = model
        .search(&x, &Search::new().depth(3).breadth(1).key(Key::new(4)))
        .unwrap();
    assert!(
        found
            .score
            .iter()
            .zip(&one.score)
            .all(|(many, one)| many >= one)
    );

    let voted = model.search(&x, &search.select(Select::Vote)).unwrap();
    for row in 0..6 {
        let said = |y: &Tensor| y.index_axis(0, row).argmax(0).item();
        let winner = said(&voted.output);
        let votes = |class: i64| starts.iter().filter(|y| said(y) == class).count();
        assert!((0..3).all(|class| votes(class) <= votes(winner)));
    }
}

#[test]
fn a_search_can_ask_the_layer_that_halts() {
    let network = Graph::new()
        .input("x", [2])
        .layer("hidden", Dense::new(4).activation(Activation::Tanh), "x")
        .layer("answer", Dense::new(1), "hidden")
        .layer(
            "halt",
            Dense::new(1).bias_init(Initializer::Constant(-2.0)),
            "hidden",
        )
        .feedback("hidden", "hidden")
        .initial(Initial::Noise(1.0))
        .output("answer")
        .schedule(Halt::confidence("halt", 4))
        .build()
        .unwrap();
    let model: Model = network
        .compile(Adam::new(0.01), BinaryCrossentropy.from_logits(), ())
        .unwrap();
    let (x, _) = data(3);
    let search = Search::new().depth(3).breadth(6).select(Select::Confidence);
    let found = model.search(&x, &search).unwrap();
    let first = model.search(&x, &search.breadth(1)).unwrap();
    assert!(
        found
            .score
            .iter()
            .zip(&first.score)
            .all(|(many, one)| many >= one)
    );
    assert_ne!(found.score, first.score);
}

#[test]
fn searches_that_cannot_find_anything_are_refused() {
    let (x, _) = data(3);
    let text =
        |search: &Search, initial| model(initial).search(&x, search).unwrap_err().to_string();
    let same = text(&Search::new(), Initial::Zeros);
    assert!(same.contains("starts that are all the same"), "{same}");
    let none = text(&Search::new().depth(0), Initial::Noise(1.0));
    assert!(none.contains("0 iterations from 8 starts"), "{none}");
    let unsure = text(
        &Search::new().select(Select::Confidence),
        Initial::Noise(1.0),
    );
    assert!(
        unsure.contains("expected a network under Halt::confidence, found Unroll"),
        "{unsure}"
    );
}
