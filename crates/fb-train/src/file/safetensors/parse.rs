//! Reading tensors and metadata, trusting nothing.

use super::LONGEST_HEADER;
use crate::error::{Error, Result};
use crate::file::{AnyTensor, NamedTensors};
use ::safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use fb_tensor::{Shape, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) tensors: NamedTensors,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Reads the bytes of a safetensors file; `path` is for messages only.
///
/// # Errors
/// The bytes are something else, cut off or damaged, or a tensor is of a type or shape that cannot be used.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Contents> {
    check_length(bytes, path)?;
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| unreadable(error, bytes, path))?;
    let views = SafeTensors::deserialize(bytes).map_err(|error| unreadable(error, bytes, path))?;
    let mut tensors = NamedTensors::new();
    for (name, view) in views.iter() {
        tensors.insert(name, tensor(name, &view, path)?);
    }
    let metadata = header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect();
    Ok(Contents { tensors, metadata })
}

/// Tells a file of another kind from one that was cut off within its header.
fn check_length(bytes: &[u8], path: &Path) -> Result<()> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(foreign(path, format!("{} bytes", bytes.len())));
    };
    let length = u64::from_le_bytes(*length);
    let plausible = length <= LONGEST_HEADER as u64 && matches!(rest.first(), Some(b'{') | None);
    if !plausible {
        return Err(foreign(
            path,
            format!(
                "a file that starts with {:?}",
                String::from_utf8_lossy(&bytes[..8])
            ),
        ));
    }
    if (rest.len() as u64) < length {
        return Err(Error::Damaged {
            path: path.to_path_buf(),
            part: "header",
            expected: format!("{length} bytes of header"),
            found: format!("{} before the file ends", rest.len()),
            help: CUT_OFF,
        });
    }
    Ok(())
}

const CUT_OFF: &str = "copy or save the file again; it was cut off or changed";

fn foreign(path: &Path, found: String) -> Error {
    Error::ForeignFile {
        path: path.to_path_buf(),
        kind: "a safetensors file",
        expected: "a safetensors header".to_string(),
        found,
        help: "check the path; other formats must be converted first",
    }
}

/// What the library found wrong, in our words.
fn unreadable(error: SafeTensorError, bytes: &[u8], path: &Path) -> Error {
    let damaged = |part, expected: &str, found: String| Error::Damaged {
        path: path.to_path_buf(),
        part,
        expected: expected.to_string(),
        found,
        help: CUT_OFF,
    };
    match error {
        SafeTensorError::MetadataIncompleteBuffer => damaged(
            "tensors",
            "as many bytes as its header says",
            format!("a file of {} bytes", bytes.len()),
        ),
        SafeTensorError::InvalidOffset(name) => damaged(
            "header",
            "tensors one after the other",
            format!("\"{name}\" at another place"),
        ),
        SafeTensorError::TensorInvalidInfo => damaged(
            "header",
            "shapes that fit the bytes of their tensors",
            "another number of bytes".to_string(),
        ),
        SafeTensorError::ValidationOverflow => damaged(
            "header",
            "shapes that fit into memory",
            "more elements than can be counted".to_string(),
        ),
        other => damaged("header", "JSON that describes tensors", other.to_string()),
    }
}

fn tensor(name: &str, view: &TensorView<'_>, path: &Path) -> Result<AnyTensor> {
    let refused = |expected: String, found: String, help| Error::FileTensor {
        path: path.to_path_buf(),
        tensor: name.to_string(),
        expected,
        found,
        help,
    };
    let shape = Shape::try_new(view.shape()).map_err(|error| {
        let expected = "a shape that a tensor can have".to_string();
        refused(
            expected,
            format!("{:?} ({error})", view.shape()),
            "merge or drop axes before saving",
        )
    })?;
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(Tensor::try_from_vec(numbers(data, f32::from_le_bytes), shape)?.into()),
        Dtype::F64 => Ok(Tensor::try_from_vec(numbers(data, f64::from_le_bytes), shape)?.into()),
        Dtype::I64 => Ok(Tensor::try_from_vec(numbers(data, i64::from_le_bytes), shape)?.into()),
        Dtype::BOOL => match data.iter().find(|byte| **byte > 1) {
            Some(byte) => Err(refused(
                "flags 0 and 1".to_string(),
                format!("the byte {byte}"),
                "save the tensor as u8 or i64",
            )),
            None => Ok(
                Tensor::try_from_vec(data.iter().map(|&byte| byte == 1).collect(), shape)?.into(),
            ),
        },
        other => Err(refused(
            "elements of type F32, F64, I64 or BOOL".to_string(),
            format!("{other:?}"),
            "convert it before saving, such as with .astype(\"float32\")",
        )),
    }
}

fn numbers<T, const N: usize>(data: &[u8], from_le_bytes: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = data.as_chunks::<N>();
    chunks.iter().map(|chunk| from_le_bytes(*chunk)).collect()
}
