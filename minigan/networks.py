"""The networks of the examples.  G: noise (N, latent_dim) -> images (N, size, size, 1) in [-1, 1],
D: images -> scores (N, 1).  norm: what D has between its layers, or None; under a gradient penalty
not BatchNorm, which mixes the examples."""
from minigan.activations import LeakyReLU, ReLU, Tanh
from minigan.conv import Conv2D, ConvTranspose2D
from minigan.dense import Dense
from minigan.layer import Sequential
from minigan.norm import BatchNorm
from minigan.shape import Flatten, Reshape


def mlp(latent_dim, rng, norm=None, width=256, size=28):
    """Dense layers only: 1.5 million parameters in G, half a million in D."""
    pixels = size * size
    generator = Sequential(
        Dense(latent_dim, width, rng), LeakyReLU(0.2),
        Dense(width, 2 * width, rng), BatchNorm(2 * width), LeakyReLU(0.2),
        Dense(2 * width, 4 * width, rng), BatchNorm(4 * width), LeakyReLU(0.2),
        Dense(4 * width, pixels, rng), Tanh(), Reshape(size, size, 1))
    discriminator = Sequential(
        Flatten(), Dense(pixels, 2 * width, rng), LeakyReLU(0.2),
        Dense(2 * width, width, rng), *([norm(width)] if norm else []), LeakyReLU(0.2),
        Dense(width, 1, rng))
    return generator, discriminator


def dcgan(latent_dim, rng, norm=BatchNorm, width=64, size=28):
    """The deep convolutional GAN of Radford et al. 2016, for 28 x 28; all weights N(0, 0.02^2)."""
    w = {"rng": rng, "std": 0.02}
    cells = size // 4  # 7: the images are halved twice
    generator = Sequential(
        Dense(latent_dim, cells * cells * 2 * width, **w), Reshape(cells, cells, 2 * width),
        BatchNorm(2 * width), ReLU(),
        ConvTranspose2D(2 * width, width, 4, stride=2, padding=1, **w), BatchNorm(width), ReLU(),
        ConvTranspose2D(width, 1, 4, stride=2, padding=1, **w), Tanh())
    discriminator = Sequential(
        Conv2D(1, width, 4, stride=2, padding=1, **w), LeakyReLU(0.2),
        Conv2D(width, 2 * width, 4, stride=2, padding=1, **w),
        *([norm(2 * width)] if norm else []), LeakyReLU(0.2),
        Flatten(), Dense(cells * cells * 2 * width, 1, **w))
    return generator, discriminator


NETWORKS = {"mlp": mlp, "dcgan": dcgan}
