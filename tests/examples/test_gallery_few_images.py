"""few_images.py: the shift, its way back, and that D never sees an image as it is."""
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    Adam, Dense, Flatten, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty, Reshape,
    Sequential, Shift, Tanh, discriminator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_tangent)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import few_images  # noqa: E402
from few_images import RandomShift  # noqa: E402


def small(shift, rng=0):
    """The page's networks with few units: G (3 -> 3 x 3), D (3 x 3 -> 1)."""
    rng = np.random.default_rng(rng)
    G = Sequential(Dense(3, 5, rng), LeakyReLU(), Dense(5, 9, rng), Tanh())
    D = Sequential(Shift(1), Reshape(3, 3), shift, Flatten(), Dense(9, 5, rng), LeakyReLU(),
                   MinibatchDeviation(), Dense(6, 1, rng))
    return G.astype(np.float64), D.astype(np.float64)


def batch(*shape, rng=1):
    return np.random.default_rng(rng).standard_normal(shape)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_the_shift_is_right(most, train):
    x = batch(6, 4, 5)
    check_layer(RandomShift(most, 0), x, train)
    check_tangent(RandomShift(most, 0), x, train)


@pytest.mark.parametrize("penalty", [None, R1Penalty(1.2)], ids=["plain", "R1"])
def test_both_steps_are_right_though_each_call_moves_otherwise(penalty):
    G, D = small(RandomShift(1, 0))
    check_discriminator_step(G, D, NonSaturating(), batch(4, 9), batch(4, 3), penalty)
    check_generator_step(G, D, NonSaturating(), batch(4, 3))


class NotBack(RandomShift):
    """dy as it is: to each pixel what its neighbour should do."""

    def input_grad(self, dy, by):
        return dy


class WrongSign(RandomShift):
    def input_grad(self, dy, by):
        return self.move(dy, by)


class Swapped(RandomShift):
    def input_grad(self, dy, by):
        return self.move(dy, -by[:, ::-1])


class OneForAll(RandomShift):
    def input_grad(self, dy, by):
        return self.move(dy, 0 * by - by[0])


class AroundTheEdge(RandomShift):
    """What was pushed out comes in again on the other side."""

    def input_grad(self, dy, by):
        return np.stack([np.roll(image, -shift, (0, 1)) for image, shift in zip(dy, by)])


class LastCall(RandomShift):
    """Keeps the shift on itself, not in the cache."""

    def forward(self, x, train=True):
        y, self.by = super().forward(x, train)
        return y, None

    def input_grad(self, dy, _):
        return self.move(dy, -self.by)

    def tangent(self, x_dot, _):
        return self.move(x_dot, self.by), None


class AnotherDraw(RandomShift):
    def input_grad(self, dy, by):
        return self.move(dy, -self.forward(dy)[1])


MISTAKES = [NotBack, WrongSign, Swapped, OneForAll, AroundTheEdge, LastCall, AnotherDraw]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_on_the_way_back_is_caught(mistake):
    with pytest.raises(GradientError):
        check_layer(mistake(2, 0), batch(6, 4, 5))


@pytest.mark.parametrize("mistake", [NotBack, WrongSign, Swapped, OneForAll, AroundTheEdge])
def test_a_mistake_on_the_way_back_is_caught_in_the_step_of_g(mistake):
    G, D = small(mistake(1, 0))
    with pytest.raises(GradientError):
        check_generator_step(G, D, NonSaturating(), batch(4, 3))


def test_a_shift_that_is_kept_on_the_layer_is_caught_in_the_step_of_d():
    """R1 takes g with the last shift, that of its own call; the real batch's cache went stale."""
    G, D = small(LastCall(1, 0))
    D.layers = [Dense(9, 9, 0).astype(np.float64), *D.layers]  # it learns, below the shift
    with pytest.raises(GradientError):
        check_discriminator_step(G, D, NonSaturating(), batch(4, 9), batch(4, 3))


class TangentBack(RandomShift):
    """The tangent moves as the gradient does."""

    def tangent(self, x_dot, by):
        return self.move(x_dot, -by), None


class TangentAsItIs(RandomShift):
    def tangent(self, x_dot, by):
        return x_dot, None


@pytest.mark.parametrize("mistake", [TangentBack, TangentAsItIs])
def test_a_mistake_in_the_tangent_is_caught(mistake):
    with pytest.raises(GradientError):
        check_tangent(mistake(2, 0), batch(6, 4, 5))


def test_a_mistake_in_the_tangent_is_caught_under_r1():
    G, D = small(TangentBack(1, 0))
    with pytest.raises(GradientError):
        check_discriminator_step(G, D, NonSaturating(), batch(4, 9), batch(4, 3), R1Penalty(1.2))


