"""From one style to another and back, without pairs: CycleGAN (Zhu et al. 2017).

    python examples/gallery/translate.py     digits in relief to MNIST's ink, and back; draws them

A are built-in digits, pressed into grey paper; B are MNIST's, in ink (with --data digits: built-in
ones). No image is shown with its partner, itself in the other style. G: A -> B and F: B -> A are to
find it, but all that D_A and D_B say is whether an image looks like A, or like B: any digit in ink
would please D_B. Yet who finds x again in y = G(x) must find its digit there. F is to do that:

    L = adversarial(s) + lambda mean |x_again - x|,   y = G(x),  s = D_B(y),  x_again = F(y)

    x --G--> y --D_B--> s --------> adversarial
             '----F---> x_again --> mean absolute error with x

What is new is the gradient that goes through one generator after the other. At y it meets that of
D_B; and F, unlike D_B, learns as it hands it on:

    dx_again = lambda sign(x_again - x) / size
    dy = (∂s/∂y)^T ds + (∂x_again/∂y)^T dx_again
    dtheta_F = (∂x_again/∂theta_F)^T dx_again,   dtheta_G = (∂y/∂theta_G)^T dy

Then the same for a y of B, by F to A, and by G back to B. So G runs twice in a step: on x, and on
F(y). Each run has a cache of its own, and the two gradients of G add up.

Without the cycle nothing in L asks for the digit; with it, G could still make an 8 of each 3, or
shift all by a pixel, if F turned that back. So all networks see only patches of 10 x 10 pixels, and
D takes the mean of the scores of all patches, much as the paper's: they learn a style, not a digit.
"""
import numpy as np

from minigan import (
    Adam, AveragePool2D, Conv2D, ConvTranspose2D, LeakyReLU, NonSaturating, R1Penalty, Reshape,
    Sequential, Shift, Tanh, discriminator_step, mean_absolute_error)
from minigan.workshop import (
    Judge, MovingAverage, draw_digits, labelled_digits, page, progress, save_rows, to_float,
    train_classifier)

BATCH, LAMBDA = 16, 10


def build(rng):
    """G or F: images (N, 28, 28, 1) -> images in [-1, 1]; its D: images -> scores (N, 1)."""
    generator = Sequential(
        Conv2D(1, 16, 4, stride=2, padding=1, rng=rng), LeakyReLU(),                 # 14 x 14
        Conv2D(16, 16, 3, padding=1, rng=rng), LeakyReLU(),
        ConvTranspose2D(16, 1, 4, stride=2, padding=1, rng=rng), Tanh())             # 28 x 28
    discriminator = Sequential(
        Shift(1), Conv2D(1, 16, 4, stride=2, padding=1, rng=rng), LeakyReLU(),       # 14 x 14
        Conv2D(16, 32, 4, stride=2, padding=1, rng=rng), LeakyReLU(),                # 7 x 7
        Conv2D(32, 1, 1, rng=rng), AveragePool2D(7), Reshape(1))
    return generator, discriminator


def press(images):
    """Ink, uint8 (N, 28, 28) -> relief, lit from the upper left: ink less its shadow."""
    shadow = np.pad(images, [(0, 0), (2, 0), (2, 0)])[:, :-2, :-2]
    return ((255 + images.astype(int) - shadow) // 2).astype(np.uint8)


def add_cycle_grads(there, back, D, loss, x):
    """x -> y -> x_again: adds the gradients of L to both generators. Returns L, and the error."""
    y, cache_there = there.forward(x)
    x_again, cache_back = back.forward(y)
    s, cache_d = D.forward(y)
    adversarial, ds = loss.generator(s)
    error, dx_again = mean_absolute_error(x_again, x)
    dy = D.input_grad(ds, cache_d) + back.backward(LAMBDA * dx_again, cache_back)
    there.add_param_grads(dy, cache_there)
    return adversarial + LAMBDA * error, error


def cycle_step(G, F, D_A, D_B, optimizer, loss, x, y):
    """Update G and F, both ways. Returns loss value, and the mean absolute error of each way."""
    G.zero_grad()
    F.zero_grad()
    value_x, error_x = add_cycle_grads(G, F, D_B, loss, x)
    value_y, error_y = add_cycle_grads(F, G, D_A, loss, y)
    optimizer.step()
    return value_x + value_y, error_x, error_y


def train(args, images_a, images_b):
    """Returns the moving averages of G and F."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    (G, D_B), (F, D_A) = build(weights_rng), build(weights_rng)
    adam, adam_a, adam_b = (Adam(parameters, 2e-3, beta1=0, beta2=0.99) for parameters in (
        G.parameters() + F.parameters(), D_A.parameters(), D_B.parameters()))
    loss, penalty = NonSaturating(), R1Penalty(4 * 0.3)
    averages = [MovingAverage(net, 0.999) for net in (G, F)]
    for step, show in progress(args.steps, "cycle A", "cycle B", "D_B(y)", "D_B(G(x))"):
        x, y = (to_float(images[rng.integers(len(images), size=BATCH)])
                for images in (images_a, images_b))
        due = penalty if step % 4 == 0 else None
        discriminator_step(F, D_A, adam_a, loss, x, y, due)
        _, d_real, d_fake = discriminator_step(G, D_B, adam_b, loss, y, x, due)
        _, error_x, error_y = cycle_step(G, F, D_A, D_B, adam, loss, x, y)
        for average in averages:
            average.update()
        show(error_x, error_y, d_real, d_fake)
    return [average.network for average in averages]


def both_styles(*hands):
    """Of pairs of inked images and labels: all images in ink and in relief, and their labels."""
    return (np.concatenate([style for inked, _ in hands for style in (inked, press(inked))]),
            np.concatenate([labels for _, labels in hands for _ in range(2)]))


def main(words=None):
    with page(__doc__, 1000, words) as args:
        b, b_test = ((images[:most], labels[:most])
                     for (images, labels), most in zip(labelled_digits(args), (8000, 2000)))
        a, a_test = (draw_digits(len(labels), np.random.default_rng((args.seed, 1, len(labels))))
                     for _, labels in (b, b_test))
        G, F = train(args, press(a[0]), b[0])

        reader = Judge(both_styles(a, b), both_styles(a_test, b_test))
        relief_or_ink = train_classifier(
            np.concatenate([press(a[0]), b[0]]), np.repeat([0, 1], len(a[0])), epochs=1)
        rows = {}
        for names, there, back, x, partner, labels, target in (
                (["relief", "G: to ink", "F: and back"], G, F, press(a_test[0]), *a_test, 1),
                (["ink", "F: to relief", "G: and back"], F, G, b_test[0], press(b_test[0]),
                 b_test[1], 0)):
            x, partner = to_float(x), to_float(partner)
            y = there(x)
            ways = [(images[..., 0] + 1) / 2 for images in (x, y, back(y))]
            rows |= {name: images[:14] for name, images in zip(names, ways)}
            read = [np.mean(reader.look(images)[1].argmax(axis=1) == labels) for images in ways]
            taken = np.mean(reader.look(ways[1], relief_or_ink)[1].argmax(axis=1) == target)
            psnr = -10 * np.log10(np.mean((y - partner) ** 2) / 4)
            print(f"{names[0]}: read rightly {read[0]:.1%}, translated {read[1]:.1%}, and back "
                  f"{read[2]:.1%}; in the other style {taken:.1%}; {psnr:.1f} dB to the partner")
        save_rows(args.out / "translate.png", rows)


if __name__ == "__main__":
    main()
