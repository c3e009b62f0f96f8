//! How the scores of classes become one.

/// How a score that each class has becomes one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The score of class 1, where there are two classes.
    Binary,
    /// The mean of the classes' scores: each class counts the same. Classes that appear neither in the targets nor in
    /// the answers are left out.
    Macro,
    /// The score of all decisions together: each row counts the same.
    Micro,
    /// The mean of the classes' scores, each weighted by how often the class appears in the targets.
    Weighted,
}
