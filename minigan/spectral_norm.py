"""SpectralNorm: a layer whose weight is divided by its own largest singular value, sigma.

A copy of the layer computes with W_bar = W / sigma, and finds dW_bar. sigma changes with W, too,
and ∂sigma/∂W = u v^T, so that by the quotient rule

    dW = dW_bar / sigma - (sum of dW_bar W) / sigma^2 u v^T
       = (dW_bar - (sum of dW_bar W_bar) u v^T) / sigma"""
from copy import copy

import numpy as np

from minigan.layer import Layer
from minigan.parameters import Parameter


class SpectralNorm(Layer):
    """The wrapped layer with W / sigma in place of W, sigma its largest singular value.

    layer: Dense, Conv2D or ConvTranspose2D; its W counts as a matrix (all the rest, outputs).
    sigma = u^T W v, with u = W v / |W v|, and v = W^T u / |W^T u|: each training forward iterates v
    `power_iterations` times, the way back holds it constant. If W = 0, v stays, and sigma counts
    as 1. Source: Miyato et al. 2018, eq. 8-12.
    """

    buffers = ("v",)

    def __init__(self, layer, power_iterations=1):
        if not hasattr(layer, "W"):
            raise TypeError(f"SpectralNorm takes a layer with a weight W, got {layer}")
        self.check_settings(locals())
        self.layer, self.power_iterations = layer, power_iterations
        v = np.random.default_rng(0).standard_normal(layer.W.value.shape[-1], np.float32)
        self.v = v / np.linalg.norm(v)

    def forward(self, x, train=True):
        W, v = self.layer.W.value.reshape(-1, self.v.size), self.v
        for _ in range(self.power_iterations if train else 0):
            u = W @ v
            v = W.T @ u + 1e-12 * v  # which turns v nowhere, and keeps it where W = 0
            v = v / (v * v).sum() ** 0.5
        self.v = v
        Wv = W @ v
        sigma = (Wv * Wv).sum() ** 0.5
        sigma = sigma + (sigma == 0)  # 1 if W = 0, which then stays 0, and not 0 / 0
        uv = ((Wv / sigma)[:, None] * v).reshape(self.layer.W.value.shape)
        normed = copy(self.layer)  # its b is the layer's own
        normed.W = Parameter(self.layer.W.value / sigma)
        y, cache = normed.forward(x, train)
        return y, (normed, cache, uv, sigma)

    def input_grad(self, dy, cache):
        normed, inner, _, _ = cache
        return normed.input_grad(dy, inner)

    def add_param_grads(self, dy, cache):
        normed, inner, _, _ = cache
        normed.W.grad.fill(0)
        normed.add_param_grads(dy, inner)
        self.add_through_sigma(cache)

    def add_through_sigma(self, cache):
        normed, _, uv, sigma = cache
        dW_bar = normed.W.grad
        self.layer.W.grad += (dW_bar - (dW_bar * normed.W.value).sum() * uv) / sigma

    def tangent(self, x_dot, cache):
        normed, inner, _, _ = cache
        return normed.tangent(x_dot, inner)

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        normed, inner, _, _ = cache
        normed.W.grad.fill(0)
        normed.add_tangent_param_grads(dy, dy_dot, tcache, inner)
        self.add_through_sigma(cache)
