"""The checks: of a layer alone, of its tangent, and of whole training steps."""
import numpy as np

from minigan.gradcheck.differences import (
    STEP, Comparison, GradientError, Report, central_differences, require_float64, rounding_noise)
from minigan.train import discriminator_step, generator_step


class _Rewind:
    """Puts running statistics and random streams back, so that equal calls give equal results."""

    def __init__(self, *networks, random=()):
        layers = [layer for network in networks for _, layer in network.walk()]
        self.buffers = [(layer, name, getattr(layer, name).copy())
                        for layer in layers for name in layer.buffers]
        self.streams = [(thing.rng, thing.rng.bit_generator.state)
                        for thing in (*layers, *random) if hasattr(thing, "rng")]

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


def check_tangent(layer, x, train=True, seed=0):
    """Checks tangent and tangent_backward of a layer or network, at x and along a random x_dot.

    y_dot is compared with the differences of y along x_dot; then the gradients of sum(R * y) +
    sum(R_dot * y_dot), with random R and R_dot, with respect to x, x_dot and every parameter with
    the differences of that number. Returns the Report.
    """
    require_float64(x)
    rewind = _Rewind(layer)
    y, cache = layer.forward(x, train)
    rng = np.random.default_rng([seed, 314159])
    x_dot, R, R_dot = (rng.standard_normal(shape) for shape in (x.shape, y.shape, y.shape))

    def forward(x=x):
        rewind()
        y, cache = layer.forward(x, train)
        return y, cache, layer.sides(cache)

    def evaluate(x=x, x_dot=x_dot):
        y, cache, sides = forward(x)
        y_dot, _ = layer.tangent(x_dot, cache)
        return float((R * y).sum() + (R_dot * y_dot).sum()), sides

    layer.zero_grad()
    y_dot, tcache = layer.tangent(x_dot, cache)
    dx, dx_dot = layer.tangent_backward(R, R_dot, tcache, cache)
    analytic = [p.grad.copy() for p in layer.parameters()]
    above, _, sides_above = forward(x + STEP * x_dot)
    below, _, sides_below = forward(x - STEP * x_dot)
    crossed = any((a != b).any() for a, b in zip(sides_above, sides_below))
    comparisons = [
        Comparison("y_dot", y_dot, (above - below) / (2 * STEP), np.full(y.shape, crossed),
                   rounding_noise(abs(y).max())),
        Comparison("dx", dx, *central_differences(evaluate, x)),
        Comparison("dx_dot", dx_dot, *central_differences(lambda v: evaluate(x_dot=v), x_dot)),
        *_compare_parameters(layer, evaluate, analytic)]
    rewind()
    return Report(f"{layer}, tangent", comparisons).raise_if_wrong()


def _expect_equal(subject, complaint, found, expected):
    if not np.allclose(found, expected, rtol=1e-9, atol=1e-12, equal_nan=True):
        raise GradientError(f"{subject}: {complaint}")


class _NoUpdate:
    """Stands where the optimizer stands, and leaves parameters and gradients for the check."""

    def step(self):
        pass


class _Watched:
    """A network that notes, at each forward pass, on which sides of its kinks its inputs fell."""

    def __init__(self, network, sides):
        self.network = network
        self.noted = sides

    def __getattr__(self, name):
        return getattr(self.network, name)

    def forward(self, x, train=True):
        y, cache = self.network.forward(x, train)
        self.noted += self.network.sides(cache)
        return y, cache


def check_discriminator_step(generator, discriminator, loss, x_real, z, penalty=None,
                             step=discriminator_step):
    """Checks every gradient that a whole D step leaves in D, and that G stays untouched.

    The differences are those of the loss value, penalty included. A penalty that draws random
    numbers keeps its Generator as `rng`, so that it can be made to repeat them. step: the function
    that is checked, with the arguments of discriminator_step. Returns the Report.
    """
    def evaluate(generator, discriminator):
        x_fake, _ = generator.forward(z)
        s_real, _ = discriminator.forward(x_real)
        s_fake, _ = discriminator.forward(x_fake)
        value, *ds = loss.discriminator(s_real, s_fake)
        if penalty is not None:
            value = value + penalty(discriminator, x_real, x_fake)
        return value, ds

    title = f"discriminator step, {loss}" + (f", {penalty}" if penalty is not None else "")
    return _check_step(title, generator, discriminator, discriminator, evaluate, lambda: step(
        generator, discriminator, _NoUpdate(), loss, x_real, z, penalty), penalty)


def check_generator_step(generator, discriminator, loss, z, step=generator_step):
    """Checks every gradient that a whole G step leaves in G, and that D stays untouched.

    As check_discriminator_step; step: a function with the arguments of generator_step.
    """
    def evaluate(generator, discriminator):
        x_fake, _ = generator.forward(z)
        s_fake, _ = discriminator.forward(x_fake)
        value, ds_fake = loss.generator(s_fake)
        return value, [ds_fake]

    return _check_step(f"generator step, {loss}", generator, discriminator, generator, evaluate,
                       lambda: step(generator, discriminator, _NoUpdate(), loss, z))


def _check_step(title, generator, discriminator, learner, evaluate, run, penalty=None):
    other = generator if learner is discriminator else discriminator
    require_float64(*(p.value for p in learner.parameters() + other.parameters()))
    rewind = _Rewind(learner, other, random=[penalty])
    for p in learner.parameters() + other.parameters():
        p.grad.fill(0.5)  # as an earlier step left it: the learner must clear it, the other keep it
    before = [p.value.copy() for p in other.parameters()]
    value = float(run()[0])
    analytic = [p.grad.copy() for p in learner.parameters()]
    for (name, p), old in zip(other.named_parameters(), before):
        if (p.value != old).any() or (p.grad != 0.5).any():
            raise GradientError(f"{title}: it touches {name} of the network that does not learn")

    def value_and_sides():
        rewind()
        sides = []
        value, ds = evaluate(_Watched(generator, sides), _Watched(discriminator, sides))
        return float(value), sides + [np.sign(array) for array in ds]  # the kinks of the hinge loss
    _expect_equal(title, "its loss value is not that of the loss", value, value_and_sides()[0])
    report = Report(title, _compare_parameters(learner, value_and_sides, analytic))
    rewind()
    return report.raise_if_wrong()
