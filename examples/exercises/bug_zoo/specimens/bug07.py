"""A GAN on the ring of eight. Written here: the loss and D's step."""
from zoo import GAN

from minigan import Dense, LeakyReLU, Sequential
from minigan.losses import sigmoid, softplus


class CrossEntropy:
    """D: -mean log p(s_real) - mean log(1 - p(s_fake)),  G: -mean log p(s_fake),  p = sigmoid."""

    def discriminator(self, s_real, s_fake):
        value = softplus(-s_real).mean() + softplus(s_fake).mean()
        return value, self.score_grad(s_real, 1), self.score_grad(s_fake, 0)

    def generator(self, s_fake):
        return softplus(-s_fake).mean(), self.score_grad(s_fake, 1)

    def score_grad(self, s, target):
        """From the error of the probability, back through the sigmoid to the score."""
        p = sigmoid(s)
        dp = (p - target) / len(s)
        return dp * p * (1 - p)

    def shown(self, s):
        return sigmoid(s)

    def __repr__(self):
        return "CrossEntropy()"


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """Update D: tell real from fake."""
    s_real, cache_real = discriminator.forward(x_real)
    s_fake, cache_fake = discriminator.forward(generator.forward(z)[0])
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    discriminator.zero_grad()
    for ds, cache in [(ds_real, cache_real), (ds_fake, cache_fake)]:
        discriminator.add_param_grads(ds, cache)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def build(rng, width):
    generator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                           LeakyReLU(), Dense(width, 2, rng))
    discriminator = Sequential(Dense(2, width, rng), LeakyReLU(), Dense(width, width, rng),
                               LeakyReLU(), Dense(width, 1, rng))
    return generator, discriminator


gan = GAN(build, CrossEntropy(), discriminator_step, head_start=500)
