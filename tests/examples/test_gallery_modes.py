"""modes.py: points in packs, points in pairs, both penalties, and a page that counts and draws."""
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    SGD, Dense, LeakyReLU, NonSaturating, R1Penalty, Sequential, Tanh, discriminator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_step,
    check_tangent)
from minigan.gradcheck.steps import check_loss  # noqa: E402
from minigan.workshop import ring  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import modes  # noqa: E402
from modes import Pack, Paired, R1AndR2, paired_generator_step  # noqa: E402


def small(activation=Tanh, pack=1):
    """The page's networks with few units, and a batch of six."""
    rng = np.random.default_rng(0)
    G = Sequential(Dense(2, 3, rng), activation(), Dense(3, 2, rng))
    D = Sequential(Pack(pack), Dense(2 * pack, 4, rng), activation(), Dense(4, 1, rng))
    x_real, z = np.random.default_rng(1).standard_normal((2, 6, 2))
    return G.astype(np.float64), D.astype(np.float64), x_real, z


def test_a_pack_is_right_and_so_is_its_tangent():
    x = np.random.default_rng(0).standard_normal((6, 2))
    check_layer(Pack(2), x)
    check_tangent(Pack(3), x)


def test_a_pack_lays_neighbours_side_by_side_and_one_alone_is_nothing_new():
    x = np.arange(8.0).reshape(4, 2)
    assert Pack(2)(x).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (Pack(1)(x) == x).all()


@pytest.mark.parametrize("activation", [Tanh, LeakyReLU])
def test_both_steps_are_right_with_packs(activation):
    G, D, x_real, z = small(activation, pack=2)
    check_discriminator_step(G, D, NonSaturating(), x_real, z)
    check_discriminator_step(G, D, NonSaturating(), x_real, z, R1Penalty(0.7))
    check_generator_step(G, D, NonSaturating(), z)


def test_the_paired_loss_is_right_on_both_sides():
    s_real, s_fake = 3 * np.random.default_rng(0).standard_normal((2, 6, 1))
    check_loss("D", Paired().discriminator, {"ds_real": s_real, "ds_fake": s_fake})
    check_loss("G", partial(Paired().generator, s_real=s_real), {"ds_fake": s_fake})


def check_paired_generator_step(loss, step=paired_generator_step):
    G, D, x_real, z = small()
    return check_step(lambda optimizer, x_real, z: step(G, D, optimizer, loss, x_real, z), G,
                      x_real, z, untouched=D)


@pytest.mark.parametrize("penalty", [None, R1AndR2(0.7)], ids=["plain", "R1 and R2"])
def test_both_paired_steps_are_right(penalty):
    G, D, x_real, z = small()
    check_discriminator_step(G, D, Paired(), x_real, z, penalty)
    check_paired_generator_step(Paired())


class WithoutReal(Paired):
    """The usual loss: G's points are compared with 0."""

    def generator(self, s_fake, s_real):
        value, _ = super().generator(s_fake, s_real)
        return value, super().generator(s_fake, 0 * s_real)[1]


class TheWrongWayRound(Paired):
    def generator(self, s_fake, s_real):
        value, ds_fake = super().generator(s_fake, s_real)
        return value, -ds_fake


class WithDsSign(Paired):
    """ds_fake as it is in D's step."""

    def generator(self, s_fake, s_real):
        value, _ = super().generator(s_fake, s_real)
        return value, self.discriminator(s_real, s_fake)[2]


class OfTheOtherOne(Paired):
    """sigmoid(s_real - s_fake) for sigmoid(s_fake - s_real)."""

    def discriminator(self, s_real, s_fake):
        value, ds_real, ds_fake = super().discriminator(s_real, s_fake)
        return value, ds_real + 1 / len(s_real), 1 / len(s_fake) - ds_fake


class NoMean(Paired):
    def discriminator(self, s_real, s_fake):
        value, ds_real, ds_fake = super().discriminator(s_real, s_fake)
        return value, len(s_real) * ds_real, len(s_fake) * ds_fake


@pytest.mark.parametrize("wrong", [WithoutReal, TheWrongWayRound, WithDsSign])
def test_a_wrong_gradient_of_g_is_caught(wrong):
    with pytest.raises(GradientError):
        check_paired_generator_step(wrong())


@pytest.mark.parametrize("wrong", [OfTheOtherOne, NoMean])
def test_a_wrong_gradient_of_d_is_caught(wrong):
    G, D, x_real, z = small()
    with pytest.raises(GradientError):
        check_discriminator_step(G, D, wrong(), x_real, z)


def test_a_step_that_moves_d_or_follows_x_real_is_caught():
    def through_real(generator, discriminator, optimizer, loss, x_real, z):
        x_fake, cache_generator = generator.forward(z)
        s_fake, _ = discriminator.forward(x_fake)
        s_real, cache_real = discriminator.forward(x_real)
        value, ds_fake = loss.generator(s_fake, s_real)
        generator.zero_grad()
        generator.add_param_grads(discriminator.input_grad(ds_fake, cache_real), cache_generator)
        optimizer.step()
        return value

    def moves_d(generator, discriminator, optimizer, loss, x_real, z):
        discriminator.zero_grad()
        return paired_generator_step(generator, discriminator, optimizer, loss, x_real, z)
    for wrong in through_real, moves_d:
        with pytest.raises(GradientError):
            check_paired_generator_step(Paired(), wrong)


@pytest.mark.parametrize("wrong", ["R1 twice", "R2 without gradient"])
def test_a_wrong_second_penalty_is_caught(wrong):
    class Wrong(R1AndR2):
        def __call__(self, discriminator, x_real, x_fake):
            before = [p.grad.copy() for p in discriminator.parameters()]
            value = super().__call__(discriminator, x_real, x_fake)
            for p, old in zip(discriminator.parameters(), before):
                p.grad[...] = old
            self.at(discriminator, x_real)
            if wrong == "R1 twice":
                self.at(discriminator, x_real)
            return value
    G, D, x_real, z = small()
    with pytest.raises(GradientError):
        check_discriminator_step(G, D, Paired(), x_real, z, Wrong(0.7))


