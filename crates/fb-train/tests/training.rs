//! Training as a user sees it: it learns, it can be interrupted, and what is wrong with its input is said.

use fb_data::embedded;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Dense, Dropout};
use fb_nn::loss::{BinaryCrossentropy, CrossEntropy, MeanSquaredError};
use fb_nn::optim::{Adam, Clip, Penalty, Sgd};
use fb_nn::{Network, Sequential};
use fb_tensor::Tensor;
use fb_train::checkpoint::Checkpoint;
use fb_train::metrics::Accuracy;
use fb_train::{Compile, EarlyStopping, Fit, Goal, History, LossOn, Model, NetworkFile};

/// 2 → 8 → 8 → 1 with output → hidden1.
fn xor_model(seed: u64) -> Model {
    let network = Sequential::input([2])
        .layer("hidden1", Dense::new(8).activation(Activation::Sigmoid))
        .layer("hidden2", Dense::new(8).activation(Activation::Sigmoid))
        .layer("output", Dense::new(1).activation(Activation::Sigmoid))
        .feedback("output", "hidden1")
        .schedule(Unroll::iterations(4))
        .seed(seed)
        .build()
        .unwrap();
    network
        .compile(Adam::new(0.1), BinaryCrossentropy, (Accuracy,))
        .unwrap()
}

/// 13 → 16 → 3 with feedback and dropout, for the wine data.
fn wine_model() -> Model {
    let network = Sequential::input([13])
        .layer("hidden", Dense::new(16).activation(Activation::Tanh))
        .layer("drop", Dropout::new(0.2))
        .layer("output", Dense::new(3))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(3))
        .seed(7)
        .build()
        .unwrap();
    let model = network
        .compile(Adam::new(0.01), CrossEntropy, (Accuracy,))
        .unwrap();
    model
        .loss_on(LossOn::Every)
        .clip(Clip::Norm(5.0))
        .penalty(Penalty::l2(1e-4))
}

fn wine() -> (Tensor, Tensor<i64>) {
    let set = embedded::wine();
    let x = set.x();
    let (mean, std) = (x.mean_axes(&[0], true), x.std_axes(&[0], 0, true));
    ((x - &mean) / &std, set.y().clone())
}

#[test]
fn a_loop_learns_xor() {
    let (x, y) = embedded::xor();
    let mut model = xor_model(1);
    let fit = Fit::until(Goal::at_most("loss", 0.05))
        .max_epochs(1000)
        .batch_size(1)
        .silent();
    let history = model.fit((&x, &y), fit).unwrap();
    assert!(history.len() < 1000, "the goal ends training");
    assert!(history.last("loss").unwrap() <= 0.05);
    let evaluation = model.evaluate((&x, &y)).unwrap();
    assert_eq!(evaluation.get("accuracy"), Some(1.0));
    assert_eq!(model.predict_classes(&x).unwrap().to_vec(), [0, 1, 1, 0]);
    let iterations = model.evaluate_iterations((&x, &y)).unwrap();
    assert_eq!(iterations.len(), 4);
    assert_eq!(iterations[3], evaluation);
    assert_eq!(
        model.predict_iterations(&x).unwrap()[3],
        model.predict(&x).unwrap()
    );
}

