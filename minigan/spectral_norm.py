"""SpectralNorm: a layer whose weight is divided by its own largest singular value, sigma.

sigma changes with the weight, so the gradient has to go through it, too. With W_bar = W / sigma,
∂sigma/∂W = u v^T, and dW_bar from the wrapped layer's own backward pass,

    dW = dW_bar / sigma - (sum of dW_bar W) / sigma^2 u v^T
       = (dW_bar - (sum of dW_bar W_bar) u v^T) / sigma
"""
from copy import copy

import numpy as np

from minigan.layer import Layer
from minigan.parameters import Parameter


class SpectralNorm(Layer):
    """The wrapped layer with W / sigma in place of W, sigma its largest singular value.

    layer: Dense, Conv2D or ConvTranspose2D; its W counts as a matrix (all the rest, outputs).
    sigma = u^T W v, where u = W v / |W v|, and v = W^T u / |W^T u| is iterated `power_iterations`
    times in each training forward, from where the last one stopped. The gradient goes through sigma
    with v held constant. Source: Miyato et al. 2018, eq. 8 to 12.
    """

    buffers = ("v",)

    def __init__(self, layer, power_iterations=1):
        if not hasattr(layer, "W"):
            raise TypeError(f"SpectralNorm takes a layer with a weight W, got {layer}")
        self.layer = layer
        self.power_iterations = power_iterations
        v = np.random.default_rng(0).standard_normal(layer.W.value.shape[-1], np.float32)
        self.v = v / np.linalg.norm(v)

    def forward(self, x, train=True):
        W = self.layer.W.value.reshape(-1, self.v.size)
        v = self.v
        for _ in range(self.power_iterations if train else 0):
            u = W @ v
            v = W.T @ u
            v = v / (v * v).sum() ** 0.5
        self.v = v
        u = W @ v
        sigma = (u * u).sum() ** 0.5
        uv = (u / sigma)[:, None] * v
        W_bar = self.layer.W.value / sigma
        y, cache = self.layer_with(W_bar).forward(x, train)
        return y, (cache, W_bar, uv.reshape(W_bar.shape), sigma)

    def layer_with(self, W_bar):
        """The wrapped layer with W_bar for its W, and with room for dW_bar; b is the same one."""
        layer = copy(self.layer)
        layer.W = Parameter(W_bar)
        return layer

    def input_grad(self, dy, cache):
        cache, W_bar, _, _ = cache
        return self.layer_with(W_bar).input_grad(dy, cache)

    def add_param_grads(self, dy, cache):
        inner, W_bar, _, _ = cache
        layer = self.layer_with(W_bar)
        layer.add_param_grads(dy, inner)
        self.add_through_sigma(layer.W.grad, cache)

    def add_through_sigma(self, dW_bar, cache):
        _, W_bar, uv, sigma = cache
        self.layer.W.grad += (dW_bar - (dW_bar * W_bar).sum() * uv) / sigma

    def tangent(self, x_dot, cache):
        inner, W_bar, _, _ = cache
        return self.layer_with(W_bar).tangent(x_dot, inner)

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        inner, W_bar, _, _ = cache
        layer = self.layer_with(W_bar)
        layer.add_tangent_param_grads(dy, dy_dot, tcache, inner)
        self.add_through_sigma(layer.W.grad, cache)
