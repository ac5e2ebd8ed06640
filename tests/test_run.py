import os
import signal

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="a run shows its progress with tqdm: pip install -e '.[test]'")

from minigan import Adam, Dense, Flatten, Run, Sequential, load  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (22, 2, 2)).astype(np.uint8)


class Fit:
    """A tiny training with all that a run must keep: a network, an optimizer, a random stream."""

    def __init__(self, folder):
        self.net = Sequential(Flatten(), Dense(4, 1, np.random.default_rng(1)))
        self.adam = Adam(self.net.parameters(), lr=0.01)
        self.rng = np.random.default_rng(2)
        self.run = Run(folder, {"net": self.net, "adam": self.adam, "rng": self.rng}, {"lr": 0.01},
                       columns=["loss", "mean"])
        self.seen = []

    def train(self, epochs, steps=None, after_step=lambda step: None):
        for epoch in self.run.epochs(IMAGES, 4, epochs, steps, seed=3):
            for x in self.run.batches():
                self.seen.append((epoch, x.copy()))
                y, cache = self.net.forward(x + self.rng.standard_normal(x.shape, np.float32))
                self.net.zero_grad()
                self.net.add_param_grads(y, cache)
                self.adam.step()
                self.run.log((y * y).mean(), y.mean())
                after_step(len(self.seen))
        return self


def test_an_epoch_shows_full_batches_in_an_order_of_its_own(tmp_path):
    fit = Fit(tmp_path).train(epochs=2)
    assert [epoch for epoch, _ in fit.seen] == [0] * 5 + [1] * 5 and fit.run.steps_per_epoch == 5
    first, second = (np.concatenate([x for e, x in fit.seen if e == epoch]) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    assert fit.run.steps == 10 and np.array(fit.run.history).shape == (10, 2)


@pytest.mark.parametrize("stop", [3, 5, 7])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, stop):
    Fit(tmp_path / "whole").train(epochs=3)
    Fit(tmp_path / "parts").train(epochs=3, steps=stop)
    resumed = Fit(tmp_path / "parts")
    resumed.run.load_state_dict(load(tmp_path / "parts" / "checkpoint.npz"))
    assert resumed.run.steps == stop
    resumed.train(epochs=3)
    np.testing.assert_equal(load(tmp_path / "parts" / "checkpoint.npz"),
                            load(tmp_path / "whole" / "checkpoint.npz"))


def test_ctrl_c_lets_the_step_finish_and_is_written_down(tmp_path):
    def press(step):
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    fit = Fit(tmp_path).train(epochs=3, after_step=press)
    assert fit.run.interrupted and fit.run.steps == len(fit.seen) == 7
    assert load(tmp_path / "checkpoint.npz")["step"] == 7
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    def press(step):
        if step >= 6:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Fit(tmp_path).train(epochs=3, after_step=press)
    assert load(tmp_path / "checkpoint.npz")["step"] == 5


def test_a_number_that_is_not_finite_stops_the_run_and_spares_the_checkpoint(tmp_path):
    fit = Fit(tmp_path)

    def spoil(step):
        if step == 7:
            fit.net.layers[1].W.value.fill(np.nan)

    with pytest.raises(FloatingPointError) as error:
        fit.train(epochs=3, after_step=spoil)
    assert str(error.value) == ("training diverged: step 8, loss nan, mean nan; the last good "
                                f"checkpoint is {tmp_path / 'checkpoint.npz'}")
    assert load(tmp_path / "checkpoint.npz")["step"] == 5
    with pytest.raises(FloatingPointError, match="checkpoint is not yet there"):
        other = Fit(tmp_path / "other")
        other.net.layers[1].W.value.fill(np.nan)
        other.train(epochs=1)


def test_the_numbers_are_not_looked_at_in_every_step(tmp_path):
    class OnAGpu(float):
        looks = 0

        def __float__(self):
            OnAGpu.looks += 1
            return 0.0

    run = Run(tmp_path, {}, {}, ["loss"])
    for _ in run.epochs(IMAGES, 1, 1, steps=19):
        for _ in run.batches():
            run.log(OnAGpu())
            assert OnAGpu.looks == 0
    assert OnAGpu.looks == 19
