"""The GPU computes what the CPU computes.

Every test runs on the stand-in for CuPy (fake_cupy.py), where results are equal bit for bit, and
once more, marked `gpu`, on CuPy itself, where they agree to about 1e-9 in float64:

    python -m pytest -m gpu -rs
"""
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import fake_cupy
import numpy as np
import pytest

import minigan
from minigan import (
    LOSSES, NETWORKS, SGD, Adam, AveragePool2D, BatchNorm, Choice, Conv2D, ConvTranspose2D, Dense,
    Dropout, Flatten, GaussianNoise, Given, GradientPenalty, LayerNorm, LeakyReLU, MaxPool2D,
    MinibatchDeviation, NonSaturating, R1Penalty, RMSprop, ReLU, Reshape, Sequential, Shift,
    Sigmoid, SpectralNorm, Tanh, Upsample2D, Wasserstein, array_module, clip_weights,
    discriminator_step, generator_step, to_device, to_host)
from minigan.backend import backend_module
from minigan.workshop import MovingAverage, data, draw_digits, frechet_distance, load, save


class Gpu(NamedTuple):
    real: bool
    dtype: type
    tolerance: float


@pytest.fixture(params=["stand-in", pytest.param("cupy", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    if request.param == "stand-in":
        fake_cupy.install(monkeypatch)
        return Gpu(False, np.float32, 0)
    try:
        backend_module("cupy")
    except (ImportError, RuntimeError) as error:
        pytest.skip(str(error))
    return Gpu(True, np.float64, 1e-9)


@pytest.fixture
def stand_in(monkeypatch):
    return fake_cupy.install(monkeypatch)


def expect_equal(device, host, tolerance):
    assert array_module(device).__name__ == "cupy" and array_module(host) is np
    device = to_host(device)
    assert device.dtype == host.dtype and device.shape == host.shape
    np.testing.assert_allclose(device, host, rtol=tolerance, atol=tolerance)


def expect_same(work, tolerance):
    """work(backend) gives arrays, on either backend the same ones."""
    for device, host in zip(work("cupy"), work("numpy"), strict=True):
        expect_equal(device, host, tolerance)


def numbers(shape, backend, dtype, seed=0):
    """N(0, 1), the same for each backend."""
    return to_device(np.random.default_rng(seed).standard_normal(shape).astype(dtype), backend)


def arrays_in(*parts):
    """All that training changes, in a fixed order, without the counters."""
    return [value for part in parts for value in part.state_dict().values()
            if hasattr(value, "dtype")]


IMAGES = 3, 7, 6, 2
LAYERS = {repr(make()): (make, shape) for make, shape in [
    (lambda: Dense(5, 4, 0), (3, 5)), (ReLU, IMAGES), (LeakyReLU, IMAGES), (Tanh, IMAGES),
    (lambda: Shift(1), IMAGES), (MinibatchDeviation, (3, 5)),
    (lambda: Choice(2), (3, 5)),
    (lambda: Given(Dense(5, 4, 0), np.eye(3, 2)), (3, 3)),
    (Sigmoid, IMAGES), (lambda: BatchNorm(2), IMAGES), (lambda: LayerNorm(2), IMAGES),
    (lambda: LayerNorm(5), (3, 5)), (lambda: SpectralNorm(Dense(5, 4, 0)), (3, 5)),
    (lambda: SpectralNorm(Conv2D(2, 3, 3, rng=0), 2), IMAGES),
    (lambda: Conv2D(2, 3, 3, stride=2, padding=1, rng=0), IMAGES),
    (lambda: ConvTranspose2D(2, 3, 4, stride=3, padding=1, output_padding=2, rng=0), IMAGES),
    (lambda: MaxPool2D(3, 1), IMAGES), (lambda: Sequential(ReLU(), MaxPool2D(2)), IMAGES),  # ties
    (lambda: AveragePool2D(3, 2), IMAGES), (lambda: Upsample2D(2), IMAGES),
    (lambda: Dropout(0.3, 0), IMAGES), (lambda: GaussianNoise(0.1, 0), IMAGES),
    (Flatten, IMAGES), (lambda: Reshape(6, 7, 2), IMAGES),
    (lambda: Sequential(Conv2D(2, 3, 3, rng=0), Tanh(), Flatten(), Dense(60, 2, 0)), IMAGES)]}


def test_every_layer_is_in_the_list():
    layers = {name for name in minigan.__all__ if isinstance(getattr(minigan, name), type)
              and issubclass(getattr(minigan, name), minigan.Layer)}
    assert layers - {"Layer"} == {type(layer).__name__ for make, _ in LAYERS.values()
                                  for _, layer in make().named_layers()}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_the_same_on_both(name, gpu):
    make, shape = LAYERS[name]

    def work(backend):
        layer = make().astype(gpu.dtype).to(backend)
        x, x_dot = (numbers(shape, backend, gpu.dtype, seed) for seed in (1, 2))
        y, cache = layer.forward(x)
        dy = numbers(y.shape, backend, gpu.dtype, 3)
        found = [y, layer.backward(dy, cache)]
        if not isinstance(layer, BatchNorm):
            y_dot, tcache = layer.tangent(x_dot, cache)
            found += [y_dot, *layer.tangent_backward(y, dy, tcache, cache)]
        return [*found, layer(x), *(p.grad for p in layer.parameters()), *arrays_in(layer)]
    expect_same(work, gpu.tolerance)


@pytest.mark.parametrize("name", LOSSES)
def test_an_adversarial_loss_computes_the_same_on_both(name, gpu):
    def work(backend):
        loss = LOSSES[name]()
        s_real, s_fake = (5 * numbers((6, 1), backend, gpu.dtype, seed) for seed in (0, 1))
        return [*loss.discriminator(s_real, s_fake), *loss.generator(s_fake), loss.shown(s_real)]
    expect_same(work, gpu.tolerance)


def test_the_other_losses_compute_the_same_on_both(gpu):
    def work(backend):
        y, target = (numbers((6, 3), backend, gpu.dtype, seed) for seed in (0, 1))
        labels = to_device(np.arange(6) % 3, backend)
        return [*minigan.mean_squared_error(y, target), *minigan.mean_absolute_error(y, target),
                *minigan.binary_cross_entropy_with_logits(y, target > 0),
                *minigan.cross_entropy_with_logits(y, labels),
                *NonSaturating(0.1).discriminator(y[:, :1], target[:, :1])]
    expect_same(work, gpu.tolerance)


@pytest.mark.parametrize("make", [
    lambda p: SGD(p, 0.1), lambda p: SGD(p, 0.1, 0.9, weight_decay=0.1), RMSprop, Adam,
    lambda p: Adam(p, weight_decay=0.1)], ids=["sgd", "momentum", "rmsprop", "adam", "decay"])
def test_an_optimizer_computes_the_same_on_both(make, gpu):
    def work(backend):
        net = Sequential(Dense(200, 200, 0), Dense(200, 3, 1)).astype(gpu.dtype).to(backend)
        optimizer = make(net.parameters())  # on the CPU it works in several pieces
        for step in range(3):
            for seed, p in enumerate(net.parameters()):
                p.grad[...] = numbers(p.grad.shape, backend, gpu.dtype, 10 * step + seed)
            optimizer.step()
        found = arrays_in(net, optimizer)
        clip_weights(net.parameters(), 0.01)
        return found + arrays_in(net)
    expect_same(work, gpu.tolerance)


class Training:
    """Networks and optimizers; step() makes one D step and one G step on noise."""

    def __init__(self, arch, loss, penalty, backend, dtype, width=8, batch=6):
        self.loss, self.backend, self.dtype = loss(), backend, dtype
        self.penalty = {"gp": GradientPenalty(rng=0), "r1": R1Penalty(), None: None}[penalty]
        norm = {"norm": LayerNorm} if penalty else {}  # as in examples/mnist_gan.py
        self.rng = np.random.default_rng(0)
        self.sizes = (batch, 28, 28, 1), (batch, 5), (batch, 5)
        self.generator, self.discriminator = (
            net.astype(dtype) for net in NETWORKS[arch](5, self.rng, width=width, **norm))
        # eps: a bias in front of BatchNorm has gradient 0, and Adam would enlarge its rounding.
        adam = {"lr": 1e-3, "eps": 1e-4}
        self.adam_g = Adam(self.generator.to(backend).parameters(), **adam)
        self.adam_d = Adam(self.discriminator.to(backend).parameters(), **adam)
        self.average = MovingAverage(self.generator)

    def step(self):
        x_real, *z = (to_device(self.rng.standard_normal(size).astype(self.dtype), self.backend)
                      for size in self.sizes)
        nets = self.generator, self.discriminator
        values = (*discriminator_step(*nets, self.adam_d, self.loss, x_real, z[0], self.penalty),
                  *generator_step(*nets, self.adam_g, self.loss, z[1]))
        self.average.update()
        return values

    def parts(self):
        return {"G": self.generator, "D": self.discriminator, "adam_g": self.adam_g,
                "adam_d": self.adam_d, "average": self.average}

    def arrays(self):
        return arrays_in(*self.parts().values())


LOSSES_AND_PENALTIES = [*((loss, None) for loss in LOSSES.values()), (Wasserstein, "gp"),
                        (NonSaturating, "r1")]


@pytest.mark.parametrize("arch", NETWORKS)
@pytest.mark.parametrize("loss, penalty", LOSSES_AND_PENALTIES)
def test_whole_training_steps_compute_the_same_on_both(arch, loss, penalty, gpu):
    def work(backend):
        training = Training(arch, loss, penalty, backend, gpu.dtype)
        return [*training.step(), *training.step(), *training.arrays()]
    expect_same(work, gpu.tolerance)


@pytest.mark.parametrize("arch, loss, penalty", [
    ("mlp", NonSaturating, None), ("dcgan", NonSaturating, None), ("mlp", Wasserstein, "gp")])
def test_twenty_training_steps_in_float64_agree(arch, loss, penalty, gpu):
    size = {"width": 64, "batch": 32} if gpu.real else {}

    def work(backend):
        training = Training(arch, loss, penalty, backend, np.float64, **size)
        values = [value for _ in range(20) for value in training.step()]
        z = numbers((10, 5), backend, np.float64)
        return [*values, *training.arrays(), training.generator(z), training.average.network(z)]
    expect_same(work, gpu.tolerance)


@pytest.mark.parametrize("arch", NETWORKS)
@pytest.mark.parametrize("loss, penalty", LOSSES_AND_PENALTIES)
def test_a_training_step_never_waits_for_the_gpu(arch, loss, penalty, stand_in):
    backend_module("cupy")  # looks once whether the GPU computes, and waits for that
    training = Training(arch, loss, penalty, "cupy", np.float32, width=4, batch=3)
    fake_cupy.fetches.clear()
    training.step()
    clip_weights(training.discriminator.parameters(), 0.01)
    assert not fake_cupy.fetches


def test_a_fetch_is_counted(stand_in):
    x = stand_in.ones(1)[0]
    assert float(x) == int(x) == x.item() == x.tolist() == to_host(x) == 1
    assert x and "1." in repr(x)
    assert set(fake_cupy.fetches) == {"get", *fake_cupy.FETCHES}


@pytest.mark.parametrize("first", ["optimizer", "move"])
def test_a_network_moves_before_or_after_its_optimizer_is_made_and_back(first, gpu):
    def work(moves):
        net = Dense(5, 4, 0).astype(gpu.dtype)
        if first == "move":
            net.to(moves[0])
        adam = Adam(net.parameters())
        for step, backend in enumerate(moves):
            net.to(backend)
            p, _ = net.parameters()
            p.grad[...] = numbers(p.grad.shape, backend, gpu.dtype, step)
            adam.step()
            assert {array_module(array).__name__ for array in arrays_in(net, adam)} == {backend}
        return arrays_in(net.to("cupy"))
    for moved, stayed in zip(work(["cupy", "numpy", "cupy"]), work(["numpy", "numpy", "numpy"])):
        expect_equal(moved, to_host(stayed), gpu.tolerance)


@pytest.mark.parametrize("count", [1, 4])
def test_parameters_stay_views_so_that_no_step_gathers_them_again(count, gpu):
    parameters = Sequential(Dense(5, 4, 0), Dense(4, 3, 0)).to("cupy").parameters()[:count]
    adam = Adam(parameters)
    flat = adam.value
    adam.step()
    assert adam.value is flat and all(p.value.base is flat for p in parameters)
    flat.fill(2)
    assert all(to_host(p.value == 2).all() for p in parameters)


@pytest.mark.parametrize("there, here", [("cupy", "numpy"), ("numpy", "cupy")])
def test_a_checkpoint_of_one_backend_loads_on_the_other(there, here, gpu, tmp_path):
    def make(backend):
        return Training("mlp", NonSaturating, None, backend, gpu.dtype)
    old, new = make(there), make(here)
    old.step()
    save(tmp_path / "a.npz", {name: part.state_dict() for name, part in old.parts().items()})
    state = load(tmp_path / "a.npz")
    for name, part in new.parts().items():
        part.load_state_dict(state[name])
    new.rng.bit_generator.state = old.rng.bit_generator.state
    for _ in range(2):
        for a, b in zip([*old.arrays(), *old.step()], [*new.arrays(), *new.step()], strict=True):
            expect_equal(*((a, b) if there == "cupy" else (b, a)), gpu.tolerance)


def test_a_state_passes_from_backend_to_backend_without_a_file(gpu):
    for there, here in [("numpy", "cupy"), ("cupy", "numpy")]:
        old, new = (BatchNorm(3).to(backend) for backend in (there, here))
        old.forward(numbers((5, 3), there, np.float32))
        new.load_state_dict(old.state_dict())
        assert [to_host(a).tolist() for a in arrays_in(old)] == [
            to_host(a).tolist() for a in arrays_in(new)]
        assert {array_module(array).__name__ for array in arrays_in(new)} == {here}


def test_metrics_take_what_to_host_fetches(gpu):
    a, b = (numbers((50, 3), "cupy", np.float64, seed) for seed in (0, 1))
    assert frechet_distance(to_host(a), to_host(b)) == frechet_distance(
        numbers((50, 3), "numpy", np.float64, 0), numbers((50, 3), "numpy", np.float64, 1))


@pytest.fixture
def example(monkeypatch, tmp_path):
    """examples/mnist_gan.py and generate.py: few images, no curves."""
    for module in ("matplotlib", "tqdm"):
        pytest.importorskip(module, reason="the examples need it: pip install -e '.[test]'")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    import generate
    import mnist_gan
    monkeypatch.setattr(data, "draw_digits", lambda _, rng: draw_digits(100, rng))
    small = {"latent_dim": 5, "width": 8, "n_critic": 1}
    monkeypatch.setattr(mnist_gan, "TUNED", {"mlp": {**mnist_gan.TUNED["mlp"], **small}})
    monkeypatch.setattr(mnist_gan, "CLASSICAL", {
        name: settings | small for name, settings in mnist_gan.CLASSICAL.items()})
    for slow in ("save_curves", "save_animation"):
        monkeypatch.setattr(f"mnist_gan.{slow}", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return generate


def train(*words):
    import mnist_gan
    mnist_gan.main(["--data", "digits", "--batch-size", "20", *words])


@pytest.mark.parametrize("words", [[], ["--loss", "wasserstein"]], ids=["tuned", "WGAN-GP"])
def test_the_example_trains_on_either_backend_and_anyone_generates(words, gpu, example):
    for backend in ("numpy", "cupy"):
        train("--backend", backend, "--steps", "2", "--out", backend, *words)
        other = "numpy" if backend == "cupy" else "cupy"  # draws what this one has trained
        example.main([f"{backend}/checkpoint.npz", "--count", "3", "--out", f"{backend}.npz",
                      "--backend", other])
    tolerance = 1e-2 if gpu.real else 0  # all is float32
    for name in ("numpy.npz", "cupy.npz"):
        assert np.load(name)["images"].shape == (3, 28, 28)
    np.testing.assert_allclose(*(np.load(f"{backend}.npz")["images"]
                                 for backend in ("cupy", "numpy")), rtol=0, atol=tolerance)
    np.testing.assert_allclose(*(load(f"{backend}/checkpoint.npz")["history"]
                                 for backend in ("cupy", "numpy")), rtol=tolerance, atol=tolerance)


def test_the_example_goes_on_where_the_other_backend_stopped(gpu, example):
    train("--steps", "3", "--out", "whole")
    for backend, steps in [("cupy", "1"), ("numpy", "2"), ("cupy", "3")]:
        train("--backend", backend, "--steps", steps, "--out", "parts",
              *["--resume"] * Path("parts").exists())
    if not gpu.real:
        np.testing.assert_equal(load("parts/checkpoint.npz"), load("whole/checkpoint.npz"))
    assert load("parts/checkpoint.npz")["step"] == 3


def test_the_example_tries_itself_out_on_a_gpu(gpu, example, capsys):
    train("--backend", "cupy", "--dry-run")
    assert "steps done: 10" in capsys.readouterr().out


@pytest.mark.parametrize("gpu", [pytest.param("cupy", marks=pytest.mark.gpu)], indirect=True)
def test_the_benchmark_runs_on_a_gpu(gpu, tmp_path):
    pytest.importorskip("resource", reason="the benchmark runs on Unix")
    root = Path(__file__).parents[2]
    words = [sys.executable, root / "examples/benchmark/steps.py", "--backend", "cupy", "--rounds",
             "1", "--workloads", "W1", "--batch-sizes", "16"]
    done = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)},
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for line in ("tf32 +off", "training step +[0-9].*", "Adam of D +[0-9].*"):
        assert re.search(rf"\n{line}\n", done.stdout), line
    assert "minigan on GPU" in done.stdout
