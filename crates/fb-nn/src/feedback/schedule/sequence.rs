//! Steps along a sequence.

use super::{Converge, Count, Rule, Schedule, Solvers, Unroll};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Runs the network once for each step of a sequence `[batch, time, …]`; edges on the [step clock](super::super::topology::Clock)
/// carry values from earlier steps to later ones.
///
/// At each step the loop of the iteration clock runs as the schedule inside says; its values start anew at each step unless
/// an edge [carries](super::super::topology::Edge::carry) them on.
///
/// ```
/// use fb_nn::feedback::schedule::{Schedule, Sequence, Unroll};
/// assert_eq!(Sequence::new().iterations(), 1);
/// assert_eq!(Sequence::with(Unroll::iterations(3)).iterations(), 3);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    #[serde(default)]
    inside: Inside,
}

/// What runs at each step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", content = "config")]
enum Inside {
    #[default]
    Once,
    Unroll(Unroll),
    Converge(Converge),
}

/// What can run at each step of a [`Sequence`].
pub trait InSequence: Schedule {
    /// The sequence with this inside.
    fn in_sequence(self) -> Sequence;
}

impl InSequence for Unroll {
    fn in_sequence(self) -> Sequence {
        Sequence {
            inside: Inside::Unroll(self),
        }
    }
}

impl Sequence {
    /// One iteration at each step.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn around(inside: Converge) -> Self {
        Self {
            inside: Inside::Converge(inside),
        }
    }

    /// The iterations of another schedule at each step: [`Unroll`] or [`Converge`].
    pub fn with(inside: impl InSequence) -> Self {
        inside.in_sequence()
    }
}

impl Schedule for Sequence {
    const KIND: &'static str = "Sequence";

    fn iterations(&self) -> usize {
        match &self.inside {
            Inside::Once => 1,
            Inside::Unroll(inside) => inside.iterations(),
            Inside::Converge(inside) => inside.iterations(),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Sequence(Box::new(match &self.inside {
            Inside::Once => Rule::Iterate(Count::Fixed(1)),
            Inside::Unroll(inside) => inside.rule(),
            Inside::Converge(inside) => inside.rule(),
        }))
    }

    fn validate(&self) -> Result<()> {
        match &self.inside {
            Inside::Once => Ok(()),
            Inside::Unroll(inside) => inside.validate(),
            Inside::Converge(inside) => inside.validate(),
        }
    }

    fn resolve(&mut self, place: &str, solvers: &dyn Solvers) -> Result<()> {
        match &mut self.inside {
            Inside::Converge(inside) => inside.resolve(place, solvers),
            Inside::Once | Inside::Unroll(_) => Ok(()),
        }
    }
}
