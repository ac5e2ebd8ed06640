"""Exercise 9: The sweep up: tangents

WGAN-GP adds to D's loss a penalty on the gradient of its score, g[n] = ds[n]/dx[n]. So the loss
contains a gradient, and D learns from the gradient of a gradient. Two sweeps through the network
compute it (minigan/penalties.py says why). This is the first one, and it goes up, beside forward:

    y_dot = (dy/dx) x_dot        how fast y moves as x moves at the speed x_dot: the "tangent"

x_dot has the shape of x, y_dot that of y. Derive y_dot of each layer by the rules of calculus: let
x depend on a time t, with dx/dt = x_dot, and differentiate y = f(x(t)). W and b stand still.

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
        # TODO: return y_dot (N, M), and x_dot
        raise NotImplementedError("not written yet: Dense y_dot")


class LeakyReLU(ex02_activations.LeakyReLU):

    def tangent(self, x_dot, y):
        # TODO: return y_dot, and None
        raise NotImplementedError("not written yet: LeakyReLU y_dot")


class Tanh(ex02_activations.Tanh):

    def tangent(self, x_dot, y):
        # TODO: return y_dot, and x_dot
        raise NotImplementedError("not written yet: Tanh y_dot")


class Network(Sequential):

    def tangent(self, x_dot, caches):
        # TODO: return y_dot, and the list of tcaches; the layers are self.layers
        raise NotImplementedError("not written yet: Network y_dot")
