"""infogan.py: its layer, loss and steps, and that R1 sees the score alone."""
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    Dense, Layer, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty, Sequential, Shift, Tanh)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_layer, check_step, check_tangent)
from minigan.gradcheck.steps import check_loss  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import infogan  # noqa: E402


def small(rng=0):
    """The page's networks with few units: G (3 + 12 -> 4), D (4 -> 1 + 12)."""
    rng = np.random.default_rng(rng)
    G = Sequential(Dense(3 + 12, 5, rng), LeakyReLU(), Dense(5, 4, rng), Tanh())
    D = Sequential(Shift(1), Dense(4, 5, rng), LeakyReLU(), Dense(5, 4, rng), Tanh(),
                   MinibatchDeviation(), Dense(5, 1 + 12, rng))
    return G.astype(np.float64), D.astype(np.float64)


def batch():
    rng = np.random.default_rng(1)
    z, c = infogan.draw_latent(rng, 4)
    return rng.standard_normal((4, 4)), z[:, :3].astype(np.float64), c.astype(np.float64)


def mutant(right, wrong):
    """The page with one of its lines changed."""
    source = Path(infogan.__file__).read_text()
    assert source.count(right) == 1
    module = ModuleType("mutant")
    exec(source.replace(right, wrong), vars(module))
    return module


def check_d(page, penalty=None):
    G, D = small()

    def step(optimizer, x_real, z, c):
        return page.discriminator_step(G, D, optimizer, NonSaturating(), x_real, z, c, 0.3, penalty)
    return check_step(step, D, *batch(), untouched=[G])


def check_g(page):
    G, D = small()

    def step(optimizer, z, c):
        return page.generator_step(G, D, optimizer, NonSaturating(), z, c, 0.3)
    return check_step(step, G, *batch()[1:], untouched=[D])


@pytest.mark.parametrize("penalty", [None, R1Penalty(1.2)], ids=["plain", "R1"])
def test_d_learns_from_both_heads(penalty):
    check_d(infogan, penalty)


def test_g_gets_one_gradient_through_all_heads():
    check_g(infogan)


def test_the_loss_of_the_code_is_right_in_each_column():
    _, _, c = batch()
    guess = np.random.default_rng(2).standard_normal(c.shape)
    check_loss("code_loss", lambda guess: infogan.code_loss(guess, c, 0.3), {"[dq, dm]": guess})


def test_the_layer_score_is_right_twice():
    y = np.random.default_rng(2).standard_normal((4, 13))
    check_layer(infogan.Score(), y)
    check_tangent(infogan.Score(), y)
    check_tangent(Sequential(small()[1], infogan.Score()), batch()[0])


@pytest.mark.parametrize("check, right, wrong", [
    (check_d, "np.hstack([ds_real, 0 * dq_fake])", "np.hstack([ds_real, dq_fake])"),
    (check_d, "np.hstack([ds_fake, dq_fake]), cache_fake", "np.hstack([ds_fake, 0 * dq_fake]), "
     "cache_fake"),
    (check_g, "np.hstack([ds_fake, dq_fake]), cache_d", "np.hstack([ds_fake, 0 * dq_fake]), "
     "cache_d"),
    (check_g, "np.hstack([ds_fake, dq_fake]), cache_d", "np.hstack([ds_fake, -dq_fake]), cache_d"),
    (check_g, "[WEIGHT_K * dq, weight_u * dm]", "[weight_u * dm, WEIGHT_K * dq]"),
    (check_g, "[WEIGHT_K * dq, weight_u * dm]", "[weight_u * dq, WEIGHT_K * dm]")],
    ids=["a code for real images", "D does not learn the code", "G does not get it",
         "the wrong sign", "columns swapped", "weights swapped"])
def test_a_wrong_gradient_of_the_code_is_caught(check, right, wrong):
    with pytest.raises(GradientError):
        check(mutant(right, wrong))


def test_a_score_whose_way_back_is_in_another_column_is_caught():
    y = np.random.default_rng(2).standard_normal((4, 13))
    with pytest.raises(GradientError):
        check_layer(mutant("dy[:, :1] = ds", "dy[:, -1:] = ds").Score(), y)


def penalty_alone(page):
    """What R1 adds in a step, to the value and to the last Dense's W."""
    results = []
    for penalty in None, R1Penalty(1.2):
        G, D = small()
        last = D.layers[-1].W
        kept = []

        class Witness:
            def step(self):
                kept.append(last.grad.copy())
        value, *_ = page.discriminator_step(
            G, D, Witness(), NonSaturating(), *batch(), 0.3, penalty)
        results.append((value, kept[0]))
    (value, grad), (value_r1, grad_r1) = results
    return value_r1 - value, grad_r1 - grad


