"""A stand-in for CuPy, for machines without a GPU: NumPy arrays under CuPy's rules.

It computes what NumPy computes, so its results are equal to NumPy's bit for bit. But a host array
in any operation raises TypeError, a NumPy scalar too (CuPy would let it change the dtype), nothing
comes back to the host unasked, and `fetches` counts what does come back, since each time the host
waits for the GPU. It offers what minigan uses and nothing else: that list is held against the
source of minigan, and against CuPy where that is installed (test_backend.py).
"""
import operator
import sys
import types
from collections import Counter

import numpy as np

FUNCTIONS = ("arange concatenate einsum exp full_like isfinite log logaddexp maximum ones "
             "ones_like sign take_along_axis tanh zeros zeros_like").split()
SPECIAL = "__abs__ __len__ __neg__".split()
METHODS = "all argmax astype clip copy fill max mean ravel repeat reshape sum".split()
PROPERTIES = "T dtype ndim shape size strides".split()
OPERATORS = "add sub mul truediv pow matmul lt le eq ne gt ge".split()
FETCHES = "__bool__ __float__ __int__ __repr__ item tolist".split()

fetches = Counter()  # how the host waited for the device, and how often


class ndarray:
    __module__ = "cupy"
    __hash__ = None
    __iter__ = None  # CuPy has it: one launch for each element

    def __init__(self, memory, base=None):
        self.memory, self.base = memory, base

    def get(self):
        fetches["get"] += 1
        return self.memory.copy()

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. "
                        "Please use `.get()` to construct a NumPy array explicitly.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """np.isfinite(x) is cupy.isfinite(x), as with CuPy."""
        if method != "__call__" or kwargs or ufunc.__name__ not in FUNCTIONS:
            return NotImplemented  # then NumPy raises a TypeError
        return function(ufunc.__name__)(*inputs)

    def __getitem__(self, key):
        return on_device(self.memory[place(key)], self)

    def __setitem__(self, key, value):
        self.memory[place(key)] = operand(value)

    def __deepcopy__(self, memo):
        return self.copy()


def operand(x, *more_types):
    """What an operation computes with: what is in x if it is ours, Python numbers as they are."""
    if isinstance(x, ndarray):
        return x.memory
    if isinstance(x, np.generic) or not isinstance(x, (bool, int, float, *more_types)):
        raise TypeError(f"Unsupported type {type(x)}")
    return x


def place(key):
    key = key if isinstance(key, tuple) else (key,)
    if any(isinstance(index, (ndarray, np.ndarray)) for index in key):
        raise TypeError("an array is no index here: for x[x > 0] CuPy waits, to learn how many")
    return key if ... in key else (*key, ...)  # with this x[0] is a view in NumPy too


def argument(x):
    """What a function is called with: as above, or a list of these, or no number at all."""
    if isinstance(x, list):
        return [operand(item) for item in x]
    return operand(x, str, tuple, type, np.dtype)


def on_device(result, source=None):
    """A result of NumPy as one of ours; if it is a view, then base is the array it is a view of."""
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    view = source is not None and np.may_share_memory(result, source.memory)
    owner = source if view and source.base is None else source.base if view else None
    return ndarray(np.asarray(result), owner)


def call(compute, *args, **kwargs):
    return compute(*map(argument, args), **{key: argument(kwargs[key]) for key in kwargs})


def function(name):
    return lambda *args, **kwargs: on_device(call(getattr(np, name), *args, **kwargs))


def method(name):
    return lambda self, *args, **kwargs: on_device(
        call(getattr(self.memory, name), *args, **kwargs), self)


def fetch(name):
    def fetch(self):
        fetches[name] += 1
        return getattr(self.memory, name)()
    return fetch


def give_operator(name):
    compute, in_place = getattr(operator, name), getattr(operator, f"i{name}", None)

    def update(self, other):
        in_place(self.memory, operand(other))
        return self
    setattr(ndarray, f"__{name}__", lambda x, y: on_device(compute(x.memory, operand(y))))
    if in_place:  # it is no comparison
        setattr(ndarray, f"__r{name}__", lambda x, y: on_device(compute(operand(y), x.memory)))
        setattr(ndarray, f"__i{name}__", update)


def asarray(x, dtype=None):
    """The one way from host to device: a copy, unless it is there."""
    if isinstance(x, ndarray):
        return x if dtype in (None, x.dtype) else x.astype(dtype)
    return ndarray(np.array(x, dtype))


def as_strided(x, shape, strides):
    return ndarray(np.lib.stride_tricks.as_strided(x.memory, shape, strides))  # no base: as CuPy


for name in OPERATORS:
    give_operator(name)
del ndarray.__imatmul__  # CuPy has none
for name in METHODS + SPECIAL:
    setattr(ndarray, name, method(name))
for name in FETCHES:
    setattr(ndarray, name, fetch(name))
for name in PROPERTIES:
    setattr(ndarray, name, property(lambda x, name=name: on_device(getattr(x.memory, name), x)))

cupy = types.ModuleType("cupy")
vars(cupy).update({name: function(name) for name in FUNCTIONS}, __version__="0", ndarray=ndarray,
                  asarray=asarray, lib=types.SimpleNamespace(
                      stride_tricks=types.SimpleNamespace(as_strided=as_strided)))


def install(monkeypatch):
    """From now on `import cupy` gives the stand-in, which is returned."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    fetches.clear()
    return cupy
