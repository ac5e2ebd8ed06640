"""The networks of the examples.  G: noise (N, latent_dim) -> images (N, 28, 28, 1) in [-1, 1].
D: images -> scores (N, 1)."""
from minigan import (
    BatchNorm, Conv2D, ConvTranspose2D, Dense, Flatten, LeakyReLU, ReLU, Reshape, Sequential, Tanh)


def mlp(latent_dim, rng):
    """Dense layers only: 1.5 million parameters in G, half a million in D."""
    generator = Sequential(
        Dense(latent_dim, 256, rng), LeakyReLU(0.2),
        Dense(256, 512, rng), BatchNorm(512), LeakyReLU(0.2),
        Dense(512, 1024, rng), BatchNorm(1024), LeakyReLU(0.2),
        Dense(1024, 784, rng), Tanh(), Reshape(28, 28, 1))
    discriminator = Sequential(
        Flatten(),
        Dense(784, 512, rng), LeakyReLU(0.2),
        Dense(512, 256, rng), LeakyReLU(0.2),
        Dense(256, 1, rng))
    return generator, discriminator


def dcgan(latent_dim, rng):
    """The deep convolutional GAN of Radford et al. 2016, for 28 x 28; all weights N(0, 0.02^2)."""
    w = {"rng": rng, "std": 0.02}
    generator = Sequential(
        Dense(latent_dim, 7 * 7 * 128, **w), Reshape(7, 7, 128), BatchNorm(128), ReLU(),
        ConvTranspose2D(128, 64, 4, stride=2, padding=1, **w), BatchNorm(64), ReLU(),  # 14 x 14
        ConvTranspose2D(64, 1, 4, stride=2, padding=1, **w), Tanh())                   # 28 x 28
    discriminator = Sequential(
        Conv2D(1, 64, 4, stride=2, padding=1, **w), LeakyReLU(0.2),                    # 14 x 14
        Conv2D(64, 128, 4, stride=2, padding=1, **w), BatchNorm(128), LeakyReLU(0.2),  # 7 x 7
        Flatten(), Dense(7 * 7 * 128, 1, **w))
    return generator, discriminator


NETWORKS = {"mlp": mlp, "dcgan": dcgan}
