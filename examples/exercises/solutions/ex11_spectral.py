"""Exercise 11: Spectral normalisation, written whole

A critic must not be too steep. Miyato et al. 2018 divide each weight by sigma, the largest factor
by which W can stretch a vector, so that Dense stretches nothing:

    y = x W_bar + b        W_bar = W / sigma        x (N, D), W (D, M), b (M,), y (N, M)
    sigma = u^T W v        u (D,) and v (M,), both of length 1, make it as large as it gets

"Power iteration" finds them: W v, scaled to length 1, is the best u for this v; W^T u, scaled to
length 1, the best v for this u. In training forward does this once: u from self.v, then a new
self.v from u. It starts where the last step ended, and W moves slowly. In use v stays as it is. In
both cases u = W v / |W v| then comes from this v, and sigma from both.

Now the way back. W goes into W_bar twice, by itself and through sigma. If the best u and v are put
in, sigma is at its largest, so that to first order it does not move with them: hold u and v
constant. Derive dsigma, one number, from dW_bar = dL/dW_bar, and then dW, from both.

At the end a question: y is the same for W and for 10 W. And dW?

Done when `python examples/exercises/check.py 11` finds all right, the answer too.
"""
import numpy as np

from minigan import Layer, Parameter


class SpectralDense(Layer):
    buffers = ("v",)  # v is kept with the parameters, and learned by no optimizer

    def __init__(self, in_features, out_features, rng=None):
        self.in_features, self.out_features = in_features, out_features
        self.W = Parameter.normal((in_features, out_features), in_features ** -0.5, rng)
        self.b = Parameter(np.zeros(out_features, np.float32))
        self.v = np.full(out_features, out_features ** -0.5, np.float32)

    def iterate(self, v):
        # gap iterate: return the next v (M,), of length 1, from v and W
        u = self.W.value @ v
        v = self.W.value.T @ u
        return v / (v * v).sum() ** 0.5
        # end

    def u_and_sigma(self, v):
        # gap u, sigma: return u (D,), of length 1, and sigma, from v and W
        Wv = self.W.value @ v
        sigma = (Wv * Wv).sum() ** 0.5  # u^T W v, since u is W v / |W v|
        return Wv / sigma, sigma
        # end

    def forward(self, x, train=True):
        # gap forward: iterate in training; return y and the cache, (x, W_bar, u, v, sigma)
        if train:
            self.v = self.iterate(self.v)
        u, sigma = self.u_and_sigma(self.v)
        W_bar = self.W.value / sigma
        return x @ W_bar + self.b.value, (x, W_bar, u, self.v, sigma)
        # end

    def input_grad(self, dy, cache):
        x, W_bar, u, v, sigma = cache
        # gap dx: return dx (N, D)
        return dy @ W_bar.T
        # end

    def dsigma(self, dW_bar, cache):
        x, W_bar, u, v, sigma = cache
        # gap dsigma: return dsigma, one number; sigma goes into every element of W_bar
        return -(dW_bar * W_bar).sum() / sigma
        # end

    def dW(self, dW_bar, dsigma, cache):
        x, W_bar, u, v, sigma = cache
        # gap dW: return dW (D, M); W goes into W_bar by itself, and through sigma = u^T W v
        return dW_bar / sigma + dsigma * np.outer(u, v)
        # end

    def add_param_grads(self, dy, cache):
        # gap add: find dW_bar, and dW and db by it; add both to W.grad and b.grad
        dW_bar = cache[0].T @ dy
        self.W.grad += self.dW(dW_bar, self.dsigma(dW_bar, cache), cache)
        self.b.grad += dy.sum(axis=0)
        # end


def share_of_dW():
    # gap ANSWER: W becomes 10 W, with the same x and dy: return (the new dW) / (the old dW)
    return 0.1
    # end


# hint
# Forward is Dense's with W_bar for W, so dx and dW_bar are those of exercise 1, with W_bar for W.
# The answer: dW_bar stays what it is. And sigma?
#
# sigma: W_bar[d, m] = W[d, m] / sigma, so ∂W_bar[d, m] / ∂sigma = -W[d, m] / sigma^2, and dsigma is
# a sum over all d and m. W: ∂sigma/∂W[d, m] is the factor of W[d, m] in
#     u^T W v = sum over d and m of u[d] W[d, m] v[m]
#
# dsigma = -(sum of dW_bar W_bar) / sigma, and dW = dW_bar / sigma + dsigma u v^T, where u v^T is
# np.outer(u, v).


