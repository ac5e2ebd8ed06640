"""Exercise 5: BatchNorm, the long way and the short

Given is the forward pass, of x (N, D), in steps. Means are over the N examples of the batch:

    mean    = mean of x              (D,)        x_hat = c inv_std               (N, D)
    c       = x - mean               (N, D)      y     = gamma x_hat + beta      (N, D)
    var     = mean of c^2            (D,)
    inv_std = (var + eps)^(-1/2)     (D,)

The long way: go back through the steps in reverse, one gradient each. Ask each time: where does
this quantity go on to? If into two places, its gradient is a sum of two terms. If it was broadcast,
(D,) meeting (N, D), its gradient sums over n. Each method is handed the gradients that it needs,
right ones, so that a mistake shows where it was made.

The short way: put the steps into one another and simplify, until one formula is left,

    dx = inv_std (dx_hat - ... - ...)

in which the two dots are the ways through the mean and through the variance.

Done when `python examples/exercises/check.py 5` finds every step right, and both dx.
"""
import numpy as np

from minigan import Layer, Parameter


class BatchNorm(Layer):
    buffers = ("running_mean", "running_var")

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.num_features, self.momentum, self.eps = num_features, momentum, eps
        self.gamma = Parameter(np.ones(num_features, np.float32))
        self.beta = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def forward(self, x, train=True):
        mean = x.mean(axis=0) if train else self.running_mean
        c = x - mean
        var = (c * c).mean(axis=0) if train else self.running_var
        inv_std = (var + self.eps) ** -0.5
        x_hat = c * inv_std
        if train:  # what stands in for the batch's own mean and var when the network is used
            keep = self.momentum
            self.running_mean = keep * self.running_mean + (1 - keep) * mean
            self.running_var = keep * self.running_var + (1 - keep) * var
        return self.gamma.value * x_hat + self.beta.value, (c, inv_std, x_hat)

    def dgamma(self, dy, cache):
        c, inv_std, x_hat = cache
        # gap dgamma: return dgamma (D,); gamma was broadcast
        return (dy * x_hat).sum(axis=0)
        # end

    def dbeta(self, dy, cache):
        # gap dbeta: return dbeta (D,); so was beta
        return dy.sum(axis=0)
        # end

    def add_param_grads(self, dy, cache):
        self.gamma.grad += self.dgamma(dy, cache)
        self.beta.grad += self.dbeta(dy, cache)

    # The long way: from y back to x, one step each.

    def dx_hat(self, dy):
        # gap dx_hat: return dx_hat (N, D); gamma is self.gamma.value
        return self.gamma.value * dy
        # end

    def dinv_std(self, dx_hat, c):
        # gap dinv_std: return dinv_std (D,); inv_std was broadcast in x_hat = c inv_std
        return (dx_hat * c).sum(axis=0)
        # end

    def dvar(self, dinv_std, inv_std):
        # gap dvar: return dvar (D,); write the derivative of (var + eps)^(-1/2) with inv_std
        return -0.5 * inv_std ** 3 * dinv_std
        # end

    def dc(self, dx_hat, dvar, c, inv_std):
        # gap dc: return dc (N, D); c goes into x_hat and into var
        return dx_hat * inv_std + dvar * 2 * c / len(c)
        # end

    def dmean(self, dc):
        # gap dmean: return dmean (D,); mean was broadcast in c = x - mean
        return -dc.sum(axis=0)
        # end

    def dx(self, dc, dmean):
        # gap dx, long: return dx (N, D); x goes into c and into mean
        return dc + dmean / len(dc)
        # end

    def input_grad_long(self, dy, cache):
        c, inv_std, x_hat = cache
        dx_hat = self.dx_hat(dy)
        dvar = self.dvar(self.dinv_std(dx_hat, c), inv_std)
        dc = self.dc(dx_hat, dvar, c, inv_std)
        return self.dx(dc, self.dmean(dc))

    # The short way.

    def input_grad(self, dy, cache):
        c, inv_std, x_hat = cache
        # gap dx, short: return dx (N, D), from dx_hat = gamma dy, inv_std, x_hat and means over n
        dx_hat = self.gamma.value * dy
        through_var = x_hat * (dx_hat * x_hat).mean(axis=0)
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - through_var)
        # end


# hint
# The derivative of u^(-1/2) is -1/2 u^(-3/2), and u^(-1/2) is inv_std: so it is -1/2 inv_std^3.
# A mean is a sum with the factor 1 / N: each c[n] moves var by 2 c[n] / N, each x[n] mean by 1 / N.
# For the short way: the sum of c over n is 0, so in dmean the way through var drops out, and
# dmean = -inv_std (sum of dx_hat). Then replace c by x_hat / inv_std; all powers of inv_std but one
# cancel: dx = inv_std (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)).


# check
from quantities import (  # noqa: E402
    Quantity, as_a_whole, differences, known, numbers, of_layer, redrawn)


def check(module):
    rng = np.random.default_rng(5)
    layer = redrawn(module.BatchNorm(3), rng)
    x, dy = 2 * numbers(rng, 6, 3) + 1, numbers(rng, 6, 3)
    (c, inv_std, x_hat), var = layer.forward(x)[1], x.var(axis=0)

    # The loss as a function of each intermediate quantity: the rest of the forward pass.
    def of_x_hat(x_hat):
        return (dy * (layer.gamma.value * x_hat + layer.beta.value)).sum()

    def of_inv_std(inv_std):
        return of_x_hat(c * inv_std)

    def of_var(var):
        return of_inv_std((var + layer.eps) ** -0.5)

    def of_c(c):
        return of_x_hat(c * ((c * c).mean(axis=0) + layer.eps) ** -0.5)

    def of_mean(mean):
        return of_c(x - mean)

    right = {"dx_hat": differences(of_x_hat, x_hat), "dinv_std": differences(of_inv_std, inv_std),
             "dvar": differences(of_var, var), "dc": differences(of_c, c),
             "dmean": differences(of_mean, x.mean(axis=0))}
    dx_hat, dinv_std, dvar, dc, dmean = (gradient for gradient, _, _ in right.values())
    dx, *dgamma_and_dbeta = of_layer(layer, x, dy)
    yield from dgamma_and_dbeta
    through_x_hat = differences(lambda c: of_x_hat(c * inv_std), c)[0]
    half = known({"it is the way through x_hat alone: c goes into var too": through_x_hat,
                  "it is the way through var alone: c goes into x_hat too": dc - through_x_hat,
                  "it is dc: x goes into mean too": dc})
    for name, *given in [("dx_hat", dy), ("dinv_std", dx_hat, c), ("dvar", dinv_std, inv_std),
                         ("dc", dx_hat, dvar, c, inv_std), ("dmean", dc)]:
        yield Quantity(name, lambda: getattr(layer, name)(*given), right[name],
                       says=half if name == "dc" else lambda yours: None)
    yield Quantity("dx, long", lambda: layer.dx(dc, dmean), dx.right, says=half)
    yield dx._replace(name="dx, short")
    yield from as_a_whole(layer, x)
