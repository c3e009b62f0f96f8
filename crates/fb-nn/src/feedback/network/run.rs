//! Running a network.

use super::halt::Halting;
use super::runner::{Inner, Runner, ticks};
use super::tick::Values;
use super::{Network, Wanted, Wiring};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::feedback::gradient::{BackwardReport, Bptt, GradientStrategy, Implicit, Read, Unrolled};
use crate::feedback::schedule::{AnySchedule, Rule};
use crate::feedback::solver::SolverReport;
use crate::module::{Context, Spec, Value, ValueKind};
use fb_autograd::Var;
use fb_tensor::Float;
use std::sync::Arc;

/// How to run a network where it should differ from its defaults.
#[derive(Clone, Debug)]
pub struct RunOptions<'a, F: Float = f32> {
    /// A schedule instead of the topology's.
    pub schedule: Option<&'a dyn AnySchedule>,
    /// Through which iterations gradients flow; the default of the schedule without it.
    pub gradient: Option<Arc<dyn GradientStrategy<F>>>,
    /// Which outputs to give.
    pub wanted: Wanted,
    /// What the edges carry at first, instead of their initial values.
    pub state: Option<State<F>>,
    /// In training, the weight of a penalty on how much the loop stretches what it carries; none without it. See
    /// [`Trajectory::penalty`].
    pub jacobian_penalty: Option<f64>,
}

impl<F: Float> Default for RunOptions<'_, F> {
    fn default() -> Self {
        Self {
            schedule: None,
            gradient: None,
            wanted: Wanted::Last,
            state: None,
            jacobian_penalty: None,
        }
    }
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Trajectory<F: Float> {
    /// The first output of each wanted iteration.
    outputs: Vec<Value<F>>,
    /// The other outputs of each wanted iteration; empty for networks with one output.
    others: Vec<Vec<Value<F>>>,
    iterations: usize,
    gradient: &'static str,
    state: State<F>,
    solver: Vec<SolverReport>,
    backward: Option<BackwardReport>,
    halting: Option<Box<Halting<F>>>,
    penalty: Option<Var<F>>,
}

impl<F: Float> Trajectory<F> {
    fn new(
        outputs: Vec<Value<F>>,
        iterations: usize,
        gradient: &'static str,
        state: State<F>,
    ) -> Self {
        Self {
            outputs,
            others: Vec::new(),
            iterations,
            gradient,
            state,
            solver: Vec::new(),
            backward: None,
            halting: None,
            penalty: None,
        }
    }

    pub(super) fn halted(
        outputs: Vec<Value<F>>,
        iterations: usize,
        gradient: &'static str,
        state: State<F>,
        halting: Halting<F>,
    ) -> Self {
        Self {
            penalty: halting.penalty.clone(),
            halting: Some(Box::new(halting)),
            ..Self::new(outputs, iterations, gradient, state)
        }
    }

