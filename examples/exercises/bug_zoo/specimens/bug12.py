"""A GAN on the ring of eight. Written here: the loss and D's step."""
import numpy as np
from zoo import GAN

from minigan import Dense, LeakyReLU, Sequential
from minigan.losses import sigmoid


class CrossEntropy:
    """D: -mean log p(s_real) - mean log(1 - p(s_fake)),  G: -mean log p(s_fake),  p = sigmoid."""

    def discriminator(self, s_real, s_fake):
        p, dp = self.probability(s_real)
        q, dq = self.probability(s_fake)
        value = -np.log(p).mean() - np.log(1 - q).mean()
        return value, -dp / p / len(p), dq / (1 - q) / len(q)

    def generator(self, s_fake):
        p, dp = self.probability(s_fake)
        return -np.log(p).mean(), -dp / p / len(p)

    def probability(self, s):
        """p of the scores, of which a logarithm can be taken, and its derivative."""
        p = sigmoid(s)
        inside = (p > 0.001) & (p < 0.999)
        return p.clip(0.001, 0.999), p * (1 - p) * inside

    def shown(self, s):
        return sigmoid(s)

    def __repr__(self):
        return "CrossEntropy()"


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """Update D: tell real from fake."""
    s_real, cache_real = discriminator.forward(x_real)
    s_fake, cache_fake = discriminator.forward(generator.forward(z)[0])
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    discriminator.zero_grad()
    discriminator.add_param_grads(ds_fake, cache_fake)
    discriminator.add_param_grads(ds_real, cache_real)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, CrossEntropy(), discriminator_step, head_start=500)
