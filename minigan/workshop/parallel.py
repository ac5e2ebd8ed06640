"""Many processes train one network, each on its part of every batch (data parallelism, over MPI).

    mpiexec -n 4 python examples/mnist_gan.py

A gradient is a mean over the batch, and the mean of equal parts' means is the mean of all. So each
process runs the steps of train.py on its part, as if there were no other; and just before an
optimizer steps, the gradients of all are averaged, by one `Allreduce` of its flat array. All then
take the same step: the networks, which began alike, stay alike, and nobody ever sends a weight.
Left are the means over a batch inside a network, BatchNorm's (two on the way up, two on the way
down) and MinibatchDeviation's: they are averaged in the same way. And random numbers: each process
draws those of the whole batch, and keeps its part. So any k processes compute what one does, but
for rounding."""
import contextlib
import os
import sys
import time
import traceback

import numpy as np

from minigan.backend import array_module, to_device, to_host
from minigan.minibatch import MinibatchDeviation
from minigan.norm import BatchNorm
from minigan.optimizers import Optimizer
from minigan.workshop.command import require


class Processes:
    """This process, number `rank` of `size`. world: MPI's communicator; None: it is alone, and all
    of this changes nothing."""

    def __init__(self, world=None):
        self.world = world
        self.rank, self.size = (world.rank, world.size) if world else (0, 1)

    def mean(self, a):
        """The mean of the arrays a, one of each process: a itself becomes it. On a GPU a stays as
        it is, and its mean goes by way of the host."""
        if self.world is None:
            return a
        total = to_host(a)
        self.world.Allreduce(_mpi().IN_PLACE, total)
        total /= self.size
        return to_device(total, array_module(a))

    def share(self, *parts):
        """From now on these networks and optimizers compute their means over all processes."""
        for part in parts if self.world else ():
            if isinstance(part, Optimizer):
                part.step = self._averaging(part, part.step)
            else:
                for _, layer in part.named_layers():
                    if isinstance(layer, (BatchNorm, MinibatchDeviation)):
                        layer.mean = lambda *of, own=layer.mean: self.mean(own(*of))
                    if isinstance(getattr(layer, "rng", None), np.random.Generator):
                        layer.rng = self.random(layer.rng)

    def _averaging(self, optimizer, step):
        def averaging_step():
            if optimizer.parameters[0].grad.base is not optimizer.grad:
                raise RuntimeError("a network moved after its optimizer was made: make a new one")
            mean = self.mean(optimizer.grad)
            if mean is not optimizer.grad:  # it has come from a GPU
                optimizer.grad[...] = mean
            step()
        return averaging_step

    def random(self, rng):
        """A Generator that draws as rng does, of which each process gets its part."""
        return PartOfRandom(rng, self) if self.world else rng

    def part(self, batch):
        """This process's part of the examples of a batch. ValueError if not all get as many."""
        if self.world is None:
            return batch
        if len(batch) % self.size:
            raise ValueError(f"{self.size} processes cannot share a batch of {len(batch)} evenly: "
                             f"take a multiple of {self.size}")
        return np.split(batch, self.size)[self.rank]

    def first(self, function, *arguments):
        """What function(*arguments) returns, which only the first process calls."""
        result = function(*arguments) if self.rank == 0 else None
        return self.world.bcast(result) if self.world else result

    def most(self, number):
        """The largest of the numbers, one of each process."""
        return self.world.allreduce(number, _mpi().MAX) if self.world else number


class PartOfRandom(np.random.Generator):
    """Draws the numbers of the whole batch, as all processes do, and returns one process's part."""

    def __init__(self, rng, processes):
        super().__init__(rng.bit_generator)
        self.processes = processes

    def random(self, shape, dtype=np.float64):
        return self._part(super().random, shape, dtype)

    def standard_normal(self, shape, dtype=np.float64):
        return self._part(super().standard_normal, shape, dtype)

    def _part(self, draw, shape, dtype):
        whole = draw((self.processes.size * shape[0], *shape[1:]), dtype)
        return self.processes.part(whole)


def _mpi():
    from mpi4py import MPI  # which starts MPI
    return MPI


@contextlib.contextmanager
def many_processes():
    """with many_processes() as processes: all that mpiexec has started, else this one alone.

    Only the first one prints. An error in one ends all; only one of them says which."""
    if "1" == (os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE") or "1"):
        yield Processes()
        return
    require("mpi4py", extra="mpi")
    processes, stderr = Processes(_mpi().COMM_WORLD), sys.stderr
    if processes.rank:
        sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        yield processes
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit) else traceback.format_exc()
        if code:
            time.sleep(processes.rank and 1)  # if the first one has the same error, it ends it here
            if isinstance(code, str):
                print(code, file=stderr, flush=True)
                time.sleep(0.2)  # until mpiexec has passed it on, which Abort may cut off
            code = code if isinstance(code, int) else 1
            processes.world.Abort(code)
            os._exit(code)  # some MPI's Abort returns
        raise
