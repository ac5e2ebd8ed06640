"""The two steps of GAN training: the algorithm, and the heart of this library.

    z --G.forward--> x_fake --D.forward--> s_fake --loss--> value
            dz   <--  dx_fake  <--D.input_grad--  ds_fake <--'
             '-- not needed      '-- G.add_param_grads

The generator G makes fake images of noise z, the discriminator D gives each image a score s, high
if it takes it for real. A backward pass has two halves, and each step takes only what it needs. D
learns from the scores' gradients, and nobody asks for the gradient at the images. In G's step D
only relays the gradient: its input_grad leaves D's own gradients untouched, and is cheaper than the
whole, one of two products in each layer. So there is no "detach" here, and no "requires_grad"."""


def discriminator_step(generator, discriminator, optimizer, loss, x_real, z, penalty=None):
    """(1) Update D: tell real from fake. Returns loss value, mean D(x), mean D(G(z)).

    x_real: a batch of images; z: noise (N, latent). optimizer holds D's parameters. penalty, if
    given, is called as penalty(discriminator, x_real, x_fake), adds its own gradients to D's and
    returns its value, which is added to the loss value. D(x) is loss.shown of the scores, before
    the update. All three are 0-d arrays on the network's device: float(...) them when you log.
    Source: Goodfellow et al. 2014, algorithm 1."""
    x_fake = generator.forward(z)[0]  # as in training: G's running statistics move, nothing else
    s_real, cache_real = discriminator.forward(x_real)
    s_fake, cache_fake = discriminator.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    discriminator.zero_grad()
    discriminator.add_param_grads(ds_real, cache_real)
    discriminator.add_param_grads(ds_fake, cache_fake)
    if penalty is not None:
        value = value + penalty(discriminator, x_real, x_fake)
    optimizer.step()
    return value, loss.shown(s_real).mean(), loss.shown(s_fake).mean()


def generator_step(generator, discriminator, optimizer, loss, z):
    """(2) Update G: make D take fake for real. Returns loss value, mean D(G(z)).

    z: noise (N, latent). optimizer holds G's parameters. Both results as in discriminator_step."""
    x_fake, cache_generator = generator.forward(z)
    s_fake, cache_discriminator = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    dx_fake = discriminator.input_grad(ds_fake, cache_discriminator)
    generator.zero_grad()
    generator.add_param_grads(dx_fake, cache_generator)
    optimizer.step()
    return value, loss.shown(s_fake).mean()
