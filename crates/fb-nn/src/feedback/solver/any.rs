//! Solvers of any type.

use super::{FixedPointSolver, LinearSolver, Map, Solution, Stop};
use crate::error::{Error, Result};
use fb_tensor::{Float, Tensor};
use std::any::Any;
use std::fmt::Debug;

/// A value as what it is: the same type under another name.
fn same<A: 'static, B: 'static>(value: A) -> Option<B> {
    let mut value = Some(value);
    let value: &mut dyn Any = &mut value;
    value.downcast_mut::<Option<B>>().and_then(Option::take)
}

/// Solves for tensors of `G`, which is `F`.
fn solve_as<F: Float, G: Float>(
    map: &mut Map<'_, F>,
    start: Tensor<G>,
    solve: impl FnOnce(&mut Map<'_, G>, Tensor<G>) -> Result<Solution<G>>,
) -> Result<Solution<F>> {
    let found = solve(
        &mut |state, rows| {
            let state = (state as &dyn Any).downcast_ref();
            let image = map(state.expect("G is F"), rows)?;
            Ok(same(image).expect("G is F"))
        },
        start,
    )?;
    Ok(Solution {
        state: same(found.state).expect("G is F"),
        report: found.report,
    })
}

macro_rules! any_solver {
    ($(#[$doc:meta])* $Any:ident of $Solver:ident) => {
        $(#[$doc])*
        pub trait $Any: Debug + Send + Sync {
            /// The name of the kind in files and reports.
            fn kind(&self) -> &'static str;

            /// Checks the parameters.
            ///
            /// # Errors
            /// One is outside its domain.
            fn validate(&self) -> Result<()>;

            /// The parameters as JSON.
            ///
            /// # Errors
            /// They do not serialise.
            fn config(&self) -> Result<serde_json::Value>;

            #[doc(hidden)]
            fn solve_f32(&self, map: &mut Map<'_, f32>, start: Tensor<f32>, stop: &Stop) -> Result<Solution<f32>>;

            #[doc(hidden)]
            fn solve_f64(&self, map: &mut Map<'_, f64>, start: Tensor<f64>, stop: &Stop) -> Result<Solution<f64>>;
        }

        impl<S: $Solver> $Any for S {
            fn kind(&self) -> &'static str {
                S::KIND
            }

            fn validate(&self) -> Result<()> {
                $Solver::validate(self)
            }

            fn config(&self) -> Result<serde_json::Value> {
                serde_json::to_value(self).map_err(|error| Error::Format {
                    place: format!("the parameters of {}", S::KIND),
                    reason: error.to_string(),
                    help: String::new(),
                })
            }

            fn solve_f32(&self, map: &mut Map<'_, f32>, start: Tensor<f32>, stop: &Stop) -> Result<Solution<f32>> {
                self.solve(map, start, stop)
            }

            fn solve_f64(&self, map: &mut Map<'_, f64>, start: Tensor<f64>, stop: &Stop) -> Result<Solution<f64>> {
                self.solve(map, start, stop)
            }
        }

        impl dyn $Any + '_ {
            #[doc = concat!("[`", stringify!($Solver), "::solve`].")]
            ///
            /// A trait object cannot have a generic method; `F` is one of two types, so the right one is found by its type id.
            ///
            /// # Errors
            #[doc = concat!("As [`", stringify!($Solver), "::solve`].")]
            pub fn solve<F: Float>(&self, map: &mut Map<'_, F>, start: Tensor<F>, stop: &Stop) -> Result<Solution<F>> {
                let mut start = Some(start);
                let slot: &mut dyn Any = &mut start;
                if let Some(start) = slot.downcast_mut::<Option<Tensor<f32>>>().and_then(Option::take) {
                    return solve_as(map, start, |map, start| self.solve_f32(map, start, stop));
                }
                if let Some(start) = slot.downcast_mut::<Option<Tensor<f64>>>().and_then(Option::take) {
                    return solve_as(map, start, |map, start| self.solve_f64(map, start, stop));
                }
                unreachable!("Float is sealed: f32 or f64")
            }
        }
    };
}

any_solver! {
    /// A [`FixedPointSolver`] of any type, as a schedule holds it. Implemented for every such solver.
    AnyFixedPointSolver of FixedPointSolver
}

any_solver! {
    /// A [`LinearSolver`] of any type, as a gradient strategy holds it. Implemented for every such solver.
    AnyLinearSolver of LinearSolver
}
