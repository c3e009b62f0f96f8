//! From configuration to cell.

use super::Cell;
use crate::error::{Error, Result};
use crate::module::{LayerKinds, Scope};
use fb_tensor::{Float, Shape};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The configuration of a cell: plain serialisable data, without element type or parameters.
///
/// A cell of your own needs this trait and a [`Cell`]; register it with
/// [`Registry::register_cell`](crate::Registry::register_cell) to have it read from files.
pub trait CellConfig: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in files and summaries, such as `"Lstm"`.
    const KIND: &'static str;

    /// Checks the configuration, makes the parameters and the cell. `input` is the shape of one sample at one step.
    ///
    /// # Errors
    /// The configuration or the input is not possible.
    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>>;

    /// Reads the cells that this one holds; those that hold a [`HeldCell`] call its `resolve`, others have nothing to do.
    ///
    /// # Errors
    /// A kind is not known, or its configuration cannot be read.
    fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        let _ = (place, kinds);
        Ok(())
    }
}

/// What a cell's configuration turns into.
#[derive(Debug)]
pub struct BuiltCell<F: Float> {
    /// What computes.
    pub cell: Box<dyn Cell<F>>,
    /// The shape of one sample's output at one step.
    pub output: Shape,
    /// A short description for summaries and messages, such as `"Lstm 8 -> 32"`.
    pub description: String,
}

/// A [`CellConfig`] of any type, as a layer's configuration holds it. Implemented for every one.
pub trait AnyCell: Debug + Send + Sync {
    /// The name of the kind in files and summaries.
    fn kind(&self) -> &'static str;

    /// The configuration as JSON.
    ///
    /// # Errors
    /// The configuration does not serialise.
    fn config(&self) -> Result<serde_json::Value>;

    #[doc(hidden)]
    fn build_f32(&self, scope: &mut Scope<f32>, input: Shape) -> Result<BuiltCell<f32>>;

    #[doc(hidden)]
    fn build_f64(&self, scope: &mut Scope<f64>, input: Shape) -> Result<BuiltCell<f64>>;
}

impl<C: CellConfig> AnyCell for C {
    fn kind(&self) -> &'static str {
        C::KIND
    }

    fn config(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| Error::Format {
            place: format!("the configuration of {}", C::KIND),
            reason: error.to_string(),
            help: "configurations are plain data: numbers, texts, lists and enums".to_owned(),
        })
    }

    fn build_f32(&self, scope: &mut Scope<f32>, input: Shape) -> Result<BuiltCell<f32>> {
        self.build(scope, input)
    }

    fn build_f64(&self, scope: &mut Scope<f64>, input: Shape) -> Result<BuiltCell<f64>> {
        self.build(scope, input)
    }
}

impl dyn AnyCell {
    /// Builds the cell for the element type `F`.
    ///
    /// A trait object cannot have a generic method; `F` is one of two types, so the right one is found by its type id.
    ///
    /// # Errors
    /// As [`CellConfig::build`], or sizes that memory cannot hold.
    pub fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        let any: &mut dyn Any = scope;
        let built: Result<Box<dyn Any>> = if let Some(scope) = any.downcast_mut::<Scope<f32>>() {
            self.build_f32(scope, input)
                .map(|built| Box::new(built) as Box<dyn Any>)
        } else if let Some(scope) = any.downcast_mut::<Scope<f64>>() {
            self.build_f64(scope, input)
                .map(|built| Box::new(built) as Box<dyn Any>)
        } else {
            unreachable!("Float is sealed: f32 or f64")
        };
        match built {
            Ok(built) => Ok(*built.downcast().expect("built for the scope's own type")),
            Err(Error::Tensor(fb_tensor::Error::TooLarge { shape, .. })) => Err(scope.error(
                self.kind(),
                "sizes that memory can hold",
                format!("shape {shape}"),
                "check each size for a slip",
            )),
            Err(error) => Err(error),
        }
    }
}

/// A cell inside another configuration. In files it stands with its kind; what holds one calls [`HeldCell::resolve`] in its
/// own `resolve`.
#[derive(Clone, Debug)]
pub struct HeldCell(Held);

#[derive(Clone, Debug)]
enum Held {
    Ready(Arc<dyn AnyCell>),
    /// As it came from a file, before [`HeldCell::resolve`].
    Unread(String, serde_json::Value),
}

/// How a cell stands in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCell {
    kind: String,
    config: serde_json::Value,
}

impl HeldCell {
    /// Holds a cell.
    pub fn new(cell: impl CellConfig) -> Self {
        Self(Held::Ready(Arc::new(cell)))
    }

    /// Looks up the kind of a cell that came from a file.
    ///
    /// # Errors
    /// The kind is not known, or its configuration cannot be read.
    pub fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        if let Held::Unread(kind, config) = &mut self.0 {
            let place = format!("{place}, its cell");
            self.0 = Held::Ready(kinds.cell(&place, kind, std::mem::take(config))?);
        }
        Ok(())
    }

    /// Builds the cell.
    ///
    /// # Errors
    /// It cannot be built, or its kind was not looked up.
    pub fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        match &self.0 {
            Held::Ready(cell) => cell.build(scope, input),
            Held::Unread(..) => Err(Error::Format {
                place: format!("the cell of layer {:?}", scope.path()),
                reason: "its kind was not looked up".to_owned(),
                help: "read layers that hold cells with Registry::layer".to_owned(),
            }),
        }
    }
}

impl Serialize for HeldCell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let (kind, config) = match &self.0 {
            Held::Ready(cell) => (
                cell.kind().to_owned(),
                cell.config().map_err(S::Error::custom)?,
            ),
            Held::Unread(kind, config) => (kind.clone(), config.clone()),
        };
        FileCell { kind, config }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HeldCell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let FileCell { kind, config } = FileCell::deserialize(deserializer)?;
        Ok(Self(Held::Unread(kind, config)))
    }
}
