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
import sys
from pathlib import Path

import numpy as np

from minigan import (
    Adam, BatchNorm, Conv2D, Dense, Flatten, LeakyReLU, Sequential, cross_entropy_with_logits)
from minigan.workshop import (
    cache_folder, check_state, frechet_distance, generate, image_grid, keep_freed_memory, load,
    load_mnist, one_line_errors, parzen_log_likelihood, require, save, to_float, whole_file,
    writable_folder)

COUNT, FEATURES = 10000, 64


def build_classifier(rng):
    """Images (N, 28, 28, 1) in [-1, 1] -> features (N, FEATURES) -> logits (N, 10): two networks.
    """
    features = Sequential(
        Conv2D(1, 16, 4, stride=2, padding=1, rng=rng), BatchNorm(16), LeakyReLU(),   # 14 x 14
        Conv2D(16, 32, 4, stride=2, padding=1, rng=rng), BatchNorm(32), LeakyReLU(),  # 7 x 7
        Flatten(), Dense(7 * 7 * 32, FEATURES, rng), BatchNorm(FEATURES), LeakyReLU())
    return features, Dense(FEATURES, 10, rng, std=0.01)


def train_classifier(images, labels, epochs=4, batch_size=100, seed=0):
    """The two networks, trained to name the digits."""
    rng = np.random.default_rng(seed)
    features, logits = build_classifier(rng)
    adam = Adam(features.parameters() + logits.parameters(), lr=2e-3, beta1=0.9)
    for epoch in range(epochs):
        print(f"training the classifier, epoch {epoch + 1} of {epochs}", file=sys.stderr)
        adam.lr = 2e-3 * (1 - epoch / epochs)
        for some in np.split(rng.permutation(len(images)), len(images) // batch_size):
            h, cache = features.forward(to_float(images[some]))
            s, h = logits.forward(h)
            _, ds = cross_entropy_with_logits(s, labels[some])
            features.zero_grad()
            logits.zero_grad()
            features.add_param_grads(logits.backward(ds, h), cache)
            adam.step()
    return features, logits


def load_classifier(data_dir):
    """The networks from the cache, or else trained and put there, and where that is."""
    path = cache_folder() / "classifier.npz"
    if path.exists():
        networks, saved = build_classifier(np.random.default_rng(0)), load(path)
        for network, name in zip(networks, ("features", "logits")):
            check_state(saved.get(name), network.state_dict(), f"{path}: {name}")
            network.load_state_dict(saved[name])
    else:
        networks = train_classifier(*load_mnist(data_dir))
        save(path, {"features": networks[0].state_dict(), "logits": networks[1].state_dict()})
    return networks, path


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


class Judge:
    """What generated images are compared with: the classifier, and MNIST's images in [0, 1]."""

    def __init__(self, data_dir=None):
        self.networks, self.path = load_classifier(data_dir)
        self.x_train = load_mnist(data_dir)[0] / np.float32(255)
        x_test, labels = load_mnist(data_dir, "test")
        self.x_test = x_test / np.float32(255)
        self.features_test, p = self.look(self.x_test)
        self.accuracy = np.mean(p.argmax(axis=1) == labels)

    def look(self, images):
        """The features (N, 64) of images (N, 28, 28) in [0, 1], and the probabilities (N, 10)."""
        features, logits = self.networks
        x = np.asarray(images, np.float32)[..., None] * 2 - 1
        h = np.concatenate([features(x[i:i + 500]) for i in range(0, len(x), 500)])
        p = np.exp(logits(h), dtype=np.float64)
        return h, p / p.sum(axis=1, keepdims=True)

    def numbers(self, images):
        """A row of the table, by the names of ROW, and the probabilities."""
        features, p = self.look(images)
        shares = class_shares(p)
        some = shares[shares > 0]
        parzen, error, _ = parzen_log_likelihood(images, self.x_train[-1000:], self.x_test)
        return {"distance": frechet_distance(features, self.features_test),
                "entropy": abs(float((some * np.log(some)).sum())),
                "least": 100 * float(shares.min()), "most": 100 * float(shares.max()),
                "sure": 100 * float((p.max(axis=1) >= 0.9).mean()),
                "parzen": parzen, "error": error}, p


def class_shares(p):
    """The share of each digit, (10,), among images of which the classifier says p (N, 10)."""
    return np.bincount(p.argmax(axis=1), minlength=10) / len(p)


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
        judge = Judge(args.data_dir)
        print(f"The classifier, in {judge.path}, reads {judge.accuracy:.2%} of the test images")
        print(HEADER)
        for name, images in {"MNIST, training images": judge.x_train[:COUNT], **samples}.items():
            numbers, p = judge.numbers(images)
            print(ROW.format(name[-40:], **numbers))
        if args.picture:
            draw_picture(args.picture, images, p)


if __name__ == "__main__":
    main()
