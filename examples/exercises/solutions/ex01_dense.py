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

At the end a question: what does dW cost?

Done when `python examples/exercises/check.py 1` finds dx, dW, db and the answer right.
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


def multiplications_for_dW(N=64, D=784, M=256):
    # gap ANSWER: return how many products of two numbers are computed for dW
    return N * D * M
    # end


# hint
# x[n, d] reaches y[n, m] for every m, each time with the factor W[d, m].
# W[d, m] reaches y[n, m] for every n, with the factor x[n, d]: the sum is over n. So is that of b,
# which is added to every row of x W, always with the factor 1.
#
# The answer: dW has D M elements. How many products is each of them a sum of?
#
# dx[n, d] = sum over m of dy[n, m] W[d, m], and a sum over the second index of both factors is a
# product with a transposed matrix. dW[d, m] = sum over n of x[n, d] dy[n, m]: over the first.


# mistakes
MISTAKES = {
    "dx": {
        "return dy @ self.W.value.T / len(x)":
            "a mean over the batch: but each example has its own dx, with nothing to average over",
        "return -dy @ self.W.value.T":
            "the sign is wrong: y grows with x as W says, so the factor is +W[d, m]",
        "return dy @ self.W.value":
            "W has to be transposed: the sum is over m, the second index of dy and of W",
        "return self.W.value @ dy":
            "the order: dx[n, d] sums over m, the second index of dy and of W, so dy stands first",
        "return self.W.value.T @ dy":
            "the order: dx[n, d] sums over m, the second index of dy and of W, so dy stands first",
        "return self.W.value @ dy.T":
            "it is dx transposed: dx has the shape of x, with the examples n first",
        "return dy":
            "it is dy as it came: the way from y back to x leads through W, and W is missing",
        "return x @ self.W.value":
            "it is the forward pass again: x stands where dy belongs, and W is to be transposed",
        "return dy.sum(axis=0) @ self.W.value.T":
            "summed over n: but x[n] reaches only its own y[n], so the examples stay apart",
        "return dy.sum(axis=1, keepdims=True) * self.W.value.sum(axis=1)":
            "dy and W are each summed over m by itself: the sum belongs over their products",
        "return dy @ np.linalg.pinv(self.W.value)":
            "it is W's inverse, which solves y = x W for x: a gradient goes back through W's "
            "transpose",
        "return x * (dy @ self.W.value.T)":
            "x has no place here: the factor with which x reaches y is W, whatever x is",
        "return dy @ self.W.value.T / self.W.value.shape[1]":
            "divided by M, the number of outputs: a sum over m belongs here, not a mean",
    },
    "dW": {
        "return x.T @ dy / len(x)":
            "a mean over the batch, where a sum belongs: W reaches the y of each example, and all "
            "add up",
        """
        self.W.grad += x.T @ dy
        return x.T @ dy
        """:
            "add_param_grads adds what is returned here to W.grad: only return it",
        "self.W.grad += x.T @ dy":
            "add_param_grads adds what is returned here to W.grad: only return it",
        """
        self.W.grad = x.T @ dy
        return self.W.grad
        """:
            "add_param_grads adds what is returned here to W.grad: only return it",
        "return -x.T @ dy":
            "the sign is wrong: y grows with W as x says, so the factor is +x[n, d]",
        "return dy.T @ x":
            "it is dW transposed: dW has the shape of W (D, M), so x.T stands first",
        "return x @ dy":
            "x has to be transposed: the sum is over n, the first index of x and of dy",
        "return x @ dy.T":
            "the wrong one is transposed: the sum is over n, the first index of x and of dy",
        "return x.sum(axis=0)[:, None] * dy.sum(axis=0)":
            "x and dy are each summed over n by itself: the sum belongs over their products",
        "return x.mean(axis=0)[:, None] * dy.mean(axis=0)":
            "means of x and of dy, multiplied: it is the products x[n, d] dy[n, m] that are summed "
            "over n",
        "return x[0][:, None] * dy[0]":
            "it is the share of example 0 alone: the sum over n is missing",
        "return x.T @ dy / x.shape[1]":
            "divided by D, the number of inputs: nothing here is a mean",
        "return x.T @ dy / dy.shape[1]":
            "divided by M, the number of outputs: nothing here is a mean",
        "return x.T @ (dy * self.W.value.sum(axis=0))":
            "W has no place here: the factor with which W reaches y is x, whatever W is",
        "return x.T @ (x @ self.W.value + self.b.value)":
            "y stands where dy belongs",
        "return x.T @ abs(dy)":
            "abs has no place here: where dy is negative, so is its share",
    },
    "db": {
        "return dy.mean(axis=0)":
            "a mean over the batch, where a sum belongs: b reaches the y of each example, and all "
            "add up",
        "return dy.sum(axis=1)":
            "summed over m, the wrong axis: b[m] reaches y[n, m] for every n, so the sum is over n",
        "return dy.sum()":
            "summed over n and over m: db has one number for each m, so the sum is over n alone",
        "return dy":
            "the sum over n is missing: b was added to every row, and db has one number for each m",
        "return dy.sum(axis=0, keepdims=True)":
            "keepdims leaves an axis that b does not have: db is (M,), as b is",
        "return -dy.sum(axis=0)":
            "the sign is wrong: y grows with b, with the factor +1",
        "return dy[0]":
            "it is the share of example 0 alone: the sum over n is missing",
        """
        self.b.grad += dy.sum(axis=0)
        return dy.sum(axis=0)
        """:
            "add_param_grads adds what is returned here to b.grad: only return it",
        "self.b.grad += dy.sum(axis=0)":
            "add_param_grads adds what is returned here to b.grad: only return it",
        "return np.ones_like(self.b.value)":
            "it is ∂y/∂b = 1 alone: dy is forgotten, and so is the sum over n",
        "return len(dy) * np.ones_like(self.b.value)":
            "it is ∂y/∂b = 1, summed over n: dy is forgotten",
        "return (dy * self.b.value).sum(axis=0)":
            "b has no place here: the factor with which b reaches y is 1, whatever b is",
        "return x.sum(axis=0)":
            "x stands where dy belongs: db is the sum of dy, with the factor 1",
    },
    "ANSWER": {
        "return D * M":
            "one for each element of dW: but each of them is a sum over n, of N products",
        "return N * D":
            "so many numbers has x: each is multiplied by all M of dy[n]",
        "return N * M":
            "so many numbers has dy: each is multiplied by all D of x[n]",
        "return 2 * N * D * M":
            "with the additions: only multiplications are asked for",
        "return N * (D + M)":
            "so many numbers have x and dy: each of x[n] meets each of dy[n], which makes D M for "
            "each n",
    },
}


# check
from quantities import answer, as_a_whole, numbers, of_layer, redrawn  # noqa: E402


def check(module):
    rng = np.random.default_rng(10)
    layer, x = redrawn(module.Dense(4, 3, rng), rng), numbers(rng, 5, 4)
    yield from of_layer(layer, x, numbers(rng, 5, 3))
    yield answer(module.multiplications_for_dW, 64 * 784 * 256)
    yield from as_a_whole(layer, x)
