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

Gradients are added up, so whoever learns begins from zero.

Done when `python examples/exercises/check.py 4` finds every gradient right, and the other network
untouched. After this exercise your own code learns: `python examples/exercises/play.py ring`.
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


# hint
# D's step: zero_grad, then add_param_grads twice, once for each pair of ds and cache.
# G's step: ds_fake is the gradient at D's output. The gradient at D's input, dx_fake, is also the
# gradient at G's output: it is what G's add_param_grads takes. `backward` would be too much, since
# it also adds to D's own gradients; input_grad changes nothing.


# check
import numpy as np  # noqa: E402
from quantities import (  # noqa: E402
    Complaint, Quantity, numbers, parameter_gradients, redrawn, saying)

import minigan  # noqa: E402


class Still:
    """An optimizer that changes nothing, so that the gradients can be looked at."""

    def step(self):
        pass


def check(module):
    rng = np.random.default_rng(40)
    G, D = [redrawn(minigan.Sequential(minigan.Dense(a, 4), minigan.Tanh(), minigan.Dense(4, b)),
                    rng) for a, b in [(2, 3), (3, 1)]]
    loss, x_real, z = minigan.NonSaturating(), numbers(rng, 5, 3), numbers(rng, 5, 2)

    def score(x):
        return D.forward(x)[0]

    def value_of_D():
        return loss.discriminator(score(x_real), score(G.forward(z)[0]))[0]

    def value_of_G():
        return loss.generator(score(G.forward(z)[0]))[0]

    def gradients(network, step, images, left=0.0):
        """Those of a network after a step, where `left` was left in them by the step before."""
        for p in G.parameters() + D.parameters():
            p.grad.fill(left)
        step(G, D, Still(), loss, *images, z)
        return [p.grad.copy() for p in network.parameters()]

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
            if any((grad != 0.5).any() for grad in gradients(other, step, images, 0.5)):
                raise Complaint("its gradients change, and it does not learn in this step: "
                                "a `backward`, an add_param_grads or a zero_grad too much")

        def both_halves(dy, cache):
            raise Complaint(f"{name[0]}.backward is called, which is both halves: one of them "
                            "computes what nobody asks for")

        def half_is_enough():
            learner.backward = both_halves
            try:
                gradients(learner, step, images)
            finally:
                del learner.backward
        yield Quantity(f"{name[0]} step: from zero", begins_from_zero)
        yield Quantity(f"{name[0]} step: {name[1]} untouched", untouched)
        yield Quantity(f"{name[0]} step: half is enough", half_is_enough)
