"""A generator, backwards: which z makes this digit? (Bora et al. 2017, Yeh et al. 2017).

    python examples/mnist_gan.py                      trains the G: any checkpoint of it will do
    python examples/gallery/invert.py                 repairs digits, and draws invert.png

Training throws one gradient away, dz, that at the noise: minigan/train.py calls it "not needed".
Here it is the one that is. G has learned and stays as it is; what learns is z. Of an image x there
is left y = A x alone: A covers a part of it, or makes one pixel of each 4 x 4. Wanted is a z whose
image looks like y through A, and which is a likely one, as z ~ N(0, 1). So with x_fake = G(z)

    L(z) = sum of (A x_fake - y)^2 + w sum of z^2
    dx_fake = A^T 2 (A x_fake - y)
    dz = (∂G/∂z)^T dx_fake + 2 w z

(of all z the most probable, if y has noise of variance w). Where A saw nothing, dx_fake is 0: what
belongs there G alone knows. Of G this takes input_grad, and not add_param_grads; and its forward
pass is that of use, train=False, else BatchNorm would let each z change the images of all others.

L has many valleys, and from anywhere an Adam ends in a poor one. So of 2,000 z the four that come
nearest to y are where each digit starts, and the best end counts.
"""
from pathlib import Path

import numpy as np

from minigan import Adam, AveragePool2D, Layer, Parameter, Sequential, Upsample2D
from minigan.networks import mlp_tuned
from minigan.workshop import (
    Judge, labelled_digits, load_generator, page, progress, save_grid, to_float)

TRIES, STARTS, WEIGHT = 2000, 4, 0.1


class Mask(Layer):
    """y = known x,  dx = known dy.  known (28, 28, 1) is 1 where x is seen; elsewhere y is 0, grey.
    """

    def __init__(self, known):
        self.known = known

    def forward(self, x, train=True):
        return self.known * x, None

    def input_grad(self, dy, cache):
        return self.known * dy


def build():
    """What is left of images (N, 28, 28, 1), as such images: {name: A}."""
    hole, half, whole = np.ones((3, 28, 28, 1), np.float32)
    hole[9:19, 9:19] = half[:, 14:] = 0
    return {"hole": Mask(hole), "half": Mask(half),
            "7 x 7": Sequential(AveragePool2D(4), Upsample2D(4)), "whole": Mask(whole)}


def inversion_step(generator, A, optimizer, z, y):
    """Update z, a Parameter (N, latent): bring A G(z) nearer to y. Returns loss value, and that of
    each z, (N,). optimizer holds z."""
    x_fake, cache_generator = generator.forward(z.value, train=False)
    y_fake, cache_A = A.forward(x_fake)
    e = y_fake - y
    values = (e * e).sum(axis=(1, 2, 3)) + WEIGHT * (z.value * z.value).sum(axis=1)
    dx_fake = A.input_grad(2 * e, cache_A)
    z.grad.fill(0)
    z.grad += generator.input_grad(dx_fake, cache_generator)
    used = z.grad != 0  # not what a Choice in G has chosen from, which is to stay as it is
    z.grad += 2 * WEIGHT * z.value * used
    optimizer.step()
    return values.sum(), values


def nearest(y, y_tries):
    """Of each y the STARTS nearest among y_tries, best first: their indices (N, STARTS)."""
    y, y_tries = y.reshape(len(y), -1), y_tries.reshape(len(y_tries), -1)
    distances = (y_tries * y_tries).sum(axis=1) - 2 * y @ y_tries.T  # + y^2, the same in a row
    return distances.argsort(axis=1)[:, :STARTS]


def train(args, G, A, y, tries):
    """Noise (N, latent) whose images are y to A: the nearest of tries, and what dz makes of them.
    """
    starts = tries[nearest(y, A(G(tries)))]  # (N, STARTS, latent)
    z, y = Parameter(starts.reshape(-1, starts.shape[-1])), y.repeat(STARTS, axis=0)
    adam = Adam([z], 0.1, beta1=0.9, beta2=0.99)
    for _, show in progress(args.steps, "L(z)"):
        value, values = inversion_step(G, A, adam, z, y)
        show(value / len(y))
    best = values.reshape(-1, STARTS).argmin(axis=1)
    return starts[:, 0], z.value.reshape(starts.shape)[np.arange(len(best)), best]


def report(judge, images, x, labels):
    """In words: how near images are to the true x, as PSNR, and how many are read rightly."""
    with np.errstate(divide="ignore"):  # where they are x
        psnr = -10 * np.log10(((images - x) ** 2).mean(axis=(1, 2, 3)) / 4)
    read = judge.look((images[..., 0] + 1) / 2)[1].argmax(axis=1)
    return f"{psnr.mean():.1f} dB, {np.mean(read == labels):.1%} read rightly"


def main(words=None):
    with page(__doc__, 200, words, checkpoint="runs/mnist_gan/checkpoint.npz") as args:
        if args.dry_run:
            G, latent = mlp_tuned(20, args.seed, width=16)[0], 20
        elif Path(args.checkpoint).exists():
            G, latent = load_generator(args.checkpoint)
        else:
            raise FileNotFoundError(f"there is no checkpoint {args.checkpoint}: make one with "
                                    "examples/mnist_gan.py, or name one with --checkpoint")
        pairs, test = labelled_digits(args)
        judge = Judge(pairs, test, cached=args.data == "mnist")
        rng = np.random.default_rng(args.seed)
        tries = rng.standard_normal((TRIES, latent), np.float32)
        some = np.stack([rng.choice(np.flatnonzero(test[1] == digit), 2 if args.dry_run else 20)
                         for digit in range(10)], axis=1).ravel()  # 0 to 9, and again
        x, labels, rows = to_float(test[0][some]), test[1][some], []
        for name, A in build().items():
            y = A(x)
            near, found = (G(z) for z in train(args, G, A, y, tries))
            left = np.where(y == 0, np.float32(-1), y)  # black where nothing is seen
            for word, images in {"left": left, "nearest": near, "found": found}.items():
                print(f"{name}, {word}: {report(judge, images, x, labels)}")
            rows += [near[:10] if name == "whole" else y[:10], found[:10], x[:10]]
        save_grid(args.out / "invert.png", (np.concatenate(rows)[..., 0] + 1) / 2, columns=10)


if __name__ == "__main__":
    main()
