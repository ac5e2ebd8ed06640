"""What is the mistake? Many a mistake leaves a mark on the gradient, by which it can be told.

`explain` puts QUESTIONS to a Comparison c, the surest first, and gives the first answer: a
sentence, or None where the numbers do not tell, since a wrong hint costs a learner more than none.
Throughout, a is the gradient found and n the right one, from differences."""
from itertools import combinations

import numpy as np


def explain(c):
    """The likely mistake in one line, or where the gradient is worst if the numbers do not tell."""
    with np.errstate(all="ignore"):  # a candidate that divides by 0 does not fit
        for question in QUESTIONS if c.error > 1e-4 else TINY:
            answer = question(c)
            if answer:
                return answer
    apart = np.where(c.crossed, 0, abs(c.analytic - c.numeric))
    where = np.unravel_index(np.argmax(apart), apart.shape)
    index = ", ".join(map(str, where))
    return f"worst at [{index}]: {c.analytic[where]:.6g} instead of {c.numeric[where]:.6g}"


def misfit(a, n):
    """Why a cannot even be compared with n; None if it can."""
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
        return ": it is the transpose" if turned else ": it has the numbers, so reshape it"
    many, few, words = (a, n, "is missing") if a.size > n.size else (n, a, "is too many")
    fit = [axes for axes in combinations(range(many.ndim), max(0, many.ndim - few.ndim))
           if many.sum(axes).shape == few.shape]
    fit = [axes for axes in fit if np.allclose(many.sum(axes), few, 1e-4)] or fit
    return f": a sum over axis {', '.join(map(str, fit[0]))} {words}" if len(fit) == 1 else ""


# What the questions share

def _is(c, candidate):
    """Is this the gradient that was found? Where a kink was crossed, nothing is asked."""
    kept = ~c.crossed
    return candidate.shape == kept.shape and np.allclose(
        c.analytic[kept], candidate[kept], 1e-5, 10 * c.noise)


def _near(u, v):
    return abs(u - v) < 1e-4 * abs(v)


def _directions(c, count):
    return np.random.default_rng(0).standard_normal((count, *c.numeric.shape)) * ~c.crossed


def _elementwise(c):
    """Do x, y and dy belong to it one by one, so that it may be f'(x) dy?"""
    x, y, dy = c.context.x, c.context.y, c.context.dy
    return x is not None and dy is not None and c.numeric.shape == x.shape == y.shape == dy.shape


# Why a gradient is k times the right one, or 1/k of it, where k is a count, a setting, a mere 2.
COUNT = "a sum where a mean belongs", "a mean where a sum belongs"
SETTING = "a factor, or a division forgotten", "a division, or a factor forgotten"
TWO = "a factor 2 too many, or something added twice", "a factor 2 forgotten"


def _times(subject, factor, numbers):
    """In words: subject is factor times what it should be, and where such a number is at home."""
    if _near(factor, -1):
        return "the sign is wrong" if subject == "it" else f"the sign of {subject} is wrong"
    size = abs(factor)
    reasons = [f"{k:.4g} is {what}: {why}" for what, (k, whys) in numbers.items()
               if k > 0 and k != 1 for why, times in zip(whys, (k, 1 / k))
               if _near(size, times)]  # of equal numbers, as a batch and a kernel may have, all
    reasons += [why for why, times in zip(TWO, (2, 1 / 2)) if _near(size, times)]
    whole = size < 0.6 and _near(1 / size, round(1 / size))
    told = f"{subject} is " + (f"1/{1 / size:.0f} of" if whole else f"{size:.4g} times")
    told += " the right one with the wrong sign" if factor < 0 else " the right one"
    return f"{told}, and {', or '.join(reasons[:3])}" if reasons else told


# The questions: what is odd about all of it

def _float32(c):
    a = c.analytic
    if c.error < 1e-3 and (a == a.astype(np.float32)).all() and len(np.unique(a)) > 2:
        return "all its numbers are float32 numbers: something on the way is not float64"


