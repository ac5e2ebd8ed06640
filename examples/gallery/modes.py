"""Why GANs lose modes, and what helps: a ring of 8 and a grid of 25 places, in six ways.

    python examples/gallery/modes.py      trains 12 GANs, counts, draws modes.png and modes.gif

Real points lie close around places, the modes. A G that has found some may stay there, since D sees
one point at a time: it "collapses". Against this the library has R1 and WGAN-GP.
Two cures are written here. PacGAN (Lin et al. 2018) shows D two points at once, so that D sees when
G's are too much alike: a reshape, whose way back is the reshape back. R3GAN (Huang et al. 2024)
compares each fake point with the real one beside it, and to R1 adds R2, the same at x_fake:

    L_D = mean softplus(s_fake - s_real),  L_G = mean softplus(s_real - s_fake)
    ds_fake = sigmoid(s_fake - s_real) / N = -ds_real in D's step
    ds_fake = -sigmoid(s_real - s_fake) / N in G's; x_real does not move, and ds_real is dropped

but s_real is needed, as how much a point of G's learns depends on the real one beside it. Without
it (s_real = 0) this is the usual loss. Scores are only compared: D's last b gets no gradient.

The arrows in the picture are what G follows: g = ∂s/∂x, one input_grad. All have the same steps;
the first has LeakyReLU in place of tanh, and that matters more than most methods. R1 begins with a
large weight, under which D shows G the whole plane, and ends with a small one, under which D sees
how sharp a mode is. A continuous G cannot jump from mode to mode, and leaves points between them:
wide noise makes these few.
"""
from itertools import product

import numpy as np

from minigan import (
    Adam, Dense, GradientPenalty, Layer, LeakyReLU, NonSaturating, R1Penalty, Sequential, Tanh,
    Wasserstein, discriminator_step, generator_step)
from minigan.losses import AdversarialLoss, sigmoid, softplus
from minigan.workshop import (
    MovingAverage, count_modes, draw_points, grid, page, progress, ring, whole_file)

WIDTH, BATCH, STD, SIDE = 64, 256, 0.05, 61


