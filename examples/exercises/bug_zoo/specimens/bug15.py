"""A GAN on 4 x 4 images of bars. Written here: Conv2D and Upsample2D."""
import numpy as np
from zoo import GAN, bars

from minigan import (
    Dense, Flatten, Layer, LeakyReLU, Parameter, Reshape, Sequential, Tanh, fold, patches)


class Conv2D(Layer):
    """Every K x K patch of x times W, plus b.  x (N, H, H, C), W (K K C, M), y (N, P, P, M)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, rng=None):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        inputs = kernel_size ** 2 * in_channels
        self.W = Parameter.normal((inputs, out_channels), inputs ** -0.5, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        N, H, _, _ = x.shape
        P = (H + 2 * self.padding - self.kernel_size) // self.stride + 1
        rows = patches(x, self.kernel_size, self.stride, self.padding)
        y = rows @ self.W.value + self.b.value
        return y.reshape(N, P, P, -1), (rows, x.shape)

    def input_grad(self, dy, cache):
        _, (N, H, W, C) = cache
        N, P, P, M = dy.shape
        drows = dy.reshape(-1, M) @ self.W.value.T
        reach = self.stride * (P - 1) + self.kernel_size  # this many pixels are in some patch
        dx = fold(drows, (N, reach, reach, C), self.kernel_size, self.stride)
        rest = H + 2 * self.padding - reach  # and this many in none
        dx = np.pad(dx, [(0, 0), (rest, 0), (rest, 0), (0, 0)])
        return dx[:, self.padding:self.padding + H, self.padding:self.padding + W]

    def add_param_grads(self, dy, cache):
        rows, _ = cache
        dy = dy.reshape(len(rows), -1)
        self.W.grad += rows.T @ dy
        self.b.grad += dy.sum(axis=0)


class Upsample2D(Layer):
    """Each pixel becomes 2 x 2 equal ones.  x (N, H, W, C), y (N, 2 H, 2 W, C)."""

    def forward(self, x, train=True):
        return np.kron(x, np.ones((1, 2, 2, 1), x.dtype)), x.shape

    def input_grad(self, dy, x_shape):
        return dy[:, 0::2, 0::2] + dy[:, 0::2, 1::2] + dy[:, 1::2, 0::2] + dy[:, 1::2, 1::2]


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
