//! Layers inside a layer.

use super::layer::{AnyLayer, Layer, LayerKinds, Scope, Spec};
use super::stream::{Memory, Streaming};
use super::{Context, Module, Value};
use crate::error::{Error, Result};
use fb_tensor::Float;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// Named layers one after another, inside another layer's configuration.
///
/// Parameters are named by the path of layers: `"block1/conv/weight"`. In files each layer stands with its kind, as those
/// of a network do; a layer that holds a chain calls [`Chain::resolve`] in its [`Layer::resolve`].
#[derive(Clone, Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
}

#[derive(Clone, Debug)]
struct Link {
    name: String,
    layer: Held,
}

#[derive(Clone, Debug)]
enum Held {
    Ready(Arc<dyn AnyLayer>),
    /// As it came from a file, before [`Chain::resolve`].
    Unread(String, serde_json::Value),
}

/// How a link stands in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLink {
    name: String,
    kind: String,
    config: serde_json::Value,
}

impl Chain {
    /// No layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer.
    pub fn push(&mut self, name: impl Into<String>, layer: impl Layer) {
        let name = name.into();
        let layer = Held::Ready(Arc::new(layer));
        self.links.push(Link { name, layer });
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Looks up the kinds of layers that came from a file.
    ///
    /// # Errors
    /// A kind is not known, or its configuration cannot be read.
    pub fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        for link in &mut self.links {
            if let Held::Unread(kind, config) = &mut link.layer {
                let place = format!("{place}/{}", link.name);
                let layer = kinds.layer(&place, kind, std::mem::take(config))?;
                link.layer = Held::Ready(layer);
            }
        }
        Ok(())
    }

    /// Builds the layers one after another; `kind` is that of the layer that holds the chain.
    ///
    /// # Errors
    /// A layer cannot be built, or its name is missing, used twice or one with a meaning in paths.
    pub fn build<F: Float>(
        &self,
        scope: &mut Scope<F>,
        kind: &str,
        input: Spec,
    ) -> Result<BuiltChain<F>> {
        let mut output = input;
        let mut modules = Vec::with_capacity(self.links.len());
        let mut descriptions = Vec::with_capacity(self.links.len());
        for (position, link) in self.links.iter().enumerate() {
            let name = &link.name;
            let taken = self.links[..position]
                .iter()
                .any(|other| other.name == *name);
            if taken || name.is_empty() || name.contains(['/', '*', '?']) || name.contains("->") {
                return Err(scope.error(
                    kind,
                    "layers with a name of their own, without '/', '*', '?' and '->'",
                    format!(
                        "the name {name:?} for layer {} of {}",
                        position + 1,
                        self.len()
                    ),
                    "names address parameters: \"block/conv/weight\"",
                ));
            }
            let Held::Ready(layer) = &link.layer else {
                return Err(Error::Format {
                    place: format!("layer {name:?} inside {:?}", scope.path()),
                    reason: "its kind was not looked up".to_owned(),
                    help: "read layers that hold others with Registry::layer".to_owned(),
                });
            };
            let built = scope.inside(name, |scope| layer.build(scope, &[output]))?;
            output = built.output;
            descriptions.push(built.description);
            modules.push((name.clone(), built.module));
        }
        Ok(BuiltChain {
            modules,
            output,
            description: descriptions.join(", "),
        })
    }
}

impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let links = self.links.iter().map(|link| {
            let (kind, config) = match &link.layer {
                Held::Ready(layer) => (
                    layer.kind().to_owned(),
                    layer.config().map_err(S::Error::custom)?,
                ),
                Held::Unread(kind, config) => (kind.clone(), config.clone()),
            };
            let name = link.name.clone();
            Ok(FileLink { name, kind, config })
        });
        serializer.collect_seq(links.collect::<Result<Vec<_>, S::Error>>()?)
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let links = Vec::<FileLink>::deserialize(deserializer)?;
        let links = links.into_iter().map(|link| Link {
            name: link.name,
            layer: Held::Unread(link.kind, link.config),
        });
        Ok(Self {
            links: links.collect(),
        })
    }
}

/// The modules of a [`Chain`].
#[derive(Debug)]
pub struct BuiltChain<F: Float> {
    modules: Vec<(String, Box<dyn Module<F>>)>,
    output: Spec,
    description: String,
}

impl<F: Float> BuiltChain<F> {
    /// What the last layer gives.
    pub fn output(&self) -> Spec {
        self.output
    }

    /// The descriptions of the layers, in order.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Runs the layers one after another.
    ///
    /// # Errors
    /// One of them fails.
    pub fn forward(&self, cx: &mut Context<'_, F>, input: &Value<F>) -> Result<Value<F>> {
        let mut value = input.clone();
        for (name, module) in &self.modules {
            value = cx.inside(name, |cx| super::one_output(cx, &**module, &value))?;
        }
        Ok(value)
    }

    /// How the chain runs when a sequence comes in pieces: as the least able of its layers.
    pub fn is_streamable(&self) -> bool {
        self.modules
            .iter()
            .all(|(_, module)| !matches!(module.streaming(), Streaming::Whole))
    }

    /// Whether one of the layers does; see [`Module::shares_batch_statistics`].
    pub fn shares_batch_statistics(&self) -> bool {
        self.modules
            .iter()
            .any(|(_, module)| module.shares_batch_statistics())
    }

    /// Runs the layers on the next piece of a sequence.
    ///
    /// # Errors
    /// One of them fails, needs whole sequences, or the memory is not of this chain.
    pub fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        input: &Value<F>,
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let mut value = input.clone();
        let mut memories = memory.parts(cx, self.modules.len())?;
        for ((name, module), memory) in self.modules.iter().zip(&mut memories) {
            let before = std::mem::take(memory);
            (value, *memory) = cx.inside(name, |cx| {
                super::stream::step(cx, &**module, &value, before)
            })?;
        }
        Ok((value, Memory::Parts(memories)))
    }
}
