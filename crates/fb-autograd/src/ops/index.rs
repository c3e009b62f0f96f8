//! Elements picked by index; the gradient is added up where they came from.

use super::node::part;
use crate::var::Var;
use fb_tensor::{Float, MAX_RANK, Result, Shape, Tensor, add_rows};

impl<F: Float> Var<F> {
    /// For each index, the element that it names along the axis: `y[i, j] = x[i, index[i, j]]` for axis 1 of two; see
    /// [`Tensor::gather`].
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// let y = x.gather(1, &Tensor::from([[2_i64], [0]]));
    /// assert_eq!(y.tensor().to_vec(), [3.0, 4.0]);
    /// assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, the shapes do not fit, or an index leaves the axis (negative ones do).
    #[track_caller]
    #[must_use]
    pub fn gather(&self, axis: usize, index: &Tensor<i64>) -> Self {
        let output = self.tensor().gather(axis, index);
        let shape = *self.shape();
        let index = index.contiguous();
        part(self, output, move |g, sum| {
            scatter(&g, &index, axis, &shape, sum)
        })
    }

    /// The positions of an axis that the indices name, in their order; see [`Tensor::index_select`].
    ///
    /// # Panics
    /// If there is no such axis, `index` has not one axis, or an index leaves the axis (negative ones do).
    #[track_caller]
    #[must_use]
    pub fn index_select(&self, axis: usize, index: &Tensor<i64>) -> Self {
        let output = self.tensor().index_select(axis, index);
        let shape = *self.shape();
        let index = index.contiguous();
        part(self, output, move |g, sum| {
            let places = index
                .as_slice()
                .expect("made contiguous")
                .iter()
                .map(|&i| i as usize);
            add_positions(&g, places, axis, &shape, sum);
        })
    }

    /// The named positions of the first axis, in their order.
    ///
    /// # Panics
    /// If there are no axes or a row is not there.
    #[track_caller]
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let output = self.tensor().select_rows(rows);
        let shape = *self.shape();
        let rows = rows.to_vec();
        part(self, output, move |g, sum| {
            add_positions(&g, rows.iter().copied(), 0, &shape, sum)
        })
    }

    /// The rows that indices of any shape name: what their one-hot vectors times this matrix would give, without the
    /// product. An embedding table.
    ///
    /// The row `padding` is looked up like any other and gets no gradient.
    ///
    /// # Shapes
    /// - `self`: `[rows, width]`
    /// - `index`: `[…]`
    /// - returns `[…, width]`
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let table = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let tokens = Tensor::from([[1_i64, 0, 1]]);
    /// let y = table.embedding(&tokens, None);
    /// assert_eq!(y.dims(), [1, 3, 2]);
    /// assert_eq!(y.sum().backward().get(&table).unwrap().to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not two axes, the result would have too many, an index names no row (negative ones do not), or
    /// `padding` does not.
    #[track_caller]
    #[must_use]
    pub fn embedding(&self, index: &Tensor<i64>, padding: Option<usize>) -> Self {
        match self.try_embedding(index, padding) {
            Ok(rows) => rows,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::embedding`] for indices that come from data.
    ///
    /// # Errors
    /// There are not two axes, the result would have too many, an index names no row (negative ones do not), or
    /// `padding` does not.
    #[track_caller]
    pub fn try_embedding(&self, index: &Tensor<i64>, padding: Option<usize>) -> Result<Self> {
        let output = self.tensor().try_embedding(index, padding)?;
        let index = index.clone();
        Ok(part(self, output, move |g, sum| {
            add_rows(sum, &index, &g, padding)
        }))
    }
}

/// Adds each position of the gradient along the axis to the named one of the sum.
fn add_positions<F: Float>(
    gradient: &Tensor<F>,
    places: impl ExactSizeIterator<Item = usize> + Clone,
    axis: usize,
    shape: &Shape,
    sum: &mut [F],
) {
    let inner = shape[axis + 1..].iter().product::<usize>();
    if gradient.is_empty() {
        return;
    }
    let gradient = gradient.contiguous();
    let values = gradient.as_slice().expect("made contiguous");
    let stacks = sum
        .chunks_exact_mut(shape[axis] * inner)
        .zip(values.chunks_exact(places.len() * inner));
    for (stack, values) in stacks {
        for (values, place) in values.chunks_exact(inner).zip(places.clone()) {
            for (sum, &value) in stack[place * inner..][..inner].iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
}

/// Adds each element of the gradient where its index says.
fn scatter<F: Float>(
    gradient: &Tensor<F>,
    index: &Tensor<i64>,
    axis: usize,
    shape: &Shape,
    sum: &mut [F],
) {
    let mut strides = [1; MAX_RANK];
    for a in (1..shape.len()).rev() {
        strides[a - 1] = strides[a] * shape[a];
    }
    let indices = index.as_slice().expect("callers make indices contiguous");
    let mut at = [0; MAX_RANK];
    for (value, &index) in gradient.iter().zip(indices) {
        let place: usize = (0..shape.len())
            .map(|a| if a == axis { index as usize } else { at[a] } * strides[a])
            .sum();
        sum[place] += value;
        for (at, &extent) in at.iter_mut().zip(gradient.dims()).rev() {
            *at += 1;
            if *at < extent {
                break;
            }
            *at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Tape;
    use fb_tensor::Tensor;

    #[test]
    fn an_element_picked_twice_gets_both_gradients() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
        let weights = Tensor::from([[1.0, 10.0], [100.0, 1000.0], [7.0, 7.0]]);
        let index = Tensor::from([2_i64, 0, 2]);
        let y = x.index_select(0, &index);
        let g = tape.gradients(&[(&y, weights.clone())]);
        assert_eq!(
            g.get(&x).unwrap().to_vec(),
            [100.0, 1000.0, 0.0, 0.0, 8.0, 17.0]
        );
        let g = tape.gradients(&[(&x.select_rows(&[2, 0, 2]), weights)]);
        assert_eq!(
            g.get(&x).unwrap().to_vec(),
            [100.0, 1000.0, 0.0, 0.0, 8.0, 17.0]
        );
        let y = x.gather(0, &Tensor::from([[1_i64, 2], [1, 0]]));
        let g = tape.gradients(&[(&y, Tensor::from([[1.0, 2.0], [3.0, 4.0]]))]);
        assert_eq!(g.get(&x).unwrap().to_vec(), [0.0, 4.0, 4.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn an_embedding_is_a_product_with_one_hot_vectors() {
        let tape = Tape::new();
        let table = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
        let index = Tensor::from([[2_i64, 0], [2, 1]]);
        let cotangent = Tensor::from([[[1.0, -2.0], [3.0, 0.5]], [[2.0, 2.0], [0.0, 1.0]]]);
        let picked = table.embedding(&index, None);
        let product = crate::Var::constant(Tensor::one_hot(&index, 3)).matmul(&table);
        assert_eq!(picked.tensor(), product.tensor());
        let a = tape.gradients(&[(&picked, cotangent.clone())]);
        let b = tape.gradients(&[(&product, cotangent)]);
        assert_eq!(a.get(&table), b.get(&table));
    }

    #[test]
    fn padding_is_looked_up_and_gets_no_gradient() {
        let tape = Tape::new();
        let table = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
        let y = table.embedding(&Tensor::from([1_i64, 0, 1]), Some(1));
        assert_eq!(y.tensor().to_vec(), [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
        let gradient = y.sum().backward().take(&table).unwrap();
        assert_eq!(gradient.to_vec(), [1.0, 1.0, 0.0, 0.0]);
    }
}
