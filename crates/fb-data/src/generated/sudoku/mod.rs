//! Small Sudokus: puzzles with one solution, cut so that no test solution is a training solution in disguise.
//!
//! `grid.rs` has the rules and the solver, `symmetry.rs` what can be done to a grid without leaving them, `catalogue.rs` all
//! solutions by class, and `set.rs` digs puzzles out of them.

mod catalogue;
mod grid;
mod set;
mod symmetry;

pub use grid::Sudoku;
pub use set::{Puzzle, Puzzles, SudokuSet};
pub use symmetry::Symmetry;
