//! The rules, and a solver that counts.

use crate::error::{Error, Result};

/// A size of Sudoku: in every row, every column and every box each digit stands once.
///
/// A grid is a slice of digits row by row, 0 where a cell is blank.
///
/// # Examples
/// ```
/// use fb_data::generated::Sudoku;
/// let puzzle = [
///     0, 0, 0, 0, //
///     0, 0, 4, 0, //
///     0, 3, 0, 0, //
///     1, 0, 0, 2,
/// ];
/// let solutions = Sudoku::FOUR.solve(&puzzle, 2)?;
/// assert_eq!(solutions.len(), 1);
/// assert_eq!(solutions[0], [4, 1, 2, 3, 3, 2, 4, 1, 2, 3, 1, 4, 1, 4, 3, 2][..]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sudoku {
    pub(super) box_rows: usize,
    pub(super) box_columns: usize,
    /// With fewer digits given no puzzle has only one solution.
    pub(super) least_givens: usize,
}

impl Sudoku {
    /// Digits 1 to 4 in boxes of 2×2 cells: 288 solutions.
    pub const FOUR: Self = Self {
        box_rows: 2,
        box_columns: 2,
        least_givens: 4,
    };
    /// Digits 1 to 6 in boxes of 2 rows and 3 columns: 28,200,960 solutions.
    pub const SIX: Self = Self {
        box_rows: 2,
        box_columns: 3,
        least_givens: 8,
    };

    /// Cells of a row, which is also the largest digit.
    pub fn side(self) -> usize {
        self.box_rows * self.box_columns
    }

    /// Cells of a grid.
    pub fn cells(self) -> usize {
        self.side() * self.side()
    }

    /// Solutions of a puzzle, at most `limit` of them.
    ///
    /// # Errors
    /// The grid has another number of cells, or a digit is too large. One that already breaks the rules has no solution.
    pub fn solve(self, grid: &[u8], limit: usize) -> Result<Vec<Vec<u8>>> {
        self.check("solve", grid)?;
        Ok(Search::run(self, grid, limit).found)
    }

    /// Whether the grid is full and keeps the rules.
    pub fn is_solved(self, grid: &[u8]) -> bool {
        let full = grid.len() == self.cells() && grid.iter().all(|&digit| digit != 0);
        full && self.check("is_solved", grid).is_ok() && Search::new(self, grid, 1).is_some()
    }

    pub(super) fn check(self, op: &'static str, grid: &[u8]) -> Result<()> {
        if grid.len() != self.cells() {
            return Err(Error::Length {
                op,
                expected: format!("{} cells", self.cells()),
                found: grid.len().to_string(),
                help: "give the grid row by row, with 0 in blank cells",
            });
        }
        match grid.iter().find(|&&digit| usize::from(digit) > self.side()) {
            None => Ok(()),
            Some(digit) => Err(Error::Argument {
                op,
                argument: "grid",
                expected: format!("digits 0 to {}", self.side()),
                found: digit.to_string(),
                help: "0 stands for a blank cell",
            }),
        }
    }

    fn box_of(self, cell: usize) -> usize {
        let (row, column) = (cell / self.side(), cell % self.side());
        row / self.box_rows * self.box_rows + column / self.box_columns
    }
}

/// Depth-first search that fills the cell with the fewest possible digits.
pub(super) struct Search {
    sudoku: Sudoku,
    grid: Vec<u8>,
    /// Digits used in each row, column and box, a bit each.
    used: [[u16; 6]; 3],
    limit: usize,
    pub(super) found: Vec<Vec<u8>>,
    /// How often every blank cell had two digits or more left to try.
    pub(super) guesses: usize,
}

impl Search {
    pub(super) fn run(sudoku: Sudoku, grid: &[u8], limit: usize) -> Self {
        match Self::new(sudoku, grid, limit) {
            Some(mut search) => {
                search.fill();
                search
            }
            None => Self::blank(sudoku, 0),
        }
    }

