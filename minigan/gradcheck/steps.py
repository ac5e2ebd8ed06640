"""Checks of whole training steps, as training runs them.

What is differentiated is the value of the loss as a function of the parameters of the network that
learns: so nothing between the two is taken on trust."""
from functools import partial

import numpy as np

from minigan.gradcheck.comparison import Context, GradientError, Report
from minigan.gradcheck.probe import (
    Rewind, compare, compare_parameters, expect_equal, gradients, known_numbers)
from minigan.parameters import HasParameters
from minigan.train import discriminator_step, generator_step

SIGMOID_TWICE = "the sigmoid's derivative is in it once more: the loss has taken it already"


def check_step(step, learner, *given, untouched=(), random=()):
    """Proves every gradient that a training step of your own leaves in the network that learns.

    step(optimizer, *given) returns the loss value, or a tuple that begins with it, and calls
    optimizer.step() once, at the end. The gradients that it leaves in the learner, a network or a
    list of networks, are compared with the differences of that value. given: the arrays it takes,
    such as images, noise, labels; they stay as they are, and so do the networks in `untouched`,
    gradients included. random: Generators that it draws from, or what holds one as its `rng`; it
    will draw the same at each call. Returns the Report."""
    learner = learner if isinstance(learner, HasParameters) else _Several(learner)
    title = f"step {getattr(step, '__name__', step)}"
    if not learner.parameters():
        raise TypeError(f"{title}: the learner is a network or a list of networks, got {learner}")
    untouched = (untouched,) if isinstance(untouched, HasParameters) else untouched
    random = random if isinstance(random, (list, tuple)) else (random,)
    with Rewind(learner, *untouched, random=random) as rewind:

        def number():
            rewind()
            return _value(title, step(_Witness(learner), *_copies(given))), rewind.noted[:]

        def run():
            return _run(title, learner, untouched, step, given)

        found = run()
        repeated, _ = number()
        if not np.isclose(found.value, repeated, 1e-9, 1e-12):
            raise GradientError(f"{title}: called again it returns {repeated:.6g}, not "
                                f"{found.value:.6g}: hand the Generators it draws from as random=")
        return _judge(found, number, _context(rewind, number, run))


class _Several(HasParameters):
    """Networks as one: their parameters are called "0.0.W", or by a dictionary's keys."""

    def __init__(self, networks):
        self.layers = networks

    def __repr__(self):
        return repr(self.layers)


def check_discriminator_step(generator, discriminator, loss, x_real, z, penalty=None,
                             step=discriminator_step):
    """Proves every gradient that a whole D step leaves in D, and that G stays untouched.

    The differences are those of the loss value, penalty included. A penalty that draws random
    numbers keeps its Generator as `rng`, so that it can be made to repeat them. step: the function
    that is checked, with the arguments of discriminator_step. Returns the Report."""
    title = f"discriminator step, {loss}" + (f", {penalty}" if penalty is not None else "")
    with Rewind(generator, discriminator, random=[penalty]) as rewind:

        def forward(fakes_first=False):
            x_fake, _ = generator.forward(z)
            if fakes_first:  # it matters where D draws random numbers
                s_fake, _ = discriminator.forward(x_fake)
            s_real, _ = discriminator.forward(x_real)
            if not fakes_first:
                s_fake, _ = discriminator.forward(x_fake)
            P = 0.0
            if penalty is not None:
                P = _value(f"{penalty}", penalty(discriminator, x_real, x_fake))
            value, *ds = loss.discriminator(s_real, s_fake)
            return (s_real, s_fake, P), value + P, ds

        (s_real, s_fake, P), _, _ = forward()
        if penalty is not None and P == 0:
            raise GradientError(f"{title}: the penalty is 0 at this call, so that nothing of it is "
                                "proved: check it as it is when it is due")
        ds_real, ds_fake = (proved.analytic for proved in check_loss(
            f"{loss}, D's side", loss.discriminator, {"ds_real": s_real, "ds_fake": s_fake}))
        rewind()

        def run():
            return _run(title, discriminator, [generator], lambda optimizer, x_real, z: step(
                generator, discriminator, optimizer, loss, x_real, z, penalty), (x_real, z))

        found = run()
        number, turned = (partial(_number, rewind, partial(forward, fakes_first))
                          for fakes_first in (False, True))
        if found.value != number()[0] and np.isclose(found.value, turned()[0], 1e-9):
            number = turned
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
        return _judge(found, number, _context(
            rewind, number, run, known_numbers(x_real, x_real, loss, penalty), parts, what_if))


def check_generator_step(generator, discriminator, loss, z, step=generator_step):
    """Proves every gradient that a whole G step leaves in G, and that D stays untouched.

    As check_discriminator_step; step: a function with the arguments of generator_step."""
    with Rewind(generator, discriminator) as rewind:

        def forward():
            x_fake, _ = generator.forward(z)
            s_fake, _ = discriminator.forward(x_fake)
            value, *ds = loss.generator(s_fake)
            return (x_fake, s_fake), value, ds

        (x_fake, s_fake), _, _ = forward()
        ds = check_loss(f"{loss}, G's side", loss.generator, {"ds_fake": s_fake})[0].analytic
        rewind()

        def run():
            return _run(f"generator step, {loss}", generator, [discriminator],
                        lambda optimizer, z: step(generator, discriminator, optimizer, loss, z),
                        (z,))

        found = run()
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
        number = partial(_number, rewind, forward)
        return _judge(found, number, _context(
            rewind, number, run, known_numbers(z, z, loss), what_if=what_if))


