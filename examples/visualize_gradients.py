"""Draws gradients: where they begin, how they fare on their way, and how exact they are.

    python examples/visualize_gradients.py                   four pictures, to runs/gradients

losses.png    each adversarial loss's gradient at the score, where all of learning begins
path.png      how large it is on its way back through D and G, at the start and when D is sure
steps.png     the error of a numerical gradient against its step, in float64 and in float32
penalty.png   a gradient penalty's own gradient, three ways, and without its curvature term

For each, one function computes the numbers, and a second one draws them: it returns the figure, and
what it shows in a sentence. With --backend cupy the first two compute on a GPU; finite differences,
which change one number at a time, stay on the host.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

from minigan import (
    LOSSES, Adam, Dense, LeakyReLU, Minimax, NonSaturating, Sequential, Tanh, discriminator_step,
    gradient_penalty, mlp, to_device, to_host)
from minigan.workshop import draw_digits, to_float, whole_file, writable_folder
from minigan.gradcheck import STEP

BLUE, RED, GREEN, ORANGE = "#0072b2", "#c8102e", "#009e73", "#e69f00"
THIN = {"linewidth": 1.8}
BROAD = {"linewidth": 6, "alpha": 0.5, "solid_capstyle": "butt"}  # for what another line may cover


def new_figure(title, columns=1, size=(9, 6.5)):
    """A figure, and its panels side by side."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=14)
    panels = figure.subplots(1, columns, sharex=True, sharey=True, squeeze=False)[0]
    for axes in panels:
        axes.grid(alpha=0.3)
    return figure, panels


def loss_gradients(s):
    """{loss: N ds} at scores s (N, 1); columns: of G at fakes, of D at fakes, of D at reals."""
    gradients = {}
    for kind in LOSSES.values():
        _, ds_generator = kind().generator(s)
        _, ds_real, ds_fake = kind().discriminator(s, s)
        columns = [to_host(ds) for ds in (ds_generator, ds_fake, ds_real)]
        gradients[kind.__name__] = len(s) * np.hstack(columns)
    return gradients