#[test]
fn a_resumed_training_equals_an_uninterrupted_one() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let options = |epochs| {
        let stop = EarlyStopping::monitor("val_loss")
            .patience(50)
            .restore_best();
        Fit::epochs(epochs)
            .batch_size(16)
            .validation_split(0.2)
            .callback(stop)
            .silent()
    };
    let mut whole = wine_model();
    let all = whole.fit((&x, &y), options(6)).unwrap();

    wine_model()
        .fit((&x, &y), options(2).checkpoint(&path))
        .unwrap();
    let mut resumed = wine_model();
    let rest = resumed
        .fit((&x, &y), options(6).checkpoint(&path).resume())
        .unwrap();

    assert_eq!(
        whole.params().state_dict(),
        resumed.params().state_dict(),
        "bit for bit"
    );
    assert_eq!(
        (whole.epochs_trained(), whole.steps_trained()),
        (resumed.epochs_trained(), resumed.steps_trained())
    );
    for name in ["loss", "accuracy", "val_loss", "val_accuracy"] {
        assert_eq!(all.series(name), rest.series(name), "{name}");
    }
    // The file now holds the end of training: going on from it does nothing more.
    let mut finished = wine_model();
    finished
        .fit((&x, &y), options(6).checkpoint(&path).resume())
        .unwrap();
    assert_eq!(
        finished.params().state_dict(),
        resumed.params().state_dict()
    );
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    wine_model()
        .fit((&x, &y), Fit::epochs(1).silent().checkpoint(&path))
        .unwrap();
    let (x, y) = embedded::xor();
    let mut other = xor_model(7);
    let before = other.params().state_dict();
    let refused = |model: &mut Model| {
        let fit = Fit::epochs(1).silent().checkpoint(&path).resume();
        let error = model.fit((&x, &y), fit).unwrap_err().to_string();
        error.replace(&path.display().to_string(), "run.checkpoint")
    };
    assert_eq!(
        refused(&mut other),
        "run.checkpoint is the checkpoint of another training\n  \
         feedback[0].to: expected \"hidden1\", found \"hidden\"\n  \
         help: build the network as it was, or remove the file to start anew"
    );
    assert_eq!(
        refused(&mut xor_model(1)),
        "run.checkpoint is the checkpoint of another training\n  \
         seed: expected 1, found 7\n  \
         help: use the same seed, or remove the file to start anew"
    );
    assert_eq!(other.params().state_dict(), before);
    let error = other
        .fit((&x, &y), Fit::epochs(1).resume())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("Fit::resume: bad setting")
            && error.contains(".checkpoint(\"run.ckpt\")"),
        "{error}"
    );
}

#[test]
fn a_fit_goes_on_with_the_callbacks_that_it_had() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let options = |epochs| Fit::epochs(epochs).silent().checkpoint(&path);
    let stop = || EarlyStopping::monitor("loss").patience(5);
    wine_model()
        .fit((&x, &y), options(1).callback(stop()))
        .unwrap();
    for (fit, count) in [
        (options(2).resume(), 0),
        (options(2).resume().callback(stop()).callback(stop()), 2),
    ] {
        let error = wine_model().fit((&x, &y), fit).unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                "callbacks: expected {count}, found 1\n  help: give the same"
            )),
            "{error}"
        );
    }
    let with = options(2).resume().callback(stop());
    assert_eq!(wine_model().fit((&x, &y), with).unwrap().len(), 2);
    // The model alone goes back without them, and trains on as it is told.
    wine_model()
        .fit((&x, &y), options(1).callback(stop()))
        .unwrap();
    let mut model = wine_model();
    assert_eq!(model.resume(&path).unwrap().len(), 1);
    model.fit((&x, &y), Fit::epochs(1).silent()).unwrap();
    assert_eq!(model.epochs_trained(), 2);
}

