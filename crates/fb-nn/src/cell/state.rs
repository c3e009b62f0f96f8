//! What a cell remembers from one step to the next.

use super::Cell;
use crate::error::{Error, Result};
use crate::module::Context;
use crate::param::ParamId;
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};

/// One part of a cell's state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Register {
    /// The name, for messages.
    pub name: &'static str,
    /// The shape per sample.
    pub shape: Shape,
    /// What it holds before the first step.
    pub start: Start,
}

/// What a register holds before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Zeros.
    Zeros,
    /// A parameter of the register's shape, the same for each sample.
    Learned(ParamId),
}

/// The state of a cell for a batch: a value that is handed in and out, so that sequences can be continued side by side, or
/// one in several ways.
#[derive(Clone, Debug)]
pub struct CellState<F: Float = f32> {
    registers: Vec<Var<F>>,
}

impl<F: Float> CellState<F> {
    /// A state of these registers, `[batch, …]` each.
    pub fn new(registers: Vec<Var<F>>) -> Self {
        Self { registers }
    }

    /// What a cell's registers hold before the first step.
    pub fn start(cell: &dyn Cell<F>, cx: &mut Context<'_, F>, batch: usize) -> Self {
        let start = |register: &Register| {
            let shape = register.shape.with_inserted(0, batch);
            match register.start {
                Start::Zeros => Var::constant(Tensor::zeros_of(shape)),
                Start::Learned(id) => cx.param(id).expand(shape),
            }
        };
        Self::new(cell.registers().iter().map(start).collect())
    }

    /// The registers, `[batch, …]` each.
    pub fn registers(&self) -> &[Var<F>] {
        &self.registers
    }

    /// The registers as a list.
    pub fn into_registers(self) -> Vec<Var<F>> {
        self.registers
    }

    /// How many samples it is for.
    pub fn batch(&self) -> usize {
        let first = self.registers.first();
        first
            .and_then(|first| first.shape().first().copied())
            .unwrap_or(0)
    }

    /// The same numbers without their past: what is computed from them sends no gradient back here.
    #[must_use]
    pub fn detach(&self) -> Self {
        self.map(Var::detach)
    }

    /// The state of some of the samples, in the order in which they are named.
    ///
    /// # Panics
    /// If a sample is not there.
    #[track_caller]
    #[must_use]
    pub fn select(&self, samples: &[usize]) -> Self {
        self.map(|register| register.select_rows(samples))
    }

    /// The state where `reset` is false, and what the registers of the cell start from where it is true: for streams of which
    /// some end and begin anew.
    ///
    /// # Errors
    /// There is not one flag for each sample, or the state is not one of the cell.
    pub fn reset_where(
        &self,
        cell: &dyn Cell<F>,
        cx: &mut Context<'_, F>,
        reset: &Tensor<bool>,
    ) -> Result<Self> {
        self.check(cell, cx, self.batch())?;
        if reset.dims() != [self.batch()] {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("a flag for each of {} samples", self.batch()),
                found: reset.shape().to_string(),
                help: "true has a sample start anew".to_owned(),
            });
        }
        let start = Self::start(cell, cx, self.batch());
        let registers = self.registers.iter().zip(&start.registers);
        let chosen = registers.map(|(kept, fresh)| {
            let mut extents = vec![1; kept.shape().len()];
            extents[0] = self.batch();
            Var::where_(&reset.reshape(&*extents), fresh, kept)
        });
        Ok(Self::new(chosen.collect()))
    }

    /// Some of the samples that stand side by side.
    pub(super) fn slice(&self, samples: std::ops::Range<usize>) -> Self {
        self.map(|register| register.slice(0, samples.clone()))
    }

    fn map(&self, f: impl Fn(&Var<F>) -> Var<F>) -> Self {
        Self::new(self.registers.iter().map(f).collect())
    }

    /// Checks that this is a state of the cell for so many samples.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, cell: &dyn Cell<F>, cx: &Context<'_, F>, batch: usize) -> Result<()> {
        let registers = cell.registers();
        let fits = self.registers.len() == registers.len()
            && self
                .registers
                .iter()
                .zip(registers)
                .all(|(found, register)| {
                    let shape = found.shape();
                    shape.first() == Some(&batch) && shape.get(1..) == Some(&*register.shape)
                });
        if fits {
            return Ok(());
        }
        let expected: Vec<String> = registers
            .iter()
            .map(|register| {
                let shape = register.shape.with_inserted(0, batch);
                format!("{} {shape}", register.name)
            })
            .collect();
        let found: Vec<String> = self
            .registers
            .iter()
            .map(|found| found.shape().to_string())
            .collect();
        Err(Error::Data {
            place: cx.place(),
            expected: format!("a state {}", expected.join(" and ")),
            found: if found.is_empty() {
                "none".to_owned()
            } else {
                found.join(" and ")
            },
            help: "hand back the state that this cell gave, for the same samples".to_owned(),
        })
    }
}
