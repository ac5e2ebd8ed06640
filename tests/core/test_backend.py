import ast
import re
import sys
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import fake_cupy
import numpy as np
import pytest

import minigan
from minigan import (
    Adam, BatchNorm, Conv2D, ConvTranspose2D, Dense, LayerNorm, LeakyReLU, Sequential,
    SpectralNorm, Wasserstein, array_module, discriminator_step, interpolate,
    mean_squared_error, to_device, to_host)
from minigan.backend import backend_module
from minigan.gradcheck import check_layer, numerical_gradient


@pytest.fixture
def cupy(monkeypatch):
    return fake_cupy.install(monkeypatch)


def test_arrays_tell_their_module(cupy):
    assert array_module(np.ones(3)) is np
    assert array_module(np.float32(3)) is np
    assert array_module(cupy.ones(3)) is cupy


@pytest.mark.parametrize("wrong", [[1, 2], 3.0, None])
def test_what_is_not_an_array_is_refused(wrong):
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array"):
        array_module(wrong)


def test_backends_go_by_name_or_module(cupy):
    assert backend_module("numpy") is np and backend_module(np) is np
    assert backend_module("cupy") is cupy and backend_module(cupy) is cupy
    with pytest.raises(ValueError, match='backend is "numpy" or "cupy", got \'torch\''):
        backend_module("torch")


def test_arrays_go_and_come_home(cupy):
    x = np.ones(3)
    there = to_device(x, "cupy")
    assert array_module(there) is cupy and to_device(there, "cupy") is there
    assert to_host(there).tolist() == to_device(there, "numpy").tolist() == [1, 1, 1]
    assert to_host(x) is x and to_device(x, "numpy") is x


# Nothing falls back silently.

def without_a_gpu(probes):
    """What `import cupy` gives on a machine with CuPy and an old driver."""
    def fail(shape):
        probes.append(shape)
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
    module = ModuleType("cupy")
    module.__version__, module.ones = "14.2.0", fail
    return module


def test_without_cupy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[cuda12\]" for CUDA 12, or '
                                          r'"\.\[cuda13\]" for CUDA 13'):
        Dense(2, 2).to("cupy")


def test_without_a_gpu_the_error_says_what_cupy_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", without_a_gpu(probes := []))
    net = Dense(2, 2)
    for _ in range(2):  # a driver may get well: a failure is not remembered
        with pytest.raises(RuntimeError, match=r"CuPy 14\.2\.0 is installed but cannot compute "
                                               r"here \(cudaErrorInsufficientDriver: .*nvidia-smi"):
            net.to("cupy")
    assert len(probes) == 2 and array_module(net.W.value) is np


def test_whether_the_gpu_computes_is_tried_once(cupy):
    minigan.backend._prove.cache_clear()
    for _ in range(3):
        to_device(np.ones(3), "cupy")
    assert fake_cupy.fetches == {"__float__": 1}


LAYERS = {repr(layer): (layer, shape) for layer, shape in [
    (Dense(4, 2), (3, 4)), (BatchNorm(4), (3, 4)), (LayerNorm(4), (3, 4)),
    (SpectralNorm(Dense(4, 2)), (3, 4)), (Sequential(LeakyReLU(), Dense(4, 2)), (3, 4)),
    (Conv2D(4, 2, 3), (1, 5, 5, 4)), (ConvTranspose2D(4, 2, 3), (1, 5, 5, 4))]}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_says_that_it_and_its_x_lie_apart(name, cupy):
    layer, shape = LAYERS[name]
    own = r"(Dense|Conv2D|ConvTranspose2D|BatchNorm|LayerNorm)\([\d, ]+\)"
    for here, there in [("numpy", "cupy"), ("cupy", "numpy"), ("numpy", "cupy")]:
        x = to_device(np.ones(shape, np.float32), there)
        with pytest.raises(TypeError, match=f"^{own} has parameters of {here} float32, got "
                                            f"x of {there} float32: cast one of them with "):
            layer.to(here).forward(x)


@pytest.mark.parametrize("forgotten", ["x_real", "z", "generator", "discriminator"])
def test_a_training_step_refuses_what_was_left_on_the_host(forgotten, cupy):
    generator, discriminator = Dense(2, 4, 0), Dense(4, 1, 0)
    backends = dict.fromkeys(["x_real", "z", "generator", "discriminator"], "cupy")
    backends[forgotten] = "numpy"
    generator.to(backends["generator"])
    adam = Adam(discriminator.to(backends["discriminator"]).parameters())
    x_real, z = (to_device(np.ones(shape, np.float32), backends[name])
                 for name, shape in [("x_real", (3, 4)), ("z", (3, 2))])
    with pytest.raises(TypeError, match=r"^Dense\(\d, \d\) has parameters of (numpy float32, "
                       r"got x of cupy|cupy float32, got x of numpy) float32: "):
        discriminator_step(generator, discriminator, adam, Wasserstein(), x_real, z)


