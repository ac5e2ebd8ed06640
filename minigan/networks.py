"""The networks of the examples.  G: noise (N, latent_dim) -> images (N, size, size, 1) in [-1, 1],
D: images -> scores (N, 1).  norm: what D has between its layers, or None; under a gradient penalty
not BatchNorm, which mixes the examples. size: of the images, for the convolutions 4, 8, 12, ..."""
from minigan.activations import LeakyReLU, ReLU, Shift, Tanh
from minigan.choice import Choice
from minigan.conv import Conv2D, ConvTranspose2D
from minigan.dense import Dense
from minigan.layer import Sequential
from minigan.minibatch import MinibatchDeviation
from minigan.norm import BatchNorm
from minigan.shape import Flatten, Reshape


def mlp(latent_dim, rng, norm=None, width=256, size=28, top=4):
    """Dense layers: 1.5 million weights in G, 0.5 in D. G's last hidden layer is top * width."""
    pixels, top = size * size, top * width
    generator = Sequential(
        Dense(latent_dim, width, rng), LeakyReLU(0.2),
        Dense(width, 2 * width, rng), BatchNorm(2 * width), LeakyReLU(0.2),
        Dense(2 * width, top, rng), BatchNorm(top), LeakyReLU(0.2),
        Dense(top, pixels, rng), Tanh(), Reshape(size, size, 1))
    discriminator = Sequential(
        Flatten(), Dense(pixels, 2 * width, rng), LeakyReLU(0.2),
        Dense(2 * width, width, rng), *([norm(width)] if norm else []), LeakyReLU(0.2),
        Dense(width, 1, rng))
    return generator, discriminator


def mlp_tuned(latent_dim, rng, norm=None, width=256, size=28):
    """The same, but G has a choice of ten, if z has room for it, and half the weights; D sees how
    much a batch differs, and black near 0: at 0, its first W could not learn that black is fake."""
    generator, discriminator = mlp(latent_dim, rng, norm, width, size, top=2)
    generator = Sequential(*choice_of_ten(latent_dim), *generator.layers)
    return generator, Sequential(Shift(0.8), *discriminator.layers[:-1], MinibatchDeviation(),
                                 Dense(width + 1, 1, rng))


def choice_of_ten(latent_dim, gain=1):
    return [Choice(10, gain)] if latent_dim > 10 else []


def dcgan(latent_dim, rng, norm=BatchNorm, width=64, size=28):
    """The deep convolutional GAN of Radford et al. 2016, for 28 x 28; all weights N(0, 0.02^2)."""
    w = {"rng": rng, "std": 0.02}
    cells = _quarter(size)  # 7: the images are halved twice
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


def dcgan_tuned(latent_dim, rng, norm=None, width=16, size=28):
    """Few channels, which cost time where there are many pixels, and dense layers below them, which
    cost little: the shape of InfoGAN's networks (Chen et al. 2016, appendix C.1)."""
    cells = _quarter(size)
    numbers = cells * cells * 2 * width
    generator = Sequential(
        *choice_of_ten(latent_dim, gain=2),  # so that each of the ten soon becomes one digit
        Dense(latent_dim, 32 * width, rng), BatchNorm(32 * width), LeakyReLU(0.2),
        Dense(32 * width, numbers, rng), Reshape(cells, cells, 2 * width), BatchNorm(2 * width),
        LeakyReLU(0.2),
        ConvTranspose2D(2 * width, width, 4, stride=2, padding=1, rng=rng), LeakyReLU(0.2),
        ConvTranspose2D(width, 1, 4, stride=2, padding=1, rng=rng), Tanh())
    discriminator = Sequential(
        Conv2D(1, width, 4, stride=2, padding=1, rng=rng), LeakyReLU(0.2),
        Conv2D(width, 2 * width, 4, stride=2, padding=1, rng=rng), LeakyReLU(0.2), Flatten(),
        Dense(numbers, 16 * width, rng), *([norm(16 * width)] if norm else []), LeakyReLU(0.2),
        MinibatchDeviation(), Dense(16 * width + 1, 1, rng))
    return generator, discriminator


def _quarter(size):
    if size % 4:
        raise ValueError(f"the convolutional networks take a multiple of 4 as size, got {size!r}")
    return size // 4


NETWORKS = {network.__name__: network for network in (mlp, mlp_tuned, dcgan, dcgan_tuned)}
