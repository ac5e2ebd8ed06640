"""An unrolled GAN on the ring of eight: G looks at the D that will be there in two steps. Written
here: these steps of D's, and G's step."""
import copy

from zoo import GAN, ring

from minigan import Dense, LeakyReLU, Sequential

AHEAD, RATE = 2, 0.3


def descend(D, loss, x_fake):
    """One step of D's own, theta -= RATE ∂L_D/∂theta, with the eight modes as real points."""
    s_real, cache_real = D.forward(ring().astype(x_fake.dtype))
    s_fake, cache_fake = D.forward(x_fake)
    _, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    D.add_param_grads(ds_fake, cache_fake)
    for p in D.parameters():
        p.value -= RATE * p.grad


def generator_step(generator, discriminator, optimizer, loss, z):
    """Update G: make D take fake for real, after AHEAD steps on this x_fake that D is to make: the
    loss is a function of x_fake, and of the theta to which these steps lead from here."""
    x_fake, cache_generator = generator.forward(z)
    D = copy.deepcopy(discriminator)
    for _ in range(AHEAD):
        descend(D, loss, x_fake)
    s_fake, cache = D.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    dx_fake = D.input_grad(ds_fake, cache)
    generator.zero_grad()
    generator.add_param_grads(dx_fake, cache_generator)
    optimizer.step()
    return value, loss.shown(s_fake).mean()


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, generator_step=generator_step, steps=500)
