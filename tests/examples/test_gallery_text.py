"""text.py: softmax's way back, through which G learns to write, and what counts as a true sum."""
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    SGD, BatchNorm, Dense, Flatten, GradientPenalty, LeakyReLU, Reshape, Sequential, Wasserstein,
    generator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_generator_step, check_layer)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import text  # noqa: E402
from text import Softmax  # noqa: E402


def small(softmax=Softmax):
    """The page's networks with few units: G (3 -> 2 letters of 4), D (2 * 4 -> 1)."""
    rng = np.random.default_rng(0)
    G = Sequential(Dense(3, 5, rng), BatchNorm(5), LeakyReLU(), Dense(5, 2 * 4, rng),
                   Reshape(2, 4), softmax(), Flatten())
    D = Sequential(Dense(2 * 4, 5, rng), LeakyReLU(), Dense(5, 1, rng))
    return G.astype(np.float64), D.astype(np.float64)


def batch():
    rng = np.random.default_rng(1)
    x_real = np.eye(4)[rng.integers(4, size=(6, 2))].reshape(6, -1)
    return x_real, rng.standard_normal((6, 3))


def test_softmax_is_right():
    check_layer(Softmax(), np.random.default_rng(0).standard_normal((3, 2, 4)))


@pytest.mark.parametrize("penalty", [None, GradientPenalty(rng=0)], ids=["plain", "GP"])
def test_both_steps_are_right(penalty):
    G, D = small()
    x_real, z = batch()
    check_discriminator_step(G, D, Wasserstein(), x_real, z, penalty)
    check_generator_step(G, D, Wasserstein(), z)


class WithoutTheMean(Softmax):
    def input_grad(self, dy, y):
        return y * dy


class LikeASigmoid(Softmax):
    def input_grad(self, dy, y):
        return y * (1 - y) * dy


class PlusTheMean(Softmax):
    def input_grad(self, dy, y):
        return y * (dy + (y * dy).sum(axis=-1, keepdims=True))


class MeanWithoutWeights(Softmax):
    def input_grad(self, dy, y):
        return y * (dy - dy.mean(axis=-1, keepdims=True))


class SumOverTheWholeLine(Softmax):
    def input_grad(self, dy, y):
        return y * (dy - (y * dy).sum(axis=(-2, -1), keepdims=True))


class WithoutY(Softmax):
    """The gradient of cross-entropy has no factor y in front; softmax by itself does."""

    def input_grad(self, dy, y):
        return dy - (y * dy).sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("softmax", [WithoutTheMean, LikeASigmoid, PlusTheMean, MeanWithoutWeights,
                                     SumOverTheWholeLine, WithoutY])
def test_a_wrong_softmax_is_caught_alone_and_in_the_step(softmax):
    with pytest.raises(GradientError):
        check_layer(softmax(), np.random.default_rng(0).standard_normal((3, 2, 4)))
    G, D = small(softmax)
    with pytest.raises(GradientError):
        check_generator_step(G, D, Wasserstein(), batch()[1])


def test_each_row_adds_up_to_one_and_its_gradient_to_zero():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 3, 2, 4))
    y, cache = Softmax().forward(x)
    assert (y > 0).all()
    np.testing.assert_allclose(y.sum(axis=-1), 1)  # along the letters, not the places or the batch
    np.testing.assert_allclose(Softmax().input_grad(dy, cache).sum(axis=-1), 0, atol=1e-15)
    np.testing.assert_allclose(y[..., 0] / y[..., 1], np.exp(x[..., 0] - x[..., 1]))


def test_large_numbers_do_not_overflow():
    y = Softmax()(np.array([[1000, 999, -1000]], np.float32))
    np.testing.assert_allclose(y, [[0.731059, 0.268941, 0]], rtol=1e-4)
    assert y.dtype == np.float32


class Letter(Softmax):
    """The letter itself, 1 at the largest x, whose derivative is 0 wherever there is one."""

    def forward(self, x, train=True):
        y = (x == x.max(axis=-1, keepdims=True)).astype(x.dtype)
        return y, y

    def input_grad(self, dy, y):
        return 0 * dy


