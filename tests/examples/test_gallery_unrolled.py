"""unrolled.py: the gradient through k steps of D's own, held against the whole objective."""
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    SGD, Dense, LeakyReLU, NonSaturating, Sequential, Tanh, generator_step)
from minigan.gradcheck import GradientError, check_layer, check_step  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import unrolled  # noqa: E402
from unrolled import Moving, second_order, unroll, unrolled_generator_step  # noqa: E402


@pytest.fixture(autouse=True)
def long_steps(monkeypatch):
    monkeypatch.setattr(unrolled, "ETA", 0.5)  # so that the second term counts


def small(activation=Tanh, dense=None):
    """Networks with few units, all parameters drawn anew, and a batch of six."""
    rng = np.random.default_rng(0)
    dense = dense or Moving
    G = Sequential(Dense(2, 3, rng), activation(), Dense(3, 2, rng))
    D = Sequential(dense(2, 4, rng), activation(), dense(4, 3, rng), activation(),
                   dense(3, 1, rng))
    for network in G, D:
        for p in network.astype(np.float64).parameters():
            p.value[...] = rng.standard_normal(p.value.shape)
    x_real, z = rng.standard_normal((2, 6, 2))
    return G, D, x_real, z


def check(k, activation=Tanh, dense=None, whole=True):
    G, D, x_real, z = small(activation, dense)
    return check_step(
        lambda optimizer, x_real, z: unrolled_generator_step(
            G, D, optimizer, NonSaturating(), x_real, z, k, whole),
        G, x_real, z, untouched=D)


@pytest.mark.parametrize("activation", [Tanh, LeakyReLU])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_step_is_right_through_k_steps_of_d(k, activation):
    check(k, activation)  # to 1e-6


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_first_term_alone_is_caught(k):
    with pytest.raises(GradientError):
        check(k, whole=False)


def test_without_a_step_of_d_it_is_the_generator_step():
    moved = []
    for k in (None, 0):
        G, D, x_real, z = small()
        sgd = SGD(G.parameters(), 1.0)
        if k is None:
            generator_step(G, D, sgd, NonSaturating(), z)
        else:
            unrolled_generator_step(G, D, sgd, NonSaturating(), x_real, z, k)
        moved.append(np.concatenate([p.value.ravel() for p in G.parameters()]))
    np.testing.assert_allclose(*moved, rtol=1e-12)


class StandsStill(Moving):
    """Without x W_dot + b_dot: as Dense."""

    def tangent(self, x_dot, x):
        return Dense.tangent(self, x_dot, x)


class NoBias(Moving):
    def tangent(self, x_dot, x):
        return x_dot @ self.W.value + x @ self.W.dot, x_dot


class NoCurvature(Moving):
    def curvature(self, dy_dot, dx_dot, x_dot, x):
        return None


class OtherWeights(Moving):
    """dy_dot W^T where dy_dot W_dot^T belongs."""

    def curvature(self, dy_dot, dx_dot, x_dot, x):
        return dx_dot


class NoTangentInTheWeights(Moving):
    """Without x_dot^T dy_dot."""

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        self.add_param_grads(dy, x)


@pytest.mark.parametrize("dense", [
    StandsStill, NoBias, NoCurvature, OtherWeights, NoTangentInTheWeights])
def test_a_dense_that_forgets_a_term_is_caught(dense):
    with pytest.raises(GradientError):
        check(2, dense=dense)


@pytest.mark.parametrize("wrong", ["sign", "H a stays away", "no bend"])
def test_a_wrong_way_back_is_caught(wrong, monkeypatch):
    def wrongly(D, loss, x_real, x_fake, a):
        if wrong == "no bend":
            monkeypatch.setattr(unrolled, "sigmoid", lambda s: 0 * s)
        dx_fake, H_a = second_order(D, loss, x_real, x_fake, a)
        return (-dx_fake, H_a) if wrong == "sign" else (
            dx_fake, [0 * each for each in H_a] if wrong == "H a stays away" else H_a)
    monkeypatch.setattr(unrolled, "second_order", wrongly)
    with pytest.raises(GradientError):
        check(2)


def test_dense_with_weights_that_move_is_dense_otherwise():
    layer = Moving(2, 3, np.random.default_rng(0)).astype(np.float64)
    check_layer(layer, np.random.default_rng(1).standard_normal((4, 2)))


def gradient(D, x_real, x_fake):
    """∂L_D/∂theta, as one row: an ordinary backward pass."""
    before, after = unroll(D, NonSaturating(), x_real, x_fake, 1)
    return np.concatenate([(old.value - new.value).ravel() / unrolled.ETA for old, new in zip(
        before.parameters(), after.parameters())])


def directions(D, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(p.value.shape) for p in D.parameters()]


def row(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def test_h_a_is_what_two_ordinary_backward_passes_say():
    _, D, x_real, x_fake = small()
    a = directions(D, 1)
    _, H_a = second_order(D, NonSaturating(), x_real, x_fake, a)
    sides = []
    for eps in (1e-5, -1e-5):
        for p, direction in zip(D.parameters(), a):
            p.value += eps * direction
        sides.append(gradient(D, x_real, x_fake))
        for p, direction in zip(D.parameters(), a):
            p.value -= eps * direction
    np.testing.assert_allclose(row(H_a), (sides[0] - sides[1]) / 2e-5, atol=1e-8)


def test_the_hessian_is_symmetric():
    _, D, x_real, x_fake = small()
    u, v = directions(D, 1), directions(D, 2)
    H_u = row(second_order(D, NonSaturating(), x_real, x_fake, u)[1]).copy()
    H_v = row(second_order(D, NonSaturating(), x_real, x_fake, v)[1])
    assert row(v) @ H_u == pytest.approx(row(u) @ H_v, rel=1e-12)


def test_the_last_of_the_unrolled_is_where_gradient_descent_leads():
    _, D, x_real, x_fake = small()
    before = D.state_dict()
    networks = unroll(D, NonSaturating(), x_real, x_fake, 3)
    assert len(networks) == 4
    values = [NonSaturating().discriminator(
        each.forward(x_real)[0], each.forward(x_fake)[0])[0] for each in networks]
    assert values[1] < values[0]
    for name, value in D.state_dict().items():
        assert (value == before[name]).all()


def test_a_pack_lays_neighbours_side_by_side():
    check_layer(unrolled.Pack(2), np.random.default_rng(0).standard_normal((6, 2)))
    assert unrolled.Pack(2)(np.arange(8.0).reshape(4, 2)).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_dry_run_counts_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unrolled, "ETA", 0.1)
    unrolled.main(["--dry-run"])
    out = capsys.readouterr().out
    for name in unrolled.RECIPES:
        assert f"{name}: " in out
    assert not list(tmp_path.iterdir())
