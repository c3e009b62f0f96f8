//! The names that most programs need: `use fb::prelude::*;`
//!
//! Everything else is one module away: [`fb::nn`](crate::nn) for layers and optimizers of your own,
//! [`fb::data`](crate::data) for files and splits, [`fb::train`](crate::train) for metrics, callbacks and plots.

pub use fb_autograd::{Tape, Var};
pub use fb_nn::feedback::gradient::{
    Bptt, Checkpointed, DeepSupervision, Implicit, LastK, Phantom, Truncated,
};
pub use fb_nn::feedback::schedule::{Converge, Halt, Sequence, Unroll};
pub use fb_nn::feedback::topology::{Clock, Initial};
pub use fb_nn::feedback::{Graph, Network, Sequential, State};
pub use fb_nn::init::Initializer;
pub use fb_nn::layers::Activation::{
    self, Elu, Gelu, GeluTanh, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use fb_nn::layers::{
    AdaptiveAvgPool2d, AdaptiveMaxPool2d, Add, AvgPool1d, AvgPool2d, BatchNorm, Concat, Conv1d,
    Conv2d, ConvTranspose1d, ConvTranspose2d, Dense, DepthwiseConv2d, Dropout, Elman, Embedding,
    FeedForward, Film, Flatten, GatedMix, GlobalAvgPool, GlobalMaxPool, GroupNorm, Gru, LayerNorm,
    LearnedPositions, Lstm, MaxPool1d, MaxPool2d, MultiHeadAttention, Multiply, Recurrent, Reshape,
    Residual, Resize, RmsNorm, SinusoidalPositions, Skip, TiedOutput, TransformerBlock,
    TransformerDecoderBlock,
};
pub use fb_nn::loss::{
    BinaryCrossentropy, CrossEntropy, Huber, MeanAbsoluteError, MeanSquaredError,
};
pub use fb_nn::optim::{Adam, AdamW, Clip, Penalty, RmsProp, Sgd};
pub use fb_tensor::{Padding, Tensor};
pub use fb_train::history::History;
pub use fb_train::metrics::{Accuracy, ConfusionMatrix, F1, Precision, Recall};
pub use fb_train::progress::Verbosity;
pub use fb_train::{
    Budget, Compile, Describe, EarlyStopping, Evaluation, Fit, Goal, Inputs, LossOn, Model,
    NetworkFile, Predict, Search, Select, Trace,
};
