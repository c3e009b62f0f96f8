//! Samples that take their turns in a batch: where each stands, and what it carries.

use crate::error::{Error, Result};
use crate::model::{Model, Samples, Segment, Start, StepOptions, StepReport};
use fb_nn::feedback::State;
use fb_nn::feedback::gradient::Segments;
use fb_nn::feedback::schedule::AnySchedule;
use fb_nn::feedback::topology::Initial;
use fb_tensor::{Float, Tensor};

/// The share of samples that must run for longer than they want to, so that what more segments are good for is learned.
///
/// # References
/// G. Wang et al., "Hierarchical reasoning model", 2025, section 2.
const EXPLORED: f64 = 0.1;

/// A place in the batch: the sample in it, and how many segments it has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The row of the training samples.
    pub(super) row: usize,
    /// Segments done.
    pub(super) age: usize,
    /// Segments that it must run.
    pub(super) least: usize,
}

/// The batch of a training that refills it: after each segment samples that have halted leave, and the next of the epoch take
/// their places with states of their own. In the end of an epoch the batch shrinks; nothing is carried into the next.
pub(super) struct Carry<F: Float> {
    slots: Vec<Slot>,
    state: Option<State<F>>,
    /// The slots whose samples came after the last segment.
    fresh: Vec<bool>,
}

/// One segment of the batch.
pub(super) struct Turn<F: Float> {
    pub(super) report: StepReport,
    /// How many samples ran.
    pub(super) ran: usize,
    /// The rows that have left.
    pub(super) left: Vec<usize>,
    /// Their answers.
    pub(super) answers: Tensor<F>,
}

/// What all segments of an epoch share.
pub(super) struct Rules<'a> {
    pub(super) segments: Segments,
    pub(super) schedule: Option<&'a dyn AnySchedule>,
    pub(super) epoch: u64,
}

/// Refuses networks whose states cannot be started anew row by row.
pub(super) fn check<F: Float>(model: &Model<F>) -> Result<()> {
    let edges = &model.network().topology().edges;
    match edges
        .iter()
        .find(|edge| edge.initial == Initial::FirstSweep)
    {
        None => Ok(()),
        Some(edge) => Err(Error::Setting {
            what: "DeepSupervision::refill",
            expected: "edges that start from a value, so that a sample can take another's place",
            found: format!(
                "{} -> {}, which starts from a first sweep",
                edge.from, edge.to
            ),
            help: "start the edge from zeros, a learned value or noise, or drop .refill()",
        }),
    }
}

