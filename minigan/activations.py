"""Activations: one function f of one number, applied to each element: dx = f'(x) dy.

All four remember y rather than x: f' can be read off y, and often the next layer keeps y anyway."""
from minigan.backend import array_module
from minigan.layer import Layer


class _Activation(Layer):
    def forward(self, x, train=True):
        self.check_input(x, "N", ...)
        y = self.f(x)
        return y, y

    def input_grad(self, dy, y):
        self.check_dy(dy, y.shape)
        return dy * self.f_prime(y)

    def tangent(self, x_dot, y):
        return self.input_grad(x_dot, y), x_dot  # ∂y/∂x is diagonal, and its own transpose


class ReLU(_Activation):
    """y = max(x, 0),  f' = 1 where y > 0, else 0.  x, y (N, ...)."""

    def f(self, x):
        return array_module(x).maximum(x, 0)

    def f_prime(self, y):
        return y > 0

    def branches(self, y):
        return [y > 0]


class LeakyReLU(_Activation):
    """y = max(x, a x),  f' = 1 where y > 0, else a = negative_slope, 0 < a < 1.  x, y (N, ...)."""

    def __init__(self, negative_slope=0.2):
        self.check_settings(locals())
        self.negative_slope = float(negative_slope)  # a NumPy float64 would turn y into float64

    def f(self, x):
        return array_module(x).maximum(x, self.negative_slope * x)

    def f_prime(self, y):
        a = self.negative_slope
        # Arithmetic: np.where stumbles over unpredictable branches and is 4 to 8 times as slow.
        return (y > 0).astype(y.dtype) * (1 - a) + a

    def branches(self, y):
        return [y > 0]


class Shift(_Activation):
    """y = x + c,  f' = 1.  x, y (N, ...). With c near 1, what is -1 in images comes near 0, and the
    empty background has little part in the products of a D's first layer."""

    def __init__(self, c):
        self.check_settings(locals())
        self.c = float(c)

    def f(self, x):
        return x + self.c

    def f_prime(self, y):
        return 1


class Tanh(_Activation):
    """y = tanh(x),  f' = 1 - y^2.  x, y (N, ...), y in [-1, 1]."""

    def f(self, x):
        return array_module(x).tanh(x)

    def f_prime(self, y):
        return 1 - y * y

    def curvature(self, dy_dot, dx_dot, x_dot, y):
        return -2 * y * x_dot * dx_dot  # f'' x_dot dy_dot, with f'' = -2 y f', dx_dot = f' dy_dot


class Sigmoid(_Activation):
    """y = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2,  f' = y (1 - y).  x, y (N, ...), y 0 to 1."""

    def f(self, x):
        return (1 + array_module(x).tanh(x / 2)) / 2  # in this form no x overflows

    def f_prime(self, y):
        return y * (1 - y)

    def curvature(self, dy_dot, dx_dot, x_dot, y):
        return (1 - 2 * y) * x_dot * dx_dot  # as in Tanh, where f'' = (1 - 2 y) f'
