"""How far to trust a numerical gradient: its error against the step, in float64 and in float32.

    python examples/gradients/steps.py                   draws runs/gradients/steps.png

(f(x + h) - f(x - h)) / 2h is wrong in two ways. Truncation errs by about h^2, since f is curved:
make h small. Rounding errs by about the last digit of f, divided by h: not too small. The best step
lies between the two. In float64 it leaves ten digits right, in float32 hardly five, which do not
tell a gradient that is wrong by little from one that is right. So gradients are checked in float64.
"""
from pathlib import Path

import numpy as np

from minigan import Dense, NonSaturating, Sequential, Tanh
from minigan.gradcheck import STEP
from minigan.workshop import one_line_errors, require, whole_file

PICTURE = Path("runs/gradients/steps.png")


def differences(f, x, h):
    """(f(x + h e_i) - f(x - h e_i)) / 2h for each i, as gradcheck takes them, in any dtype."""
    return np.array([[(f(x + e) - f(x - e)) / (2 * h) for e in h * np.eye(x.size, dtype=x.dtype)]])


def step_errors(steps):
    """{dtype: the relative error of a numerical dx with each step}, dx of G's loss at a small D."""
    rng, loss, errors = np.random.default_rng(0), NonSaturating(), {}
    network = Sequential(Dense(64, 8, rng), Tanh(), Dense(8, 1, rng)).astype(np.float64)
    x = rng.standard_normal((1, 64), np.float32).astype(np.float64)
    s, cache = network.forward(x)
    dx = network.input_grad(loss.generator(s)[1], cache)
    for dtype in np.float64, np.float32:  # all numbers above fit into float32: nothing is lost
        network, x = network.astype(dtype), x.astype(dtype)
        wrong = [differences(lambda x: loss.generator(network(x))[0], x, dtype(h)) - dx
                 for h in steps]
        errors[dtype.__name__] = np.linalg.norm(wrong, axis=(1, 2)) / np.linalg.norm(dx)
    return errors


@one_line_errors()
def main():
    require("matplotlib")
    from matplotlib.figure import Figure
    steps = np.logspace(-12, 0, 61)
    errors = step_errors(steps)
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    figure.suptitle("A smaller step is better until rounding takes over: in float32 far too soon")
    axes = figure.subplots()
    for dtype, color, width in ("float32", "lightcoral", 7), ("float64", "tab:blue", 2):
        axes.loglog(steps, errors[dtype], color, linewidth=width, label=dtype)
    axes.axvline(STEP, color="black", linestyle="--", label=f"gradcheck's step, {STEP:g}")
    axes.text(1e-9, 1e-8, "rounding:\nit grows as 1 / h", ha="right", va="top")
    axes.text(2e-3, 1e-8, "truncation:\nit grows as h$^2$", va="top")
    axes.set(xlabel="step h", ylabel="relative error of the numerical gradient")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    with whole_file(PICTURE) as part:
        figure.savefig(part, format="png", dpi=120)
    best = (f"{min(found):.0e} in {dtype} (h = {steps[np.argmin(found)]:.0e})"
            for dtype, found in errors.items())
    print(f"{PICTURE}: the best step errs by " + ", by ".join(best))


if __name__ == "__main__":
    main()