    fn blank(sudoku: Sudoku, limit: usize) -> Self {
        Self {
            sudoku,
            grid: vec![0; sudoku.cells()],
            used: [[0; 6]; 3],
            limit,
            found: Vec::new(),
            guesses: 0,
        }
    }

    /// The search before its first step, or `None` if a digit stands twice where it may stand once.
    fn new(sudoku: Sudoku, grid: &[u8], limit: usize) -> Option<Self> {
        let mut search = Self::blank(sudoku, limit);
        for (cell, &digit) in grid.iter().enumerate().filter(|(_, digit)| **digit != 0) {
            if search.candidates(cell) & (1 << digit) == 0 {
                return None;
            }
            search.toggle(cell, digit);
            search.grid[cell] = digit;
        }
        Some(search)
    }

    fn places(&self, cell: usize) -> [usize; 3] {
        let side = self.sudoku.side();
        [cell / side, cell % side, self.sudoku.box_of(cell)]
    }

    /// The digits that a cell may hold, a bit each.
    fn candidates(&self, cell: usize) -> u16 {
        let [row, column, boxed] = self.places(cell);
        let used = self.used[0][row] | self.used[1][column] | self.used[2][boxed];
        ((1 << (self.sudoku.side() + 1)) - 2) & !used
    }

    fn toggle(&mut self, cell: usize, digit: u8) {
        let places = self.places(cell);
        for (used, place) in self.used.iter_mut().zip(places) {
            used[place] ^= 1 << digit;
        }
    }

    fn fill(&mut self) {
        if self.found.len() >= self.limit {
            return;
        }
        let blank = (0..self.grid.len()).filter(|&cell| self.grid[cell] == 0);
        let next = blank
            .map(|cell| (self.candidates(cell), cell))
            .min_by_key(|(candidates, _)| candidates.count_ones());
        let Some((candidates, cell)) = next else {
            return self.found.push(self.grid.clone());
        };
        self.guesses += usize::from(candidates.count_ones() > 1);
        for digit in (1..=self.sudoku.side() as u8).filter(|digit| candidates & (1 << digit) != 0) {
            self.toggle(cell, digit);
            self.grid[cell] = digit;
            self.fill();
            self.grid[cell] = 0;
            self.toggle(cell, digit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_grids_of_four_digits_are_found() {
        let all = Sudoku::FOUR.solve(&[0; 16], usize::MAX).unwrap();
        assert_eq!(all.len(), 288);
        assert!(all.iter().all(|grid| Sudoku::FOUR.is_solved(grid)));
        assert_eq!(Sudoku::FOUR.solve(&[0; 16], 5).unwrap().len(), 5);
        assert!(Sudoku::FOUR.solve(&[0; 16], 0).unwrap().is_empty());
    }

    #[test]
    fn broken_rules_have_no_solution() {
        let mut grid = [0; 36];
        (grid[0], grid[8]) = (5, 5);
        assert!(Sudoku::SIX.solve(&grid, 2).unwrap().is_empty(), "one box");
        (grid[8], grid[30]) = (0, 5);
        assert!(Sudoku::SIX.solve(&grid, 2).unwrap().is_empty(), "a column");
        assert!(!Sudoku::SIX.is_solved(&[1; 36]));
        assert!(!Sudoku::SIX.is_solved(&[]));
    }

    #[test]
    fn grids_that_are_none_are_told() {
        assert_eq!(
            Sudoku::FOUR.solve(&[0; 15], 1).unwrap_err().to_string(),
            "solve: lengths differ\n  expected 16 cells, found 15\n  help: give the grid row by row, with 0 in blank cells"
        );
        assert_eq!(
            Sudoku::FOUR.solve(&[5; 16], 1).unwrap_err().to_string(),
            "solve: bad grid\n  expected digits 0 to 4, found 5\n  help: 0 stands for a blank cell"
        );
    }
}
