//! Splitting pooling over threads: rows of the output forwards, whole images backwards.

use super::windows::Windows;
use crate::kernels::pooling::Row;
use crate::threads;

/// Bytes that pass through one core in a nanosecond, roughly.
const BYTES_PER_NS: usize = 8;
/// Bytes of the larger side in a piece of work.
const PIECE_BYTES: usize = 256 << 10;

impl Windows {
    /// The row of windows that makes a row of the output.
    pub(super) fn row(&self, output: usize) -> Row<'_> {
        Row {
            rows: self.axes[0].range(output),
            columns: &self.axes[1],
            channels: self.channels,
        }
    }

    /// How many rows of output are a piece of work.
    pub(super) fn rows_per_piece<F>(&self) -> usize {
        let bytes = (self.image() / self.axes[0].output.max(1)).max(self.line()) * size_of::<F>();
        (PIECE_BYTES / bytes.max(1)).max(1)
    }

    /// What passing over the images once takes one core.
    pub(super) fn cost<F>(&self) -> usize {
        let elements = self
            .image()
            .saturating_mul(self.batch)
            .max(self.output().iter().product());
        elements.saturating_mul(size_of::<F>()) / BYTES_PER_NS
    }

    /// Calls `visit` with each row of an image's output.
    pub(super) fn for_each_image<F: Send>(
        &self,
        images: &mut [F],
        visit: impl Fn(usize, &mut [F]) + Sync,
    ) {
        let image = self.image();
        if images.is_empty() {
            return;
        }
        let per_piece = (PIECE_BYTES / size_of::<F>() / image).max(1);
        threads::for_each_chunk_mut(
            images,
            per_piece * image,
            self.cost::<F>(),
            |start, part| {
                for (i, part) in part.chunks_exact_mut(image).enumerate() {
                    visit(start / image + i, part);
                }
            },
        );
    }
}
