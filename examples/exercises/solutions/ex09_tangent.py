"""Exercise 9: The sweep up: tangents

WGAN-GP adds to D's loss a penalty on the gradient of its score, g[n] = ∂s[n]/∂x[n]. So the loss
contains a gradient, and D learns from the gradient of a gradient. Two sweeps through the network
compute it (minigan/penalties.py says why). This is the first one, and it goes up, beside forward:

    y_dot = (∂y/∂x) x_dot        how fast y moves as x moves at the speed x_dot: the "tangent"

x_dot has the shape of x, y_dot that of y. Derive y_dot of each layer by the rules of calculus: let
x depend on a time t, with ∂x/∂t = x_dot, and differentiate y = f(x(t)). W and b stand still.

    Dense        y = x W + b        cache: x
    LeakyReLU    y = x or a x       cache: y
    Tanh         y = tanh(x)        cache: y
    Network      one layer after another; caches: a list, those of its layers

Each `tangent` returns two things: y_dot, and a "tcache", what the way back (exercise 10) will need.
That is x_dot in Dense and Tanh, None in LeakyReLU, and in the network the list of its layers'.

The layers build on your own of exercises 1 and 2: their forward and input_grad are there to use.
At the end a question, for pen and paper.

Done when `python examples/exercises/check.py 9` finds each y_dot and tcache, and the answer, right.
"""
import ex01_dense
import ex02_activations
import numpy as np  # noqa: F401 (in case you want it)

from minigan import Sequential


class Dense(ex01_dense.Dense):

    def tangent(self, x_dot, x):
        # gap Dense y_dot: return y_dot (N, M), and x_dot
        return x_dot @ self.W.value, x_dot
        # end


class LeakyReLU(ex02_activations.LeakyReLU):

    def tangent(self, x_dot, y):
        # gap LeakyReLU y_dot: return y_dot, and None
        return self.input_grad(x_dot, y), None
        # end


class Tanh(ex02_activations.Tanh):

    def tangent(self, x_dot, y):
        # gap Tanh y_dot: return y_dot, and x_dot
        return self.input_grad(x_dot, y), x_dot
        # end


class Network(Sequential):

    def tangent(self, x_dot, caches):
        # gap Network y_dot: return y_dot, and the list of tcaches; the layers are self.layers
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches
        # end


def speed():
    # gap ANSWER: y = tanh(3 x), and x passes 0 at the speed 2: return how fast y moves just then
    return 6
    # end


# hint
# The network: y of one layer is x of the next, so y_dot of one is x_dot of the next.
#
# The answer: up through 3 x, then through tanh at 0, where its slope is 1.
#
# Dense: ∂(x W + b)/∂t = (∂x/∂t) W. An activation: ∂y/∂t = f'(x) ∂x/∂t, the same factor as in the
# backward pass, so that input_grad(x_dot, y) does it: for a function of single numbers, the matrix
# ∂y/∂x is diagonal, and equal to its transpose.


