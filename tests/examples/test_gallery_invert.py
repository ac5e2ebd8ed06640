"""invert.py: its step, what is left of images, and that G stays as it is."""
import inspect
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    Adam, AveragePool2D, BatchNorm, Choice, Dense, LeakyReLU, Parameter, Reshape, Sequential, Tanh,
    Upsample2D)
from minigan.gradcheck import GradientError, check_layer, check_step  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import invert  # noqa: E402

KNOWN = np.arange(16).reshape(4, 4, 1) % 3 > 0


def small(rng=0):
    """A generator like mnist_gan.py's with few units, (N, 3) -> (N, 4, 4, 1), that has learned: its
    BatchNorm has statistics."""
    rng = np.random.default_rng(rng)
    G = Sequential(Dense(3, 6, rng), BatchNorm(6), LeakyReLU(), Dense(6, 16, rng), Tanh(),
                   Reshape(4, 4, 1)).astype(np.float64)
    for _ in range(20):
        G.forward(1 + rng.standard_normal((50, 3)))
    return G


def damages():
    return [invert.Mask(KNOWN.astype(float)), Sequential(AveragePool2D(2), Upsample2D(2))]


def batch():
    rng = np.random.default_rng(1)
    return Parameter(rng.standard_normal((5, 3))), np.tanh(rng.standard_normal((5, 4, 4, 1)))


def check(step, A, G=None):
    G = G or small()
    z, y = batch()
    check_step(lambda adam, y: step(G, A, adam, z, y), [z], y, untouched=[G])


@pytest.mark.parametrize("A", damages(), ids=["mask", "pooled"])
def test_the_step_is_right(A):
    check(invert.inversion_step, A)


@pytest.mark.parametrize("A", damages(), ids=["mask", "pooled"])
def test_what_is_left_of_an_image_is_right(A):
    check_layer(A, batch()[1])


@pytest.mark.parametrize("held", [True, False])
def test_what_a_choice_has_chosen_stays_though_small_z_are_likelier(held):
    step = invert.inversion_step if held else mutant(" * used", "")
    G = Sequential(Choice(2), *small().layers)
    z = Parameter(np.random.default_rng(0).standard_normal((5, 3)))
    before, adam = z.value.copy(), Adam([z], 0.1, 0.9, 0.99)
    for _ in range(50):
        step(G, AveragePool2D(2), adam, z, np.ones((5, 2, 2, 1)))
    assert (z.value[:, :2] == before[:, :2]).all() == held
    assert (z.value[:, 2] != before[:, 2]).all()


def mutant(old, new):
    """The page's step with a mistake in it."""
    source = inspect.getsource(invert.inversion_step)
    assert old in source
    names = dict(vars(invert))
    exec(source.replace(old, new), names)
    return names["inversion_step"]


@pytest.mark.parametrize("old, new", [
    ("z.grad += 2 * WEIGHT * z.value * used", "pass"),
    ("z.grad += 2 * WEIGHT", "z.grad -= 2 * WEIGHT"),
    ("z.grad += 2 * WEIGHT", "z.grad += WEIGHT"),
    ("A.input_grad(2 * e, cache_A)", "2 * e"),
    ("2 * e", "e"),
    ("z.grad.fill(0)", "pass"),
    ("generator.input_grad", "generator.backward"),
    ("    optimizer.step()\n", ""),
    ("    z.grad += generator", "    optimizer.step()\n    z.grad += generator"),
], ids=["no w", "w's sign", "w's 2", "no A^T", "no 2", "not cleared", "G learns", "no step",
        "two steps"])
def test_a_step_with_a_mistake_is_caught(old, new):
    with pytest.raises(GradientError):
        check(mutant(old, new), damages()[0])


def test_an_a_that_forgets_its_mask_on_the_way_back_is_caught():
    class AllBack(invert.Mask):
        def input_grad(self, dy, cache):
            return dy

    A = AllBack(KNOWN.astype(float))
    with pytest.raises(GradientError):
        check_layer(A, batch()[1])
    with pytest.raises(GradientError):
        check(invert.inversion_step, A)


