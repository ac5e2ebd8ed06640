"""A GAN that learns with your own gradients, those of the exercises.

    python examples/exercises/play.py ring      after exercise 4: eight Gaussians on a ring
    python examples/exercises/play.py digits    after exercise 6: digits, with dense layers
    python examples/exercises/play.py dcgan     after exercise 8: digits, with convolutions
    python examples/exercises/play.py wgan      after exercise 10: the ring again, by WGAN-GP

Pictures go to runs/exercises. --solutions runs the reference solutions in place of your code.
"""
import argparse
import math
import os
import sys
import time
from pathlib import Path

import check
import numpy as np

import minigan
from minigan import Sequential, workshop

NEEDS = {"ring": range(1, 5), "digits": range(1, 7), "dcgan": range(1, 9),
         "wgan": (1, 2, 4, 6, 9, 10)}  # the exercises
STEPS = {"ring": 3000, "digits": 3000, "dcgan": 1500, "wgan": 1500}
CENTRES, SPREAD = workshop.ring(), 0.15  # SPREAD: the standard deviation of each Gaussian


class Ring:
    """Points (N, 2) around eight centres."""

    def batch(self, rng, count):
        return workshop.draw_points(CENTRES, SPREAD, count, rng)

    def describe(self, x):
        found, share = workshop.count_modes(x, CENTRES, SPREAD)
        return f"{found} of 8 Gaussians found, {share:.0%} of points on one"

    def draw(self, path, x):
        from matplotlib.figure import Figure
        axes = (figure := Figure(figsize=(5, 5))).add_subplot(aspect="equal")
        axes.scatter(*self.batch(np.random.default_rng(0), len(x)).T, 2, label="real")
        axes.scatter(*x.T, 2, label="fake")
        axes.legend()
        figure.savefig(path)


class Digits:
    """Images of the given shape, in [-1, 1]."""

    def __init__(self, mnist, *shape):
        self.shape = shape
        self.images = (workshop.load_mnist()[0] if mnist
                       else workshop.draw_digits(10000, np.random.default_rng(0))[0])

    def batch(self, rng, count):
        some = self.images[rng.integers(len(self.images), size=count)]
        return workshop.to_float(some).reshape(count, *self.shape)

    def describe(self, x):
        return ""

    def draw(self, path, x):
        workshop.save_grid(path, (x[:64].reshape(-1, 28, 28) + 1) / 2)


def ring(ex, args):
    """What `learn` takes: the data; G, D; their optimizers; the loss; the batch's size."""
    dense, leaky, rng = ex[1].Dense, ex[2].LeakyReLU, np.random.default_rng(0)
    G = Sequential(dense(2, 64, rng), leaky(), dense(64, 64, rng), leaky(), dense(64, 2, rng))
    D = Sequential(dense(2, 64, rng), leaky(), dense(64, 64, rng), leaky(), dense(64, 1, rng))
    adams = [minigan.Adam(network.parameters(), 1e-3) for network in (G, D)]
    return Ring(), G, D, adams, ex[3].NonSaturating(), 128


def digits(ex, args):
    dense, leaky, tanh, norm = ex[1].Dense, ex[2].LeakyReLU, ex[2].Tanh, ex[5].BatchNorm
    rng = np.random.default_rng(0)
    G = Sequential(dense(64, 256, rng), norm(256), leaky(),
                   dense(256, 512, rng), norm(512), leaky(), dense(512, 784, rng), tanh())
    D = Sequential(dense(784, 256, rng), leaky(), dense(256, 256, rng), leaky(),
                   dense(256, 1, rng))
    adams = [ex[6].Adam(network.parameters(), 5e-4) for network in (G, D)]
    return Digits(args.mnist, 784), G, D, adams, ex[3].NonSaturating(), 64


def dcgan(ex, args):
    dense, leaky, tanh, norm = ex[1].Dense, ex[2].LeakyReLU, ex[2].Tanh, ex[5].BatchNorm
    conv, transposed, rng = ex[7].Conv2D, ex[8].ConvTranspose2D, np.random.default_rng(0)
    G = Sequential(dense(64, 7 * 7 * 32, rng), norm(7 * 7 * 32), leaky(), minigan.Reshape(7, 7, 32),
                   transposed(32, 16, 4, stride=2, padding=1, rng=rng), leaky(),
                   transposed(16, 1, 4, stride=2, padding=1, rng=rng), tanh())
    D = Sequential(conv(1, 16, 4, stride=2, padding=1, rng=rng), leaky(),
                   conv(16, 32, 4, stride=2, padding=1, rng=rng), leaky(),
                   minigan.Flatten(), dense(7 * 7 * 32, 1, rng))
    adams = [ex[6].Adam(network.parameters(), 1e-3) for network in (G, D)]
    return Digits(args.mnist, 28, 28, 1), G, D, adams, ex[3].NonSaturating(), 64


