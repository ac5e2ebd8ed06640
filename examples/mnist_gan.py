"""Trains a GAN on handwritten digits, and shows what it learns.

    python examples/mnist_gan.py                             MNIST, 12 epochs, to runs/mnist_gan
    python examples/mnist_gan.py --resume                    go on where that run stopped
    python examples/mnist_gan.py --arch dcgan --loss wasserstein --out runs/wgan_gp

The networks are in minigan/networks.py, the command line's options and the recipes in options.py.
"""
import shlex
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from options import REMEMBERED, parse

from minigan import (
    LOSSES, NETWORKS, Adam, BatchNorm, GradientPenalty, LayerNorm, R1Penalty, clip_weights,
    discriminator_step, generator_step, to_device, to_host)
from minigan.backend import backend_module
from minigan.workshop import (
    MovingAverage, Run, draw_digits, load_mnist, load_run, save_animation, save_curves, save_grid,
    save_samples, writable_folder)

NORMS = {"none": None, "batch": BatchNorm, "layer": LayerNorm}
EPOCH_PICTURE = "samples_epoch_{:03}.png"


def noise(rng, count, args):
    """z ~ N(0, 1), float32 (count, latent_dim), drawn on the host: all backends see the same."""
    return to_device(rng.standard_normal((count, args.latent_dim), np.float32), args.backend)


def sample(generator, z):
    """Images in [0, 1], float32 (N, 28, 28), from noise z (N, latent_dim), some at a time."""
    x = np.concatenate([to_host(generator(z[i:i + 500])) for i in range(0, len(z), 500)])
    return (x[..., 0] + 1) / 2


def train(args, images, saved):
    """Trains from the start or from a saved state; leaves checkpoint and pictures in args.out."""
    # Every purpose has a random stream of its own: to make a picture does not change the training.
    weights_rng, noise_rng, picture_rng = np.random.default_rng(args.seed).spawn(3)
    penalty = {"gp": GradientPenalty(args.penalty_weight, rng=noise_rng),
               "r1": R1Penalty(args.penalty_weight, args.penalty_every)}.get(args.penalty)
    generator, discriminator = NETWORKS[args.arch](
        args.latent_dim, weights_rng, NORMS[args.norm], args.width)
    adam = args.lr, args.beta1, args.beta2
    adam_g = Adam(generator.to(args.backend).parameters(), *adam)
    adam_d = Adam(discriminator.to(args.backend).parameters(), *adam)
    loss = LOSSES[args.loss]()
    average = MovingAverage(generator, args.average) if args.average else None
    wasserstein = args.loss == "wasserstein"

    columns = ["D loss", "G loss", *(["distance"] if wasserstein else ["D(x)", "D(G(z))"]),
               *(["|dD/dx|"] if penalty else [])]
    run = Run(args.out, columns=columns,
              parts={"generator": generator, "discriminator": discriminator,
                     "adam_g": adam_g, "adam_d": adam_d, "noise": noise_rng,
                     **({"average": average} if average else {}),
                     **({"penalty": penalty} if args.penalty == "r1" else {})},
              arguments={name: getattr(args, name) for name in REMEMBERED})
    if saved:
        run.load_state_dict(saved)

    artist = average.network if average else generator
    z_shown = noise(picture_rng, 64, args)
    steps_before, started = run.steps, time.perf_counter()
    images_per_step = args.n_critic * args.batch_size
    for epoch in run.epochs(images, images_per_step, args.epochs, args.steps, args.seed):
        for x_real in run.batches():
            if args.lr_end:
                adam_g.lr = adam_d.lr = args.lr + run.progress * (args.lr_end - args.lr)
            # (1) Update D, n_critic times: tell real from fake.
            for x in np.split(x_real, args.n_critic):
                z = noise(noise_rng, args.batch_size, args)
                d_loss, d_real, d_fake = discriminator_step(
                    generator, discriminator, adam_d, loss, to_device(x, args.backend), z, penalty)
                if args.penalty == "clip":
                    clip_weights(discriminator.parameters(), args.penalty_weight)
            # (2) Update G: make D take fake for real.
            z = noise(noise_rng, args.batch_size, args)
            g_loss, _ = generator_step(generator, discriminator, adam_g, loss, z)
            if average:
                average.update()
            run.log(d_loss, g_loss, *([d_real - d_fake] if wasserstein else [d_real, d_fake]),
                    *([penalty.norm] if penalty else []))
        save_grid(args.out / EPOCH_PICTURE.format(epoch), sample(artist, z_shown))
    seconds = time.perf_counter() - started

    save_grid(args.out / "samples.png", sample(artist, z_shown))
    save_curves(args.out / "losses.png", run.history, columns, run.steps_per_epoch)
    pictures = [args.out / EPOCH_PICTURE.format(epoch + 1) for epoch in range(run.epochs_begun)]
    save_animation(args.out / "training.gif", filter(Path.exists, pictures))
    if args.save_samples:
        z = noise(picture_rng, args.save_samples, args)
        save_samples(args.out / "samples.npz", sample(artist, z))

    print(f"steps done: {run.steps}, {run.steps - steps_before} of them now, in {seconds:.1f} s")
    if run.steps == steps_before:
        print("Nothing was left to do: to train for longer, raise --epochs or --steps")
    if not args.dry_run:
        print(f"Checkpoint and pictures are in {args.out}")
        if run.interrupted:
            again = [] if args.resume else ["--resume"]
            print("Interrupted. To go on:", shlex.join(["python", *sys.argv, *again]))


def load_images(args):
    """uint8 images (N, 28, 28), and which they are: "mnist" or "digits"."""
    if args.data != "digits":
        try:
            images, _ = load_mnist(args.data_dir)
            print(f"data: MNIST, {len(images)} images")
            return images, "mnist"
        except ConnectionError as error:
            if args.data == "mnist":
                raise
            print(f"{error}.\nNo MNIST, so: ", end="")
    count = 512 if args.dry_run else 60000
    print(f"data: BUILT-IN DIGITS, {count} images drawn by a program")
    return draw_digits(count, np.random.default_rng(args.seed))[0], "digits"


def prepare(words, scratch):
    """The arguments, the images and, with --resume, the saved state. What is slow comes last."""
    args, saved = parse(words), None
    try:
        import matplotlib, tqdm  # noqa: E401, F401 (if one is missing, say so now, not at the end)
    except ImportError as error:
        raise ImportError(f'this example needs {error.name}: pip install -e ".[examples]"')
    backend_module(args.backend)
    if args.dry_run:
        args.data, args.epochs, args.out, args.resume = "digits", 2, Path(scratch), False
    checkpoint = args.out / "checkpoint.npz"
    if args.resume:
        saved, args = load_run(checkpoint, parse, words, fixed=REMEMBERED[:-2])
    elif checkpoint.exists():
        raise FileExistsError(f"{checkpoint} exists: add --resume, or choose another --out")
    writable_folder(args.out)
    images, args.data = load_images(args)
    return args, images, saved


def main(words=None):
    try:
        with tempfile.TemporaryDirectory() as scratch:
            train(*prepare(sys.argv[1:] if words is None else words, scratch))
    except (OSError, ValueError, ImportError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted at once; --resume goes on from the last checkpoint, if there is one")


if __name__ == "__main__":
    main()
