//! The IDX format of MNIST, Fashion-MNIST and their kin: arrays of bytes, often compressed with gzip.
//!
//! A header gives the type (unsigned bytes, 0x08), the number of axes and each extent as a big-endian number of 32 bits; the
//! elements follow in row-major order.
//!
//! # References
//! Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".

use crate::error::{Error, Result};
use fb_tensor::Tensor;
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::path::Path;

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The number of the only type that is read, unsigned bytes.
const BYTES: u8 = 0x08;
/// More axes than any such file has.
const MOST_AXES: u8 = 6;

/// Reads a file, compressed or not.
///
/// # Errors
/// The file cannot be read, or is not an array of bytes in this format.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor<u8>> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_path_buf(),
        source,
        help: "check the path",
    })?;
    parse(&bytes, &path.display().to_string())
}

/// Reads the contents of a file, compressed or not.
///
/// ```
/// let file = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
/// let array = fb_data::idx::from_bytes(&file)?;
/// assert_eq!(array.dims(), [2, 3]);
/// assert_eq!(array.to_vec(), [1, 2, 3, 4, 5, 6]);
/// # Ok::<(), fb_data::Error>(())
/// ```
///
/// # Errors
/// The bytes are not an array of bytes in this format.
pub fn from_bytes(bytes: &[u8]) -> Result<Tensor<u8>> {
    parse(bytes, "IDX data")
}

fn parse(bytes: &[u8], place: &str) -> Result<Tensor<u8>> {
    if bytes.starts_with(&GZIP) {
        elements(&mut MultiGzDecoder::new(bytes), place)
    } else {
        elements(&mut { bytes }, place)
    }
}

fn elements(source: &mut dyn Read, place: &str) -> Result<Tensor<u8>> {
    let error = |expected: String, found: String| Error::Idx {
        place: place.to_owned(),
        expected,
        found,
    };
    let mut header = [0; 4];
    let mut fill = |buffer: &mut [u8], what: &str| {
        source.read_exact(buffer).map_err(|cause| {
            error(
                what.to_owned(),
                format!("the end of the file or damage ({cause})"),
            )
        })
    };
    fill(&mut header, "a header of four bytes")?;
    let [0, 0, kind, axes] = header else {
        return Err(error(
            "two zero bytes at the start".to_owned(),
            format!("{header:?}"),
        ));
    };
    if kind != BYTES || axes == 0 || axes > MOST_AXES {
        return Err(error(
            format!("unsigned bytes (type 8) along 1 to {MOST_AXES} axes"),
            format!("type {kind} and {axes} axes"),
        ));
    }
    let mut extents = Vec::new();
    for axis in 0..axes {
        let mut extent = [0; 4];
        fill(&mut extent, &format!("the extent of axis {axis}"))?;
        extents.push(u32::from_be_bytes(extent) as usize);
    }
    let count = extents
        .iter()
        .try_fold(1_usize, |count, &extent| count.checked_mul(extent))
        .filter(|&count| u64::try_from(count).is_ok_and(|count| count < u64::MAX))
        .ok_or_else(|| {
            error(
                "extents whose product can be counted".to_owned(),
                format!("{extents:?}"),
            )
        })?;
    // What the header promises is not believed: memory grows with what is really there.
    let mut elements = Vec::new();
    let read = source.take(count as u64 + 1).read_to_end(&mut elements);
    let found = match read {
        Ok(_) if elements.len() == count => {
            return Ok(Tensor::try_from_vec(elements, extents)?);
        }
        Ok(_) if elements.len() > count => "more".to_owned(),
        Ok(_) => elements.len().to_string(),
        Err(cause) => format!("damage after {} ({cause})", elements.len()),
    };
    Err(error(format!("{count} elements for {extents:?}"), found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        from_bytes(bytes).unwrap_err().to_string()
    }

    #[test]
    fn damaged_files_are_told_apart() {
        assert!(text(&[]).contains("expected a header of four bytes"));
        assert!(
            text(&[1, 2, 3, 4])
                .contains("expected two zero bytes at the start, found [1, 2, 3, 4]")
        );
        assert!(text(&[0, 0, 0x0d, 1]).contains("found type 13 and 1 axes"));
        assert!(text(&[0, 0, 8, 0]).contains("found type 8 and 0 axes"));
        assert!(text(&[0, 0, 8, 1, 0, 0]).contains("the extent of axis 0"));
        assert!(
            text(&[0, 0, 8, 1, 0, 0, 0, 2, 9]).contains("expected 2 elements for [2], found 1")
        );
        assert!(text(&[0, 0, 8, 1, 0, 0, 0, 2, 9, 9, 9]).contains("found more"));
        let huge = [[0, 0, 8, 6].as_slice(), &[0xff; 24]].concat();
        assert!(text(&huge).contains("whose product can be counted"));
        let promise = [
            0, 0, 8, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ];
        assert!(text(&promise).contains("found 1"));
        assert!(text(&[0x1f, 0x8b, 1, 2, 3]).contains("damage"));
    }

    #[test]
    fn an_array_without_elements_is_one() {
        let empty = from_bytes(&[0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 3]).unwrap();
        assert_eq!(empty.dims(), [0, 3]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read("no/such/file.idx3.gz").unwrap_err().to_string();
        assert!(
            error.contains("cannot read no/such/file.idx3.gz"),
            "{error}"
        );
    }
}
