"""What a check asks about: quantities, and the numbers that they should be.

At the end of each solution check(module) yields the quantities of its exercise, one after another,
by means of what stands here. The right numbers are finite differences of the forward pass; where
there is no such thing (scores far out, Adam) they are the library's. A gap that needs another gap
is handed right numbers, so that each is judged by itself. The seeds are such that no right number
is so near 0 that its differences are mostly rounding.
"""
from copy import copy
from typing import Callable, NamedTuple

import numpy as np

from minigan.gradcheck import GradientError, central_differences, check_layer


class Complaint(Exception):
    """What is wrong, in words, where it is not a number."""


class Quantity(NamedTuple):
    """yours() is to equal right, which `differences` or `exactly` makes; where right is None, it
    is to raise no Complaint. last: put together from what is above it, and not asked before that
    is right. says(yours): the likely mistake; None where only minigan's Comparison may know."""

    name: str
    yours: Callable
    right: tuple | None = None
    last: bool = False
    says: Callable = lambda yours: None


def differences(f, x):
    """The gradient of the number f(x); where a kink was crossed: nowhere; and the rounding."""
    return central_differences(lambda value: (float(f(value)), []), x)


def exactly(array):
    array = np.asarray(array)
    return array, np.zeros(array.shape, bool), 1e-16


def numbers(rng, *shape):
    array = rng.standard_normal(shape)
    array.flags.writeable = False  # whoever writes into what he was given is told so at once
    return array


def redrawn(network, rng):
    """The network in float64, with no parameter at a 0 or 1 behind which a mistake could hide."""
    for p in network.astype(np.float64).parameters():
        p.value[...] = 0.6 * rng.standard_normal(p.value.shape)
    return network


def answer(yours, right):
    """The answer to a question: a number, good to 1 %. The right one is not shown."""
    def asked():
        given = yours()
        if not isinstance(given, (int, float, np.number)):
            raise Complaint(f"the answer is to be a number, got {given!r:.60}")
        if not abs(given - right) <= 0.01 * abs(right):
            raise Complaint(f"{given:.6g} is not the answer")
    return Quantity("answer", asked)


def pair(result, names):
    """Two returned things, or a Complaint."""
    if result is not None and (not isinstance(result, tuple) or len(result) != 2):
        raise Complaint(f"it is to return two things, {names}, got one {type(result).__name__}")
    return result or (None, None)


def told(thing):
    """What it is, in words."""
    if isinstance(thing, np.ndarray):
        return f"an array {thing.shape} that begins with {thing.flat[0]:.4g}"
    return "None" if thing is None else f"a {type(thing).__name__}"


def expect_tcache(name, found, right):
    """A Complaint unless found is right: None, an array, or a list of such. Equal values are."""
    if isinstance(right, list):
        if not isinstance(found, (list, tuple)):
            raise Complaint(f"{name} is to be the list of the layers' tcaches, it is {told(found)}")
        if len(found) != len(right):
            raise Complaint("\n".join([
                f"{name} is to have {len(right)} items, one for each layer, it has {len(found)}:",
                *map(told, found)]))
        for i in range(len(right)):
            expect_tcache(f"{name}[{i}]", found[i], right[i])
    elif right is None and found is not None:
        raise Complaint(f"{name} is to be None, it is {told(found)}")
    elif right is not None and not (isinstance(found, np.ndarray) and np.array_equal(found, right)):
        raise Complaint(f"{name} is to be x_dot, as it came into the layer, it is {told(found)}")


def forgiving(thing, shapes):
    """A copy of it whose methods give 0 where they fail, so that others can be checked as well.
    shapes: {method: shape of what it returns}."""
    thing = copy(thing)
    for name, shape in shapes.items():
        def method(*args, own=getattr(thing, name), shape=shape):
            try:
                return own(*args)
            except Exception:
                return np.zeros(shape)
        setattr(thing, name, method)
    return thing


def saying(name, check, *args, **options):
    """A `says`: the hint at this name in the table of one of minigan's checks, if it gets there."""
    def says(yours):
        try:
            check(*args, **options)
        except GradientError as error:
            return next((found.hint() for found in error.report
                         if found.name == name and not found.right), None)
        except Exception:  # another gap, perhaps
            return None
    return says


def parameter_gradients(network, f):
    """(own name, "dW" or "layer 0 dW", ∂f()/∂p) of each parameter p of a network."""
    for name, parameter in network.named_parameters():
        kept = parameter.value.copy()

        def at(value):
            parameter.value[...] = value
            return f()
        right = differences(at, kept)
        parameter.value[...] = kept
        place, _, letter = name.rpartition(".")
        yield name, f"layer {place} d{letter}" if place else f"d{letter}", right


def returned(layer, method, *handed):
    """What the method returns; a Complaint if it changes a gradient on its way."""
    layer.zero_grad()
    gradient = getattr(layer, method)(*handed)
    if any(p.grad.any() for p in layer.parameters()):
        raise Complaint(f"{method} changes a `grad`: it is only to return the gradient")
    return gradient


def of_layer(layer, x, dy, prefix=""):
    """dx, and dp of each parameter p, which the layer computes in methods of that name."""
    _, cache = layer.forward(x)

    def loss(x=x):
        return (dy * layer.forward(x)[0]).sum()
    whole = forgiving(layer, {"input_grad": x.shape, **{
        f"d{name}": p.value.shape for name, p in layer.named_parameters()}})
    yield Quantity(f"{prefix}dx", lambda: layer.input_grad(dy, cache), differences(loss, x),
                   says=saying("dx", check_layer, whole, x))
    for own, name, right in parameter_gradients(layer, loss):
        yield Quantity(prefix + name, lambda name=name: returned(layer, name, dy, cache), right,
                       says=saying(own, check_layer, whole, x))


def as_a_whole(layer, x, prefix=""):
    """minigan's own check of the layer; and that float32 stays float32."""
    def whole():
        try:
            check_layer(layer, x)
        except GradientError as error:
            raise Complaint(str(error))
        layer.astype(np.float32)
        y, cache = layer.forward(x.astype(np.float32))
        if (dx := layer.backward(y, cache)).dtype != np.float32:
            raise Complaint(f"from float32 arrays alone, dx comes out as {dx.dtype}.\n"
                            "In NumPy a bool array times a Python number is float64, and so is "
                            "np.where(..., 1, a):\nmultiply by a float32 array first, as in "
                            "np.where(y > 0, dy, a * dy), or end with .astype(dy.dtype)")
    yield Quantity(f"{prefix}as a whole", whole, last=True)


def three_dense(kind, activations, tie):
    """Three Dense layers of a kind, with both activations between them."""
    return tie(kind.Dense(4, 5), activations.LeakyReLU(), kind.Dense(5, 3), kind.Tanh(),
               kind.Dense(3, 1))
