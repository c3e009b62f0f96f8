//! Values for gaps.

use super::{Fitted, Transform};
use crate::error::{Error, Result};
use crate::table::{Column, Table, Value, mean, most_frequent};

/// What stands for a missing value.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Fill {
    /// The mean of the numbers.
    Mean,
    /// The median of the numbers; the mean of the middle two if their count is even.
    Median,
    /// The most frequent value, the least among equals.
    MostFrequent,
    /// The nearest value above it in the same table. A gap in the first row stays.
    Previous,
    /// Always this value.
    Constant(Value),
}

impl Fill {
    /// Always this number or word.
    pub fn constant(value: impl Into<Value>) -> Self {
        Self::Constant(value.into())
    }
}

/// Fills missing values, column by column, with what training rows suggest.
///
/// Columns that no rule names are left as they are.
///
/// # Errors
/// A column does not exist, has no values to learn from, or does not hold what the rule needs.
///
/// # Examples
/// ```
/// use fb_data::transform::{Fill, FillMissing, Fitted, Transform};
/// use fb_data::{Column, Table};
///
/// let train = Table::from_columns([("age", Column::Numbers(vec![Some(20.0), Some(40.0), None]))])?;
/// let test = Table::from_columns([("age", Column::Numbers(vec![None, Some(90.0)]))])?;
/// let filler = FillMissing::new().column("age", Fill::Mean).fit(&train)?;
/// // The mean is that of the training rows: the 90 does not move it.
/// assert_eq!(filler.transform(&test)?.numbers("age")?.to_vec(), [30.0, 90.0]);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FillMissing {
    rules: Vec<(String, Fill)>,
}

/// A fitted [`FillMissing`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FittedFill {
    rules: Vec<(String, Filler)>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Filler {
    Value(Value),
    Previous,
}

impl FillMissing {
    /// No rules yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A rule for one column, in place of an earlier one for it.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, fill: Fill) -> Self {
        let name = name.into();
        self.rules.retain(|(known, _)| *known != name);
        self.rules.push((name, fill));
        self
    }

    /// The same rule for several columns.
    #[must_use]
    pub fn columns<S: Into<String>>(self, names: impl IntoIterator<Item = S>, fill: Fill) -> Self {
        names
            .into_iter()
            .fold(self, |plan, name| plan.column(name, fill.clone()))
    }
}

impl Transform for FillMissing {
    type Fitted = FittedFill;

    fn fit(&self, table: &Table) -> Result<FittedFill> {
        let fit = |(name, fill): &(String, Fill)| Ok((name.clone(), fit(table, name, fill)?));
        Ok(FittedFill {
            rules: self.rules.iter().map(fit).collect::<Result<_>>()?,
        })
    }
}

impl Fitted for FittedFill {
    type Input = Table;
    type Output = Table;

    fn transform(&self, table: &Table) -> Result<Table> {
        let mut filled = table.clone();
        for (name, filler) in &self.rules {
            filled.replace(name, apply(name, table.column(name)?, filler)?);
        }
        Ok(filled)
    }
}

impl Table {
    /// Fills the gaps of these columns by a rule fitted on this very table.
    ///
    /// With a test table at hand, fit a [`FillMissing`] on the training table instead and apply it
    /// to both.
    ///
    /// # Errors
    /// As [`FillMissing`].
    ///
    /// # Examples
    /// ```
    /// use fb_data::transform::Fill;
    /// use fb_data::{Column, Table};
    /// let table = Table::from_columns([("a", Column::Numbers(vec![Some(1.0), None, Some(4.0)]))])?;
    /// let filled = table.fill_missing(&["a"], Fill::Previous)?;
    /// assert_eq!(filled.numbers("a")?.to_vec(), [1.0, 1.0, 4.0]);
    /// # Ok::<(), fb_data::Error>(())
    /// ```
    pub fn fill_missing(&self, names: &[&str], fill: Fill) -> Result<Self> {
        FillMissing::new()
            .columns(names.iter().copied(), fill)
            .fit(self)?
            .transform(self)
    }
}

fn fit(table: &Table, name: &str, fill: &Fill) -> Result<Filler> {
    let numbers = || -> Result<Vec<f64>> {
        Ok(table
            .number_values("fill_missing", name)?
            .iter()
            .flatten()
            .copied()
            .collect())
    };
    let value = match fill {
        Fill::Mean => mean(&numbers()?).map(Value::Number),
        Fill::Median => median(numbers()?).map(Value::Number),
        Fill::MostFrequent => frequent(table.column(name)?),
        Fill::Constant(value) => Some(usable(name, value)?),
        Fill::Previous => {
            table.column(name)?;
            return Ok(Filler::Previous);
        }
    };
    match value {
        Some(value) => Ok(Filler::Value(value)),
        None => Err(Error::Empty {
            op: "fill_missing",
            what: format!("values in column \"{name}\""),
            help: "drop the column with .drop_columns(&[..]), or fill with Fill::constant(..)",
        }),
    }
}

/// A constant that a column may hold.
fn usable(name: &str, value: &Value) -> Result<Value> {
    match value {
        Value::Number(number) if !number.is_finite() => Err(Error::Argument {
            op: "fill_missing",
            argument: "constant",
            expected: "a finite number".to_string(),
            found: format!("{number} for column \"{name}\""),
            help: "leave the gap, or drop the row with .drop_missing()",
        }),
        value => Ok(value.clone()),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(values[middle - 1].midpoint(values[middle])),
    }
}

