//! The layers: each file holds a configuration, its build and its module.
//!
//! | for | layers |
//! |---|---|
//! | feature vectors | [`Dense`], [`FeedForward`], [`Activation`], [`Dropout`], [`Leaky`] |
//! | images and series | [`Conv1d`], [`Conv2d`], [`ConvTranspose1d`], [`ConvTranspose2d`], [`DepthwiseConv2d`] |
//! | fewer or more positions | [`MaxPool1d`], [`MaxPool2d`], [`AvgPool1d`], [`AvgPool2d`], [`AdaptiveAvgPool2d`], [`AdaptiveMaxPool2d`], [`GlobalAvgPool`], [`GlobalMaxPool`], [`Resize`] |
//! | norms | [`BatchNorm`], [`LayerNorm`], [`RmsNorm`], [`GroupNorm`] |
//! | shapes | [`Flatten`], [`Reshape`] |
//! | tokens and positions | [`Embedding`], [`TiedOutput`], [`LearnedPositions`], [`SinusoidalPositions`] |
//! | sequences | [`Recurrent`] over [`LstmCell`], [`GruCell`], [`MinGruCell`], [`ElmanCell`] ([`Lstm`], [`Gru`], [`Elman`]), [`MultiHeadAttention`], [`TransformerBlock`], [`TransformerDecoderBlock`] |
//! | layers around layers | [`Residual`], [`Skip`] |
//! | several values together | [`Add`], [`Multiply`], [`Concat`], [`GatedMix`], [`Film`] |

mod activation;
mod adaptive_pool;
mod attention;
mod avg_pool;
mod axes;
mod batch_norm;
mod conv_transpose;
mod convolution;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod embedding;
mod feed_forward;
mod flatten;
mod global_pool;
mod group_norm;
mod growing;
mod layer_norm;
mod leaky;
mod max_pool;
mod merge;
mod misfit;
mod norm;
mod pooling;
mod positions;
mod projection;
mod recurrent;
mod reshape;
mod residual;
mod resize;
mod rms_norm;
mod skip;
mod tied_output;
mod transformer;

pub use activation::Activation;
pub use adaptive_pool::{AdaptiveAvgPool2d, AdaptiveMaxPool2d};
pub use attention::MultiHeadAttention;
pub use avg_pool::{AvgPool, AvgPool1d, AvgPool2d};
pub use batch_norm::BatchNorm;
pub use conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d};
pub use convolution::{Conv, Conv1d, Conv2d};
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use feed_forward::FeedForward;
pub use flatten::Flatten;
pub use global_pool::{GlobalAvgPool, GlobalMaxPool};
pub use group_norm::GroupNorm;
pub use layer_norm::LayerNorm;
pub use leaky::Leaky;
pub use max_pool::{MaxPool, MaxPool1d, MaxPool2d};
pub use merge::{Add, Concat, Film, GatedMix, Multiply};
pub use positions::{LearnedPositions, SinusoidalPositions};
pub use recurrent::{
    Elman, ElmanCell, Gru, GruCell, Lstm, LstmCell, MinGruCell, Recurrent, RecurrentModule,
};
pub use reshape::Reshape;
pub use residual::Residual;
pub use resize::Resize;
pub use rms_norm::RmsNorm;
pub use skip::Skip;
pub use tied_output::TiedOutput;
pub use transformer::{TransformerBlock, TransformerDecoderBlock};

use crate::registry::Registry;

/// Makes every layer of this folder known to a registry.
pub(crate) fn register(registry: &mut Registry) {
    registry
        .register_layer::<Activation>()
        .register_layer::<Add>()
        .register_layer::<AdaptiveAvgPool2d>()
        .register_layer::<AdaptiveMaxPool2d>()
        .register_layer::<AvgPool1d>()
        .register_layer::<AvgPool2d>()
        .register_layer::<BatchNorm>()
        .register_layer::<Concat>()
        .register_layer::<Conv1d>()
        .register_layer::<Conv2d>()
        .register_layer::<ConvTranspose1d>()
        .register_layer::<ConvTranspose2d>()
        .register_layer::<Dense>()
        .register_layer::<DepthwiseConv2d>()
        .register_layer::<Dropout>()
        .register_layer::<Embedding>()
        .register_layer::<FeedForward>()
        .register_layer::<Film>()
        .register_layer::<Flatten>()
        .register_layer::<GatedMix>()
        .register_layer::<GlobalAvgPool>()
        .register_layer::<GlobalMaxPool>()
        .register_layer::<GroupNorm>()
        .register_layer::<LayerNorm>()
        .register_layer::<Leaky>()
        .register_layer::<LearnedPositions>()
        .register_layer::<MaxPool1d>()
        .register_layer::<MaxPool2d>()
        .register_layer::<MultiHeadAttention>()
        .register_layer::<Multiply>()
        .register_layer::<Recurrent>()
        .register_layer::<Reshape>()
        .register_layer::<Residual>()
        .register_layer::<Resize>()
        .register_layer::<RmsNorm>()
        .register_layer::<SinusoidalPositions>()
        .register_layer::<Skip>()
        .register_layer::<TiedOutput>()
        .register_layer::<TransformerBlock>()
        .register_layer::<TransformerDecoderBlock>()
        .register_cell::<ElmanCell>()
        .register_cell::<GruCell>()
        .register_cell::<LstmCell>()
        .register_cell::<MinGruCell>();
}
