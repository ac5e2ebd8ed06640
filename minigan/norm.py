"""Normalisation: x is shifted and scaled to mean 0 and variance 1, then gamma and beta take over.

BatchNorm and LayerNorm differ in what shares its statistics: each feature c over the whole batch,
or each example n over all its features. The rest is the same, and above all the backward pass, the
first one that needs thought. Among n numbers that share a mean and a variance,

    mean = sum of x / n,    c = x - mean,    var = sum of c^2 / n,    x_hat = c inv_std,
    inv_std = (var + eps)^(-1/2),  so that  ∂inv_std/∂x[i] = -inv_std^3 c[i] / n
                                                           = -inv_std^2 x_hat[i] / n

(through the mean, x[i] does not reach var: the sum of c is 0). On three ways x[i] reaches x_hat,
and dx[i] is the sum of what comes back on them:

    directly            dx_hat[i] inv_std
    through the mean    every c[j] falls by 1 / n:  -inv_std mean(dx_hat)
    through inv_std     sum over j of dx_hat[j] c[j], times ∂inv_std/∂x[i], which is
                        -inv_std x_hat[i] mean(dx_hat x_hat)"""
import numpy as np

from minigan.backend import sum_rows
from minigan.layer import Layer
from minigan.parameters import Parameter


class _Norm(Layer):
    """y = gamma x_hat + beta,  x_hat = (x - mean) inv_std,  inv_std = (var + eps)^(-1/2);
    dx = inv_std (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)),  dx_hat = gamma dy.  x, y, dy,
    dx (N, ..., C); gamma, beta (C,)."""

    def __init__(self, num_features, eps=1e-5):
        self.check_settings(locals())
        self.num_features, self.eps = num_features, float(eps)
        self.gamma = Parameter(np.ones(num_features, np.float32))
        self.beta = Parameter(np.zeros(num_features, np.float32))

    def normalise(self, x, running=None):
        """y, the cache, and the statistics (mean, var): the running ones if they are given."""
        self.check_input(x, "N", ..., self.num_features)
        mean = self.mean(x) if running is None else running[0]
        c = x - mean
        var = self.mean(c, c) if running is None else running[1]
        inv_std = (var + self.eps) ** -0.5
        x_hat = c  # in place: a new array costs as much as the arithmetic
        x_hat *= inv_std
        y = self.gamma.value * x_hat
        y += self.beta.value
        return y, (x_hat, inv_std, running is not None), (mean, var)

    def input_grad(self, dy, cache):
        self.check_dy(dy, cache[0].shape)
        return self.times_jacobian(self.gamma.value * dy, cache)  # of dx_hat

    def times_jacobian(self, a, cache):
        """(∂x_hat/∂x) a. This matrix is symmetric: it takes dx_hat back to dx, and x_dot on to
        x_hat_dot."""
        x_hat, inv_std, frozen = cache
        if frozen:  # mean and var were the running ones, and constants
            return a * inv_std
        b = a - self.mean(a)               # directly, and through the mean
        b -= x_hat * self.mean(a, x_hat)   # through inv_std
        b *= inv_std
        return b

    def add_param_grads(self, dy, cache):
        x_hat = cache[0]
        self.check_dy(dy, x_hat.shape)
        self.gamma.grad += sum_rows(dy, x_hat)  # gamma and beta serve all places of all examples
        self.beta.grad += sum_rows(dy)


class BatchNorm(_Norm):
    """y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and var of each feature over the batch.

    x, y (N, ..., C): over all axes but the last; gamma, beta (C,). While training the statistics
    are the batch's own, var = mean((x - mean)^2), and move the running ones,
        running = momentum running + (1 - momentum) batch;
    in use (train=False) the running ones stand in, and are constants to the backward pass.
    Source: Ioffe and Szegedy 2015."""

    buffers = ("running_mean", "running_var")

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, eps)
        self.check_settings(locals())
        self.momentum = float(momentum)
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def mean(self, a, b=None):  # of a, or of a * b
        return sum_rows(a, b) / (a.size // self.num_features)

    def forward(self, x, train=True):
        if not train:
            return self.normalise(x, (self.running_mean, self.running_var))[:2]
        y, cache, (mean, var) = self.normalise(x)
        if x.size == self.num_features:
            raise ValueError(f"{self} needs more than one value per feature to train, got x of "
                             f"shape {tuple(x.shape)}: use a larger batch")
        keep = self.momentum
        self.running_mean = keep * self.running_mean + (1 - keep) * mean
        self.running_var = keep * self.running_var + (1 - keep) * var
        return y, cache

    def tangent(self, x_dot, cache):
        raise NotImplementedError(
            f"{self} takes no gradient penalty: it mixes the examples of a batch, so that the "
            "score of one has no gradient of its own; use LayerNorm or no norm in D")


class LayerNorm(_Norm):
    """y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and var of each example by itself.

    x, y (N, ..., C): over all axes but the first; gamma, beta (C,). The same in training and in
    use. No example sees another: this is the norm for a critic with a gradient penalty.
    Source: Ba, Kiros and Hinton 2016."""

    def mean(self, a, b=None):  # of a, or of a * b
        return (a if b is None else a * b).mean(tuple(range(1, a.ndim)), keepdims=True)

    def forward(self, x, train=True):
        return self.normalise(x)[:2]

    def tangent(self, x_dot, cache):
        x_hat_dot = self.times_jacobian(x_dot, cache)
        return self.gamma.value * x_hat_dot, (x_dot, x_hat_dot)

    def curvature(self, dy_dot, dx_dot, tcache, cache):
        """∂q/∂x of q = sum of dx_hat_dot x_hat_dot, in which x_hat_dot = (∂x_hat/∂x) x_dot:

        q = n inv_std (mean(dx_hat_dot x_dot) - mean(dx_hat_dot) mean(x_dot)
                       - mean(dx_hat_dot x_hat) mean(x_dot x_hat))"""
        (x_hat, inv_std, _), (x_dot, x_hat_dot) = cache, tcache
        dx_hat_dot = self.gamma.value * dy_dot
        # x is in inv_std and twice in x_hat, which moves by ∂x_hat/∂x: that makes dx_dot of
        # dx_hat_dot, and x_hat_dot of x_dot. All three ways have the factor -inv_std.
        through_inv_std = x_hat * self.mean(dx_hat_dot, x_hat_dot)
        through_first_x_hat = dx_dot * self.mean(x_dot, x_hat)
        through_second_x_hat = x_hat_dot * self.mean(dx_hat_dot, x_hat)
        return -inv_std * (through_inv_std + through_first_x_hat + through_second_x_hat)

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        super().add_tangent_param_grads(dy, dy_dot, tcache, cache)
        _, x_hat_dot = tcache
        self.gamma.grad += sum_rows(dy_dot, x_hat_dot)
