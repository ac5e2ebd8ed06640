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

in which the two dots are the ways through the mean and through the variance. At the end ask it a
question: what becomes of dx if the layer below hands up larger numbers?

Done when `python examples/exercises/check.py 5` finds every step, both dx and the answer right.
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


def times_as_large():
    # gap ANSWER: all of x times 10, with a negligible eps: return what dx is multiplied by
    return 1 / 10
    # end


# hint
# The derivative of u^(-1/2) is -1/2 u^(-3/2), and u^(-1/2) is inv_std: so it is -1/2 inv_std^3.
#
# A mean is a sum with the factor 1 / N: each c[n] moves var by 2 c[n] / N, each x[n] mean by 1 / N.
#
# The answer: what do x_hat, dx_hat and inv_std become?
#
# For the short way: the sum of c over n is 0, so in dmean the way through var drops out, and
# dmean = -inv_std (sum of dx_hat). Then replace c by x_hat / inv_std; all powers of inv_std but one
# cancel: dx = inv_std (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)).


# mistakes
MISTAKES = {
    "dgamma": {
        "return (dy * x_hat).mean(axis=0)":
            "a mean over n, where a sum belongs: gamma reaches the y of each example, and all add "
            "up",
        "return dy.sum(axis=0)":
            "that is dbeta: gamma's factor in y is x_hat, which is missing",
        "return (dy * c).sum(axis=0)":
            "c stands where x_hat = c inv_std belongs",
        "return (dy * c * inv_std ** 2).sum(axis=0)":
            "inv_std is in it twice: x_hat has it already",
        "return (dy * x_hat * inv_std).sum(axis=0)":
            "inv_std is in it twice: x_hat has it already",
        "return dy.sum(axis=0) * x_hat.sum(axis=0)":
            "it is nearly 0, as the sum of x_hat over n is: sum the products dy x_hat",
        "return x_hat.sum(axis=0)":
            "it is nearly 0, as the sum of x_hat over n is: sum the products dy x_hat",
        "return (dy * x_hat).sum(axis=1)":
            "summed over axis 1, the features: gamma (D,) was broadcast over n, axis 0",
        "return (dy * x_hat).sum()":
            "summed over n and the features: dgamma has one number for each feature",
        "return dy * x_hat":
            "the sum over n is missing: gamma was broadcast over the examples",
        "return (dy * x_hat).sum(axis=0, keepdims=True)":
            "keepdims leaves an axis that gamma does not have: it is (D,)",
        "return -(dy * x_hat).sum(axis=0)":
            "the sign is wrong: gamma's factor in y is +x_hat",
        "return (self.gamma.value * dy * x_hat).sum(axis=0)":
            "gamma has no place here: its factor in y is x_hat, whatever gamma is",
        "return (dy * (self.gamma.value * x_hat + self.beta.value)).sum(axis=0)":
            "y stands where x_hat belongs",
        """
        self.gamma.grad += (dy * x_hat).sum(axis=0)
        return (dy * x_hat).sum(axis=0)
        """:
            "add_param_grads adds what is returned here to gamma.grad: only return it",
    },
    "dbeta": {
        "return dy.mean(axis=0)":
            "a mean over n, where a sum belongs: beta reaches the y of each example, and all add "
            "up",
        "return dy.sum(axis=1)":
            "summed over axis 1, the features: beta (D,) was broadcast over n, axis 0",
        "return dy":
            "the sum over n is missing: beta was broadcast over the examples",
        "return self.gamma.value * dy.sum(axis=0)":
            "gamma has no place here: beta is added after it, with the factor 1",
        "return -dy.sum(axis=0)":
            "the sign is wrong: beta's factor in y is +1",
        "return dy.sum(axis=0, keepdims=True)":
            "keepdims leaves an axis that beta does not have: it is (D,)",
        "return dy.sum()":
            "summed over n and the features: dbeta has one number for each feature",
        "return self.beta.value * dy.sum(axis=0)":
            "beta has no place here: its factor in y is 1, whatever beta is",
    },
    "dx_hat": {
        "return dy":
            "gamma is missing: y = gamma x_hat + beta",
        "return dy / self.gamma.value":
            "divided by gamma: y is gamma times x_hat, so dx_hat is gamma times dy",
        "return self.gamma.value * dy + self.beta.value":
            "beta is added: it is a constant beside gamma x_hat, and its derivative is 0",
        "return (self.gamma.value * dy).sum(axis=0)":
            "summed over n: x_hat (N, D) was not broadcast, so nothing is summed",
        "return self.gamma.value * dy / len(dy)":
            "1 / N has no place here: there is no mean between x_hat and y",
        "return -self.gamma.value * dy":
            "the sign is wrong: y = +gamma x_hat + beta",
        "return self.gamma.value ** 2 * dy":
            "gamma is in it twice",
    },
    "dinv_std": {
        "return (dx_hat * c).mean(axis=0)":
            "a mean over n, where a sum belongs: inv_std was broadcast over the examples, and all "
            "add up",
        "return dx_hat * c":
            "the sum over n is missing: inv_std (D,) was broadcast over the examples",
        "return (dx_hat * c).sum(axis=1)":
            "summed over axis 1, the features: inv_std (D,) was broadcast over n, axis 0",
        "return dx_hat.sum(axis=0)":
            "c is missing: it is inv_std's factor in x_hat = c inv_std",
        "return dx_hat.sum(axis=0) * c.sum(axis=0)":
            "it is nearly 0, as the sum of c over n is: sum the products dx_hat c",
        "return (dx_hat * c * c).sum(axis=0)":
            "c is squared: inv_std's factor in x_hat = c inv_std is c itself",
        "return -(dx_hat * c).sum(axis=0)":
            "the sign is wrong: x_hat = +c inv_std; the minus comes one step later, in dvar",
        "return (dx_hat * c).sum(axis=0, keepdims=True)":
            "keepdims leaves an axis that inv_std does not have: it is (D,)",
        "return (dx_hat * c).sum()":
            "summed over n and the features: dinv_std has one number for each feature",
        "return (dx_hat * c).sum(axis=0) * self.gamma.value":
            "gamma is in it once more: dx_hat = gamma dy has it already",
    },
    "dvar": {
        "return 0.5 * inv_std ** 3 * dinv_std":
            "the sign is wrong: u^(-1/2) falls as u grows, its derivative is -1/2 u^(-3/2)",
        "return -0.5 * inv_std ** 2 * dinv_std":
            "inv_std^2 is (var + eps)^(-1): the power -3/2 of var + eps is inv_std^3",
        "return -0.5 * inv_std * dinv_std":
            "inv_std is (var + eps)^(-1/2): differentiating lowers the power by 1 to -3/2, which "
            "is inv_std^3",
        "return -0.5 * inv_std ** 1.5 * dinv_std":
            "the power 3/2 is that of var + eps: (var + eps)^(-3/2) is inv_std^3",
        "return -0.5 * inv_std ** -1.5 * dinv_std":
            "the power -3/2 is that of var + eps: (var + eps)^(-3/2) is inv_std^3",
        "return -0.5 * inv_std ** -3 * dinv_std":
            "the power has the wrong sign: (var + eps)^(-3/2) is inv_std^(+3)",
        "return -0.5 * dinv_std / inv_std":
            "this is -1/2 (var + eps)^(+1/2): differentiating lowers the power from -1/2 to -3/2, "
            "which is inv_std^3",
        "return -inv_std ** 3 * dinv_std":
            "the factor 1/2 is missing: (u^(-1/2))' = -1/2 u^(-3/2)",
        "return -1.5 * inv_std ** 3 * dinv_std":
            "the factor is the power before differentiating: -1/2, not -3/2",
        "return -2 * inv_std ** 3 * dinv_std":
            "the factor is -1/2, the power of var + eps, not -2",
        "return -0.5 * inv_std ** 3":
            "dinv_std is forgotten: the chain rule multiplies by it",
        "return -0.5 * inv_std ** 3 * dinv_std / len(dinv_std)":
            "nothing is averaged here: inv_std depends on var feature by feature",
        "return -0.5 * (inv_std ** -2 + self.eps) ** -1.5 * dinv_std":
            "eps is added once more: inv_std has it already",
        "return -0.5 * (inv_std + self.eps) ** 3 * dinv_std":
            "eps is added once more: inv_std has it already, inside",
        "return (-0.5 * inv_std ** 3 * dinv_std).sum()":
            "summed over the features: each has its own var",
        "return -0.5 * inv_std ** 5 * dinv_std":
            "inv_std^5 is (var + eps)^(-5/2): one derivative too many; it is the power 3",
    },
    "dc": {
        "return dx_hat * inv_std":
            "it is the way through x_hat alone: c goes into var too (and var is of each c[n], no "
            "sum over n)",
        "return dx_hat * inv_std + (dvar * 2 * c).mean(axis=0)":
            "it is the way through x_hat alone: c goes into var too (and var is of each c[n], no "
            "sum over n)",
        "return dvar * 2 * c / len(c)":
            "it is the way through var alone: c goes into x_hat too",
        "return dx_hat * inv_std + dvar * c / len(c)":
            "a factor 2 is missing in the way through var: (c^2)' = 2 c",
        "return dx_hat * inv_std + dvar * 2 * c":
            "1 / N is missing in the way through var: var is a mean over n",
        "return dx_hat * inv_std + dvar * 2 * c / (len(c) - 1)":
            "1 / (N - 1) in the way through var: this var is the mean of c^2, with 1 / N",
        "return dx_hat + dvar * 2 * c / len(c)":
            "inv_std is missing in the way through x_hat = c inv_std",
        "return dx_hat * inv_std + dvar * 2 / len(c)":
            "c is missing in the way through var: (c^2)' = 2 c",
        "return dx_hat * inv_std - dvar * 2 * c / len(c)":
            "the sign of the way through var is wrong: the two ways are added (dvar has its minus "
            "already)",
        "return (dx_hat + dvar * 2 * c / len(c)) * inv_std":
            "inv_std multiplies both ways: it belongs to that through x_hat alone",
        "return dx_hat * inv_std + dvar * 2 * c * inv_std / len(c)":
            "inv_std multiplies both ways: it belongs to that through x_hat alone",
        "return dx_hat * inv_std + dvar * c ** 2 / len(c)":
            "c^2 is not differentiated in the way through var: (c^2)' = 2 c",
        "return dx_hat * inv_std / len(c) + dvar * 2 * c / len(c)":
            "1 / N in the way through x_hat, too: only var is a mean",
        "return dx_hat / inv_std + dvar * 2 * c / len(c)":
            "divided by inv_std in the way through x_hat = c inv_std: it is a factor",
        "return dx_hat * c + dvar * 2 * c / len(c)":
            "c stands where inv_std belongs, in the way through x_hat = c inv_std",
        "return dx_hat * inv_std + dvar * 2 * c / c.shape[1]":
            "1 / D in the way through var: it is a mean over the N examples",
        "return dx_hat * inv_std + dvar.sum() * 2 * c / len(c)":
            "dvar is summed over the features: each feature has its own var",
    },
    "dmean": {
        "return dc.sum(axis=0)":
            "the sign is wrong: c = x - mean",
        "return -dc.mean(axis=0)":
            "a mean over n, where a sum belongs: mean reaches each c[n]; the 1 / N comes in the "
            "next step",
        "return dc.mean(axis=0)":
            "the sign is wrong, c = x - mean, and a sum over n belongs where a mean is taken",
        "return -dc":
            "the sum over n is missing: mean (D,) was broadcast over the examples",
        "return -dc.sum(axis=1)":
            "summed over axis 1, the features: mean (D,) was broadcast over n, axis 0",
        "return -dc.sum()":
            "summed over n and the features: each feature has its own mean",
        "return -dc.sum(axis=0, keepdims=True)":
            "keepdims leaves an axis that mean does not have: it is (D,)",
        "return -dc[0]":
            "it is the share of example 0 alone: the sum over n is missing",
    },
    "dx, long": {
        "return dc":
            "it is dc: x goes into mean too",
        "return dc + dmean":
            "1 / N is missing in the way through mean: each x[n] moves it by 1 / N",
        "return dc - dmean / len(dc)":
            "the sign of the way through mean is wrong: the two ways are added (dmean has its "
            "minus already)",
        "return dc + dmean / (len(dc) - 1)":
            "1 / (N - 1) in the way through mean: a mean has 1 / N",
        "return dc + dmean / dc.shape[1]":
            "1 / D in the way through mean: it is a mean over the N examples",
        "return dmean / len(dc)":
            "it is the way through mean alone: x goes into c too",
        "return dc - dc.mean()":
            "a mean over the features, too: each feature has its own",
        "return dc / len(dc) + dmean / len(dc)":
            "1 / N in the way through c, too: c[n] = x[n] - mean moves as x[n] does",
        "return dc * (1 - 1 / len(dc))":
            "it is x[n]'s way to its own c[n] alone: through mean it moves those of all others, "
            "too",
        "return dc + dmean * len(dc)":
            "times N, where each x[n] moves mean by 1 / N",
    },
    "dx, short": {
        "return dy":
            "it is dy as it came: x moves y through x_hat, the mean and the variance",
        "return inv_std * (dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0))":
            "gamma is missing: dx_hat = gamma dy",
        """
        dx_hat = dy / self.gamma.value
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "divided by gamma: dx_hat = gamma dy",
        """
        dx_hat = self.gamma.value ** 2 * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "gamma is in it twice: dx_hat has it already",
        """
        dx_hat = self.gamma.value * dy
        return dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)
        """:
            "inv_std is missing in front",
        """
        dx_hat = self.gamma.value * dy
        return inv_std ** 2 * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "inv_std^2 in front: in the end all powers of it but one cancel",
        """
        dx_hat = self.gamma.value * dy
        return inv_std ** 3 * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "inv_std^3 in front: in the end all powers of it but one cancel",
        """
        dx_hat = self.gamma.value * dy
        return (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / inv_std
        """:
            "divided by inv_std: x_hat = c inv_std, so it is a factor",
        """
        dx_hat = self.gamma.value * dy
        std = 1 / inv_std + self.eps
        return (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / std
        """:
            "eps is added once more: inv_std has it already",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "the way through the mean is missing: mean(dx_hat)",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0))
        """:
            "the way through the variance is missing: x_hat mean(dx_hat x_hat), a mean of the "
            "products",
        """
        dx_hat = self.gamma.value * dy
        through_var = x_hat * dx_hat.mean(axis=0) * x_hat.mean(axis=0)
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - through_var)
        """:
            "the way through the variance is missing: x_hat mean(dx_hat x_hat), a mean of the "
            "products",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * dx_hat
        """:
            "both other ways are missing, through the mean and through the variance",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat + dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "the sign of the way through the mean is wrong: c = x - mean",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) + x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "the sign of the way through the variance is wrong: inv_std falls as var grows",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat + dx_hat.mean(axis=0) + x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "the signs of both ways, through the mean and the variance, are wrong",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0))
        """:
            "sums over n, where both ways have means",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "a sum over n in the way through the mean, where a mean belongs",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0))
        """:
            "a sum over n in the way through the variance, where a mean belongs",
        """
        dx_hat = self.gamma.value * dy
        through_var = x_hat * (dx_hat * x_hat).sum(axis=0) / (len(dy) - 1)
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - through_var)
        """:
            "1 / (N - 1) in the way through the variance: this var is the mean of c^2, with 1 / N",
        """
        dx_hat = self.gamma.value * dy
        through_mean = dx_hat.sum(axis=0) / (len(dy) - 1)
        return inv_std * (dx_hat - through_mean - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "1 / (N - 1) in the way through the mean: a mean has 1 / N",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - c * (dx_hat * c).mean(axis=0))
        """:
            "c stands where x_hat belongs, twice: c inv_std = x_hat",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - c * (dx_hat * x_hat).mean(axis=0))
        """:
            "c stands for one of the two x_hat in the way through the variance",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * c).mean(axis=0))
        """:
            "c stands for one of the two x_hat in the way through the variance",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - (dx_hat * x_hat).mean(axis=0))
        """:
            "x_hat is missing in front of the last mean: each c[n] moves var by 2 c[n] / N",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * dx_hat.mean(axis=0))
        """:
            "x_hat is missing in the last mean: it is that of dx_hat x_hat",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat ** 2 * dx_hat.mean(axis=0))
        """:
            "x_hat^2 stands outside of the last mean: one of the two belongs into it, beside "
            "dx_hat",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=1, keepdims=True)
                          - x_hat * (dx_hat * x_hat).mean(axis=1, keepdims=True))
        """:
            "means over axis 1, the features: they go over n, axis 0 (this is LayerNorm's)",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean() - x_hat * (dx_hat * x_hat).mean())
        """:
            "means over n and the features: each feature has its own, so axis=0",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0) / 2)
        """:
            "a factor 1/2 in the way through the variance: the 2 of (c^2)' = 2 c has cancelled it",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - 2 * x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "a factor 2 in the way through the variance: the 1/2 of (u^(-1/2))' has cancelled it",
        """
        dx_hat = self.gamma.value * dy
        through_var = x_hat * (dx_hat * x_hat).mean(axis=0)
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - through_var) / len(dy)
        """:
            "1 / N in front: it is in the means already",
        """
        dx_hat = self.gamma.value * dy
        through_var = x_hat * (dx_hat * x_hat).sum(axis=0)
        return inv_std * (len(dy) * dx_hat - dx_hat.sum(axis=0) - through_var)
        """:
            "N times too large: with sums in place of means the whole has a factor 1 / N",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)
        """:
            "inv_std multiplies the first term alone: it belongs to all three",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dy.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "gamma is missing in the way through the mean: mean(dx_hat), not mean(dy)",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0))
        """:
            "gamma is missing in the way through the variance: mean(dx_hat x_hat), not mean(dy "
            "x_hat)",
        """
        dx_hat = self.gamma.value * dy
        return inv_std * (dy - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
        """:
            "gamma is missing in the first term: it is dx_hat = gamma dy",
    },
    "ANSWER": {
        "return 10":
            "the other way round: it now takes a change of x ten times as large to move y as much",
        "return 1":
            "y stays as it is, but the same change of x is now a tenth of x's spread, and moves y "
            "less",
        "return 0.01":
            "squared: dx has a single factor inv_std, and inv_std is a tenth",
        "return 100":
            "squared, and the other way round: dx has a single factor inv_std, which is a tenth",
        "return 0.001":
            "inv_std^3 is in dvar alone: in dx all powers of inv_std but one cancel",
        "return 0":
            "y stays, but only if all of x grows together: one x alone still moves it",
    },
}


# check
from quantities import (  # noqa: E402
    Quantity, answer, as_a_whole, differences, numbers, of_layer, redrawn)


def check(module):
    rng = np.random.default_rng(5)
    layer = redrawn(module.BatchNorm(3), rng)
    x, dy = 2 * numbers(rng, 7, 3) + 1, numbers(rng, 7, 3)
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
    for name, *given in [("dx_hat", dy), ("dinv_std", dx_hat, c), ("dvar", dinv_std, inv_std),
                         ("dc", dx_hat, dvar, c, inv_std), ("dmean", dc)]:
        yield Quantity(name, lambda: getattr(layer, name)(*given), right[name])
    yield Quantity("dx, long", lambda: layer.dx(dc, dmean), dx.right)
    yield dx._replace(name="dx, short")
    yield answer(module.times_as_large, 1 / 10)
    yield from as_a_whole(layer, x)
