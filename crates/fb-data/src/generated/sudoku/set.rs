//! Puzzles for training and test.

use super::catalogue::Catalogue;
use super::grid::{Search, Sudoku};
use super::symmetry::Symmetry;
use crate::dataset::{Dataset, check_rows};
use crate::error::{Error, Result};
use fb_tensor::Tensor;
use fb_tensor::random::{Key, Rng, permutation};
use rand::RngExt as _;
use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Digs for a puzzle before the wish is called impossible.
const TRIES: usize = 2000;

/// A grid with blank cells that can be filled in one way only.
///
/// Printed, it is a drawing with dots in blank cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puzzle {
    sudoku: Sudoku,
    clues: Vec<u8>,
    solution: Vec<u8>,
    guesses: usize,
}

impl Puzzle {
    /// The digits row by row, 0 in blank cells.
    pub fn clues(&self) -> &[u8] {
        &self.clues
    }

    /// The digits of the full grid.
    pub fn solution(&self) -> &[u8] {
        &self.solution
    }

    /// How many digits are given.
    pub fn givens(&self) -> usize {
        self.clues.iter().filter(|&&digit| digit != 0).count()
    }

    /// How hard it is: how often a solver that always fills the cell with the fewest possible digits had to guess among two
    /// or more, until it knew that there is no other solution.
    pub fn guesses(&self) -> usize {
        self.guesses
    }

    /// The puzzle as a symmetry makes it look, which is as hard for whoever follows rules.
    fn changed(&self, symmetry: &Symmetry) -> Self {
        let clues = symmetry.changed(&self.clues);
        Self {
            sudoku: self.sudoku,
            guesses: Search::run(self.sudoku, &clues, 2).guesses,
            solution: symmetry.changed(&self.solution),
            clues,
        }
    }
}

impl fmt::Display for Puzzle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sudoku {
            box_rows,
            box_columns,
            ..
        } = self.sudoku;
        let lines = self.clues.chunks(self.sudoku.side()).enumerate();
        for (row, line) in lines {
            if row > 0 {
                f.write_str("\n")?;
            }
            if row > 0 && row % box_rows == 0 {
                let dashes = vec!["-".repeat(2 * box_columns - 1); box_rows];
                writeln!(f, "{}", dashes.join("-+-"))?;
            }
            let part = |part: &[u8]| {
                let digits = part.iter().map(|digit| match digit {
                    0 => ".".to_string(),
                    digit => digit.to_string(),
                });
                digits.collect::<Vec<_>>().join(" ")
            };
            let parts: Vec<String> = line.chunks(box_columns).map(part).collect();
            f.write_str(&parts.join(" | "))?;
        }
        Ok(())
    }
}

impl Sudoku {
    /// Puzzles to train on and puzzles to test with, to be made by [`Puzzles::seed`].
    ///
    /// No test solution is a training solution in disguise: solutions are sorted into classes, and each class goes to one
    /// side. For [`Sudoku::SIX`] a class is all that symmetries make of a solution; there are 49. For [`Sudoku::FOUR`] such
    /// classes are only two, so a class is what other names for the digits make of a solution; there are 12 of 24 each.
    ///
    /// # Examples
    /// ```
    /// use fb_data::Dataset;
    /// use fb_data::generated::Sudoku;
    /// let (train, test) = Sudoku::FOUR.puzzles(50, 20).givens(5..=7).seed(1)?;
    /// assert_eq!((train.len(), test.len()), (50, 20));
    /// assert_eq!(train.clues().dims(), [50, 16]);
    /// println!("{}", test.puzzles()[0]);
    /// # Ok::<(), fb_data::Error>(())
    /// ```
    pub fn puzzles(self, train: usize, test: usize) -> Puzzles {
        let least = self.least_givens;
        Puzzles {
            sudoku: self,
            train,
            test,
            givens: least..=self.cells() * 2 / 5 + 1,
            share: 0.2,
        }
    }
}

/// How puzzles are to be made; see [`Sudoku::puzzles`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Puzzles {
    sudoku: Sudoku,
    train: usize,
    test: usize,
    givens: RangeInclusive<usize>,
    share: f64,
}