def draw_losses(backend):
    figure, panels = new_figure(
        "Where D is sure of a fake (grey), Minimax leaves G no gradient: it saturates", 3, (12, 5))
    s = np.linspace(-8, 8, 801)
    gradients = loss_gradients(to_device(s[:, None], backend))
    looks = {"NonSaturating": (BLUE, BROAD), "Hinge": (ORANGE, BROAD), "Minimax": (RED, THIN),
             "LeastSquares": (GREEN, THIN), "Wasserstein": ("black", THIN)}
    titles = "G's step, at a fake", "D's step, at a fake", "D's step, at a real image"
    for column, (axes, title) in enumerate(zip(panels, titles)):
        for name, (color, style) in looks.items():
            axes.plot(s, gradients[name][:, column], color=color, label=name, **style)
        axes.set(title=title, xlim=(-8, 8), ylim=(-2, 2), xticks=range(-6, 7, 2),
                 xlabel=r"D says fake   $\leftarrow$   score s   $\rightarrow$   D says real")
    panels[0].axvspan(-8, -4, color="0.9", zorder=0)
    panels[0].set_ylabel("N ds (below 0: the score is to rise)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    small, large = (-gradients[name][100, 0] for name in ("Minimax", "NonSaturating"))
    return figure, (f"where D gives a fake the score {s[100]:g}, G's gradient has size {small:.4f} "
                    f"with Minimax, {large:.4f} with NonSaturating")


def gradient_path(generator, discriminator, loss, z):
    """G's step, one layer at a time, back to what G's first layer is handed: pairs (what the
    gradient da has just come through, root mean square of N da)."""
    x_fake, caches_g = generator.forward(z)
    s_fake, caches_d = discriminator.forward(x_fake)
    steps = [("G", *pair) for pair in zip(generator.layers, caches_g)]
    steps += [("D", *pair) for pair in zip(discriminator.layers, caches_d)]
    passed, da, path = "the loss", loss.generator(s_fake)[1], []
    for network, layer, cache in reversed(steps):
        path.append((passed, len(z) * float((da * da).mean()) ** 0.5))
        passed, da = f"{network}: {layer}", layer.input_grad(da, cache)
    return path


def gradient_paths(backend="numpy"):
    """{(loss, when): gradient_path}: at the start, and after D alone has trained to be sure."""
    rng = np.random.default_rng(0)
    x_real = to_float(draw_digits(640, rng)[0])
    generator, discriminator = (network.to(backend) for network in mlp(100, rng))
    adam_d = Adam(discriminator.parameters(), lr=2e-4)
    z, paths = to_device(rng.standard_normal((256, 100), np.float32), backend), {}

    def walk(when):
        for loss in NonSaturating(), Minimax():
            paths[type(loss).__name__, when] = gradient_path(generator, discriminator, loss, z)

    walk("at the start")
    d_real, d_fake = 0, 1
    while d_real < 0.99 or d_fake > 0.01:  # both losses are the same for D
        batch = to_device(x_real[rng.choice(640, 64)], backend)
        _, d_real, d_fake = discriminator_step(
            generator, discriminator, adam_d, Minimax(), batch, z[:64])
    walk("when D is sure")
    return paths


def draw_path(backend):
    figure, [axes] = new_figure("When D is sure (D(x) > 0.99, D(G(z)) < 0.01), Minimax sends G "
                                "hardly any gradient")
    paths = gradient_paths(backend)
    for (loss, when), path in paths.items():
        names, sizes = zip(*path)
        axes.semilogx(sizes, range(len(path)), marker="o", markersize=4, label=f"{loss}, {when}",
                      color={"NonSaturating": BLUE, "Minimax": RED}[loss],
                      linestyle="-" if when == "when D is sure" else ":")
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5),
             ylabel=r"$\leftarrow$   on its way back the gradient has passed",
             xlabel="root mean square of N da, the gradient of one image's loss, at this place")
    axes.axhspan(names.index("G: Reshape(28, 28, 1)") - 0.5, len(names), color="0.95", zorder=0)
    axes.legend(loc="lower right")
    large, small = (paths[loss, "when D is sure"][-1][1] for loss in ("NonSaturating", "Minimax"))
    return figure, (f"when D is sure, G's first layer gets {large / small:.0f} times less with "
                    "Minimax than with NonSaturating")


def differences(network, f, h):
    """Central differences of the number f() in all of the network's parameters, as one vector: as
    gradcheck takes them, but in any dtype."""
    found = []
    for p in network.parameters():
        for index in np.ndindex(p.value.shape):
            kept = p.value[index]
            p.value[index] = kept + h
            above = f()
            p.value[index] = kept - h
            found.append((above - f()) / (2 * h))
            p.value[index] = kept
    return np.array(found)


def gradient(network):
    """A copy of all the network's gradients, as one vector."""
    return np.concatenate([p.grad.ravel() for p in network.parameters()])


def error(a, exact):
    """How far the vector a is off, as a part of what is exact."""
    return float(np.linalg.norm(a - exact) / np.linalg.norm(exact))


def step_errors(steps):
    """{dtype: the errors of central differences with these steps}, for a small network's loss."""
    rng, loss, errors = np.random.default_rng(0), NonSaturating(), {}
    network = Sequential(Dense(4, 8, rng), Tanh(), Dense(8, 1, rng)).astype(np.float64)
    x = rng.standard_normal((16, 4), np.float32).astype(np.float64)
    s, cache = network.forward(x)
    network.add_param_grads(loss.generator(s)[1], cache)
    exact = gradient(network)
    for dtype in np.float64, np.float32:  # all numbers above fit into float32: nothing is lost
        x, network = x.astype(dtype), network.astype(dtype)
        errors[dtype.__name__] = [
            error(differences(network, lambda: loss.generator(network(x))[0], dtype(h)), exact)
            for h in steps]
    return errors


