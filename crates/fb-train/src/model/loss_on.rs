//! Which iterations the loss looks at.

use fb_nn::feedback::network::Wanted;

/// On which iterations of a loop the loss looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossOn {
    /// On the last one: the loop may do what it likes on the way.
    #[default]
    Last,
    /// On every one, with equal weights: each iteration is taught to be right, later ones get to refine.
    ///
    /// # References
    /// A. Zamir et al., "Feedback networks", CVPR 2017, section 3.
    Every,
}

impl LossOn {
    pub(super) fn wanted(self) -> Wanted {
        match self {
            Self::Last => Wanted::Last,
            Self::Every => Wanted::Every,
        }
    }
}
