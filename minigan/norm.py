"""Normalisation: x is shifted and scaled to mean 0 and variance 1, then gamma and beta take over.

BatchNorm and LayerNorm differ in what shares its statistics: each feature c over the whole batch,
or each example n over all its features. The rest, and above all the backward pass, is the same: x
reaches the output directly, through the mean, and through the variance, and the three terms of
`jacobian` are these three ways.
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
        dx_hat = dy.reshape(cache[0].shape) * self.gamma.value
        return self.jacobian(dx_hat, cache).reshape(dy.shape)

    def jacobian(self, a, cache):
        """(dx_hat/dx) a = inv_std (a - mean(a) - x_hat mean(a x_hat)). This matrix is symmetric: it
        takes dx_hat back to dx, and x_dot on to x_hat_dot."""
        x_hat, inv_std, frozen = cache
        if frozen:  # mean and var were constants
            return a * inv_std
        b = x_hat * -self.mean(a, x_hat)
        b -= self.mean(a)
        b += a
        b *= inv_std
        return b

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

    def tangent(self, x_dot, cache):
        raise NotImplementedError(
            f"{self} takes no gradient penalty: it mixes the examples of a batch, so that the "
            "score of one has no gradient of its own; use LayerNorm or no norm in D")


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

    def tangent(self, x_dot, cache):
        x_dot_3d = x_dot.reshape(cache[0].shape)
        x_hat_dot = self.jacobian(x_dot_3d, cache)
        return (self.gamma.value * x_hat_dot).reshape(x_dot.shape), (x_dot_3d, x_hat_dot)

    def curvature(self, dy_dot, dx_dot, tcache, cache):
        """With J = dx_hat/dx and n = L C, differentiate n mean(dx_hat_dot J x_dot): inv_std changes
        by -inv_std^2 x_hat / n, and x_hat by J, which meets x_hat twice in J."""
        (x_hat, inv_std, _), (x_dot, x_hat_dot) = cache, tcache
        dx_hat_dot = self.gamma.value * dy_dot.reshape(x_hat.shape)
        extra = (x_hat * self.mean(dx_hat_dot, x_hat_dot)
                 + x_hat_dot * self.mean(dx_hat_dot, x_hat)
                 + dx_dot.reshape(x_hat.shape) * self.mean(x_dot, x_hat))
        return (extra * -inv_std).reshape(dy_dot.shape)

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        super().add_tangent_param_grads(dy, dy_dot, tcache, cache)
        _, x_hat_dot = tcache
        self.gamma.grad += _sum_of_product("c", dy_dot.reshape(x_hat_dot.shape), x_hat_dot)
