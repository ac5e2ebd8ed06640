"""Checks of whole training steps, as training runs them."""
from dataclasses import replace
from functools import partial

import numpy as np

from minigan.gradcheck.differences import Context, Report, require_float64
from minigan.gradcheck.probe import (
    Rewind, compare, compare_parameters, expect_equal, gradients, known_numbers)
from minigan.train import discriminator_step, generator_step


class _NoUpdate:
    """Stands where the optimizer stands, and leaves parameters and gradients for the check."""

    def step(self):
        pass


class _Watched:
    """A network that notes, at each forward pass, on which sides of its kinks its inputs fell."""

    def __init__(self, network, sides):
        self.network = network
        self.noted = sides

    def __getattr__(self, name):
        return getattr(self.network, name)

    def forward(self, x, train=True):
        y, cache = self.network.forward(x, train)
        self.noted += self.network.branches(cache)
        return y, cache


def check_discriminator_step(generator, discriminator, loss, x_real, z, penalty=None,
                             step=discriminator_step):
    """Checks every gradient that a whole D step leaves in D, and that G stays untouched.

    The differences are those of the loss value, penalty included. A penalty that draws random
    numbers keeps its Generator as `rng`, so that it can be made to repeat them. step: the function
    that is checked, with the arguments of discriminator_step. Returns the Report.
    """
    require_float64(*(p.value for p in generator.parameters() + discriminator.parameters()))
    with Rewind(generator, discriminator, random=[penalty]) as rewind:

        def evaluate(G=generator, D=discriminator, of=loss.discriminator, penalty=penalty):
            rewind()
            x_fake, _ = G.forward(z)
            s_real, _ = D.forward(x_real)
            s_fake, _ = D.forward(x_fake)
            value, *ds = of(s_real, s_fake)
            return value if penalty is None else value + penalty(D, x_real, x_fake), ds

        def number(of, penalty=penalty):
            return lambda: evaluate(of=lambda *scores: [of(*scores)], penalty=penalty)

        _, (s_real, s_fake) = evaluate(of=lambda *scores: (0.0, *scores), penalty=None)
        rewind()
        _check_loss(f"{loss}, D's side", loss.discriminator, {"ds_real": s_real, "ds_fake": s_fake})
        _, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
        parts = {
            "the real batch's share": number(lambda r, f: loss.discriminator(r, s_fake)[0], None),
            "the fake batch's share": number(lambda r, f: loss.discriminator(s_real, f)[0], None)}
        if penalty is not None:
            parts["the penalty's share"] = number(lambda r, f: 0.0)
        what_if = {
            "both shares are taken with the fake batch's cache: that of the real one went stale":
            number(lambda r, f: ((ds_real + ds_fake) * f).sum()),
            "both shares are taken with the real batch's cache":
            number(lambda r, f: ((ds_real + ds_fake) * r).sum()),
            "the caches of real and fake, or ds_real and ds_fake, are swapped":
            number(lambda r, f: (ds_real * f + ds_fake * r).sum()),
            SIGMOID_TWICE: number(
                lambda r, f: (_damped(ds_real, s_real) * r + _damped(ds_fake, s_fake) * f).sum())}
        title = f"discriminator step, {loss}" + (f", {penalty}" if penalty is not None else "")
        context = Context(numbers=known_numbers(x_real, x_real, loss, penalty), parts=parts,
                          what_if=what_if)
        return _check_step(title, generator, discriminator, discriminator, evaluate, lambda: step(
            generator, discriminator, _NoUpdate(), loss, x_real, z, penalty), context)


