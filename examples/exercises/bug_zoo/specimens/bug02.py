"""A GAN on the ring of eight. Written here: Dense and LeakyReLU."""
import numpy as np
from zoo import GAN

from minigan import Layer, Parameter, Sequential


class Dense(Layer):
    """y = x W + b.  x (N, inputs), W (inputs, outputs), b (outputs,), y (N, outputs)."""

    def __init__(self, inputs, outputs, rng=None):
        self.inputs = inputs
        self.outputs = outputs
        self.W = Parameter.normal((inputs, outputs), inputs ** -0.5, rng)
        self.b = Parameter(np.zeros(outputs, np.float32))

    def forward(self, x, train=True):
        return np.dot(x, self.W.value) + self.b.value, x

    def input_grad(self, dy, x):
        return np.dot(dy, self.W.value.T)

    def add_param_grads(self, dy, x):
        self.W.grad += np.dot(x.T, dy)
        self.b.grad += dy.sum(axis=0)


class LeakyReLU(Layer):
    """y = x where x > 0, else 0.2 x."""

    def forward(self, x, train=True):
        return np.where(x > 0, x, 0.2 * x), x

    def input_grad(self, dy, x):
        return np.where(dy > 0, dy, 0.2 * dy)


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build)
