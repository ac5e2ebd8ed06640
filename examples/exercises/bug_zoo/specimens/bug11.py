"""A WGAN-GP on the ring of eight, with a smooth critic. Written here: Tanh and the penalty."""
import numpy as np
from zoo import GAN

from minigan import Dense, Layer, LeakyReLU, Sequential, Wasserstein, interpolate


class Tanh(Layer):
    """y = tanh(x), and y_dot = (1 - y^2) x_dot for the penalty."""

    def forward(self, x, train=True):
        y = np.tanh(x)
        return y, y

    def input_grad(self, dy, y):
        return (1 - y ** 2) * dy

    def tangent(self, x_dot, y):
        return (1 - y ** 2) * x_dot, x_dot


class Penalty:
    """weight mean over n of (|g[n]| - 1)^2,  g[n] the gradient of D at x[n], between real and fake.
    """

    def __init__(self, weight, rng):
        self.weight = weight
        self.rng = rng

    def __call__(self, discriminator, x_real, x_fake):
        s, cache = discriminator.forward(interpolate(x_real, x_fake, self.rng))
        g = discriminator.input_grad(np.ones_like(s), cache)
        norm = np.sqrt((g * g).sum(axis=1, keepdims=True))
        v = 2 * self.weight * (norm - 1) * g / norm / len(g)  # ∂P/∂g
        _, tcache = discriminator.tangent(v, cache)
        discriminator.add_tangent_param_grads(None, np.ones_like(s), tcache, cache)
        return self.weight * ((norm - 1) ** 2).mean()

    def __repr__(self):
        return f"Penalty({self.weight})"


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    critic = Sequential(Dense(2, width, rng), Tanh(), Dense(width, width, rng), Tanh(),
                        Dense(width, 1, rng))
    return generator, critic


gan = GAN(build, Wasserstein(), penalty=Penalty(1.0, np.random.default_rng(0)), critic_steps=3,
          steps=2000)
