//! Lines over a common axis.

mod band;
mod level;

use super::color::{self, AXIS, GRID, INK, MUTED, Rgb};
use super::legend;
use super::pen::{self, Anchor, Area, Draw, Drawn, units};
use super::{font, save, ticks};
use crate::error::{Error, Result};
use band::Band;
use level::Level;
use plotters::coord::ranged1d::{BoldPoints, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{Circle, Color, DrawingAreaErrorKind, DrawingBackend, PathElement};
use std::ops::{Range, RangeInclusive};
use std::path::Path;

const TITLE: f64 = 16.0;
const LABEL: f64 = 12.0;
const TICK: f64 = 11.0;
const MARGIN: f64 = 16.0;
const LINE: f64 = 2.0;

/// Lines of at most this many points get a dot at each.
const DOTS_UP_TO: usize = 30;

/// Longer lines than this are thinned to the smallest and largest value of each stretch, which looks the same.
const POINTS_DRAWN: usize = 4000;

/// The size without [`LineChart::with_size`], and the widths and heights that it takes.
const SIZE: (u32, u32) = (560, 360);
const WIDTHS: RangeInclusive<u32> = 240..=8000;
const HEIGHTS: RangeInclusive<u32> = 160..=8000;

/// Larger values are not drawn: the length of an axis with some air at its ends must itself be finite.
const LARGEST: f64 = f64::MAX / 8.0;

/// A chart of one or more lines, with a title, a legend, axes and grid lines.
///
/// Points that are not finite, beyond ±2e307, or not positive on a logarithmic axis leave a gap.
///
/// ```
/// use fb_train::plot::LineChart;
/// let svg = LineChart::new("accuracy")
///     .x_label("epoch")
///     .line("train", [(1.0, 0.5), (2.0, 0.8)])
///     .line("validation", [(1.0, 0.45), (2.0, 0.7)])
///     .y_to(1.0)
///     .to_svg()?;
/// assert!(svg.contains("validation"));
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    x_label: String,
    y_label: String,
    lines: Vec<Line>,
    bands: Vec<Band>,
    levels: Vec<Level>,
    size: (u32, u32),
    include_x: Vec<f64>,
    include_y: Vec<f64>,
    tick_room: f64,
    log_y: bool,
    whole_x: bool,
    ordered: bool,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

impl LineChart {
    /// A chart without lines, 560 × 360 pixels.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x_label: String::new(),
            y_label: String::new(),
            lines: Vec::new(),
            bands: Vec::new(),
            levels: Vec::new(),
            size: SIZE,
            include_x: Vec::new(),
            include_y: Vec::new(),
            tick_room: 0.0,
            log_y: false,
            whole_x: false,
            ordered: false,
        }
    }

    /// What the horizontal axis counts.
    #[must_use]
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// What the vertical axis measures.
    #[must_use]
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = label.into();
        self
    }

    /// One more line, with its name in the legend.
    #[must_use]
    pub fn line(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.lines.push(Line {
            name: name.into(),
            points: points.into_iter().collect(),
        });
        self
    }

    /// A band from the first to the second value at each place, around the line of this name and in its colour but pale,
    /// such as a deviation. Where bands overlap they darken.
    ///
    /// ```
    /// use fb_train::plot::LineChart;
    /// let svg = LineChart::new("accuracy over 5 seeds")
    ///     .line("with feedback", [(1.0, 0.5), (2.0, 0.8)])
    ///     .band("with feedback", [(1.0, 0.4, 0.6), (2.0, 0.77, 0.83)])
    ///     .to_svg()?;
    /// assert!(svg.contains("polygon"));
    /// # Ok::<(), fb_train::Error>(())
    /// ```
    #[must_use]
    pub fn band(
        mut self,
        line: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64, f64)>,
    ) -> Self {
        self.bands.push(Band::new(line.into(), points));
        self
    }

    /// A dashed line across the chart with its name on it, such as a tolerance, or what guessing reaches.
    #[must_use]
    pub fn level(mut self, name: impl Into<String>, y: f64) -> Self {
        self.levels.push(Level::new(name.into(), y));
        self
    }

    /// Width and height in pixels, from 240 × 160 to 8000 × 8000; drawing another size is an error.
    #[must_use]
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Makes the vertical axis reach down to this value at least.
    #[must_use]
    pub fn y_from(mut self, low: f64) -> Self {
        self.include_y.push(low);
        self
    }

    /// Makes the vertical axis reach up to this value at least.
    #[must_use]
    pub fn y_to(mut self, high: f64) -> Self {
        self.include_y.push(high);
        self
    }

    /// Makes the vertical axis logarithmic.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.log_y = true;
        self
    }

    /// Puts numbers on the horizontal axis at whole values only, as for epochs.
    #[must_use]
    pub fn whole_x(mut self) -> Self {
        self.whole_x = true;
        self
    }

    /// Colours the lines from light to dark in their order, instead of each in its own colour.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Makes the horizontal axis reach to this value at least.
    pub(super) fn include_x(mut self, x: f64) -> Self {
        self.include_x.push(x);
        self
    }

    /// Leaves at least this width for the values on the vertical axis, so that charts below each other line up.
    pub(super) fn with_tick_room(mut self, width: f64) -> Self {
        self.tick_room = width;
        self
    }

    /// The width of the widest value on the vertical axis.
    pub(super) fn tick_width(&self) -> f64 {
        let labels = self.y_ticks(&self.scaled_y_range().into()).labels;
        let widths = labels.iter().map(|label| font::width(label, TICK));
        widths.fold(self.tick_room, f64::max)
    }

    /// The chart as the text of an SVG file.
    ///
    /// # Errors
    /// The size is outside its range, or the chart cannot be drawn.
    pub fn to_svg(&self) -> Result<String> {
        save::svg(self)
    }

    /// Writes the chart as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, the size is outside its range, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(self, path.as_ref())
    }

    fn color(&self, index: usize) -> Rgb {
        if self.ordered {
            color::ordered_line(index, self.lines.len())
        } else {
            color::line(index)
        }
    }

    /// Whether a point has a place on the axes.
    fn visible(&self, &(x, y): &(f64, f64)) -> bool {
        x.abs() <= LARGEST && y.abs() <= LARGEST && (!self.log_y || y > 0.0)
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        let points = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().copied());
        let edges = self.bands.iter().flat_map(Band::edges);
        points.chain(edges).filter(|point| self.visible(point))
    }

    /// Why no point is drawn, if none is.
    fn why_empty(&self) -> Option<&'static str> {
        let lines = self.lines.iter().flat_map(|line| &line.points);
        let edges = self.bands.iter().flat_map(Band::edges);
        let mut points = lines.copied().chain(edges).peekable();
        if self.points().next().is_some() {
            None
        } else if points.peek().is_none() {
            Some("no values")
        } else if points.all(|(x, y)| !x.is_finite() || !y.is_finite()) {
            Some("no finite values")
        } else if self.log_y {
            Some("no positive values")
        } else {
            Some("no values that fit on an axis")
        }
    }

    fn x_range(&self) -> Range<f64> {
        let points = self.points().map(|(x, _)| x);
        match extremes(points.chain(self.include_x.iter().copied())) {
            Some((low, high)) if low < high => low..high,
            Some((only, _)) => only - 0.5..only + 0.5,
            None => 0.0..1.0,
        }
    }

    /// The vertical range with some air above and below, except where the chart was told to end. A chart without points
    /// has one for looks only: around a single asked value it would be some tiny range.
    fn y_range(&self) -> Range<f64> {
        let levels = self.levels.iter().map(Level::height);
        let asked = self
            .include_y
            .iter()
            .copied()
            .chain(levels)
            .filter(|&y| self.visible(&(0.0, y)));
        let drawn = extremes(self.points().map(|(_, y)| y));
        let Some((low, high)) =
            drawn.and_then(|(low, high)| extremes([low, high].into_iter().chain(asked)))
        else {
            return if self.log_y { 0.1..1.0 } else { 0.0..1.0 };
        };
        if self.log_y {
            let air = (high / low).powf(0.05).max(1.05);
            return low / air..(high * air).min(f64::MAX);
        }
        let air = match 0.05 * (high - low) {
            0.0 if high == 0.0 => 1.0,
            0.0 => 0.5 * high.abs().max(1e-9),
            air => air,
        };
        let at_low_end = self.include_y.contains(&low);
        (if at_low_end { low } else { low - air })..high + air
    }
}

