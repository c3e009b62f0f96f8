//! The layer that runs a cell along a sequence: what it computes.

use crate::cell::{Cell, CellState, Scan, scan};
use crate::error::{Error, Result};
use crate::layers::dropout::DropoutModule;
use crate::layers::misfit;
use crate::module::{Context, Memory, Mode, Module, StreamModule, Streaming, Value, not_one};
use fb_autograd::Var;
use fb_tensor::recurrent::Steps;
use fb_tensor::{Float, Shape, Tensor};

/// The cells of one level.
#[derive(Debug)]
pub(super) struct Level<F: Float> {
    /// Its part of the path, if there are several.
    pub(super) name: Option<String>,
    pub(super) forward: Box<dyn Cell<F>>,
    pub(super) backward: Option<Box<dyn Cell<F>>>,
    /// Whether it adds its input to its output.
    pub(super) residual: bool,
}

/// What a [`Recurrent`](super::Recurrent) layer builds.
#[derive(Debug)]
pub struct RecurrentModule<F: Float> {
    levels: Vec<Level<F>>,
    input: Shape,
    last: bool,
    dropout: DropoutModule,
}

impl<F: Float> RecurrentModule<F> {
    pub(super) fn new(
        levels: Vec<Level<F>>,
        input: Shape,
        last: bool,
        dropout: DropoutModule,
    ) -> Self {
        Self {
            levels,
            input,
            last,
            dropout,
        }
    }

    /// The cells, level by level, the forward direction first: that is the order of states.
    pub fn cells(&self) -> impl Iterator<Item = &dyn Cell<F>> {
        self.levels
            .iter()
            .flat_map(|level| [Some(&level.forward), level.backward.as_ref()])
            .flatten()
            .map(|cell| &**cell)
    }

    /// The shapes per sample of all registers.
    pub(super) fn register_shapes(&self) -> Vec<Shape> {
        self.cells()
            .flat_map(|cell| cell.registers().iter().map(|register| register.shape))
            .collect()
    }

    /// What the registers of all cells hold before the first step.
    pub fn start(&self, cx: &mut Context<'_, F>, batch: usize) -> Vec<CellState<F>> {
        self.cells()
            .map(|cell| CellState::start(cell, cx, batch))
            .collect()
    }

