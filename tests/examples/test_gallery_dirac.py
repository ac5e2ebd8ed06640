"""dirac.py: the eigenvalues by hand are those of real steps, and what the page says of the rest."""
import inspect
import sys
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import LOSSES, LeastSquares, R1Penalty, Sequential, SGD  # noqa: E402
from minigan.gradcheck import GradientError, check_layer, numerical_gradient  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import dirac  # noqa: E402
from dirac import AT_ZERO, LIMIT, METHODS, NOISE, RATE, STEPS, WEIGHT  # noqa: E402

ALL = [(name, method) for name in AT_ZERO for method in METHODS]
SMOOTH = [(name, method) for name, method in ALL if method != "GP"]


def in_order(values):
    return np.array(sorted(values, key=lambda v: (np.real(v), np.imag(v))))


def as_derived(name, method, steps=STEPS):
    """Are the eigenvalues by hand those of the steps?"""
    gan = dirac.build(name, method)
    return all(np.allclose(in_order(hand), in_order(dirac.measured(gan, step)), 0, 1e-8)
               for hand, step in zip(dirac.by_hand(name, method), steps))


def slope(name, method, theta, psi):
    """(dtheta, dpsi), as differences of the losses' values, which are written down once more."""
    loss = LeastSquares(1, -1) if name == "leastsquares" else LOSSES[name]()
    e = NOISE * np.array([[1.0], [-1.0]]) if method == "noise" else np.zeros((2, 1))

    def value_d(psi):
        P = {"GP": WEIGHT * (abs(psi) - 1) ** 2, "R1": WEIGHT / 2 * psi ** 2}.get(method, 0 * psi)
        return float(loss.discriminator(psi * e, psi * (theta + e))[0] + P[0])

    def value_g(theta):
        return float(loss.generator(psi * (theta + e))[0])

    return np.array([numerical_gradient(value, np.array([number]), 1e-6)[0]
                     for value, number in ((value_g, theta), (value_d, psi))])


def goes_down(name, method, steps=STEPS):
    """Do both kinds of steps go down the slopes, from anywhere?"""
    gan, right = dirac.build(name, method), True
    for point in np.random.default_rng(0).uniform(-0.4, 0.4, (5, 2)):
        at_once = point - RATE * slope(name, method, *point)
        psi = at_once[1] if method != "clipped" else at_once[1].clip(-LIMIT, LIMIT)
        theta = point[0] - RATE * slope(name, method, point[0], psi)[0]
        for step, end in zip(steps, ([at_once[0], psi], [theta, psi])):
            right &= np.allclose(dirac.move(gan, step, point), end, 0, 1e-9)
    return right


def test_all_losses_of_the_library_are_there():
    assert list(AT_ZERO) == list(LOSSES)


@pytest.mark.parametrize("name, method", SMOOTH)
def test_eigenvalues_by_hand_are_those_measured(name, method):
    assert as_derived(name, method)


@pytest.mark.parametrize("name, method", ALL)
def test_the_steps_go_down_the_slopes_of_both_losses(name, method):
    assert goes_down(name, method)


def test_the_shaken_points_are_right():
    check_layer(dirac.Shaken(), np.random.default_rng(0).standard_normal((5, 1)))
    assert np.allclose(dirac.Shaken()(np.zeros((4, 1)))[:, 0], [NOISE, -NOISE, NOISE, -NOISE])


def mutant(function, old, new):
    """A function of the page with a mistake in it."""
    source = inspect.getsource(function)
    assert old in source
    names = dict(vars(dirac))
    exec(source.replace(old, new), names)
    return names[function.__name__]


@pytest.mark.parametrize("function, old, new", [
    (dirac.simultaneous_step, "Wait()", "sgd_d"),
    (dirac.simultaneous_step, "    sgd_d.step()\n", ""),
    (dirac.simultaneous_step, "penalty)", "None)"),
    (dirac.alternating_step, "step(G, D, sgd_d", "step(G, D, Wait()"),
    (dirac.alternating_step, "penalty)", "None)"),
], ids=["D twice", "no D", "no penalty", "in turn no D", "in turn no penalty"])
def test_a_step_with_a_mistake_is_caught(function, old, new):
    steps = [mutant(step, old, new) if step is function else step for step in STEPS]
    assert not as_derived("minimax", "R1", steps) and not goes_down("minimax", "R1", steps)


def test_steps_in_the_other_kinds_place_are_caught():
    assert not as_derived("minimax", "plain", STEPS[::-1])
    assert not goes_down("minimax", "plain", STEPS[::-1])


@pytest.mark.parametrize("method, old, new", [
    ("noise", "c * NOISE ** 2", "c * NOISE"), ("noise", "c * NOISE ** 2", "c / 2 * NOISE ** 2"),
    ("R1", "WEIGHT}", "2 * WEIGHT}"), ("plain", "* a * a]])", "* a]])"),
    ("R1", "[1 - h * k]])", "[1 - h * k + h * h * a * a]])"), ("R1", "[[1 - h * k +", "[[1 +"),
    ("plain", "[2 - h * k - h", "[2 - h * k + h")])
def test_a_mistake_by_hand_is_caught(method, old, new, monkeypatch):
    monkeypatch.setattr(dirac, "by_hand", mutant(dirac.by_hand, old, new))
    assert not as_derived("nonsaturating", method)


