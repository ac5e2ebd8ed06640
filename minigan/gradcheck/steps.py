"""Checks of whole training steps, as training runs them.

What is differentiated is the value of D's or G's loss as a function of D's or G's parameters: so
nothing between the two is taken on trust."""
from functools import partial

import numpy as np

from minigan.gradcheck.comparison import Context, GradientError, Report
from minigan.gradcheck.probe import (
    Rewind, compare, compare_parameters, expect_equal, gradients, known_numbers)
from minigan.train import discriminator_step, generator_step

SIGMOID_TWICE = "the sigmoid's derivative is in it once more: the loss has taken it already"


def check_discriminator_step(generator, discriminator, loss, x_real, z, penalty=None,
                             step=discriminator_step):
    """Proves every gradient that a whole D step leaves in D, and that G stays untouched.

    The differences are those of the loss value, penalty included. A penalty that draws random
    numbers keeps its Generator as `rng`, so that it can be made to repeat them. step: the function
    that is checked, with the arguments of discriminator_step. Returns the Report."""
    with Rewind(generator, discriminator, random=[penalty]) as rewind:

        def forward(G, D):
            x_fake, _ = G.forward(z)
            s_real, _ = D.forward(x_real)
            s_fake, _ = D.forward(x_fake)
            P = 0.0 if penalty is None else penalty(D, x_real, x_fake)
            value, *ds = loss.discriminator(s_real, s_fake)
            return (s_real, s_fake, P), value + P, ds

        (s_real, s_fake, _), _, _ = forward(generator, discriminator)
        rewind()
        ds_real, ds_fake = (proved.analytic for proved in check_loss(
            f"{loss}, D's side", loss.discriminator, {"ds_real": s_real, "ds_fake": s_fake}))
        # What is handed back for s_real, s_fake and P should be ds_real, ds_fake and 1.
        parts = {"the real batch's share": lambda: (ds_real, 0, 0),
                 "the fake batch's share": lambda: (0, ds_fake, 0),
                 "the penalty's share": lambda: (0, 0, 1)}
        what_if = {
            "both shares are taken with the fake batch's cache: that of the real one went stale":
            lambda: (0, ds_real + ds_fake, 0),
            "both shares are taken with the real batch's cache": lambda: (ds_real + ds_fake, 0, 0),
            "the caches of real and fake, or ds_real and ds_fake, are swapped":
            lambda: (ds_fake, ds_real, 0),
            SIGMOID_TWICE: lambda: (_damped(ds_real, s_real), _damped(ds_fake, s_fake), 0)}
        return _check_step(
            f"discriminator step, {loss}" + (f", {penalty}" if penalty is not None else ""),
            discriminator, generator, partial(_number, rewind, forward, generator, discriminator),
            lambda optimizer, x_real, z: step(
                generator, discriminator, optimizer, loss, x_real, z, penalty), (x_real, z),
            known_numbers(x_real, x_real, loss, penalty), parts, what_if)


def check_generator_step(generator, discriminator, loss, z, step=generator_step):
    """Proves every gradient that a whole G step leaves in G, and that D stays untouched.

    As check_discriminator_step; step: a function with the arguments of generator_step."""
    with Rewind(generator, discriminator) as rewind:

        def forward(G, D):
            x_fake, _ = G.forward(z)
            s_fake, _ = D.forward(x_fake)
            value, *ds = loss.generator(s_fake)
            return (x_fake, s_fake), value, ds

        (x_fake, s_fake), _, _ = forward(generator, discriminator)
        rewind()
        ds = check_loss(f"{loss}, G's side", loss.generator, {"ds_fake": s_fake})[0].analytic
        # What is handed back for x_fake and s_fake should be 0 and ds: only s_fake is in the loss.
        what_if = {
            "it bypasses D: ds_fake itself is handed to G":
            lambda: (ds.reshape(-1, *[1] * (x_fake.ndim - 1)), 0),
            "ds_fake is missing: D is handed ones": lambda: (0, 1),
            "it is the gradient of D's loss, not of G's":
            lambda: (0, loss.discriminator(s_fake, s_fake)[2]),
            "it is the gradient of minus D's loss, the saturating one":
            lambda: (0, -loss.discriminator(s_fake, s_fake)[2]),
            SIGMOID_TWICE: lambda: (0, _damped(ds, s_fake))}
        return _check_step(
            f"generator step, {loss}", generator, discriminator,
            partial(_number, rewind, forward, generator, discriminator),
            lambda optimizer, z: step(generator, discriminator, optimizer, loss, z), (z,),
            known_numbers(z, z, loss), {}, what_if)


