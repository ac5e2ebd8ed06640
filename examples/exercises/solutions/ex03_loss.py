"""Exercise 3: The loss on scores, stable at any score

D ends in a raw score s, and p(s) = sigmoid(s) = 1 / (1 + exp(-s)) is the probability it gives to
"real". D is to say real to real and fake to fake, G is to make D say real to fake (Goodfellow et
al. 2014, the "non-saturating" form):

    D minimises    -mean log p(s_real) - mean log(1 - p(s_fake))
    G minimises    -mean log p(s_fake)                              scores (N, 1), means over N

With softplus(s) = log(1 + exp(s)) no logarithm is left that could meet a 0, since
-log p(s) = softplus(-s) and -log(1 - p(s)) = softplus(s): check both on paper. The values below are
given in this form. Derive

    sigmoid(s)                 the derivative of softplus(s); finite, without overflow, at any score
    ds_real, ds_fake (N, 1)    the gradients of D's value with respect to both scores
    ds_fake_of_G (N, 1)        the gradient of G's value with respect to s_fake

The gradients need no logarithm and no quotient, only sigmoid. And look at what they say: how large
is G's gradient where D is sure that it sees a fake? In the "minimax" form G would minimise
mean log(1 - p(s_fake)) instead: at the end say how much less it would learn there.

Done when `python examples/exercises/check.py 3` finds all right, those at scores of +-1000 too.
"""
import numpy as np

from minigan import AdversarialLoss


def softplus(s):
    return np.logaddexp(0, s)  # log(exp(0) + exp(s)), computed so that exp never overflows


def sigmoid(s):
    # gap sigmoid: return 1 / (1 + exp(-s)), but never the exp of a large positive number
    return np.exp(-softplus(-s))
    # end


class NonSaturating(AdversarialLoss):

    def discriminator(self, s_real, s_fake):
        value = softplus(-s_real).mean() + softplus(s_fake).mean()
        return value, self.ds_real(s_real), self.ds_fake(s_fake)

    def ds_real(self, s_real):
        # gap ds_real: return the gradient of softplus(-s_real).mean(), of shape (N, 1)
        return -sigmoid(-s_real) / len(s_real)
        # end

    def ds_fake(self, s_fake):
        # gap ds_fake: return the gradient of softplus(s_fake).mean(), of shape (N, 1)
        return sigmoid(s_fake) / len(s_fake)
        # end

    def generator(self, s_fake):
        return softplus(-s_fake).mean(), self.ds_fake_of_G(s_fake)

    def ds_fake_of_G(self, s_fake):
        # gap ds_fake_of_G: return the gradient of softplus(-s_fake).mean(), of shape (N, 1)
        return -sigmoid(-s_fake) / len(s_fake)
        # end

    def shown(self, s):
        return sigmoid(s)  # what a log shows as D(x)


def times_larger():
    # gap ANSWER: return how many times larger than in minimax form G's gradient is at s_fake = -10
    return sigmoid(10) / sigmoid(-10)
    # end


# hint
# mean = sum / N, so each score has the factor 1 / N. The chain rule through -s gives one more sign.
#
# The answer: log(1 - p(s)) = -softplus(s). Divide the sizes of both derivatives, at s = -10.
#
# sigmoid(s) = 1 / (1 + exp(-s)) = exp(-log(1 + exp(-s))), and you have a stable softplus for the
# logarithm. Or: (1 + tanh(s / 2)) / 2 is the same function.


