//! The table of a network.

use super::drawing::{self, Arrow};
use super::table::{self, Side};
use super::training::Training;
use super::words;
use fb_nn::feedback::network::{Description, EdgeDescription, NodeDescription};
use fb_nn::feedback::topology::Clock;
use std::fmt;

/// A network in a table, with its feedback edges drawn beside the layers; `Display` shows it.
#[derive(Clone, Debug)]
pub struct Summary {
    network: Description,
    training: Option<Training>,
}

impl Summary {
    pub(super) fn new(network: Description, training: Option<Training>) -> Self {
        Self { network, training }
    }

    /// The network's layers and edges.
    pub fn network(&self) -> &Description {
        &self.network
    }

    /// How the model learns, if it was compiled.
    pub fn training(&self) -> Option<&Training> {
        self.training.as_ref()
    }

    /// How many numbers all parameters hold together.
    pub fn parameters(&self) -> usize {
        let edges = self.network.edges.iter().map(|edge| edge.parameters);
        self.network
            .nodes
            .iter()
            .map(|node| node.parameters)
            .chain(edges)
            .sum()
    }

    /// How many of them training may change.
    pub fn trainable(&self) -> usize {
        let edges = self.network.edges.iter().map(|edge| edge.trainable);
        self.network
            .nodes
            .iter()
            .map(|node| node.trainable)
            .chain(edges)
            .sum()
    }

    /// How many of them training leaves as they are.
    pub fn frozen(&self) -> usize {
        self.parameters() - self.trainable()
    }

    /// The layers with the edges beside them.
    fn layers(&self) -> Vec<String> {
        let rows = Rows::new(&self.network);
        let margins = drawing::margins(rows.cells.len(), &rows.arrows);
        let sides = [
            Side::Left,
            Side::Left,
            Side::Left,
            Side::Right,
            Side::Right,
            Side::Left,
        ];
        let lines = table::aligned(&rows.cells, sides);
        lines
            .iter()
            .zip(margins)
            .map(|(line, margin)| format!("{line}  {margin}").trim_end().to_owned())
            .collect()
    }

    /// One line per edge.
    fn edges(&self) -> Vec<String> {
        let row = |edge: &EdgeDescription| {
            let ends = format!("{} -> {}", words::short(&edge.from), words::short(&edge.to));
            [
                ends,
                words::edge(edge),
                words::parameters(edge.parameters, edge.trainable),
            ]
        };
        let rows: Vec<_> = self.network.edges.iter().map(row).collect();
        table::aligned(&rows, [Side::Left; 3])
            .iter()
            .map(|line| format!("  {}", line.trim_end()))
            .collect()
    }

    /// What holds for the whole network.
    fn totals(&self) -> Vec<String> {
        let has_loop = self.network.edges.iter().any(|edge| !edge.is_forward);
        let counts = format!(
            "{} in all: {} trainable, {} frozen",
            self.parameters(),
            self.trainable(),
            self.frozen()
        );
        let mut lines = vec![("parameters", counts)];
        let last = self.network.nodes.last().map(|node| &node.name);
        if !matches!(self.network.outputs.as_slice(), [only] if Some(only) == last) {
            let names = self.network.outputs.iter().map(|name| words::short(name));
            lines.push(("outputs", names.collect::<Vec<_>>().join(", ")));
        }
        lines.extend(self.runs(has_loop));
        if let Some(training) = &self.training {
            lines.extend(training.lines(has_loop));
        }
        lines
            .into_iter()
            .map(|(what, value)| format!("{what:<10}  {value}"))
            .collect()
    }
}

impl Summary {
    /// How often what loops runs.
    fn runs(&self, has_loop: bool) -> Option<(&'static str, String)> {
        let (iterations, schedule) = (self.network.iterations, self.network.schedule);
        let steps = self.network.edges.iter().any(|e| e.clock == Clock::Step);
        let iterates = |edge: &EdgeDescription| !edge.is_forward && edge.clock == Clock::Iteration;
        match (has_loop, steps) {
            (false, _) => None,
            (true, true) if self.network.edges.iter().any(iterates) => Some((
                "iterations",
                format!("{iterations} at each step ({schedule})"),
            )),
            (true, true) => Some(("steps", format!("one after another ({schedule})"))),
            (true, false) => Some(("iterations", format!("{iterations} ({schedule})"))),
        }
    }

