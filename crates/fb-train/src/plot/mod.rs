//! Pictures of training: [`LineChart`], several of them side by side as a [`Figure`], [`Heatmap`] for matrices such as a
//! confusion matrix, [`ImageGrid`] for images and weights; [`TrajectoryChart`] for what a loop does iteration by iteration and
//! [`EigenvaluePlot`] for how it would answer to a disturbance.
//!
//! Everything is drawn without system fonts or a display, as SVG or, with the crate feature `png`, as PNG. The plotting
//! library underneath is named in this folder only and appears in no signature.
//!
//! ```
//! use fb_train::plot::LineChart;
//! let chart = LineChart::new("loss").x_label("epoch").line("train", [(1.0, 0.7), (2.0, 0.4), (3.0, 0.3)]);
//! let folder = tempfile::tempdir()?;
//! chart.save(folder.path().join("loss.svg"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "png")]
mod canvas;
mod color;
mod eigenvalue_plot;
mod figure;
mod font;
mod heatmap;
mod image_grid;
mod legend;
mod line_chart;
mod pen;
mod save;
mod ticks;
mod trajectory_chart;

pub use color::ColorMap;
pub use eigenvalue_plot::EigenvaluePlot;
pub use figure::Figure;
pub use heatmap::Heatmap;
pub use image_grid::ImageGrid;
pub use line_chart::LineChart;
pub use trajectory_chart::TrajectoryChart;
