//! From configuration to module.

use super::{Module, ValueKind};
use crate::cell::AnyCell;
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::param::{ParamId, Params, Role};
use fb_tensor::random::Key;
use fb_tensor::{Float, Shape, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// Kind and shape, without the batch axis, of what flows along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Numbers, indices or a mask.
    pub kind: ValueKind,
    /// The extents of one sample.
    pub shape: Shape,
}

impl Spec {
    /// Numbers of the given shape per sample.
    pub fn float(shape: impl Into<Shape>) -> Self {
        Self {
            kind: ValueKind::Float,
            shape: shape.into(),
        }
    }

    /// Indices of the given shape per sample; `[]` for one index a sample.
    pub fn index(shape: impl Into<Shape>) -> Self {
        Self {
            kind: ValueKind::Index,
            shape: shape.into(),
        }
    }

    /// The number of elements of one sample.
    pub fn elements(&self) -> usize {
        self.shape.elements()
    }
}

/// The shape with the batch axis: `[batch, 2]`.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[batch")?;
        for extent in self.shape.iter() {
            write!(f, ", {extent}")?;
        }
        f.write_str("]")
    }
}

/// The configuration of a layer: plain serialisable data, without element type or parameters.
///
/// A layer of your own needs this trait and a module; register it with
/// [`Registry::register_layer`](crate::Registry::register_layer) to have it read from files.
pub trait Layer: Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in files and summaries, such as `"Dense"`.
    const KIND: &'static str;

    /// Checks the configuration against the inputs, makes the parameters and the module.
    ///
    /// # Errors
    /// The configuration or the inputs are not possible.
    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>>;

    /// Reads the layers that this one holds: a file names them by kind, and only `kinds` knows what a kind is. Layers that
    /// hold a [`Chain`](super::Chain) call its `resolve`; others have nothing to do.
    ///
    /// # Errors
    /// A kind is not known, or its configuration cannot be read.
    fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        let _ = (place, kinds);
        Ok(())
    }
}

/// What turns a kind and a configuration into a layer: a [`Registry`](crate::Registry), which the floor does not know.
pub trait LayerKinds {
    /// A layer from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not known or the configuration is not one of it.
    fn layer(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyLayer>>;

    /// A recurrent cell, likewise.
    ///
    /// # Errors
    /// As [`LayerKinds::layer`].
    fn cell(&self, place: &str, kind: &str, config: serde_json::Value) -> Result<Arc<dyn AnyCell>>;

    /// The topology of a network in a network, from its JSON form: a type that the floor does not know.
    ///
    /// # Errors
    /// It is not such JSON, or names a kind that is not known.
    fn topology(&self, json: serde_json::Value) -> Result<Box<dyn Any>>;
}

/// What a layer turns into.
#[derive(Debug)]
pub struct Built<F: Float> {
    /// What computes.
    pub module: Box<dyn Module<F>>,
    /// What it gives.
    pub output: Spec,
    /// The shape per sample of the sum that feedback can join, for modules that
    /// [split](super::SimpleModule::split).
    pub sum: Option<Shape>,
    /// A short description for summaries and messages, such as `"Dense 2 -> 8"`.
    pub description: String,
}

/// Where a layer makes its parameters while it is built.
#[derive(Debug)]
pub struct Scope<F: Float> {
    params: Params<F>,
    key: Key,
    path: String,
    /// How many more numbers the parameters may have.
    room: usize,
    /// What later layers may use, and as what.
    shared: Vec<(ParamId, &'static str)>,
}

impl<F: Float> Scope<F> {
    /// The most numbers that the parameters of a network may have without [`Scope::within`], and that one sample may have
    /// on its way through it: asking the system for more would end the process instead of telling what is wrong.
    pub const MOST_NUMBERS: usize = 1 << 33;

    /// A scope for a whole network; `key` names the random numbers of initial values.
    pub fn new(key: Key) -> Self {
        Self::within(key, Self::MOST_NUMBERS)
    }

    /// [`Scope::new`] for parameters of at most so many numbers, such as a file has.
    pub fn within(key: Key, numbers: usize) -> Self {
        Self {
            params: Params::new(),
            key,
            path: String::new(),
            room: numbers,
            shared: Vec::new(),
        }
    }

    /// Takes the numbers of a parameter out of what is left.
    fn claim(&mut self, name: &str, shape: &Shape) -> Result<()> {
        match self.room.checked_sub(shape.elements()) {
            Some(left) => {
                self.room = left;
                Ok(())
            }
            None => Err(Error::Config {
                what: format!("the size of parameter {name:?}"),
                expected: format!("at most {} numbers, with those before it", self.room),
                found: format!("shape {shape}"),
                help: "give the layer fewer units or a smaller input".to_owned(),
            }),
        }
    }

