//! A model as a file.

use super::safetensors::{self, Contents, Layout};
use super::{NamedTensors, Stored, write_atomic};
use crate::error::{Error, Result};
use fb_data::file::read;
use fb_tensor::Tensor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The metadata that makes a safetensors file a model of ours: its value is the format version.
const FORMAT: &str = "fb.format";

/// The metadata that holds the architecture, as JSON.
const ARCHITECTURE: &str = "fb.architecture";

/// The format version written, and the newest that is read.
const VERSION: u32 = 1;

/// Weights and architecture of a model, as one safetensors file holds them.
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_train::file::ModelFile;
/// let mut file = ModelFile::new(r#"{"layers": []}"#);
/// file.tensors_mut().insert("output/bias", Tensor::zeros([1]));
/// file.set_metadata("author", "me")?;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("model.safetensors");
/// file.save(&path)?;
/// let back = ModelFile::load(&path)?;
/// assert_eq!(back.architecture(), file.architecture());
/// assert_eq!(back.tensor::<f32>("output/bias")?.dims(), [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Where it was read from; for messages.
    origin: PathBuf,
    architecture: String,
    metadata: BTreeMap<String, String>,
    tensors: NamedTensors,
}

/// Equal content; where it was read from does not matter.
impl PartialEq for ModelFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.architecture, &self.metadata, &self.tensors)
            == (&other.architecture, &other.metadata, &other.tensors)
    }
}

impl ModelFile {
    /// A model with this architecture (JSON) and no tensors yet.
    pub fn new(architecture: impl Into<String>) -> Self {
        Self {
            origin: PathBuf::from("the model"),
            architecture: architecture.into(),
            metadata: BTreeMap::new(),
            tensors: NamedTensors::new(),
        }
    }

    /// The architecture, as JSON.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The tensors.
    pub fn tensors(&self) -> &NamedTensors {
        &self.tensors
    }

    /// The tensors, to add to.
    pub fn tensors_mut(&mut self) -> &mut NamedTensors {
        &mut self.tensors
    }

    /// The tensor of this name, with elements of this type.
    ///
    /// # Errors
    /// There is no such tensor, or its elements are of another type.
    pub fn tensor<T: Stored>(&self, name: &str) -> Result<&Tensor<T>> {
        let refused = |expected: String, found: String, help| Error::FileTensor {
            path: self.origin.clone(),
            tensor: name.to_string(),
            expected,
            found,
            help,
        };
        let Some(tensor) = self.tensors.get(name) else {
            let names: Vec<&str> = self.tensors.iter().map(|(name, _)| name).take(12).collect();
            let expected = format!("one of {}", names.join(", "));
            return Err(refused(
                expected,
                "no such tensor".to_string(),
                "check the name; it must match exactly",
            ));
        };
        tensor.get::<T>().ok_or_else(|| {
            let help = "load the model with the element type it was saved with";
            refused(
                format!("elements of type {}", T::NAME),
                format!("{} {}", tensor.element(), tensor.shape()),
                help,
            )
        })
    }

    /// The tensors whose names start with a prefix, under what follows it, all with elements of this type: what a
    /// network's `load_state_dict` takes.
    ///
    /// # Errors
    /// One of them has elements of another type.
    pub fn state_dict<T: Stored>(&self, prefix: &str) -> Result<BTreeMap<String, Tensor<T>>> {
        let tensors = self.tensors.under(prefix);
        tensors
            .map(|(rest, _)| {
                Ok((
                    rest.to_string(),
                    self.tensor(&format!("{prefix}{rest}"))?.clone(),
                ))
            })
            .collect()
    }

    /// A remark that the file carries, by its key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Adds a remark for people or programs.
    ///
    /// # Errors
    /// The key starts with `fb.`, as the format's own keys do.
    pub fn set_metadata(&mut self, key: impl Into<String>, value: impl Into<String>) -> Result<()> {
        let key = key.into();
        if key.starts_with("fb.") {
            return Err(Error::Setting {
                what: "ModelFile::set_metadata",
                expected: "a key that does not start with \"fb.\"",
                found: format!("\"{key}\""),
                help: "use another prefix; this one is the format's own",
            });
        }
        self.metadata.insert(key, value.into());
        Ok(())
    }

