//! All solutions of a size, sorted into classes.

use super::grid::{Search, Sudoku};
use super::symmetry::{moves, renamed};
use std::sync::OnceLock;

/// The solutions whose first row is 1, 2, 3 …: each stands for those with other names for the digits.
pub(super) struct Catalogue {
    /// In ascending order.
    pub(super) forms: Vec<Vec<u8>>,
    /// The class of each form.
    pub(super) class: Vec<usize>,
    pub(super) classes: usize,
}

impl Catalogue {
    /// The catalogue in which training and test solutions are told apart.
    pub(super) fn of(sudoku: Sudoku) -> &'static Self {
        static FOUR: OnceLock<Catalogue> = OnceLock::new();
        static SIX: OnceLock<Catalogue> = OnceLock::new();
        if sudoku == Sudoku::FOUR {
            // Under all symmetries there are two classes only, and one is half of the other.
            FOUR.get_or_init(|| Self::new(sudoku, &[(0..sudoku.cells()).collect()]))
        } else {
            SIX.get_or_init(|| Self::new(sudoku, &moves(sudoku)))
        }
    }

    /// The classes that the moves leave apart.
    fn new(sudoku: Sudoku, moves: &[Vec<usize>]) -> Self {
        let mut grid = vec![0; sudoku.cells()];
        for (cell, digit) in grid[..sudoku.side()].iter_mut().zip(1..) {
            *cell = digit;
        }
        let mut forms = Search::run(sudoku, &grid, usize::MAX).found;
        forms.sort_unstable();
        let mut class = vec![usize::MAX; forms.len()];
        let mut classes = 0;
        for at in 0..forms.len() {
            if class[at] == usize::MAX {
                for cells in moves {
                    let other = renamed(cells.iter().map(|&cell| forms[at][cell]));
                    class[place(&forms, &other)] = classes;
                }
                classes += 1;
            }
        }
        Self {
            forms,
            class,
            classes,
        }
    }

    /// The class of a solution.
    pub(super) fn class_of(&self, solution: &[u8]) -> usize {
        self.class[place(&self.forms, &renamed(solution.iter().copied()))]
    }
}

fn place(forms: &[Vec<u8>], form: &[u8]) -> usize {
    forms
        .binary_search_by(|known| known.as_slice().cmp(form))
        .expect("every solution is in the catalogue")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those of B. Felgenhauer and F. Jarvis (2005) and E. Russell and F. Jarvis (2006).
    #[test]
    fn there_are_as_many_solutions_and_classes_as_others_counted() {
        let four = Catalogue::new(Sudoku::FOUR, &moves(Sudoku::FOUR));
        assert_eq!((four.forms.len() * 24, four.classes), (288, 2));
        let six = Catalogue::of(Sudoku::SIX);
        assert_eq!((six.forms.len() * 720, six.classes), (28_200_960, 49));
        assert_eq!(Catalogue::of(Sudoku::FOUR).classes, 12);
    }
}
