"""Exercise 6: Adam, with bias correction

Adam (Kingma and Ba 2015, algorithm 1) keeps two running means for each single parameter: m of its
gradient g, and v of g^2. Both begin at 0. At step t = 1, 2, 3, ...

    m = beta1 m + (1 - beta1) g                v = beta2 v + (1 - beta2) g^2
    m_hat = m / (1 - beta1^t)                  v_hat = v / (1 - beta2^t)
    value = value - lr m_hat / (sqrt(v_hat) + eps)

Why the divisions? Let g be the same at every step, and work out m after one step, then after t: it
is too small, since it began at 0, and by which factor? With the right m_hat and v_hat a constant
gradient makes every step as long as lr, from the first one on, whatever the size of the gradient.
That is a good test, and it is one of those that are made here.

All arrays are flat (n,), since minigan's Optimizer lays all parameters into one; it also counts the
steps. lr, beta1, beta2 and eps are numbers, kept on self. Do not write into m, v or g: return new
arrays.

Done when `python examples/exercises/check.py 6` finds all right. Then your own code, all but the
scaffolding, draws digits: `python examples/exercises/play.py digits`.
"""
import numpy as np  # noqa: F401 (in case you want it)

from minigan.optimizers import Optimizer


class Adam(Optimizer):
    slots = ("m", "v")

    def __init__(self, parameters, lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8):
        super().__init__(parameters, lr, weight_decay=0.0)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def update(self, value, g, m, v):
        t = self.steps  # 1 at the first step
        m[...] = self.next_m(m, g)
        v[...] = self.next_v(v, g)
        value += self.change(self.m_hat(m, t), self.v_hat(v, t))

    def next_m(self, m, g):
        # TODO: return the new m (n,)
        raise NotImplementedError("not written yet: m")

    def next_v(self, v, g):
        # TODO: return the new v (n,)
        raise NotImplementedError("not written yet: v")

    def m_hat(self, m, t):
        # TODO: return m, corrected for having begun at 0, t steps ago
        raise NotImplementedError("not written yet: m_hat")

    def v_hat(self, v, t):
        # TODO: return v, corrected in the same way
        raise NotImplementedError("not written yet: v_hat")

    def change(self, m_hat, v_hat):
        # TODO: return what is added to the value; mind its sign
        raise NotImplementedError("not written yet: change")
