//! Pictures of clothes.

use crate::dataset::{About, Labelled};
use crate::error::Result;
use crate::idx;
use fb_tensor::Tensor;
use std::sync::OnceLock;

/// Pictures of clothes: 1000 of Fashion-MNIST's 60,000 for training, 100 of each kind, 28×28 pixels with values from 0 to 255.
///
/// [`Labelled::images`] gives them as pictures.
///
/// # Shapes
/// - `x`: `[1000, 784]`, row by row
/// - `y`: `[1000]`, the kind
///
/// # References
/// H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
/// arXiv:1708.07747, 2017.
///
/// # Examples
/// ```
/// let clothes = fb_data::embedded::fashion();
/// assert_eq!(clothes.images()?.dims(), [1000, 28, 28, 1]);
/// assert_eq!(clothes.class_names()[9], "ankle boot");
/// # Ok::<(), fb_data::Error>(())
/// ```
pub fn fashion() -> &'static Labelled {
    static SET: OnceLock<Labelled> = OnceLock::new();
    SET.get_or_init(|| {
        let images = include_bytes!("../../data/fashion_train_images.idx3.gz");
        let labels = include_bytes!("../../data/fashion_train_labels.idx1.gz");
        load(images, labels).expect("embedded files are read by the tests")
    })
}

/// 200 of Fashion-MNIST's 10,000 pictures for testing, 20 of each kind, shaped as those of [`fashion`].
///
/// ```
/// assert_eq!(fb_data::embedded::fashion_test().len(), 200);
/// ```
pub fn fashion_test() -> &'static Labelled {
    static SET: OnceLock<Labelled> = OnceLock::new();
    SET.get_or_init(|| {
        let images = include_bytes!("../../data/fashion_test_images.idx3.gz");
        let labels = include_bytes!("../../data/fashion_test_labels.idx1.gz");
        load(images, labels).expect("embedded files are read by the tests")
    })
}

const CLASSES: [&str; 10] = [
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

fn load(images: &[u8], labels: &[u8]) -> Result<Labelled> {
    let images = idx::from_bytes(images)?;
    let labels: Tensor<i64> = idx::from_bytes(labels)?.cast();
    let (rows, height, width) = (images.dim(0), images.dim(1), images.dim(2));
    let x = images.cast::<f32>().reshape([rows, height * width]);
    let names = (0..height).flat_map(|y| (0..width).map(move |x| format!("pixel_{y}_{x}")));
    let classes = CLASSES.map(str::to_owned).to_vec();
    let set = Labelled::new(x, labels, names.collect(), classes)?;
    let about = About {
        name: "fashion".to_owned(),
        description: "Pictures of clothes, 28x28 pixels with values from 0 to 255.".to_owned(),
        source: "H. Xiao, K. Rasul and R. Vollgraf, 2017, a part of Fashion-MNIST \
            (https://github.com/zalandoresearch/fashion-mnist), as packaged by Debian."
            .to_owned(),
        licence: "MIT, copyright (c) 2017 Zalando SE.".to_owned(),
    };
    set.with_about(about).with_image_shape([height, width, 1])
}
