//! Steps along a sequence.

use super::{Count, Halt, Rule, Schedule, Unroll};
use crate::error::{Error, Result};
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    #[serde(default)]
    inside: Inside,
}

/// What runs at each step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "config")]
enum Inside {
    #[default]
    Once,
    Unroll(Unroll),
    Halt(Halt),
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

impl InSequence for Halt {
    fn in_sequence(self) -> Sequence {
        Sequence {
            inside: Inside::Halt(self),
        }
    }
}

impl Sequence {
    /// One iteration at each step.
    pub fn new() -> Self {
        Self::default()
    }

    /// The iterations of another schedule at each step.
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
            Inside::Halt(inside) => inside.iterations(),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Sequence(Box::new(match &self.inside {
            Inside::Once => Rule::Iterate(Count::Fixed(1)),
            Inside::Unroll(inside) => inside.rule(),
            Inside::Halt(inside) => inside.rule(),
        }))
    }

    fn validate(&self) -> Result<()> {
        match &self.inside {
            Inside::Once => Ok(()),
            Inside::Unroll(inside) => inside.validate(),
            Inside::Halt(_) => Err(Error::Config {
                what: "Sequence".to_owned(),
                expected: "the same work for each sample at each step: Unroll or Converge inside"
                    .to_owned(),
                found: "Halt inside".to_owned(),
                help: "halt on whole sequences instead, or use Converge inside".to_owned(),
            }),
        }
    }
}
