//! What a table holds, column by column.

use super::{Column, Table, number_word};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A summary of a table; prints as a text table.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// How many rows the table has.
    pub rows: usize,
    /// One summary per column, in order.
    pub columns: Vec<ColumnDescription>,
}

/// A summary of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDescription {
    /// The column's name.
    pub name: String,
    /// How many values are there.
    pub count: usize,
    /// How many values are missing.
    pub missing: usize,
    /// What the values look like; `None` if every value is missing.
    pub statistics: Option<ColumnStatistics>,
}

/// The statistics of the values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnStatistics {
    /// Of numbers.
    Numbers {
        /// Arithmetic mean.
        mean: f64,
        /// Sample standard deviation, `√(Σ(x − mean)² / (count − 1))`; 0 for a single value.
        std: f64,
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Of words.
    Text {
        /// How many different words.
        distinct: usize,
        /// The most frequent word, the first in the alphabet among equals.
        most_frequent: String,
        /// How often it occurs.
        frequency: usize,
    },
}

impl Table {
    /// Count, gaps and statistics of every column.
    ///
    /// # Examples
    /// ```
    /// use fb_data::table::{Column, Table};
    /// let table = Table::from_columns([
    ///     ("width", Column::Numbers(vec![Some(1.0), None, Some(3.0)])),
    ///     ("kind", Column::text(["b", "a", "b"])),
    /// ])?;
    /// assert_eq!(table.describe().to_string(), "\
    /// 3 rows
    /// column  count  missing  mean    std  min  max  distinct  most frequent
    /// width       2        1     2  1.414    1    3         -  -
    /// kind        3        0     -      -    -    -         2  b (2)
    /// ");
    /// # Ok::<(), fb_data::Error>(())
    /// ```
    pub fn describe(&self) -> Description {
        let describe = |(name, column): (&str, &Column)| ColumnDescription {
            name: name.to_string(),
            count: column.len() - column.missing(),
            missing: column.missing(),
            statistics: statistics(column),
        };
        Description {
            rows: self.len(),
            columns: self.columns().map(describe).collect(),
        }
    }
}

fn statistics(column: &Column) -> Option<ColumnStatistics> {
    match column {
        Column::Numbers(values) => numbers(&values.iter().flatten().copied().collect::<Vec<_>>()),
        Column::Text(values) => {
            let (most_frequent, frequency) = most_frequent(values.iter().flatten())?;
            Some(ColumnStatistics::Text {
                distinct: values.iter().flatten().collect::<BTreeSet<_>>().len(),
                most_frequent: most_frequent.clone(),
                frequency,
            })
        }
    }
}

fn numbers(values: &[f64]) -> Option<ColumnStatistics> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some(ColumnStatistics::Numbers {
        mean,
        std: (squares / (values.len().max(2) - 1) as f64).sqrt(),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// The arithmetic mean; dividing before adding keeps large numbers finite.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    match values.is_empty() {
        true => None,
        false if sum.is_finite() => Some(sum / count),
        false => Some(values.iter().map(|value| value / count).sum()),
    }
}

/// The most frequent item with its frequency, the least among equals.
pub(crate) fn most_frequent<T: Ord>(items: impl Iterator<Item = T>) -> Option<(T, usize)> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    // `max_by_key` keeps the last of equal maxima: walking backwards makes that the least item.
    counts.into_iter().rev().max_by_key(|&(_, count)| count)
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "column",
            "count",
            "missing",
            "mean",
            "std",
            "min",
            "max",
            "distinct",
            "most frequent",
        ];
        let mut lines = vec![header.map(str::to_string)];
        lines.extend(self.columns.iter().map(line));
        let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max();
        let widths: Vec<usize> = (0..header.len()).filter_map(width).collect();
        writeln!(f, "{} rows", self.rows)?;
        for line in &lines {
            write!(f, "{:<width$}", line[0], width = widths[0])?;
            for (cell, width) in line[1..8].iter().zip(&widths[1..]) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f, "  {}", line[8])?;
        }
        Ok(())
    }
}

fn line(column: &ColumnDescription) -> [String; 9] {
    let none = || "-".to_string();
    let [
        mut mean,
        mut std,
        mut min,
        mut max,
        mut distinct,
        mut frequent,
    ] = std::array::from_fn(|_| none());
    match &column.statistics {
        Some(ColumnStatistics::Numbers {
            mean: m,
            std: s,
            min: low,
            max: high,
        }) => {
            [mean, std, min, max] = [*m, *s, *low, *high].map(four_digits);
        }
        Some(ColumnStatistics::Text {
            distinct: count,
            most_frequent,
            frequency,
        }) => {
            distinct = count.to_string();
            frequent = format!("{most_frequent} ({frequency})");
        }
        None => {}
    }
    let [count, missing] = [column.count, column.missing].map(|count| count.to_string());
    [
        column.name.clone(),
        count,
        missing,
        mean,
        std,
        min,
        max,
        distinct,
        frequent,
    ]
}

/// A number to four significant digits, without trailing zeros.
fn four_digits(number: f64) -> String {
    let rounded = format!("{number:.3e}").parse().unwrap_or(number);
    number_word(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_values_present() {
        let column = Column::Numbers(vec![Some(2.0), None, Some(4.0), Some(9.0)]);
        let Some(ColumnStatistics::Numbers {
            mean,
            std,
            min,
            max,
        }) = statistics(&column)
        else {
            panic!("numbers expected");
        };
        assert_eq!((mean, min, max), (5.0, 2.0, 9.0));
        assert!((std - 13.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(statistics(&Column::Numbers(vec![None])), None);
        assert_eq!(statistics(&Column::Text(vec![None])), None);
    }

    #[test]
    fn a_single_value_has_no_spread_and_huge_ones_a_mean() {
        let one = numbers(&[7.0]);
        assert!(matches!(one, Some(ColumnStatistics::Numbers { std, .. }) if std == 0.0));
        assert_eq!(mean(&[f64::MAX, f64::MAX]), Some(f64::MAX));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn the_least_of_equally_frequent_items_is_taken() {
        assert_eq!(
            most_frequent(["b", "a", "c", "a", "b"].iter()),
            Some((&"a", 2))
        );
        assert_eq!(most_frequent(std::iter::empty::<u8>()), None);
    }

    #[test]
    fn numbers_are_shown_to_four_digits() {
        assert_eq!(four_digits(1.0 / 3.0), "0.3333");
        assert_eq!(four_digits(12_345.6), "12350");
        assert_eq!(four_digits(-2.0), "-2");
        assert_eq!(four_digits(1.23456e-9), "1.235e-9");
    }
}
