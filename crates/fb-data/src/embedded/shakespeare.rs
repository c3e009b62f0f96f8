//! Plays, as text.

use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::sync::OnceLock;

/// Plays by William Shakespeare: 1,100,000 characters of plain ASCII, for language models.
///
/// From the texts of Project Gutenberg, which are in the public domain, as collected in the Python package `shakespeare`.
///
/// ```
/// let text = fb_data::embedded::shakespeare();
/// assert_eq!(text.len(), 1_100_000);
/// assert!(text.contains("BERTRAM, Count of Rousillon."));
/// ```
pub fn shakespeare() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let packed = include_bytes!("../../data/shakespeare.txt.gz");
        let mut text = String::new();
        MultiGzDecoder::new(packed.as_slice())
            .read_to_string(&mut text)
            .expect("the embedded file is read by the tests");
        text
    })
}
