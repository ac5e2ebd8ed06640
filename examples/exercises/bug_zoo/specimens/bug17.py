"""A variational autoencoder on the ring of eight: G decodes, and in D's place there is an encoder.
Written here: the draw, the divergence, and the step of both."""
import numpy as np
from zoo import GAN

from minigan import Adam, Dense, LeakyReLU, Sequential


def draw(h, e):
    """z ~ N(mu, exp(log_var)), (N, 2), of [mu, log_var] = h (N, 4) and e ~ N(0, 1), (N, 2)."""
    mu, log_var = np.split(h, 2, axis=1)
    return mu + np.exp(log_var) * e


def draw_grad(dz, h, e):
    """dh, of dz and what draw was handed."""
    _, log_var = np.split(h, 2, axis=1)
    return np.concatenate([dz, dz * np.exp(log_var) * e], axis=1)


def divergence(h):
    """KL(N(mu, exp(log_var)) || N(0, 1)) = sum of (mu^2 + exp(log_var) - 1 - log_var) / 2, mean
    over N -> value, dh."""
    mu, log_var = np.split(h, 2, axis=1)
    value = (mu * mu + np.exp(log_var) - 1 - log_var).sum() / 2 / len(h)
    return value, np.concatenate([mu, (np.exp(log_var) - 1) / 2], axis=1) / len(h)


def reconstruction(y, x, std=0.1):
    """-mean log N(x; y, std^2), but for a constant -> value, dy."""
    e = (y - x) / std
    return (e * e).sum() / 2 / len(x), e / std / len(x)


def step(decoder, encoder, optimizer, loss, x, e, penalty=None):
    """Update both: encode x, draw z, decode it; the loss is the reconstruction's + divergence."""
    h, cache_encoder = encoder.forward(x)
    z = draw(h, e)
    y, cache_decoder = decoder.forward(z)
    value, dy = reconstruction(y, x)
    nats, dh = divergence(h)
    encoder.zero_grad()
    decoder.zero_grad()
    dz = decoder.backward(dy, cache_decoder)
    encoder.add_param_grads(draw_grad(dz, h, e) + dh, cache_encoder)
    optimizer.step()
    return value + nats, nats


def optimizers(decoder, encoder):
    """Of both, the second: there is one step."""
    return Adam(decoder.parameters(), lr=1e-3), Adam(
        decoder.parameters() + encoder.parameters(), lr=1e-3)


def build(rng, width):
    decoder = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                         LeakyReLU(), Dense(width, 2, rng))
    encoder = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                         LeakyReLU(), Dense(width, 4, rng))
    return decoder, encoder


gan = GAN(build, discriminator_step=step, generator_step=None, optimizers=optimizers)