#[test]
fn a_fit_does_not_go_on_with_other_settings() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let fit = |epochs| {
        Fit::epochs(epochs)
            .batch_size(16)
            .silent()
            .checkpoint(&path)
            .resume()
    };
    let compiled = |optimizer, loss: CrossEntropy| {
        let network = wine_model().into_network();
        let model = network.compile(optimizer, loss, (Accuracy,)).unwrap();
        model
            .loss_on(LossOn::Every)
            .clip(Clip::Norm(5.0))
            .penalty(Penalty::l2(1e-4))
    };
    wine_model().fit((&x, &y), fit(1)).unwrap();
    let plain = || compiled(Adam::new(0.01), CrossEntropy::new());
    let smooth = CrossEntropy::new().label_smoothing(0.1);
    let fewer = (x.slice(0, 0..100), y.slice(0, 0..100));
    for (mut model, fit, (x, y), told) in [
        (
            plain(),
            fit(2).batch_size(8),
            (&x, &y),
            "fit.batch_size: expected 8, found 16",
        ),
        (
            plain(),
            fit(2).shuffle(false),
            (&x, &y),
            "fit.shuffle: expected false, found true",
        ),
        (
            plain(),
            fit(2),
            (&fewer.0, &fewer.1),
            "fit.rows: expected 100, found 178",
        ),
        (
            compiled(Adam::new(0.01), smooth),
            fit(2),
            (&x, &y),
            "loss.config.label_smoothing: expected 0.1, found 0.0",
        ),
        (
            compiled(Adam::new(0.02), CrossEntropy::new()),
            fit(2),
            (&x, &y),
            "optimizer.config.learning_rate: expected 0.02, found 0.01",
        ),
        (
            plain().loss_on(LossOn::Last),
            fit(2),
            (&x, &y),
            "loss_on: expected \"last\", found \"every\"",
        ),
        (
            plain().clip(Clip::Value(5.0)),
            fit(2),
            (&x, &y),
            "clip.Value: expected 5.0, found nothing",
        ),
        (
            plain().penalty(Penalty::l1(1.0)),
            fit(2),
            (&x, &y),
            "penalties: expected 2 entries, found 1",
        ),
    ] {
        let before = model.params().state_dict();
        let error = model.fit((x, y), fit).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert!(
            error.contains("help: train as it was; or, to go on differently, call Model::resume"),
            "{error}"
        );
        assert_eq!(model.params().state_dict(), before);
    }
    assert_eq!(plain().fit((&x, &y), fit(2)).unwrap().len(), 2);
    // The model alone takes up the thread under other settings.
    let mut slower = compiled(Adam::new(0.001), CrossEntropy::new());
    assert_eq!(slower.resume(&path).unwrap().len(), 2);
    slower
        .fit((&x, &y), Fit::epochs(1).batch_size(8).silent())
        .unwrap();
    assert_eq!(slower.epochs_trained(), 3);
}

#[test]
fn settings_come_back_from_files_to_the_last_bit() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (
        folder.path().join("run.checkpoint"),
        folder.path().join("m"),
    );
    // 1/11 is a number whose shortest decimal form a careless parser reads as its neighbour.
    let model = || {
        let network = Sequential::input([13])
            .layer("drop", Dropout::new(1.0 / 11.0))
            .layer("output", Dense::new(3))
            .build()
            .unwrap();
        let optimizer = Adam::new(1.0 / 11.0);
        network.compile(optimizer, CrossEntropy, ()).unwrap()
    };
    let fit = |epochs| Fit::epochs(epochs).silent().checkpoint(&path).resume();
    model().fit((&x, &y), fit(1)).unwrap();
    let mut resumed = model();
    assert_eq!(resumed.fit((&x, &y), fit(2)).unwrap().len(), 2);
    resumed.save(&file).unwrap();
    let loaded = Network::<f32>::load(&file).unwrap();
    assert_eq!(
        loaded.topology().to_json().unwrap(),
        resumed.network().topology().to_json().unwrap()
    );
}

#[test]
fn counters_that_nobody_counted_to_are_refused() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    wine_model()
        .fit((&x, &y), Fit::epochs(1).silent().checkpoint(&path))
        .unwrap();
    let changes: [fn(&mut Checkpoint); 3] = [
        |c| c.progress.epoch = u64::MAX,
        |c| c.progress.step = u64::MAX,
        |c| {
            c.optimizer
                .steps
                .values_mut()
                .for_each(|steps| *steps = u64::MAX)
        },
    ];
    for change in changes {
        let mut checkpoint = Checkpoint::load(&path).unwrap();
        change(&mut checkpoint);
        let hostile = folder.path().join("hostile.checkpoint");
        checkpoint.save(&hostile).unwrap();
        let mut model = wine_model();
        let by_model = model.resume(&hostile).unwrap_err();
        let fit = Fit::epochs(2).silent().checkpoint(&hostile).resume();
        let by_fit = model.fit((&x, &y), fit).unwrap_err();
        for error in [by_model.to_string(), by_fit.to_string()] {
            assert!(
                error.contains("hostile.checkpoint is damaged in its state section")
                    && error.contains("found 18446744073709551615"),
                "{error}"
            );
        }
        assert_eq!(model.epochs_trained(), 0);
    }
}

