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
        # gap m: return the new m (n,)
        return self.beta1 * m + (1 - self.beta1) * g
        # end

    def next_v(self, v, g):
        # gap v: return the new v (n,)
        return self.beta2 * v + (1 - self.beta2) * g * g
        # end

    def m_hat(self, m, t):
        # gap m_hat: return m, corrected for having begun at 0, t steps ago
        return m / (1 - self.beta1 ** t)
        # end

    def v_hat(self, v, t):
        # gap v_hat: return v, corrected in the same way
        return v / (1 - self.beta2 ** t)
        # end

    def change(self, m_hat, v_hat):
        # gap change: return what is added to the value; mind its sign
        return -self.lr * m_hat / (v_hat ** 0.5 + self.eps)
        # end


# hint
# With constant g: m = (1 - beta1) g after one step, (1 - beta1) (1 + beta1) g = (1 - beta1^2) g
# after two, (1 - beta1^t) g after t. So m / (1 - beta1^t) is g, v / (1 - beta2^t) is g^2, and the
# step is lr g / |g|. t is an exponent, and the root is taken of v_hat alone: eps is added after it.


# check
from quantities import Quantity, exactly, numbers  # noqa: E402

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(61)
    m, v, g = numbers(rng, 5), numbers(rng, 5) ** 2, numbers(rng, 5)
    lr, beta1, beta2, t = 0.01, 0.6, 0.9, 3

    def adam(kind, eps=1e-8):
        return kind([minigan.Parameter(np.zeros(5))], lr, beta1, beta2, eps)

    def moves(optimizer, gradients):
        """How far each step moves the values."""
        places = [optimizer.value.copy()]
        for optimizer.grad[...] in gradients:
            optimizer.step()
            places.append(optimizer.value.copy())
        return np.diff(places, axis=0)

    yours, library, new_m, new_v = adam(module.Adam, 0.1), adam(minigan.Adam), m.copy(), v.copy()
    library.steps = t
    library.update(np.zeros(5), g, new_m, new_v)
    yield Quantity("m", lambda: yours.next_m(m, g), exactly(new_m))
    yield Quantity("v", lambda: yours.next_v(v, g), exactly(new_v))
    # After t steps with a constant gradient g, m is (1 - beta1^t) g, and m_hat is to be g.
    yield Quantity("m_hat", lambda: yours.m_hat(m * (1 - beta1 ** t), t), exactly(m))
    yield Quantity("v_hat", lambda: yours.v_hat(v * (1 - beta2 ** t), t), exactly(v))
    yield Quantity("change", lambda: yours.change(m, v), exactly(-lr * m / (np.sqrt(v) + 0.1)))
    several = numbers(rng, 6, 5)
    yield Quantity("six steps", lambda: moves(adam(module.Adam), several),
                   exactly(moves(adam(minigan.Adam), several)), last=True)
    yield Quantity("g constant: all lr", lambda: moves(adam(module.Adam), [g] * 4),
                   exactly([-lr * np.sign(g)] * 4), last=True)
