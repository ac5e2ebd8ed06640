"""What the benchmark times, and what the process of a side does: one turn after another.

minigan's side is here; PyTorch's is in pytorch.py, which only its own process imports.
"""
import json
import math
import operator
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from minigan import (
    NETWORKS, Adam, ConvTranspose2D, Flatten, GradientPenalty, NonSaturating, Reshape, Sequential,
    Wasserstein, discriminator_step, generator_step, to_device)
from minigan.backend import backend_module
from minigan.workshop import (
    Processes, draw_digits, keep_freed_memory, many_processes, to_float)


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


class Minigan:
    """minigan's side; pytorch.PyTorch is its twin."""

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
        return [*d_losses, generator_step(*self.networks, self.adam_g, self.loss, z)[0]]

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
    side, _, _ = side.partition(" x ")
    if side in SIDES:
        return SIDES[side]
    import pytorch  # here, since minigan's process shall be free of PyTorch
    return pytorch.SIDES[side]


# The requests that a process answers.

def run_steps(side, workload, batch_size, dtype="float32"):
    """One turn: seconds (TIMED,), and the losses (WARM_UP + TIMED, critic_steps + 1), G's last.
    The side "minigan x 2" is two processes."""
    _, _, processes = side.partition(" x ")
    if not processes:
        return take_turn(Processes(), side, workload, batch_size, dtype)
    mpiexec = shutil.which("mpiexec", path=os.path.dirname(sys.executable)) or "mpiexec"
    words = [mpiexec, "-n", processes, sys.executable, __file__, workload, batch_size, dtype]
    threads = str(max(1, int(os.environ.get("OPENBLAS_NUM_THREADS", 1)) // int(processes)))
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": threads})
    if done.returncode:
        raise RuntimeError(f"mpiexec has failed: {done.stderr}")
    return json.loads(done.stdout)


def take_turn(processes, side, workload, batch_size, dtype):
    networks = [network.astype(dtype) for network in build(workload)]
    training = side_class(side)(*networks, WORKLOADS[workload])
    if processes.size > 1:
        processes.share(*training.networks, training.adam_g, training.adam_d)
        if training.penalty:
            training.penalty.rng = processes.random(training.penalty.rng)
    seconds, losses = [], []
    for batches, z in turn_data(side, workload, batch_size, dtype):
        batches = [[*map(processes.part, batch)] for batch in batches]
        second, found = timed(training.wait, training.step, batches, processes.part(z))
        seconds.append(second)
        losses.append(processes.mean(np.array([float(loss) for loss in found])).tolist())
    return seconds[WARM_UP:], losses


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
    whose = resource.RUSAGE_CHILDREN if " x " in side else resource.RUSAGE_SELF
    return resource.getrusage(whose).ru_maxrss * unit / 1e6


def matmul_speed(side, size=2048):
    """GFLOP/s of NumPy's or CuPy's float32 matrix product, the best of five."""
    a, wait = side_class(side).array(np.ones((size, size), np.float32)), side_class(side).wait
    return 2e-9 * size ** 3 / min(timed(wait, operator.matmul, a, a)[0] for _ in range(5))


# What these need.

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
    """Generates (layer, x, y) of a training pass through the layers of a Sequential."""
    for layer in network.layers:
        y, _ = layer.forward(x)
        yield layer, x, y
        x = y


def step_gflop(generator, discriminator, batch_size, workload):
    """GFLOP of the matrix products in a training step; a multiplication with its addition is 2.

    A layer's y, dW and dx take 2 * positions * W.size each, where it applies W once to each example
    and pixel (of x in ConvTranspose2D, else of y). To run takes y, to relay a gradient dx, to learn
    dW and dx, but no dx at the first layer. In a D step G runs, and D runs and learns on real and
    on fake. In G's step both run, D relays and G learns. A gradient penalty lets D run at the
    interpolates, relay down to them, carry a tangent up, which costs as much as to run, and learn:
    dW = x_dot^T dy_dot and dx_dot, while dy is None in a D that is linear in pieces.
    """
    z, steps = np.zeros((2, LATENT_DIM), np.float32), workload.critic_steps
    penalties, total = steps if workload.penalty else 0, 0
    for network, x, run_or_relay, learn in [
            (generator, z, steps + 1, 1),
            (discriminator, generator(z), 2 * steps + 2 + 3 * penalties, 2 * steps + penalties)]:
        flop = [2 * math.prod((x if isinstance(layer, ConvTranspose2D) else y).shape[1:-1])
                * layer.W.value.size for layer, x, y in trace(network, x) if hasattr(layer, "W")]
        total += run_or_relay * sum(flop) + learn * (2 * sum(flop) - flop[0])
    return batch_size * total / 1e9


if __name__ == "__main__":  # mpiexec starts several of this: all take one turn together
    keep_freed_memory()
    with many_processes() as together:
        _, name, batch, precision = sys.argv
        print(json.dumps(take_turn(together, "minigan", name, int(batch), precision)))
