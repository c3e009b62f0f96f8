//! Writing tensors and metadata.

use super::{LONGEST_HEADER, METADATA};
use crate::error::{Error, Result};
use crate::file::{AnyTensor, NamedTensors};
use ::safetensors::tensor::{Dtype, TensorInfo};
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// Where everything stands in the file.
///
/// The library's own writer orders metadata at random, wants all bytes in memory or does not flush what it writes to the
/// disk; so the header is laid out here, from the library's types, and the same content gives the same bytes.
pub(crate) struct Layout<'a> {
    header: Vec<u8>,
    tensors: Vec<&'a AnyTensor>,
    data_len: usize,
}

impl<'a> Layout<'a> {
    /// Lays out tensors and metadata.
    ///
    /// # Errors
    /// A tensor has a name that the format reserves, or there are too many names.
    pub(crate) fn new(
        tensors: &'a NamedTensors,
        metadata: &BTreeMap<String, String>,
        path: &Path,
    ) -> Result<Self> {
        let mut entries: Vec<(&str, &AnyTensor)> = tensors.iter().collect();
        // Wide elements first, so that each tensor is aligned for whoever maps the file into memory.
        entries.sort_by_key(|(_, tensor)| std::cmp::Reverse(element_size(tensor)));
        let mut end = 0;
        let infos = entries.iter().map(|&(name, tensor)| {
            let start = end;
            end += tensor.shape().elements() * element_size(tensor);
            let info = TensorInfo {
                dtype: dtype(tensor),
                shape: tensor.shape().to_vec(),
                data_offsets: (start, end),
            };
            (name, info)
        });
        let infos: Vec<(&str, TensorInfo)> = infos.collect();
        let header = header(&infos, metadata).map_err(|error| Error::File {
            action: "write",
            path: path.to_path_buf(),
            source: error.into(),
            help: "the names and metadata of tensors must be text",
        })?;
        let problem = match entries.iter().find(|(name, _)| *name == METADATA) {
            Some(_) => Some((
                METADATA,
                "any other name",
                "a name that the format reserves",
                "rename the tensor",
            )),
            None if header.len() > LONGEST_HEADER => Some((
                "",
                "names and metadata of at most 100 MB together",
                "more",
                "save fewer or larger tensors",
            )),
            None => None,
        };
        if let Some((tensor, expected, found, help)) = problem {
            return Err(Error::FileTensor {
                path: path.to_path_buf(),
                tensor: tensor.to_string(),
                expected: expected.to_string(),
                found: found.to_string(),
                help,
            });
        }
        Ok(Self {
            header,
            tensors: entries.into_iter().map(|(_, tensor)| tensor).collect(),
            data_len: end,
        })
    }

    /// The number of bytes that [`write`](Self::write) writes.
    pub(crate) fn len(&self) -> usize {
        8 + self.header.len() + self.data_len
    }

    /// Writes the file's bytes.
    pub(crate) fn write(&self, writer: &mut dyn Write) -> io::Result<()> {
        writer.write_all(&(self.header.len() as u64).to_le_bytes())?;
        writer.write_all(&self.header)?;
        self.tensors
            .iter()
            .try_for_each(|tensor| tensor.with_bytes(|bytes| writer.write_all(bytes)))
    }
}

/// The header as JSON, padded with spaces to a multiple of 8 bytes.
fn header(
    infos: &[(&str, TensorInfo)],
    metadata: &BTreeMap<String, String>,
) -> serde_json::Result<Vec<u8>> {
    let mut header = Vec::new();
    let mut json = serde_json::Serializer::new(&mut header);
    let mut map = json.serialize_map(None)?;
    if !metadata.is_empty() {
        map.serialize_entry(METADATA, metadata)?;
    }
    for (name, info) in infos {
        map.serialize_entry(name, info)?;
    }
    map.end()?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn dtype(tensor: &AnyTensor) -> Dtype {
    match tensor {
        AnyTensor::F32(_) => Dtype::F32,
        AnyTensor::F64(_) => Dtype::F64,
        AnyTensor::I64(_) => Dtype::I64,
        AnyTensor::Bool(_) => Dtype::BOOL,
    }
}

fn element_size(tensor: &AnyTensor) -> usize {
    match tensor {
        AnyTensor::F32(_) => 4,
        AnyTensor::F64(_) | AnyTensor::I64(_) => 8,
        AnyTensor::Bool(_) => 1,
    }
}
