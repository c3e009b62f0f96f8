//! Answers from several starts, the best of which is taken.

use super::step::{change, numbers};
use super::{Inputs, IntoInputs, Model};
use crate::error::{Error, Result};
use fb_autograd::Tape;
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::{Halt, HaltRule, Rule, Unroll};
use fb_nn::feedback::topology::Initial;
use fb_nn::{Context, Mode, Value};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor, threads};

/// Rows that are run through the network at a time.
const BATCH: usize = 256;

/// By what the best of several answers is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// The loop that has come nearest to rest.
    #[default]
    Residual,
    /// The one whose halting layer, of [`Halt::confidence`], is surest that it is right.
    Confidence,
    /// The one that agrees most with what the majority says at each place.
    Vote,
}

/// A search by depth and breadth: so many iterations from so many random starts, and the best answer of each sample.
///
/// The starts differ where an edge has [`Initial::Noise`] (or noise of its own).
///
/// ```
/// use fb_train::{Search, Select};
/// let search = Search::new().depth(64).breadth(16).select(Select::Vote);
/// # let _ = search;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Search {
    depth: usize,
    breadth: usize,
    select: Select,
    key: Key,
}

impl Default for Search {
    fn default() -> Self {
        Self::new()
    }
}

impl Search {
    /// 16 iterations from 8 starts, the nearest to rest.
    pub fn new() -> Self {
        Self {
            depth: 16,
            breadth: 8,
            select: Select::Residual,
            key: Key::new(0),
        }
    }

    /// How many iterations.
    #[must_use]
    pub fn depth(mut self, iterations: usize) -> Self {
        self.depth = iterations;
        self
    }

    /// How many starts.
    #[must_use]
    pub fn breadth(mut self, starts: usize) -> Self {
        self.breadth = starts;
        self
    }

    /// Which answer is taken.
    #[must_use]
    pub fn select(mut self, select: Select) -> Self {
        self.select = select;
        self
    }

    /// What the starts are drawn with. The same key draws the same.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }
}

/// What a search found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found<F: Float = f32> {
    /// The answer of each sample, `[batch, …]`.
    pub output: Tensor<F>,
    /// From which start it came, from 0.
    pub start: Vec<usize>,
    /// Its score: the negative residual, the logit of being right, or the share of places where the majority agrees.
    pub score: Vec<f64>,
}

