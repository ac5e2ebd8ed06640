"""How good are the digits? Reads checkpoints of mnist_gan.py, or samples, and prints a table.

    python examples/evaluate.py runs/mnist_gan/checkpoint.npz runs/wgan_gp/checkpoint.npz
    python examples/evaluate.py samples.npz --picture digits.png

A small convolutional network, trained here once and kept in the cache directory, looks at 10,000
generated digits. The columns:

distance   Frechet distance between its features of these and of the 10,000 test images: 0 is best.
           The scale is this classifier's own; training images, in the first row, show what is good
entropy    of the classes that it sees: log 10 = 2.30 if all are alike, less if some are missing
shares     of the rarest and the most frequent class, in percent
sure       of how many digits, in percent, it is at least 90 % sure
Parzen     log-likelihood of the test images in nats, as Goodfellow et al. 2014 have it (225 +- 2)
"""
import argparse
from pathlib import Path

import numpy as np

from minigan.workshop import (
    Judge, class_shares, generate, image_grid, keep_freed_memory, load_mnist, one_line_errors,
    require, whole_file, writable_folder)
from minigan.workshop.judge import FEATURES

COUNT = 10000


def load_samples(path, backend):
    """Images (N, 28, 28) in [0, 1]: those in an .npz of generate.py, or 10,000 of a checkpoint.
    Raises ValueError, which names the file, if it is neither."""
    images = None
    try:
        with np.load(path) as file:
            if "images" in file:
                images = file["images"]
    except FileNotFoundError:
        raise
    except Exception as error:  # as strange files raise many kinds
        raise ValueError(f"{path} is no .npz file, of samples or a checkpoint ({error})") from error
    if images is None:
        return generate(path, COUNT, backend=backend)
    expected = f"{path}: expected images, floats (N, 28, 28) from 0 to 1, N > {FEATURES}, got "
    if images.dtype.kind != "f" or images.shape[1:] != (28, 28) or len(images) <= FEATURES:
        raise ValueError(f"{expected}{images.dtype} of shape {images.shape}")
    if not (0 <= images.min() and images.max() <= 1):  # NaN, too
        raise ValueError(f"{expected}numbers from {images.min():.3g} to {images.max():.3g}")
    return images


def draw_picture(path, images, p):
    """A PNG: some images, the shares of the classes, and the images of which it is (un)sure."""
    from matplotlib.figure import Figure
    order = p.max(axis=1).argsort()
    figure = Figure(figsize=(10, 10), layout="constrained")
    for axes, title, some in zip(
            figure.subplots(2, 2).flat,
            ["the first 64", "the 64 of which the classifier is surest", "the 64 least sure"],
            [images[:64], images[order[-64:]], images[order[:64]]]):
        axes.imshow(image_grid(some), cmap="gray", vmin=0, vmax=1)
        axes.set_title(title)
        axes.axis("off")
    axes = figure.axes[3]
    axes.bar(range(10), 100 * class_shares(p))
    axes.axhline(10, color="black", linewidth=0.5)
    axes.set_title("percent of each class")
    axes.set_xticks(range(10))
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=100)


HEADER = f"{'':40} {'distance':>9} {'entropy':>8} {'shares':>10} {'sure':>7} {'Parzen':>10}"
ROW = "{:<40} {distance:>9.2f} {entropy:>8.2f} {least:>5.1f} - {most:<4.1f} {sure:>5.1f} " \
      "{parzen:>8.1f} +- {error:.1f}"


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE",
                        help="a checkpoint.npz of mnist_gan.py, or samples .npz of generate.py")
    parser.add_argument("--picture", type=Path, metavar="FILE.png",
                        help="draw the last one's digits, classes, and where it is (un)sure")
    parser.add_argument("--data-dir", metavar="DIR", help="where the four MNIST files are")
    parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy",
                        help="generate on the CPU, or on a GPU; the rest is done on the CPU")
    args = parser.parse_args(words)
    keep_freed_memory()
    with one_line_errors():
        if args.picture:
            require("matplotlib")
            writable_folder(args.picture.parent)
        samples = {str(path): load_samples(path, args.backend) for path in args.paths}
        judge = Judge(load_mnist(args.data_dir), load_mnist(args.data_dir, "test"), cached=True)
        print(f"The classifier, in {judge.path}, reads {judge.accuracy:.2%} of the test images")
        print(HEADER)
        for name, images in {"MNIST, training images": judge.x_train[:COUNT], **samples}.items():
            numbers, p = judge.numbers(images)
            print(ROW.format(name[-40:], **numbers))
        if args.picture:
            draw_picture(args.picture, images, p)


if __name__ == "__main__":
    main()
