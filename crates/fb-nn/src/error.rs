//! What can be wrong with a declaration, with data given to a network, or with numbers inside it.

use std::fmt;

/// Something that was asked of this crate and cannot be done. The text names the place, what was expected, what was
/// found and a way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that nothing has.
    #[error("{what} names {kind} {name:?}, but there is none{}", Help(help))]
    UnknownName {
        /// Where the name was used.
        what: String,
        /// What it should name, such as `"layer"`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What there is instead.
        help: String,
    },
    /// A name used twice, or one that cannot be used.
    #[error("{what} {name:?} {problem}{}", Help(help))]
    Name {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
        /// A way out.
        help: String,
    },
    /// A layer that cannot be built from its configuration and input.
    #[error(
        "layer {layer:?} ({kind}): expected {expected}, found {found}{}",
        Help(help)
    )]
    Layer {
        /// The layer's path.
        layer: String,
        /// The layer's kind.
        kind: String,
        /// What the layer needs.
        expected: String,
        /// What it was given.
        found: String,
        /// A way out.
        help: String,
    },
    /// An edge that cannot be.
    #[error("{kind} {from:?} -> {to:?} {problem}\n  {detail}{}", Help(help))]
    Feedback {
        /// `"feedback"`, or `"edge"` for one without delay.
        kind: &'static str,
        /// The layer it comes from.
        from: String,
        /// The layer it goes to.
        to: String,
        /// What is wrong, in a phrase.
        problem: String,
        /// The shapes or numbers behind it.
        detail: String,
        /// A way out.
        help: String,
    },
    /// A configuration value outside its domain.
    #[error("{what}: expected {expected}, found {found}{}", Help(help))]
    Config {
        /// What is configured, such as `"Adam learning rate"`.
        what: String,
        /// The domain.
        expected: String,
        /// The value.
        found: String,
        /// A way out.
        help: String,
    },
    /// Data that does not have the shape or type that a network, layer or loss expects.
    #[error("{place}: expected {expected}, found {found}{}", Help(help))]
    Data {
        /// Where it was noticed.
        place: String,
        /// What is expected there.
        expected: String,
        /// What was given.
        found: String,
        /// A way out.
        help: String,
    },
    /// A NaN or an infinity appeared.
    #[error("{place}{} gives {found}{}", At(*iteration), Help(help))]
    NonFinite {
        /// The layer or edge, such as `layer "hidden1"`.
        place: String,
        /// The iteration of the loop, from 1, if inside one.
        iteration: Option<usize>,
        /// What appeared, such as `"NaN in row 3"`.
        found: String,
        /// A way out.
        help: String,
    },
    /// A gradient that is not what differences of the loss give.
    #[error(
        "the gradient by {parameter:?} under {strategy}: expected {expected} (central difference), found {found}{}",
        Help(help)
    )]
    Gradient {
        /// The parameter that is farthest off.
        parameter: String,
        /// The kind of the gradient strategy.
        strategy: &'static str,
        /// The slope of the loss.
        expected: String,
        /// What the gradient says.
        found: String,
        /// A way out.
        help: String,
    },
    /// A saved architecture names a kind that is not registered.
    #[error(
        "{place} is of kind {kind:?}, which is not registered\n  help: known kinds: {known}; register yours and load with load_with(&registry)"
    )]
    UnknownKind {
        /// Which part of the file.
        place: String,
        /// The kind found.
        kind: String,
        /// The kinds that are known.
        known: String,
    },
    /// A saved architecture or configuration that cannot be read.
    #[error("{place} cannot be read: {reason}{}", Help(help))]
    Format {
        /// Which part of the file.
        place: String,
        /// What the decoder says.
        reason: String,
        /// A way out.
        help: String,
    },
    /// An operation on tensors refused its operands.
    #[error(transparent)]
    Tensor(#[from] fb_tensor::Error),
}

/// Shorthand for results with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Prints a help line if there is help.
struct Help<'a>(&'a str);

impl fmt::Display for Help<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, "\n  help: {}", self.0)
        }
    }
}

/// Prints the iteration if there is one.
struct At(Option<usize>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(iteration) => write!(f, " at iteration {iteration}"),
            None => Ok(()),
        }
    }
}
