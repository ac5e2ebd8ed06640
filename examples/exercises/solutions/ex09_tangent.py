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

Done when `python examples/exercises/check.py 9` finds each y_dot right.
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


# hint
# Dense: ∂(x W + b)/∂t = (∂x/∂t) W. An activation: ∂y/∂t = f'(x) ∂x/∂t, the same factor as in the
# backward pass, so that input_grad(x_dot, y) does it: for a function of single numbers, the matrix
# ∂y/∂x is diagonal, and equal to its transpose.
# The network: y of one layer is x of the next, so y_dot of one is x_dot of the next.


# check
from quantities import (  # noqa: E402
    Complaint, Quantity, differences, numbers, pair, redrawn, saying, three_dense)

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(90)
    x, x_dot = numbers(rng, 5, 4), numbers(rng, 5, 4)
    for name, layer, kept in [
            ("Dense", module.Dense(4, 3), x_dot), ("LeakyReLU", module.LeakyReLU(), None),
            ("Tanh", module.Tanh(), x_dot),
            ("Network", three_dense(minigan, minigan, module.Network), []),
            ("all of it", three_dense(module, module, module.Network), [])]:
        y, cache = redrawn(layer, rng).forward(x)

        def tangent():
            return pair(layer.tangent(x_dot, cache), "y_dot and tcache")

        def tcache():
            if tangent()[1] is not kept:
                raise Complaint("it is to return " + ("None" if kept is None else "x_dot itself")
                                + " after y_dot")
        # One number t moves all of x along x_dot; y[n, m] moves at the speed y_dot[n, m].
        right = [differences(lambda t: layer.forward(x + t * x_dot)[0].flat[i], np.zeros(()))
                 for i in range(y.size)]
        speeds, crossed, noise = zip(*right)
        yield Quantity(f"{name} y_dot", lambda: tangent()[0], (
            np.reshape(speeds, y.shape), np.reshape(crossed, y.shape), max(noise)),
            last=name == "all of it", says=saying("y_dot", minigan.check_tangent, layer, x))
        if not isinstance(layer, module.Network):
            yield Quantity(f"{name} tcache", tcache)
