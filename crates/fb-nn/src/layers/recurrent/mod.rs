//! Recurrent layers: cells, and the layer that runs any cell along a sequence.

mod elman;
mod fused;
mod gru;
mod layer;
mod lstm;
mod min_gru;
mod module;

pub use elman::ElmanCell;
pub use gru::GruCell;
pub use layer::Recurrent;
pub use lstm::LstmCell;
pub use min_gru::MinGruCell;
pub use module::RecurrentModule;

/// A [`Recurrent`] layer over an [`LstmCell`].
#[derive(Clone, Copy, Debug)]
pub struct Lstm;

impl Lstm {
    /// `Recurrent::new(LstmCell::new(units))`
    ///
    /// ```
    /// use fb_nn::Sequential;
    /// use fb_nn::layers::{Dense, Lstm};
    /// let network = Sequential::input([100, 8])
    ///     .layer("memory", Lstm::new(32).last())
    ///     .layer("output", Dense::new(1))
    ///     .build()?;
    /// assert_eq!(network.params().elements(), 4 * 32 * (8 + 32 + 1) + 33);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    #[allow(clippy::new_ret_no_self, reason = "a shorthand for a configuration")]
    pub fn new(units: usize) -> Recurrent {
        Recurrent::new(LstmCell::new(units))
    }
}

/// A [`Recurrent`] layer over a [`GruCell`].
#[derive(Clone, Copy, Debug)]
pub struct Gru;

impl Gru {
    /// `Recurrent::new(GruCell::new(units))`
    #[allow(clippy::new_ret_no_self, reason = "a shorthand for a configuration")]
    pub fn new(units: usize) -> Recurrent {
        Recurrent::new(GruCell::new(units))
    }
}

/// A [`Recurrent`] layer over an [`ElmanCell`].
#[derive(Clone, Copy, Debug)]
pub struct Elman;

impl Elman {
    /// `Recurrent::new(ElmanCell::new(units))`
    #[allow(clippy::new_ret_no_self, reason = "a shorthand for a configuration")]
    pub fn new(units: usize) -> Recurrent {
        Recurrent::new(ElmanCell::new(units))
    }
}
