//! Every operation's gradient against differences, on operands that lie in memory in every way.
//!
//! Elementwise functions come from the list that defines them, so a new one is checked at the points that its entry
//! names. All others stand in the tables here, and [`complete`] fails when an operation is missing from them.

mod arithmetic;
mod attention;
mod complete;
mod elementwise;
mod images;
mod losses;
mod norms;
mod recurrent;
mod structure;
mod views;

use fb_autograd::Var;
use fb_autograd::gradcheck::GradCheck;
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use views::View;

/// An operation as a function of its operands.
type Operation = Box<dyn Fn(&[Var<f64>]) -> Var<f64>>;

/// An operation with the operands that it is checked at.
struct Row {
    /// The method's name, then what is particular about this row.
    name: &'static str,
    inputs: Vec<Tensor<f64>>,
    f: Operation,
}

fn row(
    name: &'static str,
    inputs: impl Into<Vec<Tensor<f64>>>,
    f: impl Fn(&[Var<f64>]) -> Var<f64> + 'static,
) -> Row {
    Row {
        name,
        inputs: inputs.into(),
        f: Box::new(f),
    }
}

impl Row {
    /// The method's name alone.
    fn op(&self) -> &'static str {
        self.name
            .split_whitespace()
            .next()
            .expect("a row has a name")
    }

    /// Compares the tape with differences, with every operand seen through every view.
    fn check(&self) {
        for start in 0..View::ALL.len() {
            let same = |_: usize| View::ALL[start];
            let mixed = |input: usize| View::ALL[(start + input + 1) % View::ALL.len()];
            self.check_with(same);
            self.check_with(mixed);
        }
    }

    fn check_with(&self, view_of: impl Fn(usize) -> View) {
        let views: Vec<View> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(i, x)| view_of(i).or_plain(x))
            .collect();
        let leaves: Vec<Tensor<f64>> = self
            .inputs
            .iter()
            .zip(&views)
            .map(|(x, view)| view.leaf_of(x))
            .collect();
        let f = |leaves: &[Var<f64>]| {
            let operands: Vec<Var<f64>> = leaves
                .iter()
                .zip(&self.inputs)
                .zip(&views)
                .map(|((leaf, x), view)| view.see(leaf, x.shape()))
                .collect();
            (self.f)(&operands)
        };
        if let Err(error) = GradCheck::new().directions(2).check(f, &leaves) {
            panic!("{} with operands {views:?}: {error}", self.name);
        }
    }
}

/// Normally distributed numbers, different for each name.
fn normal(name: &str, shape: impl Into<fb_tensor::Shape>) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(11).fold(name).rng())
}

/// Numbers from `low` to `high`, different for each name.
fn between(name: &str, shape: impl Into<fb_tensor::Shape>, low: f64, high: f64) -> Tensor<f64> {
    Tensor::uniform(shape, low, high, &mut Key::new(11).fold(name).rng())
}

fn all_rows() -> Vec<Row> {
    let mut rows = elementwise::rows();
    rows.extend(arithmetic::rows());
    rows.extend(structure::rows());
    rows.extend(losses::rows());
    rows.extend(attention::rows());
    rows.extend(norms::rows());
    rows.extend(images::rows());
    rows.extend(recurrent::rows());
    rows
}

#[test]
fn elementwise_functions() {
    let rows = elementwise::rows();
    assert!(
        rows.len() > 30,
        "the list of elementwise functions was not found"
    );
    rows.iter().for_each(Row::check);
}

#[test]
fn operations_of_two_operands() {
    arithmetic::rows().iter().for_each(Row::check);
}

#[test]
fn structural_operations() {
    structure::rows().iter().for_each(Row::check);
}

#[test]
fn losses() {
    losses::rows().iter().for_each(Row::check);
}

#[test]
fn attention_and_positions() {
    attention::rows().iter().for_each(Row::check);
}

#[test]
fn normalisations() {
    norms::rows().iter().for_each(Row::check);
}

#[test]
fn operations_on_images_and_series() {
    images::rows().iter().for_each(Row::check);
}

#[test]
fn recurrent_cells() {
    recurrent::rows().iter().for_each(Row::check);
}
