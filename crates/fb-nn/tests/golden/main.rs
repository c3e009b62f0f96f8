//! Attention, layers, losses and optimizers against PyTorch; `README.md` beside this file describes the values.

mod attention;
mod every_layer;
mod file;
mod layers;
mod losses;
mod optimizers;
mod passes;
mod recurrent;
mod spectrum;
