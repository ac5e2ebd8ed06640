"""A WGAN-GP on the ring of eight. Written here: LeakyReLU and the penalty."""
import numpy as np
from zoo import GAN

from minigan import Dense, Layer, Sequential, Wasserstein


class LeakyReLU(Layer):
    """y = k x, with the slope k = 1 where x > 0, else 0.2: it bends nowhere else."""

    def forward(self, x, train=True):
        k = np.where(x > 0, 1, 0.2).astype(x.dtype)
        return k * x, k

    def input_grad(self, dy, k):
        return k * dy

    def tangent(self, x_dot, k):
        return k * x_dot, None


class Penalty:
    """weight mean over n of (|g[n]| - 1)^2,  g[n] the gradient of D at place n of `places`."""

    def __init__(self, weight, rng):
        self.weight = weight
        self.rng = rng

    def places(self, x_real, x_fake):
        """Random places on the lines from each real example to a fake one."""
        t = self.rng.random(x_real.shape, np.float32)
        return (1 - t) * x_real + t * x_fake

    def __call__(self, discriminator, x_real, x_fake):
        s, cache = discriminator.forward(self.places(x_real, x_fake))
        ones = np.ones_like(s)
        g = discriminator.input_grad(ones, cache)
        norm = np.sqrt((g * g).sum(axis=1, keepdims=True))
        v = 2 * self.weight / len(g) * (norm - 1) * g / norm  # ∂P/∂g
        _, tcache = discriminator.tangent(v, cache)
        discriminator.add_tangent_param_grads(None, ones, tcache, cache)
        return self.weight * ((norm - 1) ** 2).mean()

    def __repr__(self):
        return f"Penalty({self.weight})"


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    critic = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng), LeakyReLU(),
                        Dense(width, 1, rng))
    return generator, critic


gan = GAN(build, Wasserstein(), penalty=Penalty(1.0, np.random.default_rng(0)), critic_steps=3,
          steps=2000)
