"""A gradient beside its differences: how far apart the two are, and the table that says so."""
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from minigan.gradcheck.differences import TOLERANCE
from minigan.gradcheck.hints import explain, misfit

ROW = "{:<16} {:<16} {:<9} {:<10} {:<6} {}".format


class GradientError(AssertionError):
    """A gradient differs from its differences: then `report` is the Report. Or a layer or a step
    breaks its contract."""

    def __init__(self, message, report=()):
        super().__init__(message)
        self.report = report


@dataclass
class Context:
    """What a check knows besides a gradient and its differences, for the hint; any may be missing.
    Functions f return (number, branches)."""

    x: np.ndarray = None                            # input and output of the layer,
    y: np.ndarray = None
    dy: np.ndarray = None                           # and what it is handed for the way back,
    dy_name: str = "dy"                             # by name
    parameters: dict = field(default_factory=dict)  # {name: value}
    numbers: dict = field(default_factory=dict)     # of known_numbers: may be a wrong factor
    parts: dict = field(default_factory=dict)       # {name: f}, of which the number is the sum
    what_if: dict = field(default_factory=dict)     # {the mistake, if the gradient is that of f: f}
    leftover: float = 0.0                           # what the gradient held before
    others: list = field(default_factory=list)      # the Comparisons of the same check
    slope: Callable = None                          # (f, v) -> that of f as the array moves along v
    finer: Callable = None                          # () -> the differences of a smaller step
    redrawn: Callable = None                        # (seed) -> with it: other numbers everywhere
    again: Callable = None                          # () -> {name: gradient} at the present place


@dataclass
class Comparison:
    """One gradient beside its differences.

    error: |analytic - numeric| / max(|analytic|, |numeric|) of the worst element. Differences carry
    rounding errors as large as `noise`, so elements below noise / TOLERANCE are measured by it.
    cosine: of the angle between the two. kinks: how many elements are left out, because they
    `crossed` one. silent: the share of elements that do not stand out of the noise; `vanishes` if
    all are. misfit: why the two cannot be compared; the error is infinite then."""

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    crossed: np.ndarray
    noise: np.ndarray
    context: Context = field(default_factory=Context)

    def __post_init__(self):
        self.kinks = int(self.crossed.sum())
        self.misfit = misfit(self.analytic, self.numeric)
        self.error, self.cosine, self.silent = np.inf, np.nan, 0.0
        if not self.misfit:
            a, n = self.analytic[~self.crossed], self.numeric[~self.crossed]
            sizes = np.maximum(abs(a), abs(n))
            noise = np.broadcast_to(self.noise, self.numeric.shape)[~self.crossed]
            apart = abs(a - n) / np.maximum(sizes, noise / TOLERANCE)
            self.error = float(apart.max(initial=0))
            self.cosine = float(a @ n / max(np.linalg.norm(a) * np.linalg.norm(n), 1e-300))
            self.silent = float((sizes <= 1000 * noise).mean()) if sizes.size else 1.0
        self.vanishes = self.silent == 1
        self.noise = float(np.max(self.noise, initial=0))
        self.right = self.error <= TOLERANCE  # a NaN is not
        self.unproved = self.right and self.kinks > 0.9 * self.crossed.size
        self.verdict = ("WRONG" if not self.right else "unproved" if self.unproved else
                        "zero" if self.vanishes else "right")

    def hint(self):
        """The likely mistake in one line, or where it is worst if the numbers do not tell; of a
        right gradient, nothing."""
        return "" if self.right else self.misfit or explain(self)

    def __str__(self):
        shape = str(getattr(self.analytic, "shape", "-"))
        return ROW(self.name, shape, f"{self.error:.1e}", f"{self.cosine:.6f}", self.kinks,
                   self.verdict if self.right else f"{self.verdict}: {self.hint()}")


class Report(list):
    """The Comparisons of one check, printed as a table."""

    def __init__(self, title, comparisons):
        super().__init__(comparisons)
        self.title = title
        for comparison in self:
            comparison.context.others = self

    def __str__(self):
        header = ROW("gradient", "shape", "error", "cosine", "kinks", "verdict")
        return "\n".join([self.title, header, *map(str, self)])

    def raise_if_wrong(self):
        """Raises GradientError if a gradient is wrong, or if nothing was proved of one."""
        if not all(comparison.right for comparison in self):
            raise GradientError(f"wrong gradient (an error above {TOLERANCE:g})\n{self}", self)
        unproved = [comparison.name for comparison in self if comparison.unproved]
        if unproved:
            raise GradientError(f"nothing is proved of {', '.join(unproved)}, where (nearly) all "
                                f"elements are at a kink: take another x or seed\n{self}", self)
        if all(comparison.vanishes for comparison in self):
            raise GradientError(f"all gradients are zero, so that nothing is proved\n{self}", self)
        return self
