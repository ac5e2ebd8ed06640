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
is G's gradient where D is sure that it sees a fake?

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


# hint
# sigmoid(s) = 1 / (1 + exp(-s)) = exp(-log(1 + exp(-s))), and you have a stable softplus for the
# logarithm. Or: (1 + tanh(s / 2)) / 2 is the same function.
# mean = sum / N, so each score has the factor 1 / N. The chain rule through -s gives one more sign.


# check
from quantities import (  # noqa: E402
    Quantity, differences, exactly, forgiving, numbers, saying)

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
    module.sigmoid = sigmoid
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
