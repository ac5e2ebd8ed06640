"""The benchmark counts rightly, reports what it promises, and refuses a fast wrong answer."""
import json
import math
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import fake_cupy
import numpy as np
import pytest

from minigan import Dense, Dropout, LeakyReLU, Sequential

pytest.importorskip("resource", reason="the benchmark asks Unix for the memory of its processes")

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import benchmark  # noqa: E402


# The weights of G and of D, each counted wherever it is applied; the same of their first layers.
DENSE = (100 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784, 784 * 512 + 512 * 256 + 256,
         100 * 256, 784 * 512)
CONVOLUTIONAL = (100 * 6272 + 7 * 7 * 128 * 16 * 64 + 14 * 14 * 64 * 16,
                 14 * 14 * 16 * 64 + 7 * 7 * 16 * 64 * 128 + 6272, 100 * 6272, 14 * 14 * 16 * 64)


@pytest.mark.parametrize("workload, weights, times_g, times_d, times_first_d", [
    ("W1", DENSE, 4, 8, 2), ("W2", CONVOLUTIONAL, 4, 8, 2),
    ("W3", DENSE, 6 + 2, 5 * (3 + 2 * 2 + 1 + 1 + 2) + 2, 5 * 3)])
def test_gflop_per_step_is_the_count_by_hand(workload, weights, times_g, times_d, times_first_d):
    g, d, first_g, first_d = weights
    expected = 2 * 64 * (times_g * g - first_g + times_d * d - times_first_d * first_d) / 1e9
    count = benchmark.step_gflop(*benchmark.build(workload), 64, benchmark.WORKLOADS[workload])
    assert count == pytest.approx(expected)


class Counting(np.ndarray):
    """An array that counts the operations of all matrix products that it or its results are in."""

    flop = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        inputs = [x.view(np.ndarray) if isinstance(x, Counting) else x for x in inputs]
        result = getattr(ufunc, method)(*inputs, **keywords)
        if ufunc is np.matmul:
            Counting.flop += 2 * result.size * inputs[0].shape[-1]
        if out is None:
            return np.asarray(result).view(Counting)
        out[0][...] = result
        return out[0]


@pytest.mark.parametrize("workload", [benchmark.WORKLOADS[name] for name in ("W1", "W3")])
def test_gflop_per_step_is_what_the_steps_compute(workload, monkeypatch):
    monkeypatch.setattr(Counting, "flop", 0)
    generator = Sequential(Dense(benchmark.LATENT_DIM, 6), LeakyReLU(), Dense(6, 5))
    discriminator = Sequential(Dense(5, 4), LeakyReLU(), Dense(4, 3), LeakyReLU(), Dense(3, 1))
    x_real = np.ones((8, 5), np.float32).view(Counting)
    z = np.ones((8, benchmark.LATENT_DIM), np.float32).view(Counting)
    training = benchmark.Minigan(generator, discriminator, workload)
    training.step([(x_real, z)] * workload.critic_steps, z)
    count = benchmark.step_gflop(generator, discriminator, 8, workload)
    assert count == pytest.approx(Counting.flop / 1e9)


def test_no_two_batches_of_a_turn_are_the_same():
    turn = benchmark.turn_data("minigan", "W3", 2)
    assert [len(batches) for batches, _ in turn] == [5] * (benchmark.WARM_UP + benchmark.TIMED)
    arrays = [array for batches, z in turn for array in [*sum(batches, ()), z]]
    assert len({array.tobytes() for array in arrays}) == len(arrays)


