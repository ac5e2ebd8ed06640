"""A training run: its place in the data, its log, its checkpoint; to interrupt and resume at will.

    run = Run(folder, parts, arguments, columns)
    for epoch in run.epochs(images, batch_size, epochs):
        for x_real in run.batches():
            ...                              a step of training
            run.log(d_loss, g_loss)
        ...                                  a picture; then the checkpoint is written

A resumed run computes what an uninterrupted one would have computed, bit for bit on the CPU: the
checkpoint holds all that training changes, and an epoch's order follows from seed and epoch."""
import math
import signal
import threading
from pathlib import Path

import numpy as np

from minigan.workshop.checkpoint import check_state, load_with_arguments, save
from minigan.workshop.data import batches
from minigan.workshop.parallel import Processes

ROWS = 4000  # of history at most: more than a picture of it can show


class Run:
    """folder: where checkpoint.npz goes. parts: {name: part}, all that training changes: networks,
    optimizers, numpy Generators. arguments: numbers and strings, kept for whoever loads the
    checkpoint. columns: the names of the numbers that `log` takes. processes: all that train it,
    each with such a run; the first one saves."""

    def __init__(self, folder, parts, arguments, columns, processes=Processes()):
        self.checkpoint = Path(folder) / "checkpoint.npz"
        self.parts, self.arguments, self.columns = parts, arguments, columns
        self.processes, self.steps = processes, 0
        self.history = []  # of `columns`: each row is the mean of `block` steps, the last of fewer
        self.block, self._logged = 1, 0
        self._unseen = []  # the newest of these rows, still on the device
        self.interrupted = False

    def epochs(self, images, batch_size, epochs, steps=None, seed=0):
        """Generates the numbers, from 1, of the epochs still to come, until `epochs` epochs or
        `steps` steps are done in all. Ctrl-C and SIGTERM end it too, after the step and its
        checkpoint: `interrupted` is then the signal's number.
        images: uint8 (N, H, W). Raises ValueError unless 1 <= batch_size <= N."""
        if not 1 <= batch_size <= len(images):
            raise ValueError(f"a batch takes 1 to {len(images)} images, which is all there are, "
                             f"got a batch size of {batch_size}: choose a smaller one")
        self.steps_per_epoch = len(images) // batch_size
        self._end = min(epochs * self.steps_per_epoch, math.inf if steps is None else steps)

        def interrupt(number, _):
            self.interrupted = number
            signal.signal(number, before[number])  # a second one stops at once
        handles = threading.current_thread() is threading.main_thread()  # no other one is allowed
        before = {number: signal.getsignal(number)
                  for number in (signal.SIGINT, signal.SIGTERM) if handles}
        try:
            for number in before:
                signal.signal(number, interrupt)
            while self.steps < self._end and not self.interrupted:
                epoch, done = divmod(self.steps, self.steps_per_epoch)
                # From 1, since [seed, 0] gives the stream of seed, which may have drawn the images.
                order_rng = np.random.default_rng([seed, epoch + 1])
                self._batches = batches(images, batch_size, order_rng, skip=done)
                self._bar = {"desc": f"epoch {epoch + 1}/{epochs}", "initial": done}
                yield epoch + 1
                if self.processes.rank == 0:
                    save(self.checkpoint, self.state_dict())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def epochs_begun(self):
        """How many epochs have been trained on, wholly or in part."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def batches(self):
        """Generates the rest of the epoch, float32 (batch_size, H, W, 1) in [-1, 1], behind a
        progress bar. Raises FloatingPointError if training has diverged."""
        from tqdm import tqdm
        with tqdm(**self._bar, total=self.steps_per_epoch, unit="step") as bar:
            for x_real in self._batches:
                yield x_real
                self.steps += 1
                self.interrupted = self.processes.most(self.interrupted)
                if self.steps % 20 == 0:  # to look at a GPU's numbers is to wait for it
                    bar.set_postfix_str(self.look(), refresh=False)
                bar.update()
                if self.interrupted or self.steps == self._end:
                    break
            bar.set_postfix_str(self.look())
        # The losses look fine if it was the very last update that diverged.
        for name, state in self._part_states().items():
            for key, value in state.items():
                if hasattr(value, "dtype") and not np.isfinite(value).all():
                    raise self._diverged(f"step {self.steps}, {key} of {name} is not finite")

    def log(self, *values):
        """Notes one step's numbers, in the order of `columns`, without waiting for a GPU. None: it
        was not looked at, and counts as in the step before."""
        if len(values) != len(self.columns):
            raise ValueError(f"log takes {len(self.columns)} numbers, "
                             f"{', '.join(self.columns)}; got {len(values)}")
        self._unseen.append(values)

    def look(self):
        """The mean of some hundred last steps, as text: "D loss 0.693, ...". Raises
        FloatingPointError if a number since the last look is not finite."""
        for values in self._unseen:
            row = [self.history[-1][column] if value is None else float(value)
                   for column, value in enumerate(values)]
            row = self.processes.mean(np.array(row)).tolist()
            if not np.isfinite(row).all():
                numbers = ", ".join(map("{} {:.4g}".format, self.columns, row))
                raise self._diverged(f"step {self._logged + 1}, {numbers}")
            self._note(row)
        self._unseen = []
        newest = self.history[-math.ceil(100 / self.block):]
        means = np.mean(newest, axis=0) if newest else []
        return ", ".join(map("{} {:.3f}".format, self.columns, means))

    def _note(self, row):
        """Takes a step into the history. When that is full, each two rows become their mean."""
        earlier = self._logged % self.block  # steps in its block
        if earlier:
            mean = self.history.pop()
            row = [old + (new - old) / (earlier + 1) for old, new in zip(mean, row)]
        self.history.append(row)
        self._logged += 1
        if self._logged == ROWS * self.block:
            pairs = np.reshape(self.history, (ROWS // 2, 2, len(row)))
            self.history, self.block = pairs.mean(axis=1).tolist(), 2 * self.block

    def _diverged(self, where):
        good = f"is {self.checkpoint}" if self.checkpoint.exists() else "is not yet there"
        return FloatingPointError(f"training diverged: {where}; the last good checkpoint {good}")

    def _part_states(self):
        return {name: part.bit_generator.state if isinstance(part, np.random.Generator)
                else part.state_dict() for name, part in self.parts.items()}

    def state_dict(self):
        """All of it, as `save` takes it."""
        history = np.reshape(self.history, (len(self.history), len(self.columns)))
        return self._part_states() | {
            "history": history, "step": self.steps, "epoch": self.steps // self.steps_per_epoch,
            "arguments": self.arguments}

    def load_state_dict(self, state):
        """Puts back what state_dict gave. Raises ValueError, which names the member, with nothing
        changed, if one is absent or does not fit."""
        rows, steps = state.get("history"), state.get("step")
        shape = (*getattr(rows, "shape", ())[:1], len(self.columns))
        for name, own in (self._part_states() | {"history": np.zeros(shape), "step": 0}).items():
            check_state(state.get(name), own, name)
            if name in self.parts and isinstance(self.parts[name], np.random.Generator):
                try:
                    type(self.parts[name].bit_generator)().state = state[name]
                except (ValueError, OverflowError) as error:
                    raise ValueError(f"{name} is not that of such a Generator: {error}") from None
        block = 1
        while steps >= ROWS * block:
            block *= 2
        if len(rows) not in (steps, math.ceil(steps / block)) or steps > 2**31:
            raise ValueError(f"step is {steps:.9g}, which does not fit a history of {len(rows)}")

        for name, part in self.parts.items():
            if isinstance(part, np.random.Generator):
                part.bit_generator.state = state[name]
            else:
                part.load_state_dict(state[name])
        if len(rows) == steps:  # an earlier version kept them all
            rows = np.array([rows[i:i + block].mean(axis=0) for i in range(0, steps, block)])
        self.steps = self._logged = steps
        self.history, self.block = rows.tolist(), block


def load_run(path, complete, given, free=()):
    """What a training goes on from: the state in its checkpoint, and all its arguments, by name.

    complete: makes of some arguments all of them, or raises ValueError if they do not fit together.
    given: those of this call; they prevail, but only those in `free` may differ from what was
    saved. Raises ValueError, too, if the checkpoint is not one of this program."""
    saved, arguments = load_with_arguments(path, complete({}))
    try:
        before = complete(arguments)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for name in arguments.keys() - before.keys():
        raise ValueError(f"{path} was trained with {name} {arguments[name]!s:.50}, which this "
                         "program does not have: go on with the version that it was trained with")
    for name, now in given.items():
        if name in before and name not in free and now != before[name]:
            raise ValueError(f"{path} was trained with --{name.replace('_', '-')} {before[name]}, "
                             f"not {now}: leave it out to go on, or start anew in another folder")
    return saved, {**before, **given}