impl Draw for LineChart {
    fn title(&self) -> &str {
        &self.title
    }

    fn check(&self) -> Result<()> {
        let (width, height) = self.size;
        if WIDTHS.contains(&width) && HEIGHTS.contains(&height) {
            return Ok(());
        }
        Err(Error::Plot {
            plot: self.title.clone(),
            expected: format!(
                "a width of {} to {} and a height of {} to {} pixels",
                WIDTHS.start(),
                WIDTHS.end(),
                HEIGHTS.start(),
                HEIGHTS.end()
            ),
            found: format!("{width} × {height}"),
            help: "choose another .with_size(..); without it a chart has 560 × 360",
        })
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let axes = Axes {
            x: self.x_range().into(),
            y: self.scaled_y_range().into(),
        };
        let y_ticks = self.y_ticks(&axes.y);
        let frame = self.draw_surroundings(area, &y_ticks)?;
        self.draw_rows(area, &frame, &axes, &y_ticks)?;
        self.draw_columns(area, &frame, &axes)?;
        self.draw_bands(area, &frame, &axes)?;
        self.draw_levels(area, &frame, &axes)?;
        for (index, line) in self.lines.iter().enumerate() {
            let map = |&(x, y): &(f64, f64)| frame.place(&axes, x, self.scaled(y));
            self.draw_line(area, line, self.color(index), map)?;
        }
        if let Some(why) = self.why_empty() {
            let middle = (
                (frame.left + frame.right) / 2.0,
                (frame.top + frame.bottom) / 2.0,
            );
            pen::text(area, why, LABEL, MUTED, middle, Anchor::Middle)?;
        }
        Ok(())
    }
}

