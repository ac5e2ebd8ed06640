"""The options of mnist_gan.py's command line, and the recipes: what they are unless they are given.
"""
import argparse
from pathlib import Path

from minigan import LOSSES, NETWORKS

# The classical recipe: what all share, networks and epochs by architecture, and what suits each
# penalty. All is as in the papers, but that "gp" learns five times as fast and "r1" has a tenth of
# the weight, which draws better digits in these few epochs, and that "clip" has Adam in place of
# RMSprop.
CLASSICAL = {"loss": "nonsaturating", "penalty_every": 1, "batch_size": 64, "average": 0.0}
BY_ARCH = {"mlp": {"width": 256, "norm": "none", "epochs": 20},
           "dcgan": {"width": 64, "norm": "batch", "epochs": 5}}
SETTINGS = "lr beta1 beta2 n_critic penalty_weight norm".split()
BY_PENALTY = {name: dict(zip(SETTINGS, values)) for name, values in {
    "none": (2e-4, 0.5, 0.999, 1, 0.0), "clip": (5e-5, 0.0, 0.999, 5, 0.01),
    "gp": (5e-4, 0.0, 0.9, 5, 10.0, "layer"),  # a norm that does not mix the examples
    "r1": (2e-4, 0.5, 0.999, 1, 1.0, "layer")}.items()}

# The tuned recipe: what drew the best digits in five minutes on two cores (search.py).
TUNED = {
    "mlp": {"penalty": "r1", "penalty_every": 4, "norm": "none", "lr": 1e-3, "beta2": 0.99,
            "average": 0.999, "epochs": 12},
    "dcgan": {"penalty": "r1", "penalty_every": 4, "norm": "none", "lr": 2e-3, "beta2": 0.99,
              "average": 0.998, "width": 32, "batch_size": 32, "epochs": 4}}

# What a checkpoint remembers of the command line. --resume takes it up, and all but the last two
# must stay as they were.
REMEMBERED = ["data", "arch", "loss", "penalty", *SETTINGS, "penalty_every", "lr_end", "width",
              "batch_size", "average", "latent_dim", "seed", "epochs", "data_dir"]


def at_least(least):
    """A type for argparse: a number like `least` (an int or a float), and not below it."""
    def number(text):
        if not least <= (value := type(least)(text)) < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least} up")
        return value
    return number


def parse(words):
    """The options as a Namespace, with what the recipe says where nothing was said."""
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
    add("--recipe", "what the options from --loss to --norm are unless they are given: as in the "
        "papers, or what draws the best digits in five minutes (default: tuned; classical with "
        "--loss or --penalty)", choices=["tuned", "classical"])
    add("--loss", "the adversarial loss (default: nonsaturating)", choices=LOSSES)
    add("--penalty", "what holds D back: clipped weights, a gradient penalty (WGAN-GP), R1, or "
        "nothing (classical: gp for wasserstein, else none)", choices=BY_PENALTY)
    add("--penalty-weight", "of the penalty; limit of clip (classical: gp 10, r1 1, clip 0.01)",
        **positive)
    add("--penalty-every", "apply r1 to each N-th batch only, N times as strongly", **count)
    add("--n-critic", "updates of D for each of G (classical: 5 for clip and gp, else 1)", **count)
    add("--epochs", "passes over the data", **count)
    add("--steps", "stop after N training steps in all", **count)
    add("--batch-size", "images per update", type=at_least(2), metavar="N")
    add("--lr", "Adam's learning rate", type=at_least(1e-12), metavar="X")
    add("--lr-end", "where it falls to, in a straight line, by the last step (default: it stays)",
        type=at_least(1e-12), metavar="X")
    add("--beta1", "Adam's memory of gradients", **positive)
    add("--beta2", "Adam's memory of their squares", **positive)
    add("--average", "draw with a moving average of G's weights, of this decay, as 0.995; 0: with "
        "the last weights", **positive)
    add("--width", "of the networks: features of the narrowest layer", **count)
    add("--norm", "what D has between its layers", choices=["none", "batch", "layer"])
    add("--latent-dim", "size of the noise z", 100, **count)
    add("--seed", "of all random numbers", 0, type=at_least(0), metavar="N")
    add("--out", "where the output goes", Path("runs/mnist_gan"), type=Path, metavar="DIR")
    add("--resume", "go on from the checkpoint in --out", False, action="store_true")
    add("--save-samples", "also write N generated images to samples.npz", **count)
    add("--backend", "the CPU, or a GPU", "numpy", choices=["numpy", "cupy"])
    add("--dry-run", "some steps in a temporary folder: does it work?", False, action="store_true")
    args = parser.parse_args(words)
    if args.recipe is None:  # who chooses a loss or a penalty wants what suits it
        args.recipe = "classical" if args.loss or args.penalty else "tuned"
    tuned = TUNED[args.arch] if args.recipe == "tuned" else {}
    args.penalty = args.penalty or tuned.get(
        "penalty", "gp" if args.loss == "wasserstein" else "none")
    defaults = {**CLASSICAL, **BY_ARCH[args.arch], **BY_PENALTY[args.penalty], **tuned}
    for name, default in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
    return args
