"""A GAN that learns with your own gradients, those of the exercises.

    python examples/exercises/play.py ring      after exercise 4: eight Gaussians on a ring
    python examples/exercises/play.py digits    after exercise 6: digits, with dense layers
    python examples/exercises/play.py dcgan     after exercise 8: digits, with convolutions
    python examples/exercises/play.py wgan      after exercise 10: the ring again, by WGAN-GP
    python examples/exercises/play.py own       after exercise 12: the ring, by your own GAN
    python examples/exercises/play.py ring --break collapse    goes wrong, see going_wrong.md

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
         "wgan": (1, 2, 4, 6, 9, 10), "own": (12,)}  # the exercises
STEPS = {"ring": 3000, "digits": 3000, "dcgan": 1500, "wgan": 1500, "own": 3000}
BREAKS = "collapse", "saturate", "strong", "no-zero-grad"  # what going_wrong.md tells of
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


def go_wrong(how, ex, data, G, D, adams, loss, count):
    """The setting of the ring, but so that it fails though all gradients are right (but for the
    last)."""
    steps_of_D = 1
    if how == "collapse":  # G runs ahead of D, and with momentum
        adams = [minigan.Adam(G.parameters(), 1e-2, beta1=0.9),
                 minigan.Adam(D.parameters(), 1e-3, beta1=0.9)]
    if how == "saturate":  # G begins far off, and D 500 steps before it, with another loss
        loss, adams[0] = minigan.Minimax(), minigan.SGD(G.parameters(), 0.03)
        G.parameters()[-1].value += 8
        rng = np.random.default_rng(3)
        for _ in range(500):
            ex[4].discriminator_step(G, D, adams[1], loss, data.batch(rng, count),
                                     rng.standard_normal((count, 2), np.float32))
    if how == "strong":  # D learns a hundred times as fast, and five times as often
        adams = [minigan.Adam(G.parameters(), 1e-4), minigan.Adam(D.parameters(), 1e-2)]
        steps_of_D = 5
    if how == "no-zero-grad":
        D.zero_grad = lambda: None
    return data, G, D, adams, loss, count, None, steps_of_D


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


def own(ex, args):
    return Ring(), ex[12]


def learn_own(args, data, gan):
    """As learn, with the GAN of exercise 12: its own build, batch, d_step, g_step and sample."""
    rng = np.random.default_rng(0)
    G, D = gan.build(rng)
    adam_g, adam_d = [minigan.Adam([p for network in (side if isinstance(side, list) else [side])
                                    for p in network.parameters()], 1e-3) for side in (G, D)]

    def value(result):
        return float(result[0] if isinstance(result, tuple) else result)
    try:
        for step in range(1, args.steps + 1):
            d_loss = value(gan.d_step(adam_d, G, D, *gan.batch(rng, 128)))
            g_loss = value(gan.g_step(adam_g, G, D, *gan.batch(rng, 128)))
            if step % math.ceil(args.steps / 10) == 0 or step == args.steps:
                print(f"step {step:4}: D loss {d_loss:6.3f}, G loss {g_loss:6.3f}  "
                      f"{data.describe(gan.sample(G, rng, 500))}", flush=True)
    except KeyboardInterrupt:
        print("\nStopped; this is what G has learned so far.")
    return gan.sample(G, rng, 2000)


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
    parser.add_argument("--steps", type=workshop.at_least(1),
                        help="training steps of G (3000, or 1500)")
    parser.add_argument("--break", choices=BREAKS, dest="how", help="ring: let it go wrong")
    parser.add_argument("--mnist", action="store_true", help="MNIST, not the built-in digits")
    parser.add_argument("--out", type=Path, default=Path("runs/exercises"), metavar="DIR")
    parser.add_argument("--solutions", action="store_true", help="run the reference solutions")
    args = parser.parse_args(words)
    args.steps = args.steps or STEPS[args.what]
    if args.how and args.what != "ring":
        parser.error("--break is for the ring: play.py ring --break collapse")
    ex = ready(args.what, check.SOLUTIONS if args.solutions else check.FOLDER)
    try:
        workshop.writable_folder(args.out)
        data, *setting = globals()[args.what](ex, args)
    except OSError as error:  # no room for the picture; or no MNIST, and no network
        sys.exit(f"error: {error}")
    if args.how:
        data, *setting = go_wrong(args.how, ex, data, *setting)
    x = learn_own(args, data, *setting) if args.what == "own" else learn(ex, args, data, *setting)
    path = args.out / f"{args.what}{'_' + args.how if args.how else ''}.png"
    try:
        data.draw(path, x)
        print(f"The picture is {os.path.relpath(path)}")
    except ImportError as error:
        print(f"No picture, since {error.name} is not installed: pip install {error.name}")


if __name__ == "__main__":
    main()
