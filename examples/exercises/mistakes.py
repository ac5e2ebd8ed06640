"""Which mistake is it? One of those in MISTAKES, which each solution lists for its gaps.

A listed mistake is code that a learner may write into a gap. It runs in the place of the learner's
own function for one call; if the quantity then comes out as the learner's did, that is the mistake.
So numbers are compared, not code: it does not matter how the learner has written it.
"""
import inspect
from collections import Counter
from functools import lru_cache, reduce
from textwrap import indent
from types import CodeType, FunctionType

import numpy as np
from gaps import GAP, parts_of
from quantities import Complaint

NoneType = type(None)


def outcome(quantity):
    """What the learner's code gives: an array, None, or the exception that it raises."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yours = quantity.yours()
        if quantity.right and not isinstance(yours, (np.ndarray, np.number, float, int, NoneType)):
            raise Complaint(f"it is to return an array, got one {type(yours).__name__}")
        return yours
    except Exception as error:
        return error


def same(one, other):
    """Are two outcomes equal, but for rounding?"""
    if isinstance(one, (Exception, NoneType)) or isinstance(other, (Exception, NoneType)):
        return type(one) is type(other) and str(one) == str(other)
    a, b = np.asarray(one), np.asarray(other)
    return a.shape == b.shape and a.dtype.kind in "fiu" and np.allclose(a, b, 1e-6, 1e-12)


@lru_cache(maxsize=None)
def function_with(number, gap, code=None):
    """The names that lead to the function with this gap, as (Dense, dW), and its code object when
    `code` is in the gap; without it, when the solution is."""
    text, _ = parts_of(number)
    found = next(match for match in GAP.finditer(text) if match[2] == gap)
    line = text.count("\n", 0, found.start()) + 1
    if code is not None:
        filled = indent(inspect.cleandoc(code), found[1]) + "\n"
        text = text[:found.start()] + filled + text[found.end():]
    inner, names = compile(text, f"a mistake in {gap}", "exec"), []
    while above := [constant for constant in inner.co_consts if isinstance(constant, CodeType)
                    and constant.co_name[0] != "<" and constant.co_firstlineno <= line]:
        inner = above[-1]  # the last class or function that begins above the gap
        names.append(inner.co_name)
    return names, inner


class Mistakes:
    """The listed mistakes of an exercise, {gap: {code: words}}, beside a learner's module."""

    def __init__(self, number, listed, module):
        self.gaps = []  # (the learner's function, the right code, [(wrong code, words)])
        for gap, mistakes in listed.items():
            names, right = function_with(number, gap)
            function = reduce(lambda thing, name: getattr(thing, name, None), names, module)
            if isinstance(function, FunctionType) and function.__globals__ is vars(module):
                self.gaps.append((function, right, [
                    (function_with(number, gap, code)[1], words)
                    for code, words in mistakes.items()]))

    def like(self, quantity, gave):
        """The words of each mistake with which the quantity comes out as it did."""
        def outcome_with(function, code):
            kept = function.__code__
            try:  # its code, not the function itself, to which there may be other references
                function.__code__ = code
                return outcome(quantity)
            except ValueError:  # not with the learner's use of super()
                return None
            finally:
                function.__code__ = kept
        for function, right, mistakes in self.gaps:
            if same(outcome_with(function, right), gave):
                continue  # it is not here
            for code, words in mistakes:
                if same(outcome_with(function, code), gave):
                    yield words


def most_likely(verdicts):
    """Adds to each Verdict that of its known mistakes by which most verdicts are explained."""
    explained = Counter(words for verdict in verdicts for words in set(verdict.known))
    told = set()
    for verdict in verdicts:
        if verdict.known:
            words = max(verdict.known, key=explained.get)
            verdict.lines += f"likely: {'as above' if words in told else words}",
            told.add(words)
