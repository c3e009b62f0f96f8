//! Topologies in model files.

use super::{Edge, INPUT, Input, Node, Scope, Topology};
use crate::error::{Error, Result};
use crate::module::{Spec, ValueKind};
use crate::registry::Registry;
use fb_tensor::Shape;
use serde::{Deserialize, Serialize};

/// The JSON form of a [`Topology`]. A chain says its input's shape, and neither the inputs of its layers nor its output.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Vec<usize>>,
    /// Left out for numbers.
    #[serde(default, skip_serializing_if = "FileInputKind::is_numbers")]
    input_kind: FileInputKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<FileInput>,
    layers: Vec<FileLayer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<String>>,
    feedback: Vec<Edge>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<Scope>,
    schedule: FileKind,
    seed: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileInput {
    name: String,
    shape: Vec<usize>,
    #[serde(default, skip_serializing_if = "FileInputKind::is_numbers")]
    kind: FileInputKind,
}

/// What an input is.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileInputKind {
    #[default]
    Numbers,
    Indices,
    Mask,
}

impl FileInputKind {
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
#[serde(deny_unknown_fields)]
struct FileLayer {
    name: String,
    /// Left out where it is the layer before, or the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inputs: Option<Vec<String>>,
    kind: String,
    config: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKind {
    kind: String,
    config: serde_json::Value,
}

/// The version of the JSON form; a reader refuses newer ones. Format 1 had chains and edges with a delay alone.
const FORMAT: u32 = 2;

impl Topology {
    /// The architecture as JSON.
    ///
    /// # Errors
    /// A configuration does not serialise.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        let mut before = self.inputs.first().map(|input| input.name.clone());
        let layers = self
            .nodes
            .iter()
            .map(|node| {
                let usual = before.replace(node.name.clone());
                let is_usual =
                    matches!(node.inputs.as_slice(), [only] if Some(only) == usual.as_ref());
                Ok(FileLayer {
                    name: node.name.clone(),
                    inputs: (!is_usual).then(|| node.inputs.clone()),
                    kind: node.layer.kind().to_owned(),
                    config: node.layer.config()?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let (input, input_kind, inputs) = match self.inputs.as_slice() {
            [Input { name, spec }] if name == INPUT => (
                Some(spec.shape.to_vec()),
                FileInputKind::of(spec.kind),
                Vec::new(),
            ),
            several => (
                None,
                FileInputKind::Numbers,
                several.iter().map(FileInput::of).collect(),
            ),
        };
        let is_last = matches!((self.outputs.as_slice(), self.nodes.last()), ([only], Some(last)) if *only == last.name);
        let file = File {
            format: FORMAT,
            input,
            input_kind,
            inputs,
            layers,
            outputs: (!is_last).then(|| self.outputs.clone()),
            feedback: self.edges.clone(),
            scopes: self.scopes.clone(),
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
        let inputs = match file.input {
            Some(_) if !file.inputs.is_empty() => {
                return Err(Error::Format {
                    place: "the architecture".to_owned(),
                    reason: "it has both `input` and `inputs`".to_owned(),
                    help: "a chain has `input`, the shape of a sample, a graph `inputs` with their names".to_owned(),
                });
            }
            Some(shape) => vec![FileInput {
                name: INPUT.to_owned(),
                shape,
                kind: file.input_kind,
            }],
            None => file.inputs,
        };
        let inputs = inputs
            .into_iter()
            .map(|input| {
                let shape = Shape::try_new(&input.shape)?;
                let kind = input.kind.kind();
                Ok(Input {
                    name: input.name,
                    spec: Spec { kind, shape },
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut before = inputs.first().map(|input| input.name.clone());
        let nodes = file
            .layers
            .into_iter()
            .map(|layer| {
                let place = format!("layer {:?}", layer.name);
                let config = registry.layer(&place, &layer.kind, layer.config)?;
                let usual = before.replace(layer.name.clone());
                Ok(Node {
                    name: layer.name,
                    layer: config,
                    inputs: layer.inputs.unwrap_or_else(|| usual.into_iter().collect()),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let last = nodes.last().map(|node| node.name.clone());
        Ok(Self {
            inputs,
            nodes,
            outputs: file.outputs.unwrap_or_else(|| last.into_iter().collect()),
            edges: file.feedback,
            scopes: file.scopes,
            schedule: registry.schedule(
                "the schedule",
                &file.schedule.kind,
                file.schedule.config,
            )?,
            seed: file.seed,
        })
    }
}

impl FileInput {
    fn of(input: &Input) -> Self {
        Self {
            name: input.name.clone(),
            shape: input.spec.shape.to_vec(),
            kind: FileInputKind::of(input.spec.kind),
        }
    }
}

fn format_error(error: serde_json::Error) -> Error {
    Error::Format {
        place: "the architecture".to_owned(),
        reason: error.to_string(),
        help: "the file was written by another version, or edited".to_owned(),
    }
}