impl Puzzles {
    /// How many digits are given: each puzzle draws its own number, and stops above it where no more can be taken away.
    ///
    /// From the smallest possible number, 4 or 8, to two fifths of the cells unless told otherwise.
    pub fn givens(mut self, givens: RangeInclusive<usize>) -> Self {
        self.givens = givens;
        self
    }

    /// The share of the classes of solutions that is kept for the test, 0.2 unless told otherwise; at least one class goes to
    /// either side.
    pub fn test_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// The puzzles to train on and those to test with: all different, each with one solution.
    ///
    /// A solution is drawn, each of its side as likely as any other; then digits are taken away in random order as long as no
    /// second solution appears.
    ///
    /// # Errors
    /// The number of digits given or the share is out of range, or there are not so many puzzles with so few digits.
    pub fn seed(self, seed: u64) -> Result<(SudokuSet, SudokuSet)> {
        self.check()?;
        let catalogue = Catalogue::of(self.sudoku);
        let key = Key::new(seed).fold("sudoku");
        let order = permutation(catalogue.classes, &mut key.fold("classes").rng());
        let kept = (self.share * catalogue.classes as f64).round() as usize;
        let mut in_test = vec![false; catalogue.classes];
        for class in &order[..kept.clamp(1, catalogue.classes - 1)] {
            in_test[*class] = true;
        }
        let side = |path: &str, count, is_test: bool| -> Result<SudokuSet> {
            let forms = (0..catalogue.forms.len())
                .filter(|&at| in_test[catalogue.class[at]] == is_test)
                .collect();
            let allowed = in_test.iter().map(|&kept| kept == is_test).collect();
            let puzzles = self.dig(forms, count, &key.fold(path))?;
            Ok(SudokuSet {
                sudoku: self.sudoku,
                puzzles,
                allowed,
            })
        };
        Ok((
            side("train", self.train, false)?,
            side("test", self.test, true)?,
        ))
    }

    fn check(&self) -> Result<()> {
        let known = self.sudoku.least_givens..=self.sudoku.cells();
        let (start, end) = (*self.givens.start(), *self.givens.end());
        if !(known.contains(&start) && known.contains(&end) && start <= end) {
            return Err(self.bad_givens("no puzzle with fewer digits has only one solution"));
        }
        if !(0.0..=1.0).contains(&self.share) {
            return Err(Error::Argument {
                op: "puzzles",
                argument: "test_share",
                expected: "a share from 0 to 1".to_string(),
                found: self.share.to_string(),
                help: "0.2 keeps a fifth of the classes for the test",
            });
        }
        Ok(())
    }

    fn bad_givens(&self, help: &'static str) -> Error {
        Error::Argument {
            op: "puzzles",
            argument: "givens",
            expected: format!(
                "a range within {}..={} and with enough puzzles",
                self.sudoku.least_givens,
                self.sudoku.cells()
            ),
            found: format!("{:?}", self.givens),
            help,
        }
    }

    /// So many different puzzles of the solutions with the given numbers.
    fn dig(&self, forms: Vec<usize>, count: usize, key: &Key) -> Result<Vec<Puzzle>> {
        let catalogue = Catalogue::of(self.sudoku);
        let mut rng = key.rng();
        let mut seen = HashSet::new();
        let mut puzzles = Vec::with_capacity(count);
        for _ in 0..count {
            let mut tries = (0..TRIES).map(|_| {
                let form = &catalogue.forms[forms[rng.random_range(0..forms.len())]];
                let names = permutation(self.sudoku.side(), &mut rng);
                let solution = form
                    .iter()
                    .map(|&digit| names[usize::from(digit) - 1] as u8 + 1);
                self.dig_one(solution.collect(), &mut rng)
            });
            let fits = |puzzle: &Puzzle| {
                self.givens.contains(&puzzle.givens()) && seen.insert(puzzle.clues.clone())
            };
            let help = "ask for more digits or for fewer puzzles";
            let puzzle = tries.find(fits);
            puzzles.push(puzzle.ok_or_else(|| self.bad_givens(help))?);
        }
        Ok(puzzles)
    }