def _damped(ds, s):
    return ds / (2 + np.exp(s) + np.exp(-s))  # p (1 - p) ds


def _number(rewind, forward, generator, discriminator, handed=None):
    """(number, branches), from the same state at each call. The number is the loss value; or
    sum of d * output, which has the gradient if forward's outputs are handed these gradients d."""
    rewind()
    noted = []
    outputs, value, ds = forward(_Watched(generator, noted), _Watched(discriminator, noted))
    if handed:
        value = sum(np.sum(d * output) for d, output in zip(handed(), outputs))
    kinks_of_the_loss = [np.sign(array) for array in ds]  # where the hinge loss has one
    return float(value), noted + kinks_of_the_loss


class _Watched:
    """The network itself, but it notes which branches it took at each forward pass."""

    def __init__(self, network, noted):
        self.network, self.noted = network, noted

    def __getattr__(self, name):
        return getattr(self.network, name)

    def forward(self, x, train=True):
        y, cache = self.network.forward(x, train)
        self.noted += self.network.branches(cache)
        return y, cache


def check_loss(title, loss, scores):
    """Proves a loss by itself, loss(*scores) -> value and the gradients; scores: {gradient's name:
    array}. In a step this comes first: then what is wrong in the step is the step."""
    def number(sign=1):
        value, *ds = loss(*(sign * s for s in scores.values()))
        return sign * float(value), [np.sign(array) for array in ds if array is not None]

    _, *found = loss(*scores.values())
    report = Report(title, [
        compare(name, s, ds, number, Context(s.copy(), numbers=known_numbers(s, s), what_if={
            "it is the slope at -s: a sign inside is wrong": partial(number, -1)}))
        for (name, s), ds in zip(scores.items(), found)])
    if not all(comparison.right for comparison in report):
        report.raise_if_wrong()
    return report


class _Witness:
    """Stands where the optimizer stands: it changes nothing, and keeps the gradients that it finds
    when it is called, since it is with these that a real one would have learned."""

    def __init__(self, network):
        self.network, self.calls = network, []

    def step(self):
        self.calls.append(gradients(self.network))


def _check_step(title, learner, other, number, run, given, numbers, parts, what_if):
    """run(optimizer, *given) makes the step. parts and what_if: {words: function that returns what
    is handed back}."""
    for p in learner.parameters() + other.parameters():
        p.grad.fill(0.5)  # as an earlier step left it: the learner must clear it, the other keep it
    before, kept = ([p.value.copy() for p in network.parameters()] for network in (learner, other))
    optimizer, copies = _Witness(learner), [array.copy() for array in given]
    result = run(optimizer, *copies)
    if not isinstance(result, tuple):
        raise GradientError(f"{title}: it returns {result!r:.40}, where a tuple belongs, the loss "
                            "value first")
    value = float(result[0])
    for array, old in zip(copies, given):
        expect_equal(title, "it writes into the images or the noise that it is given", array, old)
    for (name, p), old in zip(learner.named_parameters(), before):
        expect_equal(title, f"it changes {name} itself: leave that to the optimizer",
                     p.value, old, tolerance=0)
    for (name, p), old in zip(other.named_parameters(), kept):
        touches = f"it touches {name} of the network that does not learn"
        expect_equal(title, f"{touches}, and updates it", p.value, old, tolerance=0)
        expect_equal(title, f"{touches}: its input_grad is enough, without add_param_grads",
                     p.grad, np.full_like(old, 0.5), tolerance=0)
    parts, what_if = ({words: partial(number, handed) for words, handed in these.items()}
                      for these in (parts, what_if))
    context = Context(numbers=numbers, parts=parts, what_if=what_if, leftover=0.5)
    at_the_end, calls = gradients(learner), optimizer.calls
    learned_from = calls[0] if len(calls) == 1 else at_the_end
    report = Report(title, compare_parameters(learner, number, context, learned_from))
    expected, _ = number()
    expect_equal(title, f"its loss value is not that of the loss: {value:.6g} instead of "
                 f"{expected:.6g} (does a penalty that draws random numbers keep its Generator "
                 "as `rng`?)", value, expected)
    too_early = len(calls) == 1 and not all(comparison.right for comparison in report) and all(
        comparison.right for comparison in compare_parameters(learner, number, context, at_the_end))
    if not too_early:
        report.raise_if_wrong()
    if too_early or len(calls) != 1:
        how = "before all gradients are added" if too_early else f"{len(calls)} times"
        raise GradientError(f"{title}: it calls optimizer.step() {how}: once, at the end, is right")
    return report