# mistakes
MISTAKES = {
    "iterate": {
        "v = self.W.value.T @ (self.W.value @ v)\nreturn v":
            "v is not scaled to length 1: it grows from step to step, and sigma with it",
        "v = self.W.value.T @ (self.W.value @ v)\nreturn v / (v * v).sum()":
            "it is divided by the square of its length: a root is missing",
        "v = self.W.value.T @ (self.W.value @ v)\nreturn v / abs(v).max()":
            "its largest element becomes 1, but its length is to: the root of the sum of squares",
        "return v / (v * v).sum() ** 0.5":
            "v is only scaled, not iterated: u = W v comes first, then W^T u is the new v",
    },
    "u, sigma": {
        "Wv = self.W.value @ v\nsigma = (Wv * Wv).sum()\nreturn Wv / sigma ** 0.5, sigma":
            "sigma is its own square here: |W v| is the root of the sum of squares",
        "Wv = self.W.value @ v\nsigma = (Wv * Wv).sum() ** 0.5\nreturn Wv, sigma":
            "u is W v, not yet scaled to length 1",
        "Wv = self.W.value @ v\nsigma = (self.W.value ** 2).sum() ** 0.5\nreturn Wv / "
        "(Wv * Wv).sum() ** 0.5, sigma":
            "sigma is the root of the sum of all W^2, the Frobenius norm: it is |W v|",
    },
    "forward": {
        "u, sigma = self.u_and_sigma(self.v)\nW_bar = self.W.value / sigma\n"
        "return x @ W_bar + self.b.value, (x, W_bar, u, self.v, sigma)":
            "self.v stays as it is in training too: there, it is to be iterated once",
        "self.v = self.iterate(self.v)\nu, sigma = self.u_and_sigma(self.v)\n"
        "W_bar = self.W.value / sigma\n"
        "return x @ W_bar + self.b.value, (x, W_bar, u, self.v, sigma)":
            "self.v moves in use too (train=False), where the network is to stay as it is",
        "if train:\n    self.v = self.iterate(self.v)\nu, sigma = self.u_and_sigma(self.v)\n"
        "return x @ self.W.value + self.b.value, (x, self.W.value, u, self.v, sigma)":
            "it computes with W: W_bar = W / sigma belongs in y, and in the cache",
        "if train:\n    self.v = self.iterate(self.v)\nu, sigma = self.u_and_sigma(self.v)\n"
        "W_bar = self.W.value / sigma\n"
        "return (x @ self.W.value + self.b.value) / sigma, (x, W_bar, u, self.v, sigma)":
            "b is divided by sigma too: only W is",
    },
    "dx": {
        "return dy @ self.W.value.T": "it goes back through W, but y was made with W_bar",
        "return dy @ W_bar.T / sigma": "it is divided by sigma twice: W_bar has that already",
    },
    "dsigma": {
        "return (dW_bar * W_bar).sum() / sigma":
            "the sign: W / sigma falls as sigma grows, so a minus belongs",
        "return -(dW_bar * W_bar).sum()":
            "a 1 / sigma is missing: ∂W_bar/∂sigma is -W / sigma^2, which is -W_bar / sigma",
        "return -(dW_bar * self.W.value).sum()":
            "1 / sigma^2 is missing: ∂W_bar/∂sigma is -W / sigma^2, which is -W_bar / sigma",
        "return -dW_bar.sum() / sigma ** 2":
            "W is missing: each element of dW_bar counts with its own -W / sigma^2",
    },
    "dW": {
        "return dW_bar / sigma": "it is the way of W by itself; the way through sigma is missing",
        "return dsigma * np.outer(u, v)":
            "it is the way through sigma; that of W by itself, dW_bar / sigma, is missing",
        "return dW_bar + dsigma * np.outer(u, v)":
            "the way of W by itself lacks its 1 / sigma: W_bar = W / sigma",
        "return dW_bar / sigma - dsigma * np.outer(u, v)":
            "the two ways are subtracted: gradients of two ways add, and dsigma has its sign",
        "return (dW_bar + dsigma * np.outer(u, v)) / sigma":
            "the way through sigma is divided by sigma once more: dsigma has it already",
        "return dW_bar / sigma + dsigma":
            "dsigma goes to every element alike: W[d, m] moves sigma by u[d] v[m]",
        "return dW_bar / sigma + dsigma * W_bar":
            "W_bar stands where u v^T belongs: sigma = u^T W v moves by u[d] v[m] with W[d, m]",
    },
    "add": {
        "dW_bar = cache[0].T @ dy\nself.W.grad += dW_bar\nself.b.grad += dy.sum(axis=0)":
            "dW_bar itself is added to W.grad: dW belongs there",
        "dW_bar = cache[0].T @ dy\n"
        "self.W.grad[...] = self.dW(dW_bar, self.dsigma(dW_bar, cache), cache)\n"
        "self.b.grad[...] = dy.sum(axis=0)":
            "it overwrites the gradients: += belongs, since D gets them from two batches",
        "dW_bar = cache[0].T @ dy\n"
        "self.W.grad += self.dW(dW_bar, self.dsigma(dW_bar, cache), cache)":
            "db is missing",
    },
    "ANSWER": {
        "return 1": "y does not feel it, but dW does: it is divided by sigma, ten times as large",
        "return 10": "the other way round: sigma is ten times as large, and dW is divided by it",
        "return 0.01": "one sigma too many: W / sigma^2, in dsigma, is only W_bar / sigma",
        "return 0": "not 0: only along W itself y does not change; across it, it does",
    },
}


