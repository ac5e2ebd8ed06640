"""Fewer pixels or more: pooling takes one number for each patch, upsampling repeats each pixel."""
from minigan.backend import array_module
from minigan.conv import fold, patches
from minigan.layer import Layer


class _Pool(Layer):
    """What both pools share: each channel's K x K patches, with stride S (K unless it is given).

    x (N, H, W, C), y (N, P, Q, C), P = (H - K) // S + 1."""

    def __init__(self, kernel_size, stride=None):
        self.kernel_size, self.stride = kernel_size, stride
        self.window = kernel_size, kernel_size if stride is None else stride
        self.check_settings(locals(), "stride")

    def patches(self, x):
        """x (N, H, W, C) -> (N, P, Q, K K, C)."""
        self.check_input(x, "N", "H", "W", "C")
        N, P, Q, C = self.output_shape(x.shape)
        return patches(x, *self.window).reshape(N, P, Q, -1, C)

    def output_shape(self, x_shape):
        (N, H, W, C), (K, S) = x_shape, self.window
        return N, (H - K) // S + 1, (W - K) // S + 1, C


class MaxPool2D(_Pool):
    """y = the largest of each patch, in each channel; dy goes back to it, the first if many."""

    def forward(self, x, train=True):
        rows = self.patches(x)
        return rows.max(axis=3), (rows.argmax(axis=3), x.shape)

    def input_grad(self, dy, cache):
        largest, x_shape = cache
        self.check_dy(dy, largest.shape)
        taps = array_module(dy).arange(self.kernel_size ** 2)[:, None]
        drows = dy[:, :, :, None] * (taps == largest[:, :, :, None])
        return fold(drows, x_shape, *self.window)

    def branches(self, cache):
        return [cache[0]]

    def tangent(self, x_dot, cache):
        largest, _ = cache
        rows = self.patches(x_dot)
        y_dot = array_module(rows).take_along_axis(rows, largest[:, :, :, None], axis=3)
        return y_dot[:, :, :, 0], None


class AveragePool2D(_Pool):
    """y = the mean of each patch, in each channel."""

    def forward(self, x, train=True):
        return self.patches(x).mean(axis=3), x.shape

    def input_grad(self, dy, x_shape):
        self.check_dy(dy, self.output_shape(x_shape))
        K, _ = self.window
        drows = (dy / K ** 2)[:, :, :, None].repeat(K * K, axis=3)
        return fold(drows, x_shape, *self.window)

    def tangent(self, x_dot, x_shape):
        return self.forward(x_dot)


class Upsample2D(Layer):
    """y = x with each pixel repeated scale x scale times ("nearest"); dx sums over the repeats.

    x (N, H, W, C), y (N, scale H, scale W, C)."""

    def __init__(self, scale=2):
        self.check_settings(locals())
        self.scale = scale

    def forward(self, x, train=True):
        self.check_input(x, "N", "H", "W", "C")
        return x.repeat(self.scale, axis=1).repeat(self.scale, axis=2), x.shape

    def input_grad(self, dy, x_shape):
        (N, H, W, C), scale = x_shape, self.scale
        self.check_dy(dy, (N, scale * H, scale * W, C))
        return dy.reshape(N, H, scale, W, scale, C).sum((2, 4))

    def tangent(self, x_dot, x_shape):
        return self.forward(x_dot)