def test_without_pytorch_it_prints_a_table_and_writes_json(tmp_path):
    words = [sys.executable, EXAMPLES / "benchmark.py", "--no-torch", "--workloads", "W1",
             "--batch-sizes", "2", "--rounds", "1", "--json", "a/b.json"]
    path = os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)])
    done = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "training step" in done.stdout and "ratio" not in done.stdout
    written = json.loads((tmp_path / "a" / "b.json").read_text())
    assert written["machine"].keys() == {
        "cpu", "threads", "sgemm_gflop_per_second", "blas", "python", "numpy", "pytorch"}
    [result] = written["results"]
    assert result.keys() == {"workload", "networks", "batch_size", "peak_memory_mb", "rows",
                             "gflop_per_step", "gflop_per_second", "fraction_of_peak"}
    names = [row["name"] for row in result["rows"]]
    assert names[0] == "training step" and names[-2:] == ["Adam of G", "Adam of D"]
    assert {"Dense(784, 512) of (2, 784) forward", "Dense(784, 512) of (2, 784) backward",
            "BatchNorm(512) of (2, 512) backward", "Tanh() of (2, 784) forward"} <= set(names)
    for row in result["rows"]:
        assert row["name"] in done.stdout and row["ms"].keys() == {"minigan"}
        assert row["ms"]["minigan"] > 0


def test_the_ratio_is_taken_within_each_round():
    row = benchmark.row("step", {"minigan": [[2, 2, 9], [4, 4, 4], [8, 8, 8]],
                                 "PyTorch": [[1, 1, 1], [4, 4, 4], [2, 2, 2]]})
    assert row["ratio"] == 2 and row["quartiles"] == (1.5, 3) and row["ms"]["minigan"] == 4000


def test_losses_that_differ_are_refused_and_so_is_nan():
    assert benchmark.check_losses([[1, 2]], [[1, 2.0002]], 1e-3) == pytest.approx(1e-4, rel=1e-3)
    for wrong in ([[1, 2.01]], [[math.nan, 2]]):
        with pytest.raises(ValueError, match="do not compute the same"):
            benchmark.check_losses(wrong, [[1, 2]], 1e-3)


def test_a_loss_that_passes_through_zero_is_compared_with_the_largest():
    assert benchmark.check_losses([[1e-6, -2]], [[0, -2]], 1e-3) == pytest.approx(5e-7)


def compare(workload):
    losses = [benchmark.run_steps(side, workload, 3, "float64")[1]
              for side in ("minigan", "PyTorch")]
    return benchmark.check_losses(*losses, 1e-6)


@pytest.mark.parametrize("workload", benchmark.WORKLOADS)
def test_the_networks_in_pytorch_are_the_same(workload):
    pytest.importorskip("torch")
    assert compare(workload) < 1e-9


@pytest.mark.parametrize("name, wrong", [
    ("channels_first", lambda shape: slice(None)), ("order_wanted", lambda layers: slice(None)),
    ("softplus", lambda s: s.exp())])
def test_another_network_or_loss_in_pytorch_is_refused(monkeypatch, name, wrong):
    pytest.importorskip("torch")
    import benchmark_torch
    monkeypatch.setattr(benchmark_torch, name, wrong)
    with pytest.raises(ValueError, match="do not compute the same"):
        compare("W2")


def detached(penalty):
    return lambda *arguments: penalty(*arguments).detach()


def at_real(penalty):
    return lambda self, x_real, x_fake: penalty(self, x_real, x_real)


@pytest.mark.parametrize("wrong", [detached, at_real])
def test_a_penalty_without_gradient_or_elsewhere_in_pytorch_is_refused(monkeypatch, wrong):
    pytest.importorskip("torch")
    from benchmark_torch import PyTorch
    monkeypatch.setattr(PyTorch, "gradient_penalty", wrong(PyTorch.gradient_penalty))
    with pytest.raises(ValueError, match="do not compute the same"):
        compare("W3")


def test_a_layer_without_translation_is_refused():
    pytest.importorskip("torch")
    import benchmark_torch
    with pytest.raises(TypeError, match="Dropout"):
        benchmark_torch.to_torch(Sequential(Dropout()), np.ones((2, 3), np.float32))


# On a GPU; here on the stand-in for CuPy, in this process.

