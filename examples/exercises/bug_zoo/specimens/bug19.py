"""A conditional GAN on the ring of eight: c says which mode. D takes [x, c] (N, 10), joined by
minigan.Given. Written here: both steps of the training."""
from zoo import GAN, Asked, asked, one_hot

from minigan import Dense, Given, LeakyReLU, Sequential


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """Update D: tell real points of their mode c from points that were drawn for a c."""
    x_fake, _ = generator.forward(z)
    judge = Given(discriminator, one_hot(asked(z)))
    s_real, cache_real = judge.forward(x_real)
    s_fake, cache_fake = judge.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    discriminator.zero_grad()
    judge.add_param_grads(ds_real, cache_real)
    judge.add_param_grads(ds_fake, cache_fake)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    """Update G: make D take fake for a real point of the mode that was asked for."""
    x_fake, cache_generator = generator.forward(z)
    judge = Given(discriminator, one_hot(asked(z)))
    s_fake, cache_discriminator = judge.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    generator.zero_grad()
    generator.add_param_grads(judge.input_grad(ds_fake, cache_discriminator), cache_generator)
    optimizer.step()
    return value, loss.shown(s_fake).mean()


def build(rng, width):
    generator = Sequential(Asked(), Dense(10, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(10, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, discriminator_step=discriminator_step, generator_step=generator_step,
          conditional=True)
