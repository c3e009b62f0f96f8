//! The layers: each file holds a configuration, its build and its module.

mod activation;
mod dense;
mod dropout;
mod flatten;
mod reshape;

pub use activation::Activation;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use reshape::Reshape;

use crate::registry::Registry;

/// Makes every layer of this folder known to a registry.
pub(crate) fn register(registry: &mut Registry) {
    registry
        .register_layer::<Activation>()
        .register_layer::<Dense>()
        .register_layer::<Dropout>()
        .register_layer::<Flatten>()
        .register_layer::<Reshape>();
}
