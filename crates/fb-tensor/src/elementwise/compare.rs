//! Comparisons, logic on masks and selection by them.

use super::binary::{And, Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual, Or, Xor};
use crate::element::Element;
use crate::error::{OrPanic, Result};
use crate::tensor::Tensor;

macro_rules! comparisons {
    ($($method:ident $Op:ident $symbol:literal;)*) => {
        /// Comparisons of each pair of elements, with broadcasting. Any comparison with NaN but `ne` is false.
        impl<T: Element + PartialOrd> Tensor<T> {
            $(
                #[doc = concat!("Whether `self ", $symbol, " other`, for each pair of elements.")]
                ///
                /// # Panics
                /// If the shapes do not broadcast.
                #[track_caller]
                #[must_use]
                pub fn $method(&self, other: &Self) -> Tensor<bool> {
                    self.try_zip_op(other, &$Op).or_panic()
                }
            )*
        }
    };
}

comparisons! {
    eq Equal "=";
    ne NotEqual "≠";
    lt Less "<";
    le LessEqual "≤";
    gt Greater ">";
    ge GreaterEqual "≥";
}

/// Logic on masks.
impl Tensor<bool> {
    /// Where both are true.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.try_zip_op(other, &And).or_panic()
    }

    /// Where either is true.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.try_zip_op(other, &Or).or_panic()
    }

    /// Where it is false.
    #[must_use]
    pub fn not(&self) -> Self {
        self.try_zip_op(&Self::from_scalar(true), &Xor).or_panic()
    }

    /// Whether any element is true.
    pub fn any(&self) -> bool {
        self.iter().any(|x| x)
    }

    /// Whether all elements are true.
    pub fn all(&self) -> bool {
        self.iter().all(|x| x)
    }

    /// How many elements are true.
    pub fn count(&self) -> usize {
        self.iter().filter(|&x| x).count()
    }
}

impl<T: Element> Tensor<T> {
    /// `if_true` where `condition` holds, `if_false` elsewhere, with broadcasting of all three.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([-1.0, 2.0]);
    /// let y = Tensor::where_(&x.gt(&Tensor::scalar(0.0)), &x, &Tensor::scalar(0.0));
    /// assert_eq!(y.to_vec(), [0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[must_use]
    pub fn where_(condition: &Tensor<bool>, if_true: &Self, if_false: &Self) -> Self {
        Self::try_where(condition, if_true, if_false).or_panic()
    }

    /// [`Tensor::where_`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not broadcast.
    pub fn try_where(condition: &Tensor<bool>, if_true: &Self, if_false: &Self) -> Result<Self> {
        let shape = condition.shape().broadcast(
            &if_true.shape().broadcast(if_false.shape(), "where")?,
            "where",
        )?;
        let condition = condition.broadcast_to(shape).contiguous();
        let (yes, no) = (
            if_true.broadcast_to(shape).contiguous(),
            if_false.broadcast_to(shape).contiguous(),
        );
        Ok(Self::filled_by(shape, |out| {
            let choices = condition.iter().zip(yes.iter().zip(no.iter()));
            for (value, (take, (a, b))) in out.iter_mut().zip(choices) {
                *value = if take { a } else { b };
            }
        }))
    }
}
