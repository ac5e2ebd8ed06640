"""A training run: its place in the data, its log, its checkpoint; to interrupt and resume at will.

    run = Run(folder, parts, arguments, columns)
    for epoch in run.epochs(images, batch_size, epochs):
        for x_real in run.batches():
            ...                              a step of training
            run.log(d_loss, g_loss)
        ...                                  a picture; by now the checkpoint is written

A resumed run computes what an uninterrupted one would have computed, bit for bit on the CPU: the
checkpoint holds all that training changes, and an epoch's order follows from seed and epoch.
"""
import signal
import sys
from pathlib import Path

import numpy as np

from minigan.checkpoint import save
from minigan.data import batches


class Run:
    """folder: where checkpoint.npz goes. parts: {name: part}, all that training changes: networks,
    optimizers, numpy Generators. arguments: JSON values, kept for whoever loads the checkpoint.
    columns: the names of the numbers that `log` takes."""

    def __init__(self, folder, parts, arguments, columns):
        self.checkpoint = Path(folder) / "checkpoint.npz"
        self.parts = parts
        self.arguments = arguments
        self.columns = columns
        self.steps = 0
        self.history = []  # a row of `columns` for each step
        self._unseen = []  # the newest of these rows, still on the device
        self.interrupted = False

    def epochs(self, images, batch_size, epochs, steps=None, seed=0):
        """Generates the numbers, from 0, of the epochs still to come, until `epochs` epochs or
        `steps` steps are done in all. Ctrl-C ends it too, after the step and its checkpoint.
        """
        self._images, self._batch_size, self._seed = images, batch_size, seed
        self.steps_per_epoch = len(images) // batch_size
        self._end = min(epochs * self.steps_per_epoch, steps or sys.maxsize)
        self._title = f"/{epochs}"

        def interrupt(*_):
            self.interrupted = True
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one stops at once
        before = signal.signal(signal.SIGINT, interrupt)
        try:
            while self.steps < self._end and not self.interrupted:
                yield self.steps // self.steps_per_epoch
        finally:
            signal.signal(signal.SIGINT, before)

    def batches(self):
        """Generates the rest of the epoch, float32 (batch_size, H, W, 1) in [-1, 1], behind a
        progress bar, and then writes the checkpoint."""
        from tqdm import tqdm
        epoch, done = divmod(self.steps, self.steps_per_epoch)
        order_rng = np.random.default_rng([self._seed, epoch])
        with tqdm(desc=f"epoch {epoch + 1}{self._title}", unit="step",
                  initial=done, total=self.steps_per_epoch) as bar:
            for x_real in batches(self._images, self._batch_size, order_rng, skip=done):
                yield x_real
                self.steps += 1
                stopping = self.interrupted or self.steps == self._end
                if stopping or self.steps % 20 == 0:  # to look at a GPU's numbers is to wait for it
                    bar.set_postfix_str(self.look(), refresh=False)
                bar.update()
                if stopping:
                    break
            bar.set_postfix_str(self.look())
        save(self.checkpoint, self.state_dict())

    def log(self, *values):
        """Notes one step's numbers, in the order of `columns`, without waiting for a GPU."""
        self._unseen.append(values)

    def look(self):
        """The mean of the last hundred steps, as text: "D loss 0.693, ...".

        Raises FloatingPointError if a number since the last look is not finite.
        """
        for values in self._unseen:
            self.history.append([float(value) for value in values])
            if not np.isfinite(self.history[-1]).all():
                numbers = ", ".join(map("{} {}".format, self.columns, self.history[-1]))
                good = f"is {self.checkpoint}" if self.checkpoint.exists() else "is not yet there"
                raise FloatingPointError(f"training diverged: step {len(self.history)}, {numbers}; "
                                         f"the last good checkpoint {good}")
        self._unseen = []
        means = np.mean(self.history[-100:], axis=0)
        return ", ".join(map("{} {:.3f}".format, self.columns, means))

    def state_dict(self):
        """All of it, as `save` takes it."""
        state = {name: part.bit_generator.state if isinstance(part, np.random.Generator)
                 else part.state_dict() for name, part in self.parts.items()}
        return state | {"history": np.array(self.history), "step": self.steps,
                        "epoch": self.steps // self.steps_per_epoch, "arguments": self.arguments}

    def load_state_dict(self, state):
        """Puts back what state_dict gave. Raises ValueError if a part does not fit."""
        for name, part in self.parts.items():
            if isinstance(part, np.random.Generator):
                part.bit_generator.state = state[name]
            else:
                part.load_state_dict(state[name])
        self.steps, self.history = state["step"], state["history"].tolist()
