"""Normalisation: x is shifted and scaled to mean 0 and variance 1, then gamma and beta take over.

BatchNorm and LayerNorm differ in the axes over which the statistics are taken. The rest, and above
all the backward pass, is the same: x reaches the output directly, and through the mean, and through
the variance, and the three terms of `input_grad` are these three ways.
"""
import numpy as np

from minigan.layer import Layer, Parameter


class _Norm(Layer):
    """y = gamma x_hat + beta,  x_hat = (x - mean) inv_std,  inv_std = (var + eps)^(-1/2)."""

    def __init__(self, num_features, eps):
        self.num_features = num_features
        self.eps = eps
        self.gamma = Parameter(np.ones(num_features, np.float32))
        self.beta = Parameter(np.zeros(num_features, np.float32))

    def normalise(self, x, mean, var):
        inv_std = (var + self.eps) ** -0.5
        x_hat = (x - mean) * inv_std
        return self.gamma.value * x_hat + self.beta.value, x_hat, inv_std

    def check_input(self, x):
        super().check_input(x, x.ndim >= 2 and x.shape[-1] == self.num_features,
                            f"(N, ..., {self.num_features})")

    def input_grad(self, dy, cache):
        x_hat, inv_std, axes = cache
        dx_hat = dy * self.gamma.value
        if axes is None:  # mean and variance were constants
            return dx_hat * inv_std
        through_mean = dx_hat.mean(axes, keepdims=True)
        through_var = (dx_hat * x_hat).mean(axes, keepdims=True)
        return inv_std * (dx_hat - through_mean - x_hat * through_var)

    def add_param_grads(self, dy, cache):
        x_hat = cache[0]
        axes = tuple(range(dy.ndim - 1))
        self.gamma.grad += (dy * x_hat).sum(axes)
        self.beta.grad += dy.sum(axes)


class BatchNorm(_Norm):
    """y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and var of each feature over the batch.

    x, y (N, ..., C): over all axes but the last; gamma, beta (C,). While training the statistics
    are the batch's own, var = mean((x - mean)^2), and move the running ones,
        running = momentum running + (1 - momentum) batch;
    in use (train=False) the running ones stand in, and are constants to the backward pass.
    Source: Ioffe and Szegedy 2015.
    """

    buffers = ("running_mean", "running_var")

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, eps)
        self.momentum = momentum
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def forward(self, x, train=True):
        self.check_input(x)
        if not train:
            y, x_hat, inv_std = self.normalise(x, self.running_mean, self.running_var)
            return y, (x_hat, inv_std, None)
        if x.size == self.num_features:
            raise ValueError(f"{self} needs more than one value per feature to train, got x of "
                             f"shape {tuple(x.shape)}: use a larger batch")
        axes = tuple(range(x.ndim - 1))
        mean, var = x.mean(axes), x.var(axes)
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        y, x_hat, inv_std = self.normalise(x, mean, var)
        return y, (x_hat, inv_std, axes)


class LayerNorm(_Norm):
    """y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and var of each example by itself.

    x, y (N, ..., C): over all axes but the first; gamma, beta (C,). The same in training and in
    use. No example sees another: this is the norm for a critic with a gradient penalty.
    Source: Ba, Kiros and Hinton 2016.
    """

    def __init__(self, num_features, eps=1e-5):
        super().__init__(num_features, eps)

    def forward(self, x, train=True):
        self.check_input(x)
        axes = tuple(range(1, x.ndim))
        y, x_hat, inv_std = self.normalise(
            x, x.mean(axes, keepdims=True), x.var(axes, keepdims=True))
        return y, (x_hat, inv_std, axes)