def test_nothing_else_mixes_host_and_device(cupy):
    host, device = np.ones((3, 4), np.float32), cupy.ones((3, 4), np.float32)
    layer = LeakyReLU()
    _, cache = layer.forward(device)
    moved, stayed = Dense(2, 2).to("cupy"), Dense(2, 2)
    for mix in (lambda: mean_squared_error(host, device), lambda: mean_squared_error(device, host),
                lambda: layer.backward(host, cache), lambda: moved.backward(host[:, :2], cache),
                lambda: interpolate(host, device, np.random.default_rng(0)),
                lambda: Adam(moved.parameters() + stayed.parameters()),
                lambda: Adam(stayed.parameters() + moved.parameters())):
        with pytest.raises(TypeError):
            mix()


def test_gradients_are_checked_on_the_host_alone(cupy):
    x = cupy.ones((3, 4), np.float64)
    for check in (lambda: numerical_gradient(lambda x: (x * x).sum(), x),
                  lambda: check_layer(LeakyReLU(), x)):
        with pytest.raises(TypeError, match=r'on NumPy arrays, got one of cupy: use \.to\("numpy"'):
            check()


# The stand-in is as strict as CuPy, and offers what minigan uses and CuPy has.

@pytest.mark.parametrize("wrong", [np.ones(3, np.float32), np.float32(1), np.float64(1)])
def test_the_stand_in_refuses_what_lies_on_the_host(wrong, cupy):
    x = cupy.ones(3, np.float32)
    for mix in (lambda: x + wrong, lambda: wrong + x, lambda: x < wrong, lambda: wrong < x,
                lambda: x.__iadd__(wrong), lambda: x.__setitem__(0, wrong),
                lambda: x.clip(0, wrong), lambda: np.maximum(x, wrong),
                lambda: cupy.maximum(x, wrong), lambda: cupy.concatenate([x, wrong]),
                lambda: np.ones(3).__iadd__(x), lambda: np.ones(3).__setitem__(slice(3), x),
                lambda: np.ones(3) @ x, lambda: np.concatenate([x, x]), lambda: np.asarray(x),
                lambda: list(x), lambda: x[x > 0]):
        with pytest.raises(TypeError):
            mix()
    assert x.memory.tolist() == [1, 1, 1]
    assert set(fake_cupy.fetches) <= {"__repr__"}  # in the messages of NumPy


def test_the_stand_in_shares_memory_as_cupy_does(cupy):
    host = np.arange(6, dtype=np.float32)
    x = cupy.asarray(host)
    assert cupy.asarray(x) is x and x.base is None and (x + 1).base is x.copy().base is None
    view = x[2:].reshape(2, 2)
    assert view.base is view.T.base is x.ravel().base is x
    view += 1
    view[0] = 7.0
    kept, x[0] = x[0], -1.0
    assert float(kept) == -1 and kept.base is x
    x[0] = 0
    assert x.get().tolist() == [0, 1, 7, 7, 5, 6] and host.tolist() == [0, 1, 2, 3, 4, 5]
    assert (2 * x ** 0.5 - 1 / (x + 9)).dtype == cupy.logaddexp(0, x).dtype == np.float32


def names_that_minigan_uses():
    """Functions of xp, as "lib.stride_tricks.as_strided", and attributes of arrays."""
    functions, attributes = set(), {"get", "base"}
    folder = Path(minigan.__file__).parent
    workshop = folder / "workshop"
    for path in [*folder.glob("*.py"), workshop / "moving_average.py", workshop / "run.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                text, owner = ast.unparse(node), ast.unparse(node.value)
                if found := re.fullmatch(r"(?:xp|cupy|array_module\([^()]+\))\.([\w.]+)", text):
                    functions.add(found[1])
                elif (hasattr(np.ndarray, node.attr) and "__" not in text
                      and owner not in ("self", "np", "math", "json")):
                    attributes.add(node.attr)
    return functions, attributes


def test_the_stand_in_offers_what_minigan_uses_and_no_more(cupy):
    functions, attributes = names_that_minigan_uses()
    offered = {name for name in dir(cupy) if not name.startswith("_")}
    assert {"tanh", "logaddexp", "lib.stride_tricks.as_strided"} <= functions
    assert {"reshape", "mean", "clip", "T", "astype"} <= attributes
    for name in functions:
        assert attrgetter(name)(cupy) is not None, name
    for name in attributes:
        assert hasattr(cupy.ones(3), name), name
    assert offered - {name.partition(".")[0] for name in functions} == {"isfinite", "ndarray"}
    assert set(fake_cupy.METHODS) <= attributes


def test_cupy_has_all_that_the_stand_in_offers():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install -e '.[cuda12]'")
    functions, attributes = names_that_minigan_uses()
    for name in functions | set(fake_cupy.FUNCTIONS):
        assert attrgetter(name)(cupy) is not None, name
    for name in attributes | set(vars(fake_cupy.ndarray)) - {"__dict__", "__weakref__"}:
        assert hasattr(cupy.ndarray, name), name
    assert cupy.ndarray.__module__ == "cupy" and cupy.ndarray.__hash__ is None
