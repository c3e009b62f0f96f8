"""Keras 3 on TensorFlow: one compiled training step (forward, loss, gradient, Adam) a workload. Usage: see harness.py."""

import os

import harness
from harness import workload

OPTIONS = harness.arguments()
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", OMP_NUM_THREADS=str(OPTIONS.threads), KERAS_BACKEND="tensorflow")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(OPTIONS.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.utils.set_random_seed(0)

GENERATOR = np.random.default_rng(0)


def normal(*shape):
    return GENERATOR.standard_normal(shape, dtype=np.float32)


def classes(*shape, count=10):
    return GENERATOR.integers(0, count, shape).astype(np.int32)


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def training_step(net, x, y, loss):
    x, y = tf.constant(x), tf.constant(y)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(net.trainable_variables)

    @tf.function
    def train(x, y):
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(y, net(x, training=True)))
        gradients = tape.gradient(value, net.trainable_variables)
        optimizer.apply_gradients(zip(gradients, net.trainable_variables))
        return value

    return lambda: train(x, y).numpy()


# Products ------------------------------------------------------------------------------------------------------------


def product(a_shape, b_shape, a_across=False, b_across=False):
    a, b = tf.constant(normal(*a_shape)), tf.constant(normal(*b_shape))
    multiply = tf.function(lambda a, b: tf.matmul(a, b, transpose_a=a_across, transpose_b=b_across))
    return lambda: multiply(a, b)


@workload
def gemm_256():
    return product((256, 256), (256, 256))


@workload
def gemm_1024():
    return product((1024, 1024), (1024, 1024))


harness.gemm_training(product)


# Dense networks ------------------------------------------------------------------------------------------------------


@workload
def xor_step():
    net = keras.Sequential(
        [layers.Input((2,)), layers.Dense(2, "sigmoid"), layers.Dense(2, "sigmoid"), layers.Dense(1, "sigmoid")]
    )
    x, y = np.array([[0, 1]], np.float32), np.array([[1]], np.float32)
    return training_step(net, x, y, keras.losses.BinaryCrossentropy())


@workload
def mlp():
    net = keras.Sequential(
        [layers.Input((784,)), layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10)]
    )
    return training_step(net, normal(128, 784), classes(128), cross_entropy())


@workload
def deep_small():
    hidden = [layers.Dense(16, "tanh") for _ in range(31)]
    net = keras.Sequential([layers.Input((16,)), *hidden, layers.Dense(16)])
    return training_step(net, normal(8, 16), normal(8, 16), keras.losses.MeanSquaredError())


# Loops ---------------------------------------------------------------------------------------------------------------


class Feedback(keras.Model):
    """input -> hidden1 -> hidden2 -> output, output and hidden2 fed back into hidden1, run 20 times."""

    def __init__(self, iterations=20):
        super().__init__()
        self.iterations = iterations
        self.hidden1, self.hidden2, self.out = layers.Dense(128), layers.Dense(128), layers.Dense(10)
        self.output_to_hidden1 = layers.Dense(128, use_bias=False)
        self.hidden2_to_hidden1 = layers.Dense(128, use_bias=False)

    def call(self, x):
        projected, output, hidden2 = self.hidden1(x), tf.zeros((32, 10)), tf.zeros((32, 128))
        for _ in range(self.iterations):
            hidden1 = tf.tanh(projected + self.output_to_hidden1(output) + self.hidden2_to_hidden1(hidden2))
            hidden2 = tf.tanh(self.hidden2(hidden1))
            output = self.out(hidden2)
        return output


@workload
def feedback():
    net = Feedback()
    x = normal(32, 64)
    net(x)  # creates the weights
    return training_step(net, x, classes(32), cross_entropy())


def sequence(cell, inputs, hidden, outputs, time, x, y, loss):
    net = keras.Sequential([layers.Input((time, inputs)), cell(hidden), layers.Dense(outputs)])
    return training_step(net, x, y, loss)


@workload
def lstm():
    return sequence(layers.LSTM, 128, 256, 10, 100, normal(32, 100, 128), classes(32), cross_entropy())


@workload
def lstm_small():
    loss = keras.losses.MeanSquaredError()
    return sequence(layers.LSTM, 8, 32, 1, 50, normal(16, 50, 8), normal(16, 1), loss)


@workload
def gru():
    return sequence(layers.GRU, 128, 256, 10, 100, normal(32, 100, 128), classes(32), cross_entropy())


# Pictures and text ---------------------------------------------------------------------------------------------------


@workload
def conv():
    net = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPool2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPool2D(),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(10),
        ]
    )
    return training_step(net, normal(64, 28, 28, 1), classes(64), cross_entropy())


@workload
def gpt():
    width, heads, time, vocabulary = 256, 8, 128, 256
    gelu = lambda z: keras.activations.gelu(z, approximate=True)
    tokens = layers.Input((time,), dtype="int32")
    x = layers.Embedding(vocabulary, width)(tokens) + layers.Embedding(time, width)(tf.range(time))
    for _ in range(4):
        normed = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(normed, normed, use_causal_mask=True)
        normed = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.Dense(width)(layers.Dense(4 * width, gelu)(normed))
    logits = layers.Dense(vocabulary, use_bias=False)(layers.LayerNormalization(epsilon=1e-5)(x))
    net = keras.Model(tokens, logits)
    data = classes(16, time, count=vocabulary), classes(16, time, count=vocabulary)
    return training_step(net, *data, cross_entropy())


# Passes over 4 M numbers ---------------------------------------------------------------------------------------------


def one_pass(function):
    x, compiled = tf.constant(normal(4096, 1024)), tf.function(function)
    return lambda: compiled(x)


@workload
def softmax_4m():
    return one_pass(tf.nn.softmax)


@workload
def tanh_4m():
    return one_pass(tf.tanh)


@workload
def layernorm_4m():
    norm = layers.LayerNormalization(epsilon=1e-5)
    norm.build((4096, 1024))
    return one_pass(norm)


harness.run("keras", f"Keras {keras.__version__} on TensorFlow {tf.__version__}", OPTIONS)
