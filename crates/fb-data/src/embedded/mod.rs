//! Small sets that come with the library, each with its source and licence.
//!
//! | set | rows | features | classes |
//! |---|---|---|---|
//! | [`xor`] | 4 | 2 | one number per row |
//! | [`digits`] | 1797 | 64 (8×8 pixels) | 10 |
//! | [`iris`] | 150 | 4 | 3 |
//! | [`wine`] | 178 | 13 | 3 |
//! | [`breast_cancer`] | 569 | 30 | 2 |

mod breast_cancer;
mod digits;
mod file;
mod iris;
mod wine;
mod xor;

pub use breast_cancer::breast_cancer;
pub use digits::digits;
pub use iris::iris;
pub use wine::wine;
pub use xor::xor;
