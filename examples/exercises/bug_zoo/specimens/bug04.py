"""A GAN on the ring of eight. Written here: the ring and Adam."""
import numpy as np
from zoo import GAN

from minigan import Dense, LeakyReLU, Sequential


def ring():
    """Eight points at equal distances on a circle of radius 2, (8, 2)."""
    angle = np.arange(0, 360, 45) * np.pi / 180
    return 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


class Adam:
    """m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2; both start at 0, which is what
    m_hat and v_hat correct;  value -= lr m_hat / (sqrt(v_hat) + eps)."""

    def __init__(self, parameters, lr=1e-3, beta1=0.5, beta2=0.999, eps=1e-8):
        self.parameters = parameters
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.m = [np.zeros_like(p.value) for p in parameters]
        self.v = [np.zeros_like(p.value) for p in parameters]

    def step(self):
        for p, m, v in zip(self.parameters, self.m, self.v):
            m[...] = self.beta1 * m + (1 - self.beta1) * p.grad
            v[...] = self.beta2 * v + (1 - self.beta2) * p.grad ** 2
            m_hat = m / (1 - self.beta1)
            v_hat = v / (1 - self.beta2)
            p.value -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def optimizers(generator, discriminator):
    return Adam(generator.parameters()), Adam(discriminator.parameters())


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, optimizers=optimizers, modes=ring)
