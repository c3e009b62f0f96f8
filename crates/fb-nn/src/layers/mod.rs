//! The layers: each file holds a configuration, its build and its module.
//!
//! | for | layers |
//! |---|---|
//! | feature vectors | [`Dense`], [`Activation`], [`Dropout`] |
//! | shapes | [`Flatten`], [`Reshape`] |
//! | tokens and positions | [`Embedding`], [`TiedOutput`], [`LearnedPositions`], [`SinusoidalPositions`] |
//! | layers around layers | [`Residual`], [`Skip`] |

mod activation;
mod dense;
mod dropout;
mod embedding;
mod flatten;
mod misfit;
mod positions;
mod reshape;
mod residual;
mod skip;
mod tied_output;

pub use activation::Activation;
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use positions::{LearnedPositions, SinusoidalPositions};
pub use reshape::Reshape;
pub use residual::Residual;
pub use skip::Skip;
pub use tied_output::TiedOutput;

use crate::registry::Registry;

/// Makes every layer of this folder known to a registry.
pub(crate) fn register(registry: &mut Registry) {
    registry
        .register_layer::<Activation>()
        .register_layer::<Dense>()
        .register_layer::<Dropout>()
        .register_layer::<Embedding>()
        .register_layer::<Flatten>()
        .register_layer::<LearnedPositions>()
        .register_layer::<Reshape>()
        .register_layer::<Residual>()
        .register_layer::<SinusoidalPositions>()
        .register_layer::<Skip>()
        .register_layer::<TiedOutput>();
}