@pytest.mark.parametrize("method, old, new", [
    ("plain", "LeastSquares(1, -1)", "LeastSquares()"), ("noise", 'Sequential(Shaken(), slope)',
                                                         "slope"), ("R1", '"R1":', '"R2":')])
def test_another_gan_is_caught(method, old, new, monkeypatch):
    monkeypatch.setattr(dirac, "build", mutant(dirac.build, old, new))
    assert not as_derived("leastsquares", method) and not goes_down("leastsquares", method)


def test_points_that_are_shaken_to_one_side_are_caught(monkeypatch):
    class OneSide(dirac.Shaken):
        def forward(self, x, train=True):
            return x + NOISE, None

    monkeypatch.setattr(dirac, "Shaken", OneSide)  # its layer is right, the GAN is another one
    check_layer(OneSide(), np.ones((4, 1)))
    assert not goes_down("minimax", "noise") and as_derived("minimax", "noise")  # it sees e^2 alone


def test_noise_that_lets_no_gradient_through_is_caught():
    class Stop(dirac.Shaken):
        def input_grad(self, dy, _):
            return 0 * dy

    with pytest.raises(GradientError):
        check_layer(Stop(), np.ones((4, 1)))


def test_of_gaussian_noise_the_eigenvalues_are_the_same(monkeypatch):
    """Which is to say that only the mean of e^2 counts."""
    e = np.array([[NormalDist().inv_cdf((k + 0.5) / 100)] for k in range(100)])
    e *= NOISE / np.sqrt((e * e).mean())
    monkeypatch.setattr(dirac.Shaken, "forward", lambda self, x, train=True: (x + e, None))
    *networks, _, _, penalty = dirac.build("nonsaturating", "noise")
    gan = *networks, np.zeros((100, 1)), np.ones((100, 1)), penalty
    for hand, step in zip(dirac.by_hand("nonsaturating", "noise"), STEPS):
        assert np.allclose(in_order(hand), in_order(dirac.measured(gan, step)), 0, 1e-8)


def test_with_gp_psi_jumps_over_0_so_that_there_is_no_rest():
    for step in STEPS:
        gan = dirac.build("wasserstein", "GP")
        above, below = (dirac.move(gan, step, [0, psi])[1] for psi in (1e-6, -1e-6))
        assert np.isclose(above - below, 4 * RATE * WEIGHT, 1e-4)
        steep = [abs(dirac.measured(gan, step, distance)).max() for distance in (1e-4, 1e-5)]
        assert np.isclose(steep[1], 10 * steep[0], 0.01)


def test_r2_is_r1():
    G, D, *_, loss, x_real, z, penalty = dirac.build("minimax", "R1")
    D.W.value[...] = 0.3
    found = []
    for x in (x_real, G(z)):
        D.zero_grad()
        found.append((R1Penalty(WEIGHT).at(D, x), D.W.grad.item()))
    assert found[0] == pytest.approx(found[1]) and found[0][1] == pytest.approx(WEIGHT * 0.3)


def run(name, method, step, steps):
    return dirac.train(SimpleNamespace(steps=steps), dirac.build(name, method), step)


def test_clipping_holds_psi_and_is_caught_where_it_does_not(monkeypatch):
    for step in STEPS:
        assert abs(run("wasserstein", "clipped", step, 60)[:, 1]).max() == LIMIT
    monkeypatch.setattr(dirac, "ClippedSGD", SGD)
    assert abs(run("wasserstein", "clipped", step, 60)[:, 1]).max() > LIMIT


@pytest.mark.parametrize("name, taken", [
    ("minimax", lambda s: 0 * s), ("nonsaturating", lambda s: 2 * s * np.tanh(s / 2)),
    ("leastsquares", lambda s: 4 * s * s)])
def test_a_small_step_takes_of_r_what_the_page_says(name, taken, monkeypatch):
    monkeypatch.setattr(dirac, "RATE", 1e-5)
    gan, point = dirac.build(name, "plain"), np.array([0.7, -0.9])
    r2 = [(x ** 2).sum() for x in (point, dirac.move(gan, dirac.alternating_step, point))]
    assert np.isclose(r2[0] - r2[1], 1e-5 * taken(point.prod()), 0, 1e-9)


def test_at_once_least_squares_ends_on_a_circle_and_in_turn_minimax_keeps_to_its_own():
    r2 = (run("leastsquares", "plain", dirac.simultaneous_step, 600)[-150:] ** 2).sum(axis=1)
    assert np.isclose(r2.mean(), 2 * RATE, 0.03)
    r2 = (run("minimax", "plain", dirac.alternating_step, 200) ** 2).sum(axis=1)
    assert abs(r2 - 1).max() < 0.06


def test_which_come_to_rest():
    """The paper's table, and beyond it that noise needs a loss that is curved."""
    rest = [pair for pair in ALL if abs(dirac.by_hand(*pair)).max() < 1 - 1e-6]
    assert rest == [(name, method) for name in AT_ZERO for method in ("noise", "R1")
                    if method == "R1" or name not in ("hinge", "wasserstein")]


def test_the_dry_run_says_which_come_to_rest_and_leaves_nothing_behind(
        tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dirac, "AT_ZERO", {name: AT_ZERO[name] for name in ("minimax", "hinge")})
    dirac.main(["--dry-run"])
    assert "rest: plain 0 clipped 0 GP 0 noise 1 R1 2" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_noise_is_in_front_of_d_and_nowhere_else():
    for name, method in ALL:
        assert isinstance(dirac.build(name, method)[1], Sequential) == (method == "noise")
