"""Trains a GAN on handwritten digits, and shows what it learns.

    python examples/mnist_gan.py                             MNIST, 14 epochs, to runs/mnist_gan
    python examples/mnist_gan.py --resume                    go on where that run stopped
    python examples/mnist_gan.py --arch dcgan --loss wasserstein --out runs/wgan_gp

The networks are in minigan/networks.py, the two steps of training in minigan/train.py. What has no
option is set by a recipe below: change it there. examples/README.md explains the log.
"""
import argparse
import shlex
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from minigan import (
    LOSSES, NETWORKS, Adam, BatchNorm, GradientPenalty, LayerNorm, R1Penalty, discriminator_step,
    generator_step, to_device)
from minigan.backend import backend_module
from minigan.workshop import (
    MovingAverage, Run, at_least, draw_images, draw_noise, keep_freed_memory, load_run,
    locked_folder, many_processes, one_line_errors, require, save_animation, save_curves,
    save_grid, save_samples, training_images)

# As in the papers. norm: what D has between its layers; n_critic: steps of D for each of G. With
# the loss "wasserstein" it is WGAN-GP, only that it learns five times as fast.
CLASSICAL = {
    "mlp": {"networks": "mlp", "latent_dim": 100, "width": 256, "norm": "none", "batch_size": 64,
            "epochs": 20, "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "n_critic": 1, "average": 0.0,
            "penalty": "none", "penalty_weight": 0.0, "penalty_every": 1, "lr_falls_to": 1.0},
    "dcgan": {"networks": "dcgan", "width": 64, "norm": "batch", "epochs": 5},  # all else as above
    "wasserstein": {"norm": "layer", "lr": 5e-4, "beta1": 0.0, "beta2": 0.9, "n_critic": 5,
                    "penalty": "gp", "penalty_weight": 10.0}}
# What drew the best digits in five minutes on two cores (examples/README.md). R1 looks at each
# fourth batch only, and counts four times; lr falls in the second half, to a tenth; G draws with a
# moving average of its weights.
TUNED_FOR_ALL = {"lr": 2e-3, "lr_falls_to": 0.1, "beta1": 0.0, "beta2": 0.99, "average": 0.999,
                 "norm": "none", "penalty": "r1", "penalty_every": 4}
TUNED = {
    "mlp": {**TUNED_FOR_ALL, "networks": "mlp_tuned", "penalty_weight": 0.3, "epochs": 14},
    "dcgan": {**TUNED_FOR_ALL, "networks": "dcgan_tuned", "penalty_weight": 4.0, "epochs": 4,
              "width": 16, "batch_size": 32}}
NORMS = {"none": None, "batch": BatchNorm, "layer": LayerNorm}
CHOICES = {"data": ["auto", "mnist", "digits"], "recipe": ["tuned", "classical"],
           "arch": ["mlp", "dcgan"], "networks": list(NETWORKS), "loss": list(LOSSES),
           "norm": list(NORMS), "penalty": ["none", "gp", "r1"]}
LEGEND = {"D(x)": "D(x), D(G(z)): what D says of real and of fake images; alike if it cannot tell",
          "distance": "distance: of fake from real images, as D estimates it; falls as G learns",
          "|dD/dx|": "|dD/dx|: how steep D is, which the penalty holds at 1 (gp) or near 0 (r1)"}
EPOCH_PICTURE = "samples_epoch_{:03}.png"


def complete(given):
    """{name: value} of all that a checkpoint remembers: what is given, else what the recipe says.
    """
    args = {"data": "auto", "data_dir": "", "arch": "mlp", "loss": "nonsaturating", "seed": 0,
            "recipe": "classical" if "loss" in given else "tuned", **CLASSICAL["mlp"]}
    arch, loss, recipe = ((args | given)[name] for name in ("arch", "loss", "recipe"))
    args |= CLASSICAL["dcgan"] if arch == "dcgan" else {}
    args |= CLASSICAL["wasserstein"] if (recipe, loss) == ("classical", "wasserstein") else {}
    args |= TUNED.get(arch, {}) if recipe == "tuned" else {}
    # A checkpoint before the tuned networks has neither of these.
    args |= {"networks": arch, "lr_falls_to": 1.0} if "lr" in given else {}
    args = {name: given.get(name, value) for name, value in args.items()}
    for name, choices in CHOICES.items():
        if args[name] not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}, not {args[name]}")
    return args