    fn dig_one(&self, solution: Vec<u8>, rng: &mut Rng) -> Puzzle {
        let wanted = rng.random_range(self.givens.clone());
        let mut clues = solution.clone();
        let mut left = clues.len();
        for cell in permutation(clues.len(), rng) {
            if left == wanted {
                break;
            }
            let digit = std::mem::take(&mut clues[cell]);
            if Search::run(self.sudoku, &clues, 2).found.len() == 1 {
                left -= 1;
            } else {
                clues[cell] = digit;
            }
        }
        Puzzle {
            sudoku: self.sudoku,
            guesses: Search::run(self.sudoku, &clues, 2).guesses,
            clues,
            solution,
        }
    }
}

/// Puzzles of one side, training or test.
///
/// As a [`Dataset`] its batches are those rows of [`SudokuSet::clues`] and [`SudokuSet::classes`].
#[derive(Clone, Debug)]
pub struct SudokuSet {
    sudoku: Sudoku,
    puzzles: Vec<Puzzle>,
    /// For each class of solutions whether it belongs to this side.
    allowed: Arc<[bool]>,
}

impl SudokuSet {
    /// The size of the puzzles.
    pub fn sudoku(&self) -> Sudoku {
        self.sudoku
    }

    /// The puzzles.
    pub fn puzzles(&self) -> &[Puzzle] {
        &self.puzzles
    }

    /// What is given, as indices for an embedding: 0 in blank cells, else the digit.
    ///
    /// # Shapes
    /// - returns `[puzzles, cells]`, values 0 to [`Sudoku::side`]
    pub fn clues(&self) -> Tensor<i64> {
        clues(self.sudoku, self.puzzles.iter())
    }

    /// What is given, one number a digit: the first of a cell says that it is blank.
    ///
    /// # Shapes
    /// - returns `[puzzles, cells, side + 1]`, ones and zeros
    pub fn clues_one_hot(&self) -> Tensor {
        let kinds = self.sudoku.side() + 1;
        let mut x = vec![0.0; self.puzzles.len() * self.sudoku.cells() * kinds];
        let digits = self.puzzles.iter().flat_map(|puzzle| &puzzle.clues);
        for (cell, &digit) in x.chunks_exact_mut(kinds).zip(digits) {
            cell[usize::from(digit)] = 1.0;
        }
        Tensor::from_vec(x, [self.puzzles.len(), self.sudoku.cells(), kinds])
    }

    /// What is asked, as classes: the digit of each cell less one.
    ///
    /// # Shapes
    /// - returns `[puzzles, cells]`, values 0 to [`Sudoku::side`] − 1
    pub fn classes(&self) -> Tensor<i64> {
        classes(self.sudoku, self.puzzles.iter())
    }

    /// The same puzzles, each changed by a random [`Symmetry`], so that a network sees more of them than there are.
    ///
    /// The solutions stay on their side: for [`Sudoku::FOUR`], where symmetries lead from class to class, others are drawn
    /// until one does.
    #[must_use]
    pub fn augmented(&self, seed: u64) -> Self {
        let catalogue = Catalogue::of(self.sudoku);
        let key = Key::new(seed).fold("sudoku/augmented");
        let change = |(row, puzzle): (usize, &Puzzle)| {
            let mut rng = key.at(0, row as u64);
            let mut draws = std::iter::repeat_with(|| Symmetry::random(self.sudoku, &mut rng));
            let stays = |symmetry: &Symmetry| {
                self.allowed[catalogue.class_of(&symmetry.changed(&puzzle.solution))]
            };
            let symmetry = draws.find(stays).expect("an endless sequence");
            puzzle.changed(&symmetry)
        };
        Self {
            puzzles: self.puzzles.iter().enumerate().map(change).collect(),
            ..self.clone()
        }
    }
}

impl Dataset for SudokuSet {
    type Batch = (Tensor<i64>, Tensor<i64>);

    fn len(&self) -> usize {
        self.puzzles.len()
    }

    fn batch(&self, rows: &[usize]) -> Result<Self::Batch> {
        check_rows("batch", rows, self.len())?;
        let chosen = || rows.iter().map(|&row| &self.puzzles[row]);
        Ok((clues(self.sudoku, chosen()), classes(self.sudoku, chosen())))
    }
}

fn clues<'a>(sudoku: Sudoku, puzzles: impl Iterator<Item = &'a Puzzle>) -> Tensor<i64> {
    let digits = puzzles.flat_map(|puzzle| puzzle.clues.iter().map(|&digit| i64::from(digit)));
    grids(sudoku, digits.collect())
}