class Pack(Layer):
    """y = x, `count` examples side by side.  x (N, D), y (N / count, count D)."""

    def __init__(self, count):
        self.count = count

    def forward(self, x, train=True):
        return x.reshape(len(x) // self.count, -1), x.shape

    def input_grad(self, dy, x_shape):
        return dy.reshape(x_shape)

    def tangent(self, x_dot, x_shape):
        return self.forward(x_dot)


class Paired(AdversarialLoss):
    """D: mean softplus(s_fake - s_real),  G: mean softplus(s_real - s_fake)."""

    def discriminator(self, s_real, s_fake):
        ds_fake = sigmoid(s_fake - s_real) / len(s_fake)
        return softplus(s_fake - s_real).mean(), -ds_fake, ds_fake

    def generator(self, s_fake, s_real):
        return self.discriminator(s_fake, s_real)[:2]  # they have changed places


class R1AndR2(R1Penalty):
    """R1's P at x_real + P at x_fake, which is a constant in D's step."""

    def __call__(self, discriminator, x_real, x_fake):
        return self.at(discriminator, x_real) + self.at(discriminator, x_fake)


def paired_generator_step(generator, discriminator, optimizer, loss, x_real, z):
    """(2) Update G: make D prefer fake to real. Returns loss value, mean D(G(z))."""
    x_fake, cache_generator = generator.forward(z)
    s_fake, cache_discriminator = discriminator.forward(x_fake)
    s_real, _ = discriminator.forward(x_real)
    value, ds_fake = loss.generator(s_fake, s_real)
    dx_fake = discriminator.input_grad(ds_fake, cache_discriminator)
    generator.zero_grad()
    generator.add_param_grads(dx_fake, cache_generator)
    optimizer.step()
    return value, s_fake.mean()


RECIPES = {  # activation, loss, penalty, how many points D sees at once
    "plain, LeakyReLU": (LeakyReLU, NonSaturating(), None, 1),
    "plain, tanh": (Tanh, NonSaturating(), None, 1),
    "R1": (Tanh, NonSaturating(), R1Penalty(), 1),
    "WGAN-GP": (Tanh, Wasserstein(), GradientPenalty(0.5, rng=0), 1),
    "packs of two": (Tanh, NonSaturating(), None, 2),
    "in pairs, R1 and R2": (Tanh, Paired(), R1AndR2(), 1)}


def build(rng, activation, pack):
    """G: noise (N, 2) -> points (N, 2); D: points -> scores (N / pack, 1)."""
    def layers(count, inputs, outputs, std=None):
        dense = [Dense(inputs, WIDTH, rng, std)]
        dense += [Dense(WIDTH, WIDTH, rng) for _ in range(count - 1)]
        return *sum(((layer, activation()) for layer in dense), ()), Dense(WIDTH, outputs, rng)
    generator = Sequential(*layers(4, 2, 2))
    discriminator = Sequential(Pack(pack), *layers(3, 2 * pack, 1, std=2.0))
    discriminator.layers[1].b.value[...] = rng.uniform(-8, 8, WIDTH)  # edges all over the plane
    return generator, discriminator


def draw_noise(rng, *shape):
    """z (..., 2), sixteen times as wide as usual."""
    return 16 * rng.standard_normal((*shape, 2), np.float32)


def train(args, name, centres, steps, moments):
    """Returns G, its moving average, and what `draw` takes, at so many moments."""
    activation, loss, penalty, pack = RECIPES[name]
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    G, D = build(weights_rng, activation, pack)
    adam_g, adam_d = (Adam(net.parameters(), beta1=0, beta2=0.99) for net in (G, D))
    average, seen = MovingAverage(G, 0.999), []
    for step, show in progress(steps, "D(x)", "D(G(z))"):
        gone = step / steps
        adam_g.lr = adam_d.lr = 4e-3 * (1 - gone)
        if isinstance(penalty, R1Penalty):
            penalty.weight = 5 * 0.0002 ** gone  # all modes first; sharp ones at the end
        x_real, z = draw_points(centres, STD, BATCH, rng), draw_noise(rng, 2, BATCH)
        _, d_real, d_fake = discriminator_step(G, D, adam_d, loss, x_real, z[0], penalty)
        if isinstance(loss, Paired):
            paired_generator_step(G, D, adam_g, loss, x_real, z[1])
        else:
            generator_step(G, D, adam_g, loss, z[1])
        average.update()
        show(d_real, d_fake)
        if step + 1 in np.linspace(0, steps, moments + 1).round():
            x_fake = G(draw_noise(np.random.default_rng(0), 1000))
            seen.append((step + 1, centres, x_fake, *look(D, centres, x_fake[0], pack)))
    return G, average.network, seen


def look(D, centres, beside, pack):
    """All over the plane s, (SIDE, SIDE), and g = ∂s/∂x, (SIDE, SIDE, 2). A D that is shown packs
    sees each place beside one point of G's."""
    places = grid(SIDE, 1.25 * float(centres.max()))
    x = np.stack([places, 0 * places + beside][:pack], axis=1)
    s, cache = D.forward(x.reshape(-1, 2))
    g = D.input_grad(np.ones_like(s), cache).reshape(x.shape)[:, 0]
    return s.reshape(SIDE, SIDE), g.reshape(SIDE, SIDE, 2)


def draw(axes, step, centres, x_fake, s, g):
    """Blue: where D's score is high; arrows: g; circles: the modes; black: G's points."""
    reach, low, high = 1.25 * float(centres.max()), *np.percentile(s, [2, 98])
    g = g[::5, ::5].reshape(-1, 2)
    length = np.linalg.norm(g, axis=1, keepdims=True)
    g = g / (length + np.median(length) + 1e-9)  # the long ones shorter
    axes.clear()
    axes.imshow(s.clip(low, high), "RdBu", origin="lower", extent=[-reach, reach] * 2, alpha=0.6)
    axes.quiver(*grid(13, reach).T, *g.T, color="0.35", scale=13)
    axes.scatter(*centres.T, 24, "none", edgecolors="0.2", linewidths=0.5)
    axes.scatter(*x_fake.T, 0.5, "black")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
    axes.set_title(f"step {step}", fontsize=8, pad=2)


def save_pictures(folder, runs):
    """A row a recipe, and a column a time; and all runs at once, as time goes by."""
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    still, moving = (Figure(size, layout="constrained") for size in [(12, 12.6), (12, 4.5)])
    rows, columns = still.subplots(len(RECIPES), 6), moving.subplots(2, len(RECIPES)).T
    last = len(runs[0]) - 1
    for axes, (run, moment) in zip(rows.flat, product(runs, (0, last // 4, last))):
        draw(axes, *run[moment])
    for axes, name in zip(rows[:, 0], RECIPES):
        axes.set_ylabel(name)
    with whole_file(folder / "modes.png") as part:
        still.savefig(part, format="png", dpi=100)

    def frame(moment):
        for axes, run in zip(columns.flat, runs):
            draw(axes, *run[moment])
        for axes, name in zip(columns[:, 0], RECIPES):
            axes.set_title(name, fontsize=8)
    FigureCanvasAgg(moving)
    with whole_file(folder / "modes.gif") as part:
        FuncAnimation(moving, frame, last + 1).save(part, PillowWriter(3), dpi=70)


def main(words=None):
    with page(__doc__, 7500, words) as args:
        runs = []
        for name, (centres, share) in product(RECIPES, [(ring(), 0.36), (grid(), 1)]):
            G, average, seen = train(
                args, name, centres, round(args.steps * share), 2 if args.dry_run else 16)
            runs.append(seen)
            z = draw_noise(np.random.default_rng(1), 2500)
            for network, which in (G, "G"), (average, "its moving average"):
                found, good = count_modes(network(z), centres, STD)
                print(f"{name}, {which}: {found} of {len(centres)} modes, {good:.1%} good")
        save_pictures(args.out, runs)


if __name__ == "__main__":
    main()
