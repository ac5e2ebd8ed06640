"""Measures how fast minigan trains, beside PyTorch where PyTorch is installed.

    python examples/benchmark.py                               all workloads, on one thread
    python examples/benchmark.py --threads 2 --no-layers       whole steps only, on two
    python examples/benchmark.py --workloads W1 --batch-sizes 64 --json w1.json
    python examples/benchmark.py --backend cupy --batch-sizes 64 512       on a GPU, with CuPy

A workload is a pair of networks of minigan/networks.py and a way to train them: W1 the dense pair,
W2 the convolutional one, W3 the dense one by WGAN-GP. Timed are whole training steps (as many
discriminator_steps as the workload says, and one generator_step; Adam, float32), and then, alone,
each layer's forward and backward (input_grad and add_param_grads) and Adam's step.

What makes the comparison fair:

* Each side runs in a process of its own. Within one process the threads of OpenBLAS (NumPy) and
  OpenMP (PyTorch) take each other's cores, and both sides become several times as slow.
* The sides take turns, so that whatever else the machine does disturbs both. A turn starts from
  fresh weights, so that all turns are alike, and its first steps only warm up.
* Times are medians of all steps. The ratio minigan / PyTorch (below 1: minigan is faster) is taken
  in each round of turns; shown are its median and quartiles.
* A GPU still computes when the host has gone on: it is waited for before and after all that is
  timed. TF32, which cuts the factors of a matrix product down to 10 bits, is off on both sides.
* From the same weights, images and random numbers both sides must compute the same losses, or there
  is no result.
"""
import argparse
import json
import math
import multiprocessing
import operator
import os
import platform
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from minigan import (
    NETWORKS, Adam, ConvTranspose2D, Flatten, GradientPenalty, NonSaturating, Reshape,
    Sequential, Wasserstein, discriminator_step, generator_step, to_device)
from minigan.backend import backend_module
from minigan.workshop import draw_digits, to_float, whole_file


class Workload(NamedTuple):
    """What is trained, and how. A training step is critic_steps steps of D and then one of G."""

    networks: str
    loss: type = NonSaturating
    penalty: float = 0.0  # the weight of WGAN-GP's gradient penalty
    critic_steps: int = 1
    adam: tuple = (2e-4, 0.5, 0.999)  # lr, beta1, beta2


WORKLOADS = {
    "W1": Workload("mlp"), "W2": Workload("dcgan"),
    "W3": Workload("mlp", Wasserstein, penalty=10.0, critic_steps=5, adam=(1e-4, 0.0, 0.9))}
LATENT_DIM = 100
WARM_UP, TIMED = 2, 5  # steps in a turn
REST = 0.1  # seconds before a turn: for so long the other side's idle threads may spin on a core


class Minigan:
    """minigan's side; benchmark_torch.PyTorch is its twin."""

    backend = "numpy"

    def __init__(self, generator, discriminator, workload):
        self.networks = generator.to(self.backend), discriminator.to(self.backend)
        self.loss = workload.loss()
        self.penalty = GradientPenalty(workload.penalty, rng=3) if workload.penalty else None
        self.adam_g, self.adam_d = (
            Adam(network.parameters(), *workload.adam) for network in self.networks)

    @staticmethod
    def wait():
        """Returns when all is computed: on a CPU, at once."""

    @classmethod
    def array(cls, x):
        """A host array as this side wants it."""
        return to_device(x, cls.backend)

    def step(self, batches, z):
        """One training step: the losses of D, one for each of its batches (x_real, z), and of G."""
        d_losses = [discriminator_step(*self.networks, self.adam_d, self.loss, *batch,
                                       self.penalty)[0] for batch in batches]
        g_loss, _ = generator_step(*self.networks, self.adam_g, self.loss, z)
        return [*d_losses, g_loss]

    @classmethod
    def passes(cls, layer, x, dy):
        """Two functions: the layer's forward pass on x, and its backward pass from dy."""
        x, dy = cls.array(x), cls.array(dy)
        _, cache = layer.to(cls.backend).forward(x)
        return partial(layer.forward, x), partial(layer.backward, dy, cache)


class MiniganOnGPU(Minigan):
    """The same with CuPy."""

    backend = "cupy"

    @staticmethod
    def wait():
        backend_module("cupy").cuda.Device().synchronize()

    @staticmethod
    def gpu_memory():
        """The bytes of CuPy's pool, which only grows."""
        return backend_module("cupy").get_default_memory_pool().total_bytes()


SIDES = {"minigan": Minigan, "minigan on GPU": MiniganOnGPU}


