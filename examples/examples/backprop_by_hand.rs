//! Backpropagation derived by hand, with plain tensors, beside what the tape finds.
//!
//! Section 4 of the article 反馈神经网络原理的Python实现 (Feedback neural networks in Python) writes backpropagation for a
//! small sigmoid network in five lines. Two of its products do not fit, and four more of its lines compute something
//! else than a gradient. Here the same network is derived correctly:
//!
//! ```text
//! a₀ = x            aₗ = σ(zₗ),  zₗ = aₗ₋₁ Wₗ + bₗ            J = mean of −y ln a − (1 − y) ln(1 − a)
//! δ_L = (a_L − y) / rows                                     ∂J/∂z of the last layer: σ′ has cancelled against J′
//! δₗ  = (δₗ₊₁ Wₗ₊₁ᵀ) ⊙ aₗ ⊙ (1 − aₗ)                         σ′(z) = σ(z)(1 − σ(z)) = a(1 − a)
//! ∂J/∂Wₗ = aₗ₋₁ᵀ δₗ        ∂J/∂bₗ = Σ over rows of δₗ          W ← W − α ∂J/∂W,  b ← b − α ∂J/∂b
//! ```
//!
//! Rows are samples and `W` is `[in, out]`; the article writes columns, so its matrices are these transposed.
//!
//! You will see every gradient of a 2→2→1 and of a 2→2→2→1 network beside that of automatic differentiation (they agree
//! to 1e-6 and far beyond), then the article's lines, one by one, with what each does, and last 1000 steps of gradient
//! descent: with the gradients derived here XOR is learned, with the article's updates it is not.
//!
//! ```text
//! cargo run --release --example backprop_by_hand
//! ```

use clap::Parser;
use fb_autograd::{Tape, Var};
use fb_tensor::Tensor;

#[derive(Parser)]
#[command(about = "Backpropagation derived by hand, compared with automatic differentiation")]
struct Args {
    /// Accepted by every example; this one takes no time anyway.
    #[arg(long)]
    quick: bool,
}

/// Weights `[in, out]` and bias `[out]` of a layer, or their gradients.
#[derive(Clone)]
struct Layer {
    w: Tensor<f64>,
    b: Tensor<f64>,
}

fn main() {
    Args::parse();
    let (x, y) = xor();
    println!("== 2→2→1, the shapes of the article's example, on the four rows of XOR");
    compare(&two_layers(), &x, &y);
    println!("\n== 2→2→2→1, the network that the article draws");
    compare(&three_layers(), &x, &y);
    article_line_by_line();
    descend(&x, &y);
}

fn xor() -> (Tensor<f64>, Tensor<f64>) {
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    (x, Tensor::from([[0.0], [1.0], [1.0], [0.0]]))
}

fn two_layers() -> Vec<Layer> {
    vec![
        Layer {
            w: Tensor::from([[0.9, -0.2], [-1.0, -0.5]]),
            b: Tensor::from([-0.3, 0.3]),
        },
        Layer {
            w: Tensor::from([[1.4], [-1.1]]),
            b: Tensor::from([0.1]),
        },
    ]
}

fn three_layers() -> Vec<Layer> {
    vec![
        Layer {
            w: Tensor::from([[1.5, -0.7], [0.4, 1.1]]),
            b: Tensor::from([-0.3, 0.2]),
        },
        Layer {
            w: Tensor::from([[-1.3, 0.8], [0.5, 1.6]]),
            b: Tensor::from([0.2, -0.4]),
        },
        Layer {
            w: Tensor::from([[1.2], [-0.9]]),
            b: Tensor::from([0.1]),
        },
    ]
}

/// The activations of all layers, the input first.
fn forward(net: &[Layer], x: &Tensor<f64>) -> Vec<Tensor<f64>> {
    let mut activations = vec![x.clone()];
    for layer in net {
        let z = activations[activations.len() - 1].matmul(&layer.w) + &layer.b;
        activations.push(z.sigmoid());
    }
    activations
}

/// Binary cross-entropy, averaged over rows.
fn loss(a: &Tensor<f64>, y: &Tensor<f64>) -> f64 {
    -(y * a.ln() + one_minus(y) * one_minus(a).ln()).mean()
}

fn one_minus(a: &Tensor<f64>) -> Tensor<f64> {
    -a + 1.0
}

/// σ′(z), from a = σ(z).
fn slope(a: &Tensor<f64>) -> Tensor<f64> {
    a * one_minus(a)
}

