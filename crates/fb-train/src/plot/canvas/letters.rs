//! Texts as polygons.

use crate::plot::font::{self, Point, X_HEIGHT};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendTextStyle, FontTransform};

/// Straight pieces for each curved one: at the sizes of plots nobody sees the corners.
const PIECES: usize = 6;

/// The font size that the SVG of the same plot has: the plotting library writes letters smaller than it is told.
pub(super) fn font_size(style: &impl BackendTextStyle) -> f64 {
    style.size() / 1.24
}

/// The outlines of a text that stands at `at`, in pixels of the file.
pub(super) fn contours(
    text: &str,
    style: &impl BackendTextStyle,
    at: (f64, f64),
    scale: f64,
) -> Vec<Vec<(f64, f64)>> {
    let size = font_size(style) * scale;
    let width = font::width(text, size);
    let left = match style.anchor().h_pos {
        HPos::Left => 0.0,
        HPos::Center => -width / 2.0,
        HPos::Right => -width,
    };
    // How far the baseline lies below the anchor; the same as in SVG.
    let baseline = match style.anchor().v_pos {
        VPos::Top => 0.76 * size,
        VPos::Center => 0.5 * size * X_HEIGHT / 1000.0,
        VPos::Bottom => -0.5 * size * X_HEIGHT / 1000.0,
    };
    let place = |(x, y): (f64, f64)| {
        let (dx, dy) = turn(style.transform(), (left + x, baseline - y));
        (at.0 + dx, at.1 + dy)
    };
    let mut pen = 0.0;
    let mut contours = Vec::new();
    for glyph in text.chars().filter_map(font::glyph) {
        let to_text = |(x, y): (f64, f64)| place((pen + x * size / 1000.0, y * size / 1000.0));
        contours.extend(
            glyph
                .contours
                .iter()
                .map(|contour| flatten(contour).into_iter().map(to_text).collect()),
        );
        pen += f64::from(glyph.advance) * size / 1000.0;
    }
    contours
}

fn turn(transform: FontTransform, (x, y): (f64, f64)) -> (f64, f64) {
    match transform {
        FontTransform::None => (x, y),
        FontTransform::Rotate90 => (-y, x),
        FontTransform::Rotate180 => (-x, -y),
        FontTransform::Rotate270 => (y, -x),
    }
}

/// A contour of quadratic splines as a polygon.
fn flatten(contour: &[Point]) -> Vec<(f64, f64)> {
    let at = |point: Point| (f64::from(point.x), f64::from(point.y));
    let middle = |a: (f64, f64), b: (f64, f64)| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let Some(start) = contour.iter().position(|point| point.on_curve) else {
        return contour.iter().copied().map(at).collect();
    };
    let mut polygon = vec![at(contour[start])];
    let mut control: Option<(f64, f64)> = None;
    let around = contour.iter().cycle().skip(start + 1).take(contour.len());
    for &point in around {
        match (control, point.on_curve) {
            (None, true) => polygon.push(at(point)),
            (None, false) => control = Some(at(point)),
            (Some(bend), true) => {
                curve(&mut polygon, bend, at(point));
                control = None;
            }
            (Some(bend), false) => {
                curve(&mut polygon, bend, middle(bend, at(point)));
                control = Some(at(point));
            }
        }
    }
    polygon
}

/// Continues a polygon along `(1−t)² a + 2 (1−t) t bend + t² end`, with `a` its last point.
fn curve(polygon: &mut Vec<(f64, f64)>, bend: (f64, f64), end: (f64, f64)) {
    let start = polygon.last().copied().unwrap_or(end);
    for piece in 1..=PIECES {
        let t = piece as f64 / PIECES as f64;
        let s = 1.0 - t;
        let mix = |a: f64, b: f64, c: f64| s * s * a + 2.0 * s * t * b + t * t * c;
        polygon.push((mix(start.0, bend.0, end.0), mix(start.1, bend.1, end.1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_reach_the_font_heights() {
        let top = |character| {
            let glyph = font::glyph(character).unwrap();
            let points = glyph.contours.iter().flat_map(|contour| flatten(contour));
            points.map(|(_, y)| y).fold(0.0, f64::max)
        };
        assert!((top('H') - 729.0).abs() <= 1.0);
        assert!((top('x') - X_HEIGHT).abs() <= 1.0);
    }

    #[test]
    fn polygons_close_where_they_began() {
        let glyph = font::glyph('O').unwrap();
        for contour in &glyph.contours {
            let polygon = flatten(contour);
            assert_eq!(polygon.first(), polygon.last());
            assert!(polygon.len() > contour.len());
        }
    }
}
