"""A GAN on the ring of eight. Written here: BatchNorm, for G, and Dropout, for D."""
import numpy as np
from zoo import GAN

from minigan import Dense, Layer, LeakyReLU, Parameter, ReLU, Sequential


class BatchNorm(Layer):
    """y = gamma (x - mean) / std + beta, mean and std of each feature over the batch.  x (N, C)."""

    buffers = ("running_mean", "running_var")

    def __init__(self, num_features):
        self.num_features = num_features
        self.gamma = Parameter(np.ones(num_features, np.float32))
        self.beta = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def forward(self, x, train=True):
        mean, var = self.running_mean, self.running_var
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.running_var = 0.9 * self.running_var + 0.1 * var
        std = np.sqrt(var + 1e-5)
        x_hat = (x - mean) / std
        return self.gamma.value * x_hat + self.beta.value, (x_hat, std)

    def input_grad(self, dy, cache):
        x_hat, std = cache
        return self.gamma.value * dy / std

    def add_param_grads(self, dy, cache):
        self.gamma.grad += (dy * cache[0]).sum(axis=0)
        self.beta.grad += dy.sum(axis=0)


class Dropout(Layer):
    """While training each element is 0 with probability p, and the others are 1 / (1 - p) times
    as large."""

    def __init__(self, p, rng=None):
        self.p = p
        self.rng = np.random.default_rng(rng)

    def forward(self, x, train=True):
        if not train:
            return x, None
        mask = (self.rng.random(x.shape) >= self.p).astype(x.dtype) / (1 - self.p)
        return x * mask, mask

    def input_grad(self, dy, mask):
        return dy if mask is None else dy * mask


def build(rng, width):
    generator = Sequential(
        Dense(2, width, rng), BatchNorm(width), ReLU(),
        Dense(width, width, rng), BatchNorm(width), ReLU(),
        Dense(width, width, rng), BatchNorm(width), ReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dropout(0.1, rng),
                               Dense(width, width, rng), LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build)
