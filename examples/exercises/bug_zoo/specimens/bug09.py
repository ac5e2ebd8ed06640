"""A GAN on the ring of eight. Written here: the ring and Adam."""
import numpy as np
from zoo import GAN

from minigan import Dense, LeakyReLU, Sequential


def ring():
    """Eight points at equal distances on a circle of radius 2, (8, 2)."""
    angle = np.linspace(0, 2 * np.pi, 8)
    return 2 * np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)


class Adam:
    """m and v are running means of g and g^2, and m_hat and v_hat are free of their start at 0:
    value -= lr m_hat / (sqrt(v_hat) + eps)."""

    def __init__(self, network, lr=1e-3, beta1=0.5, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        self.slots = [(p, np.zeros_like(p.value), np.zeros_like(p.value))
                      for p in network.parameters()]

    def step(self):
        self.t += 1
        for p, m, v in self.slots:
            m += (1 - self.beta1) * (p.grad - m)
            v += (1 - self.beta2) * (p.grad * p.grad - v)
            m_hat = m / (1 - self.beta1 ** self.t)
            v_hat = v / (1 - self.beta2 ** self.t)
            p.value -= self.lr * m_hat / (v_hat ** 0.5 + self.eps)


def optimizers(generator, discriminator):
    return Adam(generator), Adam(discriminator)


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, optimizers=optimizers, modes=ring)