    /// Writes the model as a safetensors file, whole or not at all. Equal models give equal bytes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let layout = self.layout(path)?;
        Ok(write_atomic(path, |writer| layout.write(writer))?)
    }

    /// Reads a model.
    ///
    /// # Errors
    /// The file cannot be read, is no safetensors file or not a model of this library, comes from a newer version, is
    /// damaged, or holds a tensor that is not f32, f64, i64 or bool.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&read(path)?, path)
    }

    /// Where everything stands in the file.
    pub(crate) fn layout(&self, path: &Path) -> Result<Layout<'_>> {
        let mut metadata = self.metadata.clone();
        metadata.insert(FORMAT.to_string(), VERSION.to_string());
        metadata.insert(ARCHITECTURE.to_string(), self.architecture.clone());
        Layout::new(&self.tensors, &metadata, path)
    }

    /// Reads a model from bytes; `path` is for messages.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let Contents {
            tensors,
            mut metadata,
        } = safetensors::parse(bytes, path)?;
        let Some(version) = metadata.remove(FORMAT) else {
            return Err(Error::ForeignFile {
                path: path.to_path_buf(),
                kind: "a model of this library",
                expected: format!("metadata \"{FORMAT}\" beside the tensors"),
                found: format!("a safetensors file of {} tensors without it", tensors.len()),
                help: "build the network in code and take the weights with NamedTensors::load",
            });
        };
        let damaged = |expected: &str, found: String| Error::Damaged {
            path: path.to_path_buf(),
            part: "metadata",
            expected: expected.to_string(),
            found,
            help: "save the model again; its metadata was changed",
        };
        match version.parse::<u64>() {
            Ok(0) | Err(_) => {
                return Err(damaged(
                    "a format version from 1 on",
                    format!("\"{version}\""),
                ));
            }
            Ok(found) if found > u64::from(VERSION) => {
                return Err(Error::NewerFormat {
                    path: path.to_path_buf(),
                    newest: VERSION,
                    found,
                });
            }
            Ok(_) => {}
        }
        let Some(architecture) = metadata.remove(ARCHITECTURE) else {
            return Err(damaged("the architecture", "none".to_string()));
        };
        Ok(Self {
            origin: path.to_path_buf(),
            architecture,
            metadata,
            tensors,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> ModelFile {
        let mut file = ModelFile::new(r#"{"name": "größer"}"#);
        let tensors = file.tensors_mut();
        tensors.insert(
            "a/weight",
            Tensor::from([[1.0_f32, f32::INFINITY], [-0.0, f32::MIN_POSITIVE / 2.0]]),
        );
        tensors.insert("a/count", Tensor::from([[i64::MIN, -1, i64::MAX]]));
        tensors.insert("b", Tensor::from_scalar(0.1_f64));
        tensors.insert("mask \"quoted\"", Tensor::from([[true], [false]]));
        tensors.insert("empty", Tensor::<f32>::zeros_of([0, 3]));
        file.set_metadata("author", "me").unwrap();
        file
    }

    fn bytes(file: &ModelFile) -> Vec<u8> {
        let mut bytes = Vec::new();
        let layout = file.layout(Path::new("m")).unwrap();
        layout.write(&mut bytes).unwrap();
        assert_eq!(bytes.len(), layout.len());
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<ModelFile> {
        ModelFile::parse(bytes, Path::new("m.safetensors"))
    }

    /// A file with this header and so many zero bytes behind it.
    fn with_header(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn every_type_comes_back() {
        assert_eq!(parse(&bytes(&sample())).unwrap(), sample());
        let nan = f32::from_bits(0x7fc0_1234);
        let mut file = ModelFile::new("{}");
        file.tensors_mut().insert("nan", Tensor::from_scalar(nan));
        let back = parse(&bytes(&file)).unwrap();
        assert_eq!(
            back.tensor::<f32>("nan").unwrap().item().to_bits(),
            nan.to_bits()
        );
    }

    #[test]
    fn views_are_written_as_they_look() {
        let mut file = ModelFile::new("{}");
        let view = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).transpose();
        file.tensors_mut().insert("view", view.clone());
        assert_eq!(
            parse(&bytes(&file)).unwrap().tensor::<f32>("view").unwrap(),
            &view
        );
    }

    #[test]
    fn equal_models_give_equal_bytes() {
        assert_eq!(bytes(&sample()), bytes(&sample()));
        // The widest elements come first and the header is padded, so that a mapped file is aligned.
        let length = u64::from_le_bytes(bytes(&sample())[..8].try_into().unwrap());
        assert_eq!(length % 8, 0);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = bytes(&sample());
        for end in 0..bytes.len() {
            let text = parse(&bytes[..end]).unwrap_err().to_string();
            assert!(
                text.starts_with("m.safetensors ") && text.contains("help: "),
                "{end}: {text}"
            );
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(
            parse(&longer)
                .unwrap_err()
                .to_string()
                .contains("damaged in its tensors")
        );
    }

    #[test]
    fn bad_files_are_refused_by_name() {
        let ours = r#""__metadata__":{"fb.format":"1","fb.architecture":"{}"}"#;
        for (bytes, text) in [
            (
                b"PK\x03\x04 a zip file of some kind".to_vec(),
                "is not a safetensors file",
            ),
            (b"{}".to_vec(), "found 2 bytes"),
            (with_header("{not json}", 0), "damaged in its header"),
            (
                with_header("{}", 0),
                "expected metadata \"fb.format\" beside the tensors",
            ),
            (
                with_header(r#"{"__metadata__":{"fb.format":"2"}}"#, 0),
                "expected format version 1 or older, found 2",
            ),
            (
                with_header(r#"{"__metadata__":{"fb.format":"one"}}"#, 0),
                "expected a format version from 1 on",
            ),
            (
                with_header(r#"{"__metadata__":{"fb.format":"1"}}"#, 0),
                "expected the architecture, found none",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}}}"#
                    ),
                    4,
                ),
                "tensor \"w\" of m.safetensors cannot be used\n  expected elements of type F32, F64, I64 or BOOL, found BF16",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}}}"#
                    ),
                    0,
                ),
                "damaged in its tensors",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}}}"#
                    ),
                    0,
                ),
                "more elements than can be counted",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}}}}"#
                    ),
                    0,
                ),
                "expected a shape that a tensor can have",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"F32","shape":[1,1,1,1,1,1,1],"data_offsets":[0,4]}}}}"#
                    ),
                    4,
                ),
                "expected a shape that a tensor can have",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}}}"#
                    ),
                    4,
                ),
                "another number of bytes",
            ),
            (
                with_header(
                    &format!(
                        r#"{{{ours},"w":{{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}}}"#
                    ),
                    8,
                ),
                "\"w\" at another place",
            ),
        ] {
            let error = parse(&bytes).unwrap_err().to_string();
            assert!(
                error.contains(text) && error.contains("m.safetensors"),
                "{text:?} in {error}"
            );
        }
        let mut flag = with_header(
            &format!(r#"{{{ours},"w":{{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}}}"#),
            1,
        );
        *flag.last_mut().unwrap() = 2;
        assert!(
            parse(&flag)
                .unwrap_err()
                .to_string()
                .contains("expected flags 0 and 1, found the byte 2")
        );
    }

    #[test]
    fn tensors_are_asked_for_by_name_and_type() {
        let file = sample();
        assert_eq!(
            file.state_dict::<i64>("a/co")
                .unwrap()
                .keys()
                .collect::<Vec<_>>(),
            ["unt"]
        );
        let text = file.tensor::<f32>("b").unwrap_err().to_string();
        assert!(
            text.contains("expected elements of type f32, found f64 []"),
            "{text}"
        );
        let text = file.tensor::<f32>("c").unwrap_err().to_string();
        assert!(
            text.contains("expected one of a/count, a/weight, b, empty"),
            "{text}"
        );
        assert!(file.state_dict::<f32>("a/").is_err());
    }

    #[test]
    fn names_of_the_format_are_refused() {
        let mut file = ModelFile::new("{}");
        assert!(
            file.set_metadata("fb.format", "9")
                .unwrap_err()
                .to_string()
                .contains("found \"fb.format\"")
        );
        file.tensors_mut()
            .insert("__metadata__", Tensor::zeros([1]));
        assert!(file.layout(Path::new("m")).is_err());
    }

    #[test]
    fn missing_files_and_folders_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.safetensors");
        let text = ModelFile::load(&path).unwrap_err().to_string();
        assert!(
            text.contains("cannot read") && text.contains("none.safetensors"),
            "{text}"
        );
        assert!(ModelFile::load(folder.path()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_tensors_come_back(
            names in prop::collection::btree_set(".{0,12}", 0..5),
            values in prop::collection::vec(any::<f64>().prop_filter("equality", |v| !v.is_nan()), 6),
            rows in 0_usize..4,
        ) {
            let mut file = ModelFile::new("{}");
            for name in names.iter().filter(|name| *name != "__metadata__") {
                let tensor = Tensor::from_vec(values[..rows].to_vec(), [rows, 1]);
                file.tensors_mut().insert(name.clone(), tensor);
            }
            prop_assert_eq!(parse(&bytes(&file)).unwrap(), file);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_err());
            let mut framed = (bytes.len() as u64).to_le_bytes().to_vec();
            framed.extend(&bytes);
            prop_assert!(parse(&framed).is_err());
        }
    }
}