    /// Sets the path of the layer that is built next.
    pub fn enter(&mut self, path: impl Into<String>) {
        self.path = path.into();
    }

    /// Builds a part of the layer that is being built: its parameters are named `path/name/…`.
    pub fn inside<R>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> R) -> R {
        let outside = self.path.len();
        if outside > 0 {
            self.path.push('/');
        }
        self.path.push_str(name);
        let result = work(self);
        self.path.truncate(outside);
        result
    }

    /// Lets layers after this one use a parameter of its, as what `role` says, such as `"embedding"`.
    pub fn share(&mut self, id: ParamId, role: &'static str) {
        self.shared.push((id, role));
    }

    /// A parameter that a layer before this one [shares](Scope::share) as what `role` says, by its full name.
    pub fn shared(&self, full_name: &str, role: &str) -> Option<(ParamId, Shape)> {
        let id = self.params.id(full_name)?;
        let found = self.shared.contains(&(id, role));
        found.then(|| (id, *self.params.get(id).value.shape()))
    }

    /// A parameter that was made before, by its full name, for the crate's own layers that know each other.
    pub(crate) fn made(&self, full_name: &str) -> Option<ParamId> {
        self.params.id(full_name)
    }

    /// A weight `[inputs, units]` that was made before for so many units, with its inputs.
    pub(crate) fn weight_before(&self, full_name: &str, units: usize) -> Option<(ParamId, usize)> {
        let id = self.made(full_name)?;
        match **self.params.get(id).value.shape() {
            [inputs, columns] if columns == units => Some((id, inputs)),
            _ => None,
        }
    }

    /// Whether a parameter of this full name was made before.
    pub fn has(&self, full_name: &str) -> bool {
        self.params.id(full_name).is_some()
    }

    /// The path of the layer that is being built.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Makes a parameter named `path/name`. What it starts from depends on the seed and its full name alone.
    ///
    /// # Errors
    /// The name is taken, the initializer cannot serve the shape, or the network would be too large.
    pub fn param(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        init: &Initializer,
        role: Role,
    ) -> Result<ParamId> {
        let full = format!("{}/{name}", self.path);
        let shape = shape.into();
        self.claim(&full, &shape)?;
        let value = init
            .sample(shape, &mut self.key.fold(&full).rng())
            .map_err(|error| match error {
                Error::Config {
                    what,
                    expected,
                    found,
                    help,
                } => Error::Config {
                    what: format!("{what} of {full:?}"),
                    expected,
                    found,
                    help,
                },
                other => other,
            })?;
        self.params.insert(full, value, role)
    }

    /// Makes a parameter with a given start value, named `path/name`.
    ///
    /// # Errors
    /// The name is taken, or the network would be too large.
    pub fn param_with(&mut self, name: &str, value: Tensor<F>, role: Role) -> Result<ParamId> {
        let full = format!("{}/{name}", self.path);
        self.claim(&full, value.shape())?;
        self.params.insert(full, value, role)
    }

    /// The value that a parameter starts from, for layers that change a part of it.
    pub fn value_mut(&mut self, id: ParamId) -> &mut Tensor<F> {
        &mut self.params.get_mut(id).value
    }

    /// The shape per sample of the one float tensor that a simple layer takes.
    ///
    /// # Errors
    /// There is not one input, it does not hold numbers, or it has no elements.
    pub fn single_float(&self, kind: &str, inputs: &[Spec]) -> Result<Shape> {
        match inputs {
            [
                Spec {
                    kind: ValueKind::Float,
                    shape,
                },
            ] if shape.elements() > 0 => Ok(*shape),
            [
                Spec {
                    kind: ValueKind::Float,
                    shape,
                },
            ] => {
                let found = Spec::float(*shape).to_string();
                Err(self.error(
                    kind,
                    "at least one number per sample",
                    found,
                    "give every axis an extent of 1 or more",
                ))
            }
            [_] => Err(self.error(
                kind,
                "one input of numbers",
                listed(inputs),
                "put a layer that gives numbers before it",
            )),
            _ => Err(self.error(
                kind,
                "one input of numbers",
                listed(inputs),
                "put a layer that brings several together before it, such as Concat or Add",
            )),
        }
    }

    /// [`Scope::single_float`] of a layer that works along a last axis of features, with that axis's extent; `axes` is how
    /// many axes a sample must have, and `wanted` is such a shape in words, such as `"[batch, time, width]"`.
    ///
    /// # Errors
    /// As [`Scope::single_float`], or a sample has another number of axes.
    pub fn features(
        &self,
        kind: &str,
        inputs: &[Spec],
        axes: std::ops::RangeInclusive<usize>,
        wanted: &str,
    ) -> Result<(Shape, usize)> {
        let shape = self.single_float(kind, inputs)?;
        match shape.last() {
            Some(&last) if axes.contains(&shape.len()) => Ok((shape, last)),
            _ => Err(self.error(
                kind,
                format!("an input {wanted}"),
                Spec::float(shape).to_string(),
                "a Reshape before it gives each sample the axes that it needs",
            )),
        }
    }

