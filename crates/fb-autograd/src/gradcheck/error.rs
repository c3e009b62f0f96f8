//! Why a gradient check did not pass.

use fb_tensor::Shape;

/// A gradient check that did not pass.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GradcheckError {
    /// The tape's gradient is not what differences of the function give.
    #[error(
        "gradient by input {input} is wrong\n  {place}: expected {} (central difference), found {} (tape)\n  help: {help}",
        short(*expected),
        short(*found)
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
    /// The tape's gradient has another shape than its input.
    #[error(
        "gradient by input {input} has the wrong shape\n  expected {expected} (the input), found {found} (tape)\n  \
         help: gradients are summed over axes that broadcasting stretched and have their axes in the input's order"
    )]
    Shape {
        /// The position of the input.
        input: usize,
        /// The shape of the input.
        expected: Shape,
        /// The shape of the gradient.
        found: Shape,
    },
    /// The function has a kink or a jump here, so it has no derivative to compare with.
    #[error(
        "the function has a kink by input {input}\n  {place}: expected one slope, found {} (backward difference) and {} \
         (forward difference); the tape has {}\n  \
         help: check at inputs away from kinks, such as equal elements under a maximum or zeros under a rectifier",
        short(*backward),
        short(*forward),
        short(*tape)
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

/// A number with the digits that a difference can have right.
fn short(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}
