//! What a module is given besides its input.

use crate::param::{ParamId, Params};
use fb_autograd::{Tape, Var};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};
use std::sync::Arc;

/// Whether a forward pass is for training or not; dropout and running statistics look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: layers may draw random numbers and update statistics.
    Train,
    /// Evaluation and prediction: the output depends on the input alone.
    Eval,
}

/// The surroundings of one forward pass: parameters as variables, the mode, random numbers, and where updates of
/// running statistics go.
#[derive(Debug)]
pub struct Context<'a, F: Float> {
    params: &'a Params<F>,
    variables: Variables<F>,
    /// The stored values of the parametrised among them, of which the variables have what they are turned into.
    raw: Vec<(ParamId, Var<F>)>,
    /// Whether parameters are handed out as constants for now.
    detached: bool,
    mode: Mode,
    key: Key,
    step: u64,
    first_row: u64,
    checked: bool,
    /// Whether noise is drawn in evaluation too.
    draws: bool,
    /// The numbers of the rows that run, where they are not all of the batch in order.
    rows: Option<Arc<[usize]>>,
    /// The path of the layer that is running.
    layer: String,
    iteration: Option<usize>,
    buffer_updates: Vec<(ParamId, Tensor<F>)>,
}

/// Parameters as variables of a tape.
#[derive(Debug)]
struct Variables<F: Float> {
    tape: Tape<F>,
    /// The variable of each parameter, made at its first use: one leaf per parameter and tape.
    leaves: Vec<Option<Var<F>>>,
    /// The constants that stand for parameters while they are detached; empty until the first is asked for.
    constants: Vec<Option<Var<F>>>,
}

/// The memory of the lists stays with the tape, so that a step like the one before allocates none.
impl<F: Float> Drop for Variables<F> {
    fn drop(&mut self) {
        self.tape.keep_list(std::mem::take(&mut self.leaves));
        self.tape.keep_list(std::mem::take(&mut self.constants));
    }
}

impl<'a, F: Float> Context<'a, F> {
    /// A pass without gradients, in evaluation mode.
    pub fn eval(params: &'a Params<F>) -> Self {
        Self::new(params, Tape::no_grad(), Mode::Eval)
    }

    /// A pass recorded on `tape`, in training mode; `key` and `step` name its random numbers.
    pub fn train(params: &'a Params<F>, tape: Tape<F>, key: Key, step: u64) -> Self {
        let mut cx = Self::new(params, tape, Mode::Train);
        (cx.key, cx.step) = (key, step);
        cx
    }

    /// A pass in the given mode, recorded on `tape`.
    pub fn new(params: &'a Params<F>, tape: Tape<F>, mode: Mode) -> Self {
        Self {
            params,
            variables: Variables {
                leaves: tape.list(params.len()),
                constants: Vec::new(),
                tape,
            },
            raw: Vec::new(),
            detached: false,
            mode,
            key: Key::new(0),
            step: 0,
            first_row: 0,
            checked: false,
            draws: false,
            rows: None,
            layer: String::new(),
            iteration: None,
            buffer_updates: Vec::new(),
        }
    }

    /// Says that the first row of the batch is row number `row` of the epoch, so that what a row draws at random does
    /// not depend on how the data are cut into batches.
    #[must_use]
    pub fn with_first_row(mut self, row: u64) -> Self {
        self.first_row = row;
        self
    }

    /// Keeps updates of buffers in the memory of this list, which [`Context::take_buffer_updates`] hands back: for whoever
    /// makes many steps. What it holds counts as updates.
    #[must_use]
    pub fn with_update_list(mut self, list: Vec<(ParamId, Tensor<F>)>) -> Self {
        self.buffer_updates = list;
        self
    }

