//! A small square matrix.

use std::ops::{Index, IndexMut, Range};

/// A square matrix of a few dozen rows, one row after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Square {
    extent: usize,
    elements: Vec<f64>,
}

impl Square {
    pub(super) fn zeros(extent: usize) -> Self {
        Self {
            extent,
            elements: vec![0.0; extent * extent],
        }
    }

    pub(super) fn identity(extent: usize) -> Self {
        let mut identity = Self::zeros(extent);
        (0..extent).for_each(|i| identity[(i, i)] = 1.0);
        identity
    }

    /// How many rows it has.
    pub(super) fn extent(&self) -> usize {
        self.extent
    }

    /// Part of a row.
    pub(super) fn row(&self, row: usize, columns: Range<usize>) -> &[f64] {
        &self.elements[row * self.extent..][..self.extent][columns]
    }

    pub(super) fn row_mut(&mut self, row: usize, columns: Range<usize>) -> &mut [f64] {
        &mut self.elements[row * self.extent..][..self.extent][columns]
    }

    /// The largest size of an element.
    pub(super) fn largest(&self) -> f64 {
        self.elements.iter().fold(0.0, |most, x| most.max(x.abs()))
    }

    /// The Frobenius norm, which the largest singular value does not exceed.
    pub(super) fn norm(&self) -> f64 {
        let scale = self.largest();
        if scale == 0.0 {
            return 0.0;
        }
        let squares = self.elements.iter().map(|x| (x / scale).powi(2));
        scale * squares.sum::<f64>().sqrt()
    }

    pub(super) fn scale(&mut self, factor: f64) {
        self.elements.iter_mut().for_each(|x| *x *= factor);
    }

    /// Swaps two rows and the same two columns.
    pub(super) fn exchange(&mut self, a: usize, b: usize) {
        for k in 0..self.extent {
            self.elements.swap(a * self.extent + k, b * self.extent + k);
        }
        for k in 0..self.extent {
            self.elements.swap(k * self.extent + a, k * self.extent + b);
        }
    }
}

impl Index<(usize, usize)> for Square {
    type Output = f64;

    fn index(&self, (row, column): (usize, usize)) -> &f64 {
        &self.elements[row * self.extent + column]
    }
}

impl IndexMut<(usize, usize)> for Square {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut f64 {
        &mut self.elements[row * self.extent + column]
    }
}
