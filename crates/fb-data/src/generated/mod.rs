//! Data made from a seed: the tasks on which feedback and recurrence are tried, as many rows as wanted.
//!
//! | data | what is asked |
//! |---|---|
//! | [`Sudoku`] | the blank cells of 4×4 and 6×6 puzzles that have one solution |
//! | [`parity`] | whether the number of ones is odd; the more numbers are not zero, the harder |
//! | [`temporal_xor`] | the next bit of a stream in which every third is decided by the two before it |
//! | [`MackeyGlass`] | the next values of a chaotic series |
//! | [`Clutter`] | what is in a picture behind pieces of other pictures and noise |
//! | [`random_patterns`], [`letters`], [`flip`] | which stored pattern a damaged one was |
//!
//! The same seed gives the same data on every machine.

mod clutter;
mod mackey_glass;
mod parity;
mod patterns;
mod sudoku;
mod temporal_xor;

pub use clutter::Clutter;
pub use mackey_glass::MackeyGlass;
pub use parity::parity;
pub use patterns::{flip, letters, random_patterns};
pub use sudoku::{Puzzle, Puzzles, Sudoku, SudokuSet, Symmetry};
pub use temporal_xor::temporal_xor;

use crate::error::Error;
use std::ops::RangeInclusive;

fn bad_range(
    op: &'static str,
    argument: &'static str,
    expected: String,
    found: &RangeInclusive<usize>,
    help: &'static str,
) -> Error {
    Error::Argument {
        op,
        argument,
        expected,
        found: format!("{found:?}"),
        help,
    }
}
