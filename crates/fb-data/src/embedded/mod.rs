//! Small sets that come with the library, each with its source and licence.
//!
//! | set | rows | features | classes |
//! |---|---|---|---|
//! | [`xor`] | 4 | 2 | one number per row |
//! | [`digits`] | 1797 | 64 (8×8 pixels) | 10 |
//! | [`iris`] | 150 | 4 | 3 |
//! | [`wine`] | 178 | 13 | 3 |
//! | [`breast_cancer`] | 569 | 30 | 2 |
//! | [`fashion`], [`fashion_test`] | 1000, 200 | 784 (28×28 pixels) | 10 |
//!
//! and [`shakespeare`], a text.

mod breast_cancer;
mod digits;
mod fashion;
mod file;
mod iris;
mod shakespeare;
mod wine;
mod xor;

pub use breast_cancer::breast_cancer;
pub use digits::digits;
pub use fashion::{fashion, fashion_test};
pub use iris::iris;
pub use shakespeare::shakespeare;
pub use wine::wine;
pub use xor::xor;
