//! What convolutions, pooling and resizing refuse, and the texts that people meet.

use fb_tensor::{ConvOptions, ConvTransposeOptions, Padding, PoolOptions, Result, Tensor};

fn text(result: Result<Tensor>) -> String {
    result.expect_err("it should be refused").to_string()
}

fn conv(x: &[usize], w: &[usize], options: ConvOptions<2>) -> String {
    text(Tensor::zeros(x.to_vec()).try_conv2d(&Tensor::zeros(w.to_vec()), None, &options))
}

fn transpose(x: &[usize], w: &[usize], options: ConvTransposeOptions<2>) -> String {
    text(Tensor::zeros(x.to_vec()).try_conv_transpose2d(&Tensor::zeros(w.to_vec()), None, &options))
}

const HUGE: usize = usize::MAX;

#[test]
fn convolutions() {
    let options = ConvOptions::new();
    assert_eq!(
        conv(&[5, 5, 3], &[3, 3, 3, 8], options),
        "conv2d: [5, 5, 3] and [3, 3, 3, 8] do not fit\n  help: the input is [batch, height, width, channel], the weight has two axes for the kernel and two for channels"
    );
    assert_eq!(
        conv(&[1, 5, 5, 3], &[3, 3, 4, 8], options),
        "conv2d: 1 groups of 4 channels do not make the 3 channels of the input; the input is [1, 5, 5, 3], the weight [3, 3, 4, 8]"
    );
    assert_eq!(
        conv(&[1, 5, 5, 4], &[3, 3, 2, 9], options.groups(2)),
        "conv2d: 2 groups do not divide 4 input and 9 output channels; the input is [1, 5, 5, 4], the weight [3, 3, 2, 9]"
    );
    assert_eq!(
        conv(
            &[1, 5, 4, 1],
            &[7, 3, 1, 1],
            options.padding(Padding::Explicit([(1, 0), (0, 0)]))
        ),
        "conv2d: a kernel that spans 7 positions does not fit into 6, padding included; the input is [1, 5, 4, 1], the weight [7, 3, 1, 1]"
    );
    let small = |options| conv(&[1, 5, 5, 1], &[3, 3, 1, 1], options);
    assert!(small(options.stride([1, 0])).starts_with("conv2d: a stride of 0; "));
    assert!(small(options.dilation([0, 1])).starts_with("conv2d: a dilation of 0; "));
    assert!(
        small(options.groups(0))
            .starts_with("conv2d: 0 groups do not divide 1 input and 1 output channels; ")
    );
    assert!(small(options.dilation([HUGE, 1])).contains("is too large; the input is [1, 5, 5, 1]"));
    assert!(small(options.stride([HUGE, 1])).contains("is too large"));
    assert!(small(options.padding(Padding::both([HUGE, HUGE]))).contains("is too large"));
    assert!(
        small(options.padding(Padding::both([1 << 31, 1 << 31])))
            .contains("more elements than memory can hold")
    );
    // Even where the stride would leave a small output.
    assert!(
        small(
            options
                .stride([1 << 40, 1 << 40])
                .padding(Padding::both([1 << 40, 1 << 40]))
        )
        .contains("more elements than memory can hold")
    );
    assert!(conv(&[1, 5, 5, 1], &[0, 3, 1, 1], options).starts_with("conv2d: a kernel of 0; "));
    assert!(
        conv(&[1, 0, 5, 1], &[1, 1, 1, 1], options.padding(Padding::Same))
            .starts_with("conv2d: an axis of the input has no positions; ")
    );
    let bias = Tensor::zeros([3]);
    assert_eq!(
        text(Tensor::zeros([1, 5, 5, 1]).try_conv2d(
            &Tensor::zeros([3, 3, 1, 2]),
            Some(&bias),
            &options
        )),
        "conv2d: a bias of shape [3] has not one number for each of 2 outputs; the input is [1, 5, 5, 1], the weight [3, 3, 1, 2]"
    );
}

#[test]
fn axes_without_elements_that_mean_something_are_taken() {
    let options = ConvOptions::new().padding(Padding::Same);
    let bias = Tensor::full([2], 3.0);
    let conv = |x: [usize; 4], w: [usize; 4], bias| {
        Tensor::zeros(x).conv2d(&Tensor::zeros(w), bias, &options)
    };
    assert_eq!(
        *conv([0, 4, 4, 3], [3, 3, 3, 2], Some(&bias)).shape(),
        [0, 4, 4, 2]
    );
    assert_eq!(
        *conv([1, 4, 4, 3], [3, 3, 3, 0], None).shape(),
        [1, 4, 4, 0]
    );
    // A sum of nothing is the bias.
    assert_eq!(
        conv([1, 2, 1, 0], [3, 3, 0, 2], Some(&bias)).to_vec(),
        [3.0; 4]
    );
    assert_eq!(
        conv([1, 2, 1, 0], [1, 1, 0, 2], Some(&bias)).to_vec(),
        [3.0; 4]
    );
}