#[test]
fn threads_do_not_change_training() {
    let (x, y) = wine();
    let train = || {
        let mut model = wine_model();
        let history = model
            .fit((&x, &y), Fit::epochs(3).batch_size(64).silent())
            .unwrap();
        (model.params().state_dict(), history.series("loss"))
    };
    let results: Vec<_> = [1, 2, 4]
        .map(|n| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(n)
                .build()
                .unwrap()
                .install(train)
        })
        .into_iter()
        .collect();
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn parametrised_weights_are_trained_saved_and_resumed() {
    use fb_nn::parametrization::{SpectralNorm, WeightNorm};
    const LOOP: &str = "feedback/output->hidden/weight";
    let (x, y) = wine();
    let model = |bound| {
        let mut network = Sequential::input([13])
            .layer("hidden", Dense::new(16).activation(Activation::Tanh))
            .layer("output", Dense::new(3))
            .feedback("output", "hidden")
            .schedule(Unroll::iterations(3))
            .seed(7)
            .build()
            .unwrap();
        let params = network.params_mut();
        params
            .parametrize(LOOP, SpectralNorm::exactly(bound))
            .unwrap();
        params.parametrize("hidden/weight", WeightNorm).unwrap();
        network
            .compile(Adam::new(0.01), CrossEntropy, (Accuracy,))
            .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let (file, path) = (
        folder.path().join("wine.safetensors"),
        folder.path().join("run"),
    );
    let options = |epochs| Fit::epochs(epochs).silent().checkpoint(&path);
    let mut whole = model(0.5);
    let start = whole.params().state_dict();
    whole.fit((&x, &y), Fit::epochs(4).silent()).unwrap();
    for (name, before) in &start {
        assert_ne!(
            *before,
            whole.params().by_name(name).unwrap().value,
            "{name}"
        );
    }
    model(0.5).fit((&x, &y), options(2)).unwrap();
    let mut resumed = model(0.5);
    resumed.fit((&x, &y), options(4).resume()).unwrap();
    assert_eq!(whole.params().state_dict(), resumed.params().state_dict());
    let error = model(0.4).fit((&x, &y), options(6).resume()).unwrap_err();
    let error = error
        .to_string()
        .replace(&path.display().to_string(), "run");
    assert_eq!(
        error,
        "run is the checkpoint of another training\n  \
         parametrizations[0].config.bound: expected 0.4, found 0.5\n  \
         help: parametrize the weights as they were, in the same order, or remove the file to start anew"
    );

    whole.freeze("hidden/weight.magnitude").unwrap();
    whole.save(&file).unwrap();
    let loaded = Network::<f32>::load(&file).unwrap();
    let listed: Vec<_> = loaded
        .params()
        .parametrizations()
        .map(|(name, kind)| (name.to_owned(), kind.kind()))
        .collect();
    assert_eq!(
        listed,
        [
            (LOOP.to_owned(), "SpectralNorm"),
            ("hidden/weight".to_owned(), "WeightNorm")
        ]
    );
    let frozen = |name| loaded.params().by_name(name).unwrap().is_frozen();
    assert!(frozen("hidden/weight.magnitude") && !frozen("hidden/weight"));
    let loaded = loaded.compile(Sgd::new(0.1), CrossEntropy, ()).unwrap();
    assert_eq!(
        loaded.predict(&x).unwrap(),
        whole.predict(&x).unwrap(),
        "bit for bit"
    );
}

#[test]
fn a_saved_model_predicts_the_same() {
    let (x, y) = wine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wine.safetensors");
    let mut model = wine_model();
    model.fit((&x, &y), Fit::epochs(2).silent()).unwrap();
    model.freeze("hidden").unwrap();
    model.save(&path).unwrap();
    let loaded = Network::<f32>::load(&path).unwrap();
    assert!(
        !loaded
            .params()
            .by_name("hidden/weight")
            .unwrap()
            .trainable(),
        "frozen stays frozen"
    );
    let mut loaded = loaded.compile(Sgd::new(0.1), CrossEntropy, ()).unwrap();
    assert_eq!(
        loaded.predict(&x).unwrap(),
        model.predict(&x).unwrap(),
        "bit for bit"
    );
    let frozen = loaded
        .params()
        .by_name("hidden/weight")
        .unwrap()
        .value
        .clone();
    loaded.fit((&x, &y), Fit::epochs(1).silent()).unwrap();
    assert_eq!(
        loaded.params().by_name("hidden/weight").unwrap().value,
        frozen,
        "and is not trained"
    );

    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let error = Network::<f32>::load(&path).unwrap_err().to_string();
        assert!(
            error.contains("wine.safetensors") && error.contains("\n  help: "),
            "{cut}: {error}"
        );
    }
    std::fs::write(&path, "not a model").unwrap();
    assert!(Network::<f32>::load(&path).is_err());
    let error = Network::<f32>::load(folder.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("cannot read "), "{error}");
}

