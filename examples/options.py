"""The options of mnist_gan.py's command line, and what suits each loss."""
import argparse
from pathlib import Path

from minigan import LOSSES, NETWORKS

# What suits each penalty, unless the command line says otherwise: as in its paper, but that "gp"
# learns five times as fast and "r1" has a tenth of the weight, which draws better digits in these
# few epochs, and that "clip" has Adam in place of RMSprop.
SETTINGS = "lr beta1 beta2 n_critic penalty_weight".split()
DEFAULTS = {name: dict(zip(SETTINGS, values)) for name, values in {
    "none": (2e-4, 0.5, 0.999, 1, 0.0), "clip": (5e-5, 0.0, 0.999, 5, 0.01),
    "gp": (5e-4, 0.0, 0.9, 5, 10.0), "r1": (2e-4, 0.5, 0.999, 1, 1.0)}.items()}

# What a checkpoint remembers of the command line. --resume takes it up, and all but the last two
# must stay as they were.
REMEMBERED = ["data", "arch", "loss", "penalty", *SETTINGS, "batch_size", "average", "latent_dim",
              "seed", "epochs", "data_dir"]


def at_least(least):
    """A type for argparse: a number like `least` (an int or a float), and not below it."""
    def number(text):
        if not least <= (value := type(least)(text)) < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least} up")
        return value
    return number


def parse(words):
    """The options as a Namespace, with what suits the penalty where nothing was said."""
    parser = argparse.ArgumentParser(
        description="Trains a GAN on handwritten digits, and shows what it learns.")
    count, positive = {"type": at_least(1), "metavar": "N"}, {"type": at_least(0.0), "metavar": "X"}

    def add(name, help, default=None, **more):
        known = "" if default in (None, False) else f" (default: {default})"
        parser.add_argument(name, help=help + known, default=default, **more)

    add("--data", "MNIST, or the built-in digits; auto: MNIST if it is there or can be downloaded",
        "auto", choices=["auto", "mnist", "digits"])
    add("--data-dir", "where the four MNIST files are", metavar="DIR")
    add("--arch", "dense or convolutional networks", "mlp", choices=NETWORKS)
    add("--loss", "the adversarial loss", "nonsaturating", choices=LOSSES)
    add("--penalty", "what holds D back: clipped weights, a gradient penalty (WGAN-GP), R1, or "
        "nothing (default: gp for wasserstein, else none)", choices=DEFAULTS)
    add("--epochs", "passes over the data", 20, **count)
    add("--steps", "stop after N training steps in all", **count)
    add("--batch-size", "images per update", 64, type=at_least(2), metavar="N")
    add("--n-critic", "updates of D for each of G (default: 5 for clip and gp, else 1)", **count)
    add("--penalty-weight", "of the penalty; limit of clip (default: gp 10, r1 1, clip 0.01)",
        **positive)
    add("--lr", "Adam's learning rate; the default depends on the penalty, as do the next two",
        type=at_least(1e-12), metavar="X")
    add("--beta1", "Adam's memory of gradients", **positive)
    add("--beta2", "Adam's memory of their squares", **positive)
    add("--average", "draw with a moving average of G's weights, of this decay, as 0.995", 0.0,
        type=at_least(0.0), metavar="X")
    add("--latent-dim", "size of the noise z", 100, **count)
    add("--seed", "of all random numbers", 0, type=at_least(0), metavar="N")
    add("--out", "where the output goes", Path("runs/mnist_gan"), type=Path, metavar="DIR")
    add("--resume", "go on from the checkpoint in --out", False, action="store_true")
    add("--save-samples", "also write N generated images to samples.npz", **count)
    add("--backend", "the CPU, or a GPU", "numpy", choices=["numpy", "cupy"])
    add("--dry-run", "some steps in a temporary folder: does it work?", False, action="store_true")
    args = parser.parse_args(words)
    if args.penalty is None:
        args.penalty = "gp" if args.loss == "wasserstein" else "none"
    for name, default in DEFAULTS[args.penalty].items():
        if getattr(args, name) is None:
            setattr(args, name, default)
    return args