    /// Runs the layer on sequences from given states, or from those that the cells start with; hands back the last ones.
    ///
    /// The states carry their past: for truncated backpropagation through time [detach](CellState::detach) them before the
    /// next piece.
    ///
    /// # Shapes
    /// - `x`: `[batch, time, …]`; `lengths`: one for each sequence, from 1 to time
    /// - returns outputs as the layer gives them, and a state for each of [`RecurrentModule::cells`]
    ///
    /// ```
    /// use fb_autograd::Var;
    /// use fb_nn::Context;
    /// use fb_nn::layers::Lstm;
    /// use fb_nn::module::{Scope, Spec};
    /// use fb_tensor::{Tensor, random::Key};
    /// let mut scope = Scope::new(Key::new(1));
    /// scope.enter("memory");
    /// let lstm = Lstm::new(4).module::<f32>(&mut scope, &[Spec::float([6, 3])])?;
    /// let params = scope.into_params();
    /// let mut cx = Context::eval(&params);
    /// let x = Var::constant(Tensor::ones([2, 6, 3]));
    /// let (whole, _) = lstm.run(&mut cx, &x, None, None)?;
    /// let (_, state) = lstm.run(&mut cx, &x.slice(1, 0..5), None, None)?;
    /// let (end, _) = lstm.run(&mut cx, &x.slice(1, 5..6), None, Some(state))?;
    /// assert_eq!(end.tensor(), &whole.tensor().slice(1, 5..6));
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// The sequences are not what the layer was built for or have no step, a length is 0 or beyond the sequences, or a state
    /// is not one of the layer for this batch.
    pub fn run(
        &self,
        cx: &mut Context<'_, F>,
        x: &Var<F>,
        lengths: Option<&[usize]>,
        states: Option<Vec<CellState<F>>>,
    ) -> Result<(Var<F>, Vec<CellState<F>>)> {
        let fits = x.shape().len() == self.input.len() + 1
            && x.shape().get(2..) == self.input.get(1..)
            && x.shape()[1] > 0;
        if !fits {
            let help = "the first axis is the batch, the second the time, of at least one step";
            return Err(misfit::error(cx, x, &self.input, help));
        }
        let (batch, time) = (x.shape()[0], x.shape()[1]);
        let steps = match lengths {
            None => Steps::even(batch, time),
            Some(lengths) => {
                check_lengths(cx, lengths, batch, time)?;
                Steps::ragged(lengths, time)?
            }
        };
        let states = match states {
            None => self.start(cx, batch),
            Some(states) => states,
        };
        let cells = self.cells().count();
        if states.len() != cells {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("the states of {cells} cells"),
                found: format!("{}", states.len()),
                help: "hand back the states that this layer gave".to_owned(),
            });
        }
        let mut states = states.into_iter();
        let mut last_states = Vec::with_capacity(cells);
        let reversed = steps.reversed();
        // Between levels that run forward alone the rows stay packed.
        let mut packed = x.pack(&steps);
        let mut output = packed.clone();
        for (at, level) in self.levels.iter().enumerate() {
            let last_wanted = self.last && at + 1 == self.levels.len();
            let mut run = |cx: &mut Context<'_, F>, cell: &dyn Cell<F>, x: &Var<F>, steps| {
                let state = states.next().expect("as many as there are cells");
                let ran = match &level.name {
                    None => scan(cx, cell, x, state, steps),
                    Some(name) => cx.inside(name, |cx| scan(cx, cell, x, state, steps)),
                }?;
                last_states.push(ran.last.clone());
                Ok::<Scan<F>, Error>(ran)
            };
            let ran = run(cx, &*level.forward, &packed, &steps)?;
            let there = match last_wanted {
                true => ran.last_outputs(&*level.forward, &steps),
                false => ran.outputs,
            };
            output = match &level.backward {
                None => there,
                Some(cell) => {
                    let turned = match at {
                        0 => x.pack(&reversed),
                        _ => packed.unpack(&steps).pack(&reversed),
                    };
                    let ran = run(cx, &**cell, &turned, &reversed)?;
                    let back = match last_wanted {
                        true => ran.last_outputs(&**cell, &reversed),
                        false => ran.outputs.unpack(&reversed).pack(&steps),
                    };
                    Var::concat(&[&there, &back], there.shape().len() - 1)
                }
            };
            if level.residual {
                let around = match last_wanted {
                    true => last_rows(&packed, &steps),
                    false => packed,
                };
                output = output + around;
            }
            packed = match at + 1 < self.levels.len() {
                true => self.dropped(cx, level, &output, &steps),
                false => output.clone(),
            };
        }
        let output = match self.last {
            true => output,
            false => output.unpack(&steps),
        };
        Ok((output, last_states))
    }

    /// What a level gives to the one above, without the features of each sequence that are silenced.
    fn dropped(
        &self,
        cx: &mut Context<'_, F>,
        level: &Level<F>,
        packed: &Var<F>,
        steps: &Steps,
    ) -> Var<F> {
        let silent = cx.mode() == Mode::Eval || self.dropout.rate == 0.0;
        if silent || packed.tensor().is_empty() {
            return packed.clone();
        }
        let batch = steps.batch();
        let features = packed.tensor().len() / steps.rows();
        let name = level.name.as_deref().unwrap_or_default();
        let mask = cx.inside(name, |cx| {
            self.dropout.mask(cx, [batch, features].into(), features)
        });
        let everywhere = mask
            .unsqueeze(1)
            .broadcast_to([batch, steps.time(), features]);
        let mask = steps
            .pack(&everywhere)
            .expect("as many sequences and steps");
        packed * &Var::constant(mask.reshape(*packed.shape()))
    }

    /// The states of all cells from their registers one after another.
    fn states_of(&self, registers: &[Value<F>]) -> Option<Vec<CellState<F>>> {
        let mut registers = registers.iter();
        let states = self.cells().map(|cell| {
            let own = registers.by_ref().take(cell.registers().len());
            let own: Option<Vec<_>> = own.map(|value| value.as_float().cloned()).collect();
            own.map(CellState::new)
        });
        states.collect()
    }
}