# mistakes
MISTAKES = {
    "sigmoid": {
        "return 1 / (1 + np.exp(-s))":
            "exp overflows where its argument is large and positive (np.where computes both sides, "
            "too)",
        "return np.where(s > 0, 1 / (1 + np.exp(-s)), np.exp(s) / (1 + np.exp(s)))":
            "exp overflows where its argument is large and positive (np.where computes both sides, "
            "too)",
        "return np.exp(s) / (1 + np.exp(s))":
            "exp overflows where its argument is large and positive (np.where computes both sides, "
            "too)",
        "return np.exp(-softplus(s))":
            "a sign: it is 1 - sigmoid(s), which is sigmoid(-s)",
        "return np.exp(softplus(-s))":
            "a sign before softplus: it is 1 / sigmoid(s)",
        "return -np.exp(-softplus(-s))":
            "a sign in front: a sigmoid lies between 0 and 1",
        "return softplus(-s)":
            "it is -log sigmoid(s): the exp of its negative is the sigmoid",
        "return -softplus(-s)":
            "it is log sigmoid(s): the exp is missing",
        "return softplus(s)":
            "it is softplus itself: its derivative belongs here",
        "return np.exp(-softplus(-s - softplus(-s)))":
            "sigmoid once too often: softplus stands within softplus",
        "return np.exp(-softplus(-s) - softplus(s))":
            "it is p (1 - p), the derivative of the sigmoid",
        "return np.exp(-softplus(-s)) / len(s)":
            "1 / N has no place in sigmoid: the mean comes later, in the ds",
        "return (1 + np.tanh(s)) / 2":
            "s is to be halved: sigmoid(s) = (1 + tanh(s / 2)) / 2",
        "return np.tanh(s / 2)":
            "from -1 to 1: sigmoid(s) = (1 + tanh(s / 2)) / 2",
        "return 1 + np.tanh(s / 2)":
            "from 0 to 2: the last / 2 in (1 + tanh(s / 2)) / 2 is missing",
        "return np.exp(-softplus(-s.clip(-10, 10)))":
            "clipped: it is right up to the clip and constant beyond; softplus needs no clip",
        "return np.exp(-softplus(-s.clip(-20, 20)))":
            "clipped: it is right up to the clip and constant beyond; softplus needs no clip",
        "return 1 / (1 + np.exp(-s.clip(-10, 10)))":
            "clipped: it is right up to the clip and constant beyond; softplus needs no clip",
        "return 1 / (1 + np.exp(-abs(s)))":
            "abs: it is sigmoid(|s|), right for s > 0 alone",
        "return (s > 0) * 1.0":
            "a step from 0 to 1: that is sigmoid only far out",
    },
    "ds_real": {
        "return -sigmoid(-s_real)":
            "1 / N is missing: the value is a mean over N, not a sum",
        "return sigmoid(-s_real) / len(s_real)":
            "the sign is wrong: the value falls as the score rises, so the gradient is negative",
        "return -sigmoid(s_real) / len(s_real)":
            "the sign within: softplus' is sigmoid, here at -s, so sigmoid(-s) belongs",
        "return sigmoid(s_real) / len(s_real)":
            "that is the gradient of softplus(s), which says fake: here it is softplus(-s)",
        "return -1 / sigmoid(s_real) / len(s_real)":
            "it is the gradient with respect to p, of -log p: by the chain rule p' = p (1 - p) "
            "belongs to it",
        "return (sigmoid(s_real) - 0.5) / len(s_real)":
            "compared with 0.5: p is to become 1, so p - 1 belongs there",
        "return -sigmoid(-s_real) * (1 - sigmoid(-s_real)) / len(s_real)":
            "the sigmoid's own derivative is in it once more: sigmoid is softplus' already",
        "return -sigmoid(-s_real) / len(s_real) ** 2":
            "1 / N is in it twice",
        "return -sigmoid(-s_real) / (2 * len(s_real))":
            "halved: D's value is the sum of its two means, not their mean",
        "return -sigmoid(-s_real).mean()":
            "it is the mean of all: each score has its own gradient, (N, 1), with the factor 1 / N",
        "return softplus(-s_real) / len(s_real)":
            "it is the value again: the derivative of softplus is sigmoid",
        "return (s_real - 1) / len(s_real)":
            "the score stands where p(s) belongs: the sigmoid is missing",
        "return -sigmoid(-sigmoid(s_real)) / len(s_real)":
            "the sigmoid is taken twice: its argument is the score, not p",
        "return -sigmoid(-s_real) / (len(s_real) - 1)":
            "1 / (N - 1), where the mean has 1 / N",
    },
    "ds_fake": {
        "return sigmoid(s_fake)":
            "1 / N is missing: the value is a mean over N, not a sum",
        "return -sigmoid(s_fake) / len(s_fake)":
            "the sign is wrong: the value rises with the score, so the gradient is positive",
        "return sigmoid(-s_fake) / len(s_fake)":
            "the sign within: softplus' is sigmoid, here at s itself, so sigmoid(s) belongs",
        "return -sigmoid(-s_fake) / len(s_fake)":
            "that is the gradient of softplus(-s), which says real: here it is softplus(s)",
        "return 1 / (1 - sigmoid(s_fake)) / len(s_fake)":
            "it is the gradient with respect to p, of -log(1 - p): by the chain rule p' = p (1 - "
            "p) belongs to it",
        "return (sigmoid(s_fake) - 0.5) / len(s_fake)":
            "compared with 0.5: p is to become 0, so p itself belongs there",
        "return sigmoid(s_fake) * (1 - sigmoid(s_fake)) / len(s_fake)":
            "the sigmoid's own derivative is in it once more: sigmoid is softplus' already",
        "return sigmoid(s_fake) / len(s_fake) ** 2":
            "1 / N is in it twice",
        "return sigmoid(s_fake) / (2 * len(s_fake))":
            "halved: D's value is the sum of its two means, not their mean",
        "return sigmoid(s_fake).mean()":
            "it is the mean of all: each score has its own gradient, (N, 1), with the factor 1 / N",
        "return softplus(s_fake) / len(s_fake)":
            "it is the value again: the derivative of softplus is sigmoid",
        "return s_fake / len(s_fake)":
            "the score stands where p(s) belongs: the sigmoid is missing",
        "return sigmoid(sigmoid(s_fake)) / len(s_fake)":
            "the sigmoid is taken twice: its argument is the score, not p",
        "return sigmoid(s_fake) / (len(s_fake) - 1)":
            "1 / (N - 1), where the mean has 1 / N",
    },
    "ds_fake_of_G": {
        "return -sigmoid(-s_fake)":
            "1 / N is missing: the value is a mean over N, not a sum",
        "return sigmoid(-s_fake) / len(s_fake)":
            "the sign is wrong: the value falls as the score rises, so the gradient is negative",
        "return -sigmoid(s_fake) / len(s_fake)":
            "it is the gradient of mean log(1 - p), the minimax form: -log p's has sigmoid(-s)",
        "return sigmoid(s_fake) / len(s_fake)":
            "it is D's ds_fake: G wants D to say real to it, so its value is softplus(-s)",
        "return -1 / sigmoid(s_fake) / len(s_fake)":
            "it is the gradient with respect to p, of -log p: by the chain rule p' = p (1 - p) "
            "belongs to it",
        "return (sigmoid(s_fake) - 0.5) / len(s_fake)":
            "compared with 0.5: p is to become 1, so p - 1 belongs there",
        "return -sigmoid(-s_fake) * (1 - sigmoid(-s_fake)) / len(s_fake)":
            "the sigmoid's own derivative is in it once more: sigmoid is softplus' already",
        "return -sigmoid(-s_fake) / len(s_fake) ** 2":
            "1 / N is in it twice",
        "return -sigmoid(-s_fake) / (2 * len(s_fake))":
            "halved: G's value is one mean, and nothing is halved",
        "return -sigmoid(-s_fake).mean()":
            "it is the mean of all: each score has its own gradient, (N, 1), with the factor 1 / N",
        "return softplus(-s_fake) / len(s_fake)":
            "it is the value again: the derivative of softplus is sigmoid",
        "return (s_fake - 1) / len(s_fake)":
            "the score stands where p(s) belongs: the sigmoid is missing",
        "return -sigmoid(-sigmoid(s_fake)) / len(s_fake)":
            "the sigmoid is taken twice: its argument is the score, not p",
        "return -sigmoid(-s_fake) / (len(s_fake) - 1)":
            "1 / (N - 1), where the mean has 1 / N",
    },
    "ANSWER": {
        "return np.exp(-10)":
            "the other way round: so many times smaller is the minimax gradient",
        "return sigmoid(10)":
            "it is the size of the non-saturating gradient alone: divide it by that of the other, "
            "sigmoid(-10)",
        "return 1 / sigmoid(10)":
            "sigmoid(10) is the size of the non-saturating gradient: it is to be divided by that "
            "of the other",
        "return sigmoid(-10)":
            "it is the size of the minimax gradient alone: divide the other one, sigmoid(10), by "
            "it",
        "return 10":
            "it is the score's size: the gradients are sigmoids of it, so the ratio grows like an "
            "exp",
        "return softplus(10) / softplus(-10)":
            "it is the ratio of the values: the gradients are asked for",
        "return np.exp(20)":
            "squared: sigmoid(10) is 1 but for a trace, so only sigmoid(-10) makes the ratio",
    },
}