    /// How many iterations each sample took, where samples differ: evaluations of a solver, or iterations until a sample
    /// halted. Empty where all ran [as many](Self::iterations).
    pub fn iterations_used(&self) -> Vec<usize> {
        match (&self.halting, self.solver.as_slice()) {
            (Some(halting), _) => halting.iterations.clone(),
            (None, [report]) => report
                .samples
                .iter()
                .map(|s| s.evaluations as usize)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What the solver says, under [`Converge`](crate::feedback::schedule::Converge).
    pub fn solver_report(&self) -> Option<&SolverReport> {
        self.solver.last()
    }

    /// What the solver says at each step of a sequence.
    pub fn solver_reports(&self) -> &[SolverReport] {
        &self.solver
    }

    /// What the solver of the gradient says once the gradient was taken.
    pub fn backward_report(&self) -> Option<&BackwardReport> {
        self.backward.as_ref()
    }

    /// What halting adds, under [`Halt`](crate::feedback::schedule::Halt).
    pub fn halting(&self) -> Option<&Halting<F>> {
        self.halting.as_deref()
    }

    /// What the run adds to the loss: the cost of pondering under [`Halt`](crate::feedback::schedule::Halt), and the
    /// penalty on the loop's Jacobian, `weight · ‖J v‖² / n` averaged over the batch, with `v` drawn anew at each step and
    /// `J v` from a finite difference around the state that the loop ended with.
    ///
    /// # References
    /// S. Bai, V. Koltun, J. Z. Kolter, "Stabilizing equilibrium models by Jacobian regularization", ICML 2021.
    pub fn penalty(&self) -> Option<&Var<F>> {
        self.penalty.as_ref()
    }

    /// The (first) outputs of the iterations that were wanted, in order; the last is the network's answer.
    pub fn outputs(&self) -> &[Value<F>] {
        &self.outputs
    }

    /// The (first) output of the last iteration.
    pub fn last(&self) -> &Value<F> {
        self.outputs.last().expect("every run has an output")
    }

    /// The (first) output of the last iteration, given away.
    pub fn into_last(mut self) -> Value<F> {
        self.outputs.pop().expect("every run has an output")
    }

    /// All outputs of the wanted iteration at this position.
    pub fn all_outputs(&self, position: usize) -> Vec<Value<F>> {
        let mut all = vec![self.outputs[position].clone()];
        all.extend(self.others.get(position).into_iter().flatten().cloned());
        all
    }

    /// All outputs of the last iteration, given away.
    pub fn into_last_all(mut self) -> Vec<Value<F>> {
        let mut all = vec![self.outputs.pop().expect("every run has an output")];
        all.extend(self.others.pop().unwrap_or_default());
        all
    }

    /// The same as the run of so many steps that leave this state.
    pub(super) fn of_steps(self, iterations: usize, state: State<F>) -> Self {
        Self {
            iterations,
            state,
            ..self
        }
    }

    /// The same with what solvers said at each step.
    pub(super) fn with_reports(mut self, reports: Vec<SolverReport>) -> Self {
        self.solver = reports;
        self
    }

    /// The same with each output changed.
    pub(super) fn map_outputs(mut self, change: impl Fn(&Value<F>) -> Value<F>) -> Self {
        for output in self
            .outputs
            .iter_mut()
            .chain(self.others.iter_mut().flatten())
        {
            *output = change(output);
        }
        self
    }

    /// How many iterations ran; of a sequence, how many steps.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// The kind of the gradient strategy that was really used.
    pub fn gradient_used(&self) -> &'static str {
        self.gradient
    }

    /// What the edges carry after the run: hand it to the next run to go on from there.
    pub fn state(&self) -> &State<F> {
        &self.state
    }

    /// What the edges carry after the run, given away.
    pub fn into_state(self) -> State<F> {
        self.state
    }
}

impl<F: Float> Network<F> {
    /// The gradient strategy that a run with the default schedule has: the given one, or the default of the schedule.
    pub fn gradient(
        &self,
        given: Option<&Arc<dyn GradientStrategy<F>>>,
    ) -> Arc<dyn GradientStrategy<F>> {
        match given {
            Some(given) => given.clone(),
            None => default_strategy(&self.topology().schedule.rule()),
        }
    }

    /// Runs the network.
    ///
    /// # Shapes
    /// - `input`: `[batch, …]` as the network was built for; under [`Sequence`](crate::feedback::schedule::Sequence)
    ///   `[batch, time, …]`
    /// - outputs: `[batch, …]`, or `[batch, time, …]`
    ///
    /// # Errors
    /// The input is not what the network was built for, the schedule is not valid, the strategy cannot serve it, or (in a
    /// [checked](Context::checked) pass) a NaN or infinity appears.
    pub fn run(
        &self,
        cx: &mut Context<'_, F>,
        input: impl Into<Value<F>>,
        options: &RunOptions<'_, F>,
    ) -> Result<Trajectory<F>> {
        self.run_all(cx, std::slice::from_ref(&input.into()), options)
    }

