//! Where examples write.

use fb::train::Error;
use std::path::Path;

/// Makes the folder unless it is there.
///
/// # Errors
/// It cannot be made.
pub fn folder(path: &Path) -> fb::Result<()> {
    std::fs::create_dir_all(path).map_err(|source| {
        let help = "name a folder that can be written to with --out";
        Error::File {
            action: "make",
            path: path.to_owned(),
            source,
            help,
        }
        .into()
    })
}
