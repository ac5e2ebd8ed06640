"""Exercise 4: The two steps of GAN training

A backward pass has two halves. Of any network, a Sequential, you can ask

    dx = network.input_grad(dy, cache)         dL/dx; changes nothing
         network.add_param_grads(dy, cache)    adds dL/dW to W.grad, for each parameter W
         network.zero_grad()                   sets every W.grad to zero
    dx = network.backward(dy, cache)           both halves

`cache` is what forward handed back together with the output. Given are the forward passes; write
the backward passes, with only the halves that are needed:

    discriminator_step    D learns from ds_real and ds_fake. Which cache belongs to which? Does
                          anyone need the gradient at the images?
    generator_step        G never sees a real image: all it learns comes back through D. D's own
                          gradients stay untouched. Does anyone need the gradient at the noise z?

        z --G--> x_fake --D--> s_fake --loss--> value
                dx_fake <----- ds_fake <--'

Gradients are added up, so whoever learns begins from zero. At the end a question: what if not?

Done when `python examples/exercises/check.py 4` finds every gradient and the answer right, and the
other network untouched. After this exercise your own code learns:
`python examples/exercises/play.py ring`.
"""


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    x_fake = generator.forward(z)[0]
    s_real, cache_real = discriminator.forward(x_real)
    s_fake, cache_fake = discriminator.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    # gap D step: D's gradients, of both passes, into its parameters: three lines
    discriminator.zero_grad()
    discriminator.add_param_grads(ds_real, cache_real)
    discriminator.add_param_grads(ds_fake, cache_fake)
    # end
    if penalty is not None:  # not before exercise 10
        value = value + penalty(discriminator, x_real, x_fake)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    x_fake, cache_generator = generator.forward(z)
    s_fake, cache_discriminator = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    # gap G step: back through D to the images, then G's gradients into its parameters: three lines
    dx_fake = discriminator.input_grad(ds_fake, cache_discriminator)
    generator.zero_grad()
    generator.add_param_grads(dx_fake, cache_generator)
    # end
    optimizer.step()
    return value, loss.shown(s_fake).mean()


def how_far_without_zero_grad():
    # gap ANSWER: each step adds the same g to W.grad, then W -= lr W.grad. How many lr g in 4 steps
    return 1 + 2 + 3 + 4
    # end


# hint
# The answer: what is in W.grad at each of the four steps?
#
# D's step: zero_grad, then add_param_grads twice, once for each pair of ds and cache.
#
# G's step: ds_fake is the gradient at D's output. The gradient at D's input, dx_fake, is also the
# gradient at G's output: it is what G's add_param_grads takes. `backward` would be too much, since
# it also adds to D's own gradients; input_grad changes nothing.


# mistakes
# The lines of the right steps, from which the mistakes are put together.
ZERO_D, ZERO_G = "discriminator.zero_grad()\n", "generator.zero_grad()\n"
REAL = "discriminator.add_param_grads(ds_real, cache_real)\n"
FAKE = "discriminator.add_param_grads(ds_fake, cache_fake)\n"
BACK = "dx_fake = discriminator.input_grad(ds_fake, cache_discriminator)\n"
ADD = "generator.add_param_grads(dx_fake, cache_generator)\n"
STEP = "optimizer.step()\n"

