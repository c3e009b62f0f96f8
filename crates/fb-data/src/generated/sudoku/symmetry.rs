//! What turns one Sudoku into another.

use super::grid::Sudoku;
use crate::error::Result;
use fb_tensor::random::{Rng, permutation};
use rand::RngExt as _;

/// A change of a grid that keeps the rules, and with them the number of solutions: other names for the digits, another order
/// of the bands of boxes, of the rows in a band, of the stacks and of the columns in a stack, and where boxes are square,
/// rows for columns.
///
/// # Examples
/// ```
/// use fb_data::generated::{Sudoku, Symmetry};
/// use fb_tensor::random::Key;
/// let solved = Sudoku::FOUR.solve(&[0; 16], 1)?.remove(0);
/// let other = Symmetry::random(Sudoku::FOUR, &mut Key::new(3).rng()).apply(&solved)?;
/// assert!(Sudoku::FOUR.is_solved(&other));
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symmetry {
    sudoku: Sudoku,
    /// Where each cell is taken from.
    cells: Vec<usize>,
    /// What each digit becomes; blank stays blank.
    digits: Vec<u8>,
}

impl Symmetry {
    /// One of all symmetries, each as likely as any other.
    pub fn random(sudoku: Sudoku, rng: &mut Rng) -> Self {
        let rows = random_lines(sudoku.box_columns, sudoku.box_rows, rng);
        let columns = random_lines(sudoku.box_rows, sudoku.box_columns, rng);
        let turned = sudoku.box_rows == sudoku.box_columns && rng.random_range(0..2) == 1;
        let names = permutation(sudoku.side(), rng);
        Self {
            sudoku,
            cells: move_of(&rows, &columns, turned),
            digits: [0]
                .into_iter()
                .chain(names.into_iter().map(|name| name as u8 + 1))
                .collect(),
        }
    }

    /// The grid so changed.
    ///
    /// # Errors
    /// The grid has another number of cells, or a digit is too large.
    pub fn apply(&self, grid: &[u8]) -> Result<Vec<u8>> {
        self.sudoku.check("apply", grid)?;
        Ok(self.changed(grid))
    }

    pub(super) fn changed(&self, grid: &[u8]) -> Vec<u8> {
        let cells = self.cells.iter().map(|&cell| grid[cell]);
        cells.map(|digit| self.digits[usize::from(digit)]).collect()
    }
}

/// Every way to move cells, without other names for the digits.
pub(super) fn moves(sudoku: Sudoku) -> Vec<Vec<usize>> {
    let rows = all_lines(sudoku.box_columns, sudoku.box_rows);
    let columns = all_lines(sudoku.box_rows, sudoku.box_columns);
    let turns: &[bool] = if sudoku.box_rows == sudoku.box_columns {
        &[false, true]
    } else {
        &[false]
    };
    let mut moves = Vec::new();
    for rows in &rows {
        for columns in &columns {
            moves.extend(turns.iter().map(|&turned| move_of(rows, columns, turned)));
        }
    }
    moves
}

/// The grid with digits named in the order in which they come.
pub(super) fn renamed(grid: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut names = [0_u8; 16];
    let mut next = 0;
    grid.map(|digit| {
        let name = &mut names[usize::from(digit)];
        if *name == 0 {
            next += 1;
            *name = next;
        }
        *name
    })
    .collect()
}

fn move_of(rows: &[usize], columns: &[usize], turned: bool) -> Vec<usize> {
    let side = columns.len();
    let cells = (0..side * side).map(|cell| {
        let (row, column) = (rows[cell / side], columns[cell % side]);
        if turned {
            column * side + row
        } else {
            row * side + column
        }
    });
    cells.collect()
}

/// Rows (or columns) in another order that keeps those of a band (or stack) together.
fn random_lines(groups: usize, size: usize, rng: &mut Rng) -> Vec<usize> {
    let mut lines = Vec::with_capacity(groups * size);
    for group in permutation(groups, rng) {
        lines.extend(permutation(size, rng).iter().map(|at| group * size + at));
    }
    lines
}

/// All that [`random_lines`] may give.
fn all_lines(groups: usize, size: usize) -> Vec<Vec<usize>> {
    let inside = orders(size);
    let mut all = Vec::new();
    for order in orders(groups) {
        let mut partial: Vec<Vec<usize>> = vec![Vec::new()];
        for group in order {
            let longer = |lines: &Vec<usize>| {
                let lines = lines.clone();
                inside.iter().map(move |inside| {
                    let more = inside.iter().map(|at| group * size + at);
                    lines.iter().copied().chain(more).collect()
                })
            };
            partial = partial.iter().flat_map(longer).collect();
        }
        all.extend(partial);
    }
    all
}

/// All orders of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(last) {
        for at in 0..n {
            let mut order = order.clone();
            order.insert(at, last);
            all.push(order);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::random::Key;
    use std::collections::HashSet;

    #[test]
    fn moves_are_as_many_as_counted_by_hand() {
        for (sudoku, count) in [(Sudoku::FOUR, 8 * 8 * 2), (Sudoku::SIX, 48 * 72)] {
            let moves: HashSet<_> = moves(sudoku).into_iter().collect();
            assert_eq!(moves.len(), count);
        }
    }

    #[test]
    fn solved_stays_solved() {
        let mut rng = Key::new(1).rng();
        for sudoku in [Sudoku::FOUR, Sudoku::SIX] {
            let solved = sudoku.solve(&vec![0; sudoku.cells()], 1).unwrap().remove(0);
            let all: HashSet<Vec<usize>> = moves(sudoku).into_iter().collect();
            for _ in 0..50 {
                let symmetry = Symmetry::random(sudoku, &mut rng);
                assert!(all.contains(&symmetry.cells));
                assert!(sudoku.is_solved(&symmetry.apply(&solved).unwrap()));
            }
            for cells in &all {
                let moved: Vec<u8> = cells.iter().map(|&cell| solved[cell]).collect();
                assert!(sudoku.is_solved(&moved));
            }
        }
    }

    #[test]
    fn digits_are_named_as_they_come() {
        assert_eq!(renamed([3, 1, 3, 2].into_iter()), [1, 2, 1, 3]);
    }
}
