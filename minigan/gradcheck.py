"""Is a gradient right? Compare it with finite differences, and say what is wrong if it is not.

    check_layer(layer, x)                     each layer, or a whole network, alone
    check_discriminator_step(G, D, loss, x_real, z)
    check_generator_step(G, D, loss, z)       the steps as training runs them: a cache that went
                                              stale or a path that bypasses D shows only here

Each raises GradientError, with a table and a hint, if any gradient is wrong, and else returns the
table. All is float64: in float32 a difference of losses drowns in rounding.
"""
from dataclasses import dataclass

import numpy as np

from minigan.train import discriminator_step, generator_step

TOLERANCE = 1e-6  # right gradients come out between 1e-11 and 1e-7, wrong ones above 1e-4
STEP = 3e-6       # truncation errs by about step^2, rounding by 1e-16 / step: the best lies between


class GradientError(AssertionError):
    """A gradient differs from its finite differences, or a layer breaks its contract."""


@dataclass
class Comparison:
    """One gradient beside its finite differences.

    error: |analytic - numeric| / max(|analytic|, |numeric|), the larger one of two: of the norms of
    the whole arrays, and of the worst single element. Differences carry rounding errors as large as
    `noise`, so elements below noise / TOLERANCE are measured against that. cosine: of the angle
    between the two arrays. kinks: how many elements were left out, because a ReLU changed sides
    between x - h and x + h.
    """

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    crossed: np.ndarray
    noise: float

    def __post_init__(self):
        a, n = (array[~self.crossed] for array in (self.analytic, self.numeric))
        self.kinks = int(self.crossed.sum())
        self.vanishes = max(abs(a).max(initial=0), abs(n).max(initial=0)) <= self.noise
        floor = self.noise / TOLERANCE
        elementwise = abs(a - n) / np.maximum(np.maximum(abs(a), abs(n)), floor)
        lengths = np.linalg.norm(a), np.linalg.norm(n)
        normwise = np.linalg.norm(a - n) / max(*lengths, floor * a.size ** 0.5)
        self.error = float(max(elementwise.max(initial=0), normwise))
        self.cosine = float(a @ n / max(lengths[0] * lengths[1], 1e-300))
        self.right = self.error <= TOLERANCE  # a NaN is not

    @property
    def verdict(self):
        if not self.right:
            return "WRONG"
        return "zero" if self.vanishes else "right"

    def hint(self):
        """The likely mistake in one line; empty where the numbers do not tell."""
        a, n = self.analytic, self.numeric
        if not np.isfinite(a).all():
            return "it is not finite"
        if not a.any():
            return "it is all zero: the path is cut, or nothing was added"
        if a.ndim == 2 and a.shape[0] == a.shape[1] and np.allclose(a.T, n, 1e-4, self.noise):
            return "it is the transpose of the right one"
        ratio = float((a * n).sum() / max((n * n).sum(), 1e-300))
        if abs(ratio - 1) > 1e-3 and np.allclose(a, ratio * n, 1e-4, self.noise):
            if abs(ratio + 1) < 1e-4:
                return "the sign is wrong"
            return (f"it is {ratio:.4g} times the right one: a sum in place of a mean, "
                    "a mean in place of a sum, or a factor forgotten")
        where = np.unravel_index(np.argmax(np.where(self.crossed, 0, abs(a - n))), a.shape)
        index = ", ".join(map(str, where))
        return f"worst at [{index}]: {a[where]:.6g} instead of {n[where]:.6g}"

    def __str__(self):
        return (f"{self.name:<16} {str(self.analytic.shape):<16} {self.error:<9.1e} "
                f"{self.cosine:<10.6f} {self.kinks:<6} {self.verdict}"
                + ("" if self.right else f": {self.hint()}"))


class Report(list):
    """The Comparisons of one check, printed as a table."""

    def __init__(self, title, comparisons):
        super().__init__(comparisons)
        self.title = title

    def __str__(self):
        header = f"{'gradient':<16} {'shape':<16} {'error':<9} {'cosine':<10} {'kinks':<6} verdict"
        return "\n".join([self.title, header, *map(str, self)])

    def raise_if_wrong(self):
        """Raises GradientError if a gradient is wrong, or if all vanish and nothing was proved."""
        if not all(comparison.right for comparison in self):
            raise GradientError(f"wrong gradient (an error above {TOLERANCE:g})\n{self}")
        if all(comparison.vanishes for comparison in self):
            raise GradientError(f"all gradients are zero, so that nothing is proved\n{self}")
        return self


def numerical_gradient(f, x, h=STEP):
    """dL/dx of the number L = f(x) by central differences: (f(x + h e_i) - f(x - h e_i)) / 2h.

    x: a float64 array of any shape, which is not changed. The error is h^2 f''' / 6 from truncation
    plus about 1e-16 |f| / h from rounding: h = 3e-6 balances them. Raises TypeError unless x is
    float64.
    """
    return _differences(lambda value: (f(value), []), x, h)[0]


def _differences(f, x, h=STEP):
    """Central differences of f(x) -> (value, sides): gradient, where a side changed, noise."""
    if x.dtype != np.float64:
        raise TypeError(f"gradients are checked in float64, got {x.dtype}: use .astype(np.float64)")
    x = x.copy()
    gradient, crossed, largest = np.zeros(x.shape), np.zeros(x.shape, bool), 0.0
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above, sides_above = f(x)
        x[index] = kept - h
        below, sides_below = f(x)
        x[index] = kept
        gradient[index] = (above - below) / (2 * h)
        crossed[index] = any((a != b).any() for a, b in zip(sides_above, sides_below))
        largest = max(largest, abs(above))
    return gradient, crossed, 1e-15 * max(1.0, largest) / h


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
        numeric, crossed, noise = _differences(at, original)
        parameter.value[...] = original
        yield Comparison(name, gradient, numeric, crossed, noise)


def check_layer(layer, x, train=True, seed=0):
    """Checks dx and every parameter's gradient of a layer or network, and the layer's contract.

    x: float64 input. The number that is differentiated is sum(R * y), with random R: with ones in
    its place a norm's gradient is zero and every mistake passes. Returns the Report.
    """
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
    comparisons = [Comparison("dx", dx, *_differences(evaluate, x)),
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
