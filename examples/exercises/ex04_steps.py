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
    # TODO: D's gradients, of both passes, into its parameters: three lines
    raise NotImplementedError("not written yet: D step")
    if penalty is not None:  # not before exercise 10
        value = value + penalty(discriminator, x_real, x_fake)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    x_fake, cache_generator = generator.forward(z)
    s_fake, cache_discriminator = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    # TODO: back through D to the images, then G's gradients into its parameters: three lines
    raise NotImplementedError("not written yet: G step")
    optimizer.step()
    return value, loss.shown(s_fake).mean()
