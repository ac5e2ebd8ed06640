"""Convolutions, channels last: a convolution is Dense, applied to every patch of an image.

`patches` lays the patches into the rows of a matrix, and `fold` is its transpose: it adds rows back
to where they came from. Together with a matrix product they make both layers, and each layer's
input gradient is the other layer's forward pass:

    Conv2D            y = patches(x) W + b             dx = fold(dy W^T)
    ConvTranspose2D   y = fold(x W) + b                dx = patches(dy) W^T

Letters: images (N, H, W, C), kernel K x K, stride S, `padding` zeros on each side; the patches lie
at P x Q places, P = (H + 2 padding - K) // S + 1. If S does not divide H + 2 padding - K, the last
rows of the image are in no patch. Source: Dumoulin and Visin 2016.
"""
import numpy as np

from minigan.backend import array_module
from minigan.layer import Layer, Parameter


def _places(size, kernel_size, stride, padding):
    """P: at how many places a kernel fits along an axis of the given size."""
    return (size + 2 * padding - kernel_size) // stride + 1


def _windows(x, kernel_size, stride):
    """A view of x (N, H, W, C) as (N, P, Q, K, K C): its patches, which overlap in memory.

    The kernel's columns and the channels are one axis, since they are neighbours in x.
    """
    N, H, W, C = x.shape
    P, Q = (_places(size, kernel_size, stride, 0) for size in (H, W))
    n, h, w, c = x.strides
    return array_module(x).lib.stride_tricks.as_strided(
        x, (N, P, Q, kernel_size, kernel_size * C), (n, stride * h, stride * w, h, c))


def patches(x, kernel_size, stride=1, padding=0):
    """The patches of images, one to a row: x (N, H, W, C) -> (N P Q, K K C), a copy."""
    N, H, W, C = x.shape
    padded = array_module(x).zeros((N, H + 2 * padding, W + 2 * padding, C), x.dtype)
    padded[:, padding:padding + H, padding:padding + W] = x
    return _windows(padded, kernel_size, stride).reshape(-1, kernel_size * kernel_size * C)


