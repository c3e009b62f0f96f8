//! Drawing in pixels with a fraction: the plotting library counts in whole units, so a pixel gets several of them.

use super::color::Rgb;
use crate::error::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Units a pixel.
pub(super) const UNITS: f64 = 4.0;

/// Length of a dash and of the gap behind it.
const DASH: f64 = 5.0;
const GAP: f64 = 4.0;

/// The plotting library writes letters smaller than the size it is told, by this factor.
const LETTER_SCALE: f64 = 1.24;

/// What viewers of SVG look for, the widest font first: texts are laid out with its widths.
const FAMILY: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

pub(super) type Area<DB> = DrawingArea<DB, Shift>;
pub(super) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something that can be drawn on an area of its size.
pub(super) trait Draw {
    /// What it is called in messages.
    fn title(&self) -> &str;

    /// Refuses settings with which it cannot be drawn.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it from the area's upper left corner on.
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB>;
}

/// A point in pixels from the upper left corner of an area.
pub(super) type At = (f64, f64);

/// Which point of a text stands at its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    /// The left end of its upper edge.
    TopLeft,
    /// The middle of its upper edge.
    Top,
    /// Its middle.
    Middle,
    /// The middle of its left edge.
    Left,
    /// The middle of its right edge.
    Right,
}

/// Pixels in units.
pub(super) fn units(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

fn point(at: At) -> (i32, i32) {
    (units(at.0), units(at.1))
}

pub(super) fn rgb(color: Rgb) -> RGBColor {
    RGBColor(color.0, color.1, color.2)
}

/// A stroke of this colour and width in pixels.
pub(super) fn stroke(color: Rgb, width: f64) -> ShapeStyle {
    rgb(color).stroke_width(units(width).unsigned_abs())
}

/// A text of this font size in pixels.
pub(super) fn text<DB: DrawingBackend>(
    area: &Area<DB>,
    content: &str,
    size: f64,
    color: Rgb,
    at: At,
    anchor: Anchor,
) -> Drawn<DB> {
    let (horizontal, vertical) = match anchor {
        Anchor::TopLeft => (HPos::Left, VPos::Top),
        Anchor::Top => (HPos::Center, VPos::Top),
        Anchor::Middle => (HPos::Center, VPos::Center),
        Anchor::Left => (HPos::Left, VPos::Center),
        Anchor::Right => (HPos::Right, VPos::Center),
    };
    let color = rgb(color);
    let style = TextStyle::from((FAMILY, size * UNITS * LETTER_SCALE)).color(&color);
    area.draw_text(
        content,
        &style.pos(Pos::new(horizontal, vertical)),
        point(at),
    )
}

/// A text that reads upwards, its middle at `at`.
pub(super) fn upright_text<DB: DrawingBackend>(
    area: &Area<DB>,
    content: &str,
    size: f64,
    color: Rgb,
    at: At,
) -> Drawn<DB> {
    let font = (FAMILY, size * UNITS * LETTER_SCALE)
        .into_font()
        .transform(FontTransform::Rotate270);
    let color = rgb(color);
    let style = TextStyle::from(font)
        .color(&color)
        .pos(Pos::new(HPos::Center, VPos::Center));
    area.draw_text(content, &style, point(at))
}

/// A straight line.
pub(super) fn line<DB: DrawingBackend>(
    area: &Area<DB>,
    from: At,
    to: At,
    color: Rgb,
    width: f64,
) -> Drawn<DB> {
    area.draw(&PathElement::new(
        vec![point(from), point(to)],
        stroke(color, width),
    ))
}

/// A filled rectangle from its upper left to its lower right corner.
pub(super) fn rectangle<DB: DrawingBackend>(
    area: &Area<DB>,
    from: At,
    to: At,
    color: Rgb,
) -> Drawn<DB> {
    area.draw(&Rectangle::new(
        [point(from), point(to)],
        rgb(color).filled(),
    ))
}

/// A filled shape that what is below it shows through: `opacity` is 1 for ink and 0 for nothing.
pub(super) fn tint<DB: DrawingBackend>(
    area: &Area<DB>,
    corners: Vec<(i32, i32)>,
    color: Rgb,
    opacity: f64,
) -> Drawn<DB> {
    area.draw(&Polygon::new(corners, rgb(color).mix(opacity)))
}

/// A line of dashes.
pub(super) fn dashes<DB: DrawingBackend>(
    area: &Area<DB>,
    from: At,
    to: At,
    color: Rgb,
    width: f64,
) -> Drawn<DB> {
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let at = |place: f64| {
        let share = (place / length).min(1.0);
        (
            from.0 + share * (to.0 - from.0),
            from.1 + share * (to.1 - from.1),
        )
    };
    let count = (length / (DASH + GAP)).ceil() as usize;
    for start in (0..count).map(|dash| dash as f64 * (DASH + GAP)) {
        line(area, at(start), at(start + DASH), color, width)?;
    }
    Ok(())
}

/// A filled circle around `at`.
pub(super) fn disk<DB: DrawingBackend>(
    area: &Area<DB>,
    at: At,
    radius: f64,
    color: Rgb,
) -> Drawn<DB> {
    area.draw(&Circle::new(point(at), units(radius), rgb(color).filled()))
}
