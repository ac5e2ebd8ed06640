"""A GAN on the ring of eight. Written here: both steps of the training."""
import numpy as np
from zoo import GAN

from minigan import Dense, LeakyReLU, Sequential


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """Update D: tell real from fake."""
    x_fake, _ = generator.forward(z)
    s_real, cache_real = discriminator.forward(x_real)
    s_fake, cache_fake = discriminator.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    discriminator.zero_grad()
    discriminator.add_param_grads(ds_real, cache_real)
    discriminator.add_param_grads(ds_fake, cache_fake)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    """Update G: make D take fake for real."""
    x_fake, cache = generator.forward(z)
    s_fake, _ = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    generator.zero_grad()
    generator.add_param_grads(np.broadcast_to(ds_fake, x_fake.shape), cache)
    optimizer.step()
    return value, loss.shown(s_fake).mean()


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, discriminator_step=discriminator_step, generator_step=generator_step)
