//! The pixels of a PNG, drawn without a display or system fonts.
//!
//! The plotting library asks a canvas for pixels and derives the rest; lines, circles and letters are overridden here
//! for smooth edges.

mod coverage;
mod letters;

use super::pen::UNITS;
use coverage::Coverage;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use std::convert::Infallible;

/// Pixels of the file for each pixel of the picture's size.
const SHARPNESS: f64 = 2.0;

/// Pixels of the file for each unit of the plotting library.
const SCALE: f64 = SHARPNESS / UNITS;

type Outcome = Result<(), DrawingErrorKind<Infallible>>;

/// A canvas of opaque RGB pixels.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A white canvas for a picture of this size in pixels.
    pub(super) fn new(size: (u32, u32)) -> Self {
        let width = (f64::from(size.0) * SHARPNESS) as usize;
        let height = (f64::from(size.1) * SHARPNESS) as usize;
        Self {
            width,
            height,
            pixels: vec![255; width * height * 3],
        }
    }

    /// The canvas as the bytes of a PNG file.
    pub(super) fn encode(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// Mixes a colour into one pixel; places outside are ignored.
    fn blend(&mut self, x: usize, y: usize, color: &BackendColor, share: f64) {
        if x >= self.width || y >= self.height {
            return;
        }
        let start = (y * self.width + x) * 3;
        let share = share * color.alpha;
        let (r, g, b) = color.rgb;
        for (channel, ink) in self.pixels[start..start + 3].iter_mut().zip([r, g, b]) {
            let paper = f64::from(*channel);
            *channel = (paper + (f64::from(ink) - paper) * share).round() as u8;
        }
    }

    /// Mixes a colour into every pixel by how much of it is covered.
    fn ink(&mut self, coverage: &Coverage, color: &BackendColor) {
        coverage.for_each(|x, y, share| self.blend(x, y, color, share));
    }

    fn blank(&self, points: impl Iterator<Item = (f64, f64)>, margin: f64) -> Coverage {
        Coverage::around(points, margin, (self.width, self.height))
    }
}

/// A point in pixels of the file.
fn scaled(point: BackendCoord) -> (f64, f64) {
    (f64::from(point.0) * SCALE, f64::from(point.1) * SCALE)
}

impl DrawingBackend for &mut Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let units = |pixels: usize| (pixels as f64 / SCALE) as u32;
        (units(self.width), units(self.height))
    }

    fn ensure_prepared(&mut self) -> Outcome {
        Ok(())
    }

    fn present(&mut self) -> Outcome {
        Ok(())
    }

    /// A unit is smaller than a pixel, so it covers a part of one.
    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Outcome {
        let (x, y) = scaled(point);
        if x >= 0.0 && y >= 0.0 {
            self.blend(x as usize, y as usize, &color, SCALE * SCALE);
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Outcome {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Outcome {
        let points: Vec<(f64, f64)> = path.into_iter().map(scaled).collect();
        let radius = f64::from(style.stroke_width()) * SCALE / 2.0;
        let mut coverage = self.blank(points.iter().copied(), radius + 1.0);
        for ends in points.windows(2) {
            coverage.stroke(ends[0], ends[1], radius);
        }
        self.ink(&coverage, &style.color());
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Outcome {
        let ((left, top), (right, bottom)) = (upper_left, bottom_right);
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        if fill {
            self.fill_polygon(corners, style)
        } else {
            self.draw_path(corners.into_iter().chain([corners[0]]), style)
        }
    }

    /// Circles are drawn filled: plots have no others.
    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Outcome {
        let (center, radius) = (scaled(center), f64::from(radius) * SCALE);
        let mut coverage = self.blank([center].into_iter(), radius + 1.0);
        coverage.stroke(center, center, radius);
        self.ink(&coverage, &style.color());
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Outcome {
        let corners: Vec<(f64, f64)> = corners.into_iter().map(scaled).collect();
        let mut coverage = self.blank(corners.iter().copied(), 1.0);
        coverage.polygon(&corners);
        coverage.accumulate();
        self.ink(&coverage, &style.color());
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Outcome {
        let contours = letters::contours(text, style, scaled(at), SCALE);
        let mut coverage = self.blank(contours.iter().flatten().copied(), 1.0);
        for contour in &contours {
            coverage.polygon(contour);
        }
        coverage.accumulate();
        self.ink(&coverage, &style.color());
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = letters::font_size(style);
        Ok((
            super::font::width(text, size).ceil() as u32,
            size.ceil() as u32,
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::plot::LineChart;
    use crate::plot::save::png;

    #[test]
    fn a_png_holds_twice_the_pixels_and_the_lines_color() {
        let chart = LineChart::new("loss")
            .line("train", [(0.0, 0.0), (1.0, 1.0)])
            .with_size(300, 200);
        let bytes = png(&chart).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(
            (info.width, info.height, info.color_type),
            (600, 400, png::ColorType::Rgb)
        );
        let blue = pixels
            .chunks(3)
            .filter(|pixel| *pixel == [47, 98, 199])
            .count();
        assert!(blue > 500, "{blue} pixels of the line's colour");
        assert_eq!(pixels[..3], [255; 3]);
    }
}
