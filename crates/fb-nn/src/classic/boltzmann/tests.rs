use super::*;

/// A machine of 5 and 3 units with weights that matter.
fn small() -> Boltzmann<f64> {
    let mut rng = Key::new(5).rng();
    let mut normal = |shape: &[usize]| Tensor::normal(shape, 0.0, 0.8, &mut rng);
    let (w, b, c) = (normal(&[5, 3]), normal(&[5]), normal(&[3]));
    Boltzmann::with_parameters(&w, &b, &c).unwrap()
}

fn states(units: usize) -> Tensor<f64> {
    Tensor::from_fn([1 << units, units], |at| ((at[0] >> at[1]) & 1) as f64)
}

fn joint(machine: &Boltzmann<f64>, v: &Tensor<f64>, h: &Tensor<f64>) -> f64 {
    let across = v.unsqueeze(0).matmul(machine.weights());
    (across.squeeze(0).dot(h) + machine.visible_bias().dot(v) + machine.hidden_bias().dot(h)).exp()
}

/// `p(v)` of all states by the definition.
fn probabilities(machine: &Boltzmann<f64>) -> Vec<f64> {
    let (v, h) = (states(5), states(3));
    let sums: Vec<f64> = (0..32)
        .map(|i| {
            (0..8)
                .map(|j| joint(machine, &v.index_axis(0, i), &h.index_axis(0, j)))
                .sum()
        })
        .collect();
    let all: f64 = sums.iter().sum();
    sums.iter().map(|sum| sum / all).collect()
}

#[test]
fn likelihoods_are_those_of_the_definition() {
    let machine = small();
    let found = machine.log_likelihood(&states(5)).unwrap();
    for (found, p) in found.iter().zip(probabilities(&machine)) {
        assert!((found - p.ln()).abs() < 1e-12);
    }
    // The same machine seen from the other side counts the other units.
    let turned = Boltzmann::with_parameters(
        &machine.weights().transpose().contiguous(),
        machine.hidden_bias(),
        machine.visible_bias(),
    );
    let difference = turned.unwrap().log_partition().unwrap() - machine.log_partition().unwrap();
    assert!(difference.abs() < 1e-12);
}

/// Long chains forget where they started and visit states as often as they are likely.
#[test]
fn the_chain_samples_the_distribution() {
    let machine = small();
    let start = Tensor::zeros_of([40_000, 5]);
    let samples = machine.sample(&start, 40, Key::new(1)).unwrap();
    let mut counts = [0.0; 32];
    for row in samples.to_vec().chunks(5) {
        let state = row.iter().enumerate().map(|(at, &on)| (on as usize) << at);
        counts[state.sum::<usize>()] += 1.0 / 40_000.0;
    }
    for (count, p) in counts.iter().zip(probabilities(&machine)) {
        let deviation = (p * (1.0 - p) / 40_000.0).sqrt();
        assert!((count - p).abs() < 4.5 * deviation, "{count} {p}");
    }
}

#[test]
fn chains_depend_on_key_and_row_alone() {
    let machine = small();
    let start = Tensor::bernoulli([6, 5], 0.5, &mut Key::new(2).rng());
    let all = machine.sample(&start, 7, Key::new(3)).unwrap();
    let some = machine
        .sample(&start.slice(0, 0..2), 7, Key::new(3))
        .unwrap();
    assert_eq!(some, all.slice(0, 0..2));
    assert_ne!(machine.sample(&start, 7, Key::new(4)).unwrap(), all);
    // Iterations do not repeat what they draw: from one state, chains of different length differ.
    let ends: Vec<_> = (1..20)
        .map(|steps| machine.sample(&start, steps, Key::new(3)).unwrap())
        .collect();
    assert!(ends.windows(2).filter(|pair| pair[0] != pair[1]).count() > 10);
}

fn flat(gradient: &BoltzmannGradient<f64>) -> Tensor<f64> {
    let parts = [
        &gradient.weights,
        &gradient.visible_bias,
        &gradient.hidden_bias,
    ];
    let flat = parts.map(Tensor::flatten);
    Tensor::concat(&flat.iter().collect::<Vec<_>>(), 0)
}

