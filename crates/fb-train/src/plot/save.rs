//! From a drawing to a file.

use super::color::PAPER;
use super::pen::{Area, Draw, rgb, units};
use crate::error::{Error, Result};
use crate::file::write_atomic;
use plotters::prelude::{DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea, SVGBackend};
use std::path::Path;

const ENDINGS: &str = if cfg!(feature = "png") {
    ".svg or .png"
} else {
    ".svg"
};

/// Writes the drawing in the format that the file's name asks for.
pub(super) fn save(drawing: &impl Draw, path: &Path) -> Result<()> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    let bytes = match ending.as_deref() {
        Some("svg") => svg(drawing)?.into_bytes(),
        #[cfg(feature = "png")]
        Some("png") => png(drawing)?,
        Some(other) => {
            let help = match other {
                "png" => "write .svg, or enable the crate feature \"png\"",
                _ => "change the ending; browsers, editors and slides take .svg as it is",
            };
            return Err(foreign(path, format!("\".{other}\""), help));
        }
        None => {
            return Err(foreign(
                path,
                "no ending".to_string(),
                "add the ending .svg",
            ));
        }
    };
    Ok(write_atomic(path, |writer| writer.write_all(&bytes))?)
}

fn foreign(path: &Path, found: String, help: &'static str) -> Error {
    Error::PlotFormat {
        path: path.to_path_buf(),
        expected: ENDINGS,
        found,
        help,
    }
}

/// The drawing as the text of an SVG file.
pub(super) fn svg(drawing: &impl Draw) -> Result<String> {
    drawing.check()?;
    let (width, height) = drawing.size();
    let fine = fine_size(drawing);
    let mut text = String::new();
    paint(
        drawing,
        &SVGBackend::with_string(&mut text, fine).into_drawing_area(),
    )?;
    // The coordinates are finer than pixels; the picture is shown at its size in pixels, and noisy lines need round
    // joins, or their spikes would reach far beyond their points.
    let head = format!("<svg width=\"{}\" height=\"{}\"", fine.0, fine.1);
    let shown = format!(
        "<svg width=\"{width}\" height=\"{height}\" stroke-linejoin=\"round\" stroke-linecap=\"round\""
    );
    Ok(match text.strip_prefix(&head) {
        Some(rest) => shown + rest,
        None => text,
    })
}

/// The drawing as the bytes of a PNG file, with twice as many pixels as its size says, for sharp screens and print.
#[cfg(feature = "png")]
pub(super) fn png(drawing: &impl Draw) -> Result<Vec<u8>> {
    drawing.check()?;
    let mut canvas = super::canvas::Canvas::new(drawing.size());
    paint(drawing, &(&mut canvas).into_drawing_area())?;
    canvas
        .encode()
        .map_err(|error| undrawable(drawing, error.to_string()))
}

/// Width and height in the plotting library's units.
fn fine_size(drawing: &impl Draw) -> (u32, u32) {
    let (width, height) = drawing.size();
    (
        units(f64::from(width)).unsigned_abs(),
        units(f64::from(height)).unsigned_abs(),
    )
}

fn paint<DB: DrawingBackend>(drawing: &impl Draw, area: &Area<DB>) -> Result<()> {
    let painted = area
        .fill(&rgb(PAPER))
        .and_then(|()| drawing.draw(area))
        .and_then(|()| area.present());
    painted.map_err(|error: DrawingAreaErrorKind<_>| undrawable(drawing, error.to_string()))
}

fn undrawable(drawing: &impl Draw, found: String) -> Error {
    Error::Plot {
        plot: drawing.title().to_string(),
        expected: "a drawing that fits its size".to_string(),
        found,
        help: "draw fewer or shorter texts, or make the plot larger",
    }
}

#[cfg(test)]
mod tests {
    use crate::plot::LineChart;

    #[test]
    fn the_name_chooses_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let chart = LineChart::new("loss").line("train", [(1.0, 2.0), (2.0, 1.0)]);
        let write = |name: &str| {
            let path = folder.path().join(name);
            chart.save(&path).map(|()| std::fs::read(path).unwrap())
        };
        let svg = write("a.SVG").unwrap();
        assert!(svg.starts_with(b"<svg width=\"560\" height=\"360\" stroke-linejoin=\"round\""));
        for (name, found) in [("a.pdf", "found \".pdf\""), ("a", "found no ending")] {
            let text = write(name).unwrap_err().to_string();
            assert!(text.contains(found) && text.contains("help: "), "{text}");
        }
        if cfg!(feature = "png") {
            assert!(write("a.png").unwrap().starts_with(b"\x89PNG"));
        } else {
            assert!(
                write("a.png")
                    .unwrap_err()
                    .to_string()
                    .contains("enable the crate feature \"png\"")
            );
        }
    }
}
