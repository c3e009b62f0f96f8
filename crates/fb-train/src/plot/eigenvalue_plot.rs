//! Eigenvalues in the complex plane.

use super::color::{self, AXIS, GRID, INK, MUTED, PAPER, Rgb, mix};
use super::legend::{self, Entry};
use super::pen::{self, Anchor, Area, At, Draw, Drawn, units};
use super::{font, save, ticks};
use crate::error::Result;
use fb_nn::feedback::spectrum::Complex;
use plotters::coord::ranged1d::{BoldPoints, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{DrawingBackend, PathElement};
use std::f64::consts::TAU;
use std::path::Path;

const TITLE: f64 = 16.0;
const LABEL: f64 = 12.0;
const TICK: f64 = 11.0;
const MARGIN: f64 = 16.0;

/// Side of the part of the plane that is shown, in pixels.
const SIDE: f64 = 400.0;

/// How far the axes reach at least, so that the unit circle is always seen whole.
const REACH: f64 = 1.2;

/// Eigenvalues farther out than this are not drawn.
const FARTHEST: f64 = 1e300;

const DOT: f64 = 3.5;
const RIM: f64 = 1.0;

/// Corners of the polygon that is drawn as the unit circle: so few that rounding to units does not show.
const CORNERS: usize = 120;

/// Eigenvalues of a loop in the complex plane, with the unit circle: inside it disturbances die out, and outside it they
/// grow. The shaded disk is what is stable; its edge is where a loop forgets nothing.
///
/// ```
/// use fb_nn::feedback::spectrum::Complex;
/// use fb_train::plot::EigenvaluePlot;
/// let before = [Complex::new(0.2, 0.4), Complex::new(0.2, -0.4)];
/// let after = [Complex::new(0.1, 0.97), Complex::new(0.1, -0.97)];
/// let svg = EigenvaluePlot::new("the loop's eigenvalues")
///     .points("epoch 1", &before)
///     .points("epoch 50", &after)
///     .ordered()
///     .to_svg()?;
/// assert!(svg.contains("epoch 50"));
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EigenvaluePlot {
    title: String,
    groups: Vec<(String, Vec<Complex>)>,
    ordered: bool,
}

impl EigenvaluePlot {
    /// A plot without eigenvalues.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            groups: Vec::new(),
            ordered: false,
        }
    }

    /// Eigenvalues that belong together, such as those of one sample or one epoch, with their name in the legend. Those that
    /// are not finite are left out.
    #[must_use]
    pub fn points(mut self, name: impl Into<String>, eigenvalues: &[Complex]) -> Self {
        self.groups.push((name.into(), eigenvalues.to_vec()));
        self
    }

    /// Colours the groups from light to dark in their order, as for epochs, instead of each in its own colour.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// The plot as the text of an SVG file.
    ///
    /// # Errors
    /// The plot cannot be drawn.
    pub fn to_svg(&self) -> Result<String> {
        save::svg(self)
    }

    /// Writes the plot as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(self, path.as_ref())
    }

    fn color(&self, index: usize) -> Rgb {
        if self.ordered {
            color::ordered_line(index, self.groups.len())
        } else {
            color::line(index)
        }
    }

    /// The eigenvalues that have a place, each with its group.
    fn shown(&self) -> impl Iterator<Item = (usize, Complex)> {
        let group = |(index, (_, values)): (usize, &(String, Vec<Complex>))| {
            values
                .iter()
                .map(move |&value| (index, value))
                .collect::<Vec<_>>()
        };
        let all = self.groups.iter().enumerate().flat_map(group);
        all.filter(|(_, value)| value.modulus() <= FARTHEST)
    }

    /// The largest modulus of what is shown.
    fn radius(&self) -> Option<f64> {
        self.shown()
            .map(|(_, value)| value.modulus())
            .reduce(f64::max)
    }

    fn plane(&self) -> Plane {
        let parts = self.shown().flat_map(|(_, z)| [z.re.abs(), z.im.abs()]);
        let reach = parts.fold(REACH / 1.08, f64::max) * 1.08;
        let axis = RangedCoordf64::from(-reach..reach);
        let ticks = axis.key_points(BoldPoints(8));
        let labels = ticks::labels(&ticks);
        let widths = labels.iter().map(|label| font::width(label, TICK));
        let left = MARGIN + LABEL + 6.0 + widths.fold(0.0, f64::max) + 8.0;
        let top = MARGIN + TITLE + 8.0 + legend::height(&self.legend()) + 10.0;
        Plane {
            corner: (left.ceil(), top),
            reach,
            ticks: ticks.into_iter().zip(labels).collect(),
        }
    }

    fn legend(&self) -> Vec<Entry> {
        let names = self.groups.iter().enumerate();
        let names = names.map(|(index, (name, _))| (name.as_str(), self.color(index)));
        legend::arrange(names, SIDE + 2.0 * MARGIN)
    }
}

/// The part of the complex plane that is shown, from −reach to reach on both axes.
struct Plane {
    corner: At,
    reach: f64,
    ticks: Vec<(f64, String)>,
}

impl Plane {
    fn at(&self, z: Complex) -> At {
        let share = |x: f64| 0.5 + 0.5 * x / self.reach;
        (
            self.corner.0 + SIDE * share(z.re),
            self.corner.1 + SIDE * share(-z.im),
        )
    }

    /// The upper edge of what is written below the values of the horizontal axis.
    fn caption(&self) -> f64 {
        self.corner.1 + SIDE + 8.0 + TICK + 8.0
    }

