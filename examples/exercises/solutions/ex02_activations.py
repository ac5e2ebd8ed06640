"""Exercise 2: LeakyReLU and Tanh, backward

An activation is one function f of one number, applied to each element by itself: y[i] = f(x[i]).
So x[i] reaches y[i] alone, and the chain rule has a single term: dx[i] = f'(x[i]) dy[i].

    LeakyReLU    y = x where x > 0, else a x        a = negative_slope, 0 < a < 1
    Tanh         y = tanh(x)

Given are the forward passes. They hand back y, not x, as what is remembered: so derive dx (of x's
shape) from dy and y. For Tanh that means to express f' by y: begin with tanh = sinh / cosh. For
LeakyReLU ask what y tells about the sign of x.

Keep float32 in float32: training runs in it, and one float64 array makes all that follows float64.

At the end a question: how much gets through Tanh where its y is nearly 1?

Done when `python examples/exercises/check.py 2` finds both dx and the answer right.
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


def share_through_tanh():
    # gap ANSWER: G's Tanh made a pixel y = 0.98. Return dx / dy there: how much gets through?
    return 1 - 0.98 ** 2
    # end


# hint
# As a > 0, y has the sign of x. What decides is the sign of y, not that of dy.
#
# The answer: dx = f' dy, so the share is f', and f' is written with y.
#
# LeakyReLU: f' is 1 or a, so dx is dy or a dy: np.where(condition, p, q) takes p where the
# condition holds, else q.
# Tanh: (sinh / cosh)' = (cosh^2 - sinh^2) / cosh^2: divide it out, and put y for sinh / cosh.


# mistakes
MISTAKES = {
    "LeakyReLU dx": {
        "return np.where(y > 0, dy, self.negative_slope)":
            "below 0 it is the slope alone: dy is forgotten there",
        "return np.where(y > 0, dy, -self.negative_slope * dy)":
            "below 0 the sign is wrong: the line a x climbs there, too, with the slope +a",
        "return np.where(y > 0, dy, dy / self.negative_slope)":
            "below 0 it is dy / a: y is a x there, so dx is dy times a",
        "return np.where(y > 0, dy, 0.01 * dy)":
            "below 0 the slope is 0.01, a usual one: but here it is self.negative_slope",
        "return np.where(y > 0, dy, 0)":
            "it is 0 below 0, as for a plain ReLU: the slope there is a",
        "return np.where(y < 0, dy, 0)":
            "the mask is inverted, and the slope a is missing: dy goes through where y > 0",
        "return np.where(dy > 0, dy, self.negative_slope * dy)":
            "what decides is the sign of dy: it has to be that of y, which is that of x",
        "return np.where(y > 0, self.negative_slope * dy, dy)":
            "the mask is inverted: the slope is 1 where y > 0, and a below",
        "return np.where(y > 0, 1.0, self.negative_slope)":
            "it is f' alone: dx = f' dy, and dy is forgotten",
        "return dy":
            "it is dy everywhere: below 0 the slope is a",
        "return self.negative_slope * dy":
            "it is a dy everywhere: above 0 the slope is 1",
        "return np.where(y > 0, y, self.negative_slope * y)":
            "it is the forward pass again, made of y: dy belongs there in its place",
        "return np.where(y > 0, dy, self.negative_slope * y)":
            "below 0 it is a y: dy belongs there in y's place",
        "return np.where(y > 0, y, self.negative_slope * dy)":
            "above 0 it is y: dy belongs there in its place",
        "return dy * y":
            "it is dy y: the slope f' belongs there, 1 or a, in y's place",
        "return y * np.where(y > 0, dy, self.negative_slope * dy)":
            "there is a y too many: dx = f' dy, and f' is 1 or a",
        "return np.where(y > 0, dy, self.negative_slope ** 2 * dy)":
            "below 0 the slope is in it twice: a^2 where a belongs",
        "return np.where(y > 0, dy, (1 - self.negative_slope) * dy)":
            "below 0 it is (1 - a) dy: the slope of a x is a",
        "return np.where(y > 0, dy, dy - self.negative_slope)":
            "below 0 a is subtracted: a slope is a factor",
        "return np.where(y > self.negative_slope, dy, self.negative_slope * dy)":
            "the mask is y > a: the bend lies at 0, and a is only the slope below it",
        "return np.where(y > 1, dy, self.negative_slope * dy)":
            "the mask is y > 1: the bend lies at 0",
        "return -np.where(y > 0, dy, self.negative_slope * dy)":
            "the sign is wrong: both slopes, 1 and a, are positive",
        "return np.where(y > 0, dy, self.negative_slope * dy) / len(y)":
            "a mean over the batch: but each x[i] has its own dx[i], with nothing to average over",
        "return self.negative_slope * np.where(y > 0, dy, self.negative_slope * dy)":
            "a multiplies both sides: above 0 the slope is 1, and below it is a, not a^2",
        "return np.where(y > 0, dy + self.negative_slope, self.negative_slope * dy)":
            "above 0 a is added: the slope there is 1, so dx is dy alone",
        "return np.where(y > 0, (1 + self.negative_slope) * dy, self.negative_slope * dy)":
            "above 0 the slope is 1 + a: a was added there, too, and belongs only below 0",
    },
    "Tanh dx": {
        "return 1 - y * y":
            "it is f' alone: dx = f' dy, and dy is forgotten",
        "return dy * (1 - y)":
            "y is to be squared: f' = 1 - y^2",
        "return dy * (1 + y * y)":
            "a sign: (cosh^2 - sinh^2) / cosh^2 is 1 - y^2, not 1 + y^2",
        "return dy * (y * y - 1)":
            "the sign is wrong: tanh climbs everywhere, so f' = 1 - y^2 is positive",
        "return dy * (1 - np.tanh(y) ** 2)":
            "tanh is taken once more: y is tanh(x) already, so f' = 1 - y^2",
        "return dy * y * (1 - y)":
            "y (1 - y) is the derivative of the sigmoid: that of tanh is 1 - y^2",
        "return dy * y":
            "it is dy y: f' = 1 - y^2 belongs there in y's place",
        "return dy * y * y":
            "it is dy y^2: f' = 1 - y^2, and the 1 - is missing",
        "return dy":
            "it is dy itself: the factor f' = 1 - y^2 is missing",
        "return dy * (1 - 2 * y)":
            "2 y is the derivative of y^2: y is squared here, not differentiated",
        "return -2 * y * dy":
            "-2 y is the derivative of 1 - y^2, which is f' already: there is one derivative too "
            "many",
        "return dy * (1 - y * y) ** 2":
            "f' is in it twice",
        "return dy * (1 - y * y) ** 0.5":
            "a root of f': sqrt(1 - y^2) is 1 / cosh, and its square belongs here",
        "return dy / (1 - y * y)":
            "divided by f', where dx = f' dy: that is the derivative of the inverse function",
        "return dy * 1 - y * y":
            "parentheses: dy * 1 - y * y is dy - y^2, and dy is to be multiplied by (1 - y^2)",
        "return dy * (1 - dy * dy)":
            "dy is squared: y belongs there, since f' = 1 - y^2",
        "return dy * (1 - y * y) / len(y)":
            "a mean over the batch: but each x[i] has its own dx[i], with nothing to average over",
        "return dy * np.cosh(y) ** -1":
            "it is 1 / cosh(y): of x, and squared, it would be f'; from y it is 1 - y^2",
        "return dy * (1 - abs(y))":
            "y is to be squared: f' = 1 - y^2, not 1 - |y|",
    },
    "ANSWER": {
        "return 1 - 0.98":
            "y is to be squared: f' = 1 - y^2",
        "return 0.98 * (1 - 0.98)":
            "y (1 - y) is the sigmoid's: that of tanh is 1 - y^2",
        "return 1 - np.tanh(0.98) ** 2":
            "0.98 is y, not x: tanh has been taken already",
        "return 0.98 ** 2":
            "it is y^2: the share is 1 - y^2, the rest of it",
        "return 0.98":
            "it is y itself: the share is f', written with y",
    },
}


# check
from quantities import answer, as_a_whole, numbers, of_layer  # noqa: E402


def check(module):
    rng = np.random.default_rng(27)
    for layer in module.LeakyReLU(), module.Tanh():
        name = type(layer).__name__
        x, dy = numbers(rng, 6, 4), numbers(rng, 6, 4)  # N is not 1 / a
        yield from of_layer(layer, x, dy, f"{name} ")
        yield from as_a_whole(layer, x, f"{name} ")
    yield answer(module.share_through_tanh, 1 - 0.98 ** 2)
