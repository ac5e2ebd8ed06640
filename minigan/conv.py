"""Convolutions, channels last: a convolution is Dense, applied to every patch of an image.

`patches` lays the patches into the rows of a matrix, and `fold` is its transpose: it adds rows back
to where they came from. Together with a matrix product they make both layers, and each layer's
input gradient is the other layer's forward pass:

    Conv2D            y = patches(x) W + b             dx = fold(dy W^T)
    ConvTranspose2D   y = fold(x W) + b                dx = patches(dy) W^T

The two are each other's transpose if their weights are: W (K, K, C, M) of a Conv2D, its axes
turned by W.transpose(3, 0, 1, 2), is the W (M, K, K, C) of the ConvTranspose2D back.

Letters: images (N, height, width, C); kernels of K x K taps, i and j; stride S; `padding` zeros on
each side. A kernel lies at P x Q places, P = (height + 2 padding - K) // S + 1. If S does not
divide height + 2 padding - K, the last rows of the image are in no patch.
Source: Dumoulin and Visin 2016.
"""
import numpy as np

from minigan.backend import array_module
from minigan.layer import Layer
from minigan.parameters import Parameter


def _places(size, K, S, padding):
    """P: at how many places a kernel fits along an axis of the given size."""
    return (size + 2 * padding - K) // S + 1


def patches(x, kernel_size, stride=1, padding=0):
    """The patches of images, one to a row: x (N, height, width, C) -> (N P Q, K K C), a copy."""
    (N, height, width, C), K, S = x.shape, kernel_size, stride
    P, Q = (_places(size, K, S, padding) for size in (height, width))
    padded = array_module(x).zeros((N, height + 2 * padding, width + 2 * padding, C), x.dtype)
    padded[:, padding:padding + height, padding:padding + width] = x
    n, h, w, c = padded.strides
    # A view (N, P, Q, K, K C): a kernel's columns and the channels are neighbours in memory, so
    # they are one axis. Patches overlap, and share their numbers: read them, but never add here.
    view = array_module(x).lib.stride_tricks.as_strided(
        padded, (N, P, Q, K, K * C), (n, S * h, S * w, h, c))
    return view.reshape(N * P * Q, K * K * C)


def fold(rows, shape, kernel_size, stride=1, padding=0):
    """The transpose of patches: rows (N P Q, K K C) are added up to images (N, height, width, C).

    shape: that of the images."""
    (N, height, width, C), K, S = shape, kernel_size, stride
    P, Q = (_places(size, K, S, padding) for size in (height, width))
    x = array_module(rows).zeros((N, height + 2 * padding, width + 2 * padding, C), rows.dtype)
    rows = rows.reshape(N, P, Q, K, K, C)
    for i in range(K):
        for j in range(K):  # one tap at all places: its pixels lie S apart, so it meets none twice
            x[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
    return x[:, padding:padding + height, padding:padding + width]


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

    x (N, height, width, C), W (K, K, C, M), b (M,), y (N, P, Q, M). W starts as N(0, std^2), with
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

    def W_matrix(self):
        return self.W.value.reshape(-1, self.out_channels)  # (K K C, M)

    def forward(self, x, train=True):
        self.check_input(x)
        rows = patches(x, *self.window)  # (N P Q, K K C)
        y = (rows @ self.W_matrix()).reshape(self.output_shape(x.shape))
        y += self.b.value
        return y, (rows, x.shape)

    def input_grad(self, dy, cache):
        _, x_shape = cache
        drows = dy.reshape(-1, self.out_channels) @ self.W_matrix().T  # (N P Q, K K C)
        return fold(drows, x_shape, *self.window)

    def add_param_grads(self, dy, cache):
        rows, _ = cache
        self.add_weight_grad(dy, rows)
        self.b.grad += dy.sum((0, 1, 2))

    def add_weight_grad(self, dy, rows):
        dW = rows.T @ dy.reshape(-1, self.out_channels)  # (K K C, M)
        self.W.grad += dW.reshape(self.W.grad.shape)

    def tangent(self, x_dot, cache):
        rows_dot = patches(x_dot, *self.window)
        return (rows_dot @ self.W_matrix()).reshape(self.output_shape(x_dot.shape)), rows_dot

    def add_tangent_param_grads(self, dy, dy_dot, rows_dot, cache):
        super().add_tangent_param_grads(dy, dy_dot, rows_dot, cache)
        self.add_weight_grad(dy_dot, rows_dot)  # b has no part in y_dot


class ConvTranspose2D(_Convolution):
    """y[n, S p + i - padding, S q + j - padding] += x[n, p, q] W[:, i, j],  all p, q, i, j;  y += b

    x (N, P, Q, C), W (C, K, K, M), b (M,), y (N, height, width, M), with
    height = S (P - 1) + K - 2 padding + output_padding; 0 <= output_padding < S chooses among the
    heights that Conv2D shrinks to P. W starts as N(0, std^2), with std = S (K K C) ** -0.5 unless
    it is given; b starts at 0.
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
        K, S, padding = self.window
        height, width = (S * (size - 1) + K - 2 * padding + self.output_padding
                         for size in x_shape[1:3])
        return x_shape[0], height, width, self.out_channels

    def W_matrix(self):
        return self.W.value.reshape(self.in_channels, -1)  # (C, K K M)

    def forward(self, x, train=True):
        self.check_input(x)
        y = self.spread(x)
        y += self.b.value
        return y, x

    def spread(self, x):
        """fold(x W)."""
        rows = x.reshape(-1, self.in_channels) @ self.W_matrix()  # (N P Q, K K M)
        return fold(rows, self.output_shape(x.shape), *self.window)

    def input_grad(self, dy, x):
        dx = patches(dy, *self.window) @ self.W_matrix().T  # (N P Q, C)
        return dx.reshape(x.shape)

    def add_param_grads(self, dy, x):
        self.add_weight_grad(dy, x)
        self.b.grad += dy.sum((0, 1, 2))

    def add_weight_grad(self, dy, x):
        dW = x.reshape(-1, self.in_channels).T @ patches(dy, *self.window)  # (C, K K M)
        self.W.grad += dW.reshape(self.W.grad.shape)

    def tangent(self, x_dot, x):
        return self.spread(x_dot), x_dot

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        super().add_tangent_param_grads(dy, dy_dot, x_dot, x)
        self.add_weight_grad(dy_dot, x_dot)  # b has no part in y_dot