/// How values become places.
struct Axes {
    x: RangedCoordf64,
    y: RangedCoordf64,
}

/// Values on an axis and their texts.
struct Ticks {
    at: Vec<f64>,
    labels: Vec<String>,
}

/// The chart's inner rectangle, in pixels.
struct Frame {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Frame {
    /// Where it begins and ends horizontally, in units.
    fn columns(&self) -> (i32, i32) {
        (units(self.left), units(self.right))
    }

    /// Where it begins and ends vertically, in units and upwards.
    fn rows(&self) -> (i32, i32) {
        (units(self.bottom), units(self.top))
    }

    fn place(&self, axes: &Axes, x: f64, y: f64) -> (i32, i32) {
        (axes.x.map(&x, self.columns()), axes.y.map(&y, self.rows()))
    }
}

impl LineChart {
    /// A value as it is laid out on the vertical axis.
    fn scaled(&self, y: f64) -> f64 {
        if self.log_y { y.log10() } else { y }
    }

    fn scaled_y_range(&self) -> Range<f64> {
        let range = self.y_range();
        self.scaled(range.start)..self.scaled(range.end)
    }

    fn y_ticks(&self, axis: &RangedCoordf64) -> Ticks {
        if self.log_y {
            let values = ticks::log_ticks(self.y_range());
            let labels = values.iter().map(|&tick| ticks::log_label(tick)).collect();
            return Ticks {
                at: values.into_iter().map(f64::log10).collect(),
                labels,
            };
        }
        let at = axis.key_points(BoldPoints(8));
        let labels = ticks::labels(&at);
        Ticks { at, labels }
    }

