"""translate.py: a gradient through one generator after the other, and each generator used twice."""
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    SGD, AveragePool2D, Conv2D, ConvTranspose2D, Dense, Hinge, LeakyReLU, NonSaturating,
    R1Penalty, Reshape, Sequential, Shift, Tanh, generator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_layer, check_step, check_tangent)
from minigan.workshop import draw_digits  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import translate  # noqa: E402


def small(rng):
    """Dense networks for two pixels, a generator and a D: the steps do not care."""
    generator = Sequential(Dense(2, 2, rng), LeakyReLU(), Dense(2, 2, rng), Tanh())
    discriminator = Sequential(Shift(1), Dense(2, 2, rng), Tanh(), Dense(2, 1, rng))
    return generator.astype(np.float64), discriminator.astype(np.float64)


def networks():
    """G, F, D_A, D_B."""
    rng = np.random.default_rng(0)
    (G, D_B), (F, D_A) = small(rng), small(rng)
    return G, F, D_A, D_B


def batch():
    return np.random.default_rng(1).uniform(-1, 1, (2, 4, 2))


def check_cycle(page=vars(translate), loss=NonSaturating()):
    G, F, D_A, D_B = networks()
    check_step(lambda optimizer, x, y: page["cycle_step"](G, F, D_A, D_B, optimizer, loss, x, y),
               [G, F], *batch(), untouched=[D_A, D_B])


def gradients(step, networks):
    for network in networks:
        network.zero_grad()
    step()
    return [np.concatenate([p.grad.ravel() for p in net.parameters()]) for net in networks]


@pytest.mark.parametrize("loss", [NonSaturating(), Hinge()], ids=repr)
def test_the_step_of_both_ways_is_right(loss):
    check_cycle(loss=loss)


def test_one_network_may_go_there_and_back_with_two_caches():
    G, _, _, D = networks()

    def step(optimizer, x):
        G.zero_grad()
        value, _ = translate.add_cycle_grads(G, G, D, NonSaturating(), x)
        optimizer.step()
        return value
    check_step(step, G, batch()[0], untouched=D)


@pytest.mark.parametrize("penalty", [None, R1Penalty(1.2)], ids=["plain", "R1"])
def test_the_step_of_a_d_that_looks_at_patches_is_right(penalty):
    rng = np.random.default_rng(0)
    G = Sequential(Conv2D(1, 1, 2, stride=2, rng=rng), LeakyReLU(),
                   ConvTranspose2D(1, 1, 2, stride=2, rng=rng), Tanh()).astype(np.float64)
    D = Sequential(Shift(1), Conv2D(1, 2, 2, stride=2, rng=rng), LeakyReLU(),
                   Conv2D(2, 1, 1, rng=rng), AveragePool2D(2), Reshape(1)).astype(np.float64)
    x, y = np.random.default_rng(1).uniform(-1, 1, (2, 2, 4, 4, 1))
    check_layer(D, y)
    check_tangent(D, y)
    check_discriminator_step(G, D, NonSaturating(), y, x, penalty)


DY = "D.input_grad(ds, cache_d) + back.backward(LAMBDA * dx_again, cache_back)"
BETWEEN = "    value_y, error_y ="
MISTAKES = {
    "the cycle's gradient is lost": (DY, "D.input_grad(ds, cache_d)"),
    "the adversary's gradient is lost": (DY, DY.partition(" + ")[2]),
    "they are subtracted": (DY, DY.replace("+", "-")),
    "the way back does not learn": (DY, DY.replace("back.backward", "back.input_grad")),
    "the way back hands on nothing": (DY, "(back.add_param_grads(LAMBDA * dx_again, cache_back), "
                                      "D.input_grad(ds, cache_d))[1]"),
    "the gradient bypasses the way back": (DY, DY.replace(
        "back.backward(LAMBDA * dx_again, cache_back)", "LAMBDA * dx_again")),
    "it goes back through the first generator": (DY, DY.replace("back.backward", "there.backward")),
    "the gradient lacks lambda": (DY, DY.replace("LAMBDA * ", "")),
    "D learns, too": (DY, DY.replace("input_grad", "backward")),
    "the last cache serves both": ("there.add_param_grads(dy, cache_there)",
                                   "there.add_param_grads(dy, cache_back)"),
    "what comes again is called the target": (
        "mean_absolute_error(x_again, x)", "mean_absolute_error(x, x_again)"),
    "the gradients are cleared between the ways": (BETWEEN, f"    G.zero_grad()\n{BETWEEN}"),
    "F keeps those of the step before": ("F.zero_grad()", "pass"),
    "each way has a step of its own": (BETWEEN, f"    optimizer.step()\n{BETWEEN}"),
}


