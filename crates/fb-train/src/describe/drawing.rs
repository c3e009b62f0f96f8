//! Feedback edges drawn beside the lines of a table.
//!
//! Each edge has a lane of its own wherever it would touch another one. It leaves its source to the right, climbs its
//! lane, and enters its destination from the right:
//!
//! ```text
//! input
//! hidden1  ◄─┬─┐
//! hidden2  ──┘ │
//! output   ────┘
//! ```
//!
//! Where a line passes a lane that it does not join, the lane is drawn through.

/// An edge between lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    /// The line it leaves.
    pub(super) from: usize,
    /// The line it enters, above `from`.
    pub(super) to: usize,
}

/// What is drawn to the right of each of `lines` lines.
pub(super) fn margins(lines: usize, arrows: &[Arrow]) -> Vec<String> {
    let lanes = lanes(arrows);
    let count = lanes.iter().map(|lane| lane + 1).max().unwrap_or(0);
    let drawn: Vec<(Arrow, usize)> = arrows.iter().copied().zip(lanes).collect();
    (0..lines).map(|line| margin(line, &drawn, count)).collect()
}

/// A lane for each arrow: short arrows get the inner lanes.
fn lanes(arrows: &[Arrow]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..arrows.len()).collect();
    order.sort_by_key(|&i| (arrows[i].from - arrows[i].to, arrows[i].from));
    let mut taken: Vec<Vec<Arrow>> = Vec::new();
    let mut lanes = vec![0; arrows.len()];
    for i in order {
        let arrow = arrows[i];
        let free = |lane: &Vec<Arrow>| {
            lane.iter()
                .all(|other| other.from < arrow.to || arrow.from < other.to)
        };
        let lane = taken.iter().position(free).unwrap_or(taken.len());
        if lane == taken.len() {
            taken.push(Vec::new());
        }
        taken[lane].push(arrow);
        lanes[i] = lane;
    }
    lanes
}

/// The margin of one line: a tip, then two columns per lane.
fn margin(line: usize, drawn: &[(Arrow, usize)], lanes: usize) -> String {
    let ends_here = |arrow: &Arrow| arrow.from == line || arrow.to == line;
    let reach = drawn
        .iter()
        .filter(|(arrow, _)| ends_here(arrow))
        .map(|&(_, lane)| lane)
        .max();
    let tip = match reach {
        None => ' ',
        Some(_) if drawn.iter().any(|(arrow, _)| arrow.to == line) => '◄',
        Some(_) => '─',
    };
    let mut text = String::from(tip);
    for lane in 0..lanes {
        let beyond = reach.is_some_and(|reach| lane < reach);
        let joined = reach.is_some_and(|reach| lane <= reach);
        text.push(if joined { '─' } else { ' ' });
        let here = drawn
            .iter()
            .find(|(arrow, l)| *l == lane && arrow.to <= line && line <= arrow.from);
        text.push(match here {
            Some((arrow, _)) if arrow.to == line => {
                if beyond {
                    '┬'
                } else {
                    '┐'
                }
            }
            Some((arrow, _)) if arrow.from == line => {
                if beyond {
                    '┴'
                } else {
                    '┘'
                }
            }
            Some(_) => '│',
            None if beyond => '─',
            None => ' ',
        });
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(lines: usize, ends: &[(usize, usize)]) -> Vec<String> {
        let arrows: Vec<Arrow> = ends.iter().map(|&(from, to)| Arrow { from, to }).collect();
        margins(lines, &arrows)
    }

    #[test]
    fn one_edge_climbs_its_lane() {
        assert_eq!(draw(4, &[(3, 1)]), ["", "◄─┐", "  │", "──┘"]);
    }

    #[test]
    fn edges_that_meet_have_lanes_of_their_own() {
        assert_eq!(draw(4, &[(3, 1), (2, 1)]), ["", "◄─┬─┐", "──┘ │", "────┘"]);
        assert_eq!(
            draw(4, &[(3, 1), (3, 0)]),
            ["◄───┐", "◄─┐ │", "  │ │", "──┴─┘"]
        );
    }

    #[test]
    fn a_line_passes_a_lane_that_it_does_not_join() {
        assert_eq!(
            draw(4, &[(2, 0), (3, 1)]),
            ["◄─┐", "◄─│─┐", "──┘ │", "────┘"]
        );
    }

    #[test]
    fn edges_apart_share_a_lane() {
        assert_eq!(draw(4, &[(1, 0), (3, 2)]), ["◄─┐", "──┘", "◄─┐", "──┘"]);
    }

    #[test]
    fn no_edges_draw_nothing() {
        assert_eq!(draw(2, &[]), ["", ""]);
    }
}
