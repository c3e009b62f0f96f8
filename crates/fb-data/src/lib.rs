//! Rows to batches: sources, cleaning, transforms, datasets and loaders of the fb feedback-network
//! library.
//!
//! The way of a row: a source ([`csv`], [`idx`], [`embedded`]) → [`table`] → [`mod@split`] → [`transform`]
//! (fitted on the training part) → [`dataset`] → [`batch`]. The main types are [`Table`], [`Labelled`],
//! the [`Transform`](transform::Transform) trait and [`Batches`].
//!
//! ```
//! use fb_data::transform::{Fitted, StandardScaler, Transform};
//! use fb_data::{Batches, Dataset, TensorDataset, embedded};
//!
//! let (train, test) = embedded::iris().split(0.2).stratified().seed(42)?;
//! let scaler = StandardScaler::new().fit(train.x())?;
//! let train = TensorDataset::new(scaler.transform(train.x())?, train.y().clone())?;
//! let test = TensorDataset::new(scaler.transform(test.x())?, test.y().clone())?;
//! assert_eq!((train.len(), test.len()), (120, 30));
//!
//! let mut batches = Batches::new(train.len(), 32)?.shuffle(7);
//! for rows in batches.epoch(0) {
//!     let (x, y) = train.batch(rows)?;
//!     assert_eq!((x.dim(0), x.dim(1)), (y.len(), 4));
//! }
//! # Ok::<(), fb_data::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod batch;
pub mod csv;
pub mod dataset;
pub mod embedded;
mod error;
pub mod file;
pub mod generated;
pub mod idx;
mod place;
pub mod split;
pub mod table;
pub mod transform;

pub use batch::Batches;
pub use csv::Csv;
pub use dataset::{Dataset, Labelled, TensorDataset};
pub use error::{Error, Result};
pub use place::Place;
pub use split::{k_fold, split};
pub use table::{Column, Table};