/// The gradient of the exact mean log-likelihood by central differences.
fn exact(machine: &Boltzmann<f64>, data: &Tensor<f64>) -> Tensor<f64> {
    let mut values = [
        machine.weights(),
        machine.visible_bias(),
        machine.hidden_bias(),
    ]
    .map(Tensor::clone);
    let mut gradient = Vec::new();
    for part in 0..3 {
        for at in 0..values[part].len() {
            let mut shifted = |by: f64| {
                values[part].make_mut()[at] += by;
                let [w, b, c] = &values;
                let machine = Boltzmann::with_parameters(w, b, c).unwrap();
                machine.log_likelihood(data).unwrap().mean()
            };
            let (above, below) = (shifted(1e-5), shifted(-2e-5));
            shifted(1e-5);
            gradient.push((above - below) / 2e-5);
        }
    }
    let length = gradient.len();
    Tensor::from_vec(gradient, [length])
}

fn cosine(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.dot(b) / (a.norm() * b.norm())
}

#[test]
fn long_chains_point_where_the_likelihood_grows() {
    let machine = small();
    let data = Tensor::from([[1.0, 1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0, 0.0]]).to_f64();
    let exact = exact(&machine, &data);
    let many = data.repeat(0, 5000);
    let along = |steps| {
        let gradient = machine
            .contrastive_divergence(&many, steps, Key::new(8))
            .unwrap();
        flat(&gradient)
    };
    let long = along(50);
    assert!(cosine(&long, &exact) > 0.999, "{}", cosine(&long, &exact));
    let error = (&long - &exact).abs().max();
    assert!(error < 0.02);
    // One step has a bias that more data do not take away.
    assert!((along(1) - &exact).abs().max() > 2.0 * error);
}

/// All pictures of 3×3 pixels in which each row is of one colour, or each column.
fn bars_and_stripes() -> Tensor<f64> {
    let mut pictures = Vec::new();
    for bits in 0..8 {
        let on = |line: usize| f64::from((bits >> line) & 1);
        pictures.extend((0..9).map(|pixel| on(pixel / 3)));
        // All on and all off are rows already.
        if bits != 0 && bits != 7 {
            pictures.extend((0..9).map(|pixel| on(pixel % 3)));
        }
    }
    Tensor::from_vec(pictures, [14, 9])
}

#[test]
fn bars_and_stripes_are_learned() {
    let data = bars_and_stripes();
    let settings = ContrastiveDivergence::new(5)
        .persistent(100)
        .rate(0.2)
        .epochs(3000)
        .batch_size(14);
    let mut machine = Boltzmann::new(9, 12, Key::new(1)).unwrap();
    let likelihood = |machine: &Boltzmann<f64>| machine.log_likelihood(&data).unwrap().mean();
    assert!((likelihood(&machine) + 9.0 * 2.0_f64.ln()).abs() < 0.1);
    let errors = machine.fit(&data, &settings).unwrap();
    // The best is ln 1/14 = −2.64.
    assert!(likelihood(&machine) > -3.0, "{}", likelihood(&machine));
    assert!(errors[2999] < 0.3 * errors[0]);
    let mut again = Boltzmann::new(9, 12, Key::new(1)).unwrap();
    let few = settings.epochs(3).momentum(0.5).weight_decay(1e-3);
    let first = again.fit(&data, &few).unwrap();
    let mut again = Boltzmann::new(9, 12, Key::new(1)).unwrap();
    assert_eq!(again.fit(&data, &few).unwrap(), first);
}

#[test]
fn bad_data_and_settings_say_why() {
    let mut machine = small();
    let data = Tensor::zeros_of([2, 5]);
    let error = |machine: &mut Boltzmann<f64>, data: &Tensor<f64>, settings| {
        machine.fit(data, &settings).unwrap_err().to_string()
    };
    assert_eq!(
        error(&mut machine, &data, ContrastiveDivergence::new(0)),
        "the steps of ContrastiveDivergence: expected at least 1, found 0"
    );
    let one = ContrastiveDivergence::new(1);
    assert_eq!(
        error(&mut machine, &(&data + 2.0), one.clone()),
        "the data of Boltzmann::fit: expected numbers from 0 to 1, found 2\n  \
         help: scale them, or cut them at a threshold"
    );
    assert!(error(&mut machine, &Tensor::zeros_of([2, 4]), one).contains("[batch, 5]"));
    assert!(Boltzmann::<f32>::new(0, 3, Key::new(0)).is_err());
    assert!(Boltzmann::<f32>::new(3, 0, Key::new(0)).is_err());
    let large = Boltzmann::<f32>::new(21, 22, Key::new(0)).unwrap();
    let error = large.log_likelihood(&Tensor::zeros([21])).unwrap_err();
    assert!(error.to_string().contains("at most 20 units on one side"));
    let wrong = Boltzmann::with_parameters(
        &Tensor::zeros([2, 3]),
        &Tensor::zeros([3]),
        &Tensor::zeros([3]),
    );
    assert!(wrong.is_err());
}
