"""Convolutions, channels last: a convolution is Dense, applied to every patch of an image.

`patches` lays the patches into the rows of a matrix, and `fold` is its transpose: it adds rows back
to where they came from. Together with a matrix product they make both layers, and each layer's
input gradient is the other layer's forward pass:

    Conv2D            y = patches(x) W + b             dx = fold(dy W^T)
    ConvTranspose2D   y = fold(x W) + b                dx = patches(dy) W^T

The two are each other's transpose if their weights are: W (K, K, C, M) of a Conv2D, its axes
turned by W.transpose(3, 0, 1, 2), is the W (M, K, K, C) of the ConvTranspose2D back.

Letters: images (N, height, width, C); kernels of K x K taps, i and j; stride S; `padding` zeros on
each side. A kernel lies at P x Q places, P = (height + 2 padding - K) // S + 1; what S leaves over
at the end of the image is in no patch. Source: Dumoulin and Visin 2016."""
import numpy as np

from minigan.backend import array_module, sum_rows
from minigan.checks import check_settings
from minigan.layer import Layer
from minigan.parameters import Parameter


def _places(size, K, S, padding):
    """P: at how many places a kernel fits along an axis of the given size."""
    return (size + 2 * padding - K) // S + 1


def patches(x, kernel_size, stride=1, padding=0):
    """The patches of images, one to a row: x (N, height, width, C) -> (N P Q, K K C), a copy."""
    xp = array_module(x)
    check_settings("patches", locals())
    (N, height, width, C), K, S = x.shape, kernel_size, stride
    if min(height, width) + 2 * padding < K:
        raise ValueError(f"patches takes images no smaller than a kernel, got {tuple(x.shape)}, "
                         f"kernel_size {K}, padding {padding}")
    P, Q = (_places(size, K, S, padding) for size in (height, width))
    padded = xp.zeros((N, height + 2 * padding, width + 2 * padding, C), x.dtype)
    padded[:, padding:padding + height, padding:padding + width] = x
    n, h, w, c = padded.strides
    # A kernel's columns and the channels, neighbours in memory, are one axis here. Patches overlap
    # and share their numbers: one can read this view, but `+=` into it would lose some of the sums.
    view = xp.lib.stride_tricks.as_strided(
        padded, (N, P, Q, K, K * C), (n, S * h, S * w, h, c))
    return view.reshape(N * P * Q, K * K * C)


