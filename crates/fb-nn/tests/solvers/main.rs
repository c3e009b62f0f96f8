//! Solvers for fixed points and linear systems, against known answers and against each other.

mod bad_input;
mod fixed_points;
mod linear_systems;
mod maps;
mod rows;
