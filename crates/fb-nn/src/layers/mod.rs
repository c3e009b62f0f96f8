//! The layers: each file holds a configuration, its build and its module.
//!
//! | for | layers |
//! |---|---|
//! | feature vectors | [`Dense`], [`FeedForward`], [`Activation`], [`Dropout`] |
//! | norms | [`BatchNorm`], [`LayerNorm`], [`RmsNorm`], [`GroupNorm`] |
//! | shapes | [`Flatten`], [`Reshape`] |
//! | tokens and positions | [`Embedding`], [`TiedOutput`], [`LearnedPositions`], [`SinusoidalPositions`] |
//! | sequences | [`MultiHeadAttention`], [`TransformerBlock`], [`TransformerDecoderBlock`] |
//! | layers around layers | [`Residual`], [`Skip`] |

mod activation;
mod attention;
mod batch_norm;
mod dense;
mod dropout;
mod embedding;
mod feed_forward;
mod flatten;
mod group_norm;
mod layer_norm;
mod misfit;
mod norm;
mod positions;
mod projection;
mod reshape;
mod residual;
mod rms_norm;
mod skip;
mod tied_output;
mod transformer;

pub use activation::Activation;
pub use attention::MultiHeadAttention;
pub use batch_norm::BatchNorm;
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use feed_forward::FeedForward;
pub use flatten::Flatten;
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use positions::{LearnedPositions, SinusoidalPositions};
pub use reshape::Reshape;
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use skip::Skip;
pub use tied_output::TiedOutput;
pub use transformer::{TransformerBlock, TransformerDecoderBlock};

use crate::registry::Registry;

/// Makes every layer of this folder known to a registry.
pub(crate) fn register(registry: &mut Registry) {
    registry
        .register_layer::<Activation>()
        .register_layer::<BatchNorm>()
        .register_layer::<Dense>()
        .register_layer::<Dropout>()
        .register_layer::<Embedding>()
        .register_layer::<FeedForward>()
        .register_layer::<Flatten>()
        .register_layer::<GroupNorm>()
        .register_layer::<LayerNorm>()
        .register_layer::<LearnedPositions>()
        .register_layer::<MultiHeadAttention>()
        .register_layer::<Reshape>()
        .register_layer::<Residual>()
        .register_layer::<RmsNorm>()
        .register_layer::<SinusoidalPositions>()
        .register_layer::<Skip>()
        .register_layer::<TiedOutput>()
        .register_layer::<TransformerBlock>()
        .register_layer::<TransformerDecoderBlock>();
}
