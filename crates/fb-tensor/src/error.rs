//! What can go wrong in a `try_` operation.

/// An operation on tensors that cannot be done as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The number of elements is not what the shape asks for.
    #[error("{op}: shape {shape} holds {expected} elements, found {found}")]
    Length {
        /// The operation.
        op: &'static str,
        /// The shape asked for.
        shape: String,
        /// How many elements it holds.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Two shapes do not fit together.
    #[error("{op}: {left} and {right} do not fit{}{help}", if help.is_empty() { "" } else { "\n  help: " })]
    Shapes {
        /// The operation.
        op: &'static str,
        /// Shape of the first operand.
        left: String,
        /// Shape of the second operand.
        right: String,
        /// A way out, or empty.
        help: &'static str,
    },
    /// An axis beyond the tensor's rank.
    #[error("{op}: axis {axis} is out of range for shape {shape}")]
    Axis {
        /// The operation.
        op: &'static str,
        /// The axis asked for.
        axis: usize,
        /// The tensor's shape.
        shape: String,
    },
    /// An index beyond the end of an axis.
    #[error("{op}: index {index} is out of range for axis {axis} of shape {shape}")]
    Index {
        /// The operation.
        op: &'static str,
        /// The index asked for.
        index: i64,
        /// The axis.
        axis: usize,
        /// The tensor's shape.
        shape: String,
    },
    /// An element of an index tensor that leaves the axis it points into.
    #[error("{op}: index {index} at {position} is out of range for axis {axis} of shape {shape}{}", counted_from_zero(*.index))]
    IndexAt {
        /// The operation.
        op: &'static str,
        /// The index found.
        index: i64,
        /// Where among the indices it stands, such as `[0, 2]`.
        position: String,
        /// The axis that it points into.
        axis: usize,
        /// The shape that has the axis.
        shape: String,
    },
    /// More axes than a tensor can have.
    #[error(
        "{op}: {found} axes, but a tensor has at most {max}\n  help: merge neighbouring axes with reshape"
    )]
    Rank {
        /// The operation.
        op: &'static str,
        /// How many axes were asked for.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// A shape whose elements cannot be counted in memory.
    #[error(
        "{op}: shape {shape} has more elements than memory can hold\n  help: check each extent for a slip, or work in smaller batches"
    )]
    TooLarge {
        /// The operation.
        op: &'static str,
        /// The shape asked for.
        shape: String,
    },
    /// A symmetric matrix that has no Cholesky factor.
    #[error(
        "{op}: the matrix is not positive definite: pivot {pivot} is {value}\n  help: check that it is symmetric; adding a little to its diagonal, which is what a ridge does, helps where columns depend on each other"
    )]
    NotPositiveDefinite {
        /// The operation.
        op: &'static str,
        /// The first row whose pivot is not positive.
        pivot: usize,
        /// The pivot.
        value: String,
    },
    /// An argument outside its domain.
    #[error("{op}: {what}")]
    Argument {
        /// The operation.
        op: &'static str,
        /// What is wrong with which argument.
        what: String,
    },
}

fn counted_from_zero(index: i64) -> &'static str {
    if index < 0 {
        "\n  help: indices count from 0; negative ones do not count from the end"
    } else {
        ""
    }
}

/// Shorthand for results with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Panics with the error's text: the way out of operations that are documented to panic.
#[track_caller]
#[cold]
#[inline(never)]
pub(crate) fn fail(error: &Error) -> ! {
    panic!("{error}")
}

/// The value, or a panic with the error's text at the caller's place.
pub(crate) trait OrPanic<T> {
    #[track_caller]
    fn or_panic(self) -> T;
}

impl<T> OrPanic<T> for Result<T> {
    #[track_caller]
    #[inline]
    fn or_panic(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => fail(&error),
        }
    }
}
