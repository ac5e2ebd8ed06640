import os
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from minigan import Adam, Dense, Flatten, Sequential
from minigan.workshop import Run, load, save
from minigan.workshop.run import load_run

IMAGES = np.random.default_rng(0).integers(0, 256, (22, 2, 2)).astype(np.uint8)


class Bar:
    """Stands in for tqdm's bar, so that these tests need NumPy and pytest alone."""
    made = []

    def __init__(self, desc, unit, initial, total):
        self.desc, self.begin, self.at, self.total = desc, initial, initial, total
        Bar.made.append(self)

    def set_postfix_str(self, text, refresh=True):
        self.text = text

    def update(self):
        self.at += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture(autouse=True)
def bars(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(Bar, "made", [])
    return Bar.made


class Fit:
    """A tiny training with all that a run must keep: a network, an optimizer, a random stream."""

    def __init__(self, folder):
        self.net = Sequential(Flatten(), Dense(4, 1, np.random.default_rng(1)))
        self.adam = Adam(self.net.parameters(), lr=0.01)
        self.rng = np.random.default_rng(2)
        self.run = Run(folder, {"net": self.net, "adam": self.adam, "rng": self.rng}, {"lr": 0.01},
                       columns=["loss", "mean"])
        self.seen = []

    def train(self, epochs, steps=None, after_step=lambda step: None, batch_size=4, seed=3):
        for epoch in self.run.epochs(IMAGES, batch_size, epochs, steps, seed):
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
    assert [epoch for epoch, _ in fit.seen] == [1] * 5 + [2] * 5 and fit.run.steps_per_epoch == 5
    first, second = (np.concatenate([x for e, x in fit.seen if e == epoch]) for epoch in (1, 2))
    assert not np.array_equal(first, second)
    assert fit.run.steps == 10 and np.array(fit.run.history).shape == (10, 2)


def test_the_order_follows_from_seed_and_epoch_and_never_from_the_stream_of_the_seed(tmp_path):
    orders = []
    for seed in (0, 3):
        seen = Fit(tmp_path).train(epochs=2, batch_size=22, seed=seed).seen
        orders += [x for _, x in seen]
        for number, (_, x) in enumerate(seen):
            order = np.random.default_rng([seed, 1 + number]).permutation(22)
            assert np.array_equal(x[..., 0], IMAGES[order].astype(np.float32) / 127.5 - 1)
        plain = IMAGES[np.random.default_rng(seed).permutation(22)]
        assert not any(np.array_equal(x[..., 0], plain.astype(np.float32) / 127.5 - 1)
                       for x in orders)
    assert len({x.tobytes() for x in orders}) == 4


@pytest.mark.parametrize("epochs, steps, done, begun", [
    (1, 100, 5, 1), (2, 7, 7, 2), (2, 5, 5, 1), (2, 0, 0, 0), (2, None, 10, 2)])
def test_a_run_ends_with_its_epochs_or_its_steps_whichever_is_first(
        tmp_path, epochs, steps, done, begun):
    fit = Fit(tmp_path).train(epochs, steps)
    assert fit.run.steps == len(fit.seen) == done and fit.run.epochs_begun == begun


@pytest.mark.parametrize("batch_size", [0, -1, 23])
def test_a_batch_that_the_images_do_not_fill_is_refused(tmp_path, batch_size):
    with pytest.raises(ValueError, match=f"1 to 22 images, .* batch size of {batch_size}"):
        Fit(tmp_path).train(epochs=1, batch_size=batch_size)


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


def test_the_bar_of_a_resumed_epoch_begins_where_it_stopped(tmp_path, bars):
    Fit(tmp_path).train(epochs=3, steps=7)
    resumed = Fit(tmp_path)
    resumed.run.load_state_dict(load(tmp_path / "checkpoint.npz"))
    resumed.train(epochs=3)
    assert [(bar.desc, bar.begin, bar.at, bar.total) for bar in bars] == [
        ("epoch 1/3", 0, 5, 5), ("epoch 2/3", 0, 2, 5),
        ("epoch 2/3", 2, 5, 5), ("epoch 3/3", 0, 5, 5)]


@pytest.mark.parametrize("absent", ["net", "adam", "rng", "history", "step"])
def test_a_state_that_lacks_something_changes_nothing(tmp_path, absent):
    state = Fit(tmp_path).train(epochs=1).run.state_dict()
    del state[absent]
    other, fresh = Fit(tmp_path), Fit(tmp_path)
    with pytest.raises(ValueError, match=f"{absent}: expected .*, got nothing"):
        other.run.load_state_dict(state)
    other.run.steps_per_epoch = fresh.run.steps_per_epoch = 5
    np.testing.assert_equal(other.run.state_dict(), fresh.run.state_dict())


def forged(state, *keys, value):
    """The state with another value under the keys."""
    *folders, last = keys
    node = state
    for key in folders:
        node = node[key]
    node[last] = value(node[last]) if callable(value) else value
    return state


FORGERIES = [
    (["step"], 10**30, "step"), (["step"], -1, "step: expected an int"), (["step"], 3.0, "step"),
    (["step"], True, "step"), (["step"], "5", "step"), (["step"], 6, "step is 6, .* history of 5"),
    (["history"], [[1, 2]], "history"), (["history"], lambda h: h[:, :1], "history"),
    (["history"], lambda h: h[:4], "step is 5, .* history of 4"),
    (["history"], lambda h: h * np.nan, "history: expected finite"),
    (["history"], lambda h: h.astype("M8[s]"), "history"), (["history"], np.array("x"), "history"),
    (["net"], 3, "net: expected a dictionary, got an int"), (["net", "1.W"], [1], "net/1.W"),
    (["net", "1.W"], lambda W: W * np.inf, "net/1.W: expected finite"),
    (["net", "1.W"], lambda W: W.astype(complex), "net/1.W: expected float32 .* got complex128"),
    (["net", "1.W"], lambda W: W.astype(str), "net/1.W"),
    (["net", "1.W"], lambda W: W.T, "net/1.W"),
    (["net", "more"], np.ones(3), "net/more: expected nothing"), (["net"], {}, "net/1.W"),
    (["adam", "steps"], -3, "adam/steps"), (["adam", "steps"], 2.5, "adam/steps"),
    (["adam", "m"], lambda m: m[1:], "adam/m"), (["rng"], [], "rng"), (["rng", "state"], 3, "rng"),
    (["rng", "bit_generator"], "MT19937", "rng"), (["rng", "uinteger"], 2**40, "rng"),
    (["rng", "state", "inc"], 2**200, "rng/state/inc"), (["rng", "has_uint32"], 0.5, "rng/has")]


@pytest.mark.parametrize("keys, value, complaint", FORGERIES)
def test_a_state_in_which_something_is_wrong_changes_nothing_and_is_told_by_name(
        tmp_path, keys, value, complaint):
    state = forged(Fit(tmp_path).train(epochs=1).run.state_dict(), *keys, value=value)
    other, fresh = Fit(tmp_path), Fit(tmp_path)
    with pytest.raises(ValueError, match=f"^{complaint}"):
        other.run.load_state_dict(state)
    other.run.steps_per_epoch = fresh.run.steps_per_epoch = 5
    np.testing.assert_equal(other.run.state_dict(), fresh.run.state_dict())


def test_the_checkpoint_comes_after_the_picture_so_that_no_kill_leaves_an_epoch_without_one(
        tmp_path):
    fit, pictures = Fit(tmp_path), 0
    for epoch in fit.run.epochs(IMAGES, 4, 3):
        for x in fit.run.batches():
            fit.run.log(1, 2)
        steps = load(tmp_path / "checkpoint.npz")["step"] if pictures else 0
        assert steps == 5 * pictures == 5 * (epoch - 1)
        pictures += 1
    assert load(tmp_path / "checkpoint.npz")["step"] == 15


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_let_the_step_finish_and_are_written_down(tmp_path, number):
    def press(step):
        if step == 7:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    fit = Fit(tmp_path).train(epochs=3, after_step=press)
    assert fit.run.interrupted == number and fit.run.steps == len(fit.seen) == 7
    assert load(tmp_path / "checkpoint.npz")["step"] == 7
    assert signal.getsignal(number) is before


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


def test_a_run_trains_in_any_thread(tmp_path):
    thread = threading.Thread(target=lambda: Fit(tmp_path).train(epochs=1))
    thread.start()
    thread.join()
    assert load(tmp_path / "checkpoint.npz")["step"] == 5


def test_weights_that_the_last_update_spoiled_are_not_saved(tmp_path):
    fit = Fit(tmp_path)

    def spoil(step):
        if step == 10:
            fit.net.layers[1].W.value[0] = np.inf

    with pytest.raises(FloatingPointError, match="diverged: step 10, 1.W of net is not finite; the "
                                                 "last good checkpoint is .*checkpoint.npz"):
        fit.train(epochs=2, after_step=spoil)
    assert np.isfinite(fit.run.history).all() and load(tmp_path / "checkpoint.npz")["step"] == 5


def test_a_run_that_diverges_in_the_midst_of_an_epoch_ends_within_twenty_steps(tmp_path):
    run = Run(tmp_path, {}, {}, ["loss"])
    with pytest.raises(FloatingPointError, match="step 3, loss inf; .* is not yet there"):
        for _ in run.epochs(np.repeat(IMAGES, 5, axis=0), 1, 1):
            for _ in run.batches():
                run.log(np.inf if run.steps >= 2 else 1.0)
    assert run.steps == 20


def test_the_divergence_is_told_in_short_numbers(tmp_path):
    run = Run(tmp_path, {}, {}, ["loss", "mean"])
    run.log(np.nan, 1 / 3)
    with pytest.raises(FloatingPointError, match="loss nan, mean 0.3333;"):
        run.look()


def test_the_bar_tells_the_mean_of_the_last_hundred_steps(tmp_path):
    run = Run(tmp_path, {}, {}, ["loss", "mean"])
    assert run.look() == ""
    for step in range(150):
        run.log(1000 if step < 50 else step % 2, -1)
    assert run.look() == "loss 0.500, mean -1.000"


def test_a_log_of_too_many_or_too_few_numbers_is_refused(tmp_path):
    run = Run(tmp_path, {}, {}, ["loss", "mean"])
    for values in [(1,), (1, 2, 3)]:
        with pytest.raises(ValueError, match=f"takes 2 numbers, loss, mean; got {len(values)}"):
            run.log(*values)


def test_a_number_that_was_not_looked_at_counts_as_in_the_step_before(tmp_path):
    run = Run(tmp_path, {}, {}, ["loss", "norm"])
    for norm in (3, None, None, 5):
        run.log(1, norm)
    assert run.look() == "loss 1.000, norm 3.500" and np.shape(run.history) == (4, 2)
    run.log(2, None)  # also across a look, which empties what is still on the device
    run.look()
    assert run.history[-1] == [2, 5]


def train_on(run, steps):
    """Up to so many steps, of which one in three is logged whole."""
    for _ in run.epochs(np.repeat(IMAGES, 60, axis=0), 100, 10**6, steps):
        for _ in run.batches():
            run.log(run.steps, None if run.steps % 3 else 5 * run.steps)


def test_a_long_history_is_thinned_to_means_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("minigan.workshop.run.ROWS", 8)
    run = Run(tmp_path, {}, {}, ["loss", "norm"])
    train_on(run, 39)
    assert run.block == 8 and np.shape(run.history) == (5, 2)  # of 8, 8, 8, 8 and 7 steps
    assert [row[0] for row in run.history] == pytest.approx([3.5, 11.5, 19.5, 27.5, 35])
    assert load(tmp_path / "checkpoint.npz")["history"].shape == (5, 2)


@pytest.mark.parametrize("stop", [1, 7, 8, 9, 15, 16, 21, 33])
def test_a_resumed_long_run_has_the_same_history_bit_for_bit(tmp_path, monkeypatch, stop):
    monkeypatch.setattr("minigan.workshop.run.ROWS", 8)
    train_on(Run(tmp_path / "whole", {}, {}, ["loss", "norm"]), 39)
    train_on(Run(tmp_path / "parts", {}, {}, ["loss", "norm"]), stop)
    resumed = Run(tmp_path / "parts", {}, {}, ["loss", "norm"])
    resumed.load_state_dict(load(tmp_path / "parts" / "checkpoint.npz"))
    train_on(resumed, 39)
    np.testing.assert_equal(load(tmp_path / "parts" / "checkpoint.npz"),
                            load(tmp_path / "whole" / "checkpoint.npz"))


def test_the_whole_history_of_an_earlier_version_is_thinned_when_it_is_loaded(tmp_path):
    steps = 100_000
    run = Run(tmp_path, {}, {}, ["loss"])
    run.load_state_dict({"step": steps, "history": np.arange(float(steps))[:, None]})
    assert run.steps == steps and run.block == 32 and len(run.history) == 3125
    assert run.history[1] == [47.5] and run.look() == "loss 99935.500"


def test_a_million_steps_leave_a_small_checkpoint(tmp_path):
    run = Run(tmp_path, {}, {}, ["loss"])
    run.steps_per_epoch = 1000
    for step in range(1_000_000):
        run._note([step])
    run.steps = 1_000_000
    save(tmp_path / "a.npz", run.state_dict())
    assert (tmp_path / "a.npz").stat().st_size < 40_000 and len(run.history) <= 4000
    assert np.diff(np.ravel(run.history)[:-1]) == pytest.approx(run.block)


def complete(given):
    """The arguments of a small program."""
    if given.get("data") == "c":
        raise ValueError("data is a or b, not c")
    return {"data": "a", "batch_size": 64, "lr": 0.1, "epochs": None, "out": None} | {
        name: given[name] for name in ("data", "batch_size", "lr", "epochs") if name in given}


def test_what_is_remembered_comes_before_the_command_line_and_after_the_defaults(tmp_path):
    save(tmp_path / "a.npz", {"step": 5, "arguments": {"data": "b", "lr": 1e-5 / 3}})

    def arguments(**given):
        saved, found = load_run(tmp_path / "a.npz", complete, given, free=["epochs"])
        assert saved["step"] == 5
        return found

    same = {"data": "b", "batch_size": 64, "lr": 1e-5 / 3, "out": None}
    assert arguments() == arguments(data="b", batch_size=64) == same | {"epochs": None}
    assert arguments(epochs=7) == same | {"epochs": 7}
    for given, complaint in [({"data": "a"}, "--data b, not a"), ({"lr": 1}, "--lr .*, not 1"),
                             ({"batch_size": 8}, "--batch-size 64, not 8")]:
        with pytest.raises(ValueError, match=f"a.npz was trained with {complaint}"):
            arguments(**given)


@pytest.mark.parametrize("remembered, complaint", [
    ({"size": 7}, "a.npz was trained with size 7, which this program does not have"),
    ({"data": "c"}, "a.npz: data is a or b, not c")])
def test_arguments_that_this_program_does_not_have_are_refused_by_name(
        tmp_path, remembered, complaint):
    save(tmp_path / "a.npz", {"arguments": {"lr": 1, "gone": None, **remembered}})
    with pytest.raises(ValueError, match=complaint):
        load_run(tmp_path / "a.npz", complete, {})


@pytest.mark.parametrize("state", [{}, {"arguments": 3}])
def test_a_checkpoint_that_remembers_no_arguments_is_of_another_program(tmp_path, state):
    save(tmp_path / "a.npz", state)
    with pytest.raises(ValueError, match="a.npz is a checkpoint of another program"):
        load_run(tmp_path / "a.npz", complete, {})


@pytest.mark.parametrize("remembered, complaint", [
    ({"data": 3}, "arguments/data: expected text, got an int"),
    ({"batch_size": 64.0}, "arguments/batch_size: expected an int from 0 up, got"),
    ({"batch_size": -1}, "arguments/batch_size: .* got -1"),
    ({"batch_size": [1]}, "arguments/batch_size: "), ({"lr": "x"}, "arguments/lr: "),
    ({"lr": float("nan")}, "arguments/lr: .* got nan"), ({"lr": True}, "arguments/lr: "),
    ({"lr": -0.1}, "arguments/lr: expected a finite number from 0 up, got -0.1")])
def test_arguments_of_another_kind_are_refused_by_name(tmp_path, remembered, complaint):
    save(tmp_path / "a.npz", {"arguments": remembered})
    with pytest.raises(ValueError, match=f"a.npz: {complaint}"):
        load_run(tmp_path / "a.npz", complete, {})