def fold(rows, shape, kernel_size, stride=1, padding=0):
    """The transpose of patches: rows (N P Q, K K C) are added up to images of the given shape."""
    check_settings("fold", locals())
    (N, height, width, C), K, S = shape, kernel_size, stride
    P, Q = (_places(size, K, S, padding) for size in (height, width))
    x = array_module(rows).zeros((N, height + 2 * padding, width + 2 * padding, C), rows.dtype)
    rows = rows.reshape(N, P, Q, K, K, C)
    for i in range(K):
        for j in range(K):  # one tap at all places: its pixels lie S apart, so it meets none twice
            x[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
    return x[:, padding:padding + height, padding:padding + width]


class _Convolution(Layer):
    """y = A(x) + b, where `apply` is A. Both layers differ in A, which is linear in x and in W, and
    in its two transposes: input_grad and add_weight_grad."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, rng, std, W_shape,
                 spread=1):
        self.check_settings(locals(), "std")
        self.in_channels, self.out_channels, self.std = in_channels, out_channels, std
        self.kernel_size, self.stride, self.padding = self.window = kernel_size, stride, padding
        std = spread * (kernel_size ** 2 * in_channels) ** -0.5 if std is None else std
        self.W = Parameter.normal(W_shape, std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        self.check_input(x, "N", "H", "W", self.in_channels)
        if min(self.output_shape(x.shape)) < 1:
            raise ValueError(f"{self} takes larger images than x of shape {tuple(x.shape)}")
        y, cache = self.apply(x)
        y += self.b.value
        return y, cache

    def add_param_grads(self, dy, cache):
        self.add_weight_grad(dy, cache)
        self.b.grad += sum_rows(dy)

    def tangent(self, x_dot, cache):
        return self.apply(x_dot)

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        super().add_tangent_param_grads(dy, dy_dot, tcache, cache)
        self.add_weight_grad(dy_dot, tcache)  # b has no part in y_dot


class Conv2D(_Convolution):
    """y[n, p, q] = sum over i, j of x[n, S p + i - padding, S q + j - padding] W[i, j] + b

    x (N, height, width, C), W (K, K, C, M), b (M,), y (N, P, Q, M). W starts as N(0, std^2), with
    std = (K K C) ** -0.5 unless it is given; b starts at 0."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 rng=None, std=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, rng, std,
                         (kernel_size, kernel_size, in_channels, out_channels))

    def output_shape(self, x_shape):
        P, Q = (_places(size, *self.window) for size in x_shape[1:3])
        return x_shape[0], P, Q, self.out_channels

    def apply(self, x):
        rows = patches(x, *self.window)                            # (N P Q, K K C)
        y = rows @ self.W.value.reshape(-1, self.out_channels)     # (N P Q, M)
        return y.reshape(self.output_shape(x.shape)), (rows, x.shape)

    def input_grad(self, dy, cache):
        _, x_shape = cache
        self.check_dy(dy, self.output_shape(x_shape))
        W = self.W.value.reshape(-1, self.out_channels)            # (K K C, M)
        drows = dy.reshape(-1, self.out_channels) @ W.T            # (N P Q, K K C)
        return fold(drows, x_shape, *self.window)

    def add_weight_grad(self, dy, cache):
        rows, x_shape = cache
        self.check_dy(dy, self.output_shape(x_shape))
        dW = rows.T @ dy.reshape(-1, self.out_channels)            # (K K C, M)
        self.W.grad += dW.reshape(self.W.grad.shape)


class ConvTranspose2D(_Convolution):
    """y[n, S p + i - padding, S q + j - padding] += x[n, p, q] W[:, i, j],  all p, q, i, j;  y += b

    x (N, P, Q, C), W (C, K, K, M), b (M,), y (N, height, width, M), with
    height = S (P - 1) + K - 2 padding + output_padding; 0 <= output_padding < S chooses among the
    heights that Conv2D shrinks to P. W starts as N(0, std^2), with std = S (K K C) ** -0.5 unless
    it is given; b starts at 0."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 output_padding=0, rng=None, std=None):
        self.output_padding = output_padding
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, rng, std,
                         (in_channels, kernel_size, kernel_size, out_channels), spread=stride)
        if isinstance(output_padding, (bool, float)) or output_padding not in range(stride):
            raise ValueError("ConvTranspose2D takes a whole number from 0, less than stride, as "
                             f"output_padding, got {output_padding!r}")

    def output_shape(self, x_shape):
        K, S, padding = self.window
        height, width = (S * (size - 1) + K - 2 * padding + self.output_padding
                         for size in x_shape[1:3])
        return x_shape[0], height, width, self.out_channels

    def apply(self, x):
        W = self.W.value.reshape(self.in_channels, -1)             # (C, K K M)
        rows = x.reshape(-1, self.in_channels) @ W                 # (N P Q, K K M)
        return fold(rows, self.output_shape(x.shape), *self.window), x

    def input_grad(self, dy, x):
        self.check_dy(dy, self.output_shape(x.shape))
        W = self.W.value.reshape(self.in_channels, -1)             # (C, K K M)
        dx = patches(dy, *self.window) @ W.T                       # (N P Q, C)
        return dx.reshape(x.shape)

    def add_weight_grad(self, dy, x):
        self.check_dy(dy, self.output_shape(x.shape))
        dW = x.reshape(-1, self.in_channels).T @ patches(dy, *self.window)    # (C, K K M)
        self.W.grad += dW.reshape(self.W.grad.shape)
