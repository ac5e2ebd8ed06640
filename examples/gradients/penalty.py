"""The gradient of a gradient penalty, in three ways, and what a forgotten term costs.

    python examples/gradients/penalty.py                 draws runs/gradients/penalty.png

WGAN-GP's penalty P contains a gradient, g = ∂s/∂x, so that its own gradient is of second order.
Three ways to it agree: finite differences of P, the two sweeps of minigan/penalties.py, and two
ordinary backward passes beside each other. Without the curvature term, by which ∂s/∂x changes with
x, all is still right for LeakyReLU, which is linear in pieces, and wrong for Tanh.
"""
from pathlib import Path

import numpy as np

from minigan import Dense, GradientPenalty, LeakyReLU, Sequential, Tanh, gradient_penalty
from minigan.gradcheck import numerical_gradient
from minigan.workshop import one_line_errors, require, whole_file

PICTURE = Path("runs/gradients/penalty.png")
LOOKS = [{"marker": "o", "s": 80, "color": "skyblue"}, {"marker": ".", "s": 15, "color": "black"},
         {"marker": "x", "s": 30, "color": "tab:red"}]


def penalty_gradients(activation):
    """{way: ∂P/∂W}: P at a small critic, and W the weights of its first layer."""
    rng = np.random.default_rng(0)
    critic = Sequential(Dense(6, 16, rng), activation(), Dense(16, 8, rng), activation(),
                        Dense(8, 1, rng)).astype(np.float64)
    W, x = critic.layers[0].W, 2 * rng.standard_normal((16, 6))

    def penalty(value):  # and leaves ∂P/∂W, by two sweeps, in W.grad
        W.value = value
        critic.zero_grad()
        return gradient_penalty(critic, x)

    ways = {"finite differences": numerical_gradient(penalty, W.value)}
    penalty(W.value)
    ways["two sweeps"] = W.grad.copy()
    ones, eps = np.ones((16, 1)), 1e-5
    g = critic.input_grad(ones, critic.forward(x)[1])
    _, v = GradientPenalty().phi(g, np.linalg.norm(g, axis=1, keepdims=True))
    critic.zero_grad()
    for sign in 1, -1:  # how ∂(sum of s)/∂W changes as x moves along v = ∂P/∂g
        critic.add_param_grads(sign * ones, critic.forward(x + sign * eps * v)[1])
    ways["two backward passes"] = W.grad / (2 * eps)
    for layer in critic.layers:
        layer.curvature = lambda *_: None  # as if all were linear in pieces
    penalty(W.value)
    return {**ways, "without curvature": W.grad.copy()}


@one_line_errors()
def main():
    require("matplotlib")
    from matplotlib.figure import Figure
    figure, lost = Figure(figsize=(12, 6.5), layout="constrained"), []
    figure.suptitle("A penalty's gradient, a mark per weight: wrong for Tanh without curvature")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, activation, note in zip(panels, (Tanh, LeakyReLU), ("", ": it has no curvature")):
        ways = penalty_gradients(activation)
        exact = ways.pop("finite differences")
        axes.axline((0, 0), slope=1, color="0.7", linewidth=1, zorder=0)
        for (way, found), look in zip(ways.items(), LOOKS):
            error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
            axes.scatter(exact, found, **look, label=f"{way}: error {error:.1g}")
        lost.append(f"{error:.1g} for {activation.__name__}")  # of the last way: no curvature
        axes.set(title=activation.__name__ + note,
                 xlabel="finite differences of the penalty's value")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left")
    panels[0].set_ylabel("the gradient by hand")
    with whole_file(PICTURE) as part:
        figure.savefig(part, format="png", dpi=120)
    print(f"{PICTURE}: without the curvature term the relative error is " + " and ".join(lost))


if __name__ == "__main__":
    main()
