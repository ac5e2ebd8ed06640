"""Where all of learning begins: the gradient of each adversarial loss at a score.

    python examples/gradients/losses.py                  draws runs/gradients/losses.png

D gives each image a score s, and ds, the gradient of the loss at s, is all that D and G ever learn
from. D is soon sure of a fake, and gives it a low score. Just there Minimax, the first GAN's loss,
is flat: it saturates, and leaves G hardly any gradient where G is worst. NonSaturating pulls with
full force there. In D's step the two are the same.
"""
from pathlib import Path

import numpy as np

from minigan import LOSSES
from minigan.workshop import one_line_errors, require, whole_file

PICTURE = Path("runs/gradients/losses.png")
LOOKS = [("NonSaturating", "skyblue", 10), ("Hinge", "orange", 5),  # broad: others may cover them
         ("Minimax", "tab:red", 2), ("LeastSquares", "tab:green", 2), ("Wasserstein", "black", 2)]


def loss_gradients(s):
    """{loss: N ds} at scores s (N, 1); columns: of G at fakes, of D at fakes, of D at reals."""
    gradients = {}
    for kind in LOSSES.values():
        _, ds_generator = kind().generator(s)
        _, ds_real, ds_fake = kind().discriminator(s, s)
        gradients[kind.__name__] = len(s) * np.hstack([ds_generator, ds_fake, ds_real])
    return gradients


@one_line_errors()
def main():
    require("matplotlib")
    from matplotlib.figure import Figure
    s = np.linspace(-8, 8, 801)
    gradients = loss_gradients(s[:, None])
    figure = Figure(figsize=(12, 5), layout="constrained")
    figure.suptitle("Where D is sure of a fake (grey), Minimax leaves G no gradient: it saturates")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    titles = "G's step, at a fake", "D's step, at a fake", "D's step, at a real image"
    for column, (axes, title) in enumerate(zip(panels, titles)):
        for loss, color, width in LOOKS:
            axes.plot(s, gradients[loss][:, column], color, linewidth=width, label=loss)
        axes.set(title=title, xlim=(-8, 8), ylim=(-2, 2), xticks=range(-6, 7, 2),
                 xlabel=r"D says fake   $\leftarrow$   score s   $\rightarrow$   D says real")
        axes.grid(alpha=0.3)
    panels[0].axvspan(-8, -4, color="0.9", zorder=0)
    panels[0].set_ylabel("N ds (below 0: the score is to rise)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    with whole_file(PICTURE) as part:
        figure.savefig(part, format="png", dpi=120)
    small, large = (-gradients[loss][100, 0] for loss in ("Minimax", "NonSaturating"))
    print(f"{PICTURE}: where D gives a fake the score {s[100]:g}, G's gradient has size "
          f"{small:.4f} with Minimax, {large:.4f} with NonSaturating")


if __name__ == "__main__":
    main()
