"""Exercise 2: LeakyReLU and Tanh, backward

An activation is one function f of one number, applied to each element by itself: y[i] = f(x[i]).
So x[i] reaches y[i] alone, and the chain rule has a single term: dx[i] = f'(x[i]) dy[i].

    LeakyReLU    y = x where x > 0, else a x        a = negative_slope, 0 < a < 1
    Tanh         y = tanh(x)

Given are the forward passes. They hand back y, not x, as what is remembered: so derive dx (of x's
shape) from dy and y. For Tanh that means to express f' by y: begin with tanh = sinh / cosh. For
LeakyReLU ask what y tells about the sign of x.

Keep float32 in float32: training runs in it, and one float64 array makes all that follows float64.

Done when `python examples/exercises/check.py 2` finds both dx right.
"""
import numpy as np

from minigan import Layer


class LeakyReLU(Layer):

    def __init__(self, negative_slope=0.2):
        self.negative_slope = negative_slope

    def forward(self, x, train=True):
        y = np.maximum(x, self.negative_slope * x)
        return y, y

    def input_grad(self, dy, y):
        # TODO: return dx, from dy and y; the slope is self.negative_slope
        raise NotImplementedError("not written yet: LeakyReLU dx")


class Tanh(Layer):

    def forward(self, x, train=True):
        y = np.tanh(x)
        return y, y

    def input_grad(self, dy, y):
        # TODO: return dx, from dy and y alone, without another tanh
        raise NotImplementedError("not written yet: Tanh dx")
