//! What a recurrent cell is: a state of some registers, a part of its work that waits for no state, and a step.
//!
//! A [`CellConfig`] is plain data that builds a [`Cell`]; [`scan`] runs any cell through the sequences of a batch. A cell of
//! your own is a configuration and a cell in tensor operations, run by the same scan: what its input gives is computed for
//! all steps at once, and the gradients of its weights are gathered into one product each. A cell that knows a faster way
//! through all steps says so in [`Cell::fused`].

mod config;
mod scan;
mod state;

pub use config::{AnyCell, BuiltCell, CellConfig, HeldCell};
pub use scan::{Scan, scan};
pub use state::{CellState, Register, Start};

use crate::error::Result;
use crate::module::Context;
use fb_autograd::Var;
use fb_tensor::Float;
use fb_tensor::recurrent::Steps;
use std::fmt::Debug;

/// A built recurrent cell: immutable, computing from the parameters that the context hands out. Its state is a value that is
/// passed in and handed back.
///
/// # Examples
/// A cell of one's own that forgets half of what it knew, used alone:
/// ```
/// use fb_autograd::Var;
/// use fb_nn::cell::{Cell, CellState, Register, Start, scan};
/// use fb_nn::param::Params;
/// use fb_nn::{Context, Result};
/// use fb_tensor::Tensor;
/// use fb_tensor::recurrent::Steps;
///
/// #[derive(Debug)]
/// struct Halves([Register; 1]);
///
/// impl Cell<f32> for Halves {
///     fn registers(&self) -> &[Register] {
///         &self.0
///     }
///     fn project(&self, _: &mut Context<'_, f32>, x: &Var) -> Result<Var> {
///         Ok(x.clone())
///     }
///     fn step(&self, _: &mut Context<'_, f32>, x: Var, state: &CellState) -> Result<(Var, CellState)> {
///         let h = &x + &state.registers()[0].mul_scalar(0.5);
///         Ok((h.clone(), CellState::new(vec![h])))
///     }
/// }
///
/// let cell = Halves([Register { name: "h", shape: [1].into(), start: Start::Zeros }]);
/// let params = Params::new();
/// let mut cx = Context::eval(&params);
/// let steps = Steps::even(1, 3);
/// let x = Var::constant(steps.pack(&Tensor::from([[[4.0], [2.0], [1.0]]]))?);
/// let start = CellState::start(&cell, &mut cx, 1);
/// let ran = scan(&mut cx, &cell, &x, start, &steps)?;
/// assert_eq!(ran.outputs.tensor().to_vec(), [4.0, 4.0, 3.0]);
/// assert_eq!(ran.last.registers()[0].item(), 3.0);
/// # Ok::<(), fb_nn::Error>(())
/// ```
pub trait Cell<F: Float>: Debug + Send + Sync {
    /// What the state consists of.
    fn registers(&self) -> &[Register];

    /// The part of the work that waits for no state, for the rows of many steps at once.
    ///
    /// # Shapes
    /// - `x`: `[rows, …]`
    /// - returns `[rows, …]`
    ///
    /// # Errors
    /// The input is not what the cell was built for.
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>>;

    /// One step: the output and the next state, from what [`Cell::project`] gave for the step's rows, and the state.
    ///
    /// # Shapes
    /// - `projected`: `[batch, …]`, each register `[batch, …]`
    /// - returns an output `[batch, …]` and registers as before
    ///
    /// # Errors
    /// The state is not one of this cell.
    fn step(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
    ) -> Result<(Var<F>, CellState<F>)>;

    /// The way of this cell through all steps at once, if it knows one.
    fn fused(&self) -> Option<&dyn FusedCell<F>> {
        None
    }
}

/// A [`Cell`] that runs through all steps as one operation. Its first register is its output.
pub trait FusedCell<F: Float> {
    /// All steps: the outputs in the order of the steps and the last states. The bits are those of [`Cell::step`] after step.
    ///
    /// # Shapes
    /// - `projected`: `[rows, …]`, each register `[batch, …]`
    /// - returns outputs `[rows, …]` and registers as before
    ///
    /// # Errors
    /// The state is not one of this cell.
    fn scan(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
        steps: &Steps,
    ) -> Result<(Var<F>, CellState<F>)>;
}
