//! One error type for programs that use everything.

use std::fmt;

/// What any of the crates could not do.
///
/// `Debug` shows the same text as `Display`, so that a program whose `main` returns [`Result`] ends in a message that
/// people can read:
///
/// ```
/// use fb::prelude::*;
///
/// let error: fb::Error = Sequential::input([2])
///     .layer("hidden1", Dense::new(8))
///     .layer("output", Dense::new(1))
///     .feedback("output", "hidden1")
///     .identity()
///     .schedule(Unroll::iterations(4))
///     .build()
///     .unwrap_err()
///     .into();
/// assert_eq!(
///     format!("Error: {error:?}"), // what Rust prints at the end of `main`
///     "\
/// Error: feedback \"output\" -> \"hidden1\" cannot be added without weights
///   \"output\" gives [batch, 1]; \"hidden1\" (Dense 2 -> 8) sums feedback into [batch, 8]
///   help: drop .identity() to learn a 1 -> 8 map (the default), or use .concat() to widen \"hidden1\" to 3 inputs"
/// );
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum Error {
    /// An operation on tensors refused its operands.
    Tensor(#[from] fb_tensor::Error),
    /// A gradient check failed.
    Gradcheck(#[from] fb_autograd::gradcheck::GradcheckError),
    /// A network, a layer, a loss or an optimizer cannot be as declared, or met data that it cannot take.
    Network(#[from] fb_nn::Error),
    /// Data cannot be read, cleaned, split or scaled.
    Data(#[from] fb_data::Error),
    /// Training, measuring, drawing, saving or loading failed.
    Train(fb_train::Error),
}

/// Shorthand for results with [`Error`], the return type of `main`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The text of `Display`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What training only passes on from a crate below becomes that crate's variant: one cause, one place to match.
impl From<fb_train::Error> for Error {
    fn from(error: fb_train::Error) -> Self {
        match error {
            fb_train::Error::Tensor(error) => error.into(),
            fb_train::Error::Network(error) => error.into(),
            fb_train::Error::Data(error) => error.into(),
            error => Self::Train(error),
        }
    }
}
