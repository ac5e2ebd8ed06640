"""Exercise 6: Adam, with bias correction

Adam (Kingma and Ba 2015, algorithm 1) keeps two running means for each single parameter: m of its
gradient g, and v of g^2. Both begin at 0. At step t = 1, 2, 3, ...

    m = beta1 m + (1 - beta1) g                v = beta2 v + (1 - beta2) g^2
    m_hat = m / (1 - beta1^t)                  v_hat = v / (1 - beta2^t)
    value = value - lr m_hat / (sqrt(v_hat) + eps)

Why the divisions? Let g be the same at every step, and work out m after one step, then after t: it
is too small, since it began at 0, and by which factor? With the right m_hat and v_hat a constant
gradient makes every step as long as lr, from the first one on, whatever the size of the gradient.
That is a good test, and it is one of those that are made here. At the end you are asked for a
number.

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


def first_step():
    # gap ANSWER: lr = 1e-3, beta1 = 0.5, and g = 500: how far does the first step move a weight?
    return 1e-3
    # end


# hint
# The answer: what are m_hat and v_hat at t = 1?
#
# With constant g: m = (1 - beta1) g after one step, (1 - beta1) (1 + beta1) g = (1 - beta1^2) g
# after two, (1 - beta1^t) g after t.
#
# So m / (1 - beta1^t) is g, v / (1 - beta2^t) is g^2, and the
# step is lr g / |g|. t is an exponent, and the root is taken of v_hat alone: eps is added after it.


# mistakes
MISTAKES = {
    "m": {
        "return self.beta1 * m + g":
            "g without 1 - beta1: of a constant g, m would tend to g / (1 - beta1), not to g",
        "return m + (1 - self.beta1) * g":
            "m without beta1: what is old is never forgotten, and m grows without end",
        "return (1 - self.beta1) * m + self.beta1 * g":
            "beta1 and 1 - beta1 are exchanged: the old m keeps beta1, the new g gets the rest",
        "return self.beta1 * m + (1 - self.beta2) * g":
            "1 - beta2 stands where 1 - beta1 belongs: the weights of a mean have the sum 1",
        "return self.beta2 * m + (1 - self.beta2) * g": "beta2 stands where beta1 belongs",
        "return self.beta1 * m - (1 - self.beta1) * g":
            "the sign of g: a mean adds it; that we go downhill is the business of `change`",
        "return self.beta1 * m + (1 - self.beta1) * g * g":
            "g^2 stands where g belongs: m is the mean of g, v the one of g^2",
        "return self.beta1 * m + (1 - self.beta1) * abs(g)":
            "|g| stands where g belongs: in m, opposite gradients are to cancel",
        "return (1 - self.beta1) * g": "the old m is missing: this is no running mean",
        "return self.beta1 * m": "g is missing: nothing new comes in",
        "return m": "it is the old m: g has not come in",
        "return (m + g) / 2": "it is the plain mean of m and g: their weights are beta1, 1 - beta1",
        "return self.beta1 * g + (1 - self.beta1) * g": "m is missing: g stands in both places",
        "return self.beta1 * (m + (1 - self.beta1) * g)":
            "beta1 is on both terms: g has the weight 1 - beta1 alone",
        "return (self.beta1 * m + (1 - self.beta1) * g) / (1 - self.beta1 ** self.steps)":
            "it is corrected here already: that is the business of m_hat, m itself stays as it is",
        "m[...] = self.beta1 * m + (1 - self.beta1) * g\nreturn m":
            "m is not to be written into here: `update` does that with what you return",
        "m *= self.beta1\nm += (1 - self.beta1) * g\nreturn m":
            "m is not to be written into here: `update` does that with what you return",
        "return beta1 * m + (1 - beta1) * g": "the numbers are kept on self: self.beta1",
    },
    "v": {
        "return self.beta2 * v + g * g":
            "g^2 without 1 - beta2: of a constant g, v would tend to g^2 / (1 - beta2), not to g^2",
        "return v + (1 - self.beta2) * g * g":
            "v without beta2: what is old is never forgotten, and v grows without end",
        "return (1 - self.beta2) * v + self.beta2 * g * g":
            "beta2 and 1 - beta2 are exchanged: the old v keeps beta2, the new g^2 gets the rest",
        "return self.beta1 * v + (1 - self.beta1) * g * g": "beta1 stands where beta2 belongs",
        "return self.beta2 * v + (1 - self.beta1) * g * g":
            "1 - beta1 stands where 1 - beta2 belongs: the weights of a mean have the sum 1",
        "return self.beta2 * v - (1 - self.beta2) * g * g":
            "the sign of g^2: a mean adds it, and a v below 0 has no root",
        "return self.beta2 * v + (1 - self.beta2) * g":
            "g stands where g^2 belongs: v is the mean of g^2, which tells how large g is",
        "return self.beta2 * v + (1 - self.beta2) * abs(g)":
            "|g| stands where g^2 belongs: the root is taken later, of v_hat",
        "return self.beta2 * v + ((1 - self.beta2) * g) ** 2":
            "1 - beta2 is squared, too: the square is of g alone",
        "return self.beta2 * v ** 2 + (1 - self.beta2) * g ** 2":
            "v is squared: it is a mean of squares already, the square is of g alone",
        "return self.beta2 * v + (1 - self.beta2) * (g @ g)":
            "g @ g is the sum over all parameters: each one has a v of its own, of its own g^2",
        "return self.beta2 * v + (1 - self.beta2) * (g - v) ** 2":
            "v is no variance: the mean of g^2 itself, nothing is subtracted from g",
        "return (1 - self.beta2) * g * g": "the old v is missing: this is no running mean",
        "return v": "it is the old v: g^2 has not come in",
        "return (self.beta2 * v + (1 - self.beta2) * g * g) ** 0.5":
            "the root belongs to `change`: v itself is the mean of g^2",
    },
    "m_hat": {
        "return m / (1 - self.beta1)":
            "the power t is missing: 1 - beta1 is right at the first step only",
        "return m / (1 - self.beta1 ** 2)": "the exponent is t, the number of steps, not 2",
        "return m / 1 - self.beta1 ** t":
            "brackets are missing: m / 1 is taken first, m / (1 - beta1^t) is what is meant",
        "return m / (1 - self.beta1 * t)": "beta1 t stands where beta1^t belongs",
        "return m / (1 - self.beta1) ** t":
            "the power is taken of 1 - beta1: of beta1 alone, as in 1 - beta1^t",
        "return m / (1 - self.beta1 ** (t - 1))":
            "t is off by one: t is 1 at the first step, so that t - 1 divides by 0 there",
        "return m / (1 - self.beta1 ** (t + 1))":
            "t is off by one: it is 1 at the first step already, when m = (1 - beta1) g",
        "return m / (1 - self.beta2 ** t)":
            "it is the correction of v: with beta1 is m made, so that beta1^t is in it",
        "return m * (1 - self.beta1 ** t)":
            "a factor, where a division belongs: m is too small by 1 - beta1^t",
        "return m / (self.beta1 ** t - 1)": "the sign: it is 1 - beta1^t, which is above 0",
        "return m / self.beta1 ** t":
            "it is divided by beta1^t, which is the share that is missing: 1 - beta1^t is there",
        "return m / (1 + self.beta1 ** t)": "+ stands where - belongs: m is (1 - beta1^t) g",
        "return m / self.beta1": "it is divided by beta1: m is too small by 1 - beta1^t",
        "return m / (1 - self.beta1 ** t) ** 0.5":
            "there is no root here: the one in Adam is taken in `change`, of v_hat",
        "return m / t": "m is no sum over t steps: too small by 1 - beta1^t, not too large by t",
        "return m": "nothing is corrected: at first m is too small, since it began at 0",
        "return m / (1 - self.beta1 ^ t)": "^ is no power in Python: write self.beta1 ** t",
    },
    "v_hat": {
        "return v / (1 - self.beta2)":
            "the power t is missing: 1 - beta2 is right at the first step only",
        "return v / (1 - self.beta2 ** 2)": "the exponent is t, the number of steps, not 2",
        "return v / 1 - self.beta2 ** t":
            "brackets are missing: v / 1 is taken first, v / (1 - beta2^t) is what is meant",
        "return v / (1 - self.beta2 * t)": "beta2 t stands where beta2^t belongs",
        "return v / (1 - self.beta2) ** t":
            "the power is taken of 1 - beta2: of beta2 alone, as in 1 - beta2^t",
        "return v / (1 - self.beta2 ** (t - 1))":
            "t is off by one: t is 1 at the first step, so that t - 1 divides by 0 there",
        "return v / (1 - self.beta2 ** (t + 1))":
            "t is off by one: it is 1 at the first step already, when v = (1 - beta2) g^2",
        "return v / (1 - self.beta1 ** t)":
            "it is the correction of m: with beta2 is v made, so that beta2^t is in it",
        "return v / (1 - self.beta2 ** (2 * t))":
            "beta2^2t: that g is squared in v changes nothing, the weights are powers of beta2",
        "return v / (1 - self.beta2 ** t) ** 2":
            "the correction is squared: v is (1 - beta2^t) g^2, only g has a square",
        "return v / (1 - self.beta2 ** t) ** 0.5":
            "a root of the correction alone: `change` takes the root of all of v_hat",
        "return (v / (1 - self.beta2 ** t)) ** 0.5":
            "the root is taken here, and in `change` once more: here v is only corrected",
        "return v * (1 - self.beta2 ** t)":
            "a factor, where a division belongs: v is too small by 1 - beta2^t",
        "return v / (self.beta2 ** t - 1)": "the sign: it is 1 - beta2^t, which is above 0",
        "return v / self.beta2 ** t":
            "it is divided by beta2^t, which is the share that is missing: 1 - beta2^t is there",
        "return v": "nothing is corrected: at first v is too small, since it began at 0",
    },
    "change": {
        "return self.lr * m_hat / (v_hat ** 0.5 + self.eps)":
            "the sign: what is added to the value goes against the gradient",
        "return -m_hat / (v_hat ** 0.5 + self.eps)": "lr is forgotten: it is how long a step is",
        "return -self.lr * m_hat / (v_hat + self.eps)":
            "the root is missing: by v_hat, which is as g^2, larger g would make smaller steps",
        "return -self.lr * m_hat / (v_hat + self.eps) ** 0.5":
            "eps is inside the root: sqrt(v_hat) + eps is what Adam says, the root of v_hat alone",
        "return -self.lr * m_hat / (v_hat + self.eps ** 2) ** 0.5":
            "eps is inside the root: sqrt(v_hat) + eps is what Adam says, even if eps is squared",
        "return -self.lr * m_hat / v_hat ** 0.5 + self.eps":
            "eps is added to the quotient: brackets around (sqrt(v_hat) + eps) are missing",
        "return -self.lr * (m_hat / v_hat ** 0.5 + self.eps)":
            "eps is added to the quotient: it belongs to the root below, against a division by 0",
        "return -self.lr * m_hat / v_hat ** 0.5":
            "eps is not added: without it, what is below is 0 where no gradient ever came",
        "return -self.lr * m_hat / (v_hat ** 0.5 - self.eps)":
            "eps is subtracted: added, it keeps what is below away from 0",
        "return -self.lr * m_hat * (v_hat ** 0.5 + self.eps)":
            "a product with the root, where a division belongs: g's size is to be divided out",
        "return -self.lr * m_hat": "the division by sqrt(v_hat) + eps is missing",
        "return -self.lr * v_hat / (m_hat ** 2) ** 0.5": "m_hat and v_hat are exchanged",
        "return -self.lr * v_hat / (v_hat ** 0.5 + self.eps)":
            "v_hat stands above where m_hat belongs: the direction, g's sign, is in m_hat alone",
        "return -self.lr * np.sign(m_hat)":
            "the sign of m_hat alone: v_hat is missing, by which noisy gradients make small steps",
        "return -self.lr * m_hat / (v_hat ** 2 + self.eps)":
            "v_hat is squared, where its root belongs",
        "return -self.lr * m_hat / (np.linalg.norm(v_hat) ** 0.5 + self.eps)":
            "a norm over all parameters: each one is divided by its own sqrt(v_hat)",
        "return -self.lr / (v_hat ** 0.5 + self.eps)": "m_hat is missing: the direction is in it",
        "return -self.lr * m_hat / (v_hat ** 0.5 + self.eps) / (1 - self.beta1 ** self.steps)":
            "m_hat is corrected already: 1 - beta1^t is in it twice",
        "return self.lr * -m_hat / (v_hat ** 0.5 + self.eps) * self.steps":
            "t has no place here: the corrections are in m_hat and v_hat",
    },
    "ANSWER": {
        "return 0.5": "lr g: that is SGD's step; Adam's g is divided by its own size",
        "return 0.25": "lr m, with m = g / 2: it is m_hat / sqrt(v_hat) that lr multiplies",
        "return 500": "this is g: at the first step m_hat is g, but it is divided by |g|",
        "return -1e-3": "how far is asked, not in which direction: without the sign",
        "return 5e-4": "m_hat is m / (1 - beta1) at t = 1: the half in m is corrected",
        "return 1e-3 * 0.5 / 0.001 ** 0.5":
            "neither m nor v is corrected here: m_hat = g and v_hat = g^2 at t = 1",
        "return 1e-3 / 0.001 ** 0.5": "v is not corrected here: v_hat = g^2 at t = 1",
        "return 1": "m_hat / sqrt(v_hat) is 1: lr is forgotten",
        "return 1e-3 / 500": "it is divided by g alone: m_hat, which is g, stands above",
    },
}


# check
from quantities import Quantity, answer, exactly, numbers  # noqa: E402

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(61)
    m, v, g = numbers(rng, 5), numbers(rng, 5) ** 2, numbers(rng, 5)
    lr, beta1, beta2, t = 0.01, 0.6, 0.9, 4

    def adam(kind, eps=1e-8):
        return kind([minigan.Parameter(np.zeros(5))], lr, beta1, beta2, eps)

    def moves(optimizer, gradients):
        """How far each step moves the values."""
        places = [optimizer.value.copy()]
        for optimizer.grad[...] in gradients:
            optimizer.step()
            places.append(optimizer.value.copy())
        return np.diff(places, axis=0)

    yours, library, new_m, new_v = adam(module.Adam, 0.3), adam(minigan.Adam), m.copy(), v.copy()
    yours.steps = library.steps = t
    library.update(np.zeros(5), g, new_m, new_v)
    yield Quantity("m", lambda: yours.next_m(m, g), exactly(new_m))
    yield Quantity("v", lambda: yours.next_v(v, g), exactly(new_v))
    # After t steps with a constant gradient g, m is (1 - beta1^t) g, and m_hat is to be g.
    yield Quantity("m_hat", lambda: yours.m_hat(m * (1 - beta1 ** t), t), exactly(m))
    yield Quantity("v_hat", lambda: yours.v_hat(v * (1 - beta2 ** t), t), exactly(v))
    yield Quantity("change", lambda: yours.change(m, v), exactly(-lr * m / (np.sqrt(v) + 0.3)))
    several = numbers(rng, 6, 5)
    yield Quantity("six steps", lambda: moves(adam(module.Adam), several),
                   exactly(moves(adam(minigan.Adam), several)), last=True)
    yield Quantity("g constant: all lr", lambda: moves(adam(module.Adam), [g] * 4),
                   exactly([-lr * np.sign(g)] * 4), last=True)
    yield answer(module.first_step, 1e-3)
