//! Where the values of a network live: one list with names, which is the state dict.
//!
//! Modules hold [`ParamId`]s, not values, so freezing, averaging, sharing, saving and optimizing all work on this one
//! list without knowing any layer.

mod pattern;
mod state_dict;

pub use state_dict::StateDict;

use crate::error::{Error, Result};
use crate::parametrization::Attached;
use fb_tensor::{Float, Tensor};
use std::collections::HashMap;

/// The place of a parameter in its [`Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(u32);

impl ParamId {
    /// The position in the order of insertion.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a parameter is for; penalties and weight decay look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Multiplies its input: penalised and decayed.
    Weight,
    /// Multiplies each feature by a number of its own, as the gains of norms do: neither penalised nor decayed.
    Scale,
    /// Is added: neither penalised nor decayed.
    Bias,
    /// The learned initial state of a loop: neither penalised nor decayed.
    State,
    /// Not trained: running statistics and the like.
    Buffer,
}

/// A named value of a network.
#[derive(Clone, Debug)]
pub struct Param<F: Float = f32> {
    name: String,
    role: Role,
    trainable: bool,
    /// The value. Its shape must stay.
    pub value: Tensor<F>,
}

impl<F: Float> Param<F> {
    /// The path, such as `"hidden1/weight"`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether a pattern means it, as [`Params::freeze`] matches names.
    pub fn matches(&self, pattern: &str) -> bool {
        pattern::matches(pattern, &self.name)
    }

    /// Whether optimizers change it.
    pub fn trainable(&self) -> bool {
        self.trainable && self.role != Role::Buffer
    }

    /// Keeps optimizers from changing it, or lets them: [`Params::freeze`] for one parameter.
    pub fn set_frozen(&mut self, frozen: bool) {
        self.trainable = !frozen;
    }

    /// Whether [`Params::freeze`] was called for it; a buffer can be frozen too, and stays as it is then.
    pub fn is_frozen(&self) -> bool {
        !self.trainable
    }
}

/// All values of a network, in the order in which they were made.
///
/// ```
/// use fb_nn::param::{Params, Role};
/// use fb_tensor::Tensor;
/// let mut params = Params::new();
/// let id = params.insert("hidden/weight", Tensor::zeros([2, 3]), Role::Weight).unwrap();
/// assert_eq!(params.get(id).name(), "hidden/weight");
/// assert_eq!(params.freeze("hidden/*").unwrap(), 1);
/// assert_eq!(params.trainable_elements(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Params<F: Float = f32> {
    list: Vec<Param<F>>,
    by_name: HashMap<String, ParamId>,
    /// The parameters that layers see changed; none in most networks.
    parametrized: Vec<Attached<F>>,
}

impl<F: Float> Default for Params<F> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            by_name: HashMap::new(),
            parametrized: Vec::new(),
        }
    }
}

impl<F: Float> Params<F> {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter.
    ///
    /// # Errors
    /// The name is taken.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        value: Tensor<F>,
        role: Role,
    ) -> Result<ParamId> {
        let name = name.into();
        if self.by_name.contains_key(&name) {
            let help = "give layers different names".to_owned();
            return Err(Error::Name {
                what: "parameter",
                name,
                problem: "is declared twice",
                help,
            });
        }
        let id = ParamId(u32::try_from(self.list.len()).expect("fewer than 2^32 parameters"));
        self.by_name.insert(name.clone(), id);
        self.list.push(Param {
            name,
            role,
            trainable: true,
            value,
        });
        Ok(id)
    }

    /// The parameter at a place.
    ///
    /// # Panics
    /// If the place is of another list.
    #[track_caller]
    #[inline]
    pub fn get(&self, id: ParamId) -> &Param<F> {
        &self.list[id.index()]
    }

    /// The parameter at a place, for writing.
    ///
    /// # Panics
    /// If the place is of another list.
    #[track_caller]
    #[inline]
    pub fn get_mut(&mut self, id: ParamId) -> &mut Param<F> {
        &mut self.list[id.index()]
    }

    /// The place of a name.
    pub fn id(&self, name: &str) -> Option<ParamId> {
        self.by_name.get(name).copied()
    }

    /// The parameter with a name.
    pub fn by_name(&self, name: &str) -> Option<&Param<F>> {
        self.id(name).map(|id| self.get(id))
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ParamId, &Param<F>)> {
        self.list
            .iter()
            .enumerate()
            .map(|(i, p)| (ParamId(i as u32), p))
    }

    /// All parameters in order, for writing.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (ParamId, &mut Param<F>)> {
        self.list
            .iter_mut()
            .enumerate()
            .map(|(i, p)| (ParamId(i as u32), p))
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many numbers all parameters hold together.
    pub fn elements(&self) -> usize {
        self.list.iter().map(|p| p.value.len()).sum()
    }

    /// How many numbers optimizers may change.
    pub fn trainable_elements(&self) -> usize {
        self.list
            .iter()
            .filter(|p| p.trainable())
            .map(|p| p.value.len())
            .sum()
    }

    /// Keeps optimizers from changing the parameters whose names match; returns how many there are.
    ///
    /// In a pattern, `*` stands for any characters and `?` for one. A layer's name alone means all its parameters, and
    /// a parameter's name also what a [parametrisation](crate::parametrization) made beside it.
    ///
    /// # Errors
    /// Nothing matches.
    pub fn freeze(&mut self, pattern: &str) -> Result<usize> {
        self.set_trainable(pattern, false)
    }

    /// Lets optimizers change the parameters whose names match, as [`Params::freeze`] matches them.
    ///
    /// # Errors
    /// Nothing matches.
    pub fn unfreeze(&mut self, pattern: &str) -> Result<usize> {
        self.set_trainable(pattern, true)
    }

    /// The places whose names match, as [`Params::freeze`] matches them.
    ///
    /// # Errors
    /// Nothing matches.
    pub fn matching(&self, pattern: &str) -> Result<Vec<ParamId>> {
        let found: Vec<ParamId> = self
            .iter()
            .filter(|(_, p)| p.matches(pattern))
            .map(|(id, _)| id)
            .collect();
        if found.is_empty() {
            let names: Vec<&str> = self.list.iter().map(|p| p.name.as_str()).collect();
            return Err(Error::UnknownName {
                what: format!("pattern {pattern:?}"),
                kind: "parameter",
                name: pattern.to_owned(),
                help: format!(
                    "parameters are {}; \"name/*\" takes all of a layer",
                    names.join(", ")
                ),
            });
        }
        Ok(found)
    }

    /// The parametrisations, in the order in which they were attached.
    #[inline]
    pub(crate) fn attached(&self) -> &[Attached<F>] {
        &self.parametrized
    }

    /// The parametrisation of a parameter, if it has one.
    #[inline]
    pub(crate) fn attached_to(&self, id: ParamId) -> Option<&Attached<F>> {
        self.parametrized.iter().find(|at| at.id == id)
    }

    pub(crate) fn attach(&mut self, attached: Attached<F>) {
        self.parametrized.push(attached);
    }

    fn set_trainable(&mut self, pattern: &str, trainable: bool) -> Result<usize> {
        let ids = self.matching(pattern)?;
        for &id in &ids {
            self.get_mut(id).trainable = trainable;
        }
        Ok(ids.len())
    }
}
