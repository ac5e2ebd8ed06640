"""Exercise 1: Dense, backward

Given is the forward pass,

    y = x W + b        x (N, D), W (D, M), b (M,), y (N, M);  N examples, D numbers in, M out

that is y[n, m] = b[m] + the sum over d of x[n, d] W[d, m]. Some loss L, one number, is computed
from y, and you are handed its gradient dy = dL/dy (N, M): dy[n, m] says how fast L changes with
y[n, m]. Derive, by the chain rule,

    dx = dL/dx (N, D)        dW = dL/dW (D, M)        db = dL/db (M,)

First with indices: which elements of y does x[n, d] reach, and with which factor? dx[n, d] is the
sum over these elements of dy times that factor. Then turn each sum into one line of NumPy, without
a loop. A gradient has the shape of what it belongs to: that alone leaves few ways to write it.

Done when `python examples/exercises/check.py 1` finds dx, dW and db right.
"""
import numpy as np

from minigan import Layer, Parameter


class Dense(Layer):

    def __init__(self, in_features, out_features, rng=None):
        self.in_features = in_features
        self.out_features = out_features
        self.W = Parameter.normal((in_features, out_features), in_features ** -0.5, rng)
        self.b = Parameter(np.zeros(out_features, np.float32))

    def forward(self, x, train=True):
        return x @ self.W.value + self.b.value, x  # y, and the cache: what backward will need

    def input_grad(self, dy, x):
        # gap dx: return dx (N, D), from dy (N, M) and W, which is self.W.value (D, M)
        return dy @ self.W.value.T
        # end

    def dW(self, dy, x):
        # gap dW: return dW (D, M), from x (N, D) and dy (N, M)
        return x.T @ dy
        # end

    def db(self, dy, x):
        # gap db: return db (M,), from dy (N, M)
        return dy.sum(axis=0)
        # end

    def add_param_grads(self, dy, x):  # adds: in a GAN, gradients come from two passes through D
        self.W.grad += self.dW(dy, x)
        self.b.grad += self.db(dy, x)


# hint
# x[n, d] reaches y[n, m] for every m, each time with the factor W[d, m]. So
#     dx[n, d] = sum over m of dy[n, m] W[d, m]
# and a sum over the second index of both factors is a product with a transposed matrix.
# W[d, m] reaches y[n, m] for every n, with the factor x[n, d]: the sum is over n. So is that of b,
# which is added to every row of x W, always with the factor 1.


# check
from quantities import as_a_whole, numbers, of_layer, redrawn  # noqa: E402


def check(module):
    rng = np.random.default_rng(10)
    layer, x = redrawn(module.Dense(4, 3, rng), rng), numbers(rng, 5, 4)
    yield from of_layer(layer, x, numbers(rng, 5, 3))
    yield from as_a_whole(layer, x)
