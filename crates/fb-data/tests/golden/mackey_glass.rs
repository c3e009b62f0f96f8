use fb_data::generated::MackeyGlass;

/// Another method with steps four hundred times as small finds the same series.
#[test]
fn the_series_is_that_of_an_independent_integration() {
    for line in include_str!("mackey_glass.csv").lines() {
        let numbers: Vec<f64> = line.split(',').map(|word| word.parse().unwrap()).collect();
        let [delay, start, values @ ..] = &numbers[..] else {
            panic!("delay, start, values");
        };
        let series = MackeyGlass::new().delay(*delay).start(*start).washout(0);
        let series = series.series(values.len()).unwrap();
        for (at, (ours, theirs)) in series.iter().zip(values).enumerate() {
            assert!((ours - theirs).abs() < 2e-7, "{at}: {ours} {theirs}");
        }
    }
}
