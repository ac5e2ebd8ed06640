"""Where G's gradient gets lost: how large it is on its way back through D and G, layer by layer.

    python examples/gradients/path.py                    draws runs/gradients/path.png

All that G learns comes to it through D. What the layers make of a gradient hardly depends on the
loss that sent it: all of G gets as much or as little as the loss sends. At the start Minimax sends
as much as NonSaturating, and next to nothing once D, trained alone, is 99 % sure of what it sees.
"""
from pathlib import Path

import numpy as np

from minigan import Adam, Minimax, NonSaturating, Sequential, discriminator_step
from minigan.networks import mlp
from minigan.workshop import draw_digits, one_line_errors, require, to_float, whole_file

PICTURE = Path("runs/gradients/path.png")


def gradient_path(network, loss, z):
    """G's step through G and D as one network, back to what G's first layer is handed: the root
    mean square of N da at each place, the scores first."""
    s_fake, caches = network.forward(z)
    da, sizes = loss.generator(s_fake)[1], []
    for layer, cache in zip(reversed(network.layers), reversed(caches)):
        sizes.append(len(z) * float((da * da).mean()) ** 0.5)
        da = layer.input_grad(da, cache)
    return sizes


def gradient_paths():
    """What the gradient passes on its way, and {(loss, when): gradient_path}: at the start, and
    after D alone has trained to be sure."""
    rng = np.random.default_rng(0)
    x_real = to_float(draw_digits(640, rng)[0])
    generator, discriminator = mlp(100, rng)
    both = Sequential(*generator.layers, *discriminator.layers)
    adam, z = Adam(discriminator.parameters()), rng.standard_normal((256, 100), np.float32)
    paths, d_real, d_fake = {}, 0, 1
    for when, sure in ("at the start", 0), ("when D is sure", 0.99):
        while d_real < sure or 1 - d_fake < sure:  # for D both losses are the same
            _, d_real, d_fake = discriminator_step(
                generator, discriminator, adam, Minimax(), x_real[rng.choice(640, 64)], z[:64])
        for loss in NonSaturating(), Minimax():
            paths[type(loss).__name__, when] = gradient_path(both, loss, z)
    passed = [f"G: {layer}" for layer in generator.layers[1:]]
    passed += [f"D: {layer}" for layer in discriminator.layers]
    return ["the loss", *reversed(passed)], paths


@one_line_errors()
def main():
    require("matplotlib")
    from matplotlib.figure import Figure
    passed, paths = gradient_paths()
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle("When D is sure (D(x) > 0.99, D(G(z)) < 0.01), Minimax sends G next to nothing")
    axes = figure.subplots()
    for ((loss, when), sizes), look in zip(paths.items(), [":C0", ":C3", "-C0", "-C3"]):
        axes.semilogx(sizes, range(len(sizes)), look, marker=".", label=f"{loss}, {when}")
    axes.axhspan(passed.index("G: Reshape(28, 28, 1)") - 0.5, len(passed), color="0.95", zorder=0)
    axes.set(yticks=range(len(passed)), yticklabels=passed, ylim=(len(passed) - 0.5, -0.5),
             ylabel=r"$\leftarrow$   on its way back the gradient has passed",
             xlabel="root mean square of N da, the gradient of one image's loss, at this place")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    with whole_file(PICTURE) as part:
        figure.savefig(part, format="png", dpi=120)
    large, small = (paths[loss, "when D is sure"][-1] for loss in ("NonSaturating", "Minimax"))
    print(f"{PICTURE}: when D is sure, G's first layer gets {large / small:.0f} times less with "
          "Minimax than with NonSaturating")


if __name__ == "__main__":
    main()
