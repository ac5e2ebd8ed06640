"""restore.py: two gradients meet at x_fake, and the damage takes what it should take."""
import inspect
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    SGD, BatchNorm, Dense, Given, Hinge, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty,
    Sequential, Shift, Tanh, generator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_step)
from minigan.workshop import to_float  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import restore  # noqa: E402

TASKS = list(restore.LOST)


def small(rng=0):
    """The page's networks with few units: G (3 -> 4), D (4 + 3 -> 1)."""
    rng = np.random.default_rng(rng)
    G = Sequential(Dense(3, 3, rng), BatchNorm(3), LeakyReLU(), Dense(3, 4, rng), Tanh())
    D = Sequential(Shift(1), Dense(4 + 3, 4, rng), LeakyReLU(), MinibatchDeviation(),
                   Dense(5, 1, rng))
    return G.astype(np.float64), D.astype(np.float64)


def batch():
    """x_real (6, 4) and c (6, 3)."""
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (6, 4)), rng.standard_normal((6, 3))


def check_restoration(step=restore.restoration_step, loss=NonSaturating()):
    G, D = small()
    check_step(lambda optimizer, x_real, c: step(G, Given(D, c), optimizer, loss, x_real, c),
               G, *batch(), untouched=D)


@pytest.mark.parametrize("loss", [NonSaturating(), Hinge()], ids=repr)
def test_the_step_with_two_gradients_is_right(loss):
    check_restoration(loss=loss)


def test_the_step_of_the_squared_error_alone_is_right():
    G, _ = small()
    check_step(lambda optimizer, x_real, c: restore.squared_error_step(G, optimizer, x_real, c),
               G, *batch())


@pytest.mark.parametrize("penalty", [None, R1Penalty(1.2)], ids=["plain", "R1"])
def test_the_step_of_a_d_that_sees_what_is_left_is_right(penalty):
    G, D = small()
    x_real, c = batch()
    check_discriminator_step(G, Given(D, c), NonSaturating(), x_real, c, penalty)


SUM = "dx_fake = D.input_grad(ds_fake, cache_discriminator) + LAMBDA * dx_fake"
BACK = "G.add_param_grads(dx_fake, cache_generator)"


MISTAKES = {
    "the squared error's gradient is lost": (SUM, SUM.replace("+ LAMBDA * dx_fake", "")),
    "the adversary's gradient is lost": (SUM, "dx_fake = LAMBDA * dx_fake"),
    "they are subtracted": (SUM, SUM.replace("+", "-")),
    "the gradient lacks lambda": (SUM, SUM.replace("LAMBDA * ", "")),
    "the adversary's is multiplied, too": (SUM, SUM.replace("= ", "= LAMBDA * ")),
    "ds_fake itself is added": (SUM, "dx_fake = ds_fake + LAMBDA * dx_fake"),
    "D learns, too": (SUM, SUM.replace("input_grad", "backward")),
    "the second replaces the first": (
        BACK, f"{BACK}; G.zero_grad(); G.add_param_grads(LAMBDA * dx_fake, cache_generator)"),
    "each of the two has a step of its own": (BACK, f"{BACK}; optimizer.step()"),
    "what it restores is called the target": (
        "mean_squared_error(x_fake, x_real)", "mean_squared_error(x_real, x_fake)"),
}