@pytest.mark.parametrize("right, wrong", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_step_is_caught(right, wrong):
    source = "\n".join(map(inspect.getsource, (translate.add_cycle_grads, translate.cycle_step)))
    assert source.count(right) == 1
    page = dict(vars(translate))
    exec(source.replace(right, wrong), page)
    with pytest.raises(GradientError):
        check_cycle(page)


def test_each_way_meets_the_discriminator_of_where_it_leads(monkeypatch):
    """Which no gradient check sees: without the cycle the step is that of two GANs."""
    G, F, D_A, D_B = networks()
    x, y = batch()
    still = SGD(G.parameters(), 1e-300)
    monkeypatch.setattr(translate, "LAMBDA", 0)
    both = gradients(lambda: translate.cycle_step(
        G, F, D_A, D_B, still, NonSaturating(), x, y), [G, F])
    alone = (gradients(lambda: generator_step(*pair, still, NonSaturating(), z), pair[:1])[0]
             for *pair, z in ((G, D_B, x), (F, D_A, y)))
    for found, expected in zip(both, alone):
        assert abs(expected).max() > 1e-3 and np.allclose(found, expected, rtol=0, atol=1e-12)


def permutation():
    """Two Dense that are each other's inverse, and put each pixel into another's place."""
    pair = Dense(2, 2), Dense(2, 2)
    pair[0].W.value[...] = np.eye(2)[::-1]
    pair[1].W.value[...] = pair[0].W.value.T
    return [dense.astype(np.float64) for dense in pair]


def test_the_cycle_is_content_with_any_pair_that_turns_back_what_it_did():
    """Even if nothing stays in its place: hence the patches."""
    G, F = permutation()
    D = Dense(2, 1).astype(np.float64)
    x, _ = batch()
    for there, back in ((G, F), (F, G)):
        _, dF = gradients(lambda: translate.add_cycle_grads(
            there, back, D, NonSaturating(), x), [there, back])
        assert abs(dF).max() == 0 and abs(there(x) - x).max() > 0.5
    other = Dense(2, 2, np.random.default_rng(3)).astype(np.float64)
    value, error = translate.add_cycle_grads(G, other, D, NonSaturating(), x)
    assert error > 0.1 and value > translate.LAMBDA * error


def seen(network, output):
    """The height and width of the box of pixels that the chosen output depends on."""
    x = np.random.default_rng(0).uniform(-1, 1, (1, 28, 28, 1)).astype(np.float32)
    y, cache = network.forward(x)
    dy = np.zeros_like(y)
    dy[output] = 1
    places = np.argwhere(network.input_grad(dy, cache)[0, ..., 0])
    return (np.ptp(places, axis=0) + 1).tolist()


def test_no_network_sees_more_than_10_by_10_pixels():
    G, D = translate.build(np.random.default_rng(0))
    patches = Sequential(*D.layers[:-2])
    assert seen(G, (0, 14, 14)) == seen(G, (0, 13, 16)) == seen(patches, (0, 3, 3)) == [10, 10]
    x = np.random.default_rng(0).uniform(-1, 1, (2, 28, 28, 1)).astype(np.float32)
    assert np.allclose(D(x)[:, 0], patches(x).mean(axis=(1, 2, 3)), atol=1e-6)


def test_a_relief_is_lit_from_the_upper_left_and_nothing_falls_over_the_edge():
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 10, 10] = images[0, 27, 27] = 255
    relief = translate.press(images)
    assert relief.dtype == np.uint8 and relief[0, 10, 10] == relief[0, 27, 27] == 255
    assert relief[0, 12, 12] == 0 and (relief == 127).sum() == 28 * 28 - 3
    thick = np.zeros((1, 28, 28), np.uint8)
    thick[:, 8:20, 8:20] = 255
    assert (translate.press(thick)[:, 10:20, 10:20] == 127).all()


def test_the_reader_has_each_hand_in_each_style():
    hands = [draw_digits(3, np.random.default_rng(seed)) for seed in (0, 1)]
    images, labels = translate.both_styles(*hands)
    expected = [(style, labels) for inked, labels in hands
                for style in (inked, translate.press(inked))]
    for part, (some, names) in enumerate(expected):
        here = slice(3 * part, 3 * part + 3)
        assert np.array_equal(images[here], some) and np.array_equal(labels[here], names)
    assert len(images) == len(labels) == 12


def test_the_dry_run_judges_both_ways_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(translate, "labelled_digits", lambda args: [
        draw_digits(count, np.random.default_rng(count)) for count in (100, 30)])
    translate.main(["--dry-run", "--steps", "4"])
    out = capsys.readouterr().out
    assert "relief: read rightly" in out and "ink: read rightly" in out
    assert not list(tmp_path.iterdir())
