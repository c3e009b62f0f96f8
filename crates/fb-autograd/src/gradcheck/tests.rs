//! The check must pass what is right and say what is wrong with what is not.

use super::*;
use crate::tape::{Backward, Sweep};

/// `x²` with a gradient function that is off by `factor` at one element.
fn square_with_a_slip(x: &Var<f64>, element: usize, factor: f64) -> Var<f64> {
    let value = x.tensor().clone();
    let output = value.square();
    Var::custom("square", &[x], output, move |g| {
        let mut share = g * &value * 2.0;
        share.make_mut()[element] *= factor;
        vec![Some(share)]
    })
}

#[test]
fn a_correct_gradient_passes_and_is_reported() {
    let inputs = [
        Tensor::from([[0.5, -1.0], [2.0, 0.1]]),
        Tensor::from([3.0, -0.7]),
    ];
    let report = GradCheck::new()
        .directions(4)
        .check(|v| (&v[0] * &v[1]).sigmoid(), &inputs)
        .unwrap();
    assert_eq!(report.comparisons().len(), 8);
    let worst = report.worst();
    assert!(worst.error < 1e-9 && !worst.kink && !report.has_kink());
    for c in report.comparisons() {
        assert!((c.forward - c.tape).abs() < 1e-3 && (c.backward - c.tape).abs() < 1e-3);
        assert!((c.central - 0.5 * (c.forward + c.backward)).abs() < 1e-12);
    }
    assert!(
        report
            .to_string()
            .ends_with("8 comparisons, tolerance 1.0e-6")
    );
}

#[test]
fn a_wrong_gradient_is_found_in_its_input_and_element() {
    let inputs = [
        Tensor::from([1.0, 2.0]),
        Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    ];
    let f = |v: &[Var<f64>]| v[0].sum() + square_with_a_slip(&v[1], 5, 1.01).sum();
    let error = gradcheck(f, &inputs).unwrap_err();
    let text = error.to_string();
    let GradcheckError::Wrong {
        input: 1,
        place,
        expected,
        found,
        ..
    } = error
    else {
        panic!("{text}");
    };
    assert_eq!(place, "at element [1, 2] of shape [2, 3]");
    assert!((found / expected - 1.01).abs() < 1e-6);
    assert!(
        text.starts_with(
            "gradient by input 1 is wrong\n  at element [1, 2] of shape [2, 3]: expected "
        ),
        "{text}"
    );
    assert!(
        text.contains("(central difference), found ") && text.contains("\n  help: "),
        "{text}"
    );
}

#[test]
fn the_whole_text_of_an_error() {
    let error = GradcheckError::Wrong {
        input: 2,
        place: "at element [0] of shape [3]".into(),
        expected: 1.000_000_000_04,
        found: -0.333_333_333_333,
        help: "look there",
    };
    let want = "gradient by input 2 is wrong\n  at element [0] of shape [3]: expected 1 (central difference), \
                found -0.333333333 (tape)\n  help: look there";
    assert_eq!(error.to_string(), want);
}

#[test]
fn a_forgotten_input_is_found() {
    let f = |v: &[Var<f64>]| (&v[0] * &v[1].detach()).sum();
    let error = gradcheck(f, &[Tensor::from([1.0]), Tensor::from([2.0])]).unwrap_err();
    assert!(
        matches!(
            error,
            GradcheckError::Wrong {
                input: 1,
                found: 0.0,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_kink_is_called_a_kink() {
    let error = gradcheck(|v| v[0].relu(), &[Tensor::from([1.0, 0.0])]).unwrap_err();
    let text = error.to_string();
    let GradcheckError::Kink {
        input: 0,
        place,
        tape,
        ..
    } = error
    else {
        panic!("{text}");
    };
    assert_eq!((place.as_str(), tape), ("at element [1] of shape [2]", 0.0));
    assert!(
        text.contains("kink") && text.contains("help: check at inputs away from kinks"),
        "{text}"
    );
}

#[test]
fn a_kink_that_the_tape_agrees_about_is_only_reported() {
    let x = Tensor::from([1.0, 2.0]);
    let report = gradcheck(|v| v[0].maximum(&v[1]), &[x.clone(), x]).unwrap();
    assert!(report.has_kink());
}

#[test]
fn what_is_not_finite_is_named() {
    let error = gradcheck(|v| v[0].ln(), &[Tensor::from([-1.0])]).unwrap_err();
    assert_eq!(
        error,
        GradcheckError::NotFinite {
            what: "the value of the function".into()
        }
    );
    let error = gradcheck(|v| v[0].sqrt(), &[Tensor::from([0.0])]).unwrap_err();
    assert_eq!(
        error,
        GradcheckError::NotFinite {
            what: "the gradient by input 0".into()
        }
    );
    let error = gradcheck(|v| v[0].ln(), &[Tensor::from([1e-9])]).unwrap_err();
    assert_eq!(
        error,
        GradcheckError::NotFinite {
            what: "the value of the function near input 0".into()
        }
    );
}

#[test]
fn a_random_function_is_refused() {
    let calls = std::cell::Cell::new(0.0);
    let f = |v: &[Var<f64>]| {
        calls.set(calls.get() + 1.0);
        &v[0] * calls.get()
    };
    let error = gradcheck(f, &[Tensor::from([1.0])]).unwrap_err();
    assert!(
        matches!(error, GradcheckError::NotDeterministic { .. }),
        "{error}"
    );
}

#[test]
fn the_same_seed_takes_the_same_directions() {
    let run = |seed| {
        GradCheck::new()
            .seed(seed)
            .check(|v| v[0].exp(), &[Tensor::from([0.1, 0.2])])
            .unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// A transpose that forgot to go back.
struct Untransposed {
    parent: u32,
}

impl Backward<f64> for Untransposed {
    fn backward(&self, gradient: Tensor<f64>, sweep: &mut Sweep<f64>) {
        sweep.add(self.parent, gradient);
    }
}

#[test]
fn a_gradient_of_another_shape_is_named() {
    let f = |v: &[Var<f64>]| {
        let output = v[0].tensor().transpose();
        match v[0].node() {
            Some(node) => node.record(output, Untransposed { parent: node.index }),
            None => Var::constant(output),
        }
    };
    let error = gradcheck(f, &[Tensor::zeros_of([2, 3])]).unwrap_err();
    let (expected, found) = ([2, 3].into(), [3, 2].into());
    assert_eq!(
        error,
        GradcheckError::Shape {
            input: 0,
            expected,
            found
        }
    );
}