MISTAKES = {
    "D step": {
        ZERO_D + ZERO_G + REAL + FAKE:
            "generator.zero_grad() has no place here: D learns, and G's gradients are left alone",
        REAL + FAKE:
            "discriminator.zero_grad() is missing: D learns here, so D begins from zero, and G is "
            "left alone",
        ZERO_G + REAL + FAKE:
            "discriminator.zero_grad() is missing: D learns here, so D begins from zero, and G is "
            "left alone",
        REAL + FAKE + ZERO_D:
            "nothing is left: zero_grad comes last and wipes all, or nothing was added, as by "
            "input_grad",
        ZERO_D:
            "nothing is left: zero_grad comes last and wipes all, or nothing was added, as by "
            "input_grad",
        ZERO_D + "discriminator.input_grad(ds_real, cache_real)\n"
        + "discriminator.input_grad(ds_fake, cache_fake)\n":
            "nothing is left: zero_grad comes last and wipes all, or nothing was added, as by "
            "input_grad",
        REAL + ZERO_D + FAKE:
            "only the fake pass is left: that of the real images is not added, or wiped by a "
            "zero_grad after it",
        ZERO_D + REAL + ZERO_D + FAKE:
            "only the fake pass is left: that of the real images is not added, or wiped by a "
            "zero_grad after it",
        ZERO_D + FAKE:
            "only the fake pass is left: that of the real images is not added, or wiped by a "
            "zero_grad after it",
        ZERO_D + "discriminator.input_grad(ds_real, cache_real)\n" + FAKE:
            "only the fake pass is left: that of the real images is not added, or wiped by a "
            "zero_grad after it",
        FAKE + ZERO_D + REAL:
            "only the real pass is left: that of the fakes is not added, or wiped by a zero_grad "
            "after it",
        ZERO_D + REAL:
            "only the real pass is left: that of the fakes is not added, or wiped by a zero_grad "
            "after it",
        ZERO_D + REAL + "discriminator.input_grad(ds_fake, cache_fake)\n":
            "only the real pass is left: that of the fakes is not added, or wiped by a zero_grad "
            "after it",
        ZERO_D + REAL + REAL:
            "the real pass is added twice, and that of the fakes not at all",
        ZERO_D + FAKE + FAKE:
            "the fake pass is added twice, and that of the real images not at all",
        ZERO_D + REAL + FAKE + FAKE:
            "the fake pass is in it twice",
        ZERO_D + REAL + REAL + FAKE:
            "the real pass is in it twice",
        ZERO_D + REAL.replace("(ds", "(-ds") + FAKE:
            "the sign of ds_real: it is the gradient of the loss already, and the optimizer goes "
            "down",
        ZERO_D + REAL + FAKE.replace("(ds", "(-ds"):
            "the sign of ds_fake: it is the gradient of the loss already, and the optimizer goes "
            "down",
        ZERO_D + (REAL + FAKE).replace("(ds", "(-ds"):
            "both signs: ds are gradients of the loss already, and it is the optimizer that goes "
            "down",
        ZERO_D + REAL + FAKE.replace("ds_fake", "ds_real"):
            "ds_real in both passes: with cache_fake goes ds_fake",
        ZERO_D + REAL.replace("ds_real", "ds_fake") + FAKE:
            "ds_fake in both passes: with cache_real goes ds_real",
        ZERO_D + REAL.replace("cache_real", "cache_fake") + FAKE:
            "cache_fake in both passes: ds_real came from the pass that left cache_real",
        ZERO_D + REAL + FAKE.replace("cache_fake", "cache_real"):
            "cache_real in both passes: ds_fake came from the pass that left cache_fake",
        ZERO_D + "discriminator.add_param_grads(ds_real, cache_fake)\n"
        + "discriminator.add_param_grads(ds_fake, cache_real)\n":
            "the caches are swapped: ds_real goes with cache_real, ds_fake with cache_fake",
        ZERO_D + "discriminator.add_param_grads(ds_real + ds_fake, cache_fake)\n":
            "cache_fake in both passes: ds_real came from the pass that left cache_real",
        ZERO_D + "discriminator.add_param_grads(ds_real + ds_fake, cache_real)\n":
            "cache_real in both passes: ds_fake came from the pass that left cache_fake",
        ZERO_D + "discriminator.add_param_grads(ds_real - ds_fake, cache_fake)\n":
            "one pass for a difference: the two ds come from different inputs, each needs its own "
            "cache, and they add up",
        ZERO_D + (REAL + FAKE).replace(",", " / len(z),"):
            "divided by N: ds_real and ds_fake have the 1 / N of the means already",
        ZERO_D + (REAL + FAKE).replace(",", " / 2,"):
            "halved: D's value is the sum of its two means, not their mean",
        ZERO_D + REAL.replace("add_param_grads", "backward") + FAKE:
            "backward does both halves: add_param_grads is enough, nobody asks for the gradient at "
            "the images",
        ZERO_D + REAL + FAKE.replace("add_param_grads", "backward"):
            "backward does both halves: add_param_grads is enough, nobody asks for the gradient at "
            "the images",
        ZERO_D + (REAL + FAKE).replace("add_param_grads", "backward"):
            "backward does both halves: add_param_grads is enough, nobody asks for the gradient at "
            "the images",
        ZERO_D + REAL + STEP + FAKE:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        ZERO_D + REAL + FAKE + STEP:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        ZERO_D + STEP + REAL + FAKE:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        STEP + ZERO_D + REAL + FAKE:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        ZERO_D + REAL + FAKE + "return value":
            "a return in the gap: the lines below it do not run, and optimizer.step() is one of "
            "them",
        ZERO_D + REAL + FAKE + "return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()":
            "a return in the gap: the lines below it do not run, and optimizer.step() is one of "
            "them",
    },
    "G step": {
        BACK + ADD:
            "generator.zero_grad() is missing: G learns here, so G begins from zero, and D is left "
            "alone",
        BACK + ADD + ZERO_G:
            "nothing is left: zero_grad comes last and wipes all, or nothing was added, as by "
            "input_grad",
        BACK + ZERO_G:
            "nothing is left: zero_grad comes last and wipes all, or nothing was added, as by "
            "input_grad",
        BACK + ZERO_G + ADD.replace("add_param_grads", "input_grad"):
            "nothing is left: zero_grad comes last and wipes all, or nothing was added, as by "
            "input_grad",
        BACK.replace("input_grad", "backward") + ZERO_G + ADD:
            "it adds to D's gradients, too, and D does not learn here: discriminator.input_grad is "
            "enough",
        BACK + ZERO_G + ADD + "discriminator.add_param_grads(ds_fake, cache_discriminator)\n":
            "it adds to D's gradients, too, and D does not learn here: discriminator.input_grad is "
            "enough",
        BACK + ZERO_D + ZERO_G + ADD:
            "D's gradients are set to zero: D does not learn here, and they are left alone",
        BACK.replace("input_grad", "backward") + ZERO_G + ADD + ZERO_D:
            "D's gradients are set to zero: D does not learn here, and they are left alone",
        BACK + ZERO_G + ADD.replace("add_param_grads", "backward"):
            "backward does both halves: add_param_grads is enough, nobody asks for the gradient at "
            "z",
        ZERO_G + ADD.replace("dx_fake", "ds_fake"):
            "ds_fake is the gradient at D's output: G needs that at its own output, dx_fake",
        BACK.replace("cache_discriminator", "cache_generator") + ZERO_G + ADD:
            "the wrong cache: ds_fake goes back through D, with cache_discriminator",
        BACK + ZERO_G + ADD.replace("cache_generator", "cache_discriminator"):
            "the wrong cache: dx_fake goes back through G, with cache_generator",
        BACK + ZERO_G + ADD.replace("dx_fake", "-dx_fake"):
            "the sign: ds_fake is the gradient of G's own loss already, and the optimizer goes "
            "down",
        BACK.replace("ds_fake", "-ds_fake") + ZERO_G + ADD:
            "the sign: ds_fake is the gradient of G's own loss already, and the optimizer goes "
            "down",
        BACK + ZERO_G + ADD.replace("dx_fake", "dx_fake / len(z)"):
            "divided by N: ds_fake has the 1 / N of the mean already",
        BACK + ZERO_G + ADD + ADD:
            "G's gradients are added twice",
        BACK.replace("ds_fake", "0 * ds_fake + 1") + ZERO_G + ADD:
            "1 stands for ds_fake: that goes along the score, and the loss is forgotten",
        "_, _, ds_fake = loss.discriminator(s_fake, s_fake)\n" + BACK + ZERO_G + ADD:
            "D's own ds_fake: G has a loss of its own, and its ds_fake is at hand",
        BACK.replace("ds_fake,", "s_fake,") + ZERO_G + ADD:
            "the scores s_fake stand for their gradients ds_fake",
        BACK + ZERO_G + ADD.replace("dx_fake", "x_fake"):
            "the images x_fake stand for their gradients dx_fake",
        BACK + STEP + ZERO_G + ADD:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        BACK + ZERO_G + ADD + STEP:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        BACK + ZERO_G + STEP + ADD:
            "a line below the gap calls optimizer.step() already: once all gradients are there, "
            "and only once",
        BACK + ZERO_G + ADD + "return value":
            "a return in the gap: the lines below it do not run, and optimizer.step() is one of "
            "them",
        BACK + ZERO_G + ADD + "return value, loss.shown(s_fake).mean()":
            "a return in the gap: the lines below it do not run, and optimizer.step() is one of "
            "them",
    },
    "ANSWER": {
        "return 4":
            "so far it goes with zero_grad: without it the second step has 2 g, the third 3 g, the "
            "fourth 4 g",
        "return 16":
            "only the last step has 4 g: the first has g, the second 2 g, the third 3 g",
        "return 24":
            "the steps add up: they are not multiplied with one another",
        "return 15":
            "each step doubled? It is the same g that is added each time: g, 2 g, 3 g, 4 g",
        "return 6":
            "the last step is missing, or the first is taken to be 0: they have g, 2 g, 3 g, 4 g",
        "return 1":
            "zero_grad does not undo a step: the value moves at each of the four",
    },
}


