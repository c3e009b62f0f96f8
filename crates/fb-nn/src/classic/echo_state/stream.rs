//! An echo-state network that runs on.

use super::{EchoState, before, data, sequences};
use crate::classic::hopfield::numbers;
use crate::classic::rows;
use crate::error::{Error, Result};
use crate::feedback::network::Session;
use crate::module::Context;
use fb_tensor::Tensor;

/// An [`EchoState`] in the middle of a sequence: it takes inputs step by step or many at once, and goes on by itself where
/// its output is the next input.
#[derive(Debug)]
pub struct EchoStream<'m> {
    model: &'m EchoState,
    session: Session<'m, f64>,
    /// Of the last step, `[batch, outputs]`.
    output: Option<Tensor<f64>>,
    single: bool,
}

impl<'m> EchoStream<'m> {
    pub(super) fn new(model: &'m EchoState) -> Self {
        Self {
            model,
            session: model.network.session(),
            output: None,
            single: false,
        }
    }

    /// The output at the next step.
    ///
    /// # Shapes
    /// - `input`: `[features]` or `[batch, features]`
    /// - returns the same with the features of the targets
    ///
    /// # Errors
    /// Another shape, or another batch than before.
    pub fn step(&mut self, input: &Tensor<f64>) -> Result<Tensor<f64>> {
        let place = "a step of EchoStream";
        let (input, single) = rows::batch(place, input, self.model.inputs)?;
        self.single = single;
        let output = self.next(&input)?;
        Ok(rows::unbatch(output, single))
    }

    /// The outputs at the next steps.
    ///
    /// # Shapes
    /// - `inputs`: `[time, features]` or `[batch, time, features]`
    /// - returns the same with the features of the targets
    ///
    /// # Errors
    /// Another shape, numbers that are not finite, or another batch than before.
    pub fn follow(&mut self, inputs: &Tensor<f64>) -> Result<Tensor<f64>> {
        let (inputs, single) = self.inputs(inputs)?;
        if !self.model.feeds_back() {
            // Nothing waits for an output: all of them in one run.
            return self.along(&inputs, &inputs, single);
        }
        self.single = single;
        let steps: Result<Vec<_>> = (0..inputs.dim(1))
            .map(|step| self.next(&inputs.index_axis(1, step)))
            .collect();
        let outputs = Tensor::stack(&steps?.iter().collect::<Vec<_>>(), 1);
        Ok(rows::unbatch(outputs, single))
    }

    /// The outputs at the next steps where the right ones are known: each step is fed with the target of the step before
    /// instead of the output. Without output feedback that is [`EchoStream::follow`].
    ///
    /// # Errors
    /// As [`EchoStream::follow`], or the targets are not of the same steps.
    pub fn follow_taught(
        &mut self,
        inputs: &Tensor<f64>,
        targets: &Tensor<f64>,
    ) -> Result<Tensor<f64>> {
        let (inputs, single) = self.inputs(inputs)?;
        let place = "the targets of EchoStream";
        let (targets, _) = sequences(place, targets, Some(self.model.outputs))?;
        if targets.dims()[..2] != inputs.dims()[..2] {
            let expected = format!("[{}, {}, …]", inputs.dim(0), inputs.dim(1));
            return Err(data(place, expected, &targets));
        }
        let fed_back = before(&targets, self.output.as_ref());
        let outputs = self.along(&inputs, &fed_back, single)?;
        let last = targets.dim(1) - 1;
        self.output = Some(targets.index_axis(1, last).contiguous());
        Ok(outputs)
    }

    /// Goes on alone: the last output is the next input, so many times. Gives the outputs behind it.
    ///
    /// # Shapes
    /// - returns `[steps, features]`, or `[batch, steps, features]` if what came before was a batch
    ///
    /// # Errors
    /// There was no step yet, outputs are not as many as inputs, or no step is wanted.
    pub fn forecast(&mut self, steps: usize) -> Result<Tensor<f64>> {
        let wrong = |expected: &str, found: String, help: &str| Error::Data {
            place: "EchoStream::forecast".to_owned(),
            expected: expected.to_owned(),
            found,
            help: help.to_owned(),
        };
        let (inputs, outputs) = (self.model.inputs, self.model.outputs);
        if inputs != outputs {
            let found = format!("{inputs} inputs and {outputs} outputs");
            let help = "give the inputs of the steps to come to EchoStream::follow";
            return Err(wrong("outputs that can be inputs", found, help));
        }
        let Some(mut output) = self.output.clone() else {
            let help = "let the stream follow the series up to now first";
            return Err(wrong("an output to go on from", "none".to_owned(), help));
        };
        if steps == 0 {
            return Err(wrong("at least 1 step", "0".to_owned(), ""));
        }
        let mut forecast = Vec::with_capacity(steps);
        for _ in 0..steps {
            output = self.next(&output)?;
            forecast.push(output.clone());
        }
        let forecast = Tensor::stack(&forecast.iter().collect::<Vec<_>>(), 1);
        Ok(rows::unbatch(forecast, self.single))
    }

    /// The session of the reservoir: its state can be saved, and another put in its place.
    pub fn session(&mut self) -> &mut Session<'m, f64> {
        &mut self.session
    }

    fn inputs(&self, inputs: &Tensor<f64>) -> Result<(Tensor<f64>, bool)> {
        sequences("the inputs of EchoStream", inputs, Some(self.model.inputs))
    }

    /// One step of a batch.
    fn next(&mut self, input: &Tensor<f64>) -> Result<Tensor<f64>> {
        let model = self.model;
        let mut cx = Context::eval(model.network.params());
        let fed_back = match &self.output {
            Some(output) => output.clone(),
            None => Tensor::zeros_of([input.dim(0), model.outputs]),
        };
        let values = model.values(input, &fed_back);
        let mut states = self.session.step_all(&mut cx, &values)?;
        let output = model.read(&numbers(states.swap_remove(0))?, input)?;
        self.output = Some(output.clone());
        Ok(output)
    }

    /// Steps of a batch whose inputs are all known.
    fn along(
        &mut self,
        inputs: &Tensor<f64>,
        fed_back: &Tensor<f64>,
        single: bool,
    ) -> Result<Tensor<f64>> {
        let (model, time) = (self.model, inputs.dim(1));
        let state = self.session.state().cloned();
        let (states, state) = model.states(inputs, fed_back, state)?;
        self.session.set_state(state);
        self.single = single;
        let rows = |x: &Tensor<f64>| x.reshape([x.dim(0) * time, x.dim(2)]);
        let outputs = model.read(&rows(&states), &rows(inputs))?;
        let outputs = outputs.reshape([inputs.dim(0), time, model.outputs]);
        self.output = Some(outputs.index_axis(1, time - 1).contiguous());
        Ok(rows::unbatch(outputs, single))
    }
}
