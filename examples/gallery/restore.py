"""Restoring digits: an adversary beside the squared error (Ledig et al. 2017, Pathak et al. 2016).

    python examples/gallery/restore.py                    4 x 4 pixels back to 28 x 28; draws them
    python examples/gallery/restore.py --task inpaint     a hole is filled; or denoise

c is what is left of an image, x what was lost. G restores it, x_fake = G(c), and D(x | c) tells
what is restored from what is real. G is to please D, and to be near the truth:

    L = adversarial(s_fake) + lambda mean (x_fake - x_real)^2,   s_fake = D(x_fake | c)

    c --G--> x_fake --D--> s_fake --> adversarial
                '----------------> mean squared error with x_real

What is new is the gradient where the way forks. x_fake has two ways to L, so two gradients meet
there; they add up, and go back through G as one:

    dx_fake = (∂s_fake/∂x_fake)^T ds_fake + lambda 2 (x_fake - x_real) / size

Without the first, G draws the mean of all x that may go with c, where the squared error is
smallest: a blur, where they differ. Without the second, it draws a good digit, which need not be
this one. No G is the best at both (Blau and Michaeli 2018): with D the peak signal-to-noise ratio
(PSNR) falls, while a judge of digits sees better ones. G takes no noise: the squared error would
punish all that comes of it, and G soon ignore it (Isola et al. 2017).
"""
import copy

import numpy as np

from minigan import (
    Adam, BatchNorm, Dense, Given, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty,
    Sequential, Shift, Tanh, discriminator_step, mean_squared_error)
from minigan.workshop import (
    Judge, MovingAverage, frechet_distance, labelled_digits, page, progress, save_rows, to_float)

BATCH, LAMBDA, NOISE = 64, 10, 1.5
ALL, HOLE = np.ones((28, 28), bool), np.zeros((28, 28), bool)
HOLE[7:21, 7:21] = True
LOST = {"superresolution": ALL, "inpaint": HOLE, "denoise": ALL}  # the pixels to be restored


def build(rng, lost, left):
    """G: c (N, left) -> x (N, lost) in [-1, 1]; D: x and c -> scores."""
    generator = Sequential(
        Dense(left, 512, rng), BatchNorm(512), LeakyReLU(),
        Dense(512, 512, rng), BatchNorm(512), LeakyReLU(), Dense(512, lost, rng), Tanh())
    discriminator = Sequential(
        Shift(1), Dense(lost + left, 512, rng), LeakyReLU(), Dense(512, 256, rng), LeakyReLU(),
        MinibatchDeviation(), Dense(257, 1, rng))
    return generator, discriminator


def damage(images, task, rng):
    """Images, uint8 (N, 28, 28) -> x (N, lost), c (N, left), and c as images (N, 28, 28)."""
    images = to_float(images)[..., 0]
    if task == "superresolution":
        c = images.reshape(-1, 4, 7, 4, 7).mean(axis=(2, 4))
        c_images = c.repeat(7, axis=1).repeat(7, axis=2)
    elif task == "inpaint":
        c, c_images = images[:, ~HOLE], images * ~HOLE  # 0 is grey
    else:
        c = c_images = images + NOISE * rng.standard_normal(images.shape, np.float32)
    return images[:, LOST[task]], c.reshape(len(c), -1), c_images


def repair(c_images, task, x):
    """The damaged images with x (N, lost) in its place, in [0, 1]."""
    images = c_images.copy()
    images[:, LOST[task]] = x
    return (images.clip(-1, 1) + 1) / 2


def interpolate(c_images, task):
    """x (N, lost) by no network: each pixel becomes the mean of the 3 x 3 around it, repeatedly."""
    y = c_images
    for _ in range(50 if task == "inpaint" else 3):
        mean = y
        for axis in (1, 2):
            mean = (np.roll(mean, 1, axis) + mean + np.roll(mean, -1, axis)) / 3
        y = np.where(LOST[task], mean, c_images)
    return y[:, LOST[task]]


def squared_error_step(G, optimizer, x_real, c):
    """Update G: restore x, as any regression does. Returns the mean squared error."""
    x_fake, cache = G.forward(c)
    value, dx_fake = mean_squared_error(x_fake, x_real)
    G.zero_grad()
    G.add_param_grads(dx_fake, cache)
    optimizer.step()
    return value


def restoration_step(G, D, optimizer, loss, x_real, c):
    """Update G: restore x, and make D take it for real. Returns loss value, mean squared error."""
    x_fake, cache_generator = G.forward(c)
    s_fake, cache_discriminator = D.forward(x_fake)
    adversarial, ds_fake = loss.generator(s_fake)
    error, dx_fake = mean_squared_error(x_fake, x_real)
    dx_fake = D.input_grad(ds_fake, cache_discriminator) + LAMBDA * dx_fake
    G.zero_grad()
    G.add_param_grads(dx_fake, cache_generator)
    optimizer.step()
    return adversarial + LAMBDA * error, error


def train(args, images):
    """Returns the moving averages of two G: the squared error's alone, and that with D."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    x, c, _ = damage(images[:1], args.task, rng)
    G, D = build(weights_rng, x.shape[1], c.shape[1])
    alone = copy.deepcopy(G)
    adam_alone, adam_g, adam_d = (
        Adam(net.parameters(), 2e-3, beta1=0, beta2=0.99) for net in (alone, G, D))
    loss, penalty = NonSaturating(), R1Penalty(4 * 0.3)
    averages = [MovingAverage(net, 0.999) for net in (alone, G)]
    for step, show in progress(args.steps, "error alone", "with D", "D(x | c)", "D(G(c) | c)"):
        some = rng.integers(len(images), size=BATCH)
        x_real, c, _ = damage(images[some], args.task, rng)
        due = penalty if step % 4 == 0 else None
        error_alone = squared_error_step(alone, adam_alone, x_real, c)
        _, d_real, d_fake = discriminator_step(G, Given(D, c), adam_d, loss, x_real, c, due)
        _, error = restoration_step(G, Given(D, c), adam_g, loss, x_real, c)
        for average in averages:
            average.update()
        show(error_alone, error, d_real, d_fake)
    return [average.network for average in averages]


def main(words=None):
    with page(__doc__, 3000, words, task=list(LOST)) as args:
        (images, labels), test = labelled_digits(args)
        alone, with_d = train(args, images)
        _, c, c_images = damage(test[0], args.task, np.random.default_rng(args.seed))
        judge = Judge((images, labels), test, cached=args.data == "mnist")
        ways = {"damaged": (c_images.clip(-1, 1) + 1) / 2}
        for name, x in [("interpolated", interpolate(c_images, args.task)),
                        ("squared error", alone(c)), ("and with D", with_d(c))]:
            ways[name] = repair(c_images, args.task, x)
            features, p = judge.look(ways[name])
            psnr = -10 * np.log10(np.mean((ways[name] - judge.x_test) ** 2))
            distance = frechet_distance(features, judge.features_test)
            read = np.mean(p.argmax(axis=1) == test[1])
            print(f"{name}: {psnr:.2f} dB, distance {distance:.1f}, read rightly {read:.1%}")
        ways["true"] = judge.x_test
        save_rows(args.out / f"restore_{args.task}.png",
                  {name: some[:14] for name, some in ways.items()})


if __name__ == "__main__":
    main()
