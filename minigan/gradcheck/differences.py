"""A gradient beside its finite differences: how far apart they are, and what that may mean.

All is float64: in float32 a difference of losses drowns in rounding.
"""
from dataclasses import dataclass, field
from itertools import combinations
from typing import Callable

import numpy as np

from minigan.gradcheck.hints import explain

TOLERANCE = 1e-6  # right gradients come out between 1e-11 and 1e-7, wrong ones above 1e-4
STEP = 3e-6       # truncation errs by about step^2, rounding by 1e-16 / step: the best lies between


def require_float64(*arrays):
    for array in arrays:
        if not isinstance(array, (np.ndarray, np.generic)):  # x[i] of CuPy is a view: it would move
            raise TypeError("gradients are checked on NumPy arrays, got one of "
                            f'{type(array).__module__}: use .to("numpy") and to_host')
        if array.dtype != np.float64:
            raise TypeError(f"gradients are checked in float64, got {array.dtype}: "
                            "use .astype(np.float64)")


def numerical_gradient(f, x, h=STEP):
    """dL/dx of the number L = f(x) by central differences: (f(x + h e_i) - f(x - h e_i)) / 2h.

    x: a float64 array of any shape, which is not changed. The error is h^2 f''' / 6 from truncation
    plus about 1e-16 |f| / h from rounding: h = 3e-6 balances them. Raises TypeError unless x is
    a float64 NumPy array.
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
    """A gradient differs from its finite differences: then `report` is the Report. Or a layer
    breaks its contract."""

    def __init__(self, message, report=()):
        super().__init__(message)
        self.report = report


def _misfit(a, n):
    """Why the gradient a cannot even be compared with the differences n; None if it can."""
    a = np.asarray(a) if isinstance(a, np.generic) else a  # a sum over all axes is no array
    if not isinstance(a, np.ndarray):
        return "it is None: a return is missing" if a is None else f"it is no array but {a!r:.40}"
    if a.dtype != n.dtype:
        return f"it is {a.dtype} in a check that is all {n.dtype}: something changes the dtype"
    if a.shape != n.shape:
        return f"it has shape {a.shape}, and should have {n.shape}{_misshapen(a, n)}"
    bad = np.argwhere(~np.isfinite(a)).tolist()
    return f"it is not finite in {len(bad)} of {a.size} elements, as at {bad[0]}" if bad else None


def _misshapen(a, n):
    """How the wrong shape came about, by the shapes; by the numbers where these leave a choice."""
    if a.size == n.size:
        turned = a.shape == n.shape[::-1] and np.allclose(a.T, n, 1e-4)
        return ": it is the transpose" if turned else ": as many numbers, so a reshape is missing"
    for many, few, words in (a, n, "is missing"), (n, a, "is too many"):
        sums = {axes: many.sum(axes) for count in range(1, many.ndim + 1)
                for axes in combinations(range(many.ndim), count)}
        fit = [axes for axes in sums if sums[axes].shape == few.shape]
        fit = [axes for axes in fit if np.allclose(sums[axes], few, 1e-4)] or fit
        if len(fit) == 1:
            return f": a sum over axis {', '.join(map(str, fit[0]))} {words}"
    return ""


@dataclass
class Context:
    """What a check knows besides a gradient and its differences; any of it may be missing.

    Functions f return (number, sides). what_if: the gradient of f is what comes out if the sentence
    is the mistake. slope: how fast f changes as the gradient's own array moves along v.
    """

    x: np.ndarray = None                            # input and output of the layer,
    y: np.ndarray = None
    dy: np.ndarray = None                           # and what it is handed for the way back,
    handed: str = "dy"                              # by name
    parameters: dict = field(default_factory=dict)  # {name: value}
    numbers: dict = field(default_factory=dict)     # {what: k}, k may turn up as a wrong factor
    parts: dict = field(default_factory=dict)       # {name: f}, of which the number is the sum
    what_if: dict = field(default_factory=dict)     # {sentence: f}
    leftover: float = 0.0                           # what the gradient held before
    others: list = field(default_factory=list)      # the Comparisons of the same check
    slope: Callable = None                          # (f, v) -> float
    closer: Callable = None                         # () -> the differences of a smaller step


@dataclass
class Comparison:
    """One gradient beside its finite differences.

    error: |analytic - numeric| / max(|analytic|, |numeric|), the larger one of two: of the norms of
    the whole arrays, and of the worst single element. Differences carry rounding errors as large as
    `noise`, so elements below noise / TOLERANCE are measured against that. cosine: of the angle
    between the two arrays. kinks: how many elements were left out, because a ReLU changed sides
    between x - h and x + h. misfit: why the two cannot be compared at all; the error is infinite
    then. context: what else the check knows, for the hint.
    """

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    crossed: np.ndarray
    noise: float
    context: Context = field(default_factory=Context)

    def __post_init__(self):
        self.kinks = int(self.crossed.sum())
        self.misfit = _misfit(self.analytic, self.numeric)
        if self.misfit:
            self.error, self.cosine, self.right, self.vanishes = np.inf, np.nan, False, False
            return
        a, n = (array[~self.crossed] for array in (self.analytic, self.numeric))
        self.vanishes = max(abs(a).max(initial=0), abs(n).max(initial=0)) <= self.noise
        floor = self.noise / TOLERANCE
        elementwise = abs(a - n) / np.maximum(np.maximum(abs(a), abs(n)), floor)
        lengths = np.linalg.norm(a), np.linalg.norm(n)
        normwise = np.linalg.norm(a - n) / max(*lengths, floor * a.size ** 0.5, 1e-300)
        self.error = float(max(elementwise.max(initial=0), normwise))
        self.cosine = float(a @ n / max(lengths[0] * lengths[1], 1e-300))
        self.right = self.error <= TOLERANCE  # a NaN is not

    @property
    def verdict(self):
        if not self.right:
            return "WRONG"
        return "zero" if self.vanishes else "right"

    def hint(self):
        """The likely mistake in one line, or where it is worst if the numbers do not tell; of a
        right gradient, nothing."""
        return "" if self.right else self.misfit or explain(self)

    def __str__(self):
        shape = str(getattr(self.analytic, "shape", "-"))
        return (f"{self.name:<16} {shape:<16} {self.error:<9.1e} "
                f"{self.cosine:<10.6f} {self.kinks:<6} {self.verdict}"
                + ("" if self.right else f": {self.hint()}"))


class Report(list):
    """The Comparisons of one check, printed as a table."""

    def __init__(self, title, comparisons):
        super().__init__(comparisons)
        self.title = title
        for comparison in self:
            comparison.context.others = self

    def __str__(self):
        header = f"{'gradient':<16} {'shape':<16} {'error':<9} {'cosine':<10} {'kinks':<6} verdict"
        return "\n".join([self.title, header, *map(str, self)])

    def raise_if_wrong(self):
        """Raises GradientError if a gradient is wrong, or if all vanish and nothing was proved."""
        if not all(comparison.right for comparison in self):
            raise GradientError(f"wrong gradient (an error above {TOLERANCE:g})\n{self}", self)
        if all(comparison.vanishes for comparison in self):
            raise GradientError(f"all gradients are zero, so that nothing is proved\n{self}", self)
        return self
