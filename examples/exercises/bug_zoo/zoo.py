"""What the GANs of this zoo share: the data, the training, the score, the picture. No bug in here.

    python zoo.py 1              trains bug01.py, says how good its samples are, and draws them
    python zoo.py 1 --healthy    the same with the bug cured, without showing you the cure
    python zoo.py 1 --seed 1     another start
    python zoo.py                measures all, as README's table shows it (twenty minutes)

bug01.py, here, is your copy of specimens/bug01.py, made when it is missing; git does not see it.
Each specimen makes one GAN (see below), called `gan`; `small(gan)` is what a check takes, and
`verdicts(check, ...)` says what it finds, without naming the mistake.
"""
import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import minigan
from minigan import Adam, Layer
from minigan.gradcheck import GradientError
from minigan.workshop import at_least, image_grid, ring, whole_file

FOLDER = Path(__file__).resolve().parent
SPECIMENS, ANSWERS = FOLDER / "specimens", FOLDER / "answers"
NAMES = [path.stem for path in sorted(SPECIMENS.glob("bug*.py"))]
STD = 0.1  # of the noise around each mode


def bars():
    """Images with one row or one column lit, float32 (8, 4, 4, 1), dark -0.8, light 0.8."""
    rows = np.full((4, 4, 4, 1), -0.8, np.float32)
    rows[range(4), range(4)] = 0.8
    return np.concatenate([rows, rows.swapaxes(1, 2)])


def label(x):
    """The number of the mode of the ring nearest to x (N, 2), (N,): what a GAN is told of x."""
    return np.linalg.norm(x[:, None] - ring(), axis=2).argmin(axis=1)


def asked(z):
    """The number of the mode that G is asked for, (N,): the thousandths of z (N, 2) choose it, so
    that each is as frequent, and noise that is near asks for another."""
    return np.floor(1000 * z[:, 0]).astype(int) % 8


def one_hot(numbers):
    """Numbers of modes (N,) -> c (N, 8): 1 at the number, else 0."""
    return np.eye(8, dtype=np.float32)[numbers]


class Asked(Layer):
    """y = [z, c],  c = one_hot(asked(z)): so that G(z | c), too, takes two numbers."""

    def forward(self, z, train=True):
        return np.concatenate([z, one_hot(asked(z))], axis=1), None

    def input_grad(self, dy, _):
        return dy[:, :2]


def adams(generator, discriminator):
    return Adam(generator.parameters(), lr=1e-3), Adam(discriminator.parameters(), lr=1e-3)


@dataclass
class GAN:
    """A GAN, in parts. What a file does not give is minigan's own, or what stands here."""

    build: Callable  # build(rng, width) -> generator, discriminator; width: of hidden layers
    loss: object = minigan.NonSaturating()
    discriminator_step: Callable = minigan.discriminator_step
    generator_step: Callable = minigan.generator_step  # or None, where D's makes it all
    optimizers: Callable = adams  # optimizers(generator, discriminator) -> G's, D's
    modes: Callable = ring  # modes() -> (8, ...): the data are these, and noise
    penalty: object = None  # as minigan.discriminator_step takes it
    steps: int = 3000  # of G
    critic_steps: int = 1  # of D for each of them
    head_start: int = 0  # of D alone, before
    conditional: bool = False  # is a sample good only near the mode that was asked for?
    width: int = 64


def draw_real(gan, count, rng):
    """Real samples: float32 (count, ...), modes drawn at random, with noise."""
    modes = gan.modes()
    x = modes[rng.integers(len(modes), size=count)]
    return x + STD * rng.standard_normal(x.shape, np.float32)


def draw_noise(count, rng):
    """z ~ N(0, 1), float32 (count, 2): all generators here take two numbers."""
    return rng.standard_normal((count, 2), np.float32)


def train(gan, seed=0, steps=None, batch_size=128):
    """Trains for gan.steps, or `steps`. Returns G, D, and both losses, (steps, 2)."""
    rng = np.random.default_rng(seed)
    generator, discriminator = gan.build(rng, gan.width)
    optimizer_g, optimizer_d = gan.optimizers(generator, discriminator)
    g_loss, losses = 0.0, []
    for step in range(steps or gan.steps):
        for _ in range(gan.critic_steps + (gan.head_start if step == 0 else 0)):
            d_loss, *_ = gan.discriminator_step(
                generator, discriminator, optimizer_d, gan.loss,
                draw_real(gan, batch_size, rng), draw_noise(batch_size, rng), gan.penalty)
        if gan.generator_step:
            g_loss, _ = gan.generator_step(generator, discriminator, optimizer_g, gan.loss,
                                           draw_noise(batch_size, rng))
        losses.append((d_loss, g_loss))
    return generator, discriminator, np.array(losses)


def score(x, modes, numbers=None):
    """Samples x (N, ...) -> how many modes are hit, and which share of the samples is good.
    numbers (N,): of the modes that were asked for, if they were; then no other mode counts.

    Good: not farther from the nearest mode than 3 standard deviations of the noise (in the plane;
    sqrt(D / 2) times as far where x has D numbers). Hit: at least 1 % of all samples are good and
    nearest to this mode.
    """
    x, modes = x.reshape(len(x), -1), modes.reshape(len(modes), -1)
    distance = np.linalg.norm(x[:, None] - modes, axis=2)
    if numbers is not None:
        distance[numbers[:, None] != np.arange(len(modes))] = np.inf
    good = distance.min(axis=1) < 3 * STD * (modes.shape[1] / 2) ** 0.5
    counts = np.bincount(distance.argmin(axis=1)[good], minlength=len(modes))
    return int((counts >= 0.01 * len(x)).sum()), float(good.mean())


