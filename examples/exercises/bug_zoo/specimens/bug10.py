"""A GAN on the ring of eight. Written here: BatchNorm, for G, and Dropout, for D."""
import numpy as np
from zoo import GAN

from minigan import Dense, Layer, LeakyReLU, Parameter, ReLU, Sequential


class BatchNorm(Layer):
    """y = gamma x_hat + beta,  x_hat = (x - mean) / sqrt(var + 1e-5), over the batch.  x (N, C)."""

    buffers = ("mean", "var")

    def __init__(self, num_features):
        self.num_features = num_features
        self.gamma = Parameter(np.ones(num_features, np.float32))
        self.beta = Parameter(np.zeros(num_features, np.float32))
        self.mean = np.zeros(num_features, np.float32)
        self.var = np.ones(num_features, np.float32)

    def forward(self, x, train=True):
        mean = x.mean(axis=0) if train else self.mean
        var = ((x - mean) ** 2).mean(axis=0) if train else self.var
        if train:
            self.mean = self.mean + 0.1 * (mean - self.mean)
            self.var = self.var + 0.1 * (var - self.var)
        inv_std = (var + 1e-5) ** -0.5
        x_hat = (x - mean) * inv_std
        return self.gamma.value * x_hat + self.beta.value, (x_hat, inv_std, train)

    def input_grad(self, dy, cache):
        x_hat, inv_std, train = cache
        dx_hat = dy * self.gamma.value
        if not train:
            return dx_hat * inv_std
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))

    def add_param_grads(self, dy, cache):
        self.gamma.grad += np.einsum("nc,nc->c", dy, cache[0])
        self.beta.grad += dy.sum(axis=0)


class Dropout(Layer):
    """While training, each element is kept with probability 1 - p, and divided by it."""

    def __init__(self, p, rng=None):
        self.p = p
        self.rng = np.random.default_rng(rng)

    def forward(self, x, train=True):
        if not train:
            return x, 1
        kept = (self.rng.random(x.shape) > self.p).astype(x.dtype)
        return kept * x / (1 - self.p), 1 - self.p

    def input_grad(self, dy, kept):
        return dy / kept


def build(rng, width):
    generator = Sequential(
        Dense(2, width, rng), BatchNorm(width), ReLU(),
        Dense(width, width, rng), BatchNorm(width), ReLU(),
        Dense(width, width, rng), BatchNorm(width), ReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dropout(0.3, rng),
                               Dense(width, width, rng), LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build)
