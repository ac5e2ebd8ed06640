"""What has G learned? Walks between its digits, and the digits that they might be copies of.

    python examples/mnist_gan.py                      trains the G: any checkpoint of it will do
    python examples/gallery/walk.py                   looks around in it, and draws walk.png

Nothing is trained here, and no gradient flows. First, walks: G(z(t)) as t goes from 0 to 1, with

    z(t) = a z_0 + b z_1,   which has the variance a^2 + b^2 in each of its d numbers

since z_0 and z_1 are N(0, 1). |z_0|^2 is a sum of d squares, of mean d and variance 2 d. So with
d = 100 |z_0| is 10 +- 0.7: all noise lies in a thin shell, and next to none inside. A straight line

    a = 1 - t,  b = t                                     a^2 + b^2 = 1/2 in the middle

leaves the shell. Its middle is at 7.1, and of 140,000 z only one is as near to 0: there G was never
at school. On a sphere, w being the angle between z_0 and z_1, near 90 degrees,

    a = sin((1 - t) w) / sin w,  b = sin(t w) / sin w     a^2 + b^2 = 1 at 90 degrees, for every t

z(t) is as good a z as z_0 (White 2016). So the middles of many walks are as far from real digits as
samples are, if on the sphere; those of lines, of z ~ N(0, 1/2), are farther, though they may be
read as easily. (A G that begins with a Choice jumps where that changes: there is no way between.)

Second, is a sample a copy? Its nearest training image would be far nearer than a test image's. But
some digits, like 1, are near to many. So let the images compete: of 60,000 training and 10,000 test
images the nearest to what is new is a training image by luck, 6 times in 7; to a copy, always.
Third, D: the images that it likes best and least.
"""
from pathlib import Path

import numpy as np

from minigan import NETWORKS, BatchNorm, LayerNorm
from minigan.networks import mlp_tuned
from minigan.workshop import (
    Judge, check_state, draw_images, frechet_distance, image_grid, labelled_digits, load,
    load_generator, page, progress, whole_file)

BATCH, COLUMNS = 100, 10


def build(args):
    """G, D and the size of the noise: a checkpoint's, or new ones in a dry run."""
    if args.dry_run:
        return *mlp_tuned(20, args.seed, width=16), 20
    if not Path(args.checkpoint).exists():
        raise FileNotFoundError(f"there is no checkpoint {args.checkpoint}: make one with "
                                "examples/mnist_gan.py, or name one with --checkpoint")
    (G, latent), saved = load_generator(args.checkpoint), load(args.checkpoint)
    made = {"networks": "mlp", "norm": "none", "width": 256, **saved["arguments"]}
    norm = {"batch": BatchNorm, "layer": LayerNorm}.get(made["norm"])
    _, D = NETWORKS[made["networks"]](latent, 0, norm, made["width"])
    check_state(saved.get("discriminator"), D.state_dict(), f"{args.checkpoint}: discriminator")
    D.load_state_dict(saved["discriminator"])
    return G, D, latent


def line(z_0, z_1, t):
    """(1 - t) z_0 + t z_1.  z_0, z_1 (N, latent), t a number."""
    return (1 - t) * z_0 + t * z_1


def sphere(z_0, z_1, t):
    """(sin((1 - t) w) z_0 + sin(t w) z_1) / sin w,  cos w = z_0 z_1 / (|z_0| |z_1|)."""
    length_0, length_1 = (np.linalg.norm(z, axis=1, keepdims=True) for z in (z_0, z_1))
    w = np.arccos((z_0 * z_1).sum(axis=1, keepdims=True) / (length_0 * length_1))
    return (np.sin((1 - t) * w) * z_0 + np.sin(t * w) * z_1) / np.sin(w)


def nearest(x, known, among=False):
    """Of each x (N, pixels) the nearest of the known images (K, pixels): its index, and how far it
    is, both (N,). among: x are some of the known; nobody is his own neighbour."""
    squares = np.einsum("kp,kp->k", known, known) - 2 * x @ known.T  # + x^2, the same in a row
    index = squares.argmin(axis=1)
    if among:
        squares[np.arange(len(x)), index] = np.inf
        index = squares.argmin(axis=1)
    return index, np.linalg.norm(x - known[index], axis=1)


def neighbours(args, x, x_train, x_test):
    """x: {name: images}. Of each name three (N,): the index of the nearest training image, how far
    it is, and how far the nearest test image is. All images are (N, 28, 28)."""
    found = {name: [] for name in x}
    x_train, x_test = (images.reshape(len(images), -1) for images in (x_train, x_test))
    for step, show in progress(args.steps, *x):
        for name, images in x.items():
            some = images[BATCH * step:BATCH * (step + 1)].reshape(BATCH, -1)
            index, far = nearest(some, x_train, name == "training images")
            found[name].append([index, far, nearest(some, x_test, name == "test images")[1]])
        show(*(rows[-1][1].mean() for rows in found.values()))
    return {name: [np.concatenate(parts) for parts in zip(*rows)] for name, rows in found.items()}