def test_the_differences_of_a_letter_are_zero():
    with pytest.raises(GradientError, match="all gradients are zero"):  # not: a wrong one
        check_layer(Letter(), np.random.default_rng(0).standard_normal((3, 2, 4)))


@pytest.mark.parametrize("output, learns", [(Softmax, True), (Letter, False)])
def test_of_rows_g_learns_and_of_letters_it_does_not(output, learns):
    G, D = small(output)
    before = [p.value.copy() for p in G.parameters()]
    generator_step(G, D, SGD(G.parameters(), 1.0), Wasserstein(), batch()[1])
    moved = any((p.value != old).any() for p, old in zip(G.parameters(), before))
    assert moved == learns


def test_lines_survive_the_way_to_rows_and_back():
    lines = ["37+48=85", "00+99=99", "=+0123=+"]
    rows = text.encode(lines)
    assert rows.shape == (3, text.SIZE) and rows.dtype == np.float32
    assert rows.sum() == 3 * text.LENGTH and set(rows.ravel()) == {0, 1}
    assert text.decode(rows) == lines
    assert text.decode(0.5 * rows + 0.1) == lines  # soft rows are read as their likeliest letters


def test_a_line_is_what_it_says():
    shown = {"37+48=85"}
    lines = ["37+48=85", "48+37=85", "37+48=86", "3++48=85", "37+48+85", "37=48+85"]
    assert [text.kind(line, shown) for line in lines] == [2, 3, 1, 0, 0, 0]
    np.testing.assert_allclose(text.shares(lines, shown), [3 / 6, 1 / 6, 1 / 6, 1 / 6])


def test_all_true_lines_are_there_once():
    lines = text.true_lines()
    assert len(lines) == len(set(lines)) == 5050
    assert {text.kind(line, ()) for line in lines} == {3}


def test_g_writes_rows_of_probabilities():
    rng = np.random.default_rng(0)
    G, D = text.build(rng)
    z = text.draw_noise(rng, 5)
    x = G(z)
    assert x.shape == (5, text.SIZE) and x.dtype == np.float32 and D(x).shape == (5, 1)
    assert set(z.ravel()) == {-1, 1}
    np.testing.assert_allclose(x.reshape(5, text.LENGTH, -1).sum(axis=-1), 1, rtol=1e-5)


def test_the_dry_run_writes_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text.main(["--dry-run"])
    out = capsys.readouterr().out
    assert "step     0: " in out and "true and never shown: " in out
    assert not list(tmp_path.iterdir())


def test_the_picture_is_drawn(tmp_path):
    text.draw(tmp_path / "text.png", {0: ["00+00=00"] * 14, 9: ["00+0==01"] * 14}, ["00+00=00"])
    assert (tmp_path / "text.png").read_bytes()[1:4] == b"PNG"


def test_the_lines_that_train_is_given_are_half_of_all(monkeypatch, tmp_path):
    def train(args, shown):
        seen.append(shown)
        return {0: ["00+00=00"] * 14, args.steps: ["00+00=01"] * 14}
    seen = []
    monkeypatch.setattr(text, "train", train)
    monkeypatch.setattr(text, "draw", lambda *_: None)
    for seed in "001":
        text.main(["--out", str(tmp_path), "--steps", "1", "--seed", seed])
    assert seen[0] == seen[1] != seen[2]
    assert len(set(seen[0])) == 2525 and set(seen[0]) < set(text.true_lines())


def test_it_is_wgan_gp(monkeypatch):
    def d_step(G, D, optimizer, loss, x_real, z, penalty):
        assert isinstance(loss, Wasserstein) and isinstance(penalty, GradientPenalty)
        assert penalty.weight == 10 and x_real.shape == (text.BATCH, text.SIZE)
        steps.append("D")
        return 0, 0, 0

    steps = []
    monkeypatch.setattr(text, "discriminator_step", d_step)
    monkeypatch.setattr(text, "generator_step", lambda *args: steps.append("G"))
    text.train(SimpleNamespace(seed=0, steps=2, dry_run=True), text.true_lines()[:100])
    assert "".join(steps) == "DDDGDDDG"