class Gpu:
    """What the benchmark asks CuPy for besides arrays; counts how often it was waited for."""

    waits = 0

    def __init__(self):
        self.runtime = SimpleNamespace(runtimeGetVersion=lambda: 12090,
                                       getDeviceProperties=lambda _: {"name": b"Abacus"})

    def Device(self):
        return self

    def synchronize(self):
        self.waits += 1

    def total_bytes(self):
        return 7e6


@pytest.fixture
def gpu(monkeypatch):
    cupy, gpu = fake_cupy.install(monkeypatch), Gpu()
    monkeypatch.setattr(cupy, "cuda", gpu, raising=False)
    monkeypatch.setattr(cupy, "get_default_memory_pool", gpu.Device, raising=False)
    yield gpu
    benchmark.turn_data.cache_clear()
    benchmark.parts.cache_clear()


@pytest.fixture
def in_process(monkeypatch):
    """No process is started; gives a list of what CUPY_TF32 was where one would have been."""
    def submit(function, *arguments):
        result = function(*arguments)
        return SimpleNamespace(result=lambda: result)

    def start_process():
        seen.append(os.environ["CUPY_TF32"])
        return nullcontext(SimpleNamespace(submit=submit))

    seen, size = [], benchmark.sgemm_peak
    monkeypatch.setattr(benchmark, "start_process", start_process)
    monkeypatch.setattr(benchmark, "sgemm_peak", lambda side: size(side, 64))
    monkeypatch.setattr(benchmark, "REST", 0)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUPY_TF32"):
        monkeypatch.setenv(name, "1")  # main sets them; afterwards they are what they were
    return seen


STEPS = benchmark.WARM_UP + benchmark.TIMED
PARTS = 2 * 13 + 2  # of W1: 13 different layers, forward and backward, and Adam twice


@pytest.mark.parametrize("name", benchmark.WORKLOADS)
def test_on_a_gpu_the_losses_are_the_same_and_only_they_are_fetched(name, gpu):
    expected = benchmark.run_steps("minigan", name, 2)[1]
    benchmark.backend_module("cupy")  # looks once whether the GPU computes
    fake_cupy.fetches.clear()
    assert benchmark.run_steps("minigan on GPU", name, 2)[1] == expected
    count = STEPS * (benchmark.WORKLOADS[name].critic_steps + 1)
    assert fake_cupy.fetches == {"__float__": count}


def test_all_that_is_timed_begins_and_ends_by_waiting(monkeypatch):
    events = []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: events.append("clock") or 0)
    benchmark.timed(lambda: events.append("wait"), events.append, "work")
    monkeypatch.undo()
    assert events == ["wait", "clock", "work", "wait", "clock"]


@pytest.mark.parametrize("timed, count", [
    (lambda side: benchmark.run_steps(side, "W1", 2), STEPS),
    (lambda side: benchmark.run_parts(side, "W1", 2), STEPS * PARTS),
    (lambda side: benchmark.sgemm_peak(side, 4), 5)], ids=["steps", "parts", "peak"])
def test_the_gpu_is_waited_for_and_on_the_cpu_nothing_is(timed, count, gpu):
    timed("minigan")
    assert gpu.waits == 0
    timed("minigan on GPU")
    assert gpu.waits == 2 * count


def test_on_a_gpu_the_parts_are_the_same_and_lie_there(gpu):
    assert list(benchmark.parts("minigan on GPU", "W2", 2)) == list(
        benchmark.parts("minigan", "W2", 2))
    forward = benchmark.parts("minigan on GPU", "W2", 2)["ReLU() of (2, 14, 14, 64) forward"]
    assert isinstance(forward()[0], fake_cupy.ndarray)


