"""InfoGAN: a code that G must show, and that turns out to be the digit (Chen et al. 2016).

    python examples/gallery/infogan.py                trains, judges, and draws infogan.png

Nobody says which digit an image is. G is given, beside noise z, a code c that is drawn at random:
one of ten values k, and two numbers u in [-1, 1]; and D must guess it from the image. So its last
Dense has more columns than that of the score s: q, the logits of k, and m, what u may be. Both

    L_D, L_G = adversarial, as in any GAN + weight_k CE(q_fake, k) + weight_u MSE(m_fake, u)

fall by the new terms: D learns to read the code, G to show it. log 10 - CE is a lower bound of the
mutual information of k and image, and log 10 is constant. With h, what reaches the last Dense,

    [s, q, m] = y = h W,  W = [W_s, W_q, W_m]        the heads are columns, side by side
    dy = [ds, dq, dm]                                each from its own loss
    dh = dy W^T = ds W_s^T + dq W_q^T + dm W_m^T

the gradients of the heads add up in the layers that they share, by themselves, and G gets the dx of
all three in one. Nobody knows the code of a real image: there dq = dm = 0. R1 is to look at the
score alone, g = ∂s/∂x: else it would flatten what tells the codes apart. So above D comes a layer
Score, s = y[:, :1], whose way back is dy = [ds, 0, 0]; in R1's second sweep dy_dot = [1, 0, 0].

Without dq in G's step, G has no reason to show k; without it in D's, G shows k to a reader who
understands nothing. That k can be read does not make it the digit: by a large weight it is read
after a few hundred steps, long before there are digits, and then it keeps what it has come to mean.
So weight_k is small: first each kind of digit finds a value of k by itself, since G can draw it
most easily so (minigan/choice.py), and D learns to read what is there. Nothing comes to u by
itself. It waits until there are digits, and then weight_u grows large: they are k's by now, and
what is left for u are the ways to write one. Labels are used once, after training: to say which
digit each value has found.
"""
import numpy as np

from minigan import (
    Adam, BatchNorm, Conv2D, ConvTranspose2D, Dense, Flatten, Given, Layer, LeakyReLU,
    MinibatchDeviation, NonSaturating, R1Penalty, Reshape, Sequential, Tanh,
    cross_entropy_with_logits, mean_squared_error)
from minigan.workshop import MovingAverage, labelled_digits, page, progress, save_grid, to_float

LATENT, BATCH, VALUES, NUMBERS, WEIGHT_K = 62, 32, 10, 2, 0.01
CODES = VALUES ** 0.5 * np.eye(VALUES, dtype=np.float32)  # as long as the noise of 10 numbers


def build(rng):
    """G: noise and code (N, 74) -> images (N, 28, 28, 1); D: images -> [s, q, m] (N, 1 + 12). The
    paper's networks, with a quarter of their channels."""
    generator = Sequential(
        Dense(LATENT + VALUES + NUMBERS, 512, rng), BatchNorm(512), LeakyReLU(),
        Dense(512, 7 * 7 * 32, rng), Reshape(7, 7, 32), BatchNorm(32), LeakyReLU(),
        ConvTranspose2D(32, 16, 4, stride=2, padding=1, rng=rng), LeakyReLU(),
        ConvTranspose2D(16, 1, 4, stride=2, padding=1, rng=rng), Tanh())
    discriminator = Sequential(
        Conv2D(1, 16, 4, stride=2, padding=1, rng=rng), LeakyReLU(),
        Conv2D(16, 32, 4, stride=2, padding=1, rng=rng), LeakyReLU(), Flatten(),
        Dense(7 * 7 * 32, 256, rng), LeakyReLU(),
        MinibatchDeviation(), Dense(257, 1 + VALUES + NUMBERS, rng))
    return generator, discriminator


class Score(Layer):
    """s = y[:, :1];  dy = [ds, 0 ... 0].  y (N, K), s (N, 1)."""

    def forward(self, y, train=True):
        return y[:, :1], y.shape

    def input_grad(self, ds, shape):
        dy = np.zeros(shape, ds.dtype)
        dy[:, :1] = ds
        return dy

    def tangent(self, y_dot, _):
        return y_dot[:, :1], None


def code_loss(guess, c, weight_u):
    """WEIGHT_K CE(q, k) + weight_u MSE(m, u) -> value, [dq, dm].  guess = [q, m], c = [k, u]."""
    value, dq = cross_entropy_with_logits(guess[:, :VALUES], c[:, :VALUES].argmax(axis=1))
    error, dm = mean_squared_error(guess[:, VALUES:], c[:, VALUES:])
    return WEIGHT_K * value + weight_u * error, np.hstack([WEIGHT_K * dq, weight_u * dm])


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, c, weight_u,
                       penalty=None):
    """(1) Update D: tell real from fake, and read c. Returns value, mean D(x), D(G(z, c))."""
    x_fake = Given(generator, c).forward(z)[0]
    y_real, cache_real = discriminator.forward(x_real)
    y_fake, cache_fake = discriminator.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(y_real[:, :1], y_fake[:, :1])
    misread, dq_fake = code_loss(y_fake[:, 1:], c, weight_u)
    discriminator.zero_grad()
    discriminator.add_param_grads(np.hstack([ds_real, 0 * dq_fake]), cache_real)
    discriminator.add_param_grads(np.hstack([ds_fake, dq_fake]), cache_fake)
    value = value + misread
    if penalty is not None:
        value = value + penalty(Sequential(discriminator, Score()), x_real, x_fake)
    optimizer.step()
    return value, loss.shown(y_real[:, :1]).mean(), loss.shown(y_fake[:, :1]).mean()


