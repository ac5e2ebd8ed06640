"""Measures how fast minigan trains, beside PyTorch where PyTorch is installed.

    python examples/benchmark/steps.py                                all workloads, on one thread
    python examples/benchmark/steps.py --threads 2 --no-layers        whole steps only, on two
    python examples/benchmark/steps.py --threads 2 --processes 1 2    alone, and in two processes
    python examples/benchmark/steps.py --backend cupy --batch-sizes 64 512      on a GPU, with CuPy

Workload W1 trains the dense networks, W2 the convolutional ones, W3 the dense ones by WGAN-GP.
Timed are whole training steps (as many discriminator_steps as the workload says, and one
generator_step; Adam, float32), and then, alone, each layer's forward and backward (input_grad and
add_param_grads) and Adam's step.

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
import itertools
import multiprocessing
import os
import platform
import re
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from workloads import (
    TIMED, WORKLOADS, build, matmul_speed, peak_memory, run_parts, run_steps, step_gflop)

from minigan.backend import backend_module
from minigan.workshop import at_least, keep_freed_memory, one_line_errors

REST = 0.1  # seconds before a turn: for so long the other side's idle threads may spin on a core


def start_process():
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), begin)


def begin():
    """What each process does first."""
    keep_freed_memory()  # as the programs that train do; PyTorch, too, gains from it
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent():
    """A benchmark that is killed leaves no process behind."""
    multiprocessing.parent_process().join()
    os._exit(1)


def check_losses(losses, expected, tolerance):
    """The largest difference, as a part of the largest loss (one alone may be near 0, as in W3).
    Raises ValueError if it is not within the tolerance."""
    difference = np.abs(np.subtract(losses, expected)).max() / np.abs(expected).max()
    if not difference <= tolerance:  # in this form NaN is refused too
        raise ValueError("the two sides do not compute the same: their losses differ by "
                         f"{difference:.1e}, relatively, not by {tolerance:.0e} at most")
    return float(difference)


def measure(workload, batch_size, sides, rounds, layers):
    """The times {what: {side: seconds (rounds, TIMED)}}, the peak memory {side: MB}, and by how
    much the losses differ {dtype: difference}."""
    with ExitStack() as stack:
        processes = {side: stack.enter_context(start_process()) for side in sides}

        def ask(function, side, *more):
            time.sleep(REST)
            return processes[side].submit(function, side, workload, batch_size, *more).result()

        def take_turns(function):
            return [{side: ask(function, side) for side in sides} for _ in range(rounds)]

        losses = [ask(run_steps, side)[1] for side in sides]  # a turn that warms up, too
        turns = take_turns(run_steps)
        times = {"training step": {side: [turn[side][0] for turn in turns] for side in sides}}
        memory, differences = {side: ask(peak_memory, side) for side in sides}, {}
        if len(sides) == 2:
            # Adam makes a full step even of what rounding leaves of a zero gradient. In float32 the
            # losses therefore drift apart, in W2 by 1e-3 in some 7 steps, and only the first 2 are
            # compared. In float64, where that remnant is far below Adam's eps, all must agree.
            exact = [ask(run_steps, side, "float64")[1] for side in sides]
            differences = {"float32": check_losses(*(steps[:2] for steps in losses), 1e-3),
                           "float64": check_losses(*exact, 1e-6)}
        if layers:
            turns = take_turns(run_parts)
            times |= {part: {side: [turn[side][part] for turn in turns] for side in sides}
                      for part in turns[0][sides[0]]}
    return times, memory, differences


def ratio(ours, theirs):
    """Our time by theirs, taken within each round: median, and the two quartiles."""
    ratios = np.median(ours, axis=1) / np.median(theirs, axis=1)
    return np.percentile(ratios, [50, 25, 75])


def show(times, memory, differences):
    """Prints what measure returned."""
    print("peak memory of the process: "
          + ", ".join(f"{side} {mb:.0f} MB" for side, mb in memory.items()))
    if differences:
        print("the losses of both sides differ, relatively, by at most "
              + ", ".join(f"{value:.0e} in {dtype}" for dtype, value in differences.items()))
    width, sides = max(map(len, times)), list(memory)
    header = [f"{'milliseconds':{width}}", *sides, "ratio (quartiles)"]
    print("   ".join(header[:2 * len(sides)]))  # no ratio of one side
    for what, turns in times.items():
        line = f"{what:{width}}" + "".join(
            f"{np.median(turns[side]) * 1e3:{len(side) + 3}.3f}" for side in sides)
        if len(sides) == 2:
            line += "{:8.2f} ({:.2f}-{:.2f})".format(*ratio(*turns.values()))
        print(line)


def describe_machine(threads, peak, on_gpu):
    """What the numbers depend on."""
    cpu, details = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if details.exists():
        [cpu, *_] = re.findall("model name.*: (.*)", details.read_text()) or [cpu]
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    machine = {"cpu": cpu, "threads": threads, "matrix product": f"{peak:.0f} GFLOP/s",
               "blas": f"{blas['name']} {blas['version']}", "python": platform.python_version(),
               "numpy": np.__version__, "pytorch": find_spec("torch") and version("torch")}
    if on_gpu:
        cupy = backend_module("cupy")
        gpu, cuda = cupy.cuda.runtime.getDeviceProperties(0), cupy.cuda.runtime.runtimeGetVersion()
        machine |= {"gpu": gpu["name"].decode(), "cupy": cupy.__version__,
                    "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}", "tf32": "off"}
    return machine


def torch_finds_a_gpu():
    import torch
    return torch.cuda.is_available()


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--backend", choices=["numpy", "cupy"], default="numpy",
        help="the CPU, or a GPU: CuPy beside PyTorch's CUDA")
    add("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS),
        help="W1: dense networks, W2: convolutional ones, W3: dense ones by WGAN-GP")
    add("--batch-sizes", nargs="+", type=at_least(2), default=[64, 128], metavar="N",
        help="images a step, from 2 up, for BatchNorm")
    add("--threads", type=at_least(1), default=1, metavar="N", help="of each side; 1 repeats best")
    add("--processes", nargs="+", type=at_least(1), default=[1], metavar="N",
        help="that share minigan's batches, and threads; with more than 1 whole steps only")
    add("--rounds", type=at_least(1), default=20, metavar="N",
        help=f"turns of each side; a turn times {TIMED} steps")
    add("--no-layers", action="store_true", help="time whole steps only")
    add("--no-torch", action="store_true", help="time minigan alone")
    add("--fused-adam", action="store_true", help="let PyTorch use its fused Adam, its fastest one")
    return parser.parse_args(argv)


@one_line_errors()
def main(argv=None):
    args = parse(argv)
    backend_module(args.backend)
    for library in ("OPENBLAS", "OMP", "MKL"):  # the processes read it when they import NumPy
        os.environ[f"{library}_NUM_THREADS"] = str(args.threads)
    os.environ["CUPY_TF32"] = "0"  # they read this too; pytorch.py does the same
    on_gpu = " on GPU" if args.backend == "cupy" else ""
    ours, theirs = f"minigan{on_gpu}", []
    with start_process() as process:
        peak = process.submit(matmul_speed, ours).result()
    for name, value in describe_machine(args.threads, peak, on_gpu).items():
        print(f"{name:16}{value}")
    if not args.no_torch and find_spec("torch"):
        if on_gpu and not torch_finds_a_gpu():
            print("This PyTorch cannot compute on the GPU: minigan is measured alone.")
        else:
            theirs = [f"PyTorch{on_gpu}" + (", fused Adam" if args.fused_adam else "")]
    for workload, batch_size, processes in itertools.product(
            args.workloads, args.batch_sizes, args.processes):
        sides = [ours if processes == 1 else f"{ours} x {processes}", *theirs]
        layers = processes == 1 and not args.no_layers
        times, *more = measure(workload, batch_size, sides, args.rounds, layers)
        gflop = step_gflop(*build(workload), batch_size, WORKLOADS[workload])
        speed = gflop / np.median(times["training step"][sides[0]])
        print(f"\n{workload}, batch size {batch_size}\n{gflop:.2f} GFLOP a step; minigan does "
              f"{speed:.0f} GFLOP/s, {speed / peak:.0%} of the matrix product's")
        show(times, *more)


if __name__ == "__main__":
    main()