def _step_too_long(c):
    apart = abs(c.analytic - c.numeric)
    off = (apart > 1e-6 * abs(c.numeric)) & (apart > c.noise) & ~c.crossed
    if c.context.finer and off.any() and (c.error < 1e-3 or off.sum() <= 1 + off.size // 10):
        if (abs(c.analytic - c.context.finer())[off] < apart[off] / 5).all():
            return ("it may be right: differences of a smaller step agree with it. Is x beside a "
                    "kink that `branches` does not tell of, or where y bends sharply?")


def _all_zero(c):
    if not c.analytic.any():
        also = c.context.parts and _what_if(c)  # in a step: two shares may cancel
        told = "it is all zero: the path is cut, or nothing was added"
        return f"{told}; or {also}" if also else told


# The questions: a factor, or a term of a sum

def _multiple(c, axes=None):
    """The factor by which a is n, or one for each index that is not in axes; None if it is none."""
    kept = ~c.crossed & (abs(c.numeric) > 1e3 * c.noise)  # one number is a multiple of any other
    a, n = c.analytic * kept, c.numeric * kept
    factor = (a * n).sum(axes, keepdims=True) / (n * n).sum(axes, keepdims=True)
    enough = (kept.sum(axes) > (1 if axes is None else 2)).all()
    return factor if enough and _is(c, factor * c.numeric) else None


def _factor(c):
    factor = _multiple(c)
    return None if factor is None else _times("it", factor.item(), c.context.numbers)


def _factors(c):
    for own in range(c.numeric.ndim):
        if _multiple(c, tuple(i for i in range(c.numeric.ndim) if i != own)) is not None:
            return (f"it is right but for a factor at each index of axis {own}, which is missing "
                    "or wrong")


def _parts(c):
    """Along ten directions, since all elements would cost a whole check for each part."""
    if len(c.context.parts) > 1:
        V = _directions(c, 10)
        columns = [[c.context.slope(f, v) for v in V] for f in c.context.parts.values()]
        found, right = ([(gradient * v).sum() for v in V] for gradient in (c.analytic, c.numeric))
        return _terms(c, list(c.context.parts), columns, found, right)


def _norm(c):
    """The three ways of x through a norm, over all axes but the last, or all but the first."""
    x, y, dy, p = c.context.x, c.context.y, c.context.dy, c.context.parameters
    if _elementwise(c) and x.ndim > 1:
        dx_hat, x_hat = dy * p.get("gamma", 1), (y - p.get("beta", 0)) / p.get("gamma", 1)
        names = "the term dx_hat", "the term mean(dx_hat)", "the term x_hat mean(dx_hat x_hat)"
        for axes in tuple(range(x.ndim - 1)), tuple(range(1, x.ndim)):
            over = {"axis": axes, "keepdims": True}
            inv_std = x_hat.std(**over) / x.std(**over)
            terms = dx_hat, 0 * x - dx_hat.mean(**over), -x_hat * (dx_hat * x_hat).mean(**over)
            told = _terms(c, names, [inv_std * term for term in terms], c.analytic, c.numeric)
            if told:
                return told


def _terms(c, names, columns, found, right):
    """Are both gradients sums of multiples of these terms? Then which multiple is wrong?"""
    A, B = (np.transpose([np.ravel(term) for term in terms]) for terms in (columns, [found, right]))
    lengths = np.nan_to_num(np.linalg.norm(A, axis=0), posinf=0)
    some = lengths > 1e-6 * lengths.max()  # not those that vanish
    A, names = A[:, some] / lengths[some], [name for name, kept in zip(names, some) if kept]
    multiples, _, rank, _ = np.linalg.lstsq(A, B, rcond=1e-3)
    close = 1e-4 * np.linalg.norm(B[:, 0] - B[:, 1]) + 30 * c.noise
    if not 0 < len(names) == rank <= c.numeric.size - 2 or (
            np.linalg.norm(A @ multiples - B, axis=0) > close).any():
        return None  # so few numbers, and so like terms, are sums of anything
    mistakes = []
    for name, factor, due in zip(names, *(multiples.T / lengths[some])):
        if abs(factor) < 1e-3 < abs(due):
            mistakes.append(f"{name} is missing")
        elif abs(due) < 1e-3 < abs(factor):
            mistakes.append(f"{name} has no place here")
        elif not _near(factor, due) and abs(due) > 1e-3:
            mistakes.append(_times(name, factor / due, c.context.numbers))
    return ", and ".join(mistakes)


# The questions: another gradient

def _what_if(c):
    close = 1e-4 * np.linalg.norm(c.analytic - c.numeric) + 30 * c.noise
    for sentence, f in c.context.what_if.items():
        try:
            if all(abs(c.context.slope(f, v) - (c.analytic * v).sum()) < close
                   for v in _directions(c, 5)):
                return sentence
        except Exception:  # f may be impossible, as one example is for BatchNorm in training
            pass


def _other(c):
    return next((sentence for candidate, sentence in _candidates(c) if _is(c, candidate)), None)


def _candidates(c):
    """What other mistakes give, one to a row: the gradient, and the sentence."""
    n, x, y, dy, d = c.numeric, c.context.x, c.context.y, c.context.dy, c.context.dy_name
    yield n + c.context.leftover, "what it held before is still in it: zero_grad is missing or late"
    for other in c.context.others if n.size > 1 else []:
        yield other.numeric, f"it is what {other.name} should be: the two are mixed up"
    for i, j in combinations(range(n.ndim), 2):
        yield n.swapaxes(i, j), f"it is the transpose of the right one: axes {i} and {j} swapped"
        flip = ", ".join("::-1" if axis in (i, j) else ":" for axis in range(j + 1))
        yield np.flip(n, (i, j)), f"it is the right one reversed: flip it by [{flip}]"
    W = c.context.parameters.get(c.name)  # sigma, its largest singular value, has gradient u v^T
    if W is not None and W.ndim > 1:
        u, _, v = np.linalg.svd(W.reshape(-1, W.shape[-1]), full_matrices=False)
        uv = np.outer(u[:, 0], v[0]).reshape(W.shape)
        if min(u.shape) > 1:
            yield (n + ((c.analytic - n) * uv).sum() * uv,
                   "it is off by a multiple of u v^T: the way through sigma is missing or wrong")
    if dy is not None:
        for axis in range(dy.ndim):
            yield dy.sum(axis), f"it is {d} summed over axis {axis}, the wrong axis"
        if x.shape == dy.shape:
            summed = (dy * x).sum(tuple(range(x.ndim - 1)))
            yield summed, f"it is the sum of {d} x: in a norm, x_hat belongs there"
    elif x is not None:  # a loss's scores
        yield n / (2 + np.exp(x) + np.exp(-x)), "the sigmoid's derivative is in it once more"
    if _elementwise(c):
        slopes = n / dy  # of an activation: f'
        yield dy, f"it is {d} itself: the derivative or the mask is missing"
        yield n * slopes, "the derivative, or the mask, is in it twice"
        yield dy * y, f"it is {d} times y: y stands where its derivative belongs"
        yield dy * y * (1 - y), f"it is {d} y (1 - y): that is the derivative of the sigmoid"
        yield dy * (1 - y * y), f"it is {d} (1 - y^2): that is the derivative of tanh"
        yield dy * (1 - x * x), f"it is {d} (1 - x^2): x stands in it where y belongs"
        yield dy * x * (1 - x), f"it is {d} x (1 - x): x stands in it where y belongs"
        up, down = slopes[x > 0], slopes[x < 0]
        if up.size and down.size and np.ptp(up) < 1e-6 and np.ptp(down) < 1e-6:
            up, down = up[0], down[0]
            yield dy * np.where(x > 0, down, up), "the mask is inverted"
            yield dy * np.where(dy > 0, up, down), f"the mask is {d} > 0, where x > 0 belongs"
            yield dy * np.where(x > 0, up, 0), f"it is 0 where x < 0; the slope is {down:.4g} there"


# The questions: right numbers, in some places or in wrong ones

def _mask(c):
    """Is it right in one part of its elements, and wrong in the others?"""
    a, n, x, small = c.analytic, c.numeric, c.context.x, 10 * c.noise
    right = np.isclose(a, n, 1e-5, small) | c.crossed
    due, passed = abs(n) > small, abs(a) > small
    if 0 < due.sum() < a.size and (due != passed).all():
        return "it is 0 just where the right one is not: the mask is inverted"
    if due.any() and (~due).sum() < 2 * (passed & ~due).sum() and np.ptp((a / n)[due]) < 1e-5:
        return "it is not 0 where the right one is: a mask is missing"
    if (right | ~passed).all() and (right & due).sum() > 1:
        return f"it is 0 in {(~right).sum()} of {a.size} elements and else right: a path is cut"
    if _elementwise(c):
        slopes, found = (set((g / c.context.dy).round(6).flat) for g in (n, a))
        if len(slopes) == 2 and slopes == found and a.size > 8:
            return "it has the right slopes in the wrong places: the mask is another one"
        for name, side in (("x > 0", x > 0), ("x < 0", x < 0)):
            if right[side].all() and side.sum() > 3 and (~right).sum() > max(3, (~side).sum() / 2):
                return f"it is right where {name} and wrong elsewhere: look at the slope there"


def _place(c):
    a, n, small = c.analytic, c.numeric, 10 * c.noise
    for axis in range(1, a.ndim - 1):
        found, right = a.swapaxes(0, axis), n.swapaxes(0, axis)
        for one, other in (found[1:], right[:-1]), (found[:-1], right[1:]):
            if one.size > 3 and one.any() and np.allclose(one, other, 1e-5, small):
                return f"it is shifted by one along axis {axis}: look at the padding"
    if a.size > 3 and np.allclose(np.sort(a, None), np.sort(n, None), 1e-5, small):
        return "it has the right numbers in the wrong places: an index, a reshape, a transpose?"
    if a.size > 3 and _is(c, n + (a - n).mean()):
        return f"it is off by {(a - n).mean():.4g} everywhere: a constant is missing or wrong"


TINY = [_float32, _step_too_long]
QUESTIONS = [*TINY, _all_zero, _factor, _other, _parts, _norm, _mask, _what_if, _factors, _place]
