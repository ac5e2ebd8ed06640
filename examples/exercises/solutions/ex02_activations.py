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
        # gap LeakyReLU dx: return dx, from dy and y; the slope is self.negative_slope
        return np.where(y > 0, dy, self.negative_slope * dy)
        # end


class Tanh(Layer):

    def forward(self, x, train=True):
        y = np.tanh(x)
        return y, y

    def input_grad(self, dy, y):
        # gap Tanh dx: return dx, from dy and y alone, without another tanh
        return dy * (1 - y * y)
        # end


# hint
# As a > 0, y has the sign of x. f' is 1 or a, so dx is dy or a dy: np.where(condition, p, q) takes
# p where the condition holds, else q. What decides is the sign of y, not that of dy.
# (sinh / cosh)' = (cosh^2 - sinh^2) / cosh^2: divide it out, and put y for sinh / cosh.


# check
from quantities import as_a_whole, numbers, of_layer  # noqa: E402


def check(module):
    rng = np.random.default_rng(27)
    for layer in module.LeakyReLU(), module.Tanh():
        name = type(layer).__name__
        x, dy = numbers(rng, 5, 4), numbers(rng, 5, 4)
        yield from of_layer(layer, x, dy, f"{name} ")
        yield from as_a_whole(layer, x, f"{name} ")