def draw_steps(_):
    figure, [axes] = new_figure("A smaller step is better until rounding takes over: "
                                "in float32 far too soon")
    steps = np.logspace(-12, 0, 61)
    errors = step_errors(steps)
    axes.loglog(steps, errors["float32"], color=RED, label="float32", **BROAD)
    axes.loglog(steps, errors["float64"], color=BLUE, label="float64", **THIN)
    axes.axvline(STEP, color="black", linestyle="--", label=f"gradcheck's step, {STEP:g}")
    axes.text(1e-9, 1e-8, "rounding:\nit grows as 1 / h", ha="right", va="top")
    axes.text(2e-3, 1e-8, "truncation:\nit grows as h$^2$", va="top")
    axes.set(xlabel="step h", ylabel="relative error of the numerical gradient")
    axes.legend(loc="lower left")
    best = (f"{min(values):.0e} in {name} (h = {steps[np.argmin(values)]:.0e})"
            for name, values in errors.items())
    return figure, "the best step errs by " + ", by ".join(best)


def penalty_gradients(activation):
    """{way: dP/dtheta as one vector} of WGAN-GP's penalty P at a small critic of random weights."""
    rng = np.random.default_rng(0)
    critic = Sequential(Dense(6, 8, rng), activation(), Dense(8, 8, rng), activation(),
                        Dense(8, 1, rng)).astype(np.float64)
    x, eps = 2 * rng.standard_normal((16, 6)), 1e-5

    def two_sweeps():
        critic.zero_grad()
        gradient_penalty(critic, x)
        return gradient(critic)

    def two_backward_passes():  # how d(sum of s)/dtheta changes as x moves along v = dP/dg
        s, cache = critic.forward(x)
        ones = np.ones_like(s)
        g = critic.input_grad(ones, cache)
        norm = np.linalg.norm(g, axis=1, keepdims=True)
        v = 2 * 10 / len(x) * (norm - 1) * g / norm  # P = 10 mean of (norm - 1)^2
        critic.zero_grad()
        critic.add_param_grads(ones, critic.forward(x + eps * v)[1])
        critic.add_param_grads(-ones, critic.forward(x - eps * v)[1])
        return gradient(critic) / (2 * eps)

    ways = {"finite differences": differences(critic, lambda: gradient_penalty(critic, x), STEP),
            "two sweeps": two_sweeps(), "two backward passes": two_backward_passes()}
    for layer in critic.layers:
        layer.curvature = lambda *_: None  # as if all were linear in pieces, as LeakyReLU is
    return {**ways, "without curvature": two_sweeps()}


def draw_penalty(_):
    figure, panels = new_figure("A penalty's gradient, one mark per parameter: without the "
                                "curvature term it is wrong for Tanh", 2, (12, 6.5))
    looks = {"two sweeps": {"color": BLUE, "marker": "o", "s": 70, "alpha": 0.4},
             "two backward passes": {"color": "black", "marker": ".", "s": 12},
             "without curvature": {"color": RED, "marker": "x", "s": 30, "linewidths": 1}}
    lost = []
    for axes, activation, title in zip(panels, (Tanh, LeakyReLU), (
            "Tanh", "LeakyReLU: linear in pieces, there is no curvature")):
        ways = penalty_gradients(activation)
        exact = ways["finite differences"]
        axes.axline((0, 0), slope=1, color="0.7", linewidth=1, zorder=0)
        for way, look in looks.items():
            axes.scatter(exact, ways[way], label=f"{way}: error {error(ways[way], exact):.1g}",
                         **look)
        axes.set(title=title, xlabel="finite differences of the penalty's value")
        axes.legend(loc="upper left")
        lost.append(error(ways["without curvature"], exact))
    panels[0].set_ylabel("the gradient by hand")
    return figure, (f"without the curvature term it is off by {lost[0]:.0%} for Tanh, and by "
                    f"{lost[1]:.0e} for LeakyReLU")


PICTURES = {"losses.png": draw_losses, "path.png": draw_path, "steps.png": draw_steps,
            "penalty.png": draw_penalty}


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/gradients"), metavar="DIR",
                        help="the folder for the pictures (%(default)s)")
    parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy",
                        help="the CPU, or a GPU (%(default)s)")
    args = parser.parse_args(words)
    try:
        writable_folder(args.out)
        for name, draw in PICTURES.items():
            figure, shown = draw(args.backend)
            with whole_file(args.out / name) as part:
                figure.savefig(part, format="png", dpi=120)
            print(f"{args.out / name}: {shown}")
    except ModuleNotFoundError:
        sys.exit('error: this example needs matplotlib: pip install -e ".[examples]"')
    except (OSError, ImportError, RuntimeError) as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
