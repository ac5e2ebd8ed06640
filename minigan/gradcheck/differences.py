"""The numerical gradient: what every gradient of minigan is compared with.

How fast does the number f(x) change as x[i] moves? Move it by a small step h, up and down, and look
(e_i is 1 at i and 0 elsewhere). This is a central difference:

    ∂f/∂x[i]  is nearly  (f(x + h e_i) - f(x - h e_i)) / 2h

It takes forward passes only, so that no mistake of a backward pass can hide in it; but two of them
for each number in x: enough for a check, and far too slow for training. It is off by

    h^2 f''' / 6           truncation: within the step f is not straight, so h should be small
    about 1e-16 |f| / h    rounding: the two f share most of their 16 digits, so h should be large

and by least at an h of some millionths, where ten digits or so are right. In float32, which has 7
digits, no h gets more than about four right: so all that is checked is float64.

A kink is a place where two branches of f meet at an angle, as those of max(x, 0) do at 0: f has no
derivative there, and a difference across a kink is neither branch's slope. So f also tells which
branches it took. Where they change within the step, and the slopes on both sides differ, a smaller
step is taken; where they differ within the smallest, too, the element proves nothing."""
import numpy as np

STEP = 3e-6       # h, where x is of ordinary size
TOLERANCE = 1e-6  # right gradients come out between 1e-11 and 1e-7, wrong ones above 1e-4


def numerical_gradient(f, x, h=None):
    """The gradient of the number f(x), where f has no kinks. x: a float64 array, of any shape; it
    is not changed. h: the step, else STEP times the spread of x. Raises TypeError if x is anything
    else."""
    return central_differences(lambda x: (f(x), []), x, h)[0]


def central_differences(f, x, h=None):
    """The same where f has kinks: f(x) -> (number, list of arrays that tell its branches). Returns
    the gradient, which elements are at a kink, and how far off rounding may put each of them."""
    require_float64(x)
    x = x.copy()
    gradient, crossed, noise = np.zeros(x.shape), np.zeros(x.shape, bool), np.zeros(x.shape)
    h, error, (middle, _) = h or STEP * spread(x), rounding_error(lambda x: f(x)[0], x), f(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        for step in h, h / 10, h / 100:
            x[i] = upper = kept + step
            above, branches_above = f(x)
            x[i] = lower = kept - step
            below, branches_below = f(x)
            x[i] = kept
            # Not 2 step: beside a large x[i] it has been rounded.
            gradient[i], noise[i] = (above - below) / (upper - lower), 10 * error / step
            crossed[i] = differ(branches_above, branches_below) and bends(
                above, middle, below, step, noise[i])
            if not crossed[i]:
                break
    return gradient, crossed, noise


def spread(x):
    """The unit of a step: numbers that lie far apart take large ones, but 1e9 + (0, 1, 2) not."""
    return max(1.0, float(x.std())) if x.size else 1.0


def differ(branches, others):
    """Was a kink crossed from the ones to the others?"""
    return any((a != b).any() for a, b in zip(branches, others))


def bends(above, middle, below, h, noise):
    """Do the slopes on both sides, (above - middle) / h and (middle - below) / h, differ by more
    than makes a central difference wrong?"""
    apart = abs(above + below - 2 * middle) / (2 * h)
    return apart > np.maximum(noise, TOLERANCE * abs(above - below) / (2 * h))


def rounding_error(f, x):
    """About how far off rounding puts f(x), a number or an array: also where large numbers have
    cancelled on the way. At places in a row, so near that f is straight between them, its fourth
    differences are rounding alone, with 70 times its variance. Source: Moré and Wild 2011."""
    v = 1e-8 * spread(x) * np.random.default_rng(0).standard_normal(x.shape)
    values = np.array([f(x + k * v) for k in range(9)])
    fourth = np.diff(values, 4, axis=0)
    error = float(((fourth ** 2).mean(0) / 70).max(initial=0)) ** 0.5
    return max(error, 1e-16 * float(abs(values).max(initial=0)), 1e-300)


def require_float64(*arrays):
    for array in arrays:
        if not isinstance(array, (np.ndarray, np.generic)):  # x[i] of CuPy is a view: it would move
            raise TypeError("gradients are checked on NumPy arrays, got one of "
                            f'{type(array).__module__}: use .to("numpy") and to_host')
        if array.dtype != np.float64:
            raise TypeError(f"gradients are checked in float64, got {array.dtype}: "
                            "use .astype(np.float64)")
