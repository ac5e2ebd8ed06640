"""A WGAN-GP on the ring of eight, with a smooth critic. Written here: Tanh and the penalty."""
import numpy as np
from zoo import GAN

from minigan import Dense, Layer, LeakyReLU, Sequential, Wasserstein, interpolate


class Tanh(Layer):
    """y = tanh(x); for the penalty y_dot = (1 - y^2) x_dot, which changes with x by -2 y y_dot."""

    def forward(self, x, train=True):
        y = np.tanh(x)
        return y, y

    def input_grad(self, dy, y):
        return dy - dy * y * y

    def tangent(self, x_dot, y):
        y_dot = x_dot - x_dot * y * y
        return y_dot, y_dot

    def curvature(self, dy_dot, dx_dot, y_dot, y):
        return -2 * y * y_dot * dy_dot


class Penalty:
    """P = weight (|g| - 1)^2, a mean over the batch; g: the gradient of D between real and fake."""

    def __init__(self, weight, rng):
        self.weight = weight
        self.rng = rng

    def __call__(self, discriminator, x_real, x_fake):
        x = interpolate(x_real, x_fake, self.rng)
        s, cache = discriminator.forward(x)
        ones = np.ones_like(s)
        g = discriminator.input_grad(ones, cache)
        norm = np.linalg.norm(g)
        e = norm - 1
        dnorm = 2 * self.weight * e / e.size
        _, tcache = discriminator.tangent(dnorm * g / norm, cache)
        discriminator.add_tangent_param_grads(None, ones, tcache, cache)
        return self.weight * (e * e).mean()

    def __repr__(self):
        return f"Penalty({self.weight})"


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    critic = Sequential(Dense(2, width, rng), Tanh(), Dense(width, width, rng), Tanh(),
                        Dense(width, 1, rng))
    return generator, critic


gan = GAN(build, Wasserstein(), penalty=Penalty(0.1, np.random.default_rng(0)), critic_steps=3,
          steps=2000)