impl<F: Float> Model<F> {
    /// Runs the loop from several random starts and takes the best answer of each sample.
    ///
    /// ```
    /// use fb_nn::Sequential;
    /// use fb_nn::feedback::schedule::Unroll;
    /// use fb_nn::feedback::topology::Initial;
    /// use fb_nn::layers::{Activation, Dense};
    /// use fb_nn::loss::MeanSquaredError;
    /// use fb_nn::optim::Adam;
    /// use fb_tensor::Tensor;
    /// use fb_train::{Compile, Search};
    ///
    /// let network = Sequential::input([2])
    ///     .layer("hidden", Dense::new(3).activation(Activation::Tanh))
    ///     .feedback("hidden", "hidden")
    ///     .initial(Initial::Noise(1.0))
    ///     .schedule(Unroll::iterations(4))
    ///     .build()?;
    /// let model = network.compile(Adam::new(0.01), MeanSquaredError, ())?;
    /// let found = model.search(&Tensor::ones([5, 2]), &Search::new().depth(8).breadth(4))?;
    /// assert_eq!(*found.output.shape(), [5, 3]);
    /// assert!(found.start.iter().all(|&start| start < 4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The input is not what the network takes; the network has no loop, or nothing in it is drawn at random though there
    /// are several starts; or no layer says how sure it is though that should select.
    pub fn search(&self, x: impl IntoInputs<F>, search: &Search) -> Result<Found<F>> {
        let inputs = x.into_inputs();
        self.check_loop("Model::search")?;
        self.check_search(search)?;
        inputs.check(&self.network, "the input of search", false)?;
        threads::scope(|| {
            let rows = inputs.rows();
            let mut parts = Vec::new();
            let (mut start, mut score) = (Vec::new(), Vec::new());
            for first in (0..rows).step_by(BATCH) {
                let batch = inputs.range(first..(first + BATCH).min(rows));
                let found = self.search_batch(&batch, first, search)?;
                parts.push(found.output);
                start.extend(found.start);
                score.extend(found.score);
            }
            Ok(Found {
                output: Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0),
                start,
                score,
            })
        })
    }

    fn check_search(&self, search: &Search) -> Result<()> {
        let wrong = |what, expected, found: String, help| {
            Err(Error::Setting {
                what,
                expected,
                found,
                help,
            })
        };
        if search.depth == 0 || search.breadth == 0 {
            let found = format!("{} iterations from {} starts", search.depth, search.breadth);
            return wrong(
                "Search",
                "at least one iteration from one start",
                found,
                "Search::new() has 16 from 8",
            );
        }
        let mut edges = self.network.topology().edges.iter();
        let random = edges.any(|e| matches!(e.initial, Initial::Noise(_)) || e.noise > 0.0);
        if search.breadth > 1 && !random {
            return wrong(
                "Search::breadth",
                "an edge that starts at random, so that the starts differ",
                format!("{} starts that are all the same", search.breadth),
                "give a feedback edge .initial(Initial::Noise(1.0)) and train it so",
            );
        }
        if search.select == Select::Confidence && self.confidence_layer().is_none() {
            let kind = self.network.topology().schedule.kind().to_owned();
            return wrong(
                "Select::Confidence",
                "a network under Halt::confidence",
                kind,
                "select by Select::Residual or Select::Vote",
            );
        }
        Ok(())
    }

    fn confidence_layer(&self) -> Option<String> {
        match self.rule(None) {
            Rule::Halt(halt) => match halt.when() {
                HaltRule::Confidence { layer, .. } => Some(layer.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn search_batch(&self, batch: &Inputs<F>, first: usize, search: &Search) -> Result<Found<F>> {
        let values = batch.values();
        let mut outputs = Vec::with_capacity(search.breadth);
        let mut scores = Vec::with_capacity(search.breadth);
        for start in 0..search.breadth {
            let key = search.key.fold_index(start as u64);
            let (output, score) = self.of_start(&values, first, key, search)?;
            outputs.push(output);
            scores.push(score);
        }
        if search.select == Select::Vote {
            scores = self.votes(&outputs);
        }
        let rows = batch.rows();
        let best: Vec<usize> = (0..rows).map(|row| best(&scores, row)).collect();
        let chosen: Vec<Tensor<F>> = best
            .iter()
            .enumerate()
            .map(|(row, &start)| outputs[start].index_axis(0, row))
            .collect();
        Ok(Found {
            output: Tensor::stack(&chosen.iter().collect::<Vec<_>>(), 0),
            score: (0..rows).map(|row| scores[best[row]][row]).collect(),
            start: best,
        })
    }

    /// The answers from one start, with their scores.
    fn of_start(
        &self,
        values: &[Value<F>],
        first: usize,
        key: Key,
        search: &Search,
    ) -> Result<(Tensor<F>, Vec<f64>)> {
        if let (Select::Confidence, Some(layer)) = (search.select, self.confidence_layer()) {
            // A pass that is recorded runs every iteration of every sample, and keeps what the halting layer says.
            let mut cx = Context::new(self.network.params(), Tape::new(), Mode::Eval)
                .with_first_row(first as u64)
                .with_key(key);
            let halt = Halt::confidence(layer, search.depth);
            let options = RunOptions {
                schedule: Some(&halt),
                ..RunOptions::default()
            };
            let run = cx.without_gradients(|cx| self.network.run_all(cx, values, &options))?;
            let logits = run.halting().and_then(|halting| halting.logits.last());
            let sure = logits.map_or_else(Vec::new, |z| z.tensor().iter().map(F::to_f64).collect());
            return Ok((numbers(run.last())?.tensor().clone(), sure));
        }
        let mut cx = self.eval_context(Some(key), first);
        let deep = Unroll::iterations(search.depth);
        let options = RunOptions {
            schedule: Some(&deep),
            ..RunOptions::default()
        };
        let run = self.network.run_all(&mut cx, values, &options)?;
        let output = numbers(run.last())?.tensor().clone();
        if search.select == Select::Vote {
            return Ok((output, Vec::new()));
        }
        let once = Unroll::iterations(1);
        let options = RunOptions {
            schedule: Some(&once),
            state: Some(run.state().clone()),
            ..RunOptions::default()
        };
        let next = self.network.run_all(&mut cx, values, &options)?;
        let residuals = change(run.state(), next.state());
        let scores = residuals.iter().map(|change| -change.relative).collect();
        Ok((output, scores))
    }

    /// For each start and sample, the share of places where it says what most do.
    fn votes(&self, outputs: &[Tensor<F>]) -> Vec<Vec<f64>> {
        let said: Vec<Vec<i64>> = outputs.iter().map(|y| self.said(y)).collect();
        let rows = outputs[0].shape()[0];
        let places = (said[0].len() / rows.max(1)).max(1);
        let majority: Vec<i64> = (0..said[0].len())
            .map(|place| {
                let votes = |class: i64| said.iter().filter(|s| s[place] == class).count();
                // The smallest of those with most votes.
                let mut classes: Vec<i64> = said.iter().map(|s| s[place]).collect();
                classes.sort_unstable();
                classes.dedup();
                let most = classes.iter().map(|&class| votes(class)).max();
                let winner = classes.iter().find(|&&class| Some(votes(class)) == most);
                winner.copied().unwrap_or(0)
            })
            .collect();
        said.iter()
            .map(|said| {
                let pairs = said.chunks_exact(places).zip(majority.chunks_exact(places));
                pairs
                    .map(|(said, majority)| {
                        let agree = said.iter().zip(majority).filter(|(a, b)| a == b).count();
                        agree as f64 / places as f64
                    })
                    .collect()
            })
            .collect()
    }

    /// The class that an output says at each place.
    fn said(&self, output: &Tensor<F>) -> Vec<i64> {
        if output.rank() < 2 || output.dims().last() == Some(&1) {
            let threshold = F::from_f64(self.threshold());
            return output.iter().map(|y| i64::from(y > threshold)).collect();
        }
        output.argmax(output.rank() - 1).to_vec()
    }
}

/// The start with the largest score of a sample, the first of equals; NaN is never the best.
fn best(scores: &[Vec<f64>], row: usize) -> usize {
    let mut best = 0;
    for start in 1..scores.len() {
        let (old, new) = (scores[best][row], scores[start][row]);
        if new > old || old.is_nan() && !new.is_nan() {
            best = start;
        }
    }
    best
}
