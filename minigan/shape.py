"""Layers that only change the shape: forward and backward are each other's inverse."""
import math

from minigan.layer import Layer


class Reshape(Layer):
    """y[n] = x[n] in the given shape.  x (N, ...), y (N, *shape), as in Reshape(28, 28, 1)."""

    def __init__(self, *shape):
        for size in shape:
            self.check_settings({"size": size})
        self.shape = shape

    def forward(self, x, train=True):
        self.check_input(x, "N", ...)
        if self.shape != (-1,) and math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ValueError(f"{self} takes x with {math.prod(self.shape)} numbers per example, "
                             f"got {tuple(x.shape)}")
        return x.reshape(len(x), *self.shape), x.shape

    def input_grad(self, dy, x_shape):
        flat = math.prod(x_shape[1:]),
        self.check_dy(dy, (x_shape[0], *(flat if self.shape == (-1,) else self.shape)))
        return dy.reshape(x_shape)

    def tangent(self, x_dot, x_shape):
        return self.forward(x_dot)


class Flatten(Reshape):
    """y[n] = x[n] as one row.  x (N, ...), y (N, D), D the product of all axes but the first."""

    def __init__(self):
        self.shape = (-1,)  # as many as there are
