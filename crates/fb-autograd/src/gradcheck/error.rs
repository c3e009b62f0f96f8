//! Why a gradient check did not pass.

/// A gradient check that did not pass.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GradcheckError {
    /// The tape's gradient is not what differences of the function give.
    #[error(
        "gradient by input {input} is wrong\n  {place}: expected {expected} (central difference), found {found} (tape)\n  \
         help: {help}"
    )]
    Wrong {
        /// The position of the input.
        input: usize,
        /// The element of the input where the gradient is farthest off, or the direction if the elements were too many
        /// to look at.
        place: String,
        /// The central difference.
        expected: f64,
        /// What the tape has.
        found: f64,
        /// Where to look.
        help: &'static str,
    },
    /// The function has a kink or a jump here, so it has no derivative to compare with.
    #[error(
        "the function has a kink by input {input}\n  {place}: expected one slope, found {backward} (backward difference) \
         and {forward} (forward difference); the tape has {tape}\n  \
         help: check at inputs away from kinks, such as equal elements under a maximum or zeros under a rectifier"
    )]
    Kink {
        /// The position of the input.
        input: usize,
        /// The element of the input where the sides are farthest apart, or the direction.
        place: String,
        /// The difference to the side against the direction.
        backward: f64,
        /// The difference to the side of the direction.
        forward: f64,
        /// What the tape has.
        tape: f64,
    },
    /// A value, a gradient or a difference is infinite or NaN.
    #[error("{what} is not finite\n  help: check at inputs inside the domain of every operation")]
    NotFinite {
        /// What is not finite.
        what: String,
    },
    /// The function gave different results for the same inputs.
    #[error(
        "the function is not deterministic\n  expected {expected}, found {found}\n  \
         help: draw random numbers once, outside the function"
    )]
    NotDeterministic {
        /// The first result.
        expected: String,
        /// The second result.
        found: String,
    },
}
