//! A network as a layer of another.

use super::Wiring;
use super::run::{self, RunOptions};
use crate::error::{Error, Result};
use crate::feedback::gradient::Bptt;
use crate::feedback::topology::Topology;
use crate::feedback::{Graph, Sequential};
use crate::module::{Built, Context, Layer, LayerKinds, Module, Scope, Spec, Value};
use fb_tensor::Float;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// A whole network, loops and all, as a layer of another: its parameters stand below the layer's name.
///
/// It takes what the network's inputs take and gives its only output. Its loop runs as its own schedule says, within one tick
/// of a loop around it, and starts anew each time.
///
/// ```
/// use fb_nn::feedback::network::Nested;
/// use fb_nn::feedback::schedule::Unroll;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_nn::Sequential;
/// let inner = Sequential::input([4])
///     .layer("hidden", Dense::new(4).activation(Activation::Tanh))
///     .feedback("hidden", "hidden")
///     .schedule(Unroll::iterations(3));
/// let network = Sequential::input([2])
///     .layer("before", Dense::new(4))
///     .layer("settle", Nested::new(inner)?)
///     .layer("after", Dense::new(1))
///     .build()?;
/// assert!(network.params().by_name("settle/feedback/hidden->hidden/weight").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Nested {
    held: Held,
}

#[derive(Clone, Debug)]
enum Held {
    Ready(Box<Topology>),
    /// As it came from a file, before [`Layer::resolve`].
    Unread(serde_json::Value),
}

/// A declaration of a network: [`Sequential`] or [`Graph`].
pub trait IntoTopology {
    /// The declaration as plain data.
    ///
    /// # Errors
    /// A call of the declaration made no sense.
    fn into_topology(self) -> Result<Topology>;
}

impl IntoTopology for Sequential {
    fn into_topology(self) -> Result<Topology> {
        self.topology()
    }
}

impl IntoTopology for Graph {
    fn into_topology(self) -> Result<Topology> {
        self.topology()
    }
}

impl IntoTopology for Topology {
    fn into_topology(self) -> Result<Topology> {
        Ok(self)
    }
}

impl Nested {
    /// This network as a layer.
    ///
    /// # Errors
    /// A call of the declaration made no sense; whether the network can be is checked when it is built.
    pub fn new(network: impl IntoTopology) -> Result<Self> {
        let held = Held::Ready(Box::new(network.into_topology()?));
        Ok(Self { held })
    }
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        match &self.held {
            Held::Ready(topology) => topology
                .to_json()
                .map_err(S::Error::custom)?
                .serialize(serializer),
            Held::Unread(json) => json.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let held = Held::Unread(serde_json::Value::deserialize(deserializer)?);
        Ok(Self { held })
    }
}

impl Layer for Nested {
    const KIND: &'static str = "Nested";

    fn resolve(&mut self, _place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        if let Held::Unread(json) = &mut self.held {
            let topology = kinds.topology(std::mem::take(json))?;
            let topology = topology.downcast::<Topology>().map_err(|_| Error::Format {
                place: "a network in a network".to_owned(),
                reason: "the registry gave something else".to_owned(),
                help: String::new(),
            })?;
            self.held = Held::Ready(topology);
        }
        Ok(())
    }

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let Held::Ready(topology) = &self.held else {
            return Err(Error::Format {
                place: format!("the network {:?}", scope.path()),
                reason: "its layers were not looked up".to_owned(),
                help: "read layers that hold others with Registry::layer".to_owned(),
            });
        };
        let declared: Vec<Spec> = topology.inputs.iter().map(|input| input.spec).collect();
        if declared != inputs {
            let list = |specs: &[Spec]| {
                let specs: Vec<_> = specs.iter().map(|s| format!("{} {s}", s.kind)).collect();
                specs.join(" and ")
            };
            return Err(scope.error(
                Self::KIND,
                list(&declared),
                list(inputs),
                "declare the inner network with the input that it gets here",
            ));
        }
        if topology.outputs.len() > 1 {
            return Err(scope.error(
                Self::KIND,
                "a network with one output",
                format!("outputs {}", topology.outputs.join(", ")),
                "choose one with .output(name)",
            ));
        }
        if topology.schedule.rule().is_sequence() {
            return Err(scope.error(
                Self::KIND,
                "a loop over iterations",
                "the schedule Sequence",
                "run the outer network along the sequence: .schedule(Sequence::with(…))",
            ));
        }
        let wiring = Arc::new(Wiring::build((**topology).clone(), scope)?);
        let output = wiring.spec(wiring.outputs[0]);
        let description = format!("network of {} layers", wiring.nodes.len());
        Ok(Built {
            module: Box::new(NestedModule { wiring }),
            output,
            sum: None,
            description,
        })
    }
}

#[derive(Debug)]
struct NestedModule<F: Float> {
    wiring: Arc<Wiring<F>>,
}

impl<F: Float> Module<F> for NestedModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let (layer, iteration) = (cx.layer().to_owned(), cx.iteration());
        let options = RunOptions {
            gradient: Some(Arc::new(Bptt)),
            ..RunOptions::default()
        };
        let run = run::run(&self.wiring, cx, inputs, &options);
        cx.enter_layer(&layer);
        cx.enter_iteration(iteration);
        Ok(run?.into_last_all())
    }

    fn shares_batch_statistics(&self) -> bool {
        let mut nodes = self.wiring.nodes.iter();
        nodes.any(|node| node.module.shares_batch_statistics())
    }
}
