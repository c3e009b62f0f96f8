//! Which sequences of a batch run at which step.

use crate::element::Float;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::threads::for_each_chunk_mut;
use std::sync::Arc;

/// Elements copied in a nanosecond, roughly.
const COPIED_PER_NS: usize = 8;
/// Elements handed to a thread at a time.
const CHUNK: usize = 32 * 1024;

/// Which sequences of a batch run at which step: the order in which a scan goes through `[batch, time, …]`.
///
/// Packed, the rows of a step stand together and the steps one after the other. Sequences are ordered by falling length
/// (equal ones as they come), so the rows of a step are the first of those of the step before, and padding takes no row:
/// what is done for each row takes time proportional to the real steps. [Reversed](Self::reversed), each sequence runs
/// from its own last step to its first.
///
/// Cloning is cheap.
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_tensor::recurrent::Steps;
/// let steps = Steps::ragged(&[1, 3], 3)?;
/// let x = Tensor::from([[1.0, 0.0, 0.0], [2.0, 3.0, 4.0]]);
/// let packed = steps.pack(&x)?;
/// assert_eq!(packed.to_vec(), [2.0, 1.0, 3.0, 4.0]);
/// assert_eq!(steps.unpack(&packed)?, x);
/// assert_eq!(steps.reversed().pack(&x)?.to_vec(), [4.0, 1.0, 3.0, 2.0]);
/// # Ok::<(), fb_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    batch: usize,
    time: usize,
    /// If sequences may end before others.
    ragged: Option<Arc<Ragged>>,
    reversed: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Ragged {
    /// The lengths, falling.
    lengths: Vec<usize>,
    /// The packed row at which each step starts, and the number of rows.
    starts: Vec<usize>,
    /// The sequences by falling length, and the place of each among them; empty if they stand in that order.
    sequences: Vec<usize>,
    places: Vec<usize>,
}

impl Steps {
    /// All sequences run through all steps.
    ///
    /// # Panics
    /// If memory cannot hold so many rows.
    #[track_caller]
    pub fn even(batch: usize, time: usize) -> Self {
        let rows = batch.checked_mul(time).filter(|&n| n < isize::MAX as usize);
        assert!(
            rows.is_some(),
            "steps: {batch} sequences of {time} steps have more rows than memory can hold"
        );
        Self {
            batch,
            time,
            ragged: None,
            reversed: false,
        }
    }

    /// Each sequence runs through its own first steps, of `time` that there is room for. Lengths may be 0 and in any order.
    ///
    /// # Errors
    /// A length is beyond `time`.
    pub fn ragged(lengths: &[usize], time: usize) -> Result<Self> {
        if let Some(row) = lengths.iter().position(|&length| length > time) {
            return Err(Error::Argument {
                op: "steps",
                what: format!(
                    "sequence {row} has {} steps, but there is room for {time}",
                    lengths[row]
                ),
            });
        }
        let mut sequences: Vec<usize> = (0..lengths.len()).collect();
        sequences.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
        let falling: Vec<usize> = sequences.iter().map(|&row| lengths[row]).collect();
        let mut places = vec![0; lengths.len()];
        for (place, &row) in sequences.iter().enumerate() {
            places[row] = place;
        }
        if sequences.is_sorted() {
            sequences.clear();
            places.clear();
        }
        let mut starts = vec![0];
        let (mut running, mut rows) = (lengths.len(), 0);
        for step in 0..falling.first().copied().unwrap_or(0) {
            while running > 0 && falling[running - 1] <= step {
                running -= 1;
            }
            rows += running;
            starts.push(rows);
        }
        Ok(Self {
            batch: lengths.len(),
            time,
            ragged: Some(Arc::new(Ragged {
                lengths: falling,
                starts,
                sequences,
                places,
            })),
            reversed: false,
        })
    }

