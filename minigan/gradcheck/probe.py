"""What all checks share: to move one array, to see how a number follows, and to leave no trace."""
import gc
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from types import FunctionType, ModuleType

import numpy as np

from minigan.gradcheck.comparison import Comparison, GradientError
from minigan.gradcheck.differences import (
    STEP, TOLERANCE, central_differences, require_float64, spread)
from minigan.gradcheck.hints import COUNT, SETTING
from minigan.layer import Layer, Sequential
from minigan.parameters import HasParameters, Parameter
from minigan.spectral_norm import SpectralNorm


class Rewind:
    """with Rewind(networks) as rewind: rewind() puts running statistics and random streams back,
    so that equal calls give equal results, and at the end all is as it was, gradients included.
    random: Generators, or what holds one as its `rng`.

    In between, `noted` are the branches that all layers took since the last rewind(); and what
    would hide a mistake or look like one is moved: parameters that are all ones or all zeros, since
    behind gamma = 1 and b = 0 nobody sees that they were forgotten, and SpectralNorm's v to where
    its iteration ends, since only there it is right to hold v constant."""

    def __init__(self, *networks, random=()):
        for network in networks:
            _find_all(network)
        require_float64(*(p.value for network in networks for p in network.parameters()))
        self.layers = [layer for network in networks for _, layer in network.named_layers()
                       if isinstance(layer, Layer)]
        streams = (getattr(thing, "rng", thing) for thing in (*self.layers, *random))
        self.streams = [(rng, rng.bit_generator.state) for rng in streams
                        if isinstance(rng, np.random.Generator)]
        self.parameters = [p for network in networks for p in network.parameters()]
        self.noted = []

    def __enter__(self):
        self.kept = [(p, p.value, p.value.copy(), p.grad, p.grad.copy()) for p in self.parameters]
        self.buffers_before = self._buffers()
        rng = np.random.default_rng(161803)
        for _, value, *_ in self.kept:
            if np.ptp(value) == 0:
                value += 0.5 * rng.standard_normal(value.shape)
        for layer in self.layers:
            if isinstance(layer, SpectralNorm):
                W = layer.layer.W.value.reshape(-1, layer.v.size)
                layer.v = np.linalg.svd(W)[2][0]
        self.buffers = self._buffers()
        # A Sequential's branches are those of its layers, which note them themselves.
        self.watched = [layer for layer in dict.fromkeys(self.layers)
                        if type(layer).branches not in (Layer.branches, Sequential.branches)]
        for layer in self.watched:
            layer.forward = _noting(layer, self.noted)
        return self

    def __call__(self):
        self.noted.clear()
        for layer, name, array in self.buffers:
            setattr(layer, name, array.copy())
        for rng, state in self.streams:
            rng.bit_generator.state = state

    def __exit__(self, *_):
        for layer in self.watched:
            del layer.forward
        self.buffers = self.buffers_before
        self()
        for p, value, old_value, grad, old_grad in self.kept:
            value[...], grad[...] = old_value, old_grad
            p.value, p.grad = value, grad

    def _buffers(self):
        return [(layer, name, getattr(layer, name).copy())
                for layer in self.layers for name in layer.buffers]

    @contextmanager
    def redrawn(self, arrays, seed):
        """Inside, all parameters and these arrays hold other numbers."""
        rng, values = np.random.default_rng(seed), [*arrays, *(p.value for p in self.parameters)]
        before = [array.copy() for array in values]
        grads = [(p, p.grad, copy(p.grad)) for p in self.parameters]
        for array in values:
            array[...] = rng.standard_normal(array.shape)
        try:
            yield
        finally:
            for array, old in zip(values, before):
                array[...] = old
            for p, grad, old in grads:
                p.grad = grad
                grad[...] = old


def _noting(layer, noted):
    """The layer's forward, but it also notes which branches it took."""
    forward = layer.forward

    def noting(*args, **options):
        y, cache = forward(*args, **options)
        noted.extend(layer.branches(cache))
        return y, cache
    return noting


def two(layer, method, names, result):
    """The two things that a method is to return, or GradientError."""
    try:
        first, second = result
    except (TypeError, ValueError):
        raise GradientError(f"{layer}: {method} returns {result!r:.40}, where two things belong, "
                            f"{names}") from None
    return first, second


def _find_all(network):
    """Raises GradientError if a part of the network can be reached from it, but is not found."""
    found = {id(part) for _, part in network._find((Parameter, HasParameters))}
    seen, to_see = set(), [network]
    while to_see:
        thing = to_see.pop()
        if isinstance(thing, FunctionType):
            thing = thing.__closure__
        if id(thing) in seen or isinstance(thing, (type, ModuleType, np.ndarray)):
            continue
        seen.add(id(thing))
        if isinstance(thing, (Parameter, HasParameters)) and id(thing) not in found:
            raise GradientError(f"{network} does not find its part {thing}, so that nobody would "
                                "train, check or save it: keep it in an attribute, or in a list, "
                                "tuple or dictionary there")
        to_see += gc.get_referents(thing)


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
        return central_differences(lambda value: with_value(array, value, f), start,
                                   h * spread(start))

    def slope(f, v):
        h = STEP * spread(start)
        (above, _), (below, _) = (with_value(array, start + h * v, f) for h in (h, -h))
        return (above - below) / (2 * h)

    context = replace(context, slope=slope, finer=lambda: differences(STEP / 100)[0])
    usual = best = Comparison(name, gradient, *differences(STEP), context)
    if TOLERANCE < usual.error < 1e-2:  # a smaller step, where y bends sharply, as behind two norms
        smaller = Comparison(name, gradient, *differences(STEP / 10), context)
        best = min(usual, smaller, key=lambda each: each.error)
    if best.right and best.silent > 0.1 and context.again:
        elsewhere = _elsewhere(name, array, f, context)
        if elsewhere and not elsewhere.right:
            return elsewhere
    return best


def _elsewhere(name, array, f, context):
    """The Comparison at another place: since elements that are zero only because their ReLU is dead
    prove nothing. None if all are zero wherever one looks, as those of a b before BatchNorm."""
    for seed in range(5):
        with context.redrawn(seed):
            there = Comparison(f"{name}, elsewhere", context.again()[name], *central_differences(
                lambda value: with_value(array, value, f), array.copy()))
        if not there.vanishes:
            return there


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