def train(args, images, saved, processes):
    """Trains from the start or from a saved state; leaves checkpoint and pictures in args.out."""
    # Every purpose has a random stream of its own: to make a picture does not change the training.
    weights_rng, noise_rng, picture_rng = np.random.default_rng(args.seed).spawn(3)
    noise_rng = processes.random(noise_rng)
    generator, discriminator = NETWORKS[args.networks](
        args.latent_dim, weights_rng, NORMS[args.norm], args.width)
    adam = args.lr, args.beta1, args.beta2
    adam_g = Adam(generator.to(args.backend).parameters(), *adam)
    adam_d = Adam(discriminator.to(args.backend).parameters(), *adam)
    loss = LOSSES[args.loss]()
    penalty = {"gp": GradientPenalty(args.penalty_weight, rng=noise_rng),
               "r1": R1Penalty(args.penalty_every * args.penalty_weight)}.get(args.penalty)
    average = MovingAverage(generator, args.average) if args.average else None
    processes.share(generator, discriminator, adam_g, adam_d)
    artist = average.network if average else generator
    wasserstein = args.loss == "wasserstein"

    def noise(rng, count):
        return draw_noise(rng, count, args.latent_dim, args.backend)

    columns = ["D loss", "G loss", *(["distance"] if wasserstein else ["D(x)", "D(G(z))"]),
               *(["|dD/dx|"] if penalty else [])]
    parts = {"generator": generator, "discriminator": discriminator, "adam_g": adam_g,
             "adam_d": adam_d, "noise": noise_rng, **({"average": average} if average else {})}
    run = Run(args.out, parts, complete(vars(args)), columns, processes)
    if saved:
        run.load_state_dict(saved)

    print(*(LEGEND[name] for name in columns if name in LEGEND), sep="\n")
    z_shown = noise(picture_rng, 64)
    steps_before, started = run.steps, time.perf_counter()
    images_per_step, share = args.n_critic * args.batch_size, args.batch_size // processes.size
    for epoch in run.epochs(images, images_per_step, args.epochs, args.steps, args.seed):
        for x_real in run.batches():
            second_half = max(0, 2 * run.steps / args.epochs / run.steps_per_epoch - 1)
            adam_g.lr = adam_d.lr = args.lr * (1 - (1 - args.lr_falls_to) * second_half)
            due = penalty if run.steps % args.penalty_every == 0 else None
            # (1) Update D, n_critic times: tell real from fake.
            for x in np.split(x_real, args.n_critic):
                d_loss, d_real, d_fake = discriminator_step(
                    generator, discriminator, adam_d, loss,
                    to_device(processes.part(x), args.backend), noise(noise_rng, share), due)
            # (2) Update G: make D take fake for real.
            g_loss, _ = generator_step(
                generator, discriminator, adam_g, loss, noise(noise_rng, share))
            if average:
                average.update()
            run.log(d_loss, g_loss, *([d_real - d_fake] if wasserstein else [d_real, d_fake]),
                    *([due and due.norm] if penalty else []))
        if processes.rank == 0:
            save_grid(args.out / EPOCH_PICTURE.format(epoch), draw_images(artist, z_shown))
    if processes.rank:
        return
    seconds = time.perf_counter() - started

    save_grid(args.out / "samples.png", draw_images(artist, z_shown))
    save_curves(args.out / "losses.png", run.history, columns, run.steps_per_epoch / run.block)
    pictures = [args.out / EPOCH_PICTURE.format(epoch + 1) for epoch in range(run.epochs_begun)]
    save_animation(args.out / "training.gif", filter(Path.exists, pictures))
    if args.save_samples:
        x_fake = draw_images(artist, noise(picture_rng, args.save_samples))
        save_samples(args.out / "samples.npz", x_fake)

    print(f"steps done: {run.steps}, {run.steps - steps_before} of them now, in {seconds:.1f} s")
    if run.steps == steps_before:
        print("Nothing was left to do: to train for longer, raise --epochs or --steps")
    if not args.dry_run:
        print(f"Checkpoint and pictures are in {args.out}")
        if run.interrupted:
            again = [] if args.resume else ["--resume"]
            print("Interrupted. To go on:", shlex.join(["python", *sys.argv, *again]))
    if run.interrupted:
        sys.exit(128 + run.interrupted)  # as shells have it: 130 after Ctrl-C


