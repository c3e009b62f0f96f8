//! What a model writes to files and reads back: the network as a model file, the whole training as a checkpoint.

mod difference;
mod network;
mod resume;
mod settings;
mod tensors;

pub use network::NetworkFile;
pub(crate) use settings::FitSettings;
