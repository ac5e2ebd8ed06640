"""A gradient beside its finite differences: how far apart they are, and what that may mean.

All is float64: in float32 a difference of losses drowns in rounding.
"""
from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-6  # right gradients come out between 1e-11 and 1e-7, wrong ones above 1e-4
STEP = 3e-6       # truncation errs by about step^2, rounding by 1e-16 / step: the best lies between


def require_float64(*arrays):
    for array in arrays:
        if array.dtype != np.float64:
            raise TypeError(f"gradients are checked in float64, got {array.dtype}: "
                            "use .astype(np.float64)")


def numerical_gradient(f, x, h=STEP):
    """dL/dx of the number L = f(x) by central differences: (f(x + h e_i) - f(x - h e_i)) / 2h.

    x: a float64 array of any shape, which is not changed. The error is h^2 f''' / 6 from truncation
    plus about 1e-16 |f| / h from rounding: h = 3e-6 balances them. Raises TypeError unless x is
    float64.
    """
    return central_differences(lambda value: (f(value), []), x, h)[0]


def central_differences(f, x, h=STEP):
    """Central differences of f(x) -> (value, sides): gradient, where a side changed, noise."""
    require_float64(x)
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
    return gradient, crossed, rounding_noise(largest, h)


def rounding_noise(largest, h=STEP):
    """About how far off a difference quotient of values up to `largest` is by rounding."""
    return 1e-15 * max(1.0, largest) / h


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
        """The likely mistake in one line, or where it is worst if the numbers do not tell."""
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