def alone_and_in_a_batch(step):
    """Does a z take another way if others are in the batch? And do G's statistics move? Both may be
    so though every gradient is right: a check of gradients does not see this."""
    G, A = small(), damages()[0]
    before = G.state_dict()
    z, y = batch()
    one, two = Parameter(z.value[:2].copy()), Parameter(z.value.copy())
    for some in (one, two):
        adam = Adam([some], 0.1)
        for _ in range(5):
            step(G, A, adam, some, y[:len(some.value)])
    alike = np.allclose(one.value, two.value[:2], 1e-9)
    return alike, all(np.array_equal(before[name], after) for name, after in G.state_dict().items())


def test_each_z_goes_its_own_way_and_g_stays_as_it_is():
    assert alone_and_in_a_batch(invert.inversion_step) == (True, True)
    as_in_training = mutant("train=False", "train=True")
    check(as_in_training, damages()[0])  # gradients all right ...
    assert alone_and_in_a_batch(as_in_training) == (False, False)  # ... and the page all wrong


def test_nearest_is_the_nearest():
    rng = np.random.default_rng(0)
    y, tries = rng.standard_normal((6, 4, 4, 1)), rng.standard_normal((30, 4, 4, 1))
    distances = ((y[:, None] - tries) ** 2).sum((2, 3, 4))
    assert np.array_equal(invert.nearest(y, tries), distances.argsort(axis=1)[:, :invert.STARTS])


def test_every_image_gets_its_own_z_and_the_best_of_its_starts(monkeypatch):
    """Of images that G can make, each z found makes its own, nearer than the nearest try."""
    G, A = small(), damages()[0]
    rng = np.random.default_rng(2)
    y, tries = A(G(rng.standard_normal((7, 3)))), rng.standard_normal((40, 3))
    monkeypatch.setattr(invert, "WEIGHT", 0)
    near, found = invert.train(SimpleNamespace(steps=100), G, A, y, tries)
    before, after = (((A(G(z)) - y) ** 2).sum((1, 2, 3)) for z in (near, found))
    assert (after < before / 2).all()


def test_near_is_the_nearest_try_and_found_starts_from_the_best(monkeypatch):
    """w = 0, so the best start is the nearest; and Adam's first step is 0.1 in each number."""
    G, A = small(), damages()[0]
    rng = np.random.default_rng(2)
    y, tries = A(G(rng.standard_normal((7, 3)))), rng.standard_normal((40, 3))
    monkeypatch.setattr(invert, "WEIGHT", 0)
    near, found = invert.train(SimpleNamespace(steps=1), G, A, y, tries)
    assert np.array_equal(near, tries[invert.nearest(y, A(G(tries)))[:, 0]])
    assert np.allclose(abs(found - near), 0.1, 1e-3)


def test_the_hole_is_in_the_middle_and_the_half_on_the_left_is_left():
    x = np.full((1, 28, 28, 1), 0.5)
    left = {name: A(x)[0, :, :, 0] for name, A in invert.build().items()}
    assert (left["hole"][9:19, 9:19] == 0).all() and left["hole"].sum() == 0.5 * (784 - 100)
    assert (left["half"][:, :14] == 0.5).all() and (left["half"][:, 14:] == 0).all()
    assert (left["whole"] == x[0, :, :, 0]).all()


def test_the_report_is_psnr_in_pixels_from_0_to_1_and_the_share_read_rightly():
    judge = SimpleNamespace(look=lambda images: (None, np.eye(10)[[1, 2, 3, 4]]))
    x = np.zeros((4, 28, 28, 1))
    words = invert.report(judge, x + 0.2, x, np.array([1, 2, 3, 9]))  # 0.1 of 1: 20 dB
    assert words == "20.0 dB, 75.0% read rightly"


def test_the_dry_run_needs_nothing_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    invert.main(["--dry-run"])
    out = capsys.readouterr().out
    assert "hole" in out and "7 x 7" in out and "dB" in out
    assert not list(tmp_path.iterdir())


def test_without_a_checkpoint_it_says_where_one_comes_from(tmp_path):
    with pytest.raises(SystemExit, match="^error: .*nothing.npz.*mnist_gan.py"):
        invert.main(["--checkpoint", str(tmp_path / "nothing.npz"), "--out", str(tmp_path)])