#[test]
fn series() {
    let options = ConvOptions::new();
    let conv = |x: &[usize], w: &[usize]| {
        text(Tensor::zeros(x.to_vec()).try_conv1d(&Tensor::zeros(w.to_vec()), None, &options))
    };
    let ranks = "\n  help: the input is [batch, time, channel], the weight has an axis for the kernel and two for channels";
    assert_eq!(
        conv(&[1, 1, 5, 3], &[1, 3, 3, 8]),
        format!("conv1d: [1, 1, 5, 3] and [1, 3, 3, 8] do not fit{ranks}")
    );
    assert_eq!(
        conv(&[1, 2, 3], &[4, 3, 1]),
        "conv1d: a kernel that spans 4 positions does not fit into 2, padding included; the input is [1, 2, 3], the weight [4, 3, 1]"
    );
    let back = ConvTransposeOptions::new();
    let x = Tensor::zeros([1, 2, 3]);
    assert_eq!(
        text(x.try_conv_transpose1d(&Tensor::zeros([2, 1, 4]), None, &back)),
        "conv_transpose1d: [1, 2, 3] and [2, 1, 4] do not fit\n  help: the last axis of a transposed convolution's weight meets the channels of its input"
    );
}

#[test]
fn transposed_convolutions() {
    let options = ConvTransposeOptions::new();
    let (x, w) = ([1, 2, 2, 4], [3, 3, 1, 4]);
    assert!(
        transpose(&x, &w, options.groups(3))
            .starts_with("conv_transpose2d: 3 groups do not divide 4 input channels; ")
    );
    assert!(
        transpose(&x, &w, options.output_padding([0, 1])).starts_with(
            "conv_transpose2d: an output padding of 1 with a stride of 1, which must be larger; "
        )
    );
    assert!(
        transpose(&x, &w, options.padding(Padding::both([2, 2])))
            .starts_with("conv_transpose2d: a padding of 4 in all leaves nothing of 4 positions; ")
    );
    let same = options
        .stride([2, 2])
        .padding(Padding::Same)
        .output_padding([1, 1]);
    assert!(transpose(&x, &w, same).contains("leaves no output padding; "));
    assert!(transpose(&x, &w, options.stride([HUGE / 2, 1])).contains("is too large"));
    assert!(
        transpose(&x, &w, options.stride([1 << 31, 1 << 31]))
            .contains("more elements than memory can hold")
    );
    assert!(
        transpose(&[1, 0, 2, 4], &w, options).contains("an axis of the input has no positions")
    );
    assert!(transpose(&x, &w, options.groups(HUGE)).contains("do not divide"));
}

#[test]
fn windows() {
    let pool = |x: &[usize], options: PoolOptions<2>| {
        let x = Tensor::zeros(x.to_vec());
        let max = text(x.try_max_pool2d(&options));
        let average = text(x.try_avg_pool2d(&options));
        assert_eq!(max.replace("max_pool2d", "avg_pool2d"), average);
        max
    };
    let two = PoolOptions::new([2, 2]);
    assert_eq!(
        pool(&[4, 4, 1], two),
        "max_pool2d: images are [batch, height, width, channel]; the input is [4, 4, 1]"
    );
    assert_eq!(
        pool(&[1, 1, 4, 1], two),
        "max_pool2d: a kernel that spans 2 positions does not fit into 1, padding included; the input is [1, 1, 4, 1]"
    );
    assert_eq!(
        pool(&[1, 4, 4, 1], two.padding(Padding::both([2, 0]))),
        "max_pool2d: a window of 2 would see nothing but a padding of (2, 2); the input is [1, 4, 4, 1]"
    );
    assert!(pool(&[1, 4, 4, 1], two.stride([0, 1])).contains("a stride of 0"));
    assert!(pool(&[1, 4, 4, 1], PoolOptions::new([0, 1])).contains("a kernel of 0"));
    assert!(pool(&[1, 0, 4, 1], two).contains("no positions"));
    let series = Tensor::zeros([1, 2, 2, 3]);
    assert!(
        text(series.try_max_pool1d(&PoolOptions::new([2])))
            .contains("series are [batch, time, channel]")
    );
    assert!(text(series.slice(1, 0..0).try_adaptive_avg_pool2d([1, 1])).contains("no positions"));
    assert!(text(series.try_adaptive_max_pool2d([HUGE, 2])).contains("too many"));
    assert!(
        text(series.try_adaptive_max_pool2d([1 << 31, 1 << 31]))
            .contains("more elements than memory can hold")
    );
    assert!(
        text(Tensor::zeros([2, 3]).try_global_avg_pool())
            .contains("there are axes between batch and channel")
    );
    assert!(text(Tensor::zeros([2, 0, 3]).try_global_max_pool()).contains("no positions"));
}

#[test]
fn sizes() {
    let x = Tensor::zeros([1, 2, 3, 4]);
    assert_eq!(
        text(x.slice(1, 0..0).try_resize_nearest([2, 2])),
        "resize_nearest: there are no pixels to make an image of; the input is [1, 0, 3, 4], the size [2, 2]"
    );
    assert_eq!(
        text(Tensor::zeros([2, 3, 4]).try_resize_bilinear([2, 2], true)),
        "resize_bilinear: images are [batch, height, width, channel]; the input is [2, 3, 4], the size [2, 2]"
    );
    assert!(text(x.try_resize_nearest([HUGE, 1])).contains("does not fit in memory"));
    assert!(
        text(x.try_resize_nearest([1 << 31, 1 << 31]))
            .contains("more elements than memory can hold")
    );
    assert_eq!(*x.resize_nearest([0, 5]).shape(), [1, 0, 5, 4]);
}
