"""What all checks share: to move one array, to see how a number follows, and to leave no trace."""
from copy import copy
from dataclasses import replace

import numpy as np

from minigan.gradcheck.comparison import Comparison, GradientError
from minigan.gradcheck.differences import STEP, central_differences, require_float64
from minigan.gradcheck.hints import COUNT, SETTING


class Rewind:
    """with Rewind(networks) as rewind: rewind() puts running statistics and random streams back,
    so that equal calls give equal results, and at the end all is as it was, gradients included.

    In between, every parameter that is all ones or all zeros has moved: behind gamma = 1 and b = 0
    the mistake to forget them does not show."""

    def __init__(self, *networks, random=()):
        require_float64(*(p.value for network in networks for p in network.parameters()))
        layers = [layer for network in networks for _, layer in network.named_layers()]
        self.buffers = [(layer, name, getattr(layer, name).copy())
                        for layer in layers for name in layer.buffers]
        self.streams = [(thing.rng, thing.rng.bit_generator.state) for thing in (*layers, *random)
                        if isinstance(getattr(thing, "rng", None), np.random.Generator)]
        self.kept = [(p, p.value, p.value.copy(), p.grad, p.grad.copy())
                     for network in networks for p in network.parameters()]

    def __enter__(self):
        rng = np.random.default_rng(161803)
        for p, value, *_ in self.kept:
            if np.ptp(value) == 0:
                value += 0.5 * rng.standard_normal(value.shape)
        return self

    def __call__(self):
        for layer, name, array in self.buffers:
            setattr(layer, name, array.copy())
        for rng, state in self.streams:
            rng.bit_generator.state = state

    def __exit__(self, *_):
        self()
        for p, value, old_value, grad, old_grad in self.kept:
            value[...], grad[...] = old_value, old_grad
            p.value, p.grad = value, grad


def with_value(array, value, f):
    """f() while the array holds the value."""
    kept = array.copy()
    array[...] = value
    try:
        return f()
    finally:
        array[...] = kept


def compare(name, array, gradient, f, context):
    """A Comparison of the gradient with the differences of f() -> (number, branches), as the array
    changes in place."""
    start = array.copy()

    def differences(h):
        return central_differences(lambda value: with_value(array, value, f), start, h)

    def slope(f, v):
        (above, _), (below, _) = (with_value(array, start + h * v, f) for h in (STEP, -STEP))
        return (above - below) / (2 * STEP)

    context = replace(context, slope=slope, finer=lambda: differences(STEP / 10)[0])
    usual = Comparison(name, gradient, *differences(STEP), context)
    if usual.right or usual.error > 1e-4:
        return usual
    # Where y bends sharply, as behind two norms, the differences themselves may be off by 1e-6.
    smaller = Comparison(name, gradient, *differences(STEP / 10), context)
    return min(usual, smaller, key=lambda comparison: comparison.error)


def compare_parameters(network, f, context, found=None):
    """The Comparisons of the gradients found, or else of those that the network holds now; f may go
    on and change them."""
    found = gradients(network) if found is None else found
    return [compare(name, p.value, gradient, f, context)
            for (name, p), gradient in zip(network.named_parameters(), found)]


def gradients(network):
    return [copy(p.grad) for p in network.parameters()]  # of whatever a mistake has put there


def expect_equal(subject, complaint, found, expected, tolerance=1e-9):
    if np.shape(found) != np.shape(expected) or not np.allclose(
            found, expected, rtol=tolerance, atol=1e-3 * tolerance, equal_nan=True):
        raise GradientError(f"{subject}: {complaint}")


def known_numbers(x, y, *owners):
    """{what: (k, COUNT or SETTING)}, numbers k that may turn up as a wrong factor: how many things
    a mean is over, or a setting such as a slope."""
    numbers = {"the batch size": (len(x), COUNT)}
    if y.ndim == 4:
        numbers |= {"P Q, the number of places": (y[0, ..., 0].size, COUNT),
                    "N P Q, the number of places in the batch": (y[..., 0].size, COUNT)}
    for owner in owners:
        for name, k in getattr(owner, "__dict__", {}).items():
            if isinstance(k, int) and not name.startswith("_"):
                numbers |= {name: (k, COUNT), f"{name} ** 2": (k ** 2, COUNT)}
            elif isinstance(k, float):
                numbers |= {name: (k, SETTING), f"1 - {name}": (1 - k, SETTING)}
        for name, p in getattr(owner, "named_parameters", list)():
            if p.value.ndim > 1 and np.isfinite(p.value).all():
                sigma = np.linalg.norm(p.value.reshape(-1, p.value.shape[-1]), 2)
                numbers[f"the largest singular value of {name}"] = float(sigma), SETTING
    return numbers
