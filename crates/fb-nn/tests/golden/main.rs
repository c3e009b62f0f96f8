//! Attention, layers, losses, optimizers and parametrisations against PyTorch; `README.md` beside this file describes the values.

mod attention;
mod every_layer;
mod file;
mod layers;
mod losses;
mod optimizers;
mod parametrizations;
mod passes;
mod recurrent;
mod spectrum;