def parse(words):
    """The options. What is not given is None, and `complete` says what it is to be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add, count = parser.add_argument, {"type": at_least(1), "metavar": "N"}
    add("--data", choices=CHOICES["data"], help="MNIST, or digits that a program draws; auto, the "
        "default: MNIST if it is there or can be downloaded")
    add("--data-dir", metavar="DIR", help="where the four MNIST files are")
    add("--arch", choices=CHOICES["arch"], help="dense or convolutional networks (default: mlp)")
    add("--loss", choices=CHOICES["loss"], help="the adversarial loss (default: nonsaturating)")
    add("--recipe", choices=CHOICES["recipe"], help="all that has no option: what draws the best "
        "digits in five minutes, or as in the papers (default: tuned; classical with --loss)")
    add("--epochs", **count, help="passes over the data (default: the recipe's)")
    add("--steps", **count, help="stop after N training steps in all")
    add("--batch-size", type=at_least(2), metavar="N", help="images a step (default: the recipe's)")
    add("--seed", type=at_least(0), metavar="N", help="of all random numbers (default: 0)")
    add("--out", type=Path, default=Path("runs/mnist_gan"), metavar="DIR", help="where all goes")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--save-samples", **count, help="also write N generated images to samples.npz")
    add("--backend", choices=["numpy", "cupy"], default="numpy", help="the CPU, or a GPU")
    add("--dry-run", action="store_true", help="does it work? some steps in a temporary folder")
    return parser.parse_args(words)


def prepare(args):
    """Completes the arguments; returns them, the images, and, with --resume, the saved state."""
    given = {name: value for name, value in vars(args).items() if value not in (None, "auto", [])}
    saved, given = (load_run(args.out / "checkpoint.npz", complete, given, ["epochs", "data_dir"])
                    if args.resume else (None, given))
    vars(args).update(complete(given))
    np.empty((args.save_samples or 0, 28, 28), np.float32)  # fails now if it is too many
    images, args.data = training_images(  # which is slow
        args.data, args.data_dir, 512 if args.dry_run else 60000, args.seed)
    return args, images, saved


def main(words=None):
    keep_freed_memory()
    with many_processes() as processes:
        args = parse(sys.argv[1:] if words is None else words)
        scratch = tempfile.TemporaryDirectory() if args.dry_run else nullcontext()
        interrupted = "Interrupted at once; --resume goes on from the last checkpoint"
        with one_line_errors(interrupted), scratch:
            require("matplotlib", "tqdm")
            backend_module(args.backend)
            if args.dry_run:
                args.data, args.epochs, args.resume = "digits", 2, False
                args.out = Path(scratch.name)
            checkpoint, first = args.out / "checkpoint.npz", processes.rank == 0
            if first and args.resume != checkpoint.exists():
                raise OSError(f"there is no {checkpoint} to resume from" if args.resume else
                              f"{checkpoint} exists: add --resume, or choose another --out")
            with locked_folder(args.out) if first else nullcontext():
                args, images, saved = processes.first(prepare, args)
                try:
                    train(args, images, saved, processes)
                except (ValueError, OverflowError, ZeroDivisionError) as error:
                    raise ValueError(f"{checkpoint}: {error}" if saved else error) from error


if __name__ == "__main__":
    main()
