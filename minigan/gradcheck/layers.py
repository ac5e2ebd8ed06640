"""Checks of one layer, or of a whole network, alone.

If the loss is L = sum(R y), then dL/dy = R, whatever R is. So a layer that is handed dy = R has to
hand back the gradients of the number sum(R y), and those the differences know. R is random: with
ones in its place a norm's dx is zero, and every mistake passes."""
from functools import partial
from itertools import combinations

import numpy as np

from minigan.gradcheck.comparison import Comparison, Context, GradientError, Report
from minigan.gradcheck.differences import (
    STEP, bends, differ, require_float64, rounding_error, spread)
from minigan.gradcheck.probe import (
    Rewind, compare, compare_parameters, expect_equal, gradients, known_numbers, two,
    with_value)


def check_layer(layer, x, train=True, seed=0):
    """Proves dx and every parameter's gradient of a layer or network, and that the two halves of
    its backward pass keep to their contract. x: float64 input. Returns the Report."""
    require_float64(x)
    with Rewind(layer) as rewind:
        given = x.copy()
        y, cache = two(layer, "forward", "y and the cache", layer.forward(given, train))
        _require_numbers(layer, x, y)
        if y.dtype != np.float64:
            raise GradientError(f"{layer}: from a float64 x it makes a y of {y.dtype}")
        # In a GAN a network runs again before it goes back: still, all is that of the first pass.
        first, later_x = y.copy(), 0.5 - x
        layer.forward(later_x, train)
        expect_equal(layer, "a later forward pass writes into the y of an earlier one", y, first)
        # Not default_rng(seed), from which x may come: with R = x a transposed dW passes.
        R = np.random.default_rng([seed, 271828]).standard_normal(y.shape)
        at = x.copy()  # this one moves

        def number(weights=R, mode=train, shift=0.0):
            rewind()
            if mode != train:
                layer.forward(x, train)  # leaves the statistics that backward meets
            rewind.noted.clear()
            y, _ = layer.forward(at + shift, mode)
            return float((weights * y).sum()), rewind.noted[:]

        def again():
            rewind()
            _, cache = layer.forward(at, train)
            layer.zero_grad()
            return {"dx": layer.backward(R.copy(), cache), **_named_gradients(layer)}

        context = Context(x, y.copy(), R, numbers=known_numbers(x, y, layer),
                          parameters={name: p.value for name, p in layer.named_parameters()},
                          what_if=_mistakes(layer, number, x, y, R, train),
                          redrawn=partial(rewind.redrawn, [at]), again=again)
        context.what_if["it is the gradient of a later forward pass: it is not taken from the cache"
                        ] = partial(number, shift=later_x - x)
        dy = R.copy()
        layer.zero_grad()
        dx = layer.backward(dy, cache)
        report = Report(str(layer), [compare("dx", at, dx, number, context),
                                     *compare_parameters(layer, number, context)])
        if any(comparison.misfit for comparison in report):
            report.raise_if_wrong()
        # Before the numbers: who breaks the contract has wrong ones too, and this tells why.
        expect_equal(layer, "the layer writes into its x", given, x)
        expect_equal(layer, "the layer writes into its dy", dy, R)
        layer.forward(later_x, train)  # as above
        _check_halves(layer, "input_grad", "add_param_grads", dx, R, cache)
        return report.raise_if_wrong()


def _named_gradients(layer):
    return {name: p.grad.copy() for name, p in layer.named_parameters()}


def _require_numbers(layer, x, y):
    if not isinstance(y, np.ndarray):
        raise GradientError(f"{layer} makes of x no array y but {y!r:.40}")
    if not x.size or not y.size:
        raise ValueError(f"{layer} makes y of shape {y.shape} of x of shape {x.shape}: without a "
                         "number in both there is nothing to check, so take a larger batch")


def _check_halves(layer, input_half, param_half, dx, *handed):
    """Proves that the halves of the backward pass do what both together just did: the one gives
    the same dx and changes no gradient, the other adds the same gradients to what is there."""
    once = gradients(layer)
    again = getattr(layer, input_half)(*handed)
    untouched = gradients(layer)
    getattr(layer, param_half)(*handed)
    expect_equal(layer, f"{input_half} gives another dx than backward", again, dx)
    for (name, p), grad, kept in zip(layer.named_parameters(), once, untouched):
        expect_equal(layer, f"{input_half} changes a parameter's gradient", kept, grad)
        how = "overwrites" if np.array_equal(p.grad, grad) else "at a second call changes"
        expect_equal(layer, f"{param_half} {how} {name}.grad instead of adding to it",
                     p.grad, 2 * grad)


def _mistakes(layer, number, x, y, R, train):
    """{sentence: f}: if the gradient is that of f, the sentence is the mistake."""
    mistakes = {
        "it is the gradient for a dy of ones: dy is missing": partial(number, np.ones_like(R)),
        f"it is that of the formula for {'use' if train else 'training'}":
        partial(number, mode=not train)}
    if x.shape == y.shape:
        mistakes["it is the gradient at y, where that at x belongs"] = partial(number, shift=y - x)
    parts = {"the last example": np.s_[-1:]}
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
            turned = f"it is right for {name} with axes {i} and {j}"
            others[f"{turned} reversed"] = np.flip(W, (i, j))
            if W.shape[i] == W.shape[j]:
                others[f"{turned} swapped"] = W.swapaxes(i, j)
        mistakes |= {sentence: partial(with_value, W, other.copy(), number)
                     for sentence, other in others.items()}
    return mistakes