def _damped(ds, s):
    return ds / (2 + np.exp(s) + np.exp(-s))  # p (1 - p) ds


def _number(rewind, forward, handed=None):
    """(number, branches), from the same state at each call. The number is the loss value; or
    sum of d * output, which has the gradient if forward's outputs are handed these gradients d."""
    rewind()
    outputs, value, ds = forward()
    if handed:
        value = sum(np.sum(d * output) for d, output in zip(handed(), outputs))
    kinks_of_the_loss = [np.sign(array) for array in ds]  # where the hinge loss has one
    return float(value), rewind.noted + kinks_of_the_loss


def _context(rewind, number, run, numbers={}, parts={}, what_if={}):
    """parts and what_if: {words: function that returns what is handed back}."""
    parts, what_if = ({words: partial(number, handed) for words, handed in these.items()}
                      for these in (parts, what_if))

    def again():
        rewind()
        found = run()
        return dict(zip((name for name, _ in found.learner.named_parameters()), found.gradients))
    return Context(numbers=numbers, parts=parts, what_if=what_if, leftover=0.5, again=again,
                   redrawn=partial(rewind.redrawn, []))


def check_loss(title, loss, scores):
    """Proves a loss by itself, loss(*scores) -> value and the gradients; scores: {gradient's name:
    array}. In a step this comes first: then what is wrong in the step is the step."""
    def number(sign=1):
        value, *ds = loss(*(sign * s for s in scores.values()))
        return sign * float(value), [np.sign(array) for array in ds if array is not None]

    _, *found = loss(*scores.values())
    if len(found) < len(scores):
        raise GradientError(f"{title}: it returns {1 + len(found)} things, where the value and "
                            f"{', '.join(scores)} belong")
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

    def __init__(self, learner):
        self.learner, self.calls = learner, []

    def step(self):
        self.calls.append(gradients(self.learner))


class _Found:
    """What a step did: its loss value, and the learner's gradients at each call of optimizer.step()
    and at the end. Those that count are those of the one call."""

    def __init__(self, title, learner, value, calls):
        self.title, self.learner, self.value, self.calls = title, learner, value, calls
        self.at_the_end = gradients(learner)
        self.gradients = calls[0] if len(calls) == 1 else self.at_the_end


def _value(title, result):
    first = result[0] if isinstance(result, tuple) and result else result
    if np.size(first) != 1 or not isinstance(first, (int, float, np.ndarray, np.generic)):
        raise GradientError(f"{title}: it returns {result!r:.40}, where the loss value belongs, or "
                            "a tuple, the loss value first")
    if not np.isfinite(first).all():
        raise GradientError(f"{title}: the loss value that it returns is {float(first)}")
    return float(first)


def _copies(given):
    return [thing.copy() if isinstance(thing, np.ndarray) else thing for thing in given]


def _run(title, learner, others, step, given):
    """Makes the step, and raises GradientError if it changes what it has to leave alone."""
    for network in (learner, *others):
        for p in network.parameters():
            p.grad.fill(0.5)  # as an earlier step left it: the learner must clear it

    def values(network):
        return [p.value.copy() for p in network.parameters()]

    before, kept = values(learner), [values(other) for other in others]
    optimizer, copies = _Witness(learner), _copies(given)
    value = _value(title, step(optimizer, *copies))
    for array, old in zip(copies, given):
        expect_equal(title, "it writes into the images or the noise that it is given", array, old)
    for (name, p), old in zip(learner.named_parameters(), before):
        expect_equal(title, f"it changes {name} itself: leave that to the optimizer",
                     p.value, old, tolerance=0)
    for other, values_before in zip(others, kept):
        for (name, p), old in zip(other.named_parameters(), values_before):
            touches = f"it touches {name} of the network that does not learn"
            expect_equal(title, f"{touches}, and updates it", p.value, old, tolerance=0)
            expect_equal(title, f"{touches}: its input_grad is enough, without add_param_grads",
                         p.grad, np.full_like(old, 0.5), tolerance=0)
    return _Found(title, learner, value, optimizer.calls)


def _judge(found, number, context):
    """Proves the gradients that the optimizer was called with, and that it was: once, last."""
    title, learner, calls = found.title, found.learner, found.calls

    def compared(these):
        return compare_parameters(learner, number, context, these)

    report = Report(title, compared(found.gradients))
    expected, _ = number()
    expect_equal(title, f"its loss value is not that of the loss: {found.value:.6g} instead of "
                 f"{expected:.6g} (a penalty that draws random numbers keeps its Generator as "
                 "`rng`; a step in another order is for check_step)", found.value, expected)
    too_early = len(calls) == 1 and not all(comparison.right for comparison in report) and all(
        comparison.right for comparison in compared(found.at_the_end))
    if not too_early:
        report.raise_if_wrong()
    if too_early or len(calls) != 1:
        how = "before all gradients are added" if too_early else f"{len(calls)} times"
        raise GradientError(f"{title}: it calls optimizer.step() {how}: once, at the end, is right")
    return report
