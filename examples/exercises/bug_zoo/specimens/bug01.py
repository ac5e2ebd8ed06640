"""A GAN on the ring of eight. Written here: Dense and LeakyReLU."""
import numpy as np
from zoo import GAN

from minigan import Layer, Parameter, Sequential


class Dense(Layer):
    """y = x W + b.  x (N, D), W (D, M), b (M,), y (N, M)."""

    def __init__(self, in_features, out_features, rng=None):
        self.in_features = in_features
        self.out_features = out_features
        self.W = Parameter.normal((in_features, out_features), in_features ** -0.5, rng)
        self.b = Parameter(np.zeros(out_features, np.float32))

    def forward(self, x, train=True):
        self.x = x
        return x @ self.W.value + self.b.value, None

    def input_grad(self, dy, _):
        return dy @ self.W.value.T

    def add_param_grads(self, dy, _):
        self.W.grad += self.x.T @ dy
        self.b.grad += dy.sum(axis=0)


class LeakyReLU(Layer):
    """y = x where x > 0, else 0.2 x."""

    def forward(self, x, train=True):
        slope = np.where(x > 0, 1, 0.2).astype(x.dtype)
        return slope * x, slope

    def input_grad(self, dy, slope):
        return slope * dy


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build)