def side_class(side):
    if side in SIDES:
        return SIDES[side]
    import benchmark_torch  # here, since minigan's process shall be free of PyTorch
    return benchmark_torch.SIDES[side]


# The requests that the process of a side answers.

def run_steps(side, workload, batch_size, dtype="float32"):
    """One turn: seconds (TIMED,), and the losses (WARM_UP + TIMED, critic_steps + 1), G's last."""
    networks = [network.astype(dtype) for network in build(workload)]
    training = side_class(side)(*networks, WORKLOADS[workload])
    results = [timed(training.wait, training.step, *data)
               for data in turn_data(side, workload, batch_size, dtype)]
    seconds, losses = zip(*results)
    return seconds[WARM_UP:], [[float(loss) for loss in step] for step in losses]


def run_parts(side, workload, batch_size):
    """One turn: {name: seconds (TIMED,)} of all parts."""
    wait = side_class(side).wait
    return {name: [timed(wait, function)[0] for _ in range(WARM_UP + TIMED)][WARM_UP:]
            for name, function in parts(side, workload, batch_size).items()}


def peak_memory(side, *_):
    """MB that this process has held at most: of a GPU's memory, or Python and all libraries."""
    if hasattr(side_class(side), "gpu_memory"):
        return side_class(side).gpu_memory() / 1e6
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def sgemm_peak(side, size=2048):
    """GFLOP/s of NumPy's or CuPy's float32 matrix product, the best of five."""
    a, wait = side_class(side).array(np.ones((size, size), np.float32)), side_class(side).wait
    return 2e-9 * size ** 3 / min(timed(wait, operator.matmul, a, a)[0] for _ in range(5))


def timed(wait, function, *arguments):
    """Seconds, and the function's result; wait() returns when all is computed."""
    wait()
    start = time.perf_counter()
    result = function(*arguments)
    wait()
    return time.perf_counter() - start, result


def build(workload):
    return NETWORKS[WORKLOADS[workload].networks](LATENT_DIM, np.random.default_rng(0))


@cache
def turn_data(side, workload, batch_size, dtype="float32"):
    """D's batches (x_real, z) and G's z, for each step of a turn."""
    rng, array = np.random.default_rng(1), side_class(side).array
    steps, per_step = WARM_UP + TIMED, WORKLOADS[workload].critic_steps
    images = to_float(draw_digits(steps * per_step * batch_size, rng)[0]).astype(dtype)
    x = images.reshape(steps, per_step, batch_size, *images.shape[1:])
    z = rng.standard_normal((steps, per_step + 1, batch_size, LATENT_DIM), np.float32).astype(dtype)
    return [(list(zip(map(array, x_step), map(array, z_step[:-1]))), array(z_step[-1]))
            for x_step, z_step in zip(x, z)]


@cache
def parts(side, workload, batch_size):
    """{name: function} of the passes of each different layer, and of Adam's steps."""
    generator, discriminator = build(workload)
    rng = np.random.default_rng(2)
    z = rng.standard_normal((batch_size, LATENT_DIM), np.float32)
    functions = {}
    for layer, x, y in trace(Sequential(*generator.layers, *discriminator.layers), z):
        if not isinstance(layer, (Flatten, Reshape)):  # these compute nothing
            dy = rng.standard_normal(y.shape, np.float32)
            names = (f"{layer} of {x.shape} {direction}" for direction in ("forward", "backward"))
            functions.update(zip(names, side_class(side).passes(layer, x, dy)))
    training = side_class(side)(generator, discriminator, WORKLOADS[workload])
    training.step(*turn_data(side, workload, batch_size)[0])  # leaves gradients for Adam
    return {**functions, "Adam of G": training.adam_g.step, "Adam of D": training.adam_d.step}


def trace(network, x):
    """The triples (layer, x, y) of a training pass through the layers of a Sequential."""
    triples = []
    for layer in network.layers:
        y, _ = layer.forward(x)
        triples.append((layer, x, y))
        x = y
    return triples


# What the parent does: ask, compare, show.

