//! Where a parametrisation is built.

use crate::error::{Error, Result};
use crate::param::{ParamId, Params, Role};
use fb_tensor::{Float, Shape, Tensor};

/// A parameter that is being parametrised.
#[derive(Debug)]
pub struct Site<'a, F: Float> {
    pub(super) params: &'a mut Params<F>,
    pub(super) id: ParamId,
    pub(super) parts: Vec<ParamId>,
    pub(super) kind: &'static str,
    /// How many more numbers may be made.
    pub(super) room: usize,
}

impl<F: Float> Site<'_, F> {
    /// The parameter's name.
    pub fn name(&self) -> &str {
        self.params.get(self.id).name()
    }

    /// The parameter's shape.
    pub fn shape(&self) -> Shape {
        *self.value().shape()
    }

    /// The weight that the layer has started from.
    pub fn value(&self) -> &Tensor<F> {
        &self.params.get(self.id).value
    }

    /// Has the parameter start from another stored value.
    ///
    /// # Panics
    /// If it has another shape.
    #[track_caller]
    pub fn start_from(&mut self, value: Tensor<F>) {
        assert_eq!(*value.shape(), self.shape(), "{}", self.name());
        self.params.get_mut(self.id).value = value;
    }

    /// Makes a parameter or buffer beside the stored value, named after it: `hidden/weight.magnitude`. It is frozen if the
    /// parameter is.
    ///
    /// # Errors
    /// The name is taken, or there is no room for so many numbers.
    pub fn part(&mut self, name: &str, value: Tensor<F>, role: Role) -> Result<ParamId> {
        self.claim(value.len())?;
        let frozen = self.params.get(self.id).is_frozen();
        let id = self
            .params
            .insert(format!("{}.{name}", self.name()), value, role)?;
        self.params.get_mut(id).set_frozen(frozen);
        self.parts.push(id);
        Ok(id)
    }

    /// Takes numbers out of what is left.
    fn claim(&mut self, numbers: usize) -> Result<()> {
        self.check_room(numbers)?;
        self.room -= numbers;
        Ok(())
    }

    /// Whether so many numbers may still be made: to be asked before anything that large is, since the configuration may
    /// have come from a file.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn check_room(&self, numbers: usize) -> Result<()> {
        if numbers <= self.room {
            return Ok(());
        }
        Err(self.error(
            format!("to need at most {} numbers", self.room),
            numbers.to_string(),
            "check each size for a slip",
        ))
    }

    /// The error of a parametrisation that cannot be built here.
    pub fn error(
        &self,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> Error {
        Error::Config {
            what: format!("{} of {:?}", self.kind, self.name()),
            expected: expected.into(),
            found: found.into(),
            help: help.into(),
        }
    }
}
