//! Recording what a loop does.

use super::refine::Walk;
use super::{Inputs, Model, Predict, Samples};
use crate::error::Result;
use crate::metrics::{Accuracy, Metric};
use crate::trace::{Trace, TraceIteration};
use fb_nn::Target;
use fb_nn::feedback::State;
use fb_nn::feedback::network::Wanted;
use fb_tensor::{Float, Tensor, threads};

/// Rows that are run through the network at a time.
const BATCH: usize = 256;

/// What [`Model::trace`] takes: `&x`, or `(&x, &y)` for the accuracy of each iteration besides; [`Inputs`] and [`Samples`].
pub trait Traced<F: Float> {
    /// The inputs, and the targets if there are any; tensors are shared, not copied.
    fn into_traced(self) -> (Inputs<F>, Option<Target<F>>);
}

impl<F: Float> Traced<F> for &Inputs<F> {
    fn into_traced(self) -> (Inputs<F>, Option<Target<F>>) {
        (self.clone(), None)
    }
}

impl<F: Float> Traced<F> for &Samples<F> {
    fn into_traced(self) -> (Inputs<F>, Option<Target<F>>) {
        (self.inputs.clone(), Some(self.targets.clone()))
    }
}

macro_rules! traced_pairs {
    ($float:ty, $input:ident $x:ty, $target:ident $y:ty) => {
        impl Traced<$float> for (&Tensor<$x>, &Tensor<$y>) {
            fn into_traced(self) -> (Inputs<$float>, Option<Target<$float>>) {
                let target = Target::$target(self.1.clone());
                (Inputs::$input(self.0.clone()), Some(target))
            }
        }
    };
}

macro_rules! traced {
    ($($float:ty)*) => {
        $(
            impl Traced<$float> for &Tensor<$float> {
                fn into_traced(self) -> (Inputs<$float>, Option<Target<$float>>) {
                    (Inputs::Float(self.clone()), None)
                }
            }

            impl Traced<$float> for &Tensor<i64> {
                fn into_traced(self) -> (Inputs<$float>, Option<Target<$float>>) {
                    (Inputs::Index(self.clone()), None)
                }
            }

            traced_pairs! { $float, Float $float, Float $float }
            traced_pairs! { $float, Float $float, Index i64 }
            traced_pairs! { $float, Index i64, Float $float }
            traced_pairs! { $float, Index i64, Index i64 }
        )*
    };
}

traced! { f32 f64 }

impl<F: Float> Model<F> {
    /// Runs the loop one iteration after another and records for each iteration and sample how far it is from rest, what its
    /// edges carry, how the output changes and whether it is right; and what the schedule itself does with the samples.
    ///
    /// ```
    /// use fb_nn::Sequential;
    /// use fb_nn::feedback::schedule::Unroll;
    /// use fb_nn::layers::{Activation, Dense};
    /// use fb_nn::loss::MeanSquaredError;
    /// use fb_nn::optim::Adam;
    /// use fb_tensor::Tensor;
    /// use fb_train::Compile;
    ///
    /// let network = Sequential::input([2])
    ///     .layer("hidden", Dense::new(3).activation(Activation::Tanh))
    ///     .feedback("hidden", "hidden")
    ///     .schedule(Unroll::iterations(4))
    ///     .build()?;
    /// let model = network.compile(Adam::new(0.01), MeanSquaredError, ())?;
    /// let trace = model.trace(&Tensor::ones([5, 2]))?;
    /// assert_eq!((trace.iterations.len(), trace.rows), (4, 5));
    /// println!("{trace}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The samples are not what the network takes, or it has no loop over iterations that can run without a solver.
    pub fn trace(&self, samples: impl Traced<F>) -> Result<Trace> {
        const WHAT: &str = "the input of trace";
        let (inputs, targets) = samples.into_traced();
        self.check_loop("Model::trace")?;
        match &targets {
            None => inputs.check(&self.network, WHAT, false)?,
            Some(targets) => {
                let samples = Samples {
                    inputs: inputs.clone(),
                    targets: targets.clone(),
                };
                samples.check(&self.network, WHAT, false)?;
            }
        }
        threads::scope(|| self.trace_all(&inputs, targets.as_ref()))
    }

    fn trace_all(&self, inputs: &Inputs<F>, targets: Option<&Target<F>>) -> Result<Trace> {
        let rows = inputs.rows();
        let count = self.network.iterations() * self.segment_count();
        let judges = targets.is_some_and(|targets| self.judges(targets));
        let mut accuracies = vec![Accuracy.threshold(self.threshold()); count];
        let mut trace = Trace {
            schedule: self.network.topology().schedule.kind().to_owned(),
            rows,
            iterations: vec![TraceIteration::default(); count],
            used: Vec::new(),
            reports: Vec::new(),
        };
        for start in (0..rows).step_by(BATCH) {
            let batch = inputs.range(start..(start + BATCH).min(rows));
            let targets = targets.map(|targets| part(targets, start, batch.rows()));
            let run = self
                .answers(&batch, start, Wanted::Last, &Predict::new())?
                .run;
            trace.used.extend(run.iterations_used());
            trace.reports.extend(run.solver_report().cloned());
            let mut walk = Walk::new(self, batch.values(), start);
            let mut before: Option<Tensor<F>> = None;
            for (iteration, accuracy) in trace.iterations.iter_mut().zip(&mut accuracies) {
                let tick = walk.tick()?;
                let output = tick.refinement.output;
                iteration.residuals.extend(tick.refinement.residuals);
                iteration.changes.extend(tick.changes);
                note_norms(iteration, &walk.state);
                if let Some(before) = &before {
                    iteration
                        .output_changes
                        .extend(row_norms(&(&output - before)));
                }
                if let (true, Some(targets)) = (judges, &targets) {
                    accuracy.update(&output, targets)?;
                }
                before = Some(output);
            }
        }
        if judges {
            for (iteration, accuracy) in trace.iterations.iter_mut().zip(&accuracies) {
                iteration.accuracy = Some(Metric::<F>::value(accuracy));
            }
        }
        Ok(trace)
    }

    /// Whether an answer can be right or wrong.
    fn judges(&self, targets: &Target<F>) -> bool {
        let of_classes = matches!(self.loss.kind(), "BinaryCrossentropy" | "CrossEntropy");
        matches!(targets, Target::Index(_)) || of_classes
    }
}

fn part<F: Float>(targets: &Target<F>, start: usize, rows: usize) -> Target<F> {
    match targets {
        Target::Float(y) => Target::Float(y.slice(0, start..start + rows)),
        Target::Index(y) => Target::Index(y.slice(0, start..start + rows)),
        _ => unreachable!("targets are numbers or indices"),
    }
}

/// The norm of the newest value of each edge.
fn note_norms<F: Float>(iteration: &mut TraceIteration, state: &State<F>) {
    for (name, value) in state.to_tensors() {
        let Some(edge) = name.strip_suffix("/0") else {
            continue;
        };
        let norms = row_norms(&value);
        match iteration.norms.iter_mut().find(|(known, _)| known == edge) {
            Some((_, all)) => all.extend(norms),
            None => iteration.norms.push((edge.to_owned(), norms)),
        }
    }
}

/// The norm of each row.
fn row_norms<F: Float>(values: &Tensor<F>) -> Vec<f64> {
    let rows = values.shape()[0];
    let per_row = (values.len() / rows.max(1)).max(1);
    let values = values.to_vec();
    let rows = values.chunks_exact(per_row);
    rows.map(|row| {
        let square: f64 = row.iter().map(|v| v.to_f64().powi(2)).sum();
        square.sqrt()
    })
    .collect()
}
