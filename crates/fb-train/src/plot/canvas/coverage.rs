//! How much of each pixel a shape covers: smooth edges without drawing at a higher resolution.

/// Shares of covered area, from 0 to 1, for the pixels of a rectangle of the canvas.
pub(super) struct Coverage {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    shares: Vec<f32>,
}

impl Coverage {
    /// Nothing covered yet, in the part of a canvas that holds all points and a margin around them.
    pub(super) fn around(
        points: impl Iterator<Item = (f64, f64)>,
        margin: f64,
        canvas: (usize, usize),
    ) -> Self {
        let (mut low, mut high) = ((f64::INFINITY, f64::INFINITY), (0.0_f64, 0.0_f64));
        for (x, y) in points {
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        }
        let start = |value: f64, end: usize| ((value - margin).floor().max(0.0) as usize).min(end);
        let end = |value: f64, end: usize| ((value + margin).ceil().max(0.0) as usize).min(end);
        let (left, top) = (start(low.0, canvas.0), start(low.1, canvas.1));
        let width = end(high.0, canvas.0).saturating_sub(left);
        let height = end(high.1, canvas.1).saturating_sub(top);
        Self {
            left,
            top,
            width,
            height,
            shares: vec![0.0; width * height],
        }
    }

    /// Calls `f` with column, row and share of every pixel that is covered at all.
    pub(super) fn for_each(&self, mut f: impl FnMut(usize, usize, f64)) {
        for (index, &share) in self
            .shares
            .iter()
            .enumerate()
            .filter(|(_, share)| **share > 0.0)
        {
            f(
                self.left + index % self.width,
                self.top + index / self.width,
                f64::from(share),
            );
        }
    }

    /// Covers everything within `radius` of the line between two points.
    ///
    /// Lines that follow each other are joined by the larger share, not the sum, or joints would look swollen.
    pub(super) fn stroke(&mut self, from: (f64, f64), to: (f64, f64), radius: f64) {
        let reach = radius + 1.0;
        let rows = self.span(
            from.1.min(to.1) - reach,
            from.1.max(to.1) + reach,
            self.top,
            self.height,
        );
        for row in rows {
            let y = (self.top + row) as f64 + 0.5;
            // Only the part of the line that passes near this row can cover its pixels.
            let (near, far) = clip(from, to, y - reach, y + reach);
            let columns = self.span(
                near.min(far) - reach,
                near.max(far) + reach,
                self.left,
                self.width,
            );
            for column in columns {
                let x = (self.left + column) as f64 + 0.5;
                let share = (radius + 0.5 - distance((x, y), from, to)).clamp(0.0, 1.0) as f32;
                let known = &mut self.shares[row * self.width + column];
                *known = known.max(share);
            }
        }
    }

    /// The positions between two coordinates that lie in an extent that starts at `origin`.
    fn span(&self, low: f64, high: f64, origin: usize, extent: usize) -> std::ops::Range<usize> {
        let position = |value: f64| ((value.max(0.0) as usize).saturating_sub(origin)).min(extent);
        position(low.floor())..position(high.ceil())
    }

    /// Adds the edges of a closed polygon; [`accumulate`](Self::accumulate) fills it.
    pub(super) fn polygon(&mut self, corners: &[(f64, f64)]) {
        for (index, &from) in corners.iter().enumerate() {
            self.edge(from, corners[(index + 1) % corners.len()]);
        }
    }

    /// Notes for each row that an edge crosses by how much the covered area grows or shrinks from here on rightwards.
    fn edge(&mut self, from: (f64, f64), to: (f64, f64)) {
        let (sign, above, below) = if from.1 < to.1 {
            (1.0, from, to)
        } else {
            (-1.0, to, from)
        };
        let slope = (below.0 - above.0) / (below.1 - above.1);
        let (left, top) = (self.left as f64, self.top as f64);
        for row in self.span(above.1, below.1, self.top, self.height) {
            let start = (top + row as f64).max(above.1);
            let end = (top + row as f64 + 1.0).min(below.1);
            if end <= start {
                continue;
            }
            let x = |y: f64| {
                (above.0 + (y - above.1) * slope - left).clamp(0.0, self.width as f64 - 1.0)
            };
            let (a, b) = (x(start), x(end));
            self.crossing(row, a.min(b), a.max(b), sign * (end - start));
        }
    }