fn classes<'a>(sudoku: Sudoku, puzzles: impl Iterator<Item = &'a Puzzle>) -> Tensor<i64> {
    let digits = puzzles.flat_map(|puzzle| puzzle.solution.iter().map(|&d| i64::from(d) - 1));
    grids(sudoku, digits.collect())
}

fn grids(sudoku: Sudoku, digits: Vec<i64>) -> Tensor<i64> {
    let rows = digits.len() / sudoku.cells();
    Tensor::from_vec(digits, [rows, sudoku.cells()])
}

#[cfg(test)]
mod tests {
    use super::super::symmetry::{moves, renamed};
    use super::*;

    fn sets(sudoku: Sudoku, seed: u64) -> (SudokuSet, SudokuSet) {
        sudoku.puzzles(40, 15).seed(seed).unwrap()
    }

    /// Tries every digit in every blank cell, first cell first, and looks at whole lines and boxes only.
    fn count_by_brute_force(sudoku: Sudoku, grid: &mut Vec<u8>, from: usize) -> usize {
        let (side, box_rows, box_columns) = (sudoku.side(), sudoku.box_rows, sudoku.box_columns);
        let Some(cell) = (from..grid.len()).find(|&cell| grid[cell] == 0) else {
            return 1;
        };
        let (row, column) = (cell / side, cell % side);
        let mut count = 0;
        for digit in 1..=side as u8 {
            let clash = (0..side * side).any(|other| {
                let (r, c) = (other / side, other % side);
                let same_box =
                    r / box_rows == row / box_rows && c / box_columns == column / box_columns;
                grid[other] == digit && (r == row || c == column || same_box)
            });
            if !clash {
                grid[cell] = digit;
                count += count_by_brute_force(sudoku, grid, cell + 1);
                grid[cell] = 0;
            }
        }
        count
    }

    /// The smallest grid that any symmetry makes of a solution.
    fn canonical(sudoku: Sudoku, solution: &[u8]) -> Vec<u8> {
        let moved = |cells: Vec<usize>| renamed(cells.into_iter().map(|cell| solution[cell]));
        moves(sudoku).into_iter().map(moved).min().unwrap()
    }

    #[test]
    fn every_puzzle_has_one_solution() {
        for sudoku in [Sudoku::FOUR, Sudoku::SIX] {
            let (train, test) = sets(sudoku, 5);
            for puzzle in train.puzzles().iter().chain(test.puzzles()) {
                let mut grid = puzzle.clues.clone();
                assert_eq!(count_by_brute_force(sudoku, &mut grid, 0), 1, "{puzzle}");
                assert!(sudoku.is_solved(puzzle.solution()));
                let kept = puzzle.clues.iter().zip(&puzzle.solution);
                assert!(
                    kept.into_iter()
                        .all(|(clue, digit)| [0, *digit].contains(clue))
                );
                assert!(puzzle.givens() >= sudoku.least_givens);
            }
        }
    }

    #[test]
    fn no_test_solution_is_a_training_solution_in_disguise() {
        let (train, test) = sets(Sudoku::SIX, 2);
        let (more, other) = (train.augmented(1), test.augmented(1));
        let forms = |sets: [&SudokuSet; 2]| -> HashSet<Vec<u8>> {
            let solutions = sets.into_iter().flat_map(SudokuSet::puzzles);
            solutions
                .map(|p| canonical(Sudoku::SIX, &p.solution))
                .collect()
        };
        assert!(forms([&train, &more]).is_disjoint(&forms([&test, &other])));
    }

    #[test]
    fn of_four_digits_no_test_solution_is_a_renamed_training_solution() {
        let (train, test) = sets(Sudoku::FOUR, 2);
        let names = |set: &SudokuSet| -> HashSet<Vec<u8>> {
            let solutions = set.puzzles().iter().map(|puzzle| puzzle.solution.iter());
            solutions.map(|digits| renamed(digits.copied())).collect()
        };
        let mut training = names(&train);
        for seed in 0..20 {
            training.extend(names(&train.augmented(seed)));
        }
        assert!(training.len() > 8, "symmetries lead from class to class");
        assert!(training.is_disjoint(&names(&test)));
    }

