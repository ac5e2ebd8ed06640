"""Checks of one layer, or of a whole network, alone."""
from functools import partial
from itertools import combinations

import numpy as np

from minigan.gradcheck.differences import (
    STEP, Comparison, Context, GradientError, Report, require_float64, rounding_noise)
from minigan.gradcheck.probe import (
    Rewind, compare, compare_parameters, expect_equal, gradients, known_numbers, with_value)


def check_layer(layer, x, train=True, seed=0):
    """Checks dx and every parameter's gradient of a layer or network, and the layer's contract.

    x: float64 input. The number that is differentiated is sum(R * y), with random R: with ones in
    its place a norm's gradient is zero and every mistake passes. Returns the Report.
    """
    require_float64(x)
    with Rewind(layer) as rewind:
        given = x.copy()
        y, cache = layer.forward(given, train)
        if y.dtype != np.float64:
            raise GradientError(f"{layer}: from a float64 x it makes a y of {y.dtype}")
        # Not the stream of default_rng(seed), from which x may come: with R = x a transposed dW
        # passes.
        R = np.random.default_rng([seed, 271828]).standard_normal(y.shape)
        at = x.copy()  # this one moves

        def number(weights=R, mode=train, shift=0.0):
            rewind()
            if mode != train:
                layer.forward(x, train)  # leaves the statistics that backward meets
            y, cache = layer.forward(at + shift, mode)
            return float((weights * y).sum()), layer.branches(cache)

        context = Context(x, y.copy(), R, numbers=known_numbers(x, y, layer),
                          parameters={name: p.value for name, p in layer.named_parameters()},
                          what_if=_mistakes(layer, number, x, y, R, train))
        dy = R.copy()
        layer.zero_grad()
        dx = layer.backward(dy, cache)
        once = gradients(layer)
        report = Report(str(layer), [compare("dx", at, dx, number, context),
                                     *compare_parameters(layer, once, number, context)])
        if any(comparison.misfit for comparison in report):
            report.raise_if_wrong()
        again = layer.input_grad(dy, cache)
        untouched = gradients(layer)
        layer.add_param_grads(dy, cache)
        expect_equal(layer, "the layer writes into its x", given, x)
        expect_equal(layer, "the layer writes into its dy", dy, R)
        expect_equal(layer, "input_grad gives another dx than backward", again, dx)
        for (name, p), grad, kept in zip(layer.named_parameters(), once, untouched):
            expect_equal(layer, "input_grad changes a parameter's gradient", kept, grad)
            how = "overwrites" if np.array_equal(p.grad, grad) else "at a second call changes"
            expect_equal(layer, f"add_param_grads {how} {name}.grad instead of adding to it",
                         p.grad, 2 * grad)
        return report.raise_if_wrong()