/// The gradient of the loss with respect to every weight and bias.
fn backward(net: &[Layer], activations: &[Tensor<f64>], y: &Tensor<f64>) -> Vec<Layer> {
    let mut gradients = Vec::new();
    // dJ/da = (a − y) / (a(1 − a)) and da/dz = a(1 − a): their product is a − y, and it is a gradient with respect to z.
    let mut delta = (&activations[net.len()] - y) / y.dim(0) as f64;
    for l in (0..net.len()).rev() {
        let input = &activations[l];
        // Each weight's gradient is its input times its output's delta, summed over rows: an outer product per sample.
        gradients.push(Layer {
            w: input.transpose().matmul(&delta),
            b: delta.sum_axes(&[0], false),
        });
        if l > 0 {
            // Through the weights backwards, then through this layer's sigmoid, whose slope at z is a(1 − a).
            delta = delta.matmul(&net[l].w.transpose()) * slope(input);
        }
    }
    gradients.reverse();
    gradients
}

fn step(net: &mut [Layer], gradients: &[Layer], rate: f64) {
    for (layer, gradient) in net.iter_mut().zip(gradients) {
        layer.w = &layer.w - &gradient.w * rate;
        layer.b = &layer.b - &gradient.b * rate;
    }
}

/// The same gradients from the tape.
fn automatic(net: &[Layer], x: &Tensor<f64>, y: &Tensor<f64>) -> Vec<Layer> {
    let tape = Tape::new();
    let leaves: Vec<(Var<f64>, Var<f64>)> = net
        .iter()
        .map(|layer| (tape.leaf(layer.w.clone()), tape.leaf(layer.b.clone())))
        .collect();
    let mut a = Var::constant(x.clone());
    for (w, b) in &leaves {
        a = (a.matmul(w) + b).sigmoid();
    }
    let y = Var::constant(y.clone());
    let loss = -(&y * a.ln() + (-&y + 1.0) * (-&a + 1.0).ln()).mean();
    let found = loss.backward();
    let gradient = |leaf: &Var<f64>| found.get(leaf).expect("every leaf is used").clone();
    leaves
        .iter()
        .map(|(w, b)| Layer {
            w: gradient(w),
            b: gradient(b),
        })
        .collect()
}

/// Prints each gradient as derived by hand and as the tape finds it.
fn compare(net: &[Layer], x: &Tensor<f64>, y: &Tensor<f64>) {
    let activations = forward(net, x);
    println!("loss {:.6}\n", loss(&activations[net.len()], y));
    println!("gradient          by hand   automatic  difference");
    let (by_hand, automatic) = (backward(net, &activations, y), automatic(net, x, y));
    let mut worst = 0.0_f64;
    for (l, (hand, tape)) in by_hand.iter().zip(&automatic).enumerate() {
        for (name, hand, tape) in [("W", &hand.w, &tape.w), ("b", &hand.b, &tape.b)] {
            for (position, (h, t)) in hand.iter().zip(tape.iter()).enumerate() {
                let columns = hand.dims()[hand.rank() - 1];
                let index = if hand.rank() == 2 {
                    format!("{},{}", position / columns + 1, position % columns + 1)
                } else {
                    format!("{}", position + 1)
                };
                println!(
                    "{:<12} {h:12.8}{t:12.8}  {:10.1e}",
                    format!("{name}{}[{index}]", l + 1),
                    (h - t).abs()
                );
                worst = worst.max((h - t).abs());
            }
        }
    }
    println!("largest difference {worst:.1e}");
    assert!(worst < 1e-6, "by hand and automatic gradients must agree");
}

