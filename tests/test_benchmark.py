"""The benchmark counts rightly, reports what it promises, and refuses a fast wrong answer."""
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import Dense, Dropout, LeakyReLU, Sequential

pytest.importorskip("resource", reason="the benchmark asks Unix for the memory of its processes")

EXAMPLES = Path(__file__).parent.parent / "examples"
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
