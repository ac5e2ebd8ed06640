"""Is it what was expected? If not, a check raises one clear error. Skip this: it has no formula."""
from numbers import Integral, Real

import numpy as np

SETTINGS = [  # what a setting of these names is, which mean the same in all of minigan
    ("in_features out_features in_channels out_channels num_features kernel_size stride scale size "
     "width latent_dim power_iterations modes columns zoom",
     "a whole number from 1", Integral, lambda value: value >= 1),
    ("padding output_padding count gap",
     "a whole number from 0", Integral, lambda value: value >= 0),
    ("p momentum alpha beta1 beta2 decay label_smoothing",
     "a number in [0, 1)", Real, lambda value: 0 <= value < 1),
    ("negative_slope", "a number in (0, 1), for 0 use ReLU(),", Real, lambda value: 0 < value < 1),
    ("lr eps limit radius sigma gain", "a number above 0", Real, lambda value: 0 < value < np.inf),
    ("std weight target weight_decay", "a number from 0", Real, lambda value: 0 <= value < np.inf),
    ("real fake c", "a finite number", Real, np.isfinite),
    ("rng", "a Generator or a seed from 0", (Integral, np.random.Generator, type(None)),
     lambda value: not isinstance(value, Integral) or value >= 0),
    ("parameters", "a list of parameters, as net.parameters() gives it,", (list, tuple),
     lambda value: value and all(hasattr(part, "grad") for part in value))]


def check_settings(owner, settings, *optional):
    """Each of the settings, {name: value}, is what its name stands for, or None if optional."""
    for names, words, kind, fits in SETTINGS:
        for name in settings.keys() & set(names.split()):
            value = settings[name]
            if (not isinstance(value, kind) or isinstance(value, bool) or not fits(value)) and not (
                    value is None and name in optional):
                owner = owner if isinstance(owner, str) else type(owner).__name__
                raise ValueError(f"{owner} takes {words} as {name}, got {value!r}")


def check_array(owner, name, x, *shape, advice=""):
    """x is an array of floats, of a shape such as "N", ..., 3: a letter stands for any size but 0,
    a leading or inner ... for any number of axes."""
    dtype = getattr(x, "dtype", type(x).__name__)
    if getattr(dtype, "kind", None) != "f":
        raise TypeError(f"{owner} takes {name} as an array of floats, got {dtype}: convert it with "
                        "np.asarray(..., dtype=np.float32)")
    fits = x.ndim == len(shape) or (... in shape and x.ndim >= len(shape) - 1)
    for size, found in zip(reversed(shape), reversed(x.shape)):
        if size is ...:
            break
        fits = fits and (size == found or isinstance(size, str))
    if not fits or 0 in x.shape:
        expected = ", ".join("..." if size is ... else str(size) for size in shape)
        raise ValueError(f"{owner} takes {name} of shape ({expected}), got {tuple(x.shape)}"
                         + (": it is empty" if 0 in x.shape else advice))