def generator_step(generator, discriminator, optimizer, loss, z, c, weight_u):
    """(2) Update G: make D take fake for real, and read c. Returns value, code_loss's part."""
    generator = Given(generator, c)
    x_fake, cache_generator = generator.forward(z)
    y_fake, cache_discriminator = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(y_fake[:, :1])
    misread, dq_fake = code_loss(y_fake[:, 1:], c, weight_u)
    dx_fake = discriminator.input_grad(np.hstack([ds_fake, dq_fake]), cache_discriminator)
    generator.zero_grad()
    generator.add_param_grads(dx_fake, cache_generator)
    optimizer.step()
    return value + misread, misread


def draw_latent(rng, count):
    """z (N, 62), normal, and c = [one-hot k, u] (N, 12): a value and two numbers, uniform."""
    k = CODES[rng.integers(VALUES, size=count)]
    u = rng.uniform(-1, 1, (count, NUMBERS)).astype(np.float32)
    return rng.standard_normal((count, LATENT), np.float32), np.hstack([k, u])


def train(args, images):
    """Returns the moving averages of G and D."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    G, D = build(weights_rng)
    adam_g, adam_d = (Adam(net.parameters(), 2e-3, beta1=0, beta2=0.99) for net in (G, D))
    loss, penalty = NonSaturating(), R1Penalty(4 * 1.0)
    averages = [MovingAverage(network, 0.999) for network in (G, D)]
    for step, show in progress(args.steps, "D(x)", "D(G(z, c))", "misread"):
        x_real = to_float(images[rng.integers(len(images), size=BATCH)])
        adam_g.lr = adam_d.lr = 2e-3 * min(1, 1.9 - 1.8 * step / args.steps)
        weight_u = max(WEIGHT_K, 0.4 * step / args.steps - 0.12)  # it rises from a third on
        due = penalty if step % 4 == 0 else None
        _, d_real, d_fake = discriminator_step(
            G, D, adam_d, loss, x_real, *draw_latent(rng, BATCH), weight_u, due)
        _, misread = generator_step(G, D, adam_g, loss, *draw_latent(rng, BATCH), weight_u)
        for average in averages:
            average.update()
        show(d_real, d_fake, misread)
    return [average.network for average in averages]


def name_values(k, labels):
    """The commonest digit of each value of the code, (10,), and the share of labels it misses."""
    counts = np.zeros((VALUES, 10), int)
    np.add.at(counts, (k, labels), 1)
    return counts.argmax(axis=1), 1 - counts.max(axis=1).sum() / len(labels)


def draw(G, rng, order):
    """Images (N, 28, 28), ten a row: five z in all values of k; then three z in one value each, as
    u_1 goes from -1 to 1, and the same three, as u_2 does."""
    rows = [0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 7]
    z, c = (some[rows].repeat(10, axis=0) for some in draw_latent(rng, 8))
    c[:50, :VALUES] = np.tile(CODES[order], (5, 1))
    c[50:, :VALUES] = CODES[order[[1, 3, 7, 1, 3, 7]]].repeat(10, axis=0)
    c[50:80, VALUES] = c[80:, VALUES + 1] = np.tile(np.linspace(-1, 1, 10), 3)
    return (Given(G, c)(z).reshape(-1, 28, 28) + 1) / 2


def main(words=None):
    with page(__doc__, 7000, words) as args:
        (images, _), (test_images, labels) = labelled_digits(args)
        G, D = train(args, images)
        guess = np.concatenate([D(to_float(some))[:, 1:] for some in np.split(test_images, 10)])
        names, error = name_values(guess[:, :VALUES].argmax(axis=1), labels)
        rng = np.random.default_rng(args.seed)
        save_grid(args.out / "infogan.png", draw(G, rng, names.argsort()), columns=10)

        z, c = draw_latent(rng, 200 if args.dry_run else 2000)
        q, m = np.split(D(Given(G, c)(z))[:, 1:], [VALUES], axis=1)
        lost, _ = cross_entropy_with_logits(q, c[:, :VALUES].argmax(axis=1))
        missed = 3 * ((m - c[:, VALUES:]) ** 2).mean(axis=0)  # u's variance is 1/3
        print("the values of the code have found the digits", *np.sort(names))
        print(f"as a classifier of the test images the code errs on {error:.1%}")
        print(f"mutual information: {np.log(VALUES) - lost:.2f} of {np.log(VALUES):.2f} nats")
        print("of the variance of u_1 and u_2 D reads", *(f"{1 - share:.0%}" for share in missed))


if __name__ == "__main__":
    main()