    /// [`Network::run`] for networks with several inputs.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn run_all(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        options: &RunOptions<'_, F>,
    ) -> Result<Trajectory<F>> {
        run(&self.wiring, cx, inputs, options)
    }
}

/// Runs a network; see [`Network::run`].
pub(super) fn run<F: Float>(
    wiring: &Arc<Wiring<F>>,
    cx: &mut Context<'_, F>,
    inputs: &[Value<F>],
    options: &RunOptions<'_, F>,
) -> Result<Trajectory<F>> {
    let rule = match options.schedule {
        Some(schedule) => {
            schedule.validate()?;
            let rule = schedule.rule();
            wiring.check_rule(&rule)?;
            rule
        }
        None => wiring.topology.schedule.rule(),
    };
    wiring.check_inputs(inputs, rule.is_sequence())?;
    if rule.is_sequence() {
        return super::sequence::run(wiring, cx, inputs, options, &rule);
    }
    if wiring.plan.chain {
        let mut value = inputs[0].clone();
        for node in 0..wiring.nodes.len() {
            value = wiring.forward(cx, node, &value)?;
        }
        let gradient = options
            .gradient
            .as_ref()
            .map_or("Bptt", |given| given.kind());
        let state = State::new(wiring.layout.clone());
        return Ok(Trajectory::new(vec![value], 1, gradient, state));
    }
    let mut values = Values::new(wiring);
    for (slot, input) in values.slots.iter_mut().zip(inputs) {
        *slot = Some(input.clone());
    }
    let run = run_stage(wiring, cx, &mut values, options, &rule);
    wiring.shelf.keep(values);
    run
}

/// Runs a network whose inputs are in their slots: before, in and after the loop over iterations.
pub(super) fn run_stage<F: Float>(
    wiring: &Arc<Wiring<F>>,
    cx: &mut Context<'_, F>,
    values: &mut Values<F>,
    options: &RunOptions<'_, F>,
    rule: &Rule,
) -> Result<Trajectory<F>> {
    let strategy = strategy(options, rule)?;
    wiring.before(cx, values)?;
    let state = wiring.starting(options, values.get(0).shape()[0])?;
    let Some(body) = &wiring.plan.body else {
        let (outputs, others) = wiring.outputs(values);
        return Ok(Trajectory {
            others: others.into_iter().collect(),
            ..Trajectory::new(vec![outputs], 1, strategy.kind(), state)
        });
    };
    wiring.hoist(cx, body, values)?;
    let mut runner = Runner::new(wiring.clone(), body.clone(), None, values);
    let state = runner.begin(cx, state)?;
    let (done, iterations) = match rule {
        Rule::Iterate(count) => {
            let ticks = ticks(cx, *count);
            let done = strategy.unroll(&mut runner, cx, state, ticks, options.wanted)?;
            (done, ticks)
        }
        Rule::Converge(converge) => {
            let (done, report) =
                super::equilibrium::run(&mut runner, cx, state, converge, &*strategy)?;
            let iterations = report.samples.iter().map(|s| s.evaluations as usize).max();
            let iterations = iterations.unwrap_or(0);
            let penalty = super::jacobian::penalty(&mut runner, cx, &done.state, options)?;
            let mut run = wiring.after(cx, values, done, iterations, strategy.kind())?;
            run.solver = vec![report];
            run.penalty = penalty;
            return Ok(run);
        }
        Rule::Halt(halt) => {
            return super::halt::run(wiring, cx, values, runner, state, halt, &*strategy);
        }
        Rule::Sequence(_) => unreachable!("a sequence is cut into steps before"),
    };
    let penalty = super::jacobian::penalty(&mut runner, cx, &done.state, options)?;
    let mut run = wiring.after(cx, values, done, iterations, strategy.kind())?;
    run.penalty = penalty;
    Ok(run)
}

