"""Normalisation: x is shifted and scaled to mean 0 and variance 1, then gamma and beta take over.

BatchNorm and LayerNorm differ in what shares its statistics: each feature c over the whole batch,
or each example n over all its features. The rest, and above all the backward pass, is the same: x
reaches the output directly, through the mean, and through the variance, and the three terms of
`input_grad` are these three ways. (SpectralNorm normalises weights instead: see there.)
"""
import numpy as np

from minigan.backend import array_module
from minigan.layer import Layer, Parameter


class _Norm(Layer):
    """y = gamma x_hat + beta,  x_hat = (x - mean) inv_std,  inv_std = (var + eps)^(-1/2);
    dx = inv_std (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)),  dx_hat = gamma dy.

    Inside, x is (N, L, C), with all axes between the first and the last as one. In place where an
    array is our own, since each new one costs as much as the arithmetic.
    """

    own = None  # which index, "n" or "c", has statistics of its own; they are means over the others

    def __init__(self, num_features, eps):
        self.num_features = num_features
        self.eps = float(eps)
        self.gamma = Parameter(np.ones(num_features, np.float32))
        self.beta = Parameter(np.zeros(num_features, np.float32))

    def mean(self, *factors):
        """The mean of a product of arrays (N, L, C), in the shape that broadcasts against them."""
        total = _sum_of_product(self.own, *factors)
        mean = total / (factors[0].size // total.size)
        return mean[:, None, None] if self.own == "n" else mean

    def normalise(self, x, running=None):
        """y, the cache, and the statistics (mean, var): the running ones if they are given."""
        self.check_input(x, x.ndim >= 2 and x.shape[-1] == self.num_features,
                         f"(N, ..., {self.num_features})")
        x = x.reshape(len(x), -1, self.num_features)
        mean = self.mean(x) if running is None else running[0]
        x_hat = x - mean
        var = self.mean(x_hat, x_hat) if running is None else running[1]
        inv_std = (var + self.eps) ** -0.5
        x_hat *= inv_std
        y = self.gamma.value * x_hat
        y += self.beta.value
        return y, (x_hat, inv_std, running is not None), (mean, var)

    def input_grad(self, dy, cache):
        x_hat, inv_std, frozen = cache
        dx_hat = dy.reshape(x_hat.shape) * self.gamma.value
        if frozen:  # mean and var were constants
            dx = dx_hat * inv_std
        else:
            dx = x_hat * -self.mean(dx_hat, x_hat)
            dx -= self.mean(dx_hat)
            dx += dx_hat
            dx *= inv_std
        return dx.reshape(dy.shape)

    def add_param_grads(self, dy, cache):
        x_hat = cache[0]
        dy = dy.reshape(x_hat.shape)
        self.gamma.grad += _sum_of_product("c", dy, x_hat)
        self.beta.grad += _sum_of_product("c", dy)


def _sum_of_product(own, *factors):
    """The product of arrays (N, L, C), summed over all indices but `own`, without building it."""
    return array_module(factors[0]).einsum(",".join(["nlc"] * len(factors)) + "->" + own, *factors)


class BatchNorm(_Norm):
    """y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and var of each feature over the batch.

    x, y (N, ..., C): over all axes but the last; gamma, beta (C,). While training the statistics
    are the batch's own, var = mean((x - mean)^2), and move the running ones,
        running = momentum running + (1 - momentum) batch;
    in use (train=False) the running ones stand in, and are constants to the backward pass.
    Source: Ioffe and Szegedy 2015.
    """

    own = "c"
    buffers = ("running_mean", "running_var")

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, eps)
        self.momentum = float(momentum)
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def forward(self, x, train=True):
        if not train:
            y, cache, _ = self.normalise(x, (self.running_mean, self.running_var))
            return y.reshape(x.shape), cache
        y, cache, (mean, var) = self.normalise(x)
        if x.size == self.num_features:
            raise ValueError(f"{self} needs more than one value per feature to train, got x of "
                             f"shape {tuple(x.shape)}: use a larger batch")
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        return y.reshape(x.shape), cache


class LayerNorm(_Norm):
    """y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and var of each example by itself.

    x, y (N, ..., C): over all axes but the first; gamma, beta (C,). The same in training and in
    use. No example sees another: this is the norm for a critic with a gradient penalty.
    Source: Ba, Kiros and Hinton 2016.
    """

    own = "n"

    def __init__(self, num_features, eps=1e-5):
        super().__init__(num_features, eps)

    def forward(self, x, train=True):
        y, cache, _ = self.normalise(x)
        return y.reshape(x.shape), cache


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
        cache, u, v, sigma = cache
        W = self.layer.W
        kept = W.grad.copy()
        W.grad.fill(0)
        self.layer.add_param_grads(dy, cache)  # W.grad = dL/d(W / sigma)
        dsigma = -(W.grad * W.value).sum() / sigma ** 2
        W.grad /= sigma
        W.grad += dsigma * (u[:, None] * v).reshape(W.grad.shape) + kept