    /// Names the random numbers of the pass, and has what is drawn in every pass of training (the noise of edges and of
    /// their initial values, not dropout) drawn in evaluation too: an evaluation with noise takes its seed explicitly.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = key;
        self.draws = true;
        self
    }

    /// Whether the noise of edges is drawn: in training, and in evaluation with a key.
    pub fn draws(&self) -> bool {
        self.draws || self.mode == Mode::Train
    }

    /// Has every layer's output looked at: the first NaN or infinity becomes an error that names the place.
    #[must_use]
    pub fn checked(mut self) -> Self {
        self.checked = true;
        self
    }

    /// Whether every layer's output is looked at.
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// A parameter as a variable: always the same one during the pass. Frozen parameters are constants.
    ///
    /// Where it has a [parametrisation](crate::parametrization), this is what that makes of it: once in a pass, so that it
    /// is the same at all iterations of a loop.
    #[inline]
    pub fn param(&mut self, id: ParamId) -> Var<F> {
        self.prepare(id);
        self.prepared(id).clone()
    }

    /// Makes the variable of a parameter, so that [`Context::prepared`] can lend it: for layers that use several at once.
    #[inline]
    pub fn prepare(&mut self, id: ParamId) {
        if self.detached {
            self.prepare_constant(id);
        } else if self.variables.leaves[id.index()].is_none() {
            self.make_leaf(id);
        }
    }

    #[inline(never)]
    fn make_leaf(&mut self, id: ParamId) {
        let weight = match self.params.attached_to(id) {
            None => self.stored(id),
            Some(attached) => {
                let raw = match self.raw_of(id) {
                    Some(raw) => raw.clone(),
                    None => {
                        let raw = self.stored(id);
                        self.raw.push((id, raw.clone()));
                        raw
                    }
                };
                attached.module.weight(self, &raw)
            }
        };
        self.variables.leaves[id.index()] = Some(weight);
    }

    /// The value of a parameter as it is stored, on the tape if it is trained.
    fn stored(&self, id: ParamId) -> Var<F> {
        let param = self.params.get(id);
        let value = param.value.clone();
        if param.trainable() {
            self.variables.tape.leaf(value)
        } else {
            Var::constant(value)
        }
    }

    fn raw_of(&self, id: ParamId) -> Option<&Var<F>> {
        let raw = self.raw.iter().find(|(at, _)| *at == id);
        raw.map(|(_, raw)| raw)
    }

    #[inline(never)]
    fn prepare_constant(&mut self, id: ParamId) {
        if self.variables.constants.is_empty() {
            self.variables.constants = self.variables.tape.list(self.variables.leaves.len());
        }
        if self.variables.constants[id.index()].is_some() {
            return;
        }
        if self.variables.leaves[id.index()].is_none() && self.params.attached_to(id).is_some() {
            // Recorded all the same: whoever uses the weight later in the pass, with gradients, is given this one.
            self.detached = false;
            self.make_leaf(id);
            self.detached = true;
        }
        self.variables.constants[id.index()] = Some(match &self.variables.leaves[id.index()] {
            Some(leaf) => leaf.detach(),
            None => Var::constant(self.params.get(id).value.clone()),
        });
    }

    /// The variable of a parameter.
    ///
    /// # Panics
    /// If [`Context::prepare`] was not called for it.
    #[inline]
    pub fn prepared(&self, id: ParamId) -> &Var<F> {
        let made = if self.detached {
            &self.variables.constants
        } else {
            &self.variables.leaves
        };
        made[id.index()]
            .as_ref()
            .expect("prepare() comes before prepared()")
    }

    /// Has `value` stand for a parameter from now on, instead of a leaf of its own: a weight that is itself computed, or the
    /// variable of a gradient check.
    ///
    /// Of a parametrised parameter it is the stored value, of which the weight is made; see [`Context::bind_weight`].
    pub fn bind(&mut self, id: ParamId, value: Var<F>) {
        let params = self.params;
        if params.attached_to(id).is_some() {
            self.forget(id);
            self.raw.retain(|(at, _)| *at != id);
            self.raw.push((id, value));
        } else {
            self.bind_weight(id, value);
        }
        for attached in params.attached() {
            if attached.parts.contains(&id) {
                self.forget(attached.id);
            }
        }
    }

    /// [`Context::bind`], where `value` is the weight itself and no parametrisation changes it.
    pub fn bind_weight(&mut self, id: ParamId, value: Var<F>) {
        self.forget(id);
        self.raw.retain(|(at, _)| *at != id);
        self.variables.leaves[id.index()] = Some(value);
    }

    fn forget(&mut self, id: ParamId) {
        if let Some(constant) = self.variables.constants.get_mut(id.index()) {
            *constant = None;
        }
        self.variables.leaves[id.index()] = None;
    }

    /// All parameters.
    pub fn params(&self) -> &'a Params<F> {
        self.params
    }

    /// The variables that parameters were handed out as, by parameter, for looking up their gradients; of parametrised ones
    /// those of their stored values.
    pub fn leaves(&self) -> impl Iterator<Item = (ParamId, &Var<F>)> {
        self.params
            .iter()
            .zip(&self.variables.leaves)
            .filter_map(|((id, _), leaf)| {
                let handed_out = leaf.as_ref()?;
                Some((id, self.raw_of(id).unwrap_or(handed_out)))
            })
    }

    /// Runs `work` with all parameters as constants, so that nothing in it is recorded unless its inputs are.
    pub fn without_gradients<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.detached, true);
        let result = work(self);
        self.detached = before;
        result
    }

    /// Whether parameters are handed out as constants for now.
    pub fn is_detached(&self) -> bool {
        self.detached
    }

    /// The tape.
    pub fn tape(&self) -> &Tape<F> {
        &self.variables.tape
    }

    /// Whether this is a training pass.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The key of the running layer's random numbers. It is the same at every iteration of a loop, so that a dropout
    /// mask stays while the loop runs.
    pub fn key(&self) -> Key {
        self.key.fold(&self.layer)
    }

    /// The training step, part of the position in a random stream.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The key of the whole pass, whatever layer runs.
    pub fn root_key(&self) -> Key {
        self.key
    }

    /// The number of the batch's first row within the epoch.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// The number within the epoch of row `position` of what runs: part of the position in a random stream. What a row draws
    /// depends on it alone, whatever other rows are with it.
    #[inline]
    pub fn row(&self, position: usize) -> u64 {
        let position = match &self.rows {
            Some(rows) => rows[position],
            None => position,
        };
        self.first_row + position as u64
    }

    /// Runs `work` on some rows of the batch: `rows[i]` is the number of the row that comes at position `i`.
    pub fn for_rows<R>(&mut self, rows: &[usize], work: impl FnOnce(&mut Self) -> R) -> R {
        let chosen = match &self.rows {
            Some(outer) => rows.iter().map(|&row| outer[row]).collect(),
            None => rows.into(),
        };
        let before = self.rows.replace(chosen);
        let result = work(self);
        self.rows = before;
        result
    }

    /// What it takes to compute a part of the pass again later: for gradient strategies that keep less than they need.
    pub fn replay(&self) -> Replay<F> {
        let Variables {
            leaves, constants, ..
        } = &self.variables;
        let made = leaves
            .iter()
            .zip(constants.iter().map(Some).chain(std::iter::repeat(None)));
        let used = self
            .params
            .iter()
            .zip(made)
            .filter_map(|((id, _), (leaf, constant))| {
                let value = leaf.as_ref().or_else(|| constant?.as_ref())?;
                Some((id, value.tensor().clone()))
            });
        Replay {
            used: used.collect(),
            params: self.params.clone(),
            mode: self.mode,
            key: self.key,
            step: self.step,
            first_row: self.first_row,
            draws: self.draws,
            rows: self.rows.clone(),
            layer: self.layer.clone(),
        }
    }

    /// Has a buffer take a new value when the step is over. Of several in one pass the last counts.
    pub fn update_buffer(&mut self, id: ParamId, value: Tensor<F>) {
        match self.buffer_updates.iter_mut().find(|(at, _)| *at == id) {
            Some((_, pending)) => *pending = value,
            None => self.buffer_updates.push((id, value)),
        }
    }

    /// The value of a buffer as this pass has left it so far: what [`Context::update_buffer`] was given last, or the
    /// stored one. So the iterations of a loop update it one after another.
    pub fn buffer(&self, id: ParamId) -> &Tensor<F> {
        let pending = self.buffer_updates.iter().find(|(at, _)| *at == id);
        pending.map_or(&self.params.get(id).value, |(_, value)| value)
    }

    /// The new values of buffers, for whoever owns the parameters.
    pub fn take_buffer_updates(&mut self) -> Vec<(ParamId, Tensor<F>)> {
        std::mem::take(&mut self.buffer_updates)
    }

    /// Where the pass stands, for messages.
    pub fn place(&self) -> String {
        match self.iteration {
            Some(iteration) => format!("layer {:?} at iteration {iteration}", self.layer),
            None => format!("layer {:?}", self.layer),
        }
    }

    /// The layer that runs, for messages that give the iteration elsewhere.
    pub fn place_without_iteration(&self) -> String {
        format!("layer {:?}", self.layer)
    }

    /// The iteration of the loop that is running, from 1.
    pub fn iteration(&self) -> Option<usize> {
        self.iteration
    }

    /// Notes which layer runs. Called by whoever runs layers.
    #[inline]
    pub fn enter_layer(&mut self, name: &str) {
        if self.layer != name {
            self.layer.clear();
            self.layer.push_str(name);
        }
    }

    /// Runs a part of the running layer: its path is `layer/name`.
    pub fn inside<R>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> R) -> R {
        let outside = self.layer.len();
        if outside > 0 {
            self.layer.push('/');
        }
        self.layer.push_str(name);
        let result = work(self);
        self.layer.truncate(outside);
        result
    }

    /// The path of the layer that runs.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// Notes which iteration runs, from 1. Called by whoever runs loops.
    pub fn enter_iteration(&mut self, iteration: Option<usize>) {
        self.iteration = iteration;
    }
}

