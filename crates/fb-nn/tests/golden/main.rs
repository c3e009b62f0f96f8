//! Attention, layers, losses and optimizers against PyTorch; `README.md` beside this file describes the values.

mod attention;
mod file;
mod every_layer;
mod layers;
mod losses;
mod optimizers;
