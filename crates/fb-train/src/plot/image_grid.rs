//! Many small matrices beside each other.

use super::color::{ColorMap, INK, MUTED};
use super::pen::{self, Anchor, Area, Draw, Drawn};
use super::{font, save};
use crate::error::{Error, Result};
use fb_tensor::{Element, Tensor};
use plotters::prelude::DrawingBackend;
use std::path::Path;

const TITLE: f64 = 16.0;
const TEXT: f64 = 11.0;
const MARGIN: f64 = 16.0;
const GAP: f64 = 8.0;

/// An image is magnified by a whole factor to about this many pixels.
const IMAGE: f64 = 84.0;

/// Images, filters or weights in a grid, each with a caption if wanted.
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_train::plot::{ColorMap, ImageGrid};
/// let weights = Tensor::from_fn([4, 8, 8], |i| (i[1] as f32 - i[2] as f32) * i[0] as f32);
/// let grid = ImageGrid::new("filters", &weights)?.colors(ColorMap::Diverging).captions(["a", "b", "c", "d"]);
/// assert!(grid.to_svg()?.contains("filters"));
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageGrid {
    title: String,
    images: Vec<f64>,
    dims: [usize; 3],
    captions: Vec<String>,
    columns: usize,
    colors: ColorMap,
}

impl ImageGrid {
    /// A grid of images, at most 10 in a row, in shades of gray from the smallest value of all to the largest.
    ///
    /// # Shapes
    /// - `images`: `[image, height, width]`
    ///
    /// # Errors
    /// `images` has another number of axes.
    pub fn new<T: Element>(title: impl Into<String>, images: &Tensor<T>) -> Result<Self> {
        let title = title.into();
        let &[count, height, width] = images.dims() else {
            return Err(Error::Plot {
                plot: title,
                expected: "images of shape [image, height, width]".to_string(),
                found: format!("a tensor of shape {}", images.shape()),
                help: "reshape them, such as [n, 64] to [n, 8, 8]; colour images need their channels apart",
            });
        };
        Ok(Self {
            title,
            images: images.iter().map(Element::as_f64).collect(),
            dims: [count, height, width],
            captions: Vec::new(),
            columns: count.clamp(1, 10),
            colors: ColorMap::Gray,
        })
    }

    /// A text under each image.
    #[must_use]
    pub fn captions<S: Into<String>>(mut self, captions: impl IntoIterator<Item = S>) -> Self {
        self.captions = captions.into_iter().map(Into::into).collect();
        self
    }

    /// How many images stand in a row.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// How numbers become colours.
    #[must_use]
    pub fn colors(mut self, colors: ColorMap) -> Self {
        self.colors = colors;
        self
    }

    /// The grid as the text of an SVG file.
    ///
    /// # Errors
    /// The grid cannot be drawn.
    pub fn to_svg(&self) -> Result<String> {
        save::svg(self)
    }

    /// Writes the grid as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(self, path.as_ref())
    }

    /// Pixels of the picture for each pixel of an image.
    fn magnification(&self) -> f64 {
        let longest = self.dims[1].max(self.dims[2]).max(1);
        (IMAGE / longest as f64).floor().max(1.0)
    }

    /// Width and height from one image to the next.
    fn step(&self) -> (f64, f64) {
        let magnification = self.magnification();
        let caption = if self.captions.is_empty() {
            0.0
        } else {
            TEXT + 4.0
        };
        let text = self
            .captions
            .iter()
            .map(|caption| font::width(caption, TEXT))
            .fold(0.0, f64::max);
        let width = (self.dims[2] as f64 * magnification).max(text).ceil();
        (
            width + GAP,
            self.dims[1] as f64 * magnification + caption + GAP,
        )
    }

    fn rows(&self) -> usize {
        self.dims[0].div_ceil(self.columns)
    }
}

impl Draw for ImageGrid {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let step = self.step();
        let width = (step.0 * self.columns as f64 - GAP).max(font::width(&self.title, TITLE));
        let height = TITLE + 14.0 + step.1 * self.rows() as f64;
        (
            (width + 2.0 * MARGIN).ceil() as u32,
            (height + 2.0 * MARGIN).ceil() as u32,
        )
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        pen::text(
            area,
            &self.title,
            TITLE,
            INK,
            (MARGIN, MARGIN),
            Anchor::TopLeft,
        )?;
        let step = self.step();
        let image_size = self.dims[1] * self.dims[2];
        for index in 0..self.dims[0] {
            let (row, column) = (index / self.columns, index % self.columns);
            let at = (
                MARGIN + step.0 * column as f64,
                MARGIN + TITLE + 14.0 + step.1 * row as f64,
            );
            self.draw_image(
                area,
                &self.images[index * image_size..(index + 1) * image_size],
                at,
            )?;
            if let Some(caption) = self.captions.get(index) {
                let width = self.dims[2] as f64 * self.magnification();
                let below = self.dims[1] as f64 * self.magnification() + 3.0;
                pen::text(
                    area,
                    caption,
                    TEXT,
                    MUTED,
                    (at.0 + width / 2.0, at.1 + below),
                    Anchor::Top,
                )?;
            }
        }
        Ok(())
    }
}

impl ImageGrid {
    /// One image; neighbours of the same colour become one rectangle, or a plain background would fill the file.
    fn draw_image<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        pixels: &[f64],
        at: (f64, f64),
    ) -> Drawn<DB> {
        let side = self.magnification();
        let (low, high) = self.colors.range(self.images.iter().copied());
        for (row, values) in pixels.chunks(self.dims[2].max(1)).enumerate() {
            let colors: Vec<_> = values
                .iter()
                .map(|value| self.colors.at((value - low) / (high - low)))
                .collect();
            let mut start = 0;
            for run in colors.chunk_by(|a, b| a == b) {
                let from = (at.0 + side * start as f64, at.1 + side * row as f64);
                let to = (from.0 + side * run.len() as f64, from.1 + side);
                pen::rectangle(area, from, to, run[0])?;
                start += run.len();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_rows_become_one_rectangle() {
        let images = Tensor::from([[[0.0, 0.0, 0.0], [0.0, 1.0, 1.0]]]);
        let svg = ImageGrid::new("images", &images).unwrap().to_svg().unwrap();
        // One for the first row, two for the second, and the paper.
        assert_eq!(svg.matches("<rect").count(), 4);
    }

    #[test]
    fn no_images_are_drawn_as_none() {
        for dims in [[0, 8, 8], [2, 0, 8], [2, 8, 0]] {
            let grid = ImageGrid::new("none", &Tensor::zeros(dims)).unwrap();
            assert!(grid.to_svg().unwrap().ends_with("</svg>\n"));
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let error = ImageGrid::new("digits", &Tensor::zeros([5, 64])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("found a tensor of shape [5, 64]"),
            "{error}"
        );
    }
}
