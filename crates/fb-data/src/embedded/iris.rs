//! Three kinds of iris.

use super::file::{File, LICENCE};
use crate::dataset::Labelled;
use std::sync::OnceLock;

/// Fisher's irises: 150 flowers of 3 species, 50 each, by 4 lengths in centimetres.
///
/// This is the copy in which rows 34 and 37 agree with the paper; the one at UCI has two wrong values.
///
/// # Shapes
/// - `x`: `[150, 4]`
/// - `y`: `[150]`, 0 to 2
///
/// # References
/// R. A. Fisher (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics
/// 7(2), 179–188.
///
/// # Examples
/// ```
/// let iris = fb_data::embedded::iris();
/// assert_eq!(iris.class_counts(), [50, 50, 50]);
/// ```
pub fn iris() -> &'static Labelled {
    static SET: OnceLock<Labelled> = OnceLock::new();
    SET.get_or_init(|| FILE.load())
}

const FILE: File = File {
    text: include_str!("../../data/iris.csv"),
    name: "iris",
    classes: &["setosa", "versicolor", "virginica"],
    description: "Lengths and widths of sepals and petals, in centimetres, of flowers of three species of iris.",
    source: "R. A. Fisher, 1936; UCI Machine Learning Repository, dataset 53 \
        (https://archive.ics.uci.edu/dataset/53/iris), as distributed with scikit-learn.",
    licence: LICENCE,
};