/// The lines of the article's section 4 with its own shapes, and what each does.
fn article_line_by_line() {
    println!(
        "\n== the article's section 4, line by line (its shapes: W1 2×2, b1 2×1, W2 2×1, b2 1×1, columns are samples)"
    );
    let (x, y) = (Tensor::from([0.0_f64, 0.0]), 0.0);
    let net = two_layers();
    let (w1, b1) = (net[0].w.transpose().contiguous(), net[0].b.reshape([2, 1]));
    let (w2, b2) = (net[1].w.clone(), net[1].b.reshape([1, 1]));

    println!("\na1 = sigmoid(W1.dot(x) + b1)   with x = [0, 0]");
    let spread = w1.matmul(&x) + &b1;
    println!(
        "  W1.dot(x) is {}, b1 is {}: their sum spreads to {}, two columns for one sample",
        x.shape(),
        b1.shape(),
        spread.shape()
    );
    println!("  right: x as a column, [2, 1]; then a1 is [2, 1]");
    let column = x.reshape([2, 1]);
    let a1 = (w1.matmul(&column) + &b1).sigmoid();

    println!("\na2 = sigmoid(W2.dot(a1) + b2)");
    refuse("W2.dot(a1)", &w2, &spread.sigmoid());
    println!(
        "  a column [2, 1] in place of a1 does not fit either: W2 is [2, 1], its inner extent is 1"
    );
    println!(
        "  right: W2.T.dot(a1) + b2, which is [1, 1]; and the second hidden layer that the text draws is missing"
    );
    let a2 = (w2.transpose().matmul(&a1) + &b2).sigmoid();
    let delta2 = &a2 - y;

    println!("\nd_loss_d_a2 = a2 - y");
    let by_a2 = (&a2 - y) / slope(&a2);
    println!(
        "  it is {:.4}; the derivative by a2 is (a2 - y) / (a2 (1 - a2)) = {:.4}",
        delta2.item(),
        by_a2.item()
    );
    println!("  right value, wrong name: it is the derivative by z2, the sum before the sigmoid");
    let extra = &delta2 * slope(&a2);
    println!(
        "  section 4.1 multiplies it by σ′ once more ({:.4}): that belongs to the squared error, not to this loss",
        extra.item().abs()
    );
    println!(
        "  and writes it as (y - a) σ′: with that sign, W ← W - α ∂J/∂W climbs the loss instead of descending it"
    );

    println!("\nd_loss_d_a1 = W2.T.dot(d_loss_d_a2) * sigmoid_derivative(a1)");
    refuse("W2.T.dot(a2 - y)", &w2.transpose(), &delta2);
    let delta1 = w2.matmul(&delta2) * slope(&a1);
    println!(
        "  right: W2.dot(a2 - y) * a1 * (1 - a1) = {:.4}",
        delta1.transpose()
    );
    println!(
        "  sigmoid_derivative is left undefined; a1 is already σ(z1), so σ′ taken at a1 gives slopes {:.4} in place of {:.4}",
        slope(&a1.sigmoid()).transpose(),
        slope(&a1).transpose()
    );

    println!("\nd_loss_d_x = W1.T.dot(d_loss_d_a1) * sigmoid_derivative(x)");
    println!(
        "  right: W1.T.dot(d_loss_d_a1) = {:.4}; x went through no sigmoid, so no slope belongs here",
        w1.transpose().matmul(&delta1).transpose()
    );

    println!("\nW2 -= learning_rate * d_loss_d_a2");
    println!(
        "  [1, 1] is subtracted from [2, 1]: every weight moves by the same {:.4}",
        delta2.item()
    );
    println!(
        "  right: the outer product a1 · (a2 - y)ᵀ = {:.4}",
        a1.matmul(&delta2.transpose()).transpose()
    );

    println!("\nW1 -= learning_rate * d_loss_d_a1");
    println!(
        "  [2, 1] is subtracted from [2, 2]: row by row {:.4}, whatever x is",
        delta1.transpose()
    );
    println!("  right: the outer product d_loss_d_a1 · xᵀ, here all zero because x = [0, 0]");
    println!("\nthe lines for b1 and b2 are right");
}

/// Says how a product of the article fails.
fn refuse(product: &str, a: &Tensor<f64>, b: &Tensor<f64>) {
    match a.try_matmul(b) {
        Ok(c) => println!("  {product} is {}", c.shape()),
        Err(error) => println!(
            "  {product} does not fit: {}",
            error.to_string().replace('\n', "\n  ")
        ),
    }
}

/// Gradient descent with the gradients derived here, and with the article's updates of weights.
fn descend(x: &Tensor<f64>, y: &Tensor<f64>) {
    const RATE: f64 = 5.0;
    println!("\n== gradient descent on XOR, 2→2→1, learning rate {RATE}");
    println!("step     derived here   the article's updates");
    let (mut right, mut wrong) = (two_layers(), two_layers());
    for count in 0..=1000 {
        let activations = forward(&right, x);
        let other = forward(&wrong, x);
        if count % 100 == 0 {
            println!(
                "{count:>4} {:>16.6} {:>23.6}",
                loss(&activations[2], y),
                loss(&other[2], y)
            );
        }
        let gradients = backward(&right, &activations, y);
        step(&mut right, &gradients, RATE);
        // The article's updates, made to run: each weight moves by the delta of the neuron that it leads to.
        let mut updates = backward(&wrong, &other, y);
        for update in &mut updates {
            update.w = update.b.broadcast_to(*update.w.shape());
        }
        step(&mut wrong, &updates, RATE);
    }
    println!(
        "\nanswers for 00, 01, 10, 11: {:.3} and {:.3}",
        answers(&right, x),
        answers(&wrong, x)
    );
}

fn answers(net: &[Layer], x: &Tensor<f64>) -> Tensor<f64> {
    forward(net, x)[net.len()].flatten()
}