def fold(rows, shape, kernel_size, stride=1, padding=0):
    """The transpose of patches: rows (N P Q, K K C) are added up to images (N, H, W, C)."""
    N, H, W, C = shape
    x = array_module(rows).zeros((N, H + 2 * padding, W + 2 * padding, C), rows.dtype)
    windows = _windows(x, kernel_size, stride)
    rows = rows.reshape(windows.shape)
    apart = -(-kernel_size // stride)  # this many places apart, patches do not overlap,
    for i in range(apart):
        for j in range(apart):  # and can be added all at once
            some = windows[:, i::apart, j::apart]
            some += rows[:, i::apart, j::apart]
    return x[:, padding:padding + H, padding:padding + W]


class _Convolution(Layer):
    """What both layers share: the arguments of their constructors, and the test of their input."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding):
        if min(in_channels, out_channels, kernel_size, stride) < 1 or padding < 0:
            raise ValueError(
                f"{type(self).__name__} takes channels, kernel_size and stride from 1, padding "
                f"from 0, got {in_channels}, {out_channels}, {kernel_size}, {stride}, {padding}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.window = kernel_size, stride, padding

    def check_input(self, x):
        super().check_input(x, x.ndim == 4 and x.shape[3] == self.in_channels,
                            f"(N, H, W, {self.in_channels})")
        if min(self.output_shape(x.shape)) < 1:
            raise ValueError(f"{self} takes larger images than x of shape {tuple(x.shape)}: "
                             f"its output would have shape {self.output_shape(x.shape)}")


class Conv2D(_Convolution):
    """y[n, p, q] = sum over i, j of x[n, S p + i - padding, S q + j - padding] W[i, j] + b

    x (N, H, W, C), W (K, K, C, M), b (M,), y (N, P, Q, M). W starts as N(0, std^2), with
    std = (K K C) ** -0.5 unless it is given; b starts at 0.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 rng=None, std=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.std = std
        std = (kernel_size ** 2 * in_channels) ** -0.5 if std is None else std
        self.W = Parameter.normal((kernel_size, kernel_size, in_channels, out_channels), std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def output_shape(self, x_shape):
        P, Q = (_places(size, *self.window) for size in x_shape[1:3])
        return x_shape[0], P, Q, self.out_channels

    def forward(self, x, train=True):
        self.check_input(x)
        rows = patches(x, *self.window)
        y = self.product(rows, x.shape)
        y += self.b.value
        return y, (rows, x.shape)

    def product(self, rows, x_shape):
        """rows W, as images."""
        y = rows @ self.W.value.reshape(-1, self.out_channels)
        return y.reshape(self.output_shape(x_shape))

    def input_grad(self, dy, cache):
        _, x_shape = cache
        drows = dy.reshape(-1, self.out_channels) @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window)

    def add_param_grads(self, dy, cache):
        rows, _ = cache
        self.add_weight_grad(dy, rows)
        self.b.grad += dy.sum((0, 1, 2))

    def add_weight_grad(self, dy, rows):
        dW = rows.T @ dy.reshape(-1, self.out_channels)
        self.W.grad += dW.reshape(self.W.grad.shape)

    def tangent(self, x_dot, cache):
        rows_dot = patches(x_dot, *self.window)
        return self.product(rows_dot, x_dot.shape), rows_dot

    def add_tangent_param_grads(self, dy, dy_dot, rows_dot, cache):
        super().add_tangent_param_grads(dy, dy_dot, rows_dot, cache)
        self.add_weight_grad(dy_dot, rows_dot)  # b has no part in y_dot


class ConvTranspose2D(_Convolution):
    """y[n, S p + i - padding, S q + j - padding] += x[n, p, q] W[:, i, j],  all p, q, i, j;  y += b

    x (N, P, Q, C), W (C, K, K, M), b (M,), y (N, H, W, M), with
    H = S (P - 1) + K - 2 padding + output_padding; 0 <= output_padding < S chooses among the sizes
    H that Conv2D shrinks to P. W starts as N(0, std^2), with std = S (K K C) ** -0.5 unless it is
    given; b starts at 0.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 output_padding=0, rng=None, std=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        if not 0 <= output_padding < stride:
            raise ValueError("ConvTranspose2D takes 0 <= output_padding < stride, "
                             f"got output_padding={output_padding}, stride={stride}")
        self.output_padding = output_padding
        self.std = std
        std = stride * (kernel_size ** 2 * in_channels) ** -0.5 if std is None else std
        self.W = Parameter.normal((in_channels, kernel_size, kernel_size, out_channels), std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def output_shape(self, x_shape):
        K, S, p = self.window
        H, W = (S * (size - 1) + K - 2 * p + self.output_padding for size in x_shape[1:3])
        return x_shape[0], H, W, self.out_channels

    def forward(self, x, train=True):
        self.check_input(x)
        y = self.product(x)
        y += self.b.value
        return y, x

    def product(self, x):
        """fold(x W)."""
        rows = x.reshape(-1, self.in_channels) @ self.W.value.reshape(self.in_channels, -1)
        return fold(rows, self.output_shape(x.shape), *self.window)

    def input_grad(self, dy, x):
        dx = patches(dy, *self.window) @ self.W.value.reshape(self.in_channels, -1).T
        return dx.reshape(x.shape)

    def add_param_grads(self, dy, x):
        self.add_weight_grad(dy, x)
        self.b.grad += dy.sum((0, 1, 2))

    def add_weight_grad(self, dy, x):
        dW = x.reshape(-1, self.in_channels).T @ patches(dy, *self.window)
        self.W.grad += dW.reshape(self.W.grad.shape)

    def tangent(self, x_dot, x):
        return self.product(x_dot), x_dot

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        super().add_tangent_param_grads(dy, dy_dot, x_dot, x)
        self.add_weight_grad(dy_dot, x_dot)  # b has no part in y_dot
