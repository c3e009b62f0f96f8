//! Architecture and weights in one `.safetensors` file.

use super::tensors::{fetch, store};
use crate::error::{Error, Result};
use crate::file::{ModelFile, NamedTensors};
use crate::model::Model;
use fb_nn::feedback::topology::Topology;
use fb_nn::param::StateDict;
use fb_nn::{Network, Registry};
use fb_tensor::Float;
use std::path::Path;

/// The key under which the names of frozen parameters stand, one a line.
const FROZEN: &str = "frozen";

/// The key under which the parametrisations of weights stand, as JSON.
const PARAMETRIZATIONS: &str = "parametrizations";

/// Gives networks the methods `save` and `load`.
///
/// ```
/// use fb_nn::layers::Dense;
/// use fb_nn::{Network, Sequential};
/// use fb_train::NetworkFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("model.safetensors");
/// let network = Sequential::input([3]).layer("output", Dense::new(2)).seed(1).build()?;
/// network.save(&path)?;
/// let again = Network::<f32>::load(&path)?;
/// assert_eq!(network.params().state_dict(), again.params().state_dict());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait NetworkFile: Sized {
    /// Writes architecture and weights to one safetensors file, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written, or a layer's configuration does not serialise.
    fn save(&self, path: impl AsRef<Path>) -> Result<()>;

    /// Reads a network, ready to be run or compiled.
    ///
    /// # Errors
    /// The file cannot be read, is not a model file, is damaged or of a newer version, or names a kind that is not
    /// built in; see [`NetworkFile::load_with`].
    fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &Registry::builtin())
    }

    /// [`NetworkFile::load`] with layers of your own, which `registry` knows.
    ///
    /// # Errors
    /// As [`NetworkFile::load`].
    fn load_with(path: impl AsRef<Path>, registry: &Registry) -> Result<Self>;
}

impl<F: Float> NetworkFile for Network<F> {
    fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut file = ModelFile::new(self.topology().to_json()?.to_string());
        let mut frozen = Vec::new();
        for (_, param) in self.params().iter() {
            file.tensors_mut().insert(param.name(), store(&param.value));
            if param.is_frozen() {
                frozen.push(param.name());
            }
        }
        if !frozen.is_empty() {
            file.set_metadata(FROZEN, frozen.join("\n"))?;
        }
        store_parametrizations(self, &mut file)?;
        file.save(path)
    }

    fn load_with(path: impl AsRef<Path>, registry: &Registry) -> Result<Self> {
        let path = path.as_ref();
        let file = ModelFile::load(path)?;
        let numbers = numbers(file.tensors());
        let mut network = build(file.architecture(), numbers, registry, path)?;
        // They make parameters of their own, which the file has values for.
        let parametrizations = stored_parametrizations(&file, path)?;
        registry
            .parametrize(network.params_mut(), parametrizations, numbers)
            .map_err(|cause| content(path, cause))?;
        let values = state(&network, file.tensors(), "", path)?;
        if let Some((name, _)) = file
            .tensors()
            .iter()
            .find(|(name, _)| !values.contains_key(*name))
        {
            return Err(Error::FileTensor {
                path: path.to_owned(),
                tensor: name.to_owned(),
                expected: "only tensors that belong to the architecture".to_owned(),
                found: "one that belongs to no layer or edge".to_owned(),
                help: "the file was edited; NamedTensors::load reads any safetensors file",
            });
        }
        network.params_mut().load_state_dict(&values)?;
        for name in file.metadata(FROZEN).unwrap_or_default().lines() {
            let params = network.params_mut();
            match params.id(name) {
                Some(id) => params.get_mut(id).set_frozen(true),
                None => {
                    let unknown = params.matching(name).map(drop);
                    unknown.map_err(|cause| content(path, cause))?;
                }
            }
        }
        Ok(network)
    }
}

/// A network from its architecture as text, no larger than the tensors that are there for it.
fn build<F: Float>(
    architecture: &str,
    numbers: usize,
    registry: &Registry,
    path: &Path,
) -> Result<Network<F>> {
    let json = serde_json::from_str(architecture).map_err(|error| Error::Damaged {
        path: path.to_owned(),
        part: "architecture",
        expected: "JSON".to_owned(),
        found: error.to_string(),
        help: "the file was edited; write it again from the model",
    })?;
    Topology::from_json(json, registry)
        .and_then(|topology| Network::build_within(topology, numbers))
        .map_err(|cause| content(path, cause))
}

/// How many numbers a file has in all.
fn numbers(tensors: &NamedTensors) -> usize {
    let tensors = tensors.iter();
    tensors
        .map(|(_, tensor)| tensor.shape().elements())
        .fold(0, usize::saturating_add)
}

/// Lists the parametrisations of a network in a file, if it has any.
pub(super) fn store_parametrizations<F: Float>(
    network: &Network<F>,
    file: &mut ModelFile,
) -> Result<()> {
    if network.params().parametrizations().next().is_some() {
        let listed = network.params().parametrizations_to_json()?;
        file.set_metadata(PARAMETRIZATIONS, listed.to_string())?;
    }
    Ok(())
}

/// The list of parametrisations in a file; an empty one if there is none.
pub(super) fn stored_parametrizations(file: &ModelFile, path: &Path) -> Result<serde_json::Value> {
    let listed = file.metadata(PARAMETRIZATIONS).unwrap_or("[]");
    serde_json::from_str(listed).map_err(|error| Error::Damaged {
        path: path.to_owned(),
        part: "list of parametrisations",
        expected: "JSON".to_owned(),
        found: error.to_string(),
        help: "the file was edited; write it again from the model",
    })
}

/// Says in which file it is.
pub(super) fn content(path: &Path, cause: fb_nn::Error) -> Error {
    Error::FileContent {
        path: path.to_owned(),
        cause,
    }
}

/// The values of all parameters of a network from tensors whose names start with `prefix`.
pub(super) fn state<F: Float>(
    network: &Network<F>,
    tensors: &NamedTensors,
    prefix: &str,
    path: &Path,
) -> Result<StateDict<F>> {
    let params = network.params().iter();
    params
        .map(|(_, param)| {
            let value = fetch(
                tensors,
                &format!("{prefix}{}", param.name()),
                &param.value,
                path,
            )?;
            Ok((param.name().to_owned(), value))
        })
        .collect()
}

impl<F: Float> Model<F> {
    /// Writes architecture and weights to one safetensors file, whole or not at all; see [`NetworkFile::load`] for
    /// the way back. What the model learned with is not in it: a [checkpoint](crate::Fit::checkpoint) has that.
    ///
    /// # Errors
    /// The file cannot be written, or a layer's configuration does not serialise.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.network().save(path)
    }
}
