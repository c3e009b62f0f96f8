//! What a tensor may hold: [`Element`], and [`Float`] for what can be computed with.

mod fast_f32;
mod float;

pub use float::Float;

use crate::storage::{Pool, Shelf};
use half::{bf16, f16};
use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::thread::LocalKey;

pub(crate) mod sealed {
    /// Closes [`super::Element`]: kernels assume plain-old-data types whose all-zero bytes are a value.
    pub trait Sealed {}
}

/// A type that a [`Tensor`](crate::Tensor) can store: `f32`, `f64`, `f16`, `bf16`, `i64`, `u8`, `bool`.
///
/// The trait is sealed. Arithmetic is defined for [`Float`] only; the others are storage, indices and masks.
pub trait Element:
    sealed::Sealed + Copy + Default + PartialEq + Debug + Display + Send + Sync + 'static
{
    /// The type's name as it appears in messages and files, such as `"f32"`.
    const NAME: &'static str;

    #[doc(hidden)]
    fn pool() -> &'static LocalKey<RefCell<Pool<Self>>>;

    #[doc(hidden)]
    fn shelf() -> &'static Shelf<Self>;

    /// The value as `f64` (`bool` gives 0 or 1; `i64` beyond 2⁵³ is rounded).
    fn as_f64(self) -> f64;

    /// The nearest value of this type (`bool`: whether it is not zero; integers truncate and saturate).
    fn of_f64(value: f64) -> Self;
}

macro_rules! element {
    ($type:ty, $name:literal, |$v:ident| $to:expr, |$w:ident| $from:expr) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const NAME: &'static str = $name;

            fn pool() -> &'static LocalKey<RefCell<Pool<Self>>> {
                thread_local! {
                    static POOL: RefCell<Pool<$type>> = const { RefCell::new(Pool::new()) };
                }
                &POOL
            }

            fn shelf() -> &'static Shelf<Self> {
                static SHELF: Shelf<$type> = Shelf::new();
                &SHELF
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                let $v = self;
                $to
            }

            #[inline(always)]
            fn of_f64($w: f64) -> Self {
                $from
            }
        }
    };
}

element!(f32, "f32", |v| f64::from(v), |w| w as f32);
element!(f64, "f64", |v| v, |w| w);
element!(f16, "f16", |v| v.to_f64(), |w| f16::from_f64(w));
element!(bf16, "bf16", |v| v.to_f64(), |w| bf16::from_f64(w));
element!(i64, "i64", |v| v as f64, |w| w as i64);
element!(u8, "u8", |v| f64::from(v), |w| w as u8);
element!(bool, "bool", |v| f64::from(u8::from(v)), |w| w != 0.0);
