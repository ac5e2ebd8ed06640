"""The benchmark counts rightly, reports what it promises, and refuses a fast wrong answer."""
import math
import os
import re
import signal
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

FOLDER = Path(__file__).parents[2] / "examples" / "benchmark"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])}
sys.path.insert(0, str(FOLDER))
import steps as benchmark  # noqa: E402
import workloads  # noqa: E402


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
    count = workloads.step_gflop(*workloads.build(workload), 64, workloads.WORKLOADS[workload])
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


@pytest.mark.parametrize("workload", [workloads.WORKLOADS[name] for name in ("W1", "W3")])
def test_gflop_per_step_is_what_the_steps_compute(workload, monkeypatch):
    monkeypatch.setattr(Counting, "flop", 0)
    generator = Sequential(Dense(workloads.LATENT_DIM, 6), LeakyReLU(), Dense(6, 5))
    discriminator = Sequential(Dense(5, 4), LeakyReLU(), Dense(4, 3), LeakyReLU(), Dense(3, 1))
    x_real = np.ones((8, 5), np.float32).view(Counting)
    z = np.ones((8, workloads.LATENT_DIM), np.float32).view(Counting)
    training = workloads.Minigan(generator, discriminator, workload)
    training.step([(x_real, z)] * workload.critic_steps, z)
    count = workloads.step_gflop(generator, discriminator, 8, workload)
    assert count == pytest.approx(Counting.flop / 1e9)


def test_no_two_batches_of_a_turn_are_the_same():
    turn = workloads.turn_data("minigan", "W3", 2)
    assert [len(batches) for batches, _ in turn] == [5] * (workloads.WARM_UP + workloads.TIMED)
    arrays = [array for batches, z in turn for array in [*sum(batches, ()), z]]
    assert len({array.tobytes() for array in arrays}) == len(arrays)


def test_without_pytorch_it_prints_a_table(tmp_path):
    words = [sys.executable, FOLDER / "steps.py", "--no-torch", "--workloads", "W1",
             "--batch-sizes", "2", "--rounds", "1"]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert "ratio" not in done.stdout and "PyTorch" not in done.stdout
    machine, result = done.stdout.split("\n\n")
    assert re.findall("^(.*?)  ", machine, re.MULTILINE) == [
        "cpu", "threads", "matrix product", "blas", "python", "numpy", "pytorch"]
    for words in (r"W1, batch size 2\n\d\.\d\d GFLOP a step; minigan does \d+ GFLOP/s, \d+% of",
                  r"peak memory of the process: minigan \d\d+ MB", "milliseconds +minigan"):
        assert re.search(rf"(?m)^{words}", result), words
    rows = result.partition("milliseconds")[2].splitlines()[1:]
    names, milliseconds = zip(*(re.split("   +", row) for row in rows))
    assert names[0] == "training step" and names[-2:] == ("Adam of G", "Adam of D")
    assert {"Dense(784, 512) of (2, 784) forward", "Dense(784, 512) of (2, 784) backward",
            "BatchNorm(512) of (2, 512) backward", "Tanh() of (2, 784) forward"} <= set(names)
    assert float(milliseconds[0]) > 0.1 and len(names) == 1 + PARTS


def test_without_layers_only_the_whole_step_is_timed(in_process, capsys):
    benchmark.main(["--no-torch", "--no-layers", "--workloads", "W1", "--batch-sizes", "2", "4",
                    "--rounds", "1"])
    tables = re.findall(r"(?m)^milliseconds.*\n((?:.+\n)*)", capsys.readouterr().out)
    assert len(tables) == 2
    assert all(re.fullmatch(r"training step +\d+\.\d+\n", table) for table in tables)


@pytest.mark.parametrize("workload", ["W1", "W3"])
def test_two_processes_compute_the_losses_of_one(workload):
    pytest.importorskip("mpi4py", reason='mpi4py is not installed: pip install -e ".[mpi]"')
    (seconds, losses), (_, expected) = (
        workloads.run_steps(side, workload, 4, "float64") for side in ("minigan x 2", "minigan"))
    assert len(seconds) == workloads.TIMED
    np.testing.assert_allclose(losses, expected, rtol=1e-8)