/// The gradient strategy of a run, checked.
pub(super) fn strategy<F: Float>(
    options: &RunOptions<'_, F>,
    rule: &Rule,
) -> Result<Arc<dyn GradientStrategy<F>>> {
    match &options.gradient {
        Some(given) => {
            given.validate()?;
            Ok(given.clone())
        }
        None => Ok(default_strategy(rule)),
    }
}

/// The strategy that a schedule has where none is chosen.
fn default_strategy<F: Float>(rule: &Rule) -> Arc<dyn GradientStrategy<F>> {
    match rule.inner() {
        Rule::Converge(_) => Arc::new(Implicit::default()),
        _ => Arc::new(Bptt),
    }
}

/// The first output, and the others if there are any.
type Outputs<F> = (Value<F>, Option<Vec<Value<F>>>);

impl<F: Float> Wiring<F> {
    /// Runs what stands before the loop.
    pub(super) fn before(&self, cx: &mut Context<'_, F>, values: &mut Values<F>) -> Result<()> {
        let nothing = State::new(self.layout.clone());
        for &node in &self.plan.before {
            let value = self.node(cx, node, values, &nothing, 1)?;
            values.slots[self.topology.inputs.len() + node] = Some(value);
        }
        Ok(())
    }

    /// The state that a run of so many samples is given, or a new one.
    pub(super) fn starting(&self, options: &RunOptions<'_, F>, batch: usize) -> Result<State<F>> {
        let Some(state) = &options.state else {
            return Ok(State::new(self.layout.clone()));
        };
        state.check(&self.layout, Some(batch))?;
        Ok(state.clone())
    }

    /// Runs what stands behind the loop, for each tick that was read.
    pub(super) fn after(
        &self,
        cx: &mut Context<'_, F>,
        values: &mut Values<F>,
        done: Unrolled<F>,
        iterations: usize,
        gradient: &'static str,
    ) -> Result<Trajectory<F>> {
        let mut outputs = Vec::with_capacity(done.reads.len());
        let mut others = Vec::new();
        let ticks = done.reads.len();
        for (position, read) in done.reads.into_iter().enumerate() {
            cx.enter_iteration(Some((iterations + position + 1).saturating_sub(ticks)));
            let (first, rest) = self.read(cx, values, read)?;
            outputs.push(first);
            others.extend(rest);
        }
        cx.enter_iteration(None);
        Ok(Trajectory {
            others,
            backward: done.backward,
            ..Trajectory::new(outputs, iterations, gradient, done.state)
        })
    }

    /// What stands behind the loop at one tick; gives the outputs.
    pub(super) fn read(
        &self,
        cx: &mut Context<'_, F>,
        values: &mut Values<F>,
        read: Read<F>,
    ) -> Result<Outputs<F>> {
        let recorded = read.recorded;
        self.take(values, read);
        if recorded {
            self.behind(cx, values)
        } else {
            cx.without_gradients(|cx| self.behind(cx, values))
        }
    }

    /// Puts what was read at a tick in its slots.
    fn take(&self, values: &mut Values<F>, read: Read<F>) {
        let body = self.plan.body.as_ref().expect("only loops are read");
        for (&slot, value) in body.reads.iter().zip(read.values) {
            values.slots[slot] = Some(value);
        }
    }

    /// Runs what stands behind the loop; gives the outputs.
    fn behind(&self, cx: &mut Context<'_, F>, values: &mut Values<F>) -> Result<Outputs<F>> {
        let nothing = State::new(self.layout.clone());
        for &node in &self.plan.after {
            let value = self.node(cx, node, values, &nothing, 1)?;
            values.slots[self.topology.inputs.len() + node] = Some(value);
        }
        Ok(self.outputs(values))
    }

