//! What is connected with what: plain data that goes into model files.

use super::schedule::AnySchedule;
use crate::error::{Error, Result};
use crate::module::{AnyLayer, Spec, ValueKind};
use crate::registry::Registry;
use fb_tensor::Shape;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The name of the network's input as the end of a feedback edge.
pub const INPUT: &str = "input";

/// A layer with its name.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, unique in the network.
    pub name: String,
    /// Its configuration.
    pub layer: Arc<dyn AnyLayer>,
}

/// How a fed-back value joins its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Combine {
    /// `u + P(r)`: added to the sum inside the layer (before its activation), or to its input if it has none.
    Add,
    /// `[x, r]`: the layer's input gets wider by the fed-back features.
    Concat,
    /// `u + σ(W_g [u, r] + b_g) · P(r)`: added like [`Combine::Add`], through a learned gate that starts nearly shut. Maps
    /// have a gate at each position; where the source has other positions than the destination, the gate sees `P(r)` in
    /// place of `r`.
    Gate,
}

/// How a fed-back value is brought into the shape of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Projection {
    /// By learned weights, the fewest that make sense of the two shapes:
    ///
    /// | source → destination | weights | what they do |
    /// |---|---|---|
    /// | `[…, c]` → `[…, d]`, the same positions | `[c, d]` | a matrix at each position (a 1×1 convolution) |
    /// | `[c]` → `[h, w, d]` or `[t, d]` | `[c, d]` | the same addition at each position |
    /// | `[h, w, c]` or `[t, c]` → `[d]` | `[c, d]` | a matrix on the average over positions |
    /// | a map → one `r` times as large on each axis, `r` up to 4 | `[r, r, d, c]` | a transposed convolution with stride `r`: each position becomes a patch |
    /// | a map → one `r` times as small | `[r, r, c, d]` | a convolution with stride `r`: each patch becomes a position |
    /// | a map → another smaller one | `[c, d]` | averages over cells, then a matrix at each position |
    /// | a map → one of other extents | `[c, d]` | a matrix at each position, then bilinear interpolation |
    /// | `[t, c]` ↔ `[h, w, d]` with `t = h · w` | `[c, d]` | positions in row-major order, a matrix at each |
    /// | other shapes | `[c, d]` | the average over positions, the same addition at each position |
    Learned,
    /// By a learned matrix from all features of the source to all features of the destination.
    Full,
    /// Not at all: the shapes must be equal.
    Identity,
}

/// What a feedback edge carries before its source has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Initial {
    /// Zeros.
    Zeros,
    /// A learned value, the same for every sample.
    Learned,
}

/// A feedback edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The layer whose output is fed back.
    pub from: String,
    /// The layer that it goes to, or [`INPUT`].
    pub to: String,
    /// How it joins its destination.
    pub combine: Combine,
    /// How it is brought into shape.
    pub projection: Projection,
    /// After how many iterations it arrives, at least 1.
    pub delay: usize,
    /// What it carries before.
    pub initial: Initial,
}

impl Edge {
    /// An edge that adds through learned weights, with delay 1, from zeros.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            combine: Combine::Add,
            projection: Projection::Learned,
            delay: 1,
            initial: Initial::Zeros,
        }
    }

    /// The path of the edge's parameters: `feedback/output->hidden1`.
    pub fn path(&self) -> String {
        format!("feedback/{}->{}", self.from, self.to)
    }

    /// An error about this edge.
    pub(super) fn error(
        &self,
        problem: impl Into<String>,
        detail: impl Into<String>,
        help: impl Into<String>,
    ) -> Error {
        Error::Feedback {
            from: self.from.clone(),
            to: self.to.clone(),
            problem: problem.into(),
            detail: detail.into(),
            help: help.into(),
        }
    }
}

/// A whole architecture: the input's shape, the layers in order, the feedback edges, the default schedule, and the
/// seed of the initial values.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Kind and shape of one sample.
    pub input: Spec,
    /// The layers in forward order.
    pub nodes: Vec<Node>,
    /// The feedback edges.
    pub edges: Vec<Edge>,
    /// How often the loop runs unless a run says otherwise.
    pub schedule: Arc<dyn AnySchedule>,
    /// The seed of the initial values.
    pub seed: u64,
}