impl<F: Float> Carry<F> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            state: None,
            fresh: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Fills the batch up to `size` from what is left of the epoch. Whoever stays keeps its place.
    pub(super) fn fill(
        &mut self,
        size: usize,
        rows: &mut impl Iterator<Item = usize>,
        model: &Model<F>,
        rules: &Rules<'_>,
    ) {
        while self.slots.len() < size
            && let Some(row) = rows.next()
        {
            self.slots.push(slot(row, model, rules));
            self.fresh.push(true);
        }
    }

    /// Runs one segment, then lets samples that have halted leave and others take their places.
    ///
    /// # Errors
    /// The segment fails.
    pub(super) fn turn(
        &mut self,
        model: &mut Model<F>,
        train: &Samples<F>,
        class_weights: Option<&[f64]>,
        residual: bool,
        rules: &Rules<'_>,
        rows: &mut impl Iterator<Item = usize>,
    ) -> Result<Turn<F>> {
        let numbers: Vec<usize> = self.slots.iter().map(|slot| slot.row).collect();
        let samples = train.select(&numbers);
        let weights = self.weights(&samples, class_weights, rules)?;
        let options = StepOptions {
            weights: weights.as_ref(),
            first_row: 0,
            rows: Some(&numbers),
            schedule: rules.schedule,
            residual,
        };
        let learns = weights
            .as_ref()
            .is_none_or(|w| w.iter().any(|w| w > F::ZERO));
        let start = Start {
            fresh: self.state.is_some().then(|| self.fresh_mask()),
            state: self.state.take(),
            weight: f64::from(u8::from(learns)),
        };
        let Segment {
            report,
            state,
            answer,
            confident,
        } = model.segment(&samples, &options, start, &mut |_| Ok(()))?;
        self.state = Some(state);
        let ran = numbers.len();
        let done: Vec<usize> = (0..ran)
            .filter(|&place| {
                let slot = &mut self.slots[place];
                slot.age += 1;
                let wants = confident.as_ref().is_some_and(|all| all[place]);
                slot.age >= rules.segments.count || wants && slot.age >= slot.least
            })
            .collect();
        let left = done.iter().map(|&place| numbers[place]).collect();
        let answers = answer.select_rows(&done);
        self.replace(&done, rows, model, rules);
        Ok(Turn {
            report,
            ran,
            left,
            answers,
        })
    }

    /// Gives these places to the next samples; places for which there are none go.
    fn replace(
        &mut self,
        places: &[usize],
        rows: &mut impl Iterator<Item = usize>,
        model: &Model<F>,
        rules: &Rules<'_>,
    ) {
        self.fresh = vec![false; self.slots.len()];
        let mut gone = vec![false; self.slots.len()];
        for &place in places {
            match rows.next() {
                Some(row) => {
                    self.slots[place] = slot(row, model, rules);
                    self.fresh[place] = true;
                }
                None => gone[place] = true,
            }
        }
        if gone.contains(&true) {
            let stays: Vec<usize> = (0..gone.len()).filter(|&i| !gone[i]).collect();
            self.slots = stays.iter().map(|&i| self.slots[i]).collect();
            self.fresh = stays.iter().map(|&i| self.fresh[i]).collect();
            self.state = self.state.take().map(|state| state.select_rows(&stays));
        }
    }

    fn fresh_mask(&self) -> Tensor<bool> {
        Tensor::from_vec(self.fresh.clone(), [self.fresh.len()])
    }

    /// How much each sample counts: by its class, and by the segment that it is in.
    fn weights(
        &self,
        samples: &Samples<F>,
        class_weights: Option<&[f64]>,
        rules: &Rules<'_>,
    ) -> Result<Option<Tensor<F>>> {
        let of_classes = match class_weights {
            Some(weights) => Some(super::weights::of_rows(weights, &samples.targets)?),
            None => None,
        };
        let Segments { count, weights, .. } = rules.segments;
        let of_ages: Vec<f64> = self
            .slots
            .iter()
            .map(|slot| weights.of(slot.age + 1, count))
            .collect();
        if of_ages.iter().all(|&w| w == 1.0) {
            return Ok(of_classes);
        }
        let of_ages: Vec<F> = of_ages.into_iter().map(F::from_f64).collect();
        let of_ages = Tensor::from_vec(of_ages, [self.slots.len()]);
        Ok(Some(match of_classes {
            Some(of_classes) => &of_classes * &of_ages,
            None => of_ages,
        }))
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> Option<&State<F>> {
        self.state.as_ref()
    }

    #[cfg(test)]
    pub(super) fn fresh(&self) -> &[bool] {
        &self.fresh
    }
}

/// A sample at its start. Now and then one must stay for a while, drawn by epoch and row.
fn slot<F: Float>(row: usize, model: &Model<F>, rules: &Rules<'_>) -> Slot {
    let key = model.key().fold("explore");
    let drawn = Tensor::<f64>::uniform([2], 0.0, 1.0, &mut key.at(rules.epoch, row as u64));
    let most = rules.segments.count;
    let least = match (drawn.at(&[0]) < EXPLORED, most) {
        (true, 2..) => 2 + (drawn.at(&[1]) * (most - 1) as f64) as usize,
        _ => 1,
    };
    Slot {
        row,
        age: 0,
        least: least.min(most),
    }
}
