//! The embedded sets are what their sources say.

use fb_data::{Labelled, embedded};

fn sum(set: &Labelled) -> f64 {
    set.x().iter().map(f64::from).sum()
}

#[test]
fn shapes_classes_and_sums_are_those_of_the_sources() {
    type Known = (&'static Labelled, [usize; 2], &'static [usize], f64);
    let known: [Known; 6] = [
        (
            embedded::digits(),
            [1797, 64],
            &[178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
            561_718.0,
        ),
        (embedded::iris(), [150, 4], &[50, 50, 50], 2_078.7),
        (embedded::wine(), [178, 13], &[59, 71, 48], 159_975.296),
        (
            embedded::breast_cancer(),
            [569, 30],
            &[212, 357],
            1_056_474.459_636,
        ),
        (embedded::fashion(), [1000, 784], &[100; 10], 57_441_455.0),
        (
            embedded::fashion_test(),
            [200, 784],
            &[20; 10],
            11_507_138.0,
        ),
    ];
    for (set, shape, classes, total) in known {
        assert_eq!(set.x().dims(), shape, "{}", set.name());
        assert_eq!(set.y().dims(), [shape[0]], "{}", set.name());
        assert_eq!(set.class_counts(), classes, "{}", set.name());
        assert_eq!(set.feature_names().len(), shape[1], "{}", set.name());
        assert!(
            (sum(set) / total - 1.0).abs() < 1e-6,
            "{}: {}",
            set.name(),
            sum(set)
        );
    }
}

#[test]
fn columns_stand_under_their_names() {
    let mean = |set: &Labelled, name: &str| {
        let column = set
            .feature_names()
            .iter()
            .position(|known| known == name)
            .unwrap();
        let values = set.x().index_axis(1, column);
        values.iter().map(f64::from).sum::<f64>() / set.len() as f64
    };
    let close = |found: f64, known: f64| assert!((found / known - 1.0).abs() < 5e-3, "{found}");
    close(mean(embedded::iris(), "petal_length"), 3.758);
    close(mean(embedded::wine(), "proline"), 746.9);
    close(mean(embedded::wine(), "hue"), 0.957);
    close(mean(embedded::breast_cancer(), "mean_radius"), 14.127);
    close(mean(embedded::breast_cancer(), "worst_area"), 880.6);
    close(mean(embedded::breast_cancer(), "radius_error"), 0.405);
}

#[test]
fn digits_are_pictures() {
    let digits = embedded::digits();
    let images = digits.images().unwrap();
    assert_eq!(images.dims(), [1797, 8, 8, 1]);
    let start = |x: &fb_tensor::Tensor| x.as_slice().map(<[f32]>::as_ptr);
    assert_eq!(start(&images), start(digits.x()), "a view, not a copy");
    assert_eq!(images.at(&[0, 0, 2, 0]), 5.0);
    assert_eq!(images.at(&[0, 7, 3, 0]), 13.0);
    assert!(
        digits
            .x()
            .iter()
            .all(|pixel| (0.0..=16.0).contains(&pixel) && pixel.fract() == 0.0)
    );
    assert_eq!(digits.y().to_vec()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn every_set_names_its_source_and_licence() {
    let sets = [
        embedded::digits(),
        embedded::iris(),
        embedded::wine(),
        embedded::breast_cancer(),
    ];
    for set in sets {
        let text = set.to_string();
        assert!(
            text.contains("UCI Machine Learning Repository, dataset"),
            "{text}"
        );
        assert!(text.contains("Licence: data CC BY 4.0"), "{text}");
        assert!(text.contains("BSD 3-Clause"), "{text}");
        assert!(!text.contains("  "), "{text}");
    }
}

#[test]
fn a_set_prints_one_paragraph() {
    assert_eq!(
        embedded::iris().to_string(),
        "iris: 150 rows of 4 features in 3 classes (setosa: 50, versicolor: 50, virginica: 50). Lengths and widths of sepals and petals, in centimetres, of flowers of three species of iris. Source: R. A. Fisher, 1936; UCI Machine Learning Repository, dataset 53 (https://archive.ics.uci.edu/dataset/53/iris), as distributed with scikit-learn. Licence: data CC BY 4.0 (UCI Machine Learning Repository); this copy BSD 3-Clause, copyright (c) 2007-2026 the scikit-learn developers."
    );
}
