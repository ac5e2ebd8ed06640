"""Layers that disturb x while training and pass it on unchanged in use. Their random numbers are
drawn on the host and then moved, so that CPU and GPU see the same ones."""
import numpy as np

from minigan.backend import array_module
from minigan.layer import Layer


class Dropout(Layer):
    """y = m x,  m = 0 with probability p, else 1 / (1 - p);  in use y = x.  x, y, m (N, ...).

    By the factor 1 / (1 - p) the mean of y is x in both modes. Source: Srivastava et al. 2014."""

    def __init__(self, p=0.5, rng=None):
        self.check_settings(locals())
        self.p, self.rng = float(p), np.random.default_rng(rng)

    def forward(self, x, train=True):
        self.check_input(x, "N", ...)
        if not train:
            return x, None
        kept = self.rng.random(x.shape, dtype=np.float32) >= self.p
        mask = array_module(x).asarray(kept, dtype=x.dtype) / (1 - self.p)
        return x * mask, mask

    def input_grad(self, dy, mask):
        if mask is not None:
            self.check_dy(dy, mask.shape)
        return dy if mask is None else dy * mask

    def tangent(self, x_dot, mask):
        return self.input_grad(x_dot, mask), None


class GaussianNoise(Layer):
    """y = x + std e,  e ~ N(0, 1);  in use y = x.  x, y, e (N, ...).

    Put in front of a discriminator ("instance noise") it keeps real and fake from being separable.
    Source: Sonderby et al. 2017."""

    def __init__(self, std, rng=None):
        self.check_settings(locals())
        self.std, self.rng = float(std), np.random.default_rng(rng)

    def forward(self, x, train=True):
        self.check_input(x, "N", ...)
        if not train:
            return x, x.shape
        e = self.rng.standard_normal(x.shape, dtype=np.float32)
        return x + self.std * array_module(x).asarray(e, dtype=x.dtype), x.shape

    def input_grad(self, dy, x_shape):
        self.check_dy(dy, x_shape)
        return dy

    def tangent(self, x_dot, _):
        return x_dot, None
