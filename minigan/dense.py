"""The dense (fully connected) layer: one matrix product forward, two backward."""
import numpy as np

from minigan.layer import Layer
from minigan.parameters import Parameter


class Dense(Layer):
    """y = x W + b;  dx = dy W^T,  dW = x^T dy,  db = sum over n of dy[n]

    x (N, D), W (D, M), b (M,), y (N, M). x[n, d] reaches y[n, m] by the factor W[d, m], for all m:
    so dx[n, d] sums over m. W[d, m] reaches y[n, m] by the factor x[n, d], for all n, since one W
    serves every example of the batch: so dW[d, m] sums over n, and db[m] does. W starts as
    N(0, std^2), with std = in_features ** -0.5 unless it is given, so that y varies as much as x;
    b starts at 0."""

    def __init__(self, in_features, out_features, rng=None, std=None):
        self.check_settings(locals(), "std")
        self.in_features, self.out_features, self.std = in_features, out_features, std
        std = in_features ** -0.5 if std is None else std
        self.W = Parameter.normal((in_features, out_features), std, rng)
        self.b = Parameter(np.zeros(out_features, np.float32))

    def forward(self, x, train=True):
        self.check_input(x, "N", self.in_features,
                         advice=": put Flatten() in front" if getattr(x, "ndim", 0) > 2 else "")
        return x @ self.W.value + self.b.value, x

    def input_grad(self, dy, x):
        self.check_dy(dy, (len(x), self.out_features))
        return dy @ self.W.value.T

    def add_param_grads(self, dy, x):
        self.check_dy(dy, (len(x), self.out_features))
        self.W.grad += x.T @ dy
        self.b.grad += dy.sum(axis=0)

    def tangent(self, x_dot, x):
        return x_dot @ self.W.value, x_dot

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        super().add_tangent_param_grads(dy, dy_dot, x_dot, x)
        self.W.grad += x_dot.T @ dy_dot  # b has no part in y_dot