# mistakes
MISTAKES = {
    "Dense y_dot": {
        "return x_dot @ self.W.value + self.b.value, x_dot":
            "+ b is too much (forward adds it, too): b stands still, so that y's speed has no b",
        "return self.forward(x_dot)[0], x_dot":
            "+ b is too much (forward adds it, too): b stands still, so that y's speed has no b",
        "return x @ self.W.value, x_dot":
            "x stands where x_dot belongs: what moves at the speed x_dot is x",
        "return self.forward(x)[0], x_dot": "this is y itself: asked is how fast it moves, y_dot",
        "return x * x_dot @ self.W.value, x_dot": "x has no place in it: ∂(x W)/∂t is x_dot W",
        "return self.input_grad(x_dot, x), x_dot":
            "W^T (so does input_grad) leads down: the tangent goes up as forward does, x_dot W",
        "return x_dot @ self.W.value.T, x_dot":
            "W^T (so does input_grad) leads down: the tangent goes up as forward does, x_dot W",
        "return -x_dot @ self.W.value, x_dot": "the sign is wrong: y = x W + b holds no minus",
        "return x_dot, x_dot":
            "W is missing, or the order is wrong: y_dot = x_dot W first, then x_dot",
        "return (x + x_dot) @ self.W.value, x_dot":
            "x W is too much: x W itself is a place, only x_dot W is how fast it moves",
        "return x_dot @ self.W.value, x":
            "the tcache is to be x_dot: x is in the cache already, and dW needs both later",
        "return x_dot @ self.W.value, x_dot @ self.W.value":
            "y_dot stands where the tcache belongs, x_dot: what comes in, as forward keeps x",
        "return x_dot @ self.W.value, None":
            "x_dot is dropped: the way down needs it, for dW = x^T dy + x_dot^T dy_dot",
        "return x_dot @ self.W.value":
            "y_dot alone: return x_dot, too, separated by a comma",
        "return x_dot @ self.W.value, (x_dot, x)":
            "too much in the tcache: x is in the cache already, x_dot is all that is wanted",
    },
    "LeakyReLU y_dot": {
        "return x_dot, None": "f' is missing: below 0, y moves only a times as fast as x",
        "return self.forward(x_dot)[0], None":
            "the slope is chosen by x_dot's sign here: it is the sign of x, or y, that decides",
        "return x_dot * (y > 0), None": "below 0 the slope is a, not 0: there y moves, too",
        "return self.input_grad(y, x_dot), None":
            "x_dot and y are exchanged: y tells which slope, x_dot is what it multiplies",
        "return np.where(y > 0, self.negative_slope * x_dot, x_dot), None":
            "the slopes are exchanged: 1 above 0, a below",
        "return self.input_grad(self.input_grad(x_dot, y), y), None":
            "f' is in it twice: the tangent has it once, as the way back does",
        "return np.where(y > 0, 1, self.negative_slope) * y, None":
            "y stands where x_dot belongs: f' multiplies the speed of x",
        "return x_dot / np.where(y > 0, 1, self.negative_slope), None":
            "it is divided by f': y moves f' times as fast as x",
        "return np.where(y > 0, 1.0, self.negative_slope), None":
            "x_dot is missing: y moves f' times as fast as x",
        "return -self.input_grad(x_dot, y), None": "the sign is wrong: both slopes are above 0",
        "return np.where(y > 0, x_dot, -self.negative_slope * x_dot), None":
            "the sign of the slope below 0: it is a, not -a",
        "return np.where(y > 0, x_dot, 0.01 * x_dot), None":
            "the slope is self.negative_slope: other libraries take 0.01, here it was chosen",
        "return self.input_grad(x_dot, y), x_dot":
            "the tcache is to be None: f' does not change with x, so the way down needs no x_dot",
        "return self.input_grad(x_dot, y), y":
            "the tcache is to be None: y is in the cache already",
        "return self.input_grad(x_dot, y)": "y_dot alone: return None, too, separated by a comma",
    },
    "Tanh y_dot": {
        "return np.tanh(x_dot), x_dot":
            "tanh(x_dot): a speed does not go through tanh, it is multiplied by f'(x) = 1 - y^2",
        "return self.forward(x_dot)[0], x_dot":
            "tanh(x_dot): a speed does not go through tanh, it is multiplied by f'(x) = 1 - y^2",
        "return -2 * y * (1 - y * y) * x_dot, x_dot":
            "f'' stands where f' belongs: the second derivative is for the way down, exercise 10",
        "return -2 * y * x_dot, x_dot":
            "this differentiates 1 - y^2, as if for f'': y_dot is f' x_dot, f' = 1 - y^2",
        "return (1 - x_dot * x_dot) * y, x_dot": "x_dot and y are exchanged in (1 - y^2) x_dot",
        "return self.input_grad(y, x_dot), x_dot": "x_dot and y are exchanged in (1 - y^2) x_dot",
        "return (1 - x_dot * x_dot) * x_dot, x_dot":
            "1 - x_dot^2: the slope is that at the place, 1 - y^2, and x_dot comes in once",
        "return (1 - np.tanh(y) ** 2) * x_dot, x_dot":
            "y is tanh(x) already: one tanh too many, f' = 1 - y^2",
        "return (1 - y * y) ** 2 * x_dot, x_dot":
            "f' is in it twice: the tangent has it once, as the way back does",
        "return x_dot, x_dot":
            "f' is missing, or the order is wrong: y_dot = (1 - y^2) x_dot first, then x_dot",
        "return 1 - y * y, x_dot": "x_dot is missing: y moves f' times as fast as x",
        "return (1 - y) * x_dot, x_dot": "1 - y: the square is missing, f' = 1 - y^2",
        "return (1 + y * y) * x_dot, x_dot": "1 + y^2: the sign, f' = 1 - y^2",
        "return y * (1 - y) * x_dot, x_dot": "y (1 - y) belongs to the sigmoid: here f' = 1 - y^2",
        "return x_dot / (1 - y * y), x_dot":
            "it is divided by f': y moves f' times as fast as x",
        "return -(1 - y * y) * x_dot, x_dot": "the sign is wrong: tanh grows everywhere",
        "return self.input_grad(x_dot, y), None":
            "x_dot is dropped: in Tanh f' changes with x, and for that the way down needs x_dot",
        "return self.input_grad(x_dot, y), y":
            "the tcache is to be x_dot: y is in the cache already",
        "return self.input_grad(x_dot, y), self.input_grad(x_dot, y)":
            "y_dot stands where the tcache belongs, x_dot: what came in",
        "return self.input_grad(x_dot, y)": "y_dot alone: return x_dot, too, separated by a comma",
    },
    "Network y_dot": {
        """
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
        return x_dot, [tcache]
        """: "only the last layer's tcache is kept: append each one inside the loop",
        """
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
        return x_dot, tcache
        """: "only the last layer's tcache is kept: append each one inside the loop",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.insert(0, tcache)
        return x_dot, tcaches
        """: "the list is reversed: it goes in the order of the layers, as caches does",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(x_dot)
        return x_dot, tcaches
        """: "these are the y_dots: append the tcache, which layer.tangent returns second",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            tcaches.append(x_dot)
            x_dot, tcache = layer.tangent(x_dot, cache)
        return x_dot, tcaches
        """: "x_dot stands for LeakyReLU, too: append what the layer returned, whatever it is",
        """
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
        return x_dot, caches
        """: "these are the caches, of forward: the list is that of the tcaches",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            if tcache is not None:
                tcaches.append(tcache)
        return x_dot, tcaches
        """: "None is left out: then the list no longer goes with the layers, one by one",
        """
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
        return x_dot, []
        """: "the list is empty: append each layer's tcache inside the loop",
        """
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
        return x_dot, None
        """: "no list of tcaches: the way down needs each layer's",
        """
        for layer, cache in zip(self.layers, caches):
            tcaches = []
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches
        """: "only the last layer's tcache is kept: append each one inside the loop",
        """
        given, tcaches = x_dot, []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(given)
        return x_dot, tcaches
        """: "each gets the network's own x_dot: append the tcache that the layer returned",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append((x_dot, tcache))
        return x_dot, tcaches
        """: "each entry is to be the tcache alone, not a pair with y_dot",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches += [x_dot, tcache]
        return x_dot, tcaches
        """: "the y_dots are in the list, too: it holds the tcaches, one for each layer",
        """
        tcaches = [x_dot]
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches
        """: "the list is to begin empty: the first layer returns x_dot itself as its tcache",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches[1:]
        """: "the first layer's tcache is missing: the list holds one for each layer",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(cache)
        return x_dot, tcaches
        """: "these are the caches, of forward: the list is that of the tcaches",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot
        """: "y_dot alone: return the list of tcaches, too, separated by a comma",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
            return x_dot, tcaches
        """: "the return stands inside the loop: it ends after the first layer",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            y_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return y_dot, tcaches
        """: "each layer gets the first x_dot: y_dot of one layer is x_dot of the next",
        """
        tcaches = []
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches
        """: "it goes down through the layers: the tangent goes up, first layer first",
        """
        tcaches = []
        for layer, cache in zip(self.layers[:-1], caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches
        """: "the last layer is left out",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.forward(x_dot)
            tcaches.append(tcache)
        return x_dot, tcaches
        """: "the speeds go through forward: each layer has a tangent for them",
        """
        tcaches = []
        for layer in self.layers:
            x_dot, tcache = layer.tangent(x_dot, caches)
            tcaches.append(tcache)
        return x_dot, tcaches
        """: "each layer gets the whole list: it wants its own cache, zip(self.layers, caches)",
        """
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return tcaches, x_dot
        """: "the order: y_dot first, then the tcaches",
    },
    "ANSWER": {
        "return 0": "y is 0 just then, but it moves: its speed is f' x_dot, and f'(0) = 1",
        "return np.tanh(6)": "a speed does not go through tanh: it is multiplied by f' = 1 - y^2",
        "return np.tanh(2)": "a speed does not go through tanh: it is multiplied by 3, then by f'",
        "return 2": "3 x moves at the speed 6 already: the factor 3 is forgotten",
        "return 3": "this is ∂y/∂x: x moves at the speed 2, so it is multiplied by 2",
        "return 1": "this is tanh' at 0: what comes in there moves at the speed 6",
        "return 2 * 3 * (1 - np.tanh(6) ** 2)": "1 - y^2 is taken at the place, y = 0, not at 6",
        "return 3 * (1 - np.tanh(3) ** 2) * 2":
            "1 - y^2 is taken at the place, x = 0, not at x = 1",
        "return 5": "speeds are multiplied by slopes, not added to them",
    },
}


# check
from quantities import (  # noqa: E402
    Quantity, answer, differences, expect_tcache, numbers, pair, redrawn, saying, three_dense)

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(90)
    x, x_dot = numbers(rng, 5, 4), numbers(rng, 5, 4)
    for name, layer in [("Dense", module.Dense(4, 3)), ("LeakyReLU", module.LeakyReLU()),
                        ("Tanh", module.Tanh()),
                        ("Network", three_dense(minigan, minigan, module.Network)),
                        ("all of it", three_dense(module, module, module.Network))]:
        y, cache = redrawn(layer, rng).forward(x)

        def tangent():
            return pair(layer.tangent(x_dot, cache), "y_dot and tcache")

        def tcache():
            kept = None if name == "LeakyReLU" else x_dot
            if isinstance(layer, module.Network):  # the library's walks through the same layers
                kept = minigan.Sequential(*layer.layers).tangent(x_dot, cache)[1]
            expect_tcache("tcache", tangent()[1], kept)
        # One number t moves all of x along x_dot; y[n, m] moves at the speed y_dot[n, m].
        right = [differences(lambda t: layer.forward(x + t * x_dot)[0].flat[i], np.zeros(()))
                 for i in range(y.size)]
        speeds, crossed, noise = zip(*right)
        yield Quantity(f"{name} y_dot", lambda: tangent()[0], (
            np.reshape(speeds, y.shape), np.reshape(crossed, y.shape), max(noise)),
            last=name == "all of it", says=saying("y_dot", minigan.check_tangent, layer, x))
        yield Quantity(f"{name} tcache", tcache, last=name == "all of it")
    yield answer(module.speed, 6)
