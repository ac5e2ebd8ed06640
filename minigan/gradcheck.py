"""Is a gradient right? Compare it with finite differences, and say what is wrong if it is not.

    check_layer(layer, x)                     each layer, or a whole network, alone
    check_discriminator_step(G, D, loss, x_real, z)
    check_generator_step(G, D, loss, z)       the steps as training runs them: a cache that went
                                              stale or a path that bypasses D shows only here

Each raises GradientError, with a table and a hint, if any gradient is wrong, and else returns the
table. Networks and data are float64: net.astype(np.float64).
"""
import numpy as np

from minigan.differences import (
    Comparison, GradientError, Report, central_differences, require_float64)
from minigan.train import discriminator_step, generator_step


class _Rewind:
    """Puts running statistics and random streams back, so that equal calls give equal results."""

    def __init__(self, *networks):
        self.layers = [layer for network in networks for _, layer in network.walk()]
        self.buffers = [(layer, name, getattr(layer, name).copy())
                        for layer in self.layers for name in layer.buffers]
        self.streams = [(layer.rng, layer.rng.bit_generator.state)
                        for layer in self.layers if hasattr(layer, "rng")]

    def __call__(self):
        for layer, name, array in self.buffers:
            setattr(layer, name, array.copy())
        for rng, state in self.streams:
            rng.bit_generator.state = state


def _compare_parameters(network, evaluate, analytic):
    """A Comparison for each parameter: analytic[i] beside the differences of evaluate()."""
    for (name, parameter), gradient in zip(network.named_parameters(), analytic):
        original = parameter.value.copy()

        def at(value, parameter=parameter):
            parameter.value[...] = value
            return evaluate()
        numeric, crossed, noise = central_differences(at, original)
        parameter.value[...] = original
        yield Comparison(name, gradient, numeric, crossed, noise)


def check_layer(layer, x, train=True, seed=0):
    """Checks dx and every parameter's gradient of a layer or network, and the layer's contract.

    x: float64 input. The number that is differentiated is sum(R * y), with random R: with ones in
    its place a norm's gradient is zero and every mistake passes. Returns the Report.
    """
    require_float64(x)
    rewind = _Rewind(layer)
    y, cache = layer.forward(x, train)
    # Not the stream of default_rng(seed), from which x may come: with R = x a transposed dW passes.
    R = np.random.default_rng([seed, 271828]).standard_normal(y.shape)

    def evaluate(value=x):
        rewind()
        y, cache = layer.forward(value, train)
        return float((R * y).sum()), layer.sides(cache)

    given = x.copy(), R.copy()
    layer.zero_grad()
    dx = layer.backward(R, cache)
    once = [p.grad.copy() for p in layer.parameters()]
    if dx.shape != x.shape:
        raise GradientError(f"{layer}: dx has shape {dx.shape}, x has {x.shape}")
    _expect_equal(layer, "input_grad gives another dx than backward",
                  layer.input_grad(R, cache), dx)
    for p, grad in zip(layer.parameters(), once):
        _expect_equal(layer, "input_grad changes a parameter's gradient", p.grad, grad)
    layer.add_param_grads(R, cache)
    for (name, p), grad in zip(layer.named_parameters(), once):
        _expect_equal(layer, f"add_param_grads overwrites {name}.grad instead of adding",
                      p.grad, 2 * grad)
    comparisons = [Comparison("dx", dx, *central_differences(evaluate, x)),
                   *_compare_parameters(layer, evaluate, once)]
    _expect_equal(layer, "the layer writes into its x", x, given[0])
    _expect_equal(layer, "the layer writes into its dy", R, given[1])
    rewind()
    return Report(str(layer), comparisons).raise_if_wrong()


def _expect_equal(subject, complaint, found, expected):
    if not np.allclose(found, expected, rtol=1e-9, atol=1e-12, equal_nan=True):
        raise GradientError(f"{subject}: {complaint}")


class _NoUpdate:
    """Stands where the optimizer stands, and leaves parameters and gradients for the check."""

    def step(self):
        pass


def check_discriminator_step(generator, discriminator, loss, x_real, z, penalty=None,
                             step=discriminator_step):
    """Checks every gradient that a whole D step leaves in D, and that G stays untouched.

    The differences are those of the loss value, by forward passes alone. step: the function that is
    checked, with the arguments of discriminator_step. Returns the Report.
    """
    def evaluate():
        x_fake, _ = generator.forward(z)
        s_real, cache_real = discriminator.forward(x_real)
        s_fake, cache_fake = discriminator.forward(x_fake)
        value, *ds = loss.discriminator(s_real, s_fake)
        if penalty is not None:
            value = value + penalty(discriminator, x_real, x_fake)
        return value, [*discriminator.sides(cache_real), *discriminator.sides(cache_fake),
                       *map(np.sign, ds)]

    return _check_step("discriminator step", discriminator, generator, evaluate, loss, lambda: step(
        generator, discriminator, _NoUpdate(), loss, x_real, z, penalty))


def check_generator_step(generator, discriminator, loss, z, step=generator_step):
    """Checks every gradient that a whole G step leaves in G, and that D stays untouched.

    As check_discriminator_step; step: a function with the arguments of generator_step.
    """
    def evaluate():
        x_fake, cache_generator = generator.forward(z)
        s_fake, cache_discriminator = discriminator.forward(x_fake)
        value, ds_fake = loss.generator(s_fake)
        return value, [*generator.sides(cache_generator),
                       *discriminator.sides(cache_discriminator), np.sign(ds_fake)]

    return _check_step("generator step", generator, discriminator, evaluate, loss, lambda: step(
        generator, discriminator, _NoUpdate(), loss, z))


def _check_step(title, learner, other, evaluate, loss, run):
    require_float64(*(p.value for p in learner.parameters() + other.parameters()))
    rewind = _Rewind(learner, other)
    for p in learner.parameters() + other.parameters():
        p.grad.fill(0.5)  # as an earlier step left it: the learner must clear it, the other keep it
    before = [p.value.copy() for p in other.parameters()]
    value = float(run()[0])
    analytic = [p.grad.copy() for p in learner.parameters()]
    for (name, p), old in zip(other.named_parameters(), before):
        if (p.value != old).any() or (p.grad != 0.5).any():
            raise GradientError(f"{title}: it touches {name} of the network that does not learn")

    def rewound():
        rewind()
        return evaluate()
    _expect_equal(title, "its loss value is not that of the loss", value, rewound()[0])
    report = Report(f"{title}, {loss}", _compare_parameters(learner, rewound, analytic))
    rewind()
    return report.raise_if_wrong()