# check
from quantities import (  # noqa: E402
    Complaint, Quantity, answer, as_a_whole, differences, exactly, numbers, pair,
    parameter_gradients, redrawn)


def check(module):
    rng = np.random.default_rng(111)
    layer, x, dy = redrawn(module.SpectralDense(4, 3), rng), numbers(rng, 5, 4), numbers(rng, 5, 3)
    W, b, some_v, dW_bar = layer.W.value, layer.b.value, numbers(rng, 3), numbers(rng, 4, 3)
    U, (sigma, *_), V = np.linalg.svd(W, full_matrices=False)
    u, v = U[:, 0], V[0]
    cache = x, W / sigma, u, v, sigma  # a right one
    dsigma = differences(lambda sigma: (dW_bar * W / sigma).sum(), np.array(sigma))

    def unit(vector):
        return vector / np.linalg.norm(vector)

    def of_W(W):
        return (dW_bar * W / (u @ W @ v)).sum()

    def y(train):
        layer.v = unit(some_v)
        layer.iterate = lambda v: unit(W.T @ (W @ v))
        layer.u_and_sigma = lambda v: (unit(W @ v), np.linalg.norm(W @ v))
        try:
            return pair(layer.forward(x, train), "y and the cache")[0]
        finally:
            del layer.iterate, layer.u_and_sigma

    def right_y(v):
        return x @ W / np.linalg.norm(W @ v) + b

    def added(left):
        layer.dsigma = lambda dW_bar, cache: -(dW_bar * W).sum() / sigma ** 2
        layer.dW = lambda dW_bar, dsigma, cache: dW_bar / sigma + dsigma * np.outer(u, v)
        for p in layer.parameters():
            p.grad.fill(left)
        try:
            layer.add_param_grads(dy, cache)
        finally:
            del layer.dsigma, layer.dW
        return [p.grad.copy() for p in layer.parameters()]

    def adds():
        if not all(np.allclose(more, grad + 0.5) for grad, more in zip(added(0.0), added(0.5))):
            raise Complaint("what was in the gradients before is lost: it is to add")

    def of_parameters():
        return (dy * (x @ W / (u @ W @ v) + b)).sum()

    yield Quantity("iterate", lambda: layer.iterate(some_v), exactly(unit(W.T @ W @ some_v)))
    yield Quantity("u", lambda: pair(layer.u_and_sigma(some_v), "u and sigma")[0],
                   exactly(unit(W @ some_v)))
    yield Quantity("sigma", lambda: pair(layer.u_and_sigma(v), "u and sigma")[1], exactly(sigma))
    for train in True, False:
        at = unit(W.T @ W @ some_v) if train else unit(some_v)
        yield Quantity(f"y, {'training' if train else 'in use'}", lambda: y(train),
                       exactly(right_y(at)))
    yield Quantity("v afterwards, training", lambda: y(True) is not None and layer.v,
                   exactly(unit(W.T @ W @ some_v)))
    yield Quantity("v afterwards, in use", lambda: y(False) is not None and layer.v,
                   exactly(unit(some_v)))
    yield Quantity("dx", lambda: layer.input_grad(dy, cache),
                   differences(lambda x: (dy * (x @ W / sigma)).sum(), x))
    yield Quantity("dsigma", lambda: layer.dsigma(dW_bar, cache), dsigma)
    yield Quantity("dW", lambda: layer.dW(dW_bar, dsigma[0].item(), cache), differences(of_W, W))
    for i, (_, name, right) in enumerate(parameter_gradients(layer, of_parameters)):
        yield Quantity(f"{name}, added", lambda: added(0.0)[i], right)
    yield Quantity("it adds", adds)
    layer.v = v.copy()
    yield from as_a_whole(layer, x)
    yield answer(module.share_of_dW, 0.1)