def _mistakes(layer, number, x, y, R, train):
    """{sentence: f}: if the gradient is that of f, the sentence is the mistake."""
    mistakes = {
        "it is the gradient for a dy of ones: dy is missing": partial(number, np.ones_like(R)),
        "it is that of the formula for " + ("use" if train else "training"):
        partial(number, mode=not train)}
    if x.shape == y.shape:
        mistakes["it is the gradient at y, where that at x belongs"] = partial(number, shift=y - x)

    parts = {"the first example": 0, "the last example": -1}
    if x.ndim == y.ndim == 4:
        k = max(1, y.shape[1] // x.shape[1])
        parts |= {"the last place": np.s_[:, -1, -1],
                  "one output of each input": np.s_[:, ::k, ::k]}
    for part, index in parts.items():
        weights = np.zeros_like(R)
        weights[index] = R[index]
        mistakes[f"only {part} has a part in it: = where += belongs"] = partial(number, weights)

    for name, p in layer.named_parameters():
        W = p.value
        others = {f"{name} is missing in it": np.ones_like(W), f"{name} is in it twice": W * W}
        for i, j in combinations(range(W.ndim), 2):
            if W.shape[i] == W.shape[j]:
                turned = f"it is right for {name} with axes {i} and {j}"
                others |= {f"{turned} swapped": W.swapaxes(i, j),
                           f"{turned} reversed": np.flip(W, (i, j))}
        for sentence, other in others.items():
            mistakes[sentence] = partial(with_value, W, other.copy(), number)
    return mistakes


def check_tangent(layer, x, train=True, seed=0):
    """Checks tangent and tangent_backward of a layer or network, at x and along a random x_dot.

    y_dot is compared with the differences of y along x_dot; then the gradients of sum(R * y) +
    sum(R_dot * y_dot), with random R and R_dot, with respect to x, x_dot and every parameter with
    the differences of that number. Returns the Report.
    """
    require_float64(x)
    with Rewind(layer) as rewind:
        y, cache = layer.forward(x, train)
        rng = np.random.default_rng([seed, 314159])
        x_dot, R, R_dot = (rng.standard_normal(shape) for shape in (x.shape, y.shape, y.shape))
        at, at_dot = x.copy(), x_dot.copy()  # these move

        def forward(x):
            rewind()
            y, cache = layer.forward(x, train)
            return y, cache, layer.branches(cache)

        def number(of_y=1, of_y_dot=1):
            y, cache, sides = forward(at)
            y_dot, _ = layer.tangent(at_dot, cache)
            return float(of_y * (R * y).sum() + of_y_dot * (R_dot * y_dot).sum()), sides

        def context(term, other, **arrays):
            """term: how the share of y in the gradient is called; other: the share of y_dot."""
            return Context(numbers=known_numbers(x, y, layer), **arrays, parts={
                term: partial(number, 1, 0), other: partial(number, 0, 1)})

        layer.zero_grad()
        y_dot, tcache = layer.tangent(x_dot, cache)
        dx, dx_dot = layer.tangent_backward(R, R_dot, tcache, cache)
        analytic = gradients(layer)
        above, _, sides_above = forward(x + STEP * x_dot)
        below, _, sides_below = forward(x - STEP * x_dot)
        crossed = any((a != b).any() for a, b in zip(sides_above, sides_below))
        report = Report(f"{layer}, tangent", [
            Comparison("y_dot", y_dot, (above - below) / (2 * STEP), np.full(y.shape, crossed),
                       rounding_noise(abs(y).max()),
                       Context(x, y, x_dot, "x_dot", numbers=known_numbers(x, y, layer))),
            compare("dx", at, dx, number, context("(dy/dx)^T dy", "the curvature")),
            compare("dx_dot", at_dot, dx_dot, number, context(
                "the share of dy", "the share of dy_dot", x=x, y=y, dy=R_dot,
                handed="dy_dot")),
            *compare_parameters(layer, analytic, number, context(
                "the share of dy", "the share of x_dot and dy_dot"))])
        report.raise_if_wrong()
        _check_tangent_contract(layer, R, R_dot, tcache, cache)
        return report


def _check_tangent_contract(layer, R, R_dot, tcache, cache):
    """Penalties hand in dy = None for zero, and count on gradients that are added."""
    dy, dy_dot = R.copy(), R_dot.copy()
    layer.zero_grad()
    layer.add_tangent_param_grads(dy, dy_dot, tcache, cache)
    once = gradients(layer)
    layer.add_tangent_param_grads(dy, dy_dot, tcache, cache)
    expect_equal(layer, "the layer writes into its dy", dy, R)
    expect_equal(layer, "the layer writes into its dy_dot", dy_dot, R_dot)
    for (name, p), grad in zip(layer.named_parameters(), once):
        expect_equal(layer, f"add_tangent_param_grads overwrites {name}.grad instead of adding",
                     p.grad, 2 * grad)
    results = []
    for zero in (np.zeros_like(R), None):
        layer.zero_grad()
        dx, _ = layer.tangent_backward(zero, R_dot, tcache, cache)
        results.append([0.0 if dx is None else dx, *gradients(layer)])
    for from_zeros, from_none in zip(*results):
        expect_equal(layer, "dy = None gives another result than a dy of zeros",
                     from_none + 0 * from_zeros, from_zeros)
