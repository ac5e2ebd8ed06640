"""autoencoders.py: the gradient through a draw, KL, and that the two speak of one distribution."""
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    Adam, Dense, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty, Sequential, Sigmoid,
    discriminator_step, generator_step)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_step)
from minigan.gradcheck.steps import check_loss  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import autoencoders  # noqa: E402
from autoencoders import Draw, autoencoder_step, kl, reconstruction, vae_step  # noqa: E402


def small(heads=2, rng=0):
    """Encoder (6 -> 2 heads), decoder (2 -> 6), D of codes (2 -> 1), float64."""
    rng = np.random.default_rng(rng)
    encoder = Sequential(Dense(6, 5, rng), LeakyReLU(), Dense(5, 2 * heads, rng))
    decoder = Sequential(Dense(2, 5, rng), LeakyReLU(), Dense(5, 6, rng))
    D = Sequential(Dense(2, 5, rng), LeakyReLU(), MinibatchDeviation(), Dense(6, 1, rng))
    return [network.astype(np.float64) for network in (encoder, decoder, D)]


def batch(columns, rng=1):
    return np.random.default_rng(rng).standard_normal((4, columns))


X = np.random.default_rng(2).random((4, 6))  # images, as rows, in [0, 1]


# The two new gradients, alone.

def test_the_gradient_through_a_draw_is_right():
    check_layer(Draw(np.random.default_rng(3)), batch(6))


def test_the_gradients_of_kl_and_of_the_reconstruction_are_right():
    check_loss("kl", kl, {"dh": batch(6)})
    check_loss("reconstruction", lambda s: reconstruction(s, X), {"ds": batch(6)})


class Wrong(Draw):
    """A Draw with the gradient of log variance made by `through`(dz, moved)."""

    def __init__(self, rng, through):
        self.rng, self.through = rng, through

    def input_grad(self, dz, moved):
        return np.concatenate([dz, self.through(dz, moved)], axis=1)


@pytest.mark.parametrize("through", [
    lambda dz, moved: 0 * dz,              # as if what is random had no gradient
    lambda dz, moved: dz * moved,          # l taken for the log of the deviation
    lambda dz, moved: -dz * moved / 2], ids=["none", "no half", "wrong sign"])
def test_a_wrong_gradient_through_the_draw_is_caught(through):
    with pytest.raises(GradientError):
        check_layer(Wrong(np.random.default_rng(3), through), batch(6))


# The theorem: KL is the mean of log q(z | x) - log p(z) over z ~ q, and Draw draws from this q.

class VarianceForDeviation(Draw):
    """z = mu + e^l e: its gradients are right, but it draws from another q than KL speaks of."""

    def forward(self, h, train=True):
        mu, log_var = np.split(h, 2, axis=1)
        z = mu + np.exp(log_var) * self.rng.standard_normal(mu.shape)
        return z, z - mu

    def input_grad(self, dz, moved):
        return np.concatenate([dz, dz * moved], axis=1)


def misfit(draw, h):
    """The mean of log q - log p over z that are drawn for one h (1, 2 K), less KL, in deviations
    of this mean: at most some 4 if the theorem holds."""
    mu, log_var = np.split(h, 2, axis=1)
    z, _ = draw.forward(h.repeat(20000, axis=0))
    log_q = -((z - mu) ** 2 / np.exp(log_var) + log_var).sum(axis=1) / 2
    log_p = -(z ** 2).sum(axis=1) / 2  # both without -log(2 pi) / 2 for each number
    error = (log_q - log_p).std() / len(z) ** 0.5
    return abs((log_q - log_p).mean() - kl(h)[0]) / error


@pytest.mark.parametrize("seed", range(3))
def test_kl_is_the_mean_of_log_q_less_log_p_over_what_is_drawn(seed):
    assert misfit(Draw(np.random.default_rng(seed)), batch(6, rng=seed)[:1]) < 4


def test_the_variance_in_place_of_the_deviation_passes_the_gradient_check_but_not_the_theorem():
    wrong = VarianceForDeviation(np.random.default_rng(0))
    check_layer(wrong, batch(6))
    assert misfit(wrong, batch(6)[:1]) > 40


def test_kl_is_zero_where_q_is_noise_and_positive_elsewhere():
    value, dh = kl(np.zeros((4, 6)))
    assert value == 0 and not dh.any()
    assert all(kl(h[None])[0] > 0 for h in batch(6))


# The steps.

def test_the_vae_step_is_right():
    encoder, decoder, _ = small()
    draw = Draw(np.random.default_rng(3))
    check_step(lambda optimizer, x: vae_step(encoder, draw, decoder, optimizer, x),
               [encoder, decoder], X, random=draw)


@pytest.mark.parametrize("part", ["kl", "input_grad"])
def test_a_vae_step_that_forgets_one_of_the_two_gradients_at_h_is_caught(part, monkeypatch):
    encoder, decoder, _ = small()
    draw = Draw(np.random.default_rng(3))
    owner = autoencoders if part == "kl" else draw
    whole = getattr(owner, part)
    monkeypatch.setattr(owner, part, {
        "kl": lambda h: (whole(h)[0], 0 * h),
        "input_grad": lambda dz, cache: 0 * whole(dz, cache)}[part])
    with pytest.raises(GradientError):
        check_step(lambda optimizer, x: vae_step(encoder, draw, decoder, optimizer, x),
                   [encoder, decoder], X, random=draw)


def test_the_aae_s_three_steps_are_right():
    encoder, decoder, D = small(heads=1)
    autoencoder = Sequential(encoder, decoder)
    check_step(lambda optimizer, x: autoencoder_step(autoencoder, optimizer, x), autoencoder, X,
               untouched=D)
    check_discriminator_step(encoder, D, NonSaturating(), batch(2), X, R1Penalty(1.2))
    check_generator_step(encoder, D, NonSaturating(), X)


def test_the_gan_s_steps_are_right():
    _, decoder, _ = small()
    D = Sequential(Dense(6, 5, 0), LeakyReLU(), Dense(5, 1, 1)).astype(np.float64)
    G = Sequential(decoder, Sigmoid())
    check_discriminator_step(G, D, NonSaturating(), X, batch(2), R1Penalty(1.2))
    check_generator_step(G, D, NonSaturating(), batch(2))


def test_the_adversary_brings_codes_to_where_noise_is():
    """An encoder that puts all codes around (3, 3) learns to put them around (0, 0)."""
    encoder, _, D = small(heads=1)
    encoder.layers[-1].b.value[:] = 3
    adams = [Adam(net.parameters(), 0.01, beta1=0, beta2=0.99) for net in (encoder, D)]
    rng, loss = np.random.default_rng(0), NonSaturating()
    for _ in range(300):
        discriminator_step(encoder, D, adams[1], loss, rng.standard_normal((32, 2)),
                           rng.random((32, 6)), R1Penalty(0.3))
        generator_step(encoder, D, adams[0], loss, rng.random((32, 6)))
    assert np.abs(encoder(rng.random((500, 6))).mean(axis=0)).max() < 1


def test_the_dry_run_judges_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    autoencoders.main(["--dry-run", "--steps", "2"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("the bound", "VAE: distance", "AAE: distance", "GAN: "))
    assert not list(tmp_path.iterdir())