#[test]
fn a_nan_stops_training_and_leaves_the_last_good_weights() {
    let network = Sequential::input([1])
        .layer("hidden", Dense::new(4))
        .layer("output", Dense::new(1))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(8))
        .build()
        .unwrap();
    let mut model = network
        .compile(Sgd::new(1e4), MeanSquaredError, ())
        .unwrap();
    let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
    let error = model
        .fit((&x, &(&x * 3.0)), Fit::epochs(10).batch_size(4).silent())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("layer \"") || error.contains("feedback \"output\" -> \"hidden\""),
        "{error}"
    );
    assert!(
        error.contains(" at iteration ") && error.contains("\n  help: "),
        "{error}"
    );
    assert!(
        model.params().iter().all(|(_, p)| p.value.is_all_finite()),
        "weights are usable"
    );
    assert!(model.predict(&x).unwrap().is_all_finite());
}

#[test]
fn early_stopping_goes_back_to_the_best_epoch() {
    let (x, y) = wine();
    let mut model = wine_model();
    let stop = EarlyStopping::monitor("val_loss")
        .patience(3)
        .restore_best();
    let fit = Fit::epochs(200)
        .batch_size(16)
        .validation_split(0.2)
        .callback(stop)
        .silent();
    let history: History = model.fit((&x, &y), fit).unwrap();
    assert!(history.len() < 200);
    let best = history.best("val_loss").unwrap();
    let (kept, held) = (142, 178);
    let validation = model
        .evaluate((&x.slice(0, kept..held), &y.slice(0, kept..held)))
        .unwrap();
    assert!(
        (validation.loss() - best.value).abs() < 1e-6,
        "{} is not {}",
        validation.loss(),
        best.value
    );
}

#[test]
fn class_weights_move_the_decision() {
    let (x, y) = wine();
    let recall_of_first = |weights: Vec<f64>| {
        let mut model = wine_model();
        model
            .fit(
                (&x, &y),
                Fit::epochs(1)
                    .batch_size(16)
                    .class_weights(weights)
                    .silent(),
            )
            .unwrap();
        let predicted = model.predict_classes(&x).unwrap();
        predicted.iter().filter(|&class| class == 0).count()
    };
    assert!(recall_of_first(vec![20.0, 1.0, 1.0]) > recall_of_first(vec![0.0, 1.0, 1.0]) + 20);
    let error = wine_model()
        .fit((&x, &y), Fit::epochs(1).class_weights(vec![1.0]).silent())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected one weight for each class, found 1 in all, and class 1 in row "),
        "{error}"
    );
}

/// The text of the error of fitting the XOR model to these.
fn refused(x: &Tensor, y: &Tensor, fit: Fit) -> String {
    xor_model(1)
        .fit((x, y), fit.silent())
        .unwrap_err()
        .to_string()
}