@pytest.mark.parametrize("right, wrong", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_step_is_caught(right, wrong):
    source = inspect.getsource(restore.restoration_step)
    assert source.count(right) == 1
    names = dict(vars(restore))
    exec(source.replace(right, wrong), names)
    with pytest.raises(GradientError):
        check_restoration(names["restoration_step"])


def test_the_gradient_is_that_of_generator_step_and_lambda_times_that_of_the_squared_error():
    G, D = small()
    x_real, c = batch()
    still = SGD(G.parameters(), 1e-300)

    def gradients(step, *given):
        step(*given)
        return np.concatenate([p.grad.ravel() for p in G.parameters()])

    both = gradients(
        restore.restoration_step, G, Given(D, c), still, NonSaturating(), x_real, c)
    adversary = gradients(generator_step, G, Given(D, c), still, NonSaturating(), c)
    error = gradients(restore.squared_error_step, G, still, x_real, c)
    assert abs(adversary).max() > 1e-3 < abs(error).max()
    assert np.allclose(both, adversary + restore.LAMBDA * error, rtol=0, atol=1e-12)


def test_the_squared_error_is_content_with_the_mean_of_two_answers_and_the_adversary_is_not():
    """One c, two x that are each other's negative, and a G that draws their mean, 0."""
    G, D = small()
    G.layers[-2].W.value.fill(0)
    x, c = np.ones((1, 4)), np.ones((1, 3))
    x_real, c = np.concatenate([x, -x]), np.concatenate([c, c])
    still = SGD(G.parameters(), 1e-300)
    restore.squared_error_step(G, still, x_real, c)
    assert all(abs(p.grad).max() < 1e-15 for p in G.parameters())
    restore.restoration_step(G, Given(D, c), still, NonSaturating(), x_real, c)
    assert abs(G.layers[-2].b.grad).max() > 1e-3


def digits(count=20):
    return np.random.default_rng(2).integers(0, 256, (count, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize("task", TASKS)
def test_with_the_true_x_in_its_place_the_damaged_image_is_whole(task):
    images = digits()
    x, c, c_images = restore.damage(images, task, np.random.default_rng(0))
    whole = restore.repair(c_images, task, x)
    assert np.allclose(whole, images / 255, atol=1e-6) and x.dtype == c.dtype == np.float32
    assert not np.allclose(restore.repair(c_images, task, 0 * x), whole, atol=0.1)


def test_what_is_left_tells_nothing_of_the_hole():
    images, changed = digits(), digits()
    changed[:, 7:21, 7:21] = 0
    for before, after in zip(*(restore.damage(some, "inpaint", None)[1:]
                               for some in (images, changed))):
        assert np.array_equal(before, after)
    changed[:, 6, 7] ^= 255
    assert not np.array_equal(restore.damage(changed, "inpaint", None)[1],
                              restore.damage(images, "inpaint", None)[1])


def test_sixteen_means_are_left_of_an_image():
    images = digits()
    _, c, c_images = restore.damage(images, "superresolution", None)
    block = to_float(images)[:, 7:14, 21:, 0].mean(axis=(1, 2))
    assert c.shape == (20, 16) and np.allclose(c[:, 7], block, atol=1e-6)
    assert np.array_equal(c_images[:, 7, 21], c[:, 7])
    assert np.array_equal(c_images[:, 13, 27], c[:, 7])


def test_noise_has_the_size_that_it_should_have_and_is_drawn_anew():
    rng = np.random.default_rng(0)
    (x, c, _), (_, other, _) = (restore.damage(digits(), "denoise", rng) for _ in range(2))
    assert abs((c - x).std() / restore.NOISE - 1) < 0.02
    assert abs(np.corrcoef((c - x).ravel(), (other - x).ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("task", TASKS)
def test_interpolation_finds_an_even_slope_again_and_leaves_the_known_pixels(task):
    row, column = np.mgrid[:28, :28] / 40 - 0.3
    images = np.stack([row - column, column], dtype=np.float32)
    found = restore.repair(images, task, restore.interpolate(images, task))
    assert np.allclose(found[:, 4:-4, 4:-4], (images[:, 4:-4, 4:-4] + 1) / 2, atol=1e-6)
    if task == "inpaint":
        hidden = np.where(restore.HOLE, 0, images)
        found = restore.repair(hidden, task, restore.interpolate(hidden, task))
        assert np.allclose(found, (images + 1) / 2, atol=0.1)
        assert np.allclose(found[:, ~restore.HOLE], (images[:, ~restore.HOLE] + 1) / 2)


def test_the_two_ways_differ_by_the_adversary_alone(monkeypatch):
    """Where its step is that of the squared error, both learn the same. (BatchNorm's statistics are
    not compared: G runs in D's step, too.)"""
    images = digits(64)

    def learned():
        return [np.concatenate([p.value.ravel() for p in network.parameters()])
                for network in restore.train(Namespace(task="inpaint", steps=2, seed=0), images)]

    alone, with_d = learned()
    assert abs(alone - with_d).max() > 1e-3
    monkeypatch.setattr(restore, "restoration_step", lambda G, D, optimizer, loss, *given: (
        0, restore.squared_error_step(G, optimizer, *given)))
    same, with_d = learned()
    assert np.array_equal(alone, same) and np.array_equal(same, with_d)


def test_the_dry_run_judges_four_pictures_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    restore.main(["--dry-run"])
    out = capsys.readouterr().out
    for name in ("interpolated", "squared error", "and with D"):
        assert f"{name}: " in out
    assert not list(tmp_path.iterdir())
