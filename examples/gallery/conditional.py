"""A conditional GAN: digits that are asked for by name (Mirza and Osindero 2014).

    python examples/gallery/conditional.py            trains, judges, and draws conditional.png

Both networks are told the label c of each image, as one-hot numbers: D(x | c) says whether x is a
real image *of a c*, so G(z | c) must draw a c. A network that is given c is any network whose input
is [x, c], x and c side by side. So what is new is the gradient there. With y = network([x, c]),

    y = [x, c] W = x W_x + c W_c,  W_x and W_c the upper and the lower rows of W
    [dx, dc] = dy W^T:   dx = dy W_x^T,   dc = dy W_c^T

the gradient is cut where the inputs were joined. In G's step dx goes back to G, and dc is dropped,
since nobody changes the label. In D's step W_x and W_c learn as one W. minigan.Given does the
cutting, and then the two steps of any GAN serve, with R1, whose gradient is that at x alone.

A D that ignored c would be content with a 3 where a 7 was asked for; that is why both, real and
fake, are shown with the same c, and why the figure below is the share that is read as asked for.
"""
import numpy as np

from minigan import (
    Adam, BatchNorm, Dense, Given, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty,
    Sequential, Shift, Tanh, discriminator_step, generator_step)
from minigan.workshop import (
    Judge, MovingAverage, labelled_digits, page, parzen_log_likelihood, progress, save_grid,
    to_float, train_classifier)

LATENT, BATCH, CLASSES = 100, 64, 10


def build(rng):
    """G: noise and label (N, 110) -> images as rows (N, 784); D: images and label -> scores."""
    generator = Sequential(
        Dense(LATENT + CLASSES, 256, rng), LeakyReLU(),
        Dense(256, 512, rng), BatchNorm(512), LeakyReLU(),
        Dense(512, 1024, rng), BatchNorm(1024), LeakyReLU(), Dense(1024, 784, rng), Tanh())
    discriminator = Sequential(
        Shift(1), Dense(784 + CLASSES, 512, rng), LeakyReLU(), Dense(512, 256, rng), LeakyReLU(),
        MinibatchDeviation(), Dense(257, 1, rng))
    return generator, discriminator


def one_hot(labels):
    """Labels (N,) -> c (N, 10): 1 at the label, else 0."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


def train(args, images, labels):
    """Returns the moving average of G."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    G, D = build(weights_rng)
    adam_g, adam_d = (Adam(net.parameters(), 2e-3, beta1=0, beta2=0.99) for net in (G, D))
    loss, penalty, average = NonSaturating(), R1Penalty(4 * 0.3), MovingAverage(G, 0.999)
    for step, show in progress(args.steps, "D(x | c)", "D(G(z | c) | c)"):
        some = rng.integers(len(images), size=BATCH)
        x_real, c = to_float(images[some]).reshape(BATCH, -1), one_hot(labels[some])
        z = rng.standard_normal((2, BATCH, LATENT), np.float32)
        due = penalty if step % 4 == 0 else None
        _, d_real, d_fake = discriminator_step(
            Given(G, c), Given(D, c), adam_d, loss, x_real, z[0], due)
        generator_step(Given(G, c), Given(D, c), adam_g, loss, z[1])
        average.update()
        show(d_real, d_fake)
    return average.network


def draw(G, z, labels):
    """Images (N, 28, 28) in [0, 1] of noise z (N, 100), of what the labels (N,) ask for."""
    return (Given(G, one_hot(labels))(z).reshape(-1, 28, 28) + 1) / 2


def main(words=None):
    with page(__doc__, 6000, words) as args:
        (images, labels), test = labelled_digits(args)
        G = train(args, images, labels)
        rng = np.random.default_rng(args.seed)
        count = 200 if args.dry_run else 10000
        asked = np.arange(count) % CLASSES
        samples = draw(G, rng.standard_normal((count, LATENT), np.float32), asked)
        z = rng.standard_normal((10, LATENT), np.float32).repeat(10, axis=0)  # a row has one z
        save_grid(args.out / "conditional.png", draw(G, z, np.tile(np.arange(10), 10)), columns=10)

        judge = Judge((images, labels), test, cached=args.data == "mnist")
        read = judge.look(samples)[1].argmax(axis=1)
        parzen, error, _ = parzen_log_likelihood(samples, judge.x_train[-1000:], judge.x_test)
        learned = train_classifier((255 * samples).astype(np.uint8), asked)
        p = judge.look(judge.x_test, learned)[1]
        print(f"read as asked for: {np.mean(read == asked):.1%}")
        print(f"Parzen: {parzen:.0f} +- {error:.0f}")
        print(f"who learned from samples alone reads {np.mean(p.argmax(axis=1) == test[1]):.1%}")


if __name__ == "__main__":
    main()
