//! Tensors by name, as a file holds them.

use super::safetensors::{self, Contents};
use super::{AnyTensor, write_atomic};
use crate::error::Result;
use fb_data::file::read;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

/// Tensors by name, in the order of their names.
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_train::file::NamedTensors;
/// let mut tensors = NamedTensors::new();
/// tensors.insert("hidden1/weight", Tensor::ones([2, 8]));
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("weights.safetensors");
/// tensors.save(&path)?;
/// assert_eq!(NamedTensors::load(&path)?, tensors);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedTensors {
    tensors: BTreeMap<String, AnyTensor>,
}

impl NamedTensors {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor; returns the one that had the name before.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        tensor: impl Into<AnyTensor>,
    ) -> Option<AnyTensor> {
        self.tensors.insert(name.into(), tensor.into())
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&AnyTensor> {
        self.tensors.get(name)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Names and tensors, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AnyTensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors whose names start with a prefix, under what follows it.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// use fb_train::file::NamedTensors;
    /// let mut tensors = NamedTensors::new();
    /// tensors.insert("params/hidden1/weight", Tensor::ones([2, 8]));
    /// tensors.insert("optimizer/hidden1/weight/m", Tensor::zeros([2, 8]));
    /// let names: Vec<&str> = tensors.under("params/").map(|(name, _)| name).collect();
    /// assert_eq!(names, ["hidden1/weight"]);
    /// ```
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a AnyTensor)> {
        let from = self
            .tensors
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.map_while(move |(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
    }

    /// Writes the tensors as a safetensors file without metadata, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let layout = safetensors::Layout::new(self, &BTreeMap::new(), path)?;
        Ok(write_atomic(path, |writer| layout.write(writer))?)
    }

    /// Reads the tensors of any safetensors file, from this library or another.
    ///
    /// # Errors
    /// The file cannot be read, is no safetensors file, is damaged, or holds a tensor that is not f32, f64, i64 or bool.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let Contents { tensors, .. } = safetensors::parse(&read(path)?, path)?;
        Ok(tensors)
    }
}

impl<N: Into<String>, T: Into<AnyTensor>> FromIterator<(N, T)> for NamedTensors {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(tensors: I) -> Self {
        Self {
            tensors: tensors
                .into_iter()
                .map(|(name, tensor)| (name.into(), tensor.into()))
                .collect(),
        }
    }
}

impl<N: Into<String>, T: Into<AnyTensor>> Extend<(N, T)> for NamedTensors {
    fn extend<I: IntoIterator<Item = (N, T)>>(&mut self, tensors: I) {
        self.tensors.extend(
            tensors
                .into_iter()
                .map(|(name, tensor)| (name.into(), tensor.into())),
        );
    }
}
