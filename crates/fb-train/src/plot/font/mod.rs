//! The letters of plots: outlines and widths of DejaVu Sans, so that no font is asked for at run time.
//!
//! `generate.py` beside this file makes `dejavu_sans.bin` and documents its layout.

use std::collections::HashMap;
use std::sync::OnceLock;

/// A letter. Lengths are in 1/1000 of the font size, `y` upwards from the baseline.
#[derive(Debug)]
pub(super) struct Glyph {
    pub(super) advance: u16,
    #[cfg_attr(
        not(feature = "png"),
        allow(dead_code, reason = "SVG viewers bring their own outlines")
    )]
    pub(super) contours: Vec<Vec<Point>>,
}

/// A point of a contour of quadratic splines.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "png"),
    allow(dead_code, reason = "SVG viewers bring their own outlines")
)]
pub(super) struct Point {
    pub(super) x: i16,
    pub(super) y: i16,
    pub(super) on_curve: bool,
}

/// The height of the letter x, in 1/1000 of the font size.
#[cfg(feature = "png")]
pub(super) const X_HEIGHT: f64 = 547.0;

/// The outline and width of a character; of a question mark for one that the font lacks.
pub(super) fn glyph(character: char) -> Option<&'static Glyph> {
    static FONT: OnceLock<HashMap<char, Glyph>> = OnceLock::new();
    let font = FONT.get_or_init(|| parse(include_bytes!("dejavu_sans.bin")).unwrap_or_default());
    font.get(&character).or_else(|| font.get(&'?'))
}

/// How wide a text of this font size is, in the unit of the size.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let advances = text
        .chars()
        .filter_map(glyph)
        .map(|glyph| f64::from(glyph.advance));
    advances.sum::<f64>() * size / 1000.0
}

/// The table of glyphs; `None` if the bytes end early.
fn parse(mut bytes: &[u8]) -> Option<HashMap<char, Glyph>> {
    let count = u16::from_le_bytes(take(&mut bytes)?);
    let mut font = HashMap::with_capacity(usize::from(count));
    for _ in 0..count {
        let character = char::from_u32(u32::from_le_bytes(take(&mut bytes)?))?;
        let advance = u16::from_le_bytes(take(&mut bytes)?);
        let contours = u16::from_le_bytes(take(&mut bytes)?);
        let contours = (0..contours)
            .map(|_| contour(&mut bytes))
            .collect::<Option<_>>()?;
        font.insert(character, Glyph { advance, contours });
    }
    Some(font)
}

fn contour(bytes: &mut &[u8]) -> Option<Vec<Point>> {
    let points = u16::from_le_bytes(take(bytes)?);
    let point = |_| {
        let x = i16::from_le_bytes(take(bytes)?);
        let y = i16::from_le_bytes(take(bytes)?);
        let [on_curve] = take(bytes)?;
        Some(Point {
            x,
            y,
            on_curve: on_curve == 1,
        })
    };
    (0..points).map(point).collect()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk()?;
    *bytes = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let font = parse(include_bytes!("dejavu_sans.bin")).unwrap();
        assert_eq!(font.len(), 251);
        assert!(('!'..='~').all(|character| !font[&character].contours.is_empty()));
        assert!(font[&' '].contours.is_empty());
        // An "o" is a ring: two contours. An "i" is a stem and a dot.
        assert_eq!(
            (font[&'o'].contours.len(), font[&'i'].contours.len()),
            (2, 2)
        );
    }

    #[test]
    fn widths_add_up() {
        assert_eq!(width("mm", 10.0), 2.0 * width("m", 10.0));
        assert!(width("W", 10.0) > width("i", 10.0));
        assert_eq!(width("漢", 10.0), width("?", 10.0));
        assert_eq!(width("", 10.0), 0.0);
    }
}
