//! The classics among feedback networks, each a few layers and edges on the engine of [`feedback`](crate::feedback).
//!
//! | model | the loop | learns by |
//! |---|---|---|
//! | [`Hopfield`] | `s ← sgn(W·s)`: a pattern completes itself | Hebb's rule |
//! | [`ModernHopfield`] | `ξ ← X·softmax(β·Xᵀ·ξ)`: the same with room for far more patterns | storing them |
//! | [`EchoState`] | a random recurrent layer that echoes its input | ridge regression of its readout |
//! | [`Boltzmann`] | a Gibbs chain between visible and hidden units | contrastive divergence |

mod boltzmann;
mod echo_state;
mod hopfield;
mod modern_hopfield;
mod rows;

pub use boltzmann::{Boltzmann, BoltzmannGradient, ContrastiveDivergence};
pub use echo_state::{EchoState, EchoStream, Reservoir};
pub use hopfield::{Hopfield, Recall, Updates, overlap};
pub use modern_hopfield::ModernHopfield;