# check
from quantities import (  # noqa: E402
    Quantity, answer, differences, exactly, forgiving, numbers, saying)

import minigan  # noqa: E402


def silent(yours):
    """No hint: these numbers are so special that any guess would be a wild one."""
    return ""


def check(module):
    rng = np.random.default_rng(31)
    yours, right = module.NonSaturating(), minigan.NonSaturating()
    s, other = numbers(rng, 6, 1), numbers(rng, 6, 1)
    far, sigmoid = np.array([[-1000.0], [-30.0], [40.0], [1000.0]]), minigan.losses.sigmoid
    yield Quantity("sigmoid", lambda: module.sigmoid(s),
                   differences(lambda s: module.softplus(s).sum(), s))
    yield Quantity("sigmoid at +-1000", lambda: module.sigmoid(far), exactly(sigmoid(far)),
                   says=silent)
    module.sigmoid = lambda s: sigmoid(np.asarray(s, float))
    _, far_real, far_fake = right.discriminator(far, far)
    networks = minigan.Dense(1, 1).astype(np.float64), minigan.Dense(1, 1).astype(np.float64)
    loss = forgiving(yours, dict.fromkeys(["ds_real", "ds_fake", "ds_fake_of_G"], s.shape))
    step_of_D = minigan.check_discriminator_step, *networks, loss, s, other
    step_of_G = minigan.check_generator_step, *networks, loss, s
    for name, value, far_out, says in [
            ("ds_real", lambda s: right.discriminator(s, other)[0], far_real,
             saying("ds_real", *step_of_D)),
            ("ds_fake", lambda s: right.discriminator(other, s)[0], far_fake,
             saying("ds_fake", *step_of_D)),
            ("ds_fake_of_G", lambda s: right.generator(s)[0], right.generator(far)[1],
             saying("ds_fake", *step_of_G))]:
        yield Quantity(name, lambda: getattr(yours, name)(s), differences(value, s), says=says)
        yield Quantity(f"{name} at +-1000", lambda: getattr(yours, name)(far), exactly(far_out),
                       says=silent)
    yield answer(module.times_larger, np.exp(10))