    /// Grid lines and their values.
    fn draw_rows<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        frame: &Frame,
        axes: &Axes,
        ticks: &Ticks,
    ) -> Drawn<DB> {
        for (&tick, label) in ticks.at.iter().zip(&ticks.labels) {
            let height = f64::from(axes.y.map(&tick, frame.rows())) / pen::UNITS;
            pen::line(area, (frame.left, height), (frame.right, height), GRID, 1.0)?;
            pen::text(
                area,
                label,
                TICK,
                MUTED,
                (frame.left - 8.0, height),
                Anchor::Right,
            )?;
        }
        Ok(())
    }

    /// The horizontal axis and its values.
    fn draw_columns<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        frame: &Frame,
        axes: &Axes,
    ) -> Drawn<DB> {
        pen::line(
            area,
            (frame.left, frame.bottom),
            (frame.right, frame.bottom),
            AXIS,
            1.0,
        )?;
        let ticks = self.x_ticks(&axes.x, frame.right - frame.left);
        for (&tick, label) in ticks.at.iter().zip(&ticks.labels) {
            let place = f64::from(axes.x.map(&tick, frame.columns())) / pen::UNITS;
            pen::line(
                area,
                (place, frame.bottom),
                (place, frame.bottom + 4.0),
                AXIS,
                1.0,
            )?;
            pen::text(
                area,
                label,
                TICK,
                MUTED,
                (place, frame.bottom + 8.0),
                Anchor::Top,
            )?;
        }
        Ok(())
    }

    /// Title, legend and axis labels; what they leave is the frame of the lines.
    fn draw_surroundings<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        y_ticks: &Ticks,
    ) -> Result<Frame, Failure<DB>> {
        let (width, height) = (f64::from(self.size.0), f64::from(self.size.1));
        pen::text(
            area,
            &self.title,
            TITLE,
            INK,
            (MARGIN, MARGIN),
            Anchor::TopLeft,
        )?;
        let names = self
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| (line.name.as_str(), self.color(index)));
        let entries = legend::arrange(names, width - 2.0 * MARGIN);
        let legend_top = MARGIN + TITLE + 8.0;
        legend::draw(area, &entries, (MARGIN, legend_top))?;
        let widths = y_ticks.labels.iter().map(|label| font::width(label, TICK));
        let tick_width = widths.fold(self.tick_room, f64::max);
        let mut frame = Frame {
            left: MARGIN + tick_width + 8.0,
            top: legend_top + legend::height(&entries) + 10.0,
            right: width - MARGIN - 8.0,
            bottom: height - MARGIN - TICK - 8.0,
        };
        if !self.y_label.is_empty() {
            frame.left += LABEL + 6.0;
        }
        if !self.x_label.is_empty() {
            frame.bottom -= LABEL + 6.0;
            let at = (
                (frame.left + frame.right) / 2.0,
                height - MARGIN - LABEL + 2.0,
            );
            pen::text(area, &self.x_label, LABEL, MUTED, at, Anchor::Top)?;
        }
        if !self.y_label.is_empty() {
            let at = (MARGIN + LABEL / 2.0, (frame.top + frame.bottom) / 2.0);
            pen::upright_text(area, &self.y_label, LABEL, MUTED, at)?;
        }
        Ok(frame)
    }

    fn x_ticks(&self, x: &RangedCoordf64, width: f64) -> Ticks {
        let most = (width / 70.0).clamp(2.0, 12.0) as usize;
        let mut at = x.key_points(BoldPoints(most));
        if self.whole_x {
            at.retain(|tick| (tick - tick.round()).abs() < 1e-6);
        }
        let labels = ticks::labels(&at);
        Ticks { at, labels }
    }

    /// One line, with a gap wherever a point has no place.
    fn draw_line<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        line: &Line,
        color: Rgb,
        map: impl Fn(&(f64, f64)) -> (i32, i32),
    ) -> Drawn<DB> {
        let dots = line.points.len() <= DOTS_UP_TO;
        for stretch in line.points.split(|point| !self.visible(point)) {
            let points: Vec<(i32, i32)> = thin(stretch, POINTS_DRAWN).iter().map(&map).collect();
            for &point in points.iter().filter(|_| dots || points.len() == 1) {
                area.draw(&Circle::new(
                    point,
                    units(1.5 * LINE),
                    pen::rgb(color).filled(),
                ))?;
            }
            if points.len() > 1 {
                area.draw(&PathElement::new(points, pen::stroke(color, LINE)))?;
            }
        }
        Ok(())
    }
}