def start_process():
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def step_gflop(generator, discriminator, batch_size, workload):
    """GFLOP of the matrix products in a training step; a multiplication with its addition is 2.

    A layer's y, dW and dx take 2 * positions * W.size each, where it applies W once to each example
    and pixel (of x in ConvTranspose2D, else of y). At the first layer dx is not needed. In a D step
    G runs forward once; D runs forward and learns twice, on real and fake. In G's step both run
    forward once, D relays and G learns. A gradient penalty lets D run forward at the interpolates
    and relay down to them; the tangent costs as much as a forward pass, and the sweep back as much
    as learning: dW = x_dot^T dy_dot and dx_dot, while dy is None in a D that is linear in pieces.
    """
    z, steps = np.zeros((2, LATENT_DIM), np.float32), workload.critic_steps
    penalties = steps if workload.penalty else 0
    total = 0
    for network, x, forward, learn, relay in (
            (generator, z, steps + 1, 1, 0),
            (discriminator, generator(z),
             2 * steps + 1 + 2 * penalties, 2 * steps + penalties, 1 + penalties)):
        flop = [2 * math.prod((x if isinstance(layer, ConvTranspose2D) else y).shape[1:-1])
                * layer.W.value.size for layer, x, y in trace(network, x) if hasattr(layer, "W")]
        total += (forward + relay) * sum(flop) + learn * (2 * sum(flop) - flop[0])
    return batch_size * total / 1e9


def check_losses(losses, expected, tolerance):
    """The largest difference, as a part of the largest loss (one alone may be near 0, as in W3).

    Raises ValueError if it is not within the tolerance.
    """
    losses, expected = np.array(losses), np.array(expected)
    difference = np.max(np.abs(losses - expected)) / np.max(np.abs(expected))
    if not difference <= tolerance:  # in this form NaN is refused too
        raise ValueError("the two sides do not compute the same: their losses differ by "
                         f"{difference:.1e}, relatively, not by {tolerance:.0e} at most")
    return float(difference)


def row(name, turns):
    """A row of the table, from {side: seconds (rounds, TIMED)}."""
    result = {"name": name, "ms": {side: float(np.median(t) * 1e3) for side, t in turns.items()}}
    if len(turns) == 2:
        ours, theirs = (np.median(t, axis=1) for t in turns.values())
        low, result["ratio"], high = np.percentile(ours / theirs, [25, 50, 75]).tolist()
        result["quartiles"] = low, high
    return result


def measure(workload, batch_size, sides, rounds, layers, peak):
    """All measurements of one workload at one batch size, as a dict for JSON."""
    with ExitStack() as stack:
        pools = {side: stack.enter_context(start_process()) for side in sides}

        def ask(function, side, *more):
            time.sleep(REST)
            return pools[side].submit(function, side, workload, batch_size, *more).result()

        def take_turns(function):
            """{side: the results of all rounds}"""
            results = [{side: ask(function, side) for side in sides} for _ in range(rounds)]
            return {side: [result[side] for result in results] for side in sides}

        result = {"workload": workload, "networks": WORKLOADS[workload].networks,
                  "batch_size": batch_size}
        losses = [ask(run_steps, side)[1] for side in sides]  # a turn that warms up, too
        turns = take_turns(run_steps)
        result["peak_memory_mb"] = {side: ask(peak_memory, side) for side in sides}
        if len(sides) == 2:
            # Adam makes a full step even of what rounding leaves of a zero gradient. In float32 the
            # losses therefore drift apart, in W2 by 1e-3 in some 7 steps, and only the first 2 are
            # compared. In float64, where that remnant is far below Adam's eps, all must agree.
            exact = [ask(run_steps, side, "float64")[1] for side in sides]
            result["loss_difference"] = {
                "float32": check_losses(*(steps[:2] for steps in losses), tolerance=1e-3),
                "float64": check_losses(*exact, tolerance=1e-6)}
        rows = [row("training step", {side: [seconds for seconds, _ in turns[side]]
                                      for side in sides})]
        if layers:
            turns = take_turns(run_parts)
            rows += [row(name, {side: [seconds[name] for seconds in turns[side]] for side in sides})
                     for name in turns[sides[0]][0]]
    gflop = step_gflop(*build(workload), batch_size, WORKLOADS[workload])
    speed = gflop / rows[0]["ms"][sides[0]] * 1e3
    return {**result, "gflop_per_step": gflop, "gflop_per_second": speed,
            "fraction_of_peak": speed / peak, "rows": rows}