class TheOtherNeighbour(Pack):
    def input_grad(self, dy, x_shape):
        return dy.reshape(len(dy), self.count, -1)[:, ::-1].reshape(x_shape)


class FarApart(Pack):
    """The way back of a pack that joins x[n] with x[n + N / 2]."""

    def input_grad(self, dy, x_shape):
        return dy.reshape(len(dy), self.count, -1).swapaxes(0, 1).reshape(x_shape)


@pytest.mark.parametrize("wrong", [TheOtherNeighbour, FarApart])
def test_a_pack_that_hands_the_gradient_to_another_point_is_caught(wrong, monkeypatch):
    with pytest.raises(GradientError):
        check_layer(wrong(2), np.random.default_rng(0).standard_normal((6, 2)))
    monkeypatch.setitem(globals(), "Pack", wrong)
    G, D, _, z = small(pack=2)
    with pytest.raises(GradientError):
        check_generator_step(G, D, NonSaturating(), z)


def test_a_constant_added_to_all_scores_changes_nothing_so_that_the_last_b_learns_nothing():
    s_real, s_fake = np.random.default_rng(0).standard_normal((2, 6, 1))
    value, ds_real, ds_fake = Paired().discriminator(s_real, s_fake)
    assert Paired().discriminator(s_real + 5, s_fake + 5)[0] == pytest.approx(value)
    np.testing.assert_allclose(ds_real + ds_fake, 0)
    G, D, x_real, z = small()
    before = D.layers[-1].b.value.copy()
    discriminator_step(G, D, SGD(D.parameters(), 1.0), Paired(), x_real, z, R1AndR2(0.7))
    np.testing.assert_allclose(D.layers[-1].b.value, before, atol=1e-15)


def test_compared_with_zero_it_is_the_usual_loss():
    s = np.random.default_rng(0).standard_normal((6, 1))
    for mine, usual in zip(Paired().generator(s, 0 * s), NonSaturating().generator(s)):
        np.testing.assert_allclose(mine, usual)


def test_r2_is_r1_at_the_fake_points():
    _, D, x_real, x_fake = small()
    at_both, at_fake = R1AndR2(0.7)(D, x_real, x_fake), R1Penalty(0.7)(D, x_fake, x_real)
    assert at_both - R1Penalty(0.7)(D, x_real, x_fake) == pytest.approx(at_fake) != 0


@pytest.mark.parametrize("pack", [1, 2])
def test_the_arrows_are_the_slope_of_the_landscape(pack):
    _, D, _, beside = small(pack=pack)
    s, g = modes.look(D.astype(np.float32), ring(), beside[0].astype(np.float32), pack)
    gap = 2.5 * 2 / (modes.SIDE - 1)
    slopes = np.stack([(s[1:-1, 2:] - s[1:-1, :-2]), (s[2:, 1:-1] - s[:-2, 1:-1])], -1) / (2 * gap)
    np.testing.assert_allclose(g[1:-1, 1:-1], slopes, atol=0.02 * abs(g).max())


def test_recipes_differ_from_plain_tanh_in_what_they_say_alone():
    for name, (activation, loss, penalty, pack) in modes.RECIPES.items():
        assert activation is (LeakyReLU if name == "plain, LeakyReLU" else Tanh)
        G, D = modes.build(np.random.default_rng(0), activation, pack)
        x = G(modes.draw_noise(np.random.default_rng(1), 6))
        assert x.shape == (6, 2) and x.dtype == np.float32 and D(x).shape == (6 // pack, 1)
    assert modes.RECIPES["packs of two"][3] == 2


@pytest.mark.parametrize("name", ["R1", "in pairs, R1 and R2"])
def test_both_rates_fall_to_0_and_the_penalty_from_5_to_a_thousandth(name, monkeypatch):
    seen = []

    def noted(G, D, adam_d, loss, x_real, z, penalty):
        seen.append((adam_d.lr, penalty.weight))
        return discriminator_step(G, D, adam_d, loss, x_real, z, penalty)
    monkeypatch.setattr(modes, "discriminator_step", noted)
    modes.train(SimpleNamespace(seed=0), name, ring(), 10, 1)
    rates, weights = np.transpose(seen)
    np.testing.assert_allclose(rates, 4e-3 * np.linspace(1, 0.1, 10))
    np.testing.assert_allclose(weights, np.geomspace(5, 0.001, 11)[:-1])


def test_g_has_four_hidden_layers_and_d_three():
    for network, hidden in zip(modes.build(np.random.default_rng(0), Tanh, 1), (4, 3)):
        assert sum(isinstance(layer, Tanh) for layer in network.layers) == hidden


def test_the_dry_run_counts_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kept = "plain, LeakyReLU", "packs of two", "in pairs, R1 and R2"
    monkeypatch.setattr(modes, "RECIPES", {name: modes.RECIPES[name] for name in kept})
    drawn = []
    save_pictures = modes.save_pictures

    def save_and_look(folder, runs):
        save_pictures(folder, runs)
        drawn.extend((folder / f"modes.{kind}").read_bytes()[:4] for kind in ("png", "gif"))
    monkeypatch.setattr(modes, "save_pictures", save_and_look)
    modes.main(["--dry-run"])
    out = capsys.readouterr().out
    for name in kept:
        assert f"{name}, its moving average: " in out
    assert drawn == [b"\x89PNG", b"GIF8"] and not list(tmp_path.iterdir())
