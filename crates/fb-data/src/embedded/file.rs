//! From an embedded file to a labelled set.

use crate::csv::Csv;
use crate::dataset::{About, Labelled};
use crate::error::Result;
use crate::transform::Classes;

/// An embedded file: comma-separated text whose last column names the class.
pub(super) struct File {
    pub(super) text: &'static str,
    pub(super) name: &'static str,
    /// In the order of the class indices.
    pub(super) classes: &'static [&'static str],
    pub(super) description: &'static str,
    pub(super) source: &'static str,
    pub(super) licence: &'static str,
}

/// The terms that all files taken from scikit-learn share.
pub(super) const LICENCE: &str = "data CC BY 4.0 (UCI Machine Learning Repository); \
    this copy BSD 3-Clause, copyright (c) 2007-2026 the scikit-learn developers.";

impl File {
    /// The set in the file.
    pub(super) fn load(&self) -> Labelled {
        self.parse().expect("embedded files are read by the tests")
    }

    fn parse(&self) -> Result<Labelled> {
        let table = Csv::from_text(self.text).read()?;
        let mut names: Vec<&str> = table.names().collect();
        let label = names.pop().unwrap_or_default();
        let y = table.labels_with(label, &Classes::new(self.classes.iter().copied())?)?;
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let set = Labelled::new(
            table.features(&names)?,
            y,
            owned(&names),
            owned(self.classes),
        )?;
        Ok(set.with_about(About {
            name: self.name.to_string(),
            description: self.description.to_string(),
            source: self.source.to_string(),
            licence: self.licence.to_string(),
        }))
    }
}
