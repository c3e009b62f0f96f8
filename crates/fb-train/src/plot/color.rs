//! The colours of everything drawn.

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

pub(super) const PAPER: Rgb = (255, 255, 255);
pub(super) const INK: Rgb = (31, 41, 55);
pub(super) const MUTED: Rgb = (100, 110, 125);
pub(super) const AXIS: Rgb = (160, 168, 180);
pub(super) const GRID: Rgb = (230, 233, 238);

/// Colours of lines: told apart with any kind of colour vision, and dark enough for thin strokes.
const LINES: [Rgb; 8] = [
    (47, 98, 199),
    (229, 124, 35),
    (24, 144, 110),
    (196, 52, 96),
    (126, 87, 194),
    (140, 106, 60),
    (60, 168, 200),
    (110, 118, 130),
];

/// The colour of the line at this position.
pub(super) fn line(index: usize) -> Rgb {
    LINES[index % LINES.len()]
}

/// The colour of one of several lines that follow each other, such as epochs: from light to dark.
pub(super) fn ordered_line(index: usize, count: usize) -> Rgb {
    let place = if count > 1 {
        index as f64 / (count - 1) as f64
    } else {
        1.0
    };
    ColorMap::Blues.at(0.4 + 0.5 * place)
}

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColorMap {
    /// White to dark blue, for counts and shares.
    #[default]
    Blues,
    /// Black to white, for images.
    Gray,
    /// Blue through white to red, for values with a sign, such as weights: white is 0.
    Diverging,
}

impl ColorMap {
    /// The colour at a place from 0 to 1; places beyond take the end's, NaN is a light gray.
    pub(super) fn at(self, place: f64) -> Rgb {
        if place.is_nan() {
            return GRID;
        }
        let stops: &[Rgb] = match self {
            Self::Blues => &[
                (247, 250, 254),
                (200, 220, 242),
                (120, 172, 220),
                (50, 112, 186),
                (12, 52, 112),
            ],
            Self::Gray => &[(0, 0, 0), (255, 255, 255)],
            Self::Diverging => &[
                (22, 80, 158),
                (112, 168, 214),
                (247, 247, 247),
                (238, 146, 116),
                (170, 24, 44),
            ],
        };
        let position = place.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
        let before = (position as usize).min(stops.len() - 2);
        mix(stops[before], stops[before + 1], position - before as f64)
    }

    /// The range of values that the ends of this map stand for, given the finite values to be drawn.
    pub(super) fn range(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        if low > high {
            return (0.0, 1.0);
        }
        match self {
            Self::Diverging => {
                let size = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
                (-size, size)
            }
            Self::Blues => (
                low.min(0.0),
                if high > low.min(0.0) { high } else { low + 1.0 },
            ),
            Self::Gray => (low, if high > low { high } else { low + 1.0 }),
        }
    }
}

/// The colour at a share of the way from one to another.
pub(super) fn mix(from: Rgb, to: Rgb, share: f64) -> Rgb {
    let channel =
        |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    (
        channel(from.0, to.0),
        channel(from.1, to.1),
        channel(from.2, to.2),
    )
}

/// The text colour that is legible on this background.
pub(super) fn ink_on(background: Rgb) -> Rgb {
    let (r, g, b) = background;
    let luminance = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if luminance < 140.0 { PAPER } else { INK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_reach_their_ends_and_stay_inside() {
        assert_eq!(ColorMap::Gray.at(0.0), (0, 0, 0));
        assert_eq!(ColorMap::Gray.at(7.0), (255, 255, 255));
        assert_eq!(ColorMap::Gray.at(0.5), (128, 128, 128));
        assert_eq!(ColorMap::Diverging.at(0.5), (247, 247, 247));
        assert_eq!(ColorMap::Blues.at(f64::NAN), GRID);
    }

    #[test]
    fn ranges_are_never_empty() {
        assert_eq!(
            ColorMap::Diverging.range([-1.0, 3.0].into_iter()),
            (-3.0, 3.0)
        );
        assert_eq!(
            ColorMap::Blues.range([2.0, 3.0, f64::NAN].into_iter()),
            (0.0, 3.0)
        );
        assert_eq!(ColorMap::Gray.range([5.0, 5.0].into_iter()), (5.0, 6.0));
        assert_eq!(ColorMap::Gray.range([f64::NAN].into_iter()), (0.0, 1.0));
        for map in [ColorMap::Blues, ColorMap::Gray, ColorMap::Diverging] {
            let (low, high) = map.range([0.0, 0.0].into_iter());
            assert!(low < high, "{map:?}");
        }
    }
}