    /// One line per loop inside the loop.
    fn scopes(&self) -> Vec<String> {
        let row = |(name, layers, cycles): &(String, Vec<String>, usize)| {
            let layers: Vec<_> = layers.iter().map(|layer| words::short(layer)).collect();
            [
                words::short(name),
                layers.join(", "),
                format!("{} in each iteration", words::cycles(*cycles)),
            ]
        };
        let rows: Vec<_> = self.network.scopes.iter().map(row).collect();
        table::aligned(&rows, [Side::Left; 3])
            .iter()
            .map(|line| format!("  {}", line.trim_end()))
            .collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![self.layers().join("\n")];
        if !self.network.edges.is_empty() {
            let all_forward = self.network.edges.iter().all(|edge| edge.is_forward);
            let any_forward = self.network.edges.iter().any(|edge| edge.is_forward);
            let title = match (all_forward, any_forward) {
                (true, _) => "edges",
                (false, true) => "feedback and forward edges",
                (false, false) => "feedback",
            };
            parts.push(format!("{title}\n{}", self.edges().join("\n")));
        }
        if !self.network.scopes.is_empty() {
            parts.push(format!("scopes\n{}", self.scopes().join("\n")));
        }
        parts.push(self.totals().join("\n"));
        f.write_str(&parts.join("\n\n"))
    }
}

/// The lines of the table, and the edges between them.
struct Rows {
    cells: Vec<[String; 6]>,
    arrows: Vec<Arrow>,
}

impl Rows {
    fn new(network: &Description) -> Self {
        let heads = [
            "layer",
            "description",
            "output",
            "parameters",
            "trainable",
            "runs",
        ];
        let mut cells = vec![heads.map(str::to_owned)];
        // The lines that a value enters and leaves: one and the same unless the layer does both.
        let mut enters = vec![cells.len()];
        let mut leaves = vec![cells.len()];
        for (number, (name, spec)) in network.inputs.iter().enumerate() {
            if number > 0 {
                enters.push(cells.len());
                leaves.push(cells.len());
            }
            let blank = ["", "", ""].map(str::to_owned);
            cells.push(row(name, "", &spec.to_string(), blank));
        }
        let mut before = network.inputs.last().map(|(name, _)| name.as_str());
        for node in &network.nodes {
            enters.push(cells.len());
            let usual = matches!(node.inputs.as_slice(), [only] if Some(only.as_str()) == before);
            cells.push(layer(node, usual));
            before = Some(&node.name);
            let receives = network.edges.iter().any(|edge| edge.to == node.name);
            let sends = network.edges.iter().any(|edge| edge.from == node.name);
            if receives && sends {
                cells.push(Default::default());
            }
            leaves.push(cells.len() - 1);
        }
        let position = |name: &str| position(network, name);
        let back = network
            .edges
            .iter()
            .filter(|edge| !edge.is_forward && position(&edge.from) >= position(&edge.to));
        let arrows = back.map(|edge| Arrow {
            from: leaves[position(&edge.from)],
            to: enters[position(&edge.to)],
        });
        Self {
            arrows: arrows.collect(),
            cells,
        }
    }
}

/// The number of a value: inputs first, then layers.
pub(super) fn position(network: &Description, name: &str) -> usize {
    let inputs = network.inputs.iter().map(|(input, _)| input.as_str());
    let layers = network.nodes.iter().map(|node| node.name.as_str());
    inputs.chain(layers).position(|n| n == name).unwrap_or(0)
}

/// The line of a layer; one that does not take the value of the line before says what it takes.
fn layer(node: &NodeDescription, usual: bool) -> [String; 6] {
    let counts = [node.parameters, node.trainable].map(|n| n.to_string());
    let [all, trainable] = counts;
    let mut description = node.description.clone();
    if !usual {
        let names: Vec<_> = node.inputs.iter().map(|name| words::short(name)).collect();
        description += &format!(" (of {})", names.join(", "));
    }
    let mut runs = words::runs(node.path).to_owned();
    if node.cycles > 1 {
        runs += &format!(" × {}", node.cycles);
    }
    row(
        &node.name,
        &description,
        &node.output.to_string(),
        [all, trainable, runs],
    )
}

fn row(
    name: &str,
    description: &str,
    output: &str,
    [all, trainable, runs]: [String; 3],
) -> [String; 6] {
    [
        words::short(name),
        words::on_one_line(description),
        output.to_owned(),
        all,
        trainable,
        runs,
    ]
}