def test_r1_sees_the_score_alone():
    """It is R1 of the D that has no other column; and tells the other columns nothing."""
    P, dW = penalty_alone(infogan)
    D = small()[1]
    last = D.layers[-1]
    alone = Dense(5, 1).astype(np.float64)
    alone.W.value[...], alone.b.value[...] = last.W.value[:, :1], last.b.value[:1]
    expected = R1Penalty(1.2).at(Sequential(*D.layers[:-1], alone), batch()[0])
    assert np.isclose(P, expected)
    assert np.allclose(dW[:, :1], alone.W.grad, atol=1e-12) and abs(alone.W.grad).max() > 1e-3
    assert abs(dW[:, 1:]).max() < 1e-12


def test_without_the_layer_score_r1_would_press_on_the_code_too():
    """No gradient check sees it, since value and gradient agree: hence the test above."""
    without = mutant("Sequential(discriminator, Score())", "discriminator")
    check_d(without, R1Penalty(1.2))
    assert abs(penalty_alone(without)[1][:, 1:]).max() > 1e-3


def test_who_reads_the_code_rightly_has_the_smaller_loss():
    """A sign that is wrong in value and gradient alike."""
    _, _, c = batch()
    right, wrong = c.copy(), c.copy()
    right[:, :10] *= 5
    wrong[:, :10] *= -5
    other_u = c * ([1] * 10 + [-1] * 2)
    assert infogan.code_loss(right, c, 0.3)[0] < infogan.code_loss(wrong, c, 0.3)[0]
    assert infogan.code_loss(c, c, 0.3)[0] < infogan.code_loss(other_u, c, 0.3)[0]


def test_the_numbers_wait_until_there_are_digits(monkeypatch):
    def d_step(G, D, optimizer, loss, x_real, z, c, weight_u, penalty):
        for_d.append(weight_u)
        return 0, 0, 0

    def g_step(G, D, optimizer, loss, z, c, weight_u):
        for_g.append(weight_u)
        return 0, 0

    for_d, for_g = [], []
    monkeypatch.setattr(infogan, "discriminator_step", d_step)
    monkeypatch.setattr(infogan, "generator_step", g_step)
    infogan.train(SimpleNamespace(seed=0, steps=10), np.zeros((40, 28, 28), np.uint8))
    assert for_d == for_g
    np.testing.assert_allclose(for_d, 4 * [0.01] + [0.04, 0.08, 0.12, 0.16, 0.2, 0.24])


def test_a_code_is_one_of_ten_values_and_two_numbers():
    z, c = infogan.draw_latent(np.random.default_rng(0), 1000)
    k, u = c[:, :10], c[:, 10:]
    assert z.dtype == c.dtype == np.float32 and z.shape == (1000, infogan.LATENT)
    assert set(np.unique(k)) == {0, k.max()} and (k > 0).sum(axis=1).tolist() == [1] * 1000
    assert (k > 0).sum(axis=0).min() > 60 and u.shape == (1000, 2)
    assert abs(u).max() <= 1 and abs(u.mean()) < 0.1 and abs(u.std() - 3 ** -0.5) < 0.05


def test_the_lower_rows_sweep_one_number_each_of_the_same_three_z():
    class Witness(Layer):
        def forward(self, x, train=True):
            seen.append(x)
            return np.zeros((len(x), 28, 28, 1), np.float32), None

    seen = []
    infogan.draw(Witness(), np.random.default_rng(0), np.arange(10))
    z, k, u = np.split(seen[0], [infogan.LATENT, infogan.LATENT + 10], axis=1)
    assert (k[:50].argmax(axis=1) == np.tile(np.arange(10), 5)).all()
    first, second = slice(50, 80), slice(80, 110)
    assert (z[first] == z[second]).all() and (k[first] == k[second]).all()
    sweep = np.tile(np.linspace(-1, 1, 10), 3)
    np.testing.assert_allclose(u[first, 0], sweep, rtol=1e-6)
    np.testing.assert_allclose(u[second, 1], sweep, rtol=1e-6)
    assert (np.ptp(u[first, 1].reshape(3, 10), axis=1) == 0).all()


def test_each_value_is_named_after_its_commonest_digit():
    k, labels = np.array([0, 0, 0, 2, 2, 5]), np.array([7, 7, 1, 4, 4, 7])
    names, error = infogan.name_values(k, labels)
    assert names[[0, 2, 5]].tolist() == [7, 4, 7] and np.isclose(error, 1 / 6)


def test_the_dry_run_names_the_codes_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    infogan.main(["--dry-run"])
    out = capsys.readouterr().out
    assert "errs on" in out and "nats" in out and "u_1" in out
    assert not list(tmp_path.iterdir())
