"""A GAN that writes: sums like 37+48=85, half of which it was shown (after Gulrajani et al. 2017).

    python examples/gallery/text.py                   trains, judges, and draws text.png

A letter is a choice of one in twelve. If G drew it, from its numbers x, it would be the same letter
for all x near by, and then, suddenly, another: its derivative is 0 wherever there is one. D could
say what it liked, G would learn nothing. So G hands D the whole row of probabilities,

    y_j = exp(x_j) / sum over i of exp(x_i),  ∂y_j/∂x_i = y_j ([i = j] - y_i)
    dx_i = sum over j of dy_j ∂y_j/∂x_i = y_i (dy_i - sum over j of y_j dy_j)

which move with x. Real letters are rows too: 1 at the letter, else 0. D tells such rows from soft
ones, and so G learns to be sure. What is new is that a row's outputs hang together: they add up to
1, so that one can grow only at the cost of the others. That is the second term: what matters is how
much better than the row's mean, weighted by y, a letter is. dx adds up to 0 in each row.

Without this term dx = y dy raises whatever D likes at all; y (1 - y) dy, the sigmoid's, forgets
what a letter costs the others. All else is WGAN-GP, as in the paper. The penalty looks at D between
a real line and one of G's, where a letter is partly the one's and partly the other's. It is in D's
step, in which G is not differentiated: so Softmax needs no tangent.

Nobody tells G what a sum is; it sees no line, and learns from D alone. D has seen half of the true
lines. So a copyist writes no true line of the other half, save by luck; one who adds, as many.
"""
import re

import numpy as np

from minigan import (
    Adam, BatchNorm, Dense, Flatten, GradientPenalty, Layer, LeakyReLU, Reshape, Sequential,
    Wasserstein, discriminator_step, generator_step)
from minigan.workshop import MovingAverage, page, progress, whole_file

CHARACTERS, LENGTH = "0123456789+=", 8
LATENT, BATCH, N_CRITIC, SIZE = 16, 64, 3, LENGTH * len(CHARACTERS)
KINDS = {"not a sum": "0.7", "false": "tab:orange", "true, was shown": "tab:blue",
         "true, never shown": "tab:green"}  # and their colours


class Softmax(Layer):
    """y = exp(x) / sum exp(x),  dx = y (dy - sum y dy),  along the last axis.  x, y (N, ..., K)."""

    def forward(self, x, train=True):
        y = np.exp(x - x.max(axis=-1, keepdims=True))  # the same y, and no exp overflows
        y = y / y.sum(axis=-1, keepdims=True)
        return y, y

    def input_grad(self, dy, y):
        return y * (dy - (y * dy).sum(axis=-1, keepdims=True))


def build(rng):
    """G: noise (N, 16) -> lines, as eight rows end to end (N, 8 * 12); D: lines -> scores."""
    generator = Sequential(
        Dense(LATENT, 256, rng), LeakyReLU(), Dense(256, 256, rng), BatchNorm(256), LeakyReLU(),
        Dense(256, SIZE, rng), Reshape(LENGTH, len(CHARACTERS)), Softmax(), Flatten())
    discriminator = Sequential(
        Dense(SIZE, 256, rng), LeakyReLU(), Dense(256, 256, rng), LeakyReLU(), Dense(256, 1, rng))
    return generator, discriminator


def true_lines():
    """All 5050 sums of two numbers of two digits that have two digits themselves."""
    return [f"{a:02}+{b:02}={a + b:02}" for a in range(100) for b in range(100 - a)]


def encode(lines):
    """Lines of text -> rows that are 1 at the letter, else 0, end to end, float32 (N, 8 * 12)."""
    letters = np.array([[CHARACTERS.index(letter) for letter in line] for line in lines])
    return np.eye(len(CHARACTERS), dtype=np.float32)[letters].reshape(len(lines), -1)


