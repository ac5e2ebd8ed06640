"""Exercise 8: ConvTranspose2D, backward

A generator has to make images larger. ConvTranspose2D runs Conv2D's wiring the other way: each
pixel of x is spread over a K x K patch of y, and where patches overlap they are added. In the terms
of exercise 7, with x (N, P, Q, C), W (C, K, K, M), b (M,), y (N, H, W, M):

    rows = x W              (N P Q, K K M);  x as (N P Q, C), W as (C, K K M)
    y    = fold(rows) + b   H = S (P - 1) + K - 2 padding, W in the same way

Given is this forward pass. Derive

    dx (N, P, Q, C)         dW (C, K, K, M)         db (M,)

You know what the backward pass of `patches` is: fold. Then what is the backward pass of `fold`?
Once you have drows, the rest is exercise 1 again.

fold(rows, shape, K, S, padding) is the library's here, and so is minigan.patches(images, K, S,
padding), if you should need it: both do what those of exercise 7 do.

Done when `python examples/exercises/check.py 8` finds dx, dW and db right. Then
`python examples/exercises/play.py dcgan` draws digits with your convolutions.
"""
import numpy as np

import minigan
from minigan import Parameter


class ConvTranspose2D(minigan.Layer):

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, rng=None):
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.window = kernel_size, stride, padding  # K, S, padding
        std = stride * (kernel_size ** 2 * in_channels) ** -0.5
        self.W = Parameter.normal((in_channels, kernel_size, kernel_size, out_channels), std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        K, S, padding = self.window
        N, P, Q, C = x.shape
        H, W = S * (P - 1) + K - 2 * padding, S * (Q - 1) + K - 2 * padding
        rows = x.reshape(N * P * Q, C) @ self.W.value.reshape(C, -1)
        return minigan.fold(rows, (N, H, W, self.out_channels), *self.window) + self.b.value, x

    def drows(self, dy):
        # gap drows: return drows (N P Q, K K M), from dy (N, H, W, M)
        return minigan.patches(dy, *self.window)
        # end

    def input_grad(self, dy, x):
        # gap dx: return dx (N, P, Q, C), from self.drows(dy) and W
        return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape(x.shape)
        # end

    def dW(self, dy, x):
        # gap dW: return dW (C, K, K, M), from x and self.drows(dy)
        return (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)
        # end

    def db(self, dy, x):
        # gap db: return db (M,); b is added at every pixel of every image
        return dy.sum(axis=(0, 1, 2))
        # end

    def add_param_grads(self, dy, x):
        self.W.grad += self.dW(dy, x)
        self.b.grad += self.db(dy, x)


# hint
# fold adds each element of rows into one pixel of y: so the gradient at that element is dy at that
# pixel. Picking them is what patches does. (The transpose of the transpose is the map itself.)
# Then rows = x W is Dense: dx = drows W^T and dW = x^T drows, with x as (N P Q, C) and W as
# (C, K K M), and at the end each in the shape of its array.


# check
from quantities import (  # noqa: E402
    Quantity, as_a_whole, differences, numbers, of_layer, redrawn)


def check(module):
    rng = np.random.default_rng(82)
    layer = redrawn(module.ConvTranspose2D(2, 3, 4, stride=2, padding=1), rng)
    x = numbers(rng, 2, 2, 3, 2)
    dy = numbers(rng, *layer.forward(x)[0].shape)
    rows = numbers(rng, *minigan.patches(dy, *layer.window).shape)
    yield Quantity("drows", lambda: layer.drows(dy), differences(
        lambda rows: (dy * minigan.fold(rows, dy.shape, *layer.window)).sum(), rows))
    layer.drows = lambda dy: minigan.patches(dy, *layer.window)
    yield from of_layer(layer, x, dy)
    del layer.drows
    yield from as_a_whole(layer, x)
