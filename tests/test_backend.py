import sys

import numpy as np
import pytest

from minigan import Dense, array_module, backend_module, to_device, to_host


class FakeCuPyArray:
    """Enough of a CuPy array to be told apart; the module of its type is "cupy", as there."""
    __module__ = "cupy"
    shape, ndim, dtype = (1, 4), 2, np.dtype(np.float32)

    def get(self):
        return np.ones(3)


class FakeCuPy:
    __name__, __version__ = "cupy", "0"

    class cuda:
        available = False

        @classmethod
        def is_available(cls):
            return cls.available


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", FakeCuPy())
    return sys.modules["cupy"]


def test_arrays_tell_their_module(cupy):
    assert array_module(np.ones(3)) is np
    assert array_module(np.float32(3)) is np
    assert array_module(FakeCuPyArray()) is cupy


@pytest.mark.parametrize("wrong", [[1, 2], 3.0, None])
def test_what_is_not_an_array_is_refused(wrong):
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array"):
        array_module(wrong)


def test_backends_go_by_name_or_module():
    assert backend_module("numpy") is np and backend_module(np) is np
    with pytest.raises(ValueError, match='backend is "numpy" or "cupy", got \'torch\''):
        backend_module("torch")


def test_without_cupy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[cuda12\]"'):
        Dense(2, 2).to("cupy")


def test_without_a_gpu_the_error_says_so(cupy):
    with pytest.raises(RuntimeError, match="finds no usable GPU"):
        to_device(np.ones(3), "cupy")


def test_arrays_come_home(cupy):
    assert to_host(FakeCuPyArray()).tolist() == [1, 1, 1]
    assert to_device(FakeCuPyArray(), "numpy").tolist() == [1, 1, 1]
    x = np.ones(3)
    assert to_host(x) is x and to_device(x, "numpy") is x


def test_an_array_of_another_backend_is_refused_by_the_layer_that_gets_it(cupy):
    with pytest.raises(TypeError, match=r"Dense\(4, 2\) lies on numpy, got x on cupy"):
        Dense(4, 2)(FakeCuPyArray())
