"""A GAN in two dimensions: the real points lie around eight places on a ring. Some 20 seconds.

    python examples/ring.py                 prints how it goes, and draws runs/ring.png

Start here. G makes points of noise, D scores points; G never sees a real one, and learns from D
alone. Each row that is printed, and each panel of the picture, is one moment of the training.
"""
import numpy as np

from minigan import (
    Adam, Dense, LeakyReLU, NonSaturating, Sequential, discriminator_step, generator_step)
from minigan.workshop import count_modes, draw_points, one_line_errors, ring, whole_file

STEPS, SHOWN = 6000, (0, 100, 300, 1000, 3000, 6000)
STD = 0.15  # of the real points around each place


def build(rng):
    """Two networks of three dense layers: points (N, 2) to points (N, 2), and to scores (N, 1)."""
    generator = Sequential(Dense(2, 64, rng), LeakyReLU(), Dense(64, 64, rng), LeakyReLU(),
                           Dense(64, 2, rng))
    discriminator = Sequential(Dense(2, 64, rng), LeakyReLU(), Dense(64, 64, rng), LeakyReLU(),
                               Dense(64, 1, rng))
    return generator, discriminator


def train(panels):
    """Trains, and draws G's points and D's opinion into the panels, one for each step in SHOWN."""
    rng, loss = np.random.default_rng(0), NonSaturating()
    generator, discriminator = build(rng)
    adam_g = Adam(generator.parameters(), lr=1e-3)
    adam_d = Adam(discriminator.parameters(), lr=1e-3)
    z_shown = rng.standard_normal((1000, 2), np.float32)
    for step in range(STEPS + 1):
        if step in SHOWN:
            x_fake = generator(z_shown)
            found, good = count_modes(x_fake, ring(), STD)
            print(f"step {step:4}: {found} of 8 places found, {good:4.0%} of the points are good")
            draw(next(panels), f"step {step}: {good:.0%} are good", x_fake, discriminator)
        x_real = draw_points(ring(), STD, 128, rng)
        z = rng.standard_normal((2, 128, 2), np.float32)
        discriminator_step(generator, discriminator, adam_d, loss, x_real, z[0])
        generator_step(generator, discriminator, adam_g, loss, z[1])


def draw(axes, title, x_fake, discriminator):
    side = np.linspace(-3, 3, 80, dtype=np.float32)
    plane = np.stack(np.meshgrid(side, side), axis=-1)  # (80, 80, 2)
    probability = NonSaturating().shown(discriminator(plane.reshape(-1, 2))).reshape(80, 80)
    axes.contourf(side, side, probability, np.linspace(0, 1, 11), cmap="RdBu", alpha=0.5)
    axes.scatter(*draw_points(ring(), STD, 500, np.random.default_rng(1)).T, 3, "0.4")
    axes.scatter(*x_fake.T, 3, "black")
    axes.set(title=title, xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])


def main():
    from matplotlib.figure import Figure
    figure = Figure(figsize=(12, 8), layout="constrained")
    figure.suptitle("grey: real points; black: G's; blue: D says real, red: D says fake")
    train(iter(figure.subplots(2, 3).flat))
    with whole_file("runs/ring.png") as part:
        figure.savefig(part, format="png", dpi=80)
    print("The picture is runs/ring.png")


if __name__ == "__main__":
    with one_line_errors():
        main()