impl Topology {
    /// The position of a layer.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// The names of the layers, for messages.
    pub(super) fn layer_list(&self) -> String {
        let names: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("{:?}", node.name))
            .collect();
        if names.is_empty() {
            "there are no layers".to_owned()
        } else {
            format!("the layers are {}", names.join(", "))
        }
    }
}

/// The JSON form of a [`Topology`].
#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    input: Vec<usize>,
    /// Left out for numbers.
    #[serde(default, skip_serializing_if = "FileInput::is_numbers")]
    input_kind: FileInput,
    layers: Vec<FileLayer>,
    feedback: Vec<Edge>,
    schedule: FileKind,
    seed: u64,
}

/// What the input is.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileInput {
    #[default]
    Numbers,
    Indices,
    Mask,
}

impl FileInput {
    fn is_numbers(&self) -> bool {
        *self == Self::Numbers
    }

    fn of(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Float => Self::Numbers,
            ValueKind::Index => Self::Indices,
            ValueKind::Mask => Self::Mask,
        }
    }

    fn kind(self) -> ValueKind {
        match self {
            Self::Numbers => ValueKind::Float,
            Self::Indices => ValueKind::Index,
            Self::Mask => ValueKind::Mask,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct FileLayer {
    name: String,
    #[serde(flatten)]
    kind: FileKind,
}

#[derive(Serialize, Deserialize)]
struct FileKind {
    kind: String,
    config: serde_json::Value,
}

/// The version of the JSON form; a reader refuses newer ones.
const FORMAT: u32 = 1;

impl Topology {
    /// The architecture as JSON.
    ///
    /// # Errors
    /// A configuration does not serialise.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        let layers = self
            .nodes
            .iter()
            .map(|node| {
                let kind = FileKind {
                    kind: node.layer.kind().to_owned(),
                    config: node.layer.config()?,
                };
                Ok(FileLayer {
                    name: node.name.clone(),
                    kind,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let file = File {
            format: FORMAT,
            input: self.input.shape.to_vec(),
            input_kind: FileInput::of(self.input.kind),
            layers,
            feedback: self.edges.clone(),
            schedule: FileKind {
                kind: self.schedule.kind().to_owned(),
                config: self.schedule.config()?,
            },
            seed: self.seed,
        };
        serde_json::to_value(file).map_err(format_error)
    }

    /// An architecture from its JSON form; kinds are looked up in `registry`.
    ///
    /// # Errors
    /// It is not such JSON, is of a newer format, or names a kind that is not registered.
    pub fn from_json(json: serde_json::Value, registry: &Registry) -> Result<Self> {
        let found = json.get("format").and_then(serde_json::Value::as_u64);
        if found.is_some_and(|format| format > u64::from(FORMAT)) {
            return Err(Error::Format {
                place: "the architecture".to_owned(),
                reason: format!(
                    "it has format {}, this version reads up to {FORMAT}",
                    found.unwrap_or_default()
                ),
                help: "read it with the version that wrote it, or a newer one".to_owned(),
            });
        }
        let file: File = serde_json::from_value(json).map_err(format_error)?;
        let nodes = file
            .layers
            .into_iter()
            .map(|layer| {
                let place = format!("layer {:?}", layer.name);
                let config = registry.layer(&place, &layer.kind.kind, layer.kind.config)?;
                Ok(Node {
                    name: layer.name,
                    layer: config,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            input: Spec {
                kind: file.input_kind.kind(),
                shape: Shape::try_new(&file.input)?,
            },
            nodes,
            edges: file.feedback,
            schedule: registry.schedule(
                "the schedule",
                &file.schedule.kind,
                file.schedule.config,
            )?,
            seed: file.seed,
        })
    }
}

fn format_error(error: serde_json::Error) -> Error {
    Error::Format {
        place: "the architecture".to_owned(),
        reason: error.to_string(),
        help: "the file was written by another version, or edited".to_owned(),
    }
}
