"""An InfoGAN on the ring of eight: the code c = z[:, :1] is to be read off the samples, by D's
second column. Written here: the code's term and both steps of the training."""
import numpy as np
from zoo import GAN

from minigan import Dense, LeakyReLU, Sequential


def code_term(m, c):
    """-mean log Q(c | x), but for a constant,  Q = N(m, 1):  mean of (m - c)^2 / 2 -> value, dm."""
    e = m - c
    return (e * e).mean() / 2, e / len(e)


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """Update D: tell real from fake, and read c off the fake ones: loss - mean log Q(c | x)."""
    y_real, cache_real = discriminator.forward(x_real)
    y_fake, cache_fake = discriminator.forward(generator.forward(z)[0])
    s_real, s_fake, m_fake = y_real[:, :1], y_fake[:, :1], y_fake[:, 1:]
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    term, dm_fake = code_term(m_fake, z[:, :1])
    discriminator.zero_grad()
    discriminator.add_param_grads(np.concatenate([ds_real, 0 * ds_real], axis=1), cache_real)
    discriminator.add_param_grads(np.concatenate([ds_fake, dm_fake], axis=1), cache_fake)
    optimizer.step()
    return value + term, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    """Update G: make D take fake for real, and let c be read off it: loss - mean log Q(c | x)."""
    x_fake, cache_generator = generator.forward(z)
    y_fake, cache_discriminator = discriminator.forward(x_fake)
    s_fake, m_fake = y_fake[:, :1], y_fake[:, 1:]
    value, ds_fake = loss.generator(s_fake)
    term, dm_fake = code_term(m_fake, z[:, :1])
    dy_fake = np.concatenate([ds_fake, -dm_fake], axis=1)
    generator.zero_grad()
    generator.add_param_grads(discriminator.input_grad(dy_fake, cache_discriminator),
                              cache_generator)
    optimizer.step()
    return value + term, loss.shown(s_fake).mean()


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 2, rng))
    return generator, discriminator


gan = GAN(build, discriminator_step=discriminator_step, generator_step=generator_step)