def decode(x):
    """Rows (N, 8 * 12) -> lines of text, of the likeliest letters."""
    letters = x.reshape(len(x), LENGTH, -1).argmax(axis=-1)
    return ["".join(CHARACTERS[letter] for letter in line) for line in letters]


def kind(line, shown):
    """0: not a sum, 1: false, 2: true and among those shown, 3: true and not; as in KINDS."""
    found = re.fullmatch(r"(\d\d)\+(\d\d)=(\d\d)", line)
    if not found:
        return 0
    a, b, c = map(int, found.groups())
    return 1 if a + b != c else 2 if line in shown else 3


def draw_noise(rng, count):
    """Noise (N, 16) of -1 and 1: as lines do, it has nothing in between."""
    return rng.choice(np.array([-1, 1], np.float32), (count, LATENT))


def train(args, shown):
    """Returns what G's moving average wrote of the same noise on the way: {steps made: lines}."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    G, D = build(weights_rng)
    adam_g, adam_d = (Adam(net.parameters(), 2e-3, beta1=0, beta2=0.9) for net in (G, D))
    loss, penalty, average = Wasserstein(), GradientPenalty(rng=rng), MovingAverage(G, 0.999)
    x, written = encode(shown), {}
    z_shown = draw_noise(rng, 200 if args.dry_run else 5000)
    looks = {int(args.steps * (k / 60) ** 3) for k in range(60)}
    for step, show in progress(args.steps, "distance"):
        if step in looks:
            written[step] = decode(average.network(z_shown))
        adam_g.lr = adam_d.lr = 2e-3 * (1 - step / args.steps)
        for _ in range(N_CRITIC):
            x_real = x[rng.integers(len(x), size=BATCH)]
            _, d_real, d_fake = discriminator_step(
                G, D, adam_d, loss, x_real, draw_noise(rng, BATCH), penalty)
        generator_step(G, D, adam_g, loss, draw_noise(rng, BATCH))
        average.update()
        show(d_real - d_fake)
    return {**written, args.steps: decode(average.network(z_shown))}


def shares(lines, shown):
    """The share of each kind among the lines, (4,)."""
    return np.bincount([kind(line, shown) for line in lines], minlength=4) / len(lines)


def draw(path, written, shown):
    """What G wrote at six moments, in the colours of KINDS, above the shares as they went."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(10, 7), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[3, 2])
    steps, colors = list(written), list(KINDS.values())
    for column in range(6):
        step = steps[column * (len(steps) - 1) // 5]
        above.text(column, 0, f"step {step}", ha="center")
        for row, line in enumerate(written[step][:14], start=1):
            above.text(column, row, line, ha="center", va="center", family="monospace", size=12,
                       color=colors[kind(line, shown)])
    above.set(xlim=(-0.5, 5.5), ylim=(14.6, -0.2))
    above.axis("off")
    below.stackplot(steps, 100 * np.transpose([shares(lines, shown) for lines in written.values()]),
                    colors=colors, labels=KINDS)
    below.set(xlabel="step", ylabel="% of the lines", ylim=(0, 100), xlim=(0, steps[-1]))
    below.legend(loc="lower left", reverse=True)
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=100)


def main(words=None):
    with page(__doc__, 16000, words) as args:
        lines = np.random.default_rng(args.seed).permutation(true_lines())
        shown = set(lines[:len(lines) // 2])
        written = train(args, sorted(shown))
        for step in list(written)[::6]:
            print(f"step {step:5}:", *written[step][:6])
        draw(args.out / "text.png", written, shown)
        last = written[args.steps]
        nothing, _, copied, understood = shares(last, shown)
        found = sum(kind(line, shown) == 3 for line in set(last))
        print(f"sums: {1 - nothing:.1%} of the lines; true: {copied + understood:.1%}")
        print(f"true and never shown: {understood:.1%}, {found} different ones; of the lines that "
              f"were not shown {understood / (1 - copied):.1%} are true")


if __name__ == "__main__":
    main()