    /// The first output, and the others if there are any.
    pub(super) fn outputs(&self, values: &Values<F>) -> Outputs<F> {
        let mut outputs = self.outputs.iter().map(|&slot| values.get(slot).clone());
        let first = outputs.next().expect("a network has an output");
        let others: Vec<_> = outputs.collect();
        (first, (!others.is_empty()).then_some(others))
    }

    /// Checks kinds and shapes of what the network is given.
    pub(super) fn check_inputs(&self, inputs: &[Value<F>], sequence: bool) -> Result<()> {
        let declared = &self.topology.inputs;
        if inputs.len() != declared.len() {
            let names: Vec<_> = declared
                .iter()
                .map(|input| format!("{:?}", input.name))
                .collect();
            return Err(Error::Data {
                place: "the network's inputs".to_owned(),
                expected: format!("{}: {}", declared.len(), names.join(", ")),
                found: inputs.len().to_string(),
                help: "Network::run_all takes several inputs".to_owned(),
            });
        }
        let lead = if sequence { 2 } else { 1 };
        let first = inputs[0].shape().get(..lead);
        for (input, declared) in inputs.iter().zip(declared) {
            let fits = input.kind() == declared.spec.kind
                && input.shape().get(lead..) == Some(&*declared.spec.shape)
                && input.shape().get(..lead) == first
                && (!sequence || input.shape()[1] > 0);
            if !fits {
                let place = match self.topology.inputs.len() {
                    1 => "the network's input".to_owned(),
                    _ => format!("the network's input {:?}", declared.name),
                };
                return Err(misfit(place, input, declared.spec, first, sequence));
            }
        }
        Ok(())
    }
}

#[cold]
fn misfit<F: Float>(
    place: String,
    input: &Value<F>,
    spec: Spec,
    first: Option<&[usize]>,
    sequence: bool,
) -> Error {
    let lead = if sequence { 2 } else { 1 };
    let expected = match sequence {
        true => format!(
            "{} {}",
            spec.kind,
            spec.to_string().replacen("batch", "batch, time", 1)
        ),
        false => format!("{} {spec}", spec.kind),
    };
    let same_kind = input.kind() == spec.kind;
    let help = if same_kind && input.shape().get(lead..) == Some(&*spec.shape) {
        match first {
            Some(first) if input.shape().get(..lead) != Some(first) => {
                format!("all inputs have the same batch: the first has {first:?} in front")
            }
            _ => "a sequence has at least one step".to_owned(),
        }
    } else if same_kind && **input.shape() == *spec.shape {
        "the first axis is the batch: give one sample as a batch of one with .unsqueeze(0)"
            .to_owned()
    } else if sequence {
        "the network's input shape is that of one step, without the axes of batch and time"
            .to_owned()
    } else {
        let declared = match spec.kind {
            ValueKind::Float => "input",
            ValueKind::Index => "indices",
            ValueKind::Mask => "mask",
        };
        format!("its shape was declared with {declared}(…), without the batch axis")
    };
    Error::Data {
        place,
        expected,
        found: format!("{} {}", input.kind(), input.shape()),
        help,
    }
}

/// The strategy along the steps of a sequence, and how the loop inside each step runs. A strategy for loops that come to
/// rest serves inside; any other goes along the steps, and each step is differentiated as a whole.
pub(super) fn along_steps<F: Float>(
    wiring: &Arc<Wiring<F>>,
    rule: &Rule,
    strategy: Arc<dyn GradientStrategy<F>>,
) -> (Arc<dyn GradientStrategy<F>>, Inner<F>) {
    let whole: Arc<dyn GradientStrategy<F>> = Arc::new(Bptt);
    let (along, inside) = match strategy.is_for_equilibria() {
        true => (whole, strategy),
        false => (strategy, whole),
    };
    let inner = Inner {
        wiring: wiring.clone(),
        rule: rule.inner().clone(),
        strategy: inside,
        reports: Arc::default(),
    };
    (along, inner)
}