/// The rows of each sequence's last step, in the order in which the sequences come.
fn last_rows<F: Float>(packed: &Var<F>, steps: &Steps) -> Var<F> {
    let mut rows = vec![0; steps.batch()];
    for place in 0..steps.batch() {
        let sequence = steps.order().map_or(place, |order| order[place]);
        rows[sequence] = steps.step(steps.length(place) - 1).start + place;
    }
    packed.select_rows(&rows)
}

fn check_lengths<F: Float>(
    cx: &Context<'_, F>,
    lengths: &[usize],
    batch: usize,
    time: usize,
) -> Result<()> {
    let error = |place, expected, found, help: &str| {
        Err(Error::Data {
            place,
            expected,
            found,
            help: help.to_owned(),
        })
    };
    if lengths.len() != batch {
        return error(
            cx.place(),
            format!("a length for each of {batch} sequences"),
            format!("{} lengths", lengths.len()),
            "lengths are [batch]",
        );
    }
    match lengths
        .iter()
        .position(|length| !(1..=time).contains(length))
    {
        None => Ok(()),
        Some(row) => error(
            format!("{}, sequence {row}", cx.place()),
            format!("a length from 1 to {time}"),
            lengths[row].to_string(),
            "leave out sequences without a step; the time axis holds the longest",
        ),
    }
}

/// Lengths as they come along an edge.
fn lengths_of<F: Float>(cx: &Context<'_, F>, lengths: &Tensor<i64>) -> Result<Vec<usize>> {
    if lengths.rank() != 1 {
        return Err(Error::Data {
            place: cx.place(),
            expected: "lengths [batch]".to_owned(),
            found: lengths.shape().to_string(),
            help: "one index for each sequence".to_owned(),
        });
    }
    let length = |(row, length): (usize, i64)| {
        usize::try_from(length).map_err(|_| Error::Data {
            place: format!("{}, sequence {row}", cx.place()),
            expected: "a length of at least 1".to_owned(),
            found: length.to_string(),
            help: String::new(),
        })
    };
    lengths.iter().enumerate().map(length).collect()
}

impl<F: Float> Module<F> for RecurrentModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let expected = "sequences, and perhaps lengths and the states of all cells";
        let [Value::Float(x), rest @ ..] = inputs else {
            return Err(not_one(cx, inputs, expected));
        };
        let (lengths, registers) = match rest {
            [Value::Index(lengths), rest @ ..] => (Some(lengths_of(cx, lengths)?), rest),
            rest => (None, rest),
        };
        let states = match registers {
            [] => None,
            registers if registers.len() == self.register_shapes().len() => {
                let states = self.states_of(registers);
                Some(states.ok_or_else(|| not_one(cx, inputs, expected))?)
            }
            _ => return Err(not_one(cx, inputs, expected)),
        };
        let (output, _) = self.run(cx, x, lengths.as_deref(), states)?;
        Ok(vec![Value::Float(output)])
    }

    fn streaming(&self) -> Streaming<'_, F> {
        if self.last || self.levels.iter().any(|level| level.backward.is_some()) {
            Streaming::Whole
        } else {
            Streaming::Stateful(self)
        }
    }
}

impl<F: Float> StreamModule<F> for RecurrentModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let [Value::Float(x)] = inputs else {
            return Err(not_one(cx, inputs, "one tensor of numbers"));
        };
        let states = match memory {
            Memory::Empty => None,
            Memory::States(states) => Some(states),
            other => return Err(other.misfit(cx, "the states of cells")),
        };
        let (output, states) = self.run(cx, x, None, states)?;
        Ok((Value::Float(output), Memory::States(states)))
    }
}