    /// Spreads an edge of signed height `height` that runs from `low` to `high` within one row over its columns.
    fn crossing(&mut self, row: usize, low: f64, high: f64, height: f64) {
        let shares = &mut self.shares[row * self.width..(row + 1) * self.width];
        for column in low as usize..=high as usize {
            let (start, end) = ((column as f64).max(low), (column as f64 + 1.0).min(high));
            let part = if high > low {
                height * (end - start) / (high - low)
            } else {
                height
            };
            let right_of_edge = column as f64 + 1.0 - (start + end) / 2.0;
            shares[column] += (part * right_of_edge) as f32;
            if let Some(next) = shares.get_mut(column + 1) {
                *next += (part * (1.0 - right_of_edge)) as f32;
            }
        }
    }

    /// Turns the notes of all edges into shares.
    pub(super) fn accumulate(&mut self) {
        for row in self.shares.chunks_mut(self.width.max(1)) {
            let mut sum = 0.0;
            for share in row {
                sum += *share;
                *share = sum.abs().min(1.0);
            }
        }
    }
}

/// The columns of the part of a line between two rows.
fn clip(from: (f64, f64), to: (f64, f64), low: f64, high: f64) -> (f64, f64) {
    let rise = to.1 - from.1;
    if rise.abs() < 1e-9 {
        return (from.0, to.0);
    }
    let at = |y: f64| from.0 + (to.0 - from.0) * ((y - from.1) / rise).clamp(0.0, 1.0);
    (at(low), at(high))
}

/// The distance of a point from the line between two others.
fn distance(point: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 {
        ((point.0 - from.0) * dx + (point.1 - from.1) * dy) / length
    } else {
        0.0
    };
    let along = along.clamp(0.0, 1.0);
    (point.0 - from.0 - along * dx).hypot(point.1 - from.1 - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(coverage: &Coverage) -> f64 {
        let mut sum = 0.0;
        coverage.for_each(|_, _, share| sum += share);
        sum
    }

    fn filled(corners: &[(f64, f64)]) -> Coverage {
        let mut coverage = Coverage::around(corners.iter().copied(), 1.0, (40, 40));
        coverage.polygon(corners);
        coverage.accumulate();
        coverage
    }

    #[test]
    fn polygons_cover_their_area_whichever_way_round() {
        let rectangle = [(3.25, 4.0), (10.75, 4.0), (10.75, 9.5), (3.25, 9.5)];
        let triangle = [(2.3, 3.1), (30.7, 8.9), (11.2, 33.3)];
        let reversed: Vec<_> = triangle.iter().rev().copied().collect();
        let triangle_area = 0.5 * ((28.4_f64 * 30.2) - (8.9 * 5.8)).abs();
        assert!((area(&filled(&rectangle)) - 7.5 * 5.5).abs() < 1e-3);
        assert!((area(&filled(&triangle)) - triangle_area).abs() < 1e-2);
        assert!((area(&filled(&reversed)) - triangle_area).abs() < 1e-2);
    }

    #[test]
    fn strokes_cover_length_times_width_and_a_disc() {
        let mut coverage = Coverage::around([(5.0, 5.0), (25.0, 20.0)].into_iter(), 4.0, (40, 40));
        coverage.stroke((5.0, 5.0), (25.0, 20.0), 2.0);
        let expected = 25.0 * 4.0 + std::f64::consts::PI * 4.0;
        assert!(
            (area(&coverage) - expected).abs() < 2.0,
            "{} instead of {expected}",
            area(&coverage)
        );
        // The same stroke again changes nothing.
        coverage.stroke((25.0, 20.0), (5.0, 5.0), 2.0);
        assert!((area(&coverage) - expected).abs() < 2.0);
    }

    #[test]
    fn shapes_may_leave_the_canvas() {
        let corners = [(-50.0, -50.0), (90.0, -50.0), (90.0, 90.0), (-50.0, 90.0)];
        assert!(area(&filled(&corners)) >= 39.0 * 39.0);
        let mut coverage =
            Coverage::around([(-9.0, -9.0), (99.0, 99.0)].into_iter(), 2.0, (40, 40));
        coverage.stroke((-9.0, -9.0), (99.0, 99.0), 1.0);
        assert!(area(&coverage) > 40.0);
        assert_eq!(
            area(&Coverage::around(std::iter::empty(), 1.0, (40, 40))),
            0.0
        );
    }
}
