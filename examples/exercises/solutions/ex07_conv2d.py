"""Exercise 7: Conv2D, backward, by patches and fold

A convolution is Dense, applied to every patch of an image. Images are (N, H, W, C), channels last;
the K x K kernel moves in strides of S, over `padding` zeros on each side, and fits at P x Q places.
`patches` lays each patch into one row of a matrix, then W is a matrix as in exercise 1:

    rows = patches(x)                 (N P Q, K K C)
    y    = rows W + b                 (N P Q, M), or as images (N, P, Q, M);  W (K, K, C, M), b (M,)

Given is this forward pass. Derive

    drows, dW, db    as in exercise 1; only the reshapes between images and rows are new
    dx = fold(drows)

`fold` is the transpose of `patches`. patches copies each pixel of x into the rows, several times
where patches overlap; so the gradient at a pixel is the sum of drows over all its copies. Write
fold as patches read backwards: it has the same loops and slices, and it adds.

Done when `python examples/exercises/check.py 7` finds fold, dx, dW and db right.
"""
import numpy as np

from minigan import Layer, Parameter


def patches(x, K, S, padding):
    N, H, W, C = x.shape
    P, Q = (H + 2 * padding - K) // S + 1, (W + 2 * padding - K) // S + 1
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), x.dtype)
    padded[:, padding:padding + H, padding:padding + W] = x
    rows = np.zeros((N, P, Q, K, K, C), x.dtype)
    for i in range(K):
        for j in range(K):  # pixel (i, j) of every patch at once: the patches begin S apart
            rows[:, :, :, i, j] = padded[:, i:i + S * P:S, j:j + S * Q:S]
    return rows.reshape(N * P * Q, K * K * C)


def fold(rows, shape, K, S, padding):
    N, H, W, C = shape
    P, Q = (H + 2 * padding - K) // S + 1, (W + 2 * padding - K) // S + 1
    rows = rows.reshape(N, P, Q, K, K, C)
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), rows.dtype)
    # gap fold: add all of rows into padded, where patches took them from
    for i in range(K):
        for j in range(K):
            padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
    # end
    return padded[:, padding:padding + H, padding:padding + W]


class Conv2D(Layer):

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, rng=None):
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.window = kernel_size, stride, padding  # K, S, padding
        std = (kernel_size ** 2 * in_channels) ** -0.5
        self.W = Parameter.normal((kernel_size, kernel_size, in_channels, out_channels), std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        K, S, padding = self.window
        N, H, W, C = x.shape
        P, Q = (H + 2 * padding - K) // S + 1, (W + 2 * padding - K) // S + 1
        rows = patches(x, *self.window)
        y = rows @ self.W.value.reshape(K * K * C, self.out_channels) + self.b.value
        return y.reshape(N, P, Q, self.out_channels), (rows, x.shape)

    def input_grad(self, dy, cache):
        rows, x_shape = cache
        # gap dx: return dx (N, H, W, C): dy as rows (N P Q, M), then drows, then fold
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window)
        # end

    def dW(self, dy, cache):
        rows, x_shape = cache
        # gap dW: return dW (K, K, C, M), from rows and dy
        return (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        # end

    def db(self, dy, cache):
        # gap db: return db (M,); b is added at every place of every image
        return dy.sum(axis=(0, 1, 2))
        # end

    def add_param_grads(self, dy, cache):
        self.W.grad += self.dW(dy, cache)
        self.b.grad += self.db(dy, cache)


# hint
# In fold, take patches' line with the two slices, swap its sides, and write += for =: where patches
# overlap, a pixel gets a sum, and = would keep only the last term.
# With dy.reshape(-1, M) and W.reshape(-1, M), W now (K K C, M), the rest is exercise 1 with rows in
# place of x. A gradient has the shape of its array: reshape dW to that of self.W.value.


# check
from quantities import (  # noqa: E402
    Quantity, as_a_whole, differences, numbers, of_layer, redrawn)

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(74)
    x = numbers(rng, 2, 6, 5, 2)
    for name, window in [("fold", (3, 1, 1)), ("fold, S = 2", (3, 2, 0))]:  # skips x's last row
        rows = numbers(rng, *module.patches(x, *window).shape)
        yield Quantity(name, lambda: module.fold(rows, x.shape, *window), differences(
            lambda x: (rows * module.patches(x, *window)).sum(), x))
    module.fold = minigan.fold
    layer = redrawn(module.Conv2D(2, 3, 3, stride=2, padding=1), rng)
    yield from of_layer(layer, x, numbers(rng, *layer.forward(x)[0].shape))
    yield from as_a_whole(layer, x)
