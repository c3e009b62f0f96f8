//! One column of a table: numbers or words, with gaps.

/// The values of one column; `None` is a missing value.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Finite numbers.
    Numbers(Vec<Option<f64>>),
    /// Words.
    Text(Vec<Option<String>>),
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

impl Column {
    /// A column of numbers without gaps.
    pub fn numbers(values: impl IntoIterator<Item = f64>) -> Self {
        Self::Numbers(values.into_iter().map(Some).collect())
    }

    /// A column of words without gaps.
    pub fn text<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::Text(values.into_iter().map(|word| Some(word.into())).collect())
    }

    /// How many values, missing ones included.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the column holds, as error texts and descriptions name it: `numbers` or `text`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Text(_) => "text",
        }
    }

    /// Whether the value of a row is missing.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(values) => values[row].is_none(),
            Self::Text(values) => values[row].is_none(),
        }
    }

    /// How many values are missing.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_missing(row)).count()
    }

    /// The value of a row as text, or `None` where it is missing: numbers print as short as they
    /// can be read back.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn word(&self, row: usize) -> Option<String> {
        match self {
            Self::Numbers(values) => values[row].map(number_word),
            Self::Text(values) => values[row].clone(),
        }
    }

    /// The rows in the given order.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(rows.iter().map(|&row| values[row]).collect()),
            Self::Text(values) => Self::Text(rows.iter().map(|&row| values[row].clone()).collect()),
        }
    }
}

/// A number as the shortest text that reads back to it.
pub(crate) fn number_word(number: f64) -> String {
    // Adding zero takes the sign off a negative zero.
    let number = number + 0.0;
    let size = number.abs();
    if size == 0.0 || (1e-5..1e16).contains(&size) {
        number.to_string()
    } else {
        format!("{number:e}")
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(word: &str) -> Self {
        Self::Text(word.to_string())
    }
}

impl From<String> for Value {
    fn from(word: String) -> Self {
        Self::Text(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_and_selected() {
        let column = Column::Numbers(vec![Some(1.5), None, Some(2.0)]);
        assert_eq!((column.len(), column.missing()), (3, 1));
        assert_eq!(
            column.select(&[2, 1, 2]),
            Column::Numbers(vec![Some(2.0), None, Some(2.0)])
        );
        assert_eq!(column.word(0).as_deref(), Some("1.5"));
        assert_eq!(column.word(2).as_deref(), Some("2"));
        assert_eq!(column.word(1), None);
    }

    #[test]
    fn numbers_print_short_and_read_back() {
        for (number, word) in [
            (0.0, "0"),
            (-0.0, "0"),
            (3.0, "3"),
            (-0.25, "-0.25"),
            (1e300, "1e300"),
            (1.5e-9, "1.5e-9"),
            (0.1, "0.1"),
        ] {
            assert_eq!(number_word(number), word);
            assert_eq!(word.parse::<f64>(), Ok(number));
        }
    }

    #[test]
    fn words_keep_their_kind() {
        let column = Column::text(["a", "b"]);
        assert_eq!(column.kind(), "text");
        assert!(!column.is_empty());
        assert_eq!(column.missing(), 0);
        assert_eq!(Value::from("a"), Value::Text("a".into()));
        assert_eq!(Value::from(1.0), Value::Number(1.0));
    }
}
