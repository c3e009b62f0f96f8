//! Kinds by name, for reading architectures from files.

use crate::cell::{AnyCell, CellConfig};
use crate::error::{Error, Result};
use crate::feedback::network::Nested;
use crate::feedback::schedule::{AnySchedule, Converge, Halt, Schedule, Sequence, Solvers, Unroll};
use crate::feedback::solver::{
    Anderson, AnyFixedPointSolver, AnyLinearSolver, Broyden, Damped, FixedPointSolver, Gmres,
    LinearSolver, Neumann,
};
use crate::feedback::topology::Topology;
use crate::loss::Loss;
use crate::module::{AnyLayer, Layer, LayerKinds};
use crate::param::Params;
use crate::parametrization::{AnyParametrization, Parametrization};
use fb_tensor::Float;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

type Reader<T> = fn(&str, serde_json::Value, &Registry) -> Result<Arc<T>>;
type LossReader<F> = fn(&str, &'static str, serde_json::Value) -> Result<Box<dyn Loss<F>>>;

/// A loss has no element type, but an object of it has: one reader for each.
#[derive(Clone, Copy, Debug)]
struct LossReaders {
    single: LossReader<f32>,
    double: LossReader<f64>,
}

/// The layers, cells, schedules, losses and parametrisations that a file may name, by kind.
///
/// ```
/// use fb_nn::Registry;
/// let registry = Registry::builtin();
/// assert!(registry.layer_kinds().any(|kind| kind == "Dense"));
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    layers: BTreeMap<&'static str, Reader<dyn AnyLayer>>,
    cells: BTreeMap<&'static str, Reader<dyn AnyCell>>,
    schedules: BTreeMap<&'static str, Reader<dyn AnySchedule>>,
    solvers: BTreeMap<&'static str, Reader<dyn AnyFixedPointSolver>>,
    linear_solvers: BTreeMap<&'static str, Reader<dyn AnyLinearSolver>>,
    losses: BTreeMap<&'static str, LossReaders>,
    parametrizations: BTreeMap<&'static str, Reader<dyn AnyParametrization>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Registry {
    /// Everything that this crate has.
    pub fn builtin() -> Self {
        let mut registry = Self {
            layers: BTreeMap::new(),
            cells: BTreeMap::new(),
            schedules: BTreeMap::new(),
            solvers: BTreeMap::new(),
            linear_solvers: BTreeMap::new(),
            losses: BTreeMap::new(),
            parametrizations: BTreeMap::new(),
        };
        crate::layers::register(&mut registry);
        crate::loss::register(&mut registry);
        crate::parametrization::register(&mut registry);
        registry
            .register_layer::<Nested>()
            .register_schedule::<Unroll>()
            .register_schedule::<Converge>()
            .register_schedule::<Halt>()
            .register_schedule::<Sequence>()
            .register_solver::<Damped>()
            .register_solver::<Anderson>()
            .register_solver::<Broyden>()
            .register_linear_solver::<Gmres>()
            .register_linear_solver::<Neumann>();
        registry
    }

    /// Adds a kind of layer, or replaces the one of the same name.
    pub fn register_layer<L: Layer>(&mut self) -> &mut Self {
        self.layers.insert(L::KIND, |place, config, registry| {
            let mut layer = read::<L>(place, L::KIND, config)?;
            layer.resolve(place, registry)?;
            Ok(Arc::new(layer))
        });
        self
    }

    /// Adds a kind of recurrent cell, or replaces the one of the same name.
    pub fn register_cell<C: CellConfig>(&mut self) -> &mut Self {
        self.cells.insert(C::KIND, |place, config, registry| {
            let mut cell = read::<C>(place, C::KIND, config)?;
            cell.resolve(place, registry)?;
            Ok(Arc::new(cell))
        });
        self
    }

    /// Adds a kind of schedule, or replaces the one of the same name.
    pub fn register_schedule<S: Schedule>(&mut self) -> &mut Self {
        self.schedules.insert(S::KIND, |place, config, registry| {
            let mut schedule = read::<S>(place, S::KIND, config)?;
            schedule.resolve(place, registry)?;
            Ok(Arc::new(schedule))
        });
        self
    }

    /// Adds a kind of solver for fixed points, or replaces the one of the same name.
    pub fn register_solver<S: FixedPointSolver>(&mut self) -> &mut Self {
        self.solvers.insert(S::KIND, |place, config, _| {
            Ok(Arc::new(read::<S>(place, S::KIND, config)?))
        });
        self
    }

    /// Adds a kind of solver for linear systems, or replaces the one of the same name.
    pub fn register_linear_solver<S: LinearSolver>(&mut self) -> &mut Self {
        self.linear_solvers.insert(S::KIND, |place, config, _| {
            Ok(Arc::new(read::<S>(place, S::KIND, config)?))
        });
        self
    }

    /// Adds a kind of loss, or replaces the one of the same name. `kind` is what its [`Loss::kind`] says.
    pub fn register_loss<L>(&mut self, kind: &'static str) -> &mut Self
    where
        L: Loss<f32> + Loss<f64> + DeserializeOwned + 'static,
    {
        let readers = LossReaders {
            single: read_loss::<f32, L>,
            double: read_loss::<f64, L>,
        };
        self.losses.insert(kind, readers);
        self
    }

    /// Adds a kind of parametrisation, or replaces the one of the same name.
    pub fn register_parametrization<P: Parametrization>(&mut self) -> &mut Self {
        self.parametrizations.insert(P::KIND, |place, config, _| {
            Ok(Arc::new(read::<P>(place, P::KIND, config)?))
        });
        self
    }

    /// The kinds of layers.
    pub fn layer_kinds(&self) -> impl Iterator<Item = &'static str> {
        self.layers.keys().copied()
    }

    /// The kinds of recurrent cells.
    pub fn cell_kinds(&self) -> impl Iterator<Item = &'static str> {
        self.cells.keys().copied()
    }

    /// The kinds of losses.
    pub fn loss_kinds(&self) -> impl Iterator<Item = &'static str> {
        self.losses.keys().copied()
    }

    /// A layer from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not registered or the configuration is not one of it.
    pub fn layer(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyLayer>> {
        find(&self.layers, place, kind)?(place, config, self)
    }

    /// A recurrent cell from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not registered or the configuration is not one of it.
    pub fn cell(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyCell>> {
        find(&self.cells, place, kind)?(place, config, self)
    }

    /// A schedule from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not registered or the configuration is not one of it.
    pub fn schedule(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnySchedule>> {
        find(&self.schedules, place, kind)?(place, config, self)
    }

    /// A solver for fixed points from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// ```
    /// use fb_nn::Registry;
    /// use fb_nn::feedback::solver::{Anderson, AnyFixedPointSolver};
    /// let solver: &dyn AnyFixedPointSolver = &Anderson::default().memory(3);
    /// let read = Registry::builtin().solver("the schedule", solver.kind(), solver.config()?)?;
    /// assert_eq!(format!("{read:?}"), format!("{solver:?}"));
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The kind is not registered, the settings are not of that kind or outside their domain.
    pub fn solver(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyFixedPointSolver>> {
        let solver = find(&self.solvers, place, kind)?(place, config, self)?;
        solver.validate()?;
        Ok(solver)
    }

    /// A solver for linear systems from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not registered, the settings are not of that kind or outside their domain.
    pub fn linear_solver(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyLinearSolver>> {
        let solver = find(&self.linear_solvers, place, kind)?(place, config, self)?;
        solver.validate()?;
        Ok(solver)
    }

    /// A parametrisation from its kind and configuration; `place` says where they stand, for messages.
    ///
    /// # Errors
    /// The kind is not registered or the configuration is not one of it.
    pub fn parametrization(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyParametrization>> {
        find(&self.parametrizations, place, kind)?(place, config, self)
    }

    /// Attaches parametrisations again that [`Params::parametrizations_to_json`] has listed, before the values that they go
    /// with are loaded; they may make so many numbers in all.
    ///
    /// ```
    /// use fb_nn::layers::Dense;
    /// use fb_nn::parametrization::SpectralNorm;
    /// use fb_nn::{Registry, Sequential};
    /// let build = || Sequential::input([3]).layer("hidden", Dense::new(2)).build();
    /// let mut network = build()?;
    /// network.params_mut().parametrize("hidden/weight", SpectralNorm::at_most(0.5))?;
    /// let json = network.params().parametrizations_to_json()?;
    ///
    /// let mut again = build()?;
    /// Registry::builtin().parametrize(again.params_mut(), json, 1000)?;
    /// again.params_mut().load_state_dict(&network.params().state_dict())?;
    /// assert_eq!(again.params().weight("hidden/weight"), network.params().weight("hidden/weight"));
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The list cannot be read, names a parameter that is not there or a kind that is not registered, or a parametrisation
    /// does not fit its parameter or would need more numbers.
    pub fn parametrize<F: Float>(
        &self,
        params: &mut Params<F>,
        json: serde_json::Value,
        numbers: usize,
    ) -> Result<()> {
        let listed: Vec<FileParametrization> =
            serde_json::from_value(json).map_err(|error| Error::Format {
                place: "the list of parametrisations".to_owned(),
                reason: error.to_string(),
                help: "the file was written by another version, or edited".to_owned(),
            })?;
        for FileParametrization {
            parameter,
            kind,
            config,
        } in listed
        {
            let place = format!("the parametrisation of {parameter:?}");
            let kind = self.parametrization(&place, &kind, config)?;
            params.parametrize_one(&parameter, &kind, numbers)?;
        }
        Ok(())
    }

    /// A loss from its kind and settings; `place` says where they stand, for messages.
    ///
    /// ```
    /// use fb_nn::Registry;
    /// use fb_nn::loss::{Huber, Loss};
    /// let loss: &dyn Loss<f32> = &Huber { delta: 0.5 };
    /// let read = Registry::builtin().loss::<f32>("the loss", loss.kind(), loss.config()?)?;
    /// assert_eq!(format!("{read:?}"), "Huber { delta: 0.5 }");
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The kind is not registered, the settings are not of that kind or outside their domain.
    pub fn loss<F: Float>(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Box<dyn Loss<F>>> {
        let (&kind, readers) = self
            .losses
            .get_key_value(kind)
            .ok_or_else(|| unknown(&self.losses, place, kind))?;
        // Float is sealed, so F is one of two types; which one is known where this function is compiled.
        let wanted: &mut dyn Any = &mut None::<Box<dyn Loss<F>>>;
        if let Some(slot) = wanted.downcast_mut::<Option<Box<dyn Loss<f32>>>>() {
            *slot = Some((readers.single)(place, kind, config)?);
        } else if let Some(slot) = wanted.downcast_mut::<Option<Box<dyn Loss<f64>>>>() {
            *slot = Some((readers.double)(place, kind, config)?);
        }
        let found = wanted
            .downcast_mut::<Option<Box<dyn Loss<F>>>>()
            .and_then(Option::take);
        Ok(found.expect("F is f32 or f64"))
    }
}

/// How a parametrisation stands in files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileParametrization {
    parameter: String,
    kind: String,
    config: serde_json::Value,
}

impl LayerKinds for Registry {
    fn layer(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyLayer>> {
        Self::layer(self, place, kind, config)
    }

    fn cell(&self, place: &str, kind: &str, config: serde_json::Value) -> Result<Arc<dyn AnyCell>> {
        Self::cell(self, place, kind, config)
    }

    fn topology(&self, json: serde_json::Value) -> Result<Box<dyn Any>> {
        Ok(Box::new(Topology::from_json(json, self)?))
    }
}

impl Solvers for Registry {
    fn solver(
        &self,
        place: &str,
        kind: &str,
        config: serde_json::Value,
    ) -> Result<Arc<dyn AnyFixedPointSolver>> {
        Self::solver(self, place, kind, config)
    }
}

fn find<T: ?Sized>(
    table: &BTreeMap<&'static str, Reader<T>>,
    place: &str,
    kind: &str,
) -> Result<Reader<T>> {
    table
        .get(kind)
        .copied()
        .ok_or_else(|| unknown(table, place, kind))
}

fn unknown<T>(table: &BTreeMap<&'static str, T>, place: &str, kind: &str) -> Error {
    Error::UnknownKind {
        place: place.to_owned(),
        kind: kind.to_owned(),
        known: table.keys().copied().collect::<Vec<_>>().join(", "),
    }
}

fn read_loss<F: Float, L: Loss<F> + DeserializeOwned + 'static>(
    place: &str,
    kind: &'static str,
    config: serde_json::Value,
) -> Result<Box<dyn Loss<F>>> {
    let loss: L = read(place, kind, config)?;
    loss.validate()?;
    Ok(Box::new(loss))
}

fn read<T: DeserializeOwned>(place: &str, kind: &str, config: serde_json::Value) -> Result<T> {
    serde_json::from_value(config).map_err(|error| Error::Format {
        place: format!("the configuration of {place} ({kind})"),
        reason: error.to_string(),
        help: "the file was written by another version, or edited".to_owned(),
    })
}