def test_a_benchmark_that_is_killed_leaves_no_process_behind():
    code = ("import os, steps, time; process = steps.start_process(); "
            "print(process.submit(os.getpid).result(), flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
        try:
            parent.communicate(timeout=20)  # the pipe ends when nobody holds it any more
        except subprocess.TimeoutExpired:
            os.kill(child, signal.SIGKILL)
            raise


@pytest.mark.parametrize("words", ["--batch-sizes 1", "--threads 0", "--rounds 0",
                                   "--workloads W4"])
def test_what_cannot_be_measured_is_refused_in_one_line(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(words.split())
    option, value = words.split()
    assert re.search(f"error: argument {option}: .*{value}.*\n$", capsys.readouterr().err)


def test_the_ratio_is_taken_within_each_round():
    ours, theirs = [[2, 2, 9], [4, 4, 4], [8, 8, 8]], [[2, 2, 2], [4, 4, 4], [2, 2, 2]]
    assert benchmark.ratio(ours, theirs).tolist() == [1, 1, 2.5]


def test_the_table_shows_medians_and_the_ratio(capsys):
    times = {"minigan": [[2e-3, 2e-3, 9e-3], [4e-3] * 3, [8e-3] * 3],
             "PyTorch": [[1e-3] * 3, [4e-3] * 3, [2e-3] * 3]}
    benchmark.show({"training step": times}, dict.fromkeys(times, 7), {"float64": 3e-9})
    assert capsys.readouterr().out.splitlines() == [
        "peak memory of the process: minigan 7 MB, PyTorch 7 MB",
        "the losses of both sides differ, relatively, by at most 3e-09 in float64",
        "milliseconds    minigan   PyTorch   ratio (quartiles)",
        "training step     4.000     2.000    2.00 (1.50-3.00)"]


def test_losses_that_differ_are_refused_and_so_is_nan():
    assert benchmark.check_losses([[1, 2]], [[1, 2.0002]], 1e-3) == pytest.approx(1e-4, rel=1e-3)
    for wrong in ([[1, 2.01]], [[math.nan, 2]]):
        with pytest.raises(ValueError, match="do not compute the same"):
            benchmark.check_losses(wrong, [[1, 2]], 1e-3)


def test_a_loss_that_passes_through_zero_is_compared_with_the_largest():
    assert benchmark.check_losses([[1e-6, -2]], [[0, -2]], 1e-3) == pytest.approx(5e-7)


def compare(workload):
    losses = [workloads.run_steps(side, workload, 3, "float64")[1]
              for side in ("minigan", "PyTorch")]
    return benchmark.check_losses(*losses, 1e-6)


@pytest.mark.parametrize("workload", workloads.WORKLOADS)
def test_the_networks_in_pytorch_are_the_same(workload):
    pytest.importorskip("torch")
    assert compare(workload) < 1e-9


@pytest.mark.parametrize("name, wrong", [
    ("channels_first", lambda shape: slice(None)), ("order_wanted", lambda layers: slice(None)),
    ("softplus", lambda s: s.exp())])
def test_another_network_or_loss_in_pytorch_is_refused(monkeypatch, name, wrong):
    pytest.importorskip("torch")
    import pytorch
    monkeypatch.setattr(pytorch, name, wrong)
    with pytest.raises(ValueError, match="do not compute the same"):
        compare("W2")


def detached(penalty):
    return lambda *arguments: penalty(*arguments).detach()


def at_real(penalty):
    return lambda self, x_real, x_fake: penalty(self, x_real, x_real)


@pytest.mark.parametrize("wrong", [detached, at_real])
def test_a_penalty_without_gradient_or_elsewhere_in_pytorch_is_refused(monkeypatch, wrong):
    pytest.importorskip("torch")
    from pytorch import PyTorch
    monkeypatch.setattr(PyTorch, "gradient_penalty", wrong(PyTorch.gradient_penalty))
    with pytest.raises(ValueError, match="do not compute the same"):
        compare("W3")


def test_a_layer_without_translation_is_refused():
    pytest.importorskip("torch")
    import pytorch
    with pytest.raises(TypeError, match="Dropout"):
        pytorch.to_torch(Sequential(Dropout()), np.ones((2, 3), np.float32))


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
    workloads.turn_data.cache_clear()
    workloads.parts.cache_clear()


@pytest.fixture
def in_process(monkeypatch):
    """No process is started; gives a list of what CUPY_TF32 was where one would have been."""
    def submit(function, *arguments):
        result = function(*arguments)
        return SimpleNamespace(result=lambda: result)

    def start_process():
        seen.append(os.environ["CUPY_TF32"])
        return nullcontext(SimpleNamespace(submit=submit))

    seen, size = [], workloads.matmul_speed
    monkeypatch.setattr(benchmark, "start_process", start_process)
    monkeypatch.setattr(benchmark, "matmul_speed", lambda side: size(side, 64))
    monkeypatch.setattr(benchmark, "REST", 0)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUPY_TF32"):
        monkeypatch.setenv(name, "1")  # main sets them; afterwards they are what they were
    return seen


STEPS = workloads.WARM_UP + workloads.TIMED
PARTS = 2 * 13 + 2  # of W1: 13 different layers, forward and backward, and Adam twice


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_on_a_gpu_the_losses_are_the_same_and_only_they_are_fetched(name, gpu):
    expected = workloads.run_steps("minigan", name, 2)[1]
    workloads.backend_module("cupy")  # looks once whether the GPU computes
    fake_cupy.fetches.clear()
    assert workloads.run_steps("minigan on GPU", name, 2)[1] == expected
    count = STEPS * (workloads.WORKLOADS[name].critic_steps + 1)
    assert fake_cupy.fetches == {"__float__": count}


def test_all_that_is_timed_begins_and_ends_by_waiting(monkeypatch):
    events = []
    monkeypatch.setattr(workloads.time, "perf_counter", lambda: events.append("clock") or 0)
    workloads.timed(lambda: events.append("wait"), events.append, "work")
    monkeypatch.undo()
    assert events == ["wait", "clock", "work", "wait", "clock"]


@pytest.mark.parametrize("timed, count", [
    (lambda side: workloads.run_steps(side, "W1", 2), STEPS),
    (lambda side: workloads.run_parts(side, "W1", 2), STEPS * PARTS),
    (lambda side: workloads.matmul_speed(side, 4), 5)], ids=["steps", "parts", "peak"])
def test_the_gpu_is_waited_for_and_on_the_cpu_nothing_is(timed, count, gpu):
    timed("minigan")
    assert gpu.waits == 0
    timed("minigan on GPU")
    assert gpu.waits == 2 * count


def test_on_a_gpu_the_parts_are_the_same_and_lie_there(gpu):
    assert list(workloads.parts("minigan on GPU", "W2", 2)) == list(
        workloads.parts("minigan", "W2", 2))
    forward = workloads.parts("minigan on GPU", "W2", 2)["ReLU() of (2, 14, 14, 64) forward"]
    assert isinstance(forward()[0], fake_cupy.ndarray)


def test_on_a_gpu_the_table_says_so(gpu, in_process, capsys):
    benchmark.main(["--backend", "cupy", "--no-torch", "--workloads", "W1", "--batch-sizes", "2",
                    "--rounds", "1"])
    out = capsys.readouterr().out
    for words in ("gpu +Abacus", "cupy +0", r"cuda +12\.9", "tf32 +off",
                  "peak memory of the process: minigan on GPU 7 MB",
                  "milliseconds +minigan on GPU", r"training step +\d+\.\d+",
                  r"Adam of D +\d+\.\d+"):
        assert re.search(rf"\n{words}\n", out), words
    assert set(in_process) == {"0"}


@pytest.mark.parametrize("found, words, sides, said", [
    (True, [], ["minigan on GPU", "PyTorch on GPU"], False),
    (True, ["--fused-adam"], ["minigan on GPU", "PyTorch on GPU, fused Adam"], False),
    (True, ["--no-torch"], ["minigan on GPU"], False), (False, [], ["minigan on GPU"], True)])
def test_a_pytorch_without_a_gpu_is_left_out_and_that_is_said(
        found, words, sides, said, gpu, in_process, monkeypatch, capsys):
    def measure(workload, batch_size, sides, *more):
        asked.append(sides)
        return {"training step": {side: [[1]] for side in sides}}, dict.fromkeys(sides, 1), {}

    asked = []
    for name, value in [("find_spec", True), ("version", "2.13.0"), ("torch_finds_a_gpu", found)]:
        monkeypatch.setattr(benchmark, name, lambda *_, value=value: value)
    monkeypatch.setattr(benchmark, "measure", measure)
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
    from pytorch import PyTorchOnGPU
    assert PyTorchOnGPU.device == "cuda" and PyTorchOnGPU.wait is torch.cuda.synchronize
    for name, value in [("device", "cpu"), ("wait", gpu.synchronize),
                        ("gpu_memory", gpu.total_bytes)]:
        monkeypatch.setattr(PyTorchOnGPU, name, value)
    return PyTorchOnGPU


@pytest.mark.parametrize("side", ["PyTorch on GPU", "PyTorch on GPU, fused Adam"])
def test_on_a_gpu_both_sides_are_compared(side, torch_gpu, gpu, in_process):
    times, memory, differences = benchmark.measure("W1", 2, ["minigan on GPU", side], 1, True)
    assert gpu.waits == 2 * 2 * STEPS * (3 + PARTS)  # one turn warms up, one has float64
    assert memory == {"minigan on GPU": 7, side: 7}
    assert differences["float32"] < 1e-3 and differences["float64"] < 1e-6
    for turns in times.values():
        assert {side: np.shape(seconds) for side, seconds in turns.items()} == dict.fromkeys(
            memory, (1, workloads.TIMED))


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_pytorch_computes_all_on_its_device(name, torch_gpu, monkeypatch):
    monkeypatch.setattr(torch_gpu, "device", "meta")  # refuses what lies elsewhere
    networks = workloads.build(name)
    data = workloads.turn_data("PyTorch on GPU", name, 2)[0]
    losses = torch_gpu(*networks, workloads.WORKLOADS[name]).step(*data)
    assert {loss.device.type for loss in losses} == {"meta"}
    for function in workloads.parts("PyTorch on GPU", name, 2).values():
        found = function()  # a tensor, a tuple of tensors, or None from Adam
        assert found is None or {tensor.device.type for tensor in found} == {"meta"}


@pytest.mark.parametrize("side, fused", [("PyTorch", None), ("PyTorch, fused Adam", True)])
def test_pytorch_uses_its_fused_adam_if_it_is_asked_for(side, fused):
    pytest.importorskip("torch")
    training = workloads.side_class(side)(*workloads.build("W1"), workloads.WORKLOADS["W1"])
    for adam in training.adam_g, training.adam_d:
        assert adam.defaults["fused"] is fused


def test_pytorch_does_not_use_tf32():
    torch = pytest.importorskip("torch")
    import pytorch  # noqa: F401
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
