//! `fb-tensor` used alone.
//!
//! You will see a small table of temperatures: views of it that copy nothing, its columns normalised by broadcasting,
//! a matrix product with a transposed view, a reduction over an axis, and the way to `ndarray` and back.
//!
//! ```text
//! cargo run --release --example tensor_alone
//! ```

use fb_tensor::{Tensor, ndarray::Axis, random::Key};

fn main() {
    let days = Tensor::from([
        [12.0, 15.0, 11.0],
        [14.0, 19.0, 12.0],
        [9.0, 17.0, 8.0],
        [13.0, 21.0, 9.0],
    ]);
    println!("temperatures, a row a day (morning, noon, evening):\n{days:.1}\n");

    let evenings = days.index_axis(1, 2);
    println!(
        "evenings, a view with stride {:?}: {evenings:.1}",
        evenings.strides()
    );
    println!("backwards in time, a view too:\n{:.1}\n", days.flip(0));

    let (mean, std) = (days.mean_axes(&[0], true), days.std_axes(&[0], 0, true));
    let normalised = (&days - &mean) / &std;
    println!(
        "each column with mean 0 and deviation 1, by broadcasting {} over {}:",
        mean.shape(),
        days.shape()
    );
    println!("{normalised:.2}\n");

    let correlation = normalised.transpose().matmul(&normalised) / days.dim(0) as f32;
    println!("correlations, from a product with a transposed view:\n{correlation:.2}\n");
    println!("warmest part of each day: {}", days.argmax(1));

    let noise = Tensor::normal([4, 3], 0.0, 0.5, &mut Key::new(7).fold("noise").rng());
    println!("the same noise at every run:\n{noise:.2}\n");

    let array = (&days + &noise).into_ndarray();
    println!(
        "column means by ndarray: {:.2}",
        array.mean_axis(Axis(0)).expect("there are rows")
    );
    let back = Tensor::from(array);
    println!("and back: {back:?}, {} elements", back.len());
}
