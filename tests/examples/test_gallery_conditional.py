"""conditional.py: its networks, and that a label reaches both of them."""
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    Adam, Dense, Given, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty, Sequential, Shift,
    Tanh, discriminator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_generator_step)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import conditional  # noqa: E402


def small(rng=0):
    """The page's networks with few units: G (3 + 10 -> 4), D (4 + 10 -> 1)."""
    rng = np.random.default_rng(rng)
    G = Sequential(Dense(3 + 10, 5, rng), LeakyReLU(), Dense(5, 4, rng), Tanh())
    D = Sequential(Shift(1), Dense(4 + 10, 5, rng), LeakyReLU(), MinibatchDeviation(),
                   Dense(6, 1, rng))
    return G.astype(np.float64), D.astype(np.float64)


def batch():
    rng = np.random.default_rng(1)
    c = conditional.one_hot(np.array([3, 1, 4, 1])).astype(np.float64)
    return rng.standard_normal((4, 4)), rng.standard_normal((4, 3)), c


@pytest.mark.parametrize("penalty", [None, R1Penalty(1.2)], ids=["plain", "R1"])
def test_both_steps_are_right(penalty):
    G, D = small()
    x_real, z, c = batch()
    check_discriminator_step(
        Given(G, c), Given(D, c), NonSaturating(), x_real, z, penalty)
    check_generator_step(Given(G, c), Given(D, c), NonSaturating(), z)


class LabelToo(Given):
    """The gradient at the label in place of that at the image."""

    def input_grad(self, dy, cache):
        inner, C = cache
        return self.network.input_grad(dy, inner)[..., -C:]


def test_a_gradient_that_is_cut_at_the_wrong_end_is_caught():
    G, D = small()
    _, z, c = batch()
    with pytest.raises(GradientError):
        check_generator_step(Given(G, c), LabelToo(D, c), NonSaturating(), z)


def test_one_hot_is_one_at_the_label():
    c = conditional.one_hot(np.array([2, 0]))
    assert c.dtype == np.float32 and c.shape == (2, 10)
    assert c.argmax(axis=1).tolist() == [2, 0] and c.sum() == 2


def test_d_sees_which_label_it_was_given():
    """After some steps on one image that is a 3, D prefers "a 3" to "a 4"."""
    rng = np.random.default_rng(0)
    G, D = conditional.build(rng)
    adam = Adam(D.parameters(), 1e-3)
    x = np.tile(rng.standard_normal((1, 784), np.float32), (20, 1))
    labels = np.arange(20) % 2 + 3
    x[labels == 4] *= -1  # a 4 is its negative
    c = conditional.one_hot(labels)
    for _ in range(20):
        z = rng.standard_normal((20, conditional.LATENT), np.float32)
        discriminator_step(Given(G, c), Given(D, c), adam, NonSaturating(), x, z)
    right, wrong = (Given(D, conditional.one_hot(some))(x).mean() for some in (labels, 7 - labels))
    assert right > wrong


def test_the_dry_run_judges_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    conditional.main(["--dry-run"])
    out = capsys.readouterr().out
    assert "read as asked for: " in out and "who learned from samples alone reads" in out
    assert not list(tmp_path.iterdir())
