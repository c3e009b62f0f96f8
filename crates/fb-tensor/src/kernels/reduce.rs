//! Sums and other reductions over slices.