    #[test]
    fn augmented_puzzles_are_puzzles_of_the_same_kind() {
        let (train, _) = sets(Sudoku::SIX, 3);
        let other = train.augmented(7);
        assert_eq!(other.clues(), train.augmented(7).clues());
        assert_ne!(other.clues(), train.augmented(8).clues());
        for (puzzle, before) in other.puzzles().iter().zip(train.puzzles()) {
            assert_eq!(puzzle.givens(), before.givens());
            let found = Sudoku::SIX.solve(puzzle.clues(), 2).unwrap();
            assert_eq!(found, vec![puzzle.solution.clone()]);
        }
    }

    #[test]
    fn puzzles_differ_and_come_again_with_the_seed() {
        let (train, test) = sets(Sudoku::FOUR, 9);
        let clues: HashSet<&[u8]> = train.puzzles().iter().map(Puzzle::clues).collect();
        assert_eq!(clues.len(), 40);
        let (again, other) = (sets(Sudoku::FOUR, 9), sets(Sudoku::FOUR, 10));
        assert_eq!(
            (train.clues(), test.clues()),
            (again.0.clues(), again.1.clues())
        );
        assert_ne!(train.clues(), other.0.clues());
    }

    #[test]
    fn tensors_say_what_the_puzzles_say() {
        let (train, _) = sets(Sudoku::FOUR, 4);
        let (puzzle, hot) = (&train.puzzles()[3], train.clues_one_hot());
        assert_eq!(hot.dims(), [40, 16, 5]);
        let (x, y) = train.batch(&[3, 3]).unwrap();
        assert_eq!((x.dims(), y.dims()), (&[2, 16][..], &[2, 16][..]));
        for cell in 0..16 {
            let digit = usize::from(puzzle.clues()[cell]);
            assert_eq!(train.clues().at(&[3, cell]), digit as i64);
            assert_eq!(x.at(&[1, cell]), digit as i64);
            for kind in 0..5 {
                assert_eq!(hot.at(&[3, cell, kind]) == 1.0, kind == digit);
            }
            let asked = i64::from(puzzle.solution()[cell]) - 1;
            assert_eq!(
                (train.classes().at(&[3, cell]), y.at(&[0, cell])),
                (asked, asked)
            );
        }
        assert!(train.batch(&[40]).is_err());
        let (none, _) = Sudoku::FOUR.puzzles(0, 1).seed(1).unwrap();
        assert_eq!((none.clues().dims(), none.len()), (&[0, 16][..], 0));
    }

    #[test]
    fn numbers_of_givens_are_kept_or_told() {
        let (train, test) = Sudoku::SIX.puzzles(10, 5).givens(12..=13).seed(1).unwrap();
        let all = train.puzzles().iter().chain(test.puzzles());
        assert!(
            all.map(Puzzle::givens)
                .all(|givens| (12..=13).contains(&givens))
        );
        assert_eq!(
            Sudoku::FOUR
                .puzzles(1, 1)
                .givens(3..=5)
                .seed(1)
                .unwrap_err()
                .to_string(),
            "puzzles: bad givens\n  expected a range within 4..=16 and with enough puzzles, found 3..=5\n  help: no puzzle with fewer digits has only one solution"
        );
        let full = Sudoku::FOUR.puzzles(500, 1).givens(16..=16).seed(1);
        assert!(full.unwrap_err().to_string().contains("for fewer puzzles"));
        assert!(
            Sudoku::FOUR
                .puzzles(1, 1)
                .test_share(f64::NAN)
                .seed(1)
                .is_err()
        );
        let extreme = Sudoku::FOUR.puzzles(5, 5).test_share(1.0).seed(1).unwrap();
        assert_eq!((extreme.0.len(), extreme.1.len()), (5, 5));
    }

    #[test]
    fn a_puzzle_is_drawn() {
        let puzzle = Puzzle {
            sudoku: Sudoku::FOUR,
            clues: vec![1, 0, 0, 0, 0, 0, 3, 0, 0, 1, 0, 0, 0, 0, 0, 2],
            solution: vec![1; 16],
            guesses: 0,
        };
        assert_eq!(
            puzzle.to_string(),
            "1 . | . .\n. . | 3 .\n----+----\n. 1 | . .\n. . | . 2"
        );
    }
}