# check
import numpy as np  # noqa: E402
from quantities import (  # noqa: E402
    Complaint, Quantity, answer, numbers, parameter_gradients, redrawn, saying)

import minigan  # noqa: E402


class Still:
    """An optimizer that changes nothing, and keeps the gradients as they are at each step."""

    def __init__(self, parameters):
        self.parameters, self.seen = parameters, []

    def step(self):
        self.seen.append([p.grad.copy() for p in self.parameters])


def check(module):
    rng = np.random.default_rng(40)
    G, D = [redrawn(minigan.Sequential(minigan.Dense(a, 4), minigan.Tanh(), minigan.Dense(4, b)),
                    rng) for a, b in [(2, 3), (3, 1)]]
    loss, x_real, z = minigan.NonSaturating(), numbers(rng, 5, 3), numbers(rng, 5, 2)

    parameters = {G: G.parameters(), D: D.parameters()}

    def score(x):
        return D.forward(x)[0]

    def value_of_D():
        return loss.discriminator(score(x_real), score(G.forward(z)[0]))[0]

    def value_of_G():
        return loss.generator(score(G.forward(z)[0]))[0]

    def gradients(network, step, images, left=0.0):
        """Those of a network after a step, where `left` was left in them by the step before."""
        for p in parameters[G] + parameters[D]:
            p.grad.fill(left)
        step(G, D, Still(parameters[network]), loss, *images, z)
        return [p.grad.copy() for p in parameters[network]]

    for name, value, step, images, learner, other, twin in [
            ("DG", value_of_D, module.discriminator_step, [x_real], D, G,
             minigan.check_discriminator_step),
            ("GD", value_of_G, module.generator_step, [], G, D, minigan.check_generator_step)]:
        for i, (own, what, right) in enumerate(parameter_gradients(learner, value)):
            yield Quantity(f"{name[0]} step: {what}",
                           lambda: gradients(learner, step, images)[i], right,
                           says=saying(own, twin, G, D, loss, *images, z, step=step))

        def begins_from_zero():
            if not all(map(np.allclose, gradients(learner, step, images),
                           gradients(learner, step, images, 0.5))):
                raise Complaint("what the step before left is still in the gradients: zero_grad "
                                "is missing, or comes too late")

        def untouched():
            after = gradients(other, step, images, 0.5)
            if not any(grad.any() for grad in after):
                raise Complaint("its gradients are set to zero, and it does not learn in this step")
            if any((grad != 0.5).any() for grad in after):
                raise Complaint("its gradients change, and it does not learn in this step")

        def both_halves(dy, cache):
            raise Complaint(f"{name[0]}.backward is called, which is both halves: one of them "
                            "computes what nobody asks for")

        def half_is_enough():
            learner.backward = both_halves
            try:
                gradients(learner, step, images)
            finally:
                del learner.backward

        def once_and_last():
            optimizer = Still(parameters[learner])
            step(G, D, optimizer, loss, *images, z)
            if len(optimizer.seen) != 1:
                raise Complaint(f"optimizer.step() is called {len(optimizer.seen)} times")
            if not all(map(np.array_equal, *optimizer.seen,
                           [p.grad for p in parameters[learner]])):
                raise Complaint("the gradients still change after optimizer.step()")
        yield Quantity(f"{name[0]} step: from zero", begins_from_zero)
        yield Quantity(f"{name[0]} step: {name[1]} untouched", untouched)
        yield Quantity(f"{name[0]} step: half is enough", half_is_enough)
        yield Quantity(f"{name[0]} step: optimizer", once_and_last)
    yield answer(module.how_far_without_zero_grad, 1 + 2 + 3 + 4)