    /// Grid lines with their values on the left and below, the two axes through 0 darker.
    fn draw_grid<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let (left, top) = self.corner;
        let (right, bottom) = (left + SIDE, top + SIDE);
        for (tick, label) in &self.ticks {
            let (x, y) = self.at(Complex::new(*tick, *tick));
            let color = if *tick == 0.0 { AXIS } else { GRID };
            pen::line(area, (left, y), (right, y), color, 1.0)?;
            pen::line(area, (x, top), (x, bottom), color, 1.0)?;
            pen::text(area, label, TICK, MUTED, (left - 8.0, y), Anchor::Right)?;
            pen::text(area, label, TICK, MUTED, (x, bottom + 8.0), Anchor::Top)?;
        }
        let below = ((left + right) / 2.0, self.caption());
        pen::text(area, "real part", LABEL, MUTED, below, Anchor::Top)?;
        let beside = (MARGIN + LABEL / 2.0, (top + bottom) / 2.0);
        pen::upright_text(area, "imaginary part", LABEL, MUTED, beside)
    }

    /// What is stable.
    fn draw_disk<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let radius = 0.5 * SIDE / self.reach;
        let shade = mix(PAPER, color::line(0), 0.07);
        pen::disk(area, self.at(Complex::new(0.0, 0.0)), radius, shade)
    }

    fn draw_circle<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let corner = |k: usize| {
            let (sin, cos) = (TAU * k as f64 / CORNERS as f64).sin_cos();
            let (x, y) = self.at(Complex::new(cos, sin));
            (units(x), units(y))
        };
        let corners: Vec<(i32, i32)> = (0..=CORNERS).map(corner).collect();
        area.draw(&PathElement::new(corners, pen::stroke(MUTED, 1.5)))
    }
}

impl Draw for EigenvaluePlot {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let plane = self.plane();
        let width = plane.corner.0 + SIDE + MARGIN + 8.0;
        let width = width.max(2.0 * MARGIN + font::width(&self.title, TITLE));
        let height = plane.caption() + LABEL + MARGIN;
        (width.ceil() as u32, height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let plane = self.plane();
        let at = (MARGIN, MARGIN);
        pen::text(area, &self.title, TITLE, INK, at, Anchor::TopLeft)?;
        legend::draw(area, &self.legend(), (MARGIN, MARGIN + TITLE + 8.0))?;
        plane.draw_disk(area)?;
        plane.draw_grid(area)?;
        plane.draw_circle(area)?;
        for (index, value) in self.shown() {
            let at = plane.at(value);
            // A rim of paper keeps neighbours apart; what is outside the circle has a dark one.
            let rim = if value.modulus() >= 1.0 { INK } else { PAPER };
            pen::disk(area, at, DOT + RIM, rim)?;
            pen::disk(area, at, DOT, self.color(index))?;
        }
        let text = match self.radius() {
            Some(0.0) => "spectral radius 0".to_string(),
            Some(radius) if (1e-3..1e5).contains(&radius) => format!("spectral radius {radius:.3}"),
            Some(radius) => format!("spectral radius {radius:.1e}"),
            None => "no finite eigenvalues".to_string(),
        };
        let at = (plane.corner.0 + SIDE, plane.caption() + LABEL / 2.0);
        pen::text(area, &text, TICK, MUTED, at, Anchor::Right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_has_the_same_scale_both_ways_and_shows_the_circle() {
        for (values, reach) in [
            (vec![Complex::new(0.1, 0.2)], REACH),
            (vec![Complex::new(-0.5, 2.0)], 2.16),
        ] {
            let plane = EigenvaluePlot::new("t").points("a", &values).plane();
            assert!((plane.reach - reach).abs() < 1e-12);
            let (zero, one) = (
                plane.at(Complex::default()),
                plane.at(Complex::new(1.0, 0.0)),
            );
            let i = plane.at(Complex::new(0.0, 1.0));
            assert!((one.0 - zero.0 - (zero.1 - i.1)).abs() < 1e-9);
            assert!(i.1 > plane.corner.1 && one.0 < plane.corner.0 + SIDE);
        }
    }

    #[test]
    fn every_eigenvalue_is_a_dot_with_a_rim() {
        let values = [(0.5, 0.5), (0.5, -0.5), (1.1, 0.0)].map(|(re, im)| Complex::new(re, im));
        let plot = EigenvaluePlot::new("loop")
            .points("a", &values[..2])
            .points("b", &values[2..]);
        let svg = plot.to_svg().unwrap();
        // The disk and two circles an eigenvalue.
        assert_eq!(svg.matches("<circle").count(), 7);
        for text in [
            "loop",
            "spectral radius 1.100",
            "real part",
            "imaginary part",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        let ink = |svg: &str| svg.matches("fill=\"#1F2937\"").count();
        let stable = EigenvaluePlot::new("loop")
            .points("a", &values[..2])
            .to_svg()
            .unwrap();
        assert_eq!(ink(&svg) - ink(&stable), 1, "one is outside the circle");
        assert_ne!(plot.ordered().to_svg().unwrap(), svg);
    }

    #[test]
    fn eigenvalues_without_a_place_are_left_out() {
        for values in [
            vec![],
            vec![
                Complex::new(f64::NAN, 0.0),
                Complex::new(0.0, f64::INFINITY),
            ],
        ] {
            let svg = EigenvaluePlot::new("t")
                .points("a", &values)
                .to_svg()
                .unwrap();
            assert!(
                svg.contains("no finite eigenvalues") && !svg.contains("NaN"),
                "{svg}"
            );
        }
        let huge = [Complex::new(1e299, 0.0), Complex::new(f64::MAX, f64::MAX)];
        let svg = EigenvaluePlot::new("t")
            .points("a", &huge)
            .to_svg()
            .unwrap();
        assert!(
            svg.contains("spectral radius 1.0e299") && !svg.contains("NaN"),
            "{svg}"
        );
    }
}