    /// The same sequences, each run the other way.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            reversed: !self.reversed,
            ..self.clone()
        }
    }

    /// How many sequences there are.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// How many steps there is room for, padding included.
    pub fn time(&self) -> usize {
        self.time
    }

    /// How many steps the longest sequence has.
    pub fn len(&self) -> usize {
        match &self.ragged {
            Some(ragged) => ragged.starts.len() - 1,
            None => self.time,
        }
    }

    /// Whether no sequence has a step.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// How many rows there are: the lengths of all sequences together.
    pub fn rows(&self) -> usize {
        self.row(self.len())
    }

    /// The packed rows of a step.
    ///
    /// # Panics
    /// If there is no such step.
    #[track_caller]
    pub fn step(&self, step: usize) -> std::ops::Range<usize> {
        assert!(step < self.len(), "step {step} of {}", self.len());
        self.row(step)..self.row(step + 1)
    }

    /// The length of the sequence that stands at a place among those by falling length.
    ///
    /// # Panics
    /// If there is no such place.
    #[track_caller]
    pub fn length(&self, place: usize) -> usize {
        assert!(place < self.batch, "sequence {place} of {}", self.batch);
        match &self.ragged {
            Some(ragged) => ragged.lengths[place],
            None => self.time,
        }
    }

    /// The sequences in the order of their rows, or nothing if that is the order in which they come.
    pub fn order(&self) -> Option<&[usize]> {
        let ragged = self.ragged.as_ref()?;
        (!ragged.sequences.is_empty()).then_some(&*ragged.sequences)
    }

    /// The packed row at which each step starts and the lengths, falling, if they are not all the same.
    pub(crate) fn starts_and_lengths(&self) -> Option<(&[usize], &[usize])> {
        let ragged = self.ragged.as_ref()?;
        Some((&ragged.starts, &ragged.lengths))
    }

    /// The packed row at which a step starts.
    pub(crate) fn row(&self, step: usize) -> usize {
        match &self.ragged {
            Some(ragged) => ragged.starts[step],
            None => step * self.batch,
        }
    }

    /// The step of a packed row.
    fn step_of(&self, row: usize) -> usize {
        match &self.ragged {
            Some(ragged) => ragged.starts.partition_point(|&start| start <= row) - 1,
            None => row / self.batch,
        }
    }

    /// The place of a sequence among those by falling length.
    fn place(&self, sequence: usize) -> usize {
        match &self.ragged {
            Some(ragged) => ragged.places.get(sequence).copied().unwrap_or(sequence),
            None => sequence,
        }
    }

    /// Whether packing changes nothing but the shape.
    fn is_plain(&self) -> bool {
        let even = self.rows() == self.batch() * self.time();
        even && (self.time() <= 1 || (self.batch() == 1 && !self.reversed))
    }

    /// The time at which a sequence of that length is at a step; also the other way around.
    fn turned(&self, step: usize, length: usize) -> usize {
        if self.reversed {
            length - 1 - step
        } else {
            step
        }
    }

    /// The rows of all steps; those of padding are left out.
    ///
    /// # Shapes
    /// - `x`: `[batch, time, …]`
    /// - returns `[rows, …]`
    ///
    /// # Errors
    /// `x` has another batch or time.
    pub fn pack<F: Float>(&self, x: &Tensor<F>) -> Result<Tensor<F>> {
        if x.rank() < 2 || x.dim(0) != self.batch() || x.dim(1) != self.time() {
            return Err(Error::Shapes {
                op: "pack",
                left: x.shape().to_string(),
                right: format!("[{}, {}, …]", self.batch(), self.time()),
                help: "the first two axes are the sequences and their time",
            });
        }
        let shape = x.shape().without(1).try_with_extent(0, self.rows())?;
        if self.is_plain() {
            return Ok(x.reshape(shape));
        }
        let x = x.contiguous();
        let source = x.as_slice().expect("made contiguous");
        let inner: usize = x.dims()[2..].iter().product();
        Ok(Tensor::filled_by(shape, |out| {
            let each = self.rows_of_chunk(inner);
            let cost = out.len() / COPIED_PER_NS;
            for_each_chunk_mut(out, each * inner.max(1), cost, |from, out| {
                let first = from / inner.max(1);
                let mut step = self.step_of(first);
                for (row, out) in (first..).zip(out.chunks_exact_mut(inner.max(1))) {
                    while row >= self.row(step + 1) {
                        step += 1;
                    }
                    let place = row - self.row(step);
                    let sequence = self.order().map_or(place, |order| order[place]);
                    let time = self.turned(step, self.length(place));
                    let at = (sequence * self.time + time) * inner;
                    out.copy_from_slice(&source[at..][..inner]);
                }
            });
        }))
    }

    /// Packed rows back in their places, zeros where there is padding.
    ///
    /// # Shapes
    /// - `packed`: `[rows, …]`
    /// - returns `[batch, time, …]`
    ///
    /// # Errors
    /// `packed` has another number of rows, or the result more elements than memory can hold.
    pub fn unpack<F: Float>(&self, packed: &Tensor<F>) -> Result<Tensor<F>> {
        if packed.rank() < 1 || packed.dim(0) != self.rows() {
            return Err(Error::Shapes {
                op: "unpack",
                left: packed.shape().to_string(),
                right: format!("[{}, …]", self.rows()),
                help: "the first axis has a row for each step of each sequence",
            });
        }
        let mut extents = vec![self.batch(), self.time()];
        extents.extend(&packed.dims()[1..]);
        let shape = crate::shape::Shape::try_new(&extents)?;
        if self.is_plain() {
            return Ok(packed.reshape(shape));
        }
        let packed = packed.contiguous();
        let source = packed.as_slice().expect("made contiguous");
        let inner: usize = packed.dims()[1..].iter().product();
        Ok(Tensor::filled_by(shape, |out| {
            let each = self.rows_of_chunk(inner);
            let cost = out.len() / COPIED_PER_NS;
            for_each_chunk_mut(out, each * inner.max(1), cost, |from, out| {
                let first = from / inner.max(1);
                for (at, out) in out.chunks_exact_mut(inner.max(1)).enumerate() {
                    let (sequence, time) = ((first + at) / self.time, (first + at) % self.time);
                    let place = self.place(sequence);
                    let length = self.length(place);
                    if time >= length {
                        out.fill(F::ZERO);
                        continue;
                    }
                    let row = self.row(self.turned(time, length)) + place;
                    out.copy_from_slice(&source[row * inner..][..inner]);
                }
            });
        }))
    }

    fn rows_of_chunk(&self, inner: usize) -> usize {
        (CHUNK / inner.max(1)).max(1)
    }
}