    /// The shape per sample of the one tensor of indices that a layer takes.
    ///
    /// # Errors
    /// There is not one input, it does not hold indices, or it has no elements.
    pub fn single_index(&self, kind: &str, inputs: &[Spec]) -> Result<Shape> {
        match inputs {
            [
                Spec {
                    kind: ValueKind::Index,
                    shape,
                },
            ] if shape.elements() > 0 => Ok(*shape),
            _ => Err(self.error(
                kind,
                "one input of indices",
                listed(inputs),
                "start the network with Sequential::indices([time])",
            )),
        }
    }

    /// Checks that a sample has no more numbers than [`Scope::MOST_NUMBERS`]; `found` tells where it would have them.
    ///
    /// # Errors
    /// It has more.
    pub(crate) fn check_sample(
        &self,
        kind: &str,
        numbers: usize,
        found: impl Into<String>,
    ) -> Result<()> {
        if numbers <= Self::MOST_NUMBERS {
            return Ok(());
        }
        Err(self.error(
            kind,
            format!("at most {} numbers for a sample", Self::MOST_NUMBERS),
            found,
            "check each size for a slip",
        ))
    }

    /// The error of a layer that cannot be built here.
    pub fn error(
        &self,
        kind: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> Error {
        Error::Layer {
            layer: self.path.clone(),
            kind: kind.to_owned(),
            expected: expected.into(),
            found: found.into(),
            help: help.into(),
        }
    }

    /// The parameters made so far.
    pub fn into_params(self) -> Params<F> {
        self.params
    }
}

/// `numbers [batch, 2] and indices [batch, 7]`
pub(super) fn listed(inputs: &[Spec]) -> String {
    let found: Vec<String> = inputs
        .iter()
        .map(|input| format!("{} {input}", input.kind))
        .collect();
    if found.is_empty() {
        "none".to_owned()
    } else {
        found.join(" and ")
    }
}

/// A [`Layer`] of any type, as a network's declaration holds it. Implemented for every layer.
pub trait AnyLayer: Debug + Send + Sync {
    /// The name of the kind in files and summaries.
    fn kind(&self) -> &'static str;

    /// The configuration as JSON.
    ///
    /// # Errors
    /// The configuration does not serialise.
    fn config(&self) -> Result<serde_json::Value>;

    #[doc(hidden)]
    fn build_f32(&self, scope: &mut Scope<f32>, inputs: &[Spec]) -> Result<Built<f32>>;

    #[doc(hidden)]
    fn build_f64(&self, scope: &mut Scope<f64>, inputs: &[Spec]) -> Result<Built<f64>>;
}

impl<L: Layer> AnyLayer for L {
    fn kind(&self) -> &'static str {
        L::KIND
    }

    fn config(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| Error::Format {
            place: format!("the configuration of {}", L::KIND),
            reason: error.to_string(),
            help: "configurations are plain data: numbers, texts, lists and enums".to_owned(),
        })
    }

    fn build_f32(&self, scope: &mut Scope<f32>, inputs: &[Spec]) -> Result<Built<f32>> {
        self.build(scope, inputs)
    }

    fn build_f64(&self, scope: &mut Scope<f64>, inputs: &[Spec]) -> Result<Built<f64>> {
        self.build(scope, inputs)
    }
}

impl dyn AnyLayer {
    /// Builds the layer for the element type `F`.
    ///
    /// A trait object cannot have a generic method; `F` is one of two types, so the right one is found by its type id.
    ///
    /// # Errors
    /// As [`Layer::build`], or its output has more numbers for a sample than [`Scope::MOST_NUMBERS`].
    pub fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let built = self
            .build_typed(scope, inputs)
            .map_err(|error| match error {
                Error::Tensor(fb_tensor::Error::TooLarge { shape, .. }) => scope.error(
                    self.kind(),
                    "sizes that memory can hold",
                    format!("shape {shape}"),
                    "check each size for a slip",
                ),
                other => other,
            })?;
        let output = built.output;
        scope.check_sample(self.kind(), output.elements(), output.to_string())?;
        Ok(built)
    }

    fn build_typed<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let scope: &mut dyn Any = scope;
        let built: Box<dyn Any> = if let Some(scope) = scope.downcast_mut::<Scope<f32>>() {
            Box::new(self.build_f32(scope, inputs)?)
        } else if let Some(scope) = scope.downcast_mut::<Scope<f64>>() {
            Box::new(self.build_f64(scope, inputs)?)
        } else {
            unreachable!("Float is sealed: f32 or f64")
        };
        Ok(*built.downcast().expect("built for the scope's own type"))
    }
}