def wgan(ex, args):
    dense, leaky, tanh, network = ex[10].Dense, ex[9].LeakyReLU, ex[10].Tanh, ex[9].Network
    rng, places = np.random.default_rng(0), np.random.default_rng(1)
    G = network(dense(2, 64, rng), leaky(), dense(64, 64, rng), leaky(), dense(64, 2, rng))
    D = network(dense(2, 64, rng), tanh(), dense(64, 64, rng), leaky(), dense(64, 1, rng))
    adams = [ex[6].Adam(network.parameters(), 1e-3, beta1=0.5, beta2=0.9) for network in (G, D)]

    def penalty(D, x_real, x_fake):
        return ex[10].gradient_penalty(D, minigan.interpolate(x_real, x_fake, places), weight=1.0)
    return Ring(), G, D, adams, minigan.Wasserstein(), 128, penalty, 5


def learn(ex, args, data, G, D, adams, loss, count, penalty=None, steps_of_D=1):
    """Trains, says how it goes, and returns 2000 fakes."""
    rng, started = np.random.default_rng(2), time.perf_counter()
    latent = G.layers[0].in_features

    def noise(count):
        return rng.standard_normal((count, latent), np.float32)
    try:
        for step in range(1, args.steps + 1):
            for _ in range(steps_of_D):
                d_loss, d_real, d_fake = ex[4].discriminator_step(
                    G, D, adams[1], loss, data.batch(rng, count), noise(count), penalty)
            g_loss, _ = ex[4].generator_step(G, D, adams[0], loss, noise(count))
            if step % math.ceil(args.steps / 10) == 0 or step == args.steps:
                print(f"step {step:4}, {time.perf_counter() - started:3.0f} s: "
                      f"D loss {d_loss:6.3f}, G loss {g_loss:6.3f}, D(x) {d_real:5.2f}, "
                      f"D(G(z)) {d_fake:5.2f}  {data.describe(G(noise(500)))}", flush=True)
    except KeyboardInterrupt:
        print("\nStopped; this is what G has learned so far.")
    return G(noise(2000))


def ready(name, folder):
    """{number: module} of the exercises that it needs; ends the program if one is not done."""
    left = {number: answer for number in NEEDS[name]
            if (answer := check.summary(check.judge(number, folder))) != "done"}
    if left:
        sys.exit("\n".join([
            f"{name} runs with your own code of exercises {', '.join(map(str, NEEDS[name]))}. "
            "Not done yet:",
            *(f"    {check.title_of(number)}: {answer}" for number, answer in left.items()),
            f"To go on: python {check.HERE}/check.py {min(left)}"]))
    return {number: check.load(number, folder) for number in NEEDS[name]}


def main(words=None):
    parser = argparse.ArgumentParser(description="A GAN that learns with your own gradients.")
    parser.add_argument("what", choices=NEEDS)
    parser.add_argument("--steps", type=int, help="training steps of G (3000, or 1500)")
    parser.add_argument("--mnist", action="store_true", help="MNIST, not the built-in digits")
    parser.add_argument("--out", type=Path, default=Path("runs/exercises"), metavar="DIR")
    parser.add_argument("--solutions", action="store_true", help="run the reference solutions")
    args = parser.parse_args(words)
    args.steps = args.steps or STEPS[args.what]
    ex = ready(args.what, check.SOLUTIONS if args.solutions else check.FOLDER)
    try:
        data, *setting = globals()[args.what](ex, args)
    except OSError as error:  # no MNIST, and no network
        sys.exit(f"error: {error}")
    x = learn(ex, args, data, *setting)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        data.draw(args.out / f"{args.what}.png", x)
        print(f"The picture is {os.path.relpath(args.out / args.what)}.png")
    except ImportError as error:
        print(f"No picture, since {error.name} is not installed: pip install {error.name}")


if __name__ == "__main__":
    main()
