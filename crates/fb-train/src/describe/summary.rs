//! The table of a network.

use super::drawing::{self, Arrow};
use super::table::{self, Side};
use super::training::Training;
use super::words;
use fb_nn::feedback::network::{Description, NodeDescription};
use fb_nn::feedback::topology::INPUT;
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
        let row = |edge: &fb_nn::feedback::network::EdgeDescription| {
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
        let has_loop = !self.network.edges.is_empty();
        let counts = format!(
            "{} in all: {} trainable, {} frozen",
            self.parameters(),
            self.trainable(),
            self.frozen()
        );
        let mut lines = vec![("parameters", counts)];
        if has_loop {
            lines.push((
                "iterations",
                format!("{} ({})", self.network.iterations, self.network.schedule),
            ));
        }
        if let Some(training) = &self.training {
            lines.extend(training.lines(has_loop));
        }
        lines
            .into_iter()
            .map(|(what, value)| format!("{what:<10}  {value}"))
            .collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![self.layers().join("\n")];
        if !self.network.edges.is_empty() {
            parts.push(format!("feedback\n{}", self.edges().join("\n")));
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
        cells.push(row(
            INPUT,
            "",
            &network.input.to_string(),
            ["", "", ""].map(str::to_owned),
        ));
        for node in &network.nodes {
            enters.push(cells.len());
            cells.push(layer(node));
            let receives = network.edges.iter().any(|edge| edge.to == node.name);
            let sends = network.edges.iter().any(|edge| edge.from == node.name);
            if receives && sends {
                cells.push(Default::default());
            }
            leaves.push(cells.len() - 1);
        }
        let position = |name: &str| {
            network
                .nodes
                .iter()
                .position(|node| node.name == name)
                .map_or(0, |i| i + 1)
        };
        let arrows = network.edges.iter().map(|edge| Arrow {
            from: leaves[position(&edge.from)],
            to: enters[position(&edge.to)],
        });
        Self {
            arrows: arrows.collect(),
            cells,
        }
    }
}

fn layer(node: &NodeDescription) -> [String; 6] {
    let counts = [node.parameters, node.trainable].map(|n| n.to_string());
    let [all, trainable] = counts;
    row(
        &node.name,
        &node.description,
        &node.output.to_string(),
        [all, trainable, words::runs(node.path).to_owned()],
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
