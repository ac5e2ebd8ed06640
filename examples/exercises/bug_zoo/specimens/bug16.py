"""An AC-GAN on the ring of eight: D also says which mode it sees, and G is asked for one. Written
here: D's head and both steps of the training."""
import numpy as np
from zoo import GAN, Asked, asked, label

from minigan import Dense, Layer, LeakyReLU, Sequential, cross_entropy_with_logits


class Softmax(Layer):
    """y = [s, p],  p = softmax(l),  of [s, l] = x (N, 1 + 8): a score beside probabilities."""

    def forward(self, x, train=True):
        e = np.exp(x[:, 1:] - x[:, 1:].max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return np.concatenate([x[:, :1], p], axis=1), p

    def input_grad(self, dy, p):
        ds, dp = dy[:, :1], dy[:, 1:]
        return np.concatenate([ds, p * (dp - (p * dp).sum(axis=1, keepdims=True))], axis=1)


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """Update D: tell real from fake, and the modes k of real ones: loss - mean log p(k | x)."""
    y_real, cache_real = discriminator.forward(x_real)
    y_fake, cache_fake = discriminator.forward(generator.forward(z)[0])
    s_real, s_fake = y_real[:, :1], y_fake[:, :1]
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    nats, dk = cross_entropy_with_logits(y_real[:, 1:], label(x_real))
    discriminator.zero_grad()
    discriminator.add_param_grads(np.concatenate([ds_real, dk], axis=1), cache_real)
    discriminator.add_param_grads(np.concatenate([ds_fake, 0 * dk], axis=1), cache_fake)
    optimizer.step()
    return value + nats, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    """Update G: make D take fake for real, and for the mode k asked for: loss - mean log p(k | x).
    """
    x_fake, cache_generator = generator.forward(z)
    y_fake, cache_discriminator = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(y_fake[:, :1])
    nats, dk = cross_entropy_with_logits(y_fake[:, 1:], asked(z))
    dy_fake = np.concatenate([ds_fake, dk], axis=1)
    generator.zero_grad()
    generator.add_param_grads(discriminator.input_grad(dy_fake, cache_discriminator),
                              cache_generator)
    optimizer.step()
    return value + nats, loss.shown(y_fake[:, :1]).mean()


def build(rng, width):
    generator = Sequential(Asked(), Dense(10, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 9, rng), Softmax())
    return generator, discriminator


gan = GAN(build, discriminator_step=discriminator_step, generator_step=generator_step,
          conditional=True)
