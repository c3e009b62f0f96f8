//! Files: models and tensors as `.safetensors`, everything written whole or not at all.
//!
//! A model file is an ordinary safetensors file: `safetensors.numpy.load_file("model.safetensors")` reads its tensors in
//! Python, and its architecture and format version stand in the file's metadata.

mod any_tensor;
mod model_file;
mod named_tensors;
mod safetensors;

pub use any_tensor::{AnyTensor, Stored};
pub use fb_data::file::write_atomic;
pub use model_file::ModelFile;
pub use named_tensors::NamedTensors;
pub(crate) use safetensors::Layout;