def check_tangent(layer, x, train=True, seed=0):
    """Proves the second order of a layer or network, at x and along a random x_dot.

    First y_dot, by the differences of y along x_dot. Now y_dot can be relied on, and so can the
    differences of sum(R y) + sum(R_dot y_dot), with random R and R_dot: they prove what
    tangent_backward gives for x, x_dot and every parameter. Returns the Report."""
    require_float64(x)
    with Rewind(layer) as rewind:
        y, cache = two(layer, "forward", "y and the cache", layer.forward(x, train))
        _require_numbers(layer, x, y)
        rng = np.random.default_rng([seed, 314159])
        x_dot, R, R_dot = (rng.standard_normal(shape) for shape in (x.shape, y.shape, y.shape))
        at, at_dot = x.copy(), x_dot.copy()  # these move
        numbers, redrawn = known_numbers(x, y, layer), partial(rewind.redrawn, [at, at_dot])

        def forward(x):
            rewind()
            return layer.forward(x, train)

        def number(of_y=1, of_y_dot=1):
            y, cache = forward(at)
            y_dot, _ = layer.tangent(at_dot, cache)
            return (float(of_y * (R * y).sum() + of_y_dot * (R_dot * y_dot).sum()),
                    rewind.noted[:])

        def again():
            _, cache = forward(at)
            layer.zero_grad()
            _, tcache = layer.tangent(at_dot, cache)
            dx, dx_dot = layer.tangent_backward(R.copy(), R_dot.copy(), tcache, cache)
            return {"dx": dx, "dx_dot": dx_dot, **_named_gradients(layer)}

        def context(of_y, of_y_dot, **arrays):
            """of_y, of_y_dot: how their shares of the gradient are called."""
            return Context(numbers=numbers, redrawn=redrawn, again=again, **arrays, parts={
                of_y: partial(number, 1, 0), of_y_dot: partial(number, 0, 1)})

        dy, dy_dot = R.copy(), R_dot.copy()
        layer.zero_grad()
        y_dot, tcache = two(layer, "tangent", "y_dot and tcache", layer.tangent(x_dot, cache))
        for h in STEP, STEP / 10, STEP / 100:  # a smaller one where y bends sharply
            along = Comparison("y_dot", y_dot, *_along(
                lambda x: (forward(x)[0], rewind.noted[:]), x, x_dot, h),
                Context(x, y, x_dot, "x_dot", numbers=numbers))
            if along.right or along.error > 1e-2:
                break
        if along.right and along.vanishes and not along.unproved:
            raise GradientError(f"{layer}, tangent: y_dot is zero at this x, so that nothing is "
                                "proved: take another x")
        if not along.right:  # then number is wrong, and all that is compared with it below
            Report(f"{layer}, tangent", [along]).raise_if_wrong()
        dx, dx_dot = two(layer, "tangent_backward", "dx and dx_dot", layer.tangent_backward(
            dy, dy_dot, tcache, cache))
        report = Report(f"{layer}, tangent", [
            along, compare("dx", at, dx, number, context("(∂y/∂x)^T dy", "the curvature")),
            compare("dx_dot", at_dot, dx_dot, number, context(
                "the share of dy", "the share of dy_dot", x=x, y=y, dy=R_dot, dy_name="dy_dot")),
            *compare_parameters(layer, number, context(
                "the share of dy", "the share of x_dot and dy_dot"))])
        report.raise_if_wrong()
        expect_equal(layer, "the layer writes into its dy, dy_dot", (dy, dy_dot), (R, R_dot))
        _check_halves(layer, "tangent_input_grads", "add_tangent_param_grads", (dx, dx_dot),
                      R, R_dot, tcache, cache)
        _check_none(layer, R, R_dot, tcache, cache)
        return report


def _along(f, x, x_dot, h):
    """The differences of y along x_dot, where f(x) -> (y, branches), as central_differences gives
    those of a number."""
    middle, _ = f(x)
    y_dot, noise, error = 0 * middle, 0 * middle, rounding_error(lambda x: f(x)[0], x)
    crossed = np.ones(middle.shape, bool)
    for h in (spread(x) * step for step in (h, h / 10, h / 100)):
        (above, branches), (below, others) = (f(x + t * x_dot) for t in (h, -h))
        y_dot[crossed], noise[crossed] = ((above - below) / (2 * h))[crossed], 10 * error / h
        crossed &= differ(branches, others) & bends(above, middle, below, h, 10 * error / h)
    return y_dot, crossed, noise


def _check_none(layer, R, R_dot, tcache, cache):
    """Proves that dy = None, which penalties hand in, is a dy of zeros."""
    results = []
    for dy in None, np.zeros_like(R):
        layer.zero_grad()
        dx, dx_dot = layer.tangent_backward(dy, R_dot, tcache, cache)
        results.append([0 * dx_dot if dx is None else dx, dx_dot, *gradients(layer)])
    for found, expected in zip(*results):
        expect_equal(layer, "dy = None gives another result than a dy of zeros", found, expected)