fn frequent(column: &Column) -> Option<Value> {
    match column {
        Column::Text(values) => {
            most_frequent(values.iter().flatten()).map(|(word, _)| Value::Text(word.clone()))
        }
        Column::Numbers(values) => {
            let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
            sorted.sort_by(f64::total_cmp);
            // The first of the longest runs is the least of the most frequent numbers.
            let runs = sorted.chunk_by(|a, b| a == b).rev();
            runs.max_by_key(|run| run.len())
                .map(|run| Value::Number(run[0]))
        }
    }
}

fn apply(name: &str, column: &Column, filler: &Filler) -> Result<Column> {
    match (column, filler) {
        (Column::Numbers(values), Filler::Previous) => Ok(Column::Numbers(carry(values))),
        (Column::Text(values), Filler::Previous) => Ok(Column::Text(carry(values))),
        (Column::Numbers(values), Filler::Value(Value::Number(number))) => Ok(Column::Numbers(
            values.iter().map(|value| value.or(Some(*number))).collect(),
        )),
        (Column::Text(values), Filler::Value(Value::Text(word))) => {
            let fill = |value: &Option<String>| value.clone().or_else(|| Some(word.clone()));
            Ok(Column::Text(values.iter().map(fill).collect()))
        }
        (column, Filler::Value(value)) => Err(Error::ColumnType {
            op: "fill_missing",
            column: name.to_string(),
            expected: match value {
                Value::Number(_) => "numbers",
                Value::Text(_) => "text",
            },
            found: column.kind(),
            detail: match value {
                Value::Number(number) => format!("the value to fill in is {number}"),
                Value::Text(word) => format!("the value to fill in is \"{word}\""),
            },
            help: "fill a column with values of its own type; Csv::text(name) and Csv::number(name) set types",
        }),
    }
}

fn carry<T: Clone>(values: &[Option<T>]) -> Vec<Option<T>> {
    let carried = values.iter().scan(None, |last: &mut Option<T>, value| {
        if value.is_some() {
            last.clone_from(value);
        }
        Some(last.clone())
    });
    carried.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::from_columns([
            (
                "n",
                Column::Numbers(vec![None, Some(1.0), Some(7.0), None, Some(1.0), Some(5.0)]),
            ),
            (
                "t",
                Column::Text(["b", "a", "", "b", "a", "c"].map(word).to_vec()),
            ),
            ("none", Column::Numbers(vec![None; 6])),
        ])
        .unwrap()
    }

    fn word(word: &str) -> Option<String> {
        Some(word.to_string()).filter(|word| !word.is_empty())
    }

    #[test]
    fn each_rule_fills_with_its_statistic() {
        let filled = |fill| {
            table()
                .fill_missing(&["n"], fill)
                .unwrap()
                .numbers("n")
                .unwrap()
        };
        assert_eq!(filled(Fill::Mean).to_vec(), [3.5, 1.0, 7.0, 3.5, 1.0, 5.0]);
        assert_eq!(
            filled(Fill::Median).to_vec(),
            [3.0, 1.0, 7.0, 3.0, 1.0, 5.0]
        );
        assert_eq!(
            filled(Fill::MostFrequent).to_vec(),
            [1.0, 1.0, 7.0, 1.0, 1.0, 5.0]
        );
        assert_eq!(
            filled(Fill::constant(0.0)).to_vec(),
            [0.0, 1.0, 7.0, 0.0, 1.0, 5.0]
        );
        let words = |fill| table().fill_missing(&["t"], fill).unwrap();
        assert_eq!(
            words(Fill::MostFrequent)
                .column("t")
                .unwrap()
                .word(2)
                .unwrap(),
            "a"
        );
        assert_eq!(
            words(Fill::constant("z"))
                .column("t")
                .unwrap()
                .word(2)
                .unwrap(),
            "z"
        );
    }

    #[test]
    fn the_previous_value_is_carried_down_and_never_up() {
        let carried = table().fill_missing(&["n", "t"], Fill::Previous).unwrap();
        let expected = [None, Some(1.0), Some(7.0), Some(7.0), Some(1.0), Some(5.0)];
        assert_eq!(
            carried.column("n").unwrap(),
            &Column::Numbers(expected.to_vec())
        );
        assert_eq!(carried.column("t").unwrap().word(2).unwrap(), "a");
        let error = carried.numbers("n").unwrap_err().to_string();
        assert!(error.contains("row 0, column \"n\""), "{error}");
    }

    #[test]
    fn a_later_rule_replaces_an_earlier_one() {
        let plan = FillMissing::new()
            .column("n", Fill::Mean)
            .column("n", Fill::constant(9.0));
        let filled = plan.fit(&table()).unwrap().transform(&table()).unwrap();
        assert_eq!(filled.numbers("n").unwrap().at(&[0]), 9.0);
    }

    #[test]
    fn rules_that_do_not_fit_are_told() {
        let error = |name, fill| table().fill_missing(&[name], fill).unwrap_err().to_string();
        assert_eq!(
            error("none", Fill::Mean),
            "fill_missing: no values in column \"none\"\n  expected at least one, found none\n  help: drop the column with .drop_columns(&[..]), or fill with Fill::constant(..)"
        );
        assert_eq!(
            error("n", Fill::constant("z")),
            "fill_missing: column \"n\" holds numbers\n  expected text, found numbers; the value to fill in is \"z\"\n  help: fill a column with values of its own type; Csv::text(name) and Csv::number(name) set types"
        );
        assert!(error("t", Fill::Median).starts_with("fill_missing: column \"t\" holds text"));
        assert!(error("x", Fill::Previous).starts_with("no column \"x\""));
        assert_eq!(
            error("n", Fill::constant(f64::NAN)),
            "fill_missing: bad constant\n  expected a finite number, found NaN for column \"n\"\n  help: leave the gap, or drop the row with .drop_missing()"
        );
    }
}