type Failure<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

fn extremes(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |seen, value| {
        let (low, high) = seen.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// At most about `most` points: of each stretch the lowest and the highest, in their order.
fn thin(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(most / 2);
    let ends = |points: &[(f64, f64)]| {
        let by_height = |a: &usize, b: &usize| points[*a].1.total_cmp(&points[*b].1);
        let lowest = (0..points.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..points.len()).max_by(by_height).unwrap_or(0);
        [points[lowest.min(highest)], points[lowest.max(highest)]]
    };
    points.chunks(stretch).flat_map(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_what_they_were_told_to_include() {
        let chart = LineChart::new("").line("a", [(1.0, 0.5), (9.0, 0.9), (10.0, f64::NAN)]);
        assert_eq!(chart.x_range(), 1.0..9.0);
        let y = chart.clone().y_from(0.0).y_to(1.0).y_range();
        assert_eq!(y.start, 0.0);
        assert!(y.end > 1.0 && y.end < 1.1);
        assert!(chart.y_range().start < 0.5);
    }

    #[test]
    fn degenerate_lines_are_drawn() {
        for points in [
            vec![],
            vec![(1.0, 0.0)],
            vec![(1.0, f64::NAN)],
            vec![(1.0, 5.0), (1.0, 5.0)],
            vec![(0.0, 1e300), (1.0, -1e300)],
            vec![(0.0, 1e308), (1.0, -1e308)],
            vec![(-1e308, 0.0), (1e308, 1.0)],
            vec![(-LARGEST, LARGEST), (LARGEST, -LARGEST), (0.0, 1.0)],
        ] {
            for chart in [LineChart::new("t"), LineChart::new("t").log_y()] {
                let svg = chart.line("a", points.clone()).to_svg().unwrap();
                assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
            }
        }
    }

    #[test]
    fn a_chart_without_points_says_why() {
        let nan = [(1.0, f64::NAN), (2.0, f64::INFINITY)];
        for chart in [
            LineChart::new("loss").line("loss", nan).y_from(0.0),
            LineChart::new("accuracy").line("accuracy", nan).y_to(1.0),
        ] {
            assert_eq!(chart.y_range(), 0.0..1.0);
            assert!(chart.to_svg().unwrap().contains("no finite values"));
        }
        let empty = LineChart::new("t").line("a", []);
        assert_eq!(empty.why_empty(), Some("no values"));
        let huge = empty.clone().line("b", [(1.0, -1e308)]);
        assert_eq!(huge.why_empty(), Some("no values that fit on an axis"));
        assert_eq!(huge.log_y().why_empty(), Some("no positive values"));
        let zero = empty.line("b", [(1.0, 0.0)]).y_from(0.0);
        assert_eq!((zero.why_empty(), zero.y_range()), (None, 0.0..1.0));
    }

    #[test]
    fn thinning_keeps_the_extremes() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 0.0)).collect();
        points[54_321].1 = 7.0;
        points[77_777].1 = -3.0;
        let thinned = thin(&points, 4000);
        assert!(thinned.len() <= 4000);
        assert_eq!(extremes(thinned.iter().map(|p| p.1)), Some((-3.0, 7.0)));
        assert!(thinned.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn the_chart_says_what_it_shows() {
        let chart = LineChart::new("loss & <more>")
            .x_label("epoch")
            .y_label("nats")
            .line("train", [(1.0, 2.0), (2.0, 1.0)]);
        let svg = chart.to_svg().unwrap();
        for text in [
            "loss &amp; &lt;more&gt;",
            "epoch",
            "nats",
            "train",
            "polyline",
        ] {
            assert!(svg.contains(text), "{text} is missing in {svg}");
        }
    }
}