#[test]
fn unusable_data_and_options_are_refused_with_a_way_out() {
    let (x, y) = embedded::xor();
    assert_eq!(
        refused(&Tensor::zeros([4, 3]), &y, Fit::epochs(1)),
        "the training data: wrong input\n  expected numbers [batch, 2], found numbers [4, 3]\n  \
         help: reshape the data, or give Sequential::input the shape of one sample"
    );
    assert_eq!(
        refused(
            &Tensor::zeros([0, 2]),
            &Tensor::zeros([0, 1]),
            Fit::epochs(1)
        ),
        "the training data: no rows\n  expected at least one row, found none\n  \
         help: check the filters and splits that made it"
    );
    let mut broken = x.clone();
    broken.make_mut()[5] = f32::NAN;
    assert_eq!(
        refused(&broken, &y, Fit::epochs(1)),
        "the training data: NaN in the data\n  row 2, feature 1 (both from 0): expected a finite number, found NaN\n  \
         help: fill or drop missing values before training"
    );
    assert!(
        refused(&x, &Tensor::zeros([3, 1]), Fit::epochs(1))
            .contains("found 4 inputs and 3 targets")
    );
    let text = refused(&x, &y, Fit::epochs(1).batch_size(0));
    assert!(
        text.contains("batch size") && text.contains("help: "),
        "{text}"
    );
    assert!(refused(&x, &y, Fit::epochs(1).validation_split(1.5)).contains("found 1.5 of 4 rows"));
    assert!(refused(&x, &y, Fit::until(Goal::at_least("acuracy", 1.0))).contains("\"acuracy\""));
    let mut model = xor_model(1);
    let stop = EarlyStopping::monitor("val_loss");
    let fit = Fit::epochs(1).silent().callback(stop);
    assert_eq!(
        model.fit((&x, &y), fit).unwrap_err().to_string(),
        "EarlyStopping: no value \"val_loss\"\n  \
         expected one of loss, accuracy, iterations, residual, seconds, rows_per_second, found \"val_loss\"\n  \
         help: add the metric to compile, or validation data for names that start with val_"
    );
    assert_eq!(model.steps_trained(), 0, "it is found before training");
    let scalar = refused(&Tensor::from_scalar(1.0), &y, Fit::epochs(1));
    assert!(
        scalar.contains("expected numbers [batch, 2], found numbers []"),
        "{scalar}"
    );
    let mut broken = y.clone();
    broken.make_mut()[3] = f32::INFINITY;
    let text = refused(&x, &broken, Fit::epochs(1));
    assert!(
        text.starts_with("the training data: inf in the targets\n  row 3, feature 0"),
        "{text}"
    );

    let (x, y) = wine();
    let mut wrong = y.clone();
    wrong.make_mut()[4] = 3;
    let error = wine_model()
        .fit((&x, &wrong), Fit::epochs(1).silent())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the training data: label out of range\n  row 4 (from 0): expected 0 to 2, found 3\n  \
         help: labels count from 0; the last layer needs one unit a class"
    );
    let error = wine_model()
        .predict(&x.slice(0, 0..1).reshape([13]))
        .unwrap_err()
        .to_string();
    assert!(error.contains(".unsqueeze(0)"), "{error}");
    let twice = Sequential::input([2])
        .layer("output", Dense::new(1))
        .build()
        .unwrap();
    let error = twice.compile(Adam::new(0.1), BinaryCrossentropy, (Accuracy, Accuracy));
    assert!(error.unwrap_err().to_string().contains("accuracy"));
    let network = Sequential::input([2])
        .layer("output", Dense::new(1))
        .build()
        .unwrap();
    let error = network
        .compile(Adam::new(-1.0), BinaryCrossentropy, ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("Adam") && error.contains("-1"), "{error}");
    let (x, y) = (Tensor::zeros([4, 2]), Tensor::zeros([4, 1]));
    let with = |change: fn(Model) -> Model| change(xor_model(1));
    for (mut model, setting) in [
        (with(|m| m.clip(Clip::Norm(-1.0))), "Clip::Norm"),
        (with(|m| m.clip(Clip::Value(f64::NAN))), "Clip::Value"),
        (with(|m| m.penalty(Penalty::l1(-0.5))), "Penalty::l1"),
        (
            with(|m| m.penalty(Penalty::l2(f64::INFINITY))),
            "Penalty::l2",
        ),
    ] {
        let by_fit = model.fit((&x, &y), Fit::epochs(1).silent()).unwrap_err();
        let by_step = model.train_batch((&x, &y)).unwrap_err();
        for error in [by_fit.to_string(), by_step.to_string()] {
            assert!(error.contains(setting), "{error}");
        }
        assert_eq!(model.steps_trained(), 0);
    }
}

