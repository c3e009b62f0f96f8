//! The programs in the repository's README, run as documentation tests.

#[doc = include_str!("../../../README.md")]
struct Readme;
