//! The numbers that outputs are made from, as matrices.

use super::axis::{Phase, Tap};
use super::geometry::Geometry;
use crate::element::Float;
use crate::kernels::convolution::{self as kernel, Field};
use crate::kernels::gemm::MatRef;
use std::ops::Range;

/// What the outputs of a pair of phases are made from: runs of numbers that are next to each other, in rising order.
pub(super) struct Runs {
    /// Where each starts: rows and columns from a pixel.
    starts: Vec<(isize, isize)>,
    /// Numbers in each.
    pub(super) length: usize,
    /// So many after each other lie at even distances.
    line: usize,
}

impl Runs {
    /// The runs of a pair of phases.
    pub(super) fn new(geometry: &Geometry, rows: &Phase, columns: &Phase) -> Self {
        let inputs = geometry.group()[0];
        let neighbours = |pair: &[Tap]| pair[1].offset == pair[0].offset + 1;
        // A single channel is better read column by column.
        let joined = geometry.groups == 1 && inputs > 1 && columns.taps.windows(2).all(neighbours);
        let each = if joined { 1 } else { columns.taps.len() };
        let line = if joined { rows.taps.len() } else { each };
        let starts = rows.taps.iter().flat_map(|row| {
            let columns = columns.taps.iter().take(each);
            columns.map(|column| (row.offset, column.offset))
        });
        Self {
            starts: starts.collect(),
            length: inputs * if joined { columns.taps.len() } else { 1 },
            line: line.max(1),
        }
    }

    /// How many numbers each output is made from.
    pub(super) fn depth(&self) -> usize {
        self.starts.len() * self.length
    }
}

/// The patches of some outputs: of a pair of phases and a group, in rows of one image.
pub(super) struct Patches<'a, F> {
    pub(super) field: Field<'a, F>,
    pub(super) runs: &'a Runs,
    /// The first channel.
    pub(super) channel: usize,
    /// The rows, and how far their inputs are apart.
    pub(super) lines: Range<usize>,
    pub(super) row_stride: usize,
    /// Outputs in a row, and how far their inputs are apart.
    pub(super) columns: usize,
    pub(super) column_stride: usize,
}

impl<'a, F: Float> Patches<'a, F> {
    /// How many patches there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len() * self.columns
    }

    /// From patch to patch of a row.
    pub(super) fn distance(&self) -> usize {
        self.column_stride * self.field.channels
    }

    /// From row to row of patches.
    pub(super) fn line_distance(&self) -> usize {
        self.row_stride * self.field.width * self.field.channels
    }

    /// Where the runs of a patch start.
    pub(super) fn starts(&self, line: usize, column: usize, starts: &mut Vec<usize>) {
        let row = (self.row_stride * (self.lines.start + line)) as isize;
        let column = (self.column_stride * column) as isize;
        let at = |&(i, j): &(isize, isize)| self.field.at(row + i, column + j) + self.channel;
        starts.clear();
        starts.extend(self.runs.starts.iter().map(at));
    }

    /// Starts of runs, cut so that each part has even distances.
    pub(super) fn even<'s>(&self, starts: &'s [usize]) -> impl Iterator<Item = &'s [usize]> {
        starts.chunks(self.runs.line)
    }

    /// The numbers of a run of all patches of a row, the first of which starts there: `[columns, length of the run]`.
    pub(super) fn run_matrix(&self, start: usize) -> MatRef<'a, F> {
        MatRef {
            data: self.field.data,
            offset: start,
            rows: self.columns,
            columns: self.runs.length,
            row_stride: self.distance() as isize,
            column_stride: 1,
        }
    }

    /// Writes out some of the patches, which are counted row by row; the buffer has room for exactly those.
    pub(super) fn write<'b>(&self, range: Range<usize>, buffer: &'b mut [F]) -> MatRef<'b, F> {
        let (depth, total) = (self.runs.depth(), range.len());
        debug_assert_eq!(buffer.len(), total * depth);
        let in_columns = self.runs.length == 1;
        let mut starts = Vec::with_capacity(self.runs.starts.len());
        let mut done = 0;
        while done < total {
            let at = range.start + done;
            let (line, column) = (at / self.columns, at % self.columns);
            let count = (self.columns - column).min(total - done);
            self.starts(line, column, &mut starts);
            let (data, distance) = (self.field.data, self.distance());
            if in_columns {
                let out = &mut buffer[done..];
                kernel::patch_columns(data, &starts, distance, count, total, out);
            } else {
                let out = &mut buffer[done * depth..][..count * depth];
                kernel::patches(data, &starts, distance, self.runs.length, out);
            }
            done += count;
        }
        let (row_stride, column_stride) = if in_columns { (1, total) } else { (depth, 1) };
        MatRef {
            data: buffer,
            offset: 0,
            rows: total,
            columns: depth,
            row_stride: row_stride as isize,
            column_stride: column_stride as isize,
        }
    }
}
