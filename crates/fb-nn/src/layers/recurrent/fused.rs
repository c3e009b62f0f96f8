//! Cells whose steps the kernels know: parameters, and the way through all steps as one operation.

use crate::cell::{Cell, CellState, FusedCell, Register, Start};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{Context, Scope};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::recurrent::{Recurrence, Steps};
use fb_tensor::{Float, Shape};

/// What the configurations of these cells say.
pub(super) struct Parts<'a> {
    pub(super) kind: &'a str,
    pub(super) recurrence: Recurrence,
    pub(super) units: usize,
    pub(super) bias: bool,
    pub(super) learned_start: bool,
    pub(super) input_init: &'a Initializer,
    pub(super) recurrent_init: &'a Initializer,
}

#[derive(Debug)]
pub(super) struct FusedModule {
    recurrence: Recurrence,
    features: usize,
    registers: Vec<Register>,
    input_weight: ParamId,
    recurrent_weight: ParamId,
    pub(super) bias: Option<ParamId>,
    recurrent_bias: Option<ParamId>,
}

impl Parts<'_> {
    /// Checks everything and makes the parameters.
    pub(super) fn build<F: Float>(
        &self,
        scope: &mut Scope<F>,
        input: Shape,
    ) -> Result<FusedModule> {
        let Self {
            kind,
            recurrence,
            units,
            ..
        } = *self;
        if units == 0 {
            return Err(scope.error(
                kind,
                "at least 1 unit",
                "0",
                "a state has a number for each",
            ));
        }
        let &[features] = &*input else {
            return Err(scope.error(
                kind,
                "one axis of features at each step",
                input.to_string(),
                "the input is [batch, time, features]; a Reshape before it joins axes",
            ));
        };
        let width = Shape::try_new(&[recurrence.gates(), units])?.elements();
        let bias = |scope: &mut Scope<F>, name, width: usize| {
            scope.param(name, [width], &Initializer::Zeros, Role::Bias)
        };
        let input_weight = scope.param(
            "input_weight",
            Shape::try_new(&[features, width])?,
            self.input_init,
            Role::Weight,
        )?;
        let recurrent_weight = scope.param(
            "recurrent_weight",
            Shape::try_new(&[units, width])?,
            self.recurrent_init,
            Role::Weight,
        )?;
        let (mut own, mut inner) = (None, None);
        if self.bias {
            own = Some(bias(scope, "bias", width)?);
            if recurrence.takes_bias() {
                inner = Some(bias(scope, "recurrent_bias", units)?);
            }
        }
        let names = [("h", "start"), ("c", "cell_start")];
        let mut registers = Vec::new();
        for (name, start) in names.into_iter().take(recurrence.registers()) {
            let start = match self.learned_start {
                true => {
                    Start::Learned(scope.param(start, [units], &Initializer::Zeros, Role::State)?)
                }
                false => Start::Zeros,
            };
            registers.push(Register {
                name,
                shape: [units].into(),
                start,
            });
        }
        Ok(FusedModule {
            recurrence,
            features,
            registers,
            input_weight,
            recurrent_weight,
            bias: own,
            recurrent_bias: inner,
        })
    }
}

impl<F: Float> Cell<F> for FusedModule {
    fn registers(&self) -> &[Register] {
        &self.registers
    }

    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        if x.shape().len() != 2 || x.shape()[1] != self.features {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("rows of {} features", self.features),
                found: x.shape().to_string(),
                help: "a cell takes the rows of a step, or those of many".to_owned(),
            });
        }
        cx.prepare(self.input_weight);
        if let Some(bias) = self.bias {
            cx.prepare(bias);
        }
        let bias = self.bias.map(|id| cx.prepared(id));
        Ok(x.linear(cx.prepared(self.input_weight), bias))
    }

    fn step(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
    ) -> Result<(Var<F>, CellState<F>)> {
        state.check(self, cx, state.batch())?;
        FusedCell::scan(self, cx, projected, state, &Steps::even(state.batch(), 1))
    }

    fn fused(&self) -> Option<&dyn FusedCell<F>> {
        Some(self)
    }
}

impl<F: Float> FusedCell<F> for FusedModule {
    fn scan(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
        steps: &Steps,
    ) -> Result<(Var<F>, CellState<F>)> {
        cx.prepare(self.recurrent_weight);
        if let Some(bias) = self.recurrent_bias {
            cx.prepare(bias);
        }
        let bias = self.recurrent_bias.map(|id| cx.prepared(id));
        let registers: Vec<&Var<F>> = state.registers().iter().collect();
        let weight = cx.prepared(self.recurrent_weight);
        let (outputs, last) =
            projected.try_scan(self.recurrence, weight, bias, &registers, steps)?;
        Ok((outputs, CellState::new(last)))
    }
}
