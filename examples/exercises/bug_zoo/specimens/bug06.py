"""A GAN on 4 x 4 images of bars. Written here: Conv2D and Upsample2D."""
import numpy as np
from zoo import GAN, bars

from minigan import (
    Dense, Flatten, Layer, LeakyReLU, Parameter, Reshape, Sequential, Tanh, fold, patches)


class Conv2D(Layer):
    """Every K x K patch of x times W, plus b.  x (N, H, W, C), W (K K C, M), y (N, P, Q, M)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, rng=None):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.window = kernel_size, stride, padding
        inputs = kernel_size * kernel_size * in_channels
        self.W = Parameter.normal((inputs, out_channels), inputs ** -0.5, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        K, S, padding = self.window
        P, Q = [(size + 2 * padding - K) // S + 1 for size in x.shape[1:3]]
        rows = patches(x, K, S, padding)
        y = rows @ self.W.value + self.b.value
        return y.reshape(len(x), P, Q, self.out_channels), (rows, x.shape)

    def input_grad(self, dy, cache):
        rows, x_shape = cache
        return fold(dy.reshape(-1, self.out_channels) @ self.W.value.T, x_shape, *self.window)

    def add_param_grads(self, dy, cache):
        rows, x_shape = cache
        self.W.grad += rows.T @ dy.reshape(-1, self.out_channels)
        self.b.grad += dy.sum(axis=(0, 1, 2))


class Upsample2D(Layer):
    """Each pixel becomes 2 x 2 equal ones.  x (N, H, W, C), y (N, 2 H, 2 W, C)."""

    def forward(self, x, train=True):
        return x.repeat(2, axis=1).repeat(2, axis=2), None

    def input_grad(self, dy, _):
        return dy[:, ::2, ::2]


def build(rng, width):
    generator = Sequential(
        Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng), LeakyReLU(),
        Dense(width, 64, rng), LeakyReLU(), Reshape(2, 2, 16),
        Upsample2D(), Conv2D(16, 1, 3, padding=1, rng=rng), Tanh())
    discriminator = Sequential(
        Conv2D(1, 16, 3, stride=2, padding=1, rng=rng), LeakyReLU(), Flatten(),
        Dense(64, width, rng), LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, modes=bars)