#[test]
fn short_epochs_go_back_to_a_recent_step() {
    // Grows by steps until it overflows: many epochs of one step each.
    let network = Sequential::input([1])
        .layer("output", Dense::new(1))
        .build()
        .unwrap();
    let mut model = network
        .compile(Sgd::new(0.7), MeanSquaredError, ())
        .unwrap();
    let x = Tensor::linspace(-2.0, 2.0, 8).reshape([8, 1]);
    let fit = Fit::epochs(5000).batch_size(8).silent();
    let error = model.fit((&x, &(&x * 3.0)), fit).unwrap_err().to_string();
    assert!(error.contains("diverged"), "{error}");
    assert!(model.params().iter().all(|(_, p)| p.value.is_all_finite()));
    let steps = model.steps_trained();
    assert!(
        steps > 0 && steps == model.epochs_trained(),
        "{steps} steps"
    );
}

#[test]
fn parameters_that_a_step_ruined_are_not_the_last_good_ones() {
    // The last row of the first epoch makes a step that leaves finite but useless weights; the next step finds out.
    let n = 100;
    let mut values = vec![0.5_f32; n];
    values[n - 1] = 1e18;
    let (x, y) = (Tensor::from_vec(values, [n, 1]), Tensor::full([n, 1], 1.0));
    let network = Sequential::input([1])
        .layer("output", Dense::new(1))
        .build()
        .unwrap();
    let start = network.params().state_dict();
    let mut model = network
        .compile(Sgd::new(1e-3), MeanSquaredError, ())
        .unwrap();
    let fit = Fit::epochs(100).batch_size(1).shuffle(false).silent();
    let error = model.fit((&x, &y), fit).unwrap_err().to_string();
    assert!(error.contains("diverged at step 101"), "{error}");
    assert_eq!(model.params().state_dict(), start);
}

#[test]
fn a_finished_run_that_is_resumed_does_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = embedded::xor();
    let fit_of = |name: &str| -> Fit {
        if name == "goal" {
            return Fit::until(Goal::at_most("loss", 10.0)).max_epochs(9);
        }
        let stop = EarlyStopping::monitor("loss").min_delta(100.0).patience(2);
        Fit::epochs(9).callback(stop)
    };
    for name in ["goal", "patience"] {
        let path = folder.path().join(name);
        let fit = |fit: Fit| fit.checkpoint(&path).resume().silent();
        let mut first = xor_model(1);
        let history = first.fit((&x, &y), fit(fit_of(name))).unwrap();
        let mut again = xor_model(1);
        let resumed = again.fit((&x, &y), fit(fit_of(name))).unwrap();
        assert_eq!(first.epochs_trained(), again.epochs_trained(), "{name}");
        assert_eq!(history.len(), resumed.len(), "{name}");
    }
}

#[test]
fn goals_are_checked_before_training() {
    let (x, y) = embedded::xor();
    let mut model = xor_model(1);
    for goal in [
        Goal::at_least("acuracy", 1.0),
        Goal::at_least("val_accuracy", 1.0),
        Goal::at_most("loss", f64::NAN),
    ] {
        let error = model.fit((&x, &y), Fit::until(goal).silent()).unwrap_err();
        assert!(error.to_string().contains("goal"), "{error}");
        assert_eq!(model.epochs_trained(), 0);
    }
    let endless = Fit::until(Goal::at_most("loss", 10.0))
        .max_epochs(u64::MAX)
        .silent();
    model.fit((&x, &y), Fit::epochs(1).silent()).unwrap();
    assert_eq!(model.fit((&x, &y), endless).unwrap().len(), 1);
}

#[test]
fn a_file_that_promises_more_than_it_has_is_refused_before_memory_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wine.safetensors");
    wine_model().save(&path).unwrap();
    // The architecture stands in the header as text within text: 16 units become 99.
    let mut bytes = std::fs::read(&path).unwrap();
    let (found, edited) = (br#"\"units\":16"#, br#"\"units\":99"#);
    let at = bytes
        .windows(found.len())
        .position(|window| window == found)
        .expect("the units of the hidden layer");
    bytes[at..at + found.len()].copy_from_slice(edited);
    std::fs::write(&path, bytes).unwrap();
    let error = Network::<f32>::load(&path).unwrap_err().to_string();
    assert!(
        error
            .contains("wine.safetensors cannot be used\n  the size of parameter \"hidden/weight\""),
        "{error}"
    );
}
