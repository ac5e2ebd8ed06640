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
branches it took; an element that changes them within the step is left out, and proves nothing."""
import numpy as np

STEP = 3e-6       # h
TOLERANCE = 1e-6  # right gradients come out between 1e-11 and 1e-7, wrong ones above 1e-4


def numerical_gradient(f, x, h=STEP):
    """The gradient of the number f(x), where f has no kinks. x: a float64 array, of any shape; it
    is not changed. Raises TypeError if x is anything else."""
    return central_differences(lambda x: (f(x), []), x, h)[0]


def central_differences(f, x, h=STEP):
    """The same where f has kinks: f(x) -> (number, list of arrays that tell its branches). Returns
    the gradient, at which elements a kink was crossed, and how far off rounding may put it."""
    require_float64(x)
    x = x.copy()
    gradient, crossed, largest = np.zeros(x.shape), np.zeros(x.shape, bool), 0.0
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + h
        above, branches_above = f(x)
        x[i] = kept - h
        below, branches_below = f(x)
        x[i] = kept
        gradient[i] = (above - below) / (2 * h)
        crossed[i] = differ(branches_above, branches_below)
        largest = max(largest, abs(above))
    return gradient, crossed, rounding_noise(largest, h)


def differ(branches, others):
    """Was a kink crossed from the ones to the others?"""
    return any((a != b).any() for a, b in zip(branches, others))


def rounding_noise(largest, h=STEP):
    """About how far off rounding puts the difference quotient of numbers up to the largest."""
    return 1e-15 * max(1.0, largest) / h


def require_float64(*arrays):
    for array in arrays:
        if not isinstance(array, (np.ndarray, np.generic)):  # x[i] of CuPy is a view: it would move
            raise TypeError("gradients are checked on NumPy arrays, got one of "
                            f'{type(array).__module__}: use .to("numpy") and to_host')
        if array.dtype != np.float64:
            raise TypeError(f"gradients are checked in float64, got {array.dtype}: "
                            "use .astype(np.float64)")