def check_generator_step(generator, discriminator, loss, z, step=generator_step):
    """Checks every gradient that a whole G step leaves in G, and that D stays untouched.

    As check_discriminator_step; step: a function with the arguments of generator_step.
    """
    require_float64(*(p.value for p in generator.parameters() + discriminator.parameters()))
    with Rewind(generator, discriminator) as rewind:

        def evaluate(G=generator, D=discriminator, of=lambda _, s_fake: loss.generator(s_fake)):
            rewind()
            x_fake, _ = G.forward(z)
            s_fake, _ = D.forward(x_fake)
            value, *ds = of(x_fake, s_fake)
            return value, ds

        def number(of):
            return lambda: evaluate(of=lambda *both: [of(*both)])

        _, (_, s_fake) = evaluate(of=lambda *both: (0.0, *both))
        rewind()
        _check_loss(f"{loss}, G's side", loss.generator, {"ds_fake": s_fake})
        _, ds = loss.generator(s_fake)
        context = Context(numbers=known_numbers(z, z, loss), what_if={
            "it bypasses D: ds_fake itself is handed to G":
            number(lambda x, s: (ds.reshape(-1, *[1] * (x.ndim - 1)) * x).sum()),
            "it bypasses D: ones are handed to G": number(lambda x, s: x.sum()),
            "ds_fake is missing: D is handed ones": number(lambda x, s: s.sum()),
            "it is the gradient of D's loss, not of G's":
            number(lambda x, s: (loss.discriminator(s_fake, s_fake)[2] * s).sum()),
            "it is the gradient of minus D's loss, the saturating one":
            number(lambda x, s: -(loss.discriminator(s_fake, s_fake)[2] * s).sum()),
            SIGMOID_TWICE: number(lambda x, s: (_damped(ds, s_fake) * s).sum())})
        return _check_step(f"generator step, {loss}", generator, discriminator, generator, evaluate,
                           lambda: step(generator, discriminator, _NoUpdate(), loss, z), context)


SIGMOID_TWICE = "the sigmoid's derivative is in it once more: the loss has taken it already"


def _damped(ds, s):
    return ds / (2 + np.exp(s) + np.exp(-s))  # p (1 - p) ds


def _check_loss(title, loss, scores):
    """Checks the loss's own gradients first: then what is wrong in the step is the step."""
    def number(sign=1):
        value, *ds = loss(*(sign * s for s in scores.values()))
        return sign * float(value), [np.sign(array) for array in ds if array is not None]

    _, *analytic = loss(*scores.values())
    report = Report(title, [
        compare(name, s, ds, number, Context(s.copy(), numbers=known_numbers(s, s), what_if={
            "it is the slope at -s: a sign inside is wrong": partial(number, -1)}))
        for (name, s), ds in zip(scores.items(), analytic)])
    if not all(comparison.right for comparison in report):
        report.raise_if_wrong()


def _check_step(title, generator, discriminator, learner, evaluate, run, context):
    other = generator if learner is discriminator else discriminator
    for p in learner.parameters() + other.parameters():
        p.grad.fill(0.5)  # as an earlier step left it: the learner must clear it, the other keep it
    before = [[p.value.copy() for p in network.parameters()] for network in (learner, other)]

    def value_and_sides():
        sides = []
        value, ds = evaluate(_Watched(generator, sides), _Watched(discriminator, sides))
        return float(value), sides + [np.sign(array) for array in ds]  # the kinks of the hinge loss

    value = float(run()[0])
    analytic = gradients(learner)
    for (name, p), old in zip(learner.named_parameters(), before[0]):
        expect_equal(title, f"it changes {name} itself: leave that to the optimizer",
                     p.value, old, tolerance=0)
    for (name, p), old in zip(other.named_parameters(), before[1]):
        touches = f"it touches {name} of the network that does not learn"
        expect_equal(title, f"{touches}, and updates it", p.value, old, tolerance=0)
        expect_equal(title, f"{touches}: its input_grad is enough, without add_param_grads",
                     p.grad, np.full_like(old, 0.5), tolerance=0)
    expected, _ = value_and_sides()
    expect_equal(title, f"its loss value is not that of the loss: {value:.6g} instead of "
                 f"{expected:.6g} (does a penalty that draws random numbers keep its Generator "
                 "as `rng`?)", value, expected)
    return Report(title, compare_parameters(
        learner, analytic, value_and_sides, replace(context, leftover=0.5))).raise_if_wrong()