def scores(D, images):
    """What D says of images (N, 28, 28) in [0, 1]: (N,). As in training, a batch is of one kind."""
    x = 2 * images[..., None] - 1
    return np.concatenate([D(x[i:i + 500])[:, 0] for i in range(0, len(x), 500)])


def walks(G, z_0, z_1):
    """Images, COLUMNS a row: from each of z_0 to that of z_1, on the line, and on the sphere."""
    images = [draw_images(G, way(z_0, z_1, t)) for way in (line, sphere)
              for t in np.linspace(0, 1, COLUMNS).tolist()]
    images = np.reshape(images, (2, COLUMNS, len(z_0), 28, 28))
    return images.transpose(2, 0, 1, 3, 4).reshape(-1, 28, 28)


def near_and_far(samples, read, x_train, index, far):
    """Five times two rows, 0 to 9: samples that are read as these, from the one that is nearest to
    a training image to the one that is farthest from all, and that image below it."""
    orders = [np.where(read == digit, far, np.inf).argsort() for digit in range(10)]
    last, rows = (np.bincount(read, minlength=10) - 1).clip(0), []
    for share in (0, 0.25, 0.5, 0.75, 1):
        some = [order[int(share * end)] for order, end in zip(orders, last)]
        rows += [samples[some], x_train[index[some]]]
    return np.concatenate(rows)


def best_and_worst(D, *sets):
    """Of each set of images the 20 that D likes best, and the 20 that it likes least."""
    orders = [images[scores(D, images).argsort()] for images in sets]
    return np.concatenate([some for images in orders for some in (images[:-21:-1], images[:20])])


def save_panels(path, panels):
    """panels: {title: images, of which ten make a row}."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(12, 4.3), layout="constrained")
    for axes, (title, images) in zip(figure.subplots(1, len(panels)), panels.items()):
        axes.set_title(title)
        axes.imshow(image_grid(images, COLUMNS), cmap="gray", vmin=0, vmax=1)
        axes.set_anchor("N")
        axes.axis("off")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=100)


def main(words=None):
    with page(__doc__, 30, words, checkpoint="runs/mnist_gan/checkpoint.npz") as args:
        G, D, latent = build(args)
        pairs, test = labelled_digits(args)
        judge = Judge(pairs, test, cached=args.data == "mnist")
        rng, count = np.random.default_rng(args.seed), 200 if args.dry_run else 10000
        z = rng.standard_normal((2, count, latent), np.float32)
        for name, some in {"samples": z[0], "middles of lines": line(*z, 0.5),
                           "on the sphere": sphere(*z, 0.5)}.items():
            features, p = judge.look(draw_images(G, some))
            print(f"{name + ':':17} |z| {np.linalg.norm(some, axis=1).mean():.1f}, "
                  f"distance {frechet_distance(features, judge.features_test):.2f}, "
                  f"read surely {np.mean(p.max(axis=1) >= 0.9):.1%}")

        count = BATCH * args.steps
        z = rng.standard_normal((count, latent), np.float32)
        x_test, x_train = (images[rng.integers(len(images), size=count)]
                           for images in (judge.x_test, judge.x_train))
        noise = 0.1 * rng.standard_normal(x_train.shape, np.float32)
        x = {"samples": draw_images(G, z), "test images": x_test, "training images": x_train,
             "noisy copies": x_train + noise}
        found = neighbours(args, x, judge.x_train, judge.x_test)
        half = np.median(found["test images"][1])
        for name, (_, far, far_from_test) in found.items():
            print(f"{name + ':':17} nearest training image at {far.mean():.2f}, "
                  f"nearer than {half:.2f} {np.mean(far < half):.1%}, "
                  f"and no test image nearer {np.mean(far < far_from_test):.1%}; "
                  f"D's score {scores(D, x[name]).mean():.2f}")

        p = judge.look(x["samples"])[1]
        z = z[p.argmax(axis=0)]  # of each digit the surest
        save_panels(args.out / "walk.png", {
            "walks: straight, and on the sphere below": walks(G, z[:5], z[5:]),
            "samples, and the nearest training images": near_and_far(
                x["samples"], p.argmax(axis=1), judge.x_train, *found["samples"][:2]),
            "D likes best, least: samples; real ones": best_and_worst(D, x["samples"], x_train)})


if __name__ == "__main__":
    main()
