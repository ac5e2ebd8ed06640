"""Few images: D must not learn them by heart (DiffAugment, Zhao et al. 2020).

    python examples/gallery/few_images.py                   600 images, without and with shifts
    python examples/gallery/few_images.py --images 6000     or 60000

A D that sees the same 600 images again and again knows them by heart: it gives them high scores,
and real images that it has not seen no better ones than fakes. What it tells G is then no longer
what makes a digit real. So whenever D looks at an image it is moved at random, by a pixel or none,
in both directions: T x in place of x, nine images for each. Three things must be right:

    D's step, real:   s_real = D(T x)        else D learns x itself by heart
    D's step, fake:   s_fake = D(T G(z))     else G learns to draw digits that are moved
    G's step:         s_fake = D(T G(z))     else D judges what it has never learned from

New is the gradient in the third: it has to come back through T. With (a, b) drawn for each image,

    y = T x:       y[i, j] = x[i - a, j - b],     0 where x has no such pixel
    dx = T^T dy:   dx[i, j] = dy[i + a, j + b],   0 where y has none: x[i, j] was pushed out

T is linear, a matrix of zeros and ones, and its transpose is the shift by (-a, -b). What was drawn
belongs to the call, so it goes into the cache: D runs on real, on fakes, and again for R1, and each
time T is another one. With dx = dy a pixel of G would be told what its neighbour has to do, with
the wrong sign what one twice as far away has to. R1's tangent is the same map, y_dot = T x_dot, and
has no curvature. In use D takes images as they are, which is one of T's draws.
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigan import (
    Adam, BatchNorm, Dense, Flatten, Layer, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty,
    Reshape, Sequential, Shift, Tanh, discriminator_step, generator_step)
from minigan.workshop import (
    Judge, MovingAverage, frechet_distance, image_grid, labelled_digits, page, progress, to_float,
    whole_file)

LATENT, BATCH, MOST = 64, 64, 1


class RandomShift(Layer):
    """y = T x,  dx = T^T dy,  T: down and right by (a, b), whole numbers from -most to most, drawn
    anew for each image at each call; in use y = x.  x, y (N, H, W); zeros come in from outside."""

    def __init__(self, most, rng=None):
        self.most, self.rng = most, np.random.default_rng(rng)

    def move(self, x, by):
        """x (N, H, W), each image moved by its (a, b), the rows of by (N, 2)."""
        (N, H, W), k = x.shape, self.most
        wide = np.zeros((N, H + 2 * k, W + 2 * k), x.dtype)
        wide[:, k:k + H, k:k + W] = x
        windows = sliding_window_view(wide, (H, W), axis=(1, 2))  # [n, r, c] begins at r, c
        return windows[np.arange(N), k - by[:, 0], k - by[:, 1]]

    def forward(self, x, train=True):
        most = self.most if train else 0
        by = self.rng.integers(-most, most + 1, (len(x), 2))
        return self.move(x, by), by

    def input_grad(self, dy, by):
        return self.move(dy, -by)

    def tangent(self, x_dot, by):
        return self.move(x_dot, by), None


def build(rng, shift):
    """G: noise (N, 64) -> images as rows (N, 784); D: rows -> scores, shift inside."""
    generator = Sequential(
        Dense(LATENT, 128, rng), LeakyReLU(), Dense(128, 256, rng), BatchNorm(256), LeakyReLU(),
        Dense(256, 256, rng), BatchNorm(256), LeakyReLU(), Dense(256, 784, rng), Tanh())
    discriminator = Sequential(
        Shift(1), Reshape(28, 28), shift, Flatten(),  # the background is 0, as what comes in
        Dense(784, 256, rng), LeakyReLU(), Dense(256, 128, rng), LeakyReLU(),
        MinibatchDeviation(), Dense(129, 1, rng))
    return generator, discriminator


def train(args, images, unseen, most):
    """Returns the moving average of G, and rows (step, mean D(x), D(unseen), D(G(z))): what D said
    on the way, of images that it learns from, of others, and of fakes."""
    weights_rng, rng, shift_rng = np.random.default_rng(args.seed).spawn(3)
    G, D = build(weights_rng, RandomShift(most, shift_rng))
    adam_g, adam_d = (Adam(net.parameters(), 2e-3, beta1=0, beta2=0.99) for net in (G, D))
    loss, penalty, average = NonSaturating(), R1Penalty(4 * 0.3), MovingAverage(G, 0.999)
    some_z, said = rng.standard_normal((500, LATENT), np.float32), []
    for step, show in progress(args.steps, "D(x)", "D(unseen)", "D(G(z))"):
        x_real = images[rng.integers(len(images), size=BATCH)]
        z = rng.standard_normal((2, BATCH, LATENT), np.float32)
        due = penalty if step % 4 == 0 else None
        discriminator_step(G, D, adam_d, loss, x_real, z[0], due)
        generator_step(G, D, adam_g, loss, z[1])
        average.update()
        if step % max(1, args.steps // 100) == 0:
            said.append((step, *(loss.shown(D(x)).mean()
                                 for x in (images[:500], unseen[:500], G(some_z)))))
        show(*said[-1][1:])
    return average.network, np.array(said)


def rows(images):
    """uint8 (N, 28, 28) -> (N, 784) in [-1, 1]."""
    return to_float(images).reshape(len(images), -1)


def draw(path, results):
    """results: {words: (samples, said)}: samples above what D said on the way, a column each."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    for (above, below), (words, (samples, said)) in zip(figure.subplots(2, 2).T, results.items()):
        above.set_title(words)
        above.imshow(image_grid(samples, columns=12), cmap="gray", vmin=0, vmax=1)
        above.axis("off")
        for values, name in zip(said.T[1:], ("training images", "unseen images", "fakes")):
            below.plot(said[:, 0], values, label=name)
        below.set(xlabel="step", ylabel="D takes for real", ylim=(0, 1))
        below.legend()
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=100)


def main(words=None):
    with page(__doc__, 3000, words, images=600) as args:
        train_pair, test = labelled_digits(args)
        judge = Judge(train_pair, test, cached=args.data == "mnist")
        rng, results = np.random.default_rng(args.seed), {}
        few = rows(rng.permutation(train_pair[0])[:args.images])
        z = rng.standard_normal((200 if args.dry_run else 10000, LATENT), np.float32)
        for name, most in (("without shifts", 0), ("with shifts", MOST)):
            G, said = train(args, few, rows(test[0]), most)
            samples = (G(z).reshape(-1, 28, 28) + 1) / 2
            distance = frechet_distance(judge.look(samples)[0], judge.features_test)
            results[f"{len(few)} images, {name}: distance {distance:.1f}"] = samples[:60], said
            seen, unseen, fake = said[-len(said) // 4:, 1:].mean(axis=0)
            print(f"{len(few)} images, {name}: distance {distance:.2f}; in the last quarter "
                  f"D(x) {seen:.2f}, of unseen x {unseen:.2f}, D(G(z)) {fake:.2f}")
        draw(args.out / "few_images.png", results)


if __name__ == "__main__":
    main()