/// A pass that can be gone through again: its parameters and random numbers as they were, on tapes of its own.
#[derive(Clone, Debug)]
pub struct Replay<F: Float> {
    /// The parameters that layers have asked for, with the values that they got.
    used: Vec<(ParamId, Tensor<F>)>,
    params: Params<F>,
    mode: Mode,
    key: Key,
    step: u64,
    first_row: u64,
    draws: bool,
    rows: Option<Arc<[usize]>>,
    layer: String,
}

impl<F: Float> Replay<F> {
    /// The parameters that layers had asked for.
    pub fn used(&self) -> impl ExactSizeIterator<Item = ParamId> {
        self.used.iter().map(|(id, _)| *id)
    }

    /// A context with leaves of `tape` for the parameters that were used, and those leaves in the order of
    /// [`used`](Self::used). With [`Tape::no_grad`] they are constants.
    ///
    /// What layers do with buffers in it is forgotten: they did it in the pass itself.
    pub fn context(&self, tape: &Tape<F>) -> (Context<'_, F>, Vec<Var<F>>) {
        let mut cx = Context {
            key: self.key,
            step: self.step,
            first_row: self.first_row,
            draws: self.draws,
            rows: self.rows.clone(),
            layer: self.layer.clone(),
            ..Context::new(&self.params, tape.clone(), self.mode)
        };
        let leaves = self.used.iter().map(|(id, value)| {
            let leaf = tape.leaf(value.clone());
            // Of a parametrised parameter the weight was handed out, and is again.
            cx.bind_weight(*id, leaf.clone());
            leaf
        });
        let leaves = leaves.collect();
        (cx, leaves)
    }
}