def show(result):
    """Prints what measure returned."""
    print("\n{workload}, the networks {networks!r}, batch size {batch_size}".format(**result))
    print("{gflop_per_step:.2f} GFLOP a step; minigan does {gflop_per_second:.0f} GFLOP/s, "
          "{fraction_of_peak:.0%} of the peak".format(**result))
    print("peak memory of the process: " + ", ".join(
        f"{side} {mb:.0f} MB" for side, mb in result["peak_memory_mb"].items()))
    if "loss_difference" in result:
        print("the losses of both sides differ, relatively, by at most " + ", ".join(
            f"{value:.0e} in {dtype}" for dtype, value in result["loss_difference"].items()))
    width = max(len(row["name"]) for row in result["rows"])
    sides = result["rows"][0]["ms"]
    print(f"{'milliseconds':{width}}" + "".join(f"{side:>{len(side) + 3}}" for side in sides)
          + "   ratio (quartiles)" * (len(sides) == 2))
    for row in result["rows"]:
        times = "".join(f"{ms:{len(side) + 3}.3f}" for side, ms in row["ms"].items())
        ratio = ("{:8.2f} ({:.2f}-{:.2f})".format(row["ratio"], *row["quartiles"])
                 if "ratio" in row else "")
        print(f"{row['name']:{width}}{times}{ratio}")


def describe_machine(threads, minigan):
    """What the numbers depend on; "pytorch" is None where it is not installed."""
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            cpu = next((line.split(": ")[1].strip() for line in file if "model name" in line), cpu)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    with start_process() as pool:
        peak = pool.submit(sgemm_peak, minigan).result()
    return {"cpu": cpu, "threads": threads, "sgemm_gflop_per_second": peak,
            "blas": f"{blas['name']} {blas['version']}", "python": platform.python_version(),
            "numpy": np.__version__, "pytorch": version("torch") if find_spec("torch") else None}


def describe_gpu():
    """The same of a GPU; "pytorch_cuda" is None where PyTorch cannot compute on it."""
    cupy = backend_module("cupy")
    runtime = cupy.cuda.runtime
    cuda = runtime.runtimeGetVersion()
    with start_process() as pool:
        torch = pool.submit(torch_cuda).result() if find_spec("torch") else None
    return {"gpu": runtime.getDeviceProperties(0)["name"].decode(), "cupy": cupy.__version__,
            "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}", "pytorch_cuda": torch, "tf32": "off"}


def torch_cuda():
    import torch
    return torch.version.cuda if torch.cuda.is_available() else None


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("--backend", choices=["numpy", "cupy"], default="numpy",
        help="the CPU, or a GPU: CuPy beside PyTorch's CUDA")
    add("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS),
        help="W1: dense networks, W2: convolutional ones, W3: dense ones by WGAN-GP")
    add("--batch-sizes", nargs="+", type=int, default=[64, 128], metavar="N", help="images a step")
    add("--threads", type=int, default=1, metavar="N", help="of each side; 1 repeats best")
    add("--rounds", type=int, default=20, metavar="N",
        help=f"turns of each side; a turn times {TIMED} steps")
    add("--layers", action=switch, default=True, help="time the parts of the step, too")
    add("--torch", action=switch, default=True, help="compare with PyTorch, if it is installed")
    add("--fused-adam", action="store_true", help="let PyTorch use its fused Adam, its fastest one")
    add("--json", metavar="FILE", help="write all results to FILE, too")
    args = parser.parse_args(argv)
    if min(args.threads, args.rounds) < 1 or min(args.batch_sizes) < 2:
        parser.error("--threads and --rounds start at 1, --batch-sizes at 2, for BatchNorm")
    return args


def main(argv=None):
    args = parse(argv)
    try:
        backend_module(args.backend)
    except (ImportError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    for library in ("OPENBLAS", "OMP", "MKL"):  # the processes read it when they import NumPy
        os.environ[f"{library}_NUM_THREADS"] = str(args.threads)
    os.environ["CUPY_TF32"] = "0"  # they read this too; benchmark_torch.py does the same
    on_gpu = " on GPU" * (args.backend == "cupy")
    sides = [f"minigan{on_gpu}"]
    machine = {**describe_machine(args.threads, *sides), **(describe_gpu() if on_gpu else {})}
    for name, value in machine.items():
        print(f"{name.replace('_', ' '):24}{round(value) if name.startswith('sgemm') else value}")
    if args.torch and machine["pytorch"]:
        if on_gpu and not machine["pytorch_cuda"]:
            print("This PyTorch cannot compute on the GPU: minigan is measured alone.")
        else:
            sides.append(f"PyTorch{on_gpu}" + ", fused Adam" * args.fused_adam)
    results = []
    for workload in args.workloads:
        for batch_size in args.batch_sizes:
            results.append(measure(workload, batch_size, sides, args.rounds, args.layers,
                                   machine["sgemm_gflop_per_second"]))
            show(results[-1])
    if args.json:
        with whole_file(args.json) as part:
            part.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
