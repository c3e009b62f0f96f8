//! Texts in columns, as wide on a terminal as they look.

/// Which side of its column a text stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows of `N` cells, all lines of the same width, two spaces between columns.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]], sides: [Side; N]) -> Vec<String> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| width(&row[column]))
            .max()
            .unwrap_or(0)
    });
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(widths)
                .zip(sides)
                .map(|((cell, all), side)| {
                    let gap = " ".repeat(all - width(cell));
                    match side {
                        Side::Left => format!("{cell}{gap}"),
                        Side::Right => format!("{gap}{cell}"),
                    }
                });
            cells.collect::<Vec<_>>().join("  ")
        })
        .collect()
}

/// How many columns of a terminal a text takes: ideographs and the like take two, marks on the letter before none.
pub(super) fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x300..=0x36F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
            0x1100..=0x115F
            | 0x2E80..=0x303E
            | 0x3041..=0xA4CF
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F
            | 0xFF00..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x1F300..=0x1F64F
            | 0x1F900..=0x1F9FF
            | 0x20000..=0x3FFFD => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ideographs_take_two_columns() {
        assert_eq!(width("层1"), 3);
        assert_eq!(width("e\u{301}"), 1);
        let rows = [
            ["层".to_owned(), "1".to_owned()],
            ["abc".to_owned(), "22".to_owned()],
        ];
        assert_eq!(
            aligned(&rows, [Side::Left, Side::Right]),
            ["层    1", "abc  22"]
        );
    }
}
