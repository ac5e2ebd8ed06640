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
        # TODO: return drows (N P Q, K K M), from dy (N, H, W, M)
        raise NotImplementedError("not written yet: drows")

    def input_grad(self, dy, x):
        # TODO: return dx (N, P, Q, C), from self.drows(dy) and W
        raise NotImplementedError("not written yet: dx")

    def dW(self, dy, x):
        # TODO: return dW (C, K, K, M), from x and self.drows(dy)
        raise NotImplementedError("not written yet: dW")

    def db(self, dy, x):
        # TODO: return db (M,); b is added at every pixel of every image
        raise NotImplementedError("not written yet: db")

    def add_param_grads(self, dy, x):
        self.W.grad += self.dW(dy, x)
        self.b.grad += self.db(dy, x)