def test_on_a_gpu_the_table_and_the_json_say_so(gpu, in_process, tmp_path, capsys):
    benchmark.main(["--backend", "cupy", "--no-torch", "--workloads", "W1", "--batch-sizes", "2",
                    "--rounds", "1", "--json", str(tmp_path / "a.json")])
    out = capsys.readouterr().out
    for words in ("gpu +Abacus", "cupy +0", r"cuda +12\.9", "tf32 +off",
                  "peak memory of the process: minigan on GPU 7 MB",
                  "milliseconds +minigan on GPU"):
        assert re.search(rf"\n{words}\n", out), words
    assert set(in_process) == {"0"}
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["machine"].keys() > {"cpu", "gpu", "cupy", "cuda", "pytorch_cuda", "tf32"}
    [result] = written["results"]
    assert all(row["ms"]["minigan on GPU"] > 0 for row in result["rows"])
    assert result["rows"][-1]["name"] == "Adam of D" and result["gflop_per_second"] > 0


@pytest.mark.parametrize("cuda, words, sides, said", [
    ("13.0", [], ["minigan on GPU", "PyTorch on GPU"], False),
    ("13.0", ["--fused-adam"], ["minigan on GPU", "PyTorch on GPU, fused Adam"], False),
    ("13.0", ["--no-torch"], ["minigan on GPU"], False), (None, [], ["minigan on GPU"], True)])
def test_a_pytorch_without_cuda_is_left_out_and_that_is_said(
        cuda, words, sides, said, gpu, in_process, monkeypatch, capsys):
    for name, value in [("find_spec", True), ("version", "2.13.0"), ("torch_cuda", cuda),
                        ("show", None)]:
        monkeypatch.setattr(benchmark, name, lambda *_, value=value: value)
    asked = []
    monkeypatch.setattr(benchmark, "measure", lambda *arguments: asked.append(arguments[2]))
    benchmark.main(["--backend", "cupy", "--workloads", "W1", "--batch-sizes", "2", *words])
    assert asked == [sides]
    assert ("\nThis PyTorch cannot compute on the GPU: minigan" in capsys.readouterr().out) == said


def test_without_cupy_the_benchmark_ends_with_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SystemExit, match='^error: backend "cupy" needs CuPy'):
        benchmark.main(["--backend", "cupy"])


@pytest.fixture
def torch_gpu(gpu, monkeypatch):
    """PyTorch's side for a GPU, on the CPU, with the other one's counter."""
    torch = pytest.importorskip("torch")
    from benchmark_torch import PyTorchOnGPU
    assert PyTorchOnGPU.device == "cuda" and PyTorchOnGPU.wait is torch.cuda.synchronize
    for name, value in [("device", "cpu"), ("wait", gpu.synchronize),
                        ("gpu_memory", gpu.total_bytes)]:
        monkeypatch.setattr(PyTorchOnGPU, name, value)
    return PyTorchOnGPU


@pytest.mark.parametrize("side", ["PyTorch on GPU", "PyTorch on GPU, fused Adam"])
def test_on_a_gpu_both_sides_are_compared(side, torch_gpu, gpu, in_process):
    result = benchmark.measure("W1", 2, ["minigan on GPU", side], 1, True, 1)
    assert gpu.waits == 2 * 2 * STEPS * (3 + PARTS)  # one turn warms up, one has float64
    assert result["peak_memory_mb"] == {"minigan on GPU": 7, side: 7}
    assert result["loss_difference"]["float64"] < 1e-6
    assert all(row["ratio"] > 0 for row in result["rows"])


@pytest.mark.parametrize("name", benchmark.WORKLOADS)
def test_pytorch_computes_all_on_its_device(name, torch_gpu, monkeypatch):
    monkeypatch.setattr(torch_gpu, "device", "meta")  # refuses what lies elsewhere
    networks = benchmark.build(name)
    data = benchmark.turn_data("PyTorch on GPU", name, 2)[0]
    losses = torch_gpu(*networks, benchmark.WORKLOADS[name]).step(*data)
    assert {loss.device.type for loss in losses} == {"meta"}
    for function in benchmark.parts("PyTorch on GPU", name, 2).values():
        found = function()  # a tensor, a tuple of tensors, or None from Adam
        assert found is None or {tensor.device.type for tensor in found} == {"meta"}


def test_pytorch_does_not_use_tf32():
    torch = pytest.importorskip("torch")
    import benchmark_torch  # noqa: F401
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
