//! Fixed points `z = f(z)` of a loop, and the linear systems of their gradients.
//!
//! A [`FixedPointSolver`] looks for the state that a map gives back unchanged, each row of the batch by itself; a
//! [`LinearSolver`] solves `(I − A) u = g`, which is what the implicit function theorem asks for. They work on plain
//! tensors: nothing is recorded and nothing differentiated. What came out is a [`Solution`]: the state and a
//! [`SolverReport`] that says for each sample how good it is and what it took.
//!
//! | solver | use it for | vectors kept for each row |
//! |---|---|---|
//! | [`Anderson`] | nearly always: few evaluations, and little work beside them | 2 · memory + 3 |
//! | [`Broyden`] | maps that do not contract: each step is searched along its line | 2 · memory + 8 |
//! | [`Damped`] | maps that contract strongly, and as a control | 1 |
//! | [`Gmres`] | the gradient, nearly always: exact in as many steps as there are numbers | restart + 5 |
//! | [`Neumann`] | the gradient of maps that contract strongly | 3 |
//!
//! The rows of a batch do not see each other: what a row ends with has the same bits alone, beside any others, with
//! finished rows taken out of the batch or left in it, and on any number of threads, as long as the map works on each row
//! by itself. A row that meets NaN or an infinity stops and the others go on.

mod anderson;
mod any;
mod broyden;
mod damped;
mod drive;
mod gmres;
mod neumann;
mod report;
mod setting;
mod small_system;
mod stop;

pub use anderson::Anderson;
pub use any::{AnyFixedPointSolver, AnyLinearSolver};
pub use broyden::Broyden;
pub use damped::Damped;
pub use gmres::Gmres;
pub use neumann::Neumann;
pub use report::{Outcome, SampleReport, SolverReport};
pub use stop::{Freeze, Stop};

use crate::error::Result;
use fb_tensor::{Float, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What is solved for: the rows that are still worked on, and which rows of the whole batch they are, to their images.
///
/// # Shapes
/// - the state: `[active, …]`, each row with the extents of the start's
/// - the rows: `active` numbers, ascending
/// - returns the shape of the state
pub type Map<'m, F> = dyn FnMut(&Tensor<F>, &[usize]) -> Result<Tensor<F>> + 'm;

/// A method for fixed points `z = f(z)`: plain serialisable data.
///
/// A solver of your own needs this trait; register it with
/// [`Registry::register_solver`](crate::Registry::register_solver) to have it read from files.
pub trait FixedPointSolver:
    Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The name of the kind in files and reports.
    const KIND: &'static str;

    /// Checks the parameters.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()>;

    /// Looks for the fixed point of each row, from `start`.
    ///
    /// An iteration is a step and the evaluation that says how good it was; the evaluation of the start comes before the
    /// first, so a row takes one evaluation more than iterations. A row that does not converge ends with the best state
    /// that it came by.
    ///
    /// # Shapes
    /// - `start`: `[batch, …]`
    /// - returns the same
    ///
    /// # Errors
    /// A parameter is outside its domain, the start has no axis for the batch, the map fails or changes the shape.
    /// Samples that do not converge are no error: the report names them.
    fn solve<F: Float>(
        &self,
        map: &mut Map<'_, F>,
        start: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>>;
}

/// A method for linear systems `(I − A) u = g`, each row of the batch with its own `A`: plain serialisable data.
///
/// With `A` the transposed Jacobian of a map at its fixed point and `g` the gradient by that, `u` is what the gradients by
/// everything that the map depends on are made from. A solver of your own is registered with
/// [`Registry::register_linear_solver`](crate::Registry::register_linear_solver).
pub trait LinearSolver:
    Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The name of the kind in files and reports.
    const KIND: &'static str;

    /// Checks the parameters.
    ///
    /// # Errors
    /// One is outside its domain.
    fn validate(&self) -> Result<()>;

    /// Solves `(I − A) u = g` for each row; `product` gives `A u`.
    ///
    /// The residual is `‖g − (I − A) u‖ / ‖g‖`, measured on the `u` that is returned. A row of zeros is its own answer; one
    /// with NaN or an infinity is handed back as it is.
    ///
    /// # Shapes
    /// - `right`: `[batch, …]`
    /// - returns the same
    ///
    /// # Errors
    /// As [`FixedPointSolver::solve`].
    fn solve<F: Float>(
        &self,
        product: &mut Map<'_, F>,
        right: Tensor<F>,
        stop: &Stop,
    ) -> Result<Solution<F>>;
}

/// What a solver hands back.
#[derive(Clone, Debug)]
pub struct Solution<F: Float> {
    /// The best state of each row.
    pub state: Tensor<F>,
    /// How good it is and what it took.
    pub report: SolverReport,
}
