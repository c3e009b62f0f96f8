//! The frame around the sections of a checkpoint: what finds damage before anything is decoded.

use crate::error::{Error, Result};
use crate::file::Layout;
use std::io::{self, Write};
use std::path::Path;

/// The byte 0x89 and the line feed show a transfer that strips a bit or changes line ends.
const MAGIC: [u8; 8] = *b"\x89FBCKPT\n";

/// The format version written, and the newest that is read.
pub(super) const VERSION: u32 = 1;

const HEADER: usize = 40;

/// The longest state section: counters and histories are far shorter, weights have their own section.
pub(super) const LONGEST_STATE: usize = 64 << 20;

/// The numbers of the header.
#[derive(Debug)]
pub(super) struct Envelope {
    state_len: u64,
    state_checksum: u32,
    model_len: u64,
    model_checksum: u32,
}

impl Envelope {
    /// Measures both sections. The model's bytes are made twice, once here and once for the file, rather than kept.
    pub(super) fn seal(state: &[u8], model: &Layout<'_>) -> Result<Self> {
        let mut checksum = Checksum(crc32fast::Hasher::new());
        model.write(&mut checksum).map_err(|source| Error::File {
            action: "write",
            path: "the checkpoint".into(),
            source,
            help: "this is a defect of the library: sums cannot fail",
        })?;
        Ok(Self {
            state_len: state.len() as u64,
            state_checksum: crc32fast::hash(state),
            model_len: model.len() as u64,
            model_checksum: checksum.0.finalize(),
        })
    }

    pub(super) fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&self.state_checksum.to_le_bytes());
        header[16..24].copy_from_slice(&self.state_len.to_le_bytes());
        header[24..32].copy_from_slice(&self.model_len.to_le_bytes());
        header[32..36].copy_from_slice(&self.model_checksum.to_le_bytes());
        let checksum = crc32fast::hash(&header[..36]);
        header[36..].copy_from_slice(&checksum.to_le_bytes());
        header
    }
}

/// Counts what is written to it into a checksum.
struct Checksum(crc32fast::Hasher);

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The state and the model section of a checkpoint whose every byte has been checked.
///
/// # Errors
/// The bytes are not a checkpoint, of a newer version, or damaged.
pub(super) fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<(&'a [u8], &'a [u8])> {
    let Some((header, sections)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(match bytes.starts_with(&MAGIC) {
            true => damaged(
                path,
                "header",
                format!("{HEADER} bytes"),
                format!("{} bytes", bytes.len()),
            ),
            false => foreign(path, bytes),
        });
    };
    if !header.starts_with(&MAGIC) {
        return Err(foreign(path, bytes));
    }
    check(path, "header", u32_at(header, 36), &header[..36])?;
    let version = u32_at(header, 8);
    if version > VERSION {
        return Err(Error::NewerFormat {
            path: path.to_path_buf(),
            newest: VERSION,
            found: version.into(),
        });
    }
    if version == 0 {
        return Err(damaged(
            path,
            "header",
            "a format version from 1 on".to_string(),
            "0".to_string(),
        ));
    }
    let (state_len, model_len) = (u64_at(header, 16), u64_at(header, 24));
    if state_len.checked_add(model_len) != Some(sections.len() as u64) {
        let expected = format!("sections of {state_len} and {model_len} bytes");
        return Err(damaged(
            path,
            "length",
            expected,
            format!("{} bytes behind the header", sections.len()),
        ));
    }
    if state_len > LONGEST_STATE as u64 {
        let expected = format!("at most {LONGEST_STATE} bytes");
        return Err(damaged(
            path,
            "state section",
            expected,
            format!("{state_len} bytes"),
        ));
    }
    let (state, model) = sections.split_at(state_len as usize);
    check(path, "state section", u32_at(header, 12), state)?;
    check(path, "model section", u32_at(header, 32), model)?;
    Ok((state, model))
}

fn check(path: &Path, part: &'static str, expected: u32, bytes: &[u8]) -> Result<()> {
    let found = crc32fast::hash(bytes);
    if found == expected {
        return Ok(());
    }
    Err(damaged(
        path,
        part,
        format!("checksum {expected:08x}"),
        format!("{found:08x}"),
    ))
}

pub(super) fn damaged(path: &Path, part: &'static str, expected: String, found: String) -> Error {
    let help =
        "resume from an older checkpoint; this one was cut off or changed after it was written";
    Error::Damaged {
        path: path.to_path_buf(),
        part,
        expected,
        found,
        help,
    }
}

fn foreign(path: &Path, bytes: &[u8]) -> Error {
    let start = &bytes[..bytes.len().min(8)];
    Error::ForeignFile {
        path: path.to_path_buf(),
        kind: "a checkpoint",
        expected: format!("a file that starts with \"{}\"", MAGIC.escape_ascii()),
        found: match start {
            [] => "an empty file".to_string(),
            _ => format!("one that starts with \"{}\"", start.escape_ascii()),
        },
        help: "check the path; a model without its training is loaded with load()",
    }
}

fn u32_at(header: &[u8; HEADER], start: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| header[start + i]))
}

fn u64_at(header: &[u8; HEADER], start: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| header[start + i]))
}
