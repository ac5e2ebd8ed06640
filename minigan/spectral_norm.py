"""SpectralNorm: a layer whose weight is divided by its own largest singular value, sigma.

sigma changes with the weight, so the gradient has to go through it, too.
"""
import numpy as np

from minigan.layer import Layer


class SpectralNorm(Layer):
    """The wrapped layer with W / sigma in place of W, sigma its largest singular value.

    layer: Dense, Conv2D or ConvTranspose2D; its W counts as a matrix (all the rest, outputs).
    sigma = u^T W v, where u = W v / |W v|, and v = W^T u / |W^T u| is iterated `power_iterations`
    times in each training forward, from where the last one stopped. The gradient goes through sigma
    too: dsigma/dW = u v^T, with v held constant. Source: Miyato et al. 2018, eq. 8 to 12.
    """

    buffers = ("v",)

    def __init__(self, layer, power_iterations=1):
        if not hasattr(layer, "W"):
            raise TypeError(f"SpectralNorm takes a layer with a weight W, got {layer}")
        self.layer = layer
        self.power_iterations = power_iterations
        v = np.random.default_rng(0).standard_normal(layer.W.value.shape[-1], np.float32)
        self.v = v / np.linalg.norm(v)

    def walk(self, prefix=""):
        yield prefix, self
        yield from self.layer.walk(f"{prefix}layer.")

    def forward(self, x, train=True):
        W = self.layer.W.value.reshape(-1, self.v.size)
        v = self.v
        for _ in range(self.power_iterations if train else 0):
            u = W @ v
            v = W.T @ u
            v = v / (v * v).sum() ** 0.5
        self.v = v
        Wv = W @ v
        sigma = (Wv * Wv).sum() ** 0.5
        y, cache = self.layer.forward(x, train)
        b = self.layer.b.value
        return (y - b) / sigma + b, (cache, Wv / sigma, v, sigma)

    def input_grad(self, dy, cache):
        cache, _, _, sigma = cache
        return self.layer.input_grad(dy / sigma, cache)

    def add_param_grads(self, dy, cache):
        self._add_through_sigma(cache, lambda inner: self.layer.add_param_grads(dy, inner))

    def _add_through_sigma(self, cache, add):
        """add(inner cache) adds dL/d(W / sigma) to W.grad; this makes dL/dW of it."""
        inner, u, v, sigma = cache
        W = self.layer.W
        kept = W.grad.copy()
        W.grad.fill(0)
        add(inner)
        dsigma = -(W.grad * W.value).sum() / sigma ** 2
        W.grad /= sigma
        W.grad += dsigma * (u[:, None] * v).reshape(W.grad.shape) + kept

    def tangent(self, x_dot, cache):
        inner, _, _, sigma = cache
        y_dot, tcache = self.layer.tangent(x_dot, inner)
        return y_dot / sigma, tcache

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        self._add_through_sigma(cache, lambda inner: self.layer.add_tangent_param_grads(
            dy, dy_dot, tcache, inner))