def small(gan, seed=0):
    """generator, discriminator, x_real, z for a check: narrow, a batch of 5, all in float64.

    All parameters are drawn anew, N(0, 0.5^2): with biases at 0 and gamma at 1 mistakes would hide.
    """
    rng = np.random.default_rng(seed)
    networks = gan.build(rng, 3)
    for network in networks:
        for p in network.astype(np.float64).parameters():
            p.value[...] = 0.5 * rng.standard_normal(p.value.shape)
    return (*networks, draw_real(gan, 5, rng).astype(np.float64), rng.standard_normal((5, 2)))


def steps(gan, generator, discriminator):
    """D's step and G's as check_step takes them, step(optimizer, x_real, z), step(optimizer, z)."""
    def discriminator_step(optimizer, x_real, z):
        return gan.discriminator_step(generator, discriminator, optimizer, gan.loss, x_real, z)

    def generator_step(optimizer, z):
        return gan.generator_step(generator, discriminator, optimizer, gan.loss, z)
    return discriminator_step, generator_step


def each(network, x):
    """Pairs of a layer and an input for it: each layer's is what the layers before make of x."""
    for layer in network.layers:
        yield layer, x
        x, _ = layer.forward(x)


def verdicts(check, *args, hints=False, **named):
    """Prints what check(*args, **named) finds, of each gradient whether it is right: but what the
    mistake may be only with hints. A check of minigan's; it raises nothing."""
    try:
        report = check(*args, **named)
    except GradientError as error:
        if hints or not error.report:  # without a report it is no number that is wrong
            print(error if hints else f"{check.__name__}: WRONG, and not in a number")
            return
        report = error.report
        print(str(error).splitlines()[0])
    title, header, *rows = str(report).splitlines()
    print(title, header, sep="\n")
    for found, row in zip(report, rows):
        print(row.split(": ")[0] + (" here: is that what you want?" * (found.verdict == "zero")))


def make_missing(name):
    """Makes the learner's own copy of a specimen, unless there is one."""
    path = FOLDER / f"{name}.py"
    if not path.exists():
        path.write_bytes((SPECIMENS / path.name).read_bytes())
        print(f"Made {os.path.relpath(path)}: it is yours, change it as you like")


def load(name, healthy=False, folder=SPECIMENS):
    """What a file defines, {name: thing}; healthy: after the cure in answers/ was applied."""
    path = folder / f"{name}.py"
    code = path.read_text("utf-8")
    if healthy:
        page = (ANSWERS / f"{name}.md").read_text("utf-8")
        diff = page.split("```diff\n")[1].split("```")[0]
        for hunk in diff.split("@@\n"):
            lines = [(line[:1], line[1:]) for line in hunk.splitlines(keepends=True)]
            before = "".join(text for sign, text in lines if sign != "+")
            after = "".join(text for sign, text in lines if sign != "-")
            assert code.count(before) == 1, f"the cure does not fit {name}.py"
            code = code.replace(before, after)
    things = {"__name__": name}
    exec(compile(code, path, "exec"), things)
    return things


def draw(path, x, real):
    """Samples as a PNG: points on top of real ones, or a grid of images."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    if x.ndim == 2:
        axes.plot(*real.T, ".", color="lightgray", markersize=3)
        axes.plot(*x.T, ".", color="C0", markersize=2)
        axes.set_aspect("equal")
    else:
        axes.imshow(image_grid(x[:64, ..., 0] / 2 + 0.5, gap=1), cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=100)


def try_out(gan, generator):
    """Of 2000 samples, modes hit and share of good ones, as `score` tells; them, and real ones."""
    rng = np.random.default_rng(1)
    z = draw_noise(2000, rng)
    x = generator(z)
    numbers = asked(z) if gan.conditional else None
    return *score(x, gan.modes(), numbers), x, draw_real(gan, 500, rng)


def measure(name):
    """A row of README's table: modes hit, with three seeds, and mean share, for bug and twin."""
    cells = []
    for healthy in (False, True):
        hits, goods = [], []
        for seed in range(3):
            gan = load(name, healthy)["gan"]
            hit, good, *_ = try_out(gan, train(gan, seed)[0])
            hits.append(str(hit))
            goods.append(good)
        cells += [", ".join(hits), f"{100 * np.mean(goods):.0f} %"]
    return f"| {name} | {' | '.join(cells)} |"


def main(words=None):
    parser = argparse.ArgumentParser(description="Trains one GAN of the bug zoo.")
    parser.add_argument("number", nargs="?", type=int, choices=range(1, len(NAMES) + 1))
    parser.add_argument("--healthy", action="store_true", help="with the bug cured")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--steps", type=at_least(1), help="of the generator")
    args = parser.parse_args(words)
    if args.number is None:
        print("| file | hit | good | healthy: hit | healthy: good |")
        for name in NAMES:
            print(measure(name), flush=True)
        return
    name = NAMES[args.number - 1]
    make_missing(name)
    gan = load(name, args.healthy, SPECIMENS if args.healthy else FOLDER)["gan"]
    started = time.perf_counter()
    generator, _, losses = train(gan, args.seed, args.steps)
    hit, good, x, real = try_out(gan, generator)
    d_loss, g_loss = losses[-100:].mean(axis=0)
    print(f"{name}{', healthy' if args.healthy else ''}: {hit} of {len(gan.modes())} modes hit, "
          f"{good:.0%} of the samples are good; D loss {d_loss:.2f}, G loss {g_loss:.2f}; "
          f"{time.perf_counter() - started:.0f} s")
    path = Path("runs/bug_zoo") / f"{name}{'_healthy' if args.healthy else ''}.png"
    draw(path, x, real)
    print(f"samples are in {path}")


if __name__ == "__main__":
    main()