def test_y_at_i_j_is_x_at_i_minus_a_j_minus_b_and_zero_where_there_is_none():
    x = batch(200, 4, 5)
    y, by = RandomShift(3, 0).forward(x)
    for image, moved, (a, b) in zip(x, y, by):
        for i, j in np.ndindex(4, 5):
            inside = 0 <= i - a < 4 and 0 <= j - b < 5
            assert moved[i, j] == (image[i - a, j - b] if inside else 0)


def test_the_way_back_is_the_transpose_and_forgets_what_was_pushed_out():
    layer, x, dy = RandomShift(3, 0), batch(50, 4, 5), batch(50, 4, 5, rng=2)
    y, by = layer.forward(x)
    dx = layer.input_grad(dy, by)
    assert np.allclose((y * dy).sum(axis=(1, 2)), (x * dx).sum(axis=(1, 2)))
    back = layer.input_grad(y, by)
    assert np.isin(back - x, [0, *-x.ravel()]).all() and not np.array_equal(back, x)


def test_all_shifts_are_drawn_alike_and_anew_for_each_image_and_call():
    layer, x = RandomShift(2, 0), np.zeros((2500, 1, 1), np.float32)
    (y, by), (_, later) = layer.forward(x), layer.forward(x)
    counts = np.unique(by, axis=0, return_counts=True)[1]
    assert len(counts) == 25 and counts.min() > 60 < counts.max() < 140
    assert abs(np.corrcoef(by.T)[0, 1]) < 0.05 and not np.array_equal(by, later)
    assert y.dtype == np.float32


def test_in_use_nothing_moves_and_nothing_is_drawn():
    layer, x = RandomShift(2, 0), batch(5, 4, 5)
    before = layer.rng.bit_generator.state
    assert np.array_equal(layer(x), x)
    assert layer.rng.bit_generator.state == before


def test_d_never_sees_an_image_as_it_is_while_it_learns():
    _, D = few_images.build(np.random.default_rng(0), RandomShift(2, 0))
    x = np.random.default_rng(0).uniform(-1, 1, (1, 784)).astype(np.float32).repeat(30, axis=0)
    y, _ = Sequential(*D.layers[:4]).forward(x)  # what its first Dense sees
    assert len(np.unique(y, axis=0)) > 10 and np.ptp(D(x)) < 1e-5 < np.ptp(D.forward(x)[0])
    background, _ = Sequential(*D.layers[:4]).forward(np.full((5, 784), -1, np.float32))
    assert not background.any()  # what comes in from outside looks as it does


def told_apart(move_fakes):
    """How much higher a D that has learned scores a real image, moved, than a fake, which is the
    same image: that is, G draws the real images, and nothing is to be learned."""
    x, rng = np.full((32, 9), -1.0), np.random.default_rng(0)
    x[:, 4] = 1  # a white dot in the middle
    _, D = small(RandomShift(1, rng))
    adam = Adam(D.parameters(), 1e-2)
    shift, rest = Sequential(*D.layers[:4]), Sequential(*D.layers[4:])
    ready = Sequential(*D.layers[:2], D.layers[3])  # without the shift
    ahead = shift if move_fakes else ready

    class Same:
        def forward(self, z):
            return ahead.forward(x)

    for _ in range(100):
        discriminator_step(Same(), rest, adam, NonSaturating(), shift.forward(x)[0], None)
    real, fake = (np.mean([rest(way.forward(x)[0]).mean() for _ in range(20)])
                  for way in (shift, ahead))
    return real - fake


def test_where_fakes_are_moved_too_a_g_that_draws_the_real_images_is_not_told_apart():
    assert told_apart(move_fakes=False) > 3
    assert abs(told_apart(move_fakes=True)) < 0.5


def trained(most=1, steps=2, unseen=0):
    images, others = (np.random.default_rng(seed).uniform(-1, 1, (20, 784)).astype(np.float32)
                      for seed in (5, unseen))
    args = Namespace(steps=steps, seed=0)
    G, said = few_images.train(args, images, others, most)
    return np.concatenate([p.value.ravel() for p in G.parameters()]), said


def test_unseen_images_are_only_looked_at():
    (G, said), (same, other) = trained(), trained(unseen=1)
    assert np.array_equal(G, same) and said.shape == (2, 4)
    assert np.array_equal(said[:, [0, 1, 3]], other[:, [0, 1, 3]])
    assert (said[:, 2] != other[:, 2]).all() and said[:, 0].tolist() == [0, 1]


def test_the_two_ways_differ_by_the_shift_alone(monkeypatch):
    moved, _ = trained(most=2)
    monkeypatch.setattr(RandomShift, "move", lambda self, x, by: x)
    alike, _ = trained(most=2)
    assert np.array_equal(alike, trained(most=0)[0]) and not np.array_equal(alike, moved)


def test_the_dry_run_trains_both_ways_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few_images.main(["--dry-run", "--images", "300"])
    out = capsys.readouterr().out
    for name in ("without shifts", "with shifts"):
        assert f"300 images, {name}: distance " in out
    assert not list(tmp_path.iterdir())
