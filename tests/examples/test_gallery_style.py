"""style.py: its layer of two inputs, and that what comes back to w adds up."""
import copy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import (  # noqa: E402
    ConvTranspose2D, Dense, Flatten, Layer, LeakyReLU, MinibatchDeviation, NonSaturating, Parameter,
    R1Penalty, Sequential, Shift, Tanh)
from minigan.gradcheck import (  # noqa: E402
    GradientError, check_discriminator_step, check_generator_step, check_layer)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import style  # noqa: E402


def mutant(right, wrong):
    """The page with one of its lines changed."""
    source = Path(style.__file__).read_text()
    assert source.count(right) == 1
    module = ModuleType("mutant")
    exec(source.replace(right, wrong), vars(module))
    return module


def styled(page, rng, *conv, **window):
    conv = ConvTranspose2D(*conv, rng=rng, **window)
    return page.Styled(conv, Dense(3, conv.in_channels, rng))


def small(page=style):
    """The page's networks with few units: G (2 -> 2 x 2 pixels), with three styled layers; D."""
    rng = np.random.default_rng(0)
    layers = [styled(page, rng, 2, 2, 1), styled(page, rng, 2, 2, 1),
              styled(page, rng, 2, 2, 2, stride=2)]
    G = Sequential(
        Sequential(Dense(2, 3, rng), Tanh()), page.Mix(3, rng),
        Sequential(page.Synthesis(Parameter.normal((1, 1, 1, 2), 1, rng), layers),
                   ConvTranspose2D(2, 1, 1, rng=rng), Tanh()))
    D = Sequential(Shift(1), Flatten(), Dense(4, 3, rng), LeakyReLU(), MinibatchDeviation(),
                   Dense(4, 1, rng))
    return G.astype(np.float64), D.astype(np.float64)


def batch():
    rng = np.random.default_rng(1)
    return rng.standard_normal((5, 2, 2, 1)), rng.standard_normal((5, 2))


class OneInput(Layer):
    """The layer of two inputs, x and w, as one of a single input, that has both side by side."""

    def __init__(self, layer, x_shape):
        self.layer, self.x_shape = layer, x_shape

    def forward(self, xw, train=True):
        size = np.prod(self.x_shape)
        return self.layer.forward(xw[:, :size].reshape(-1, *self.x_shape), xw[:, size:])

    def add_param_grads(self, dy, cache):
        self.layer.backward(dy, cache)

    def input_grad(self, dy, cache):
        dx, dw = copy.deepcopy(self.layer).backward(dy, cache)  # a copy: it is to change nothing
        return np.hstack([dx.reshape(len(dx), -1), dw])


def check_styled(page, *conv, **window):
    layer = styled(page, np.random.default_rng(2), *conv, **window).astype(np.float64)
    xw = np.random.default_rng(3).standard_normal((2, 3 * 2 * conv[0] + 3))
    return check_layer(OneInput(layer, (3, 2, conv[0])), xw)


@pytest.mark.parametrize("conv, window", [
    ((2, 3, 1), {}), ((2, 3, 3), {"padding": 1}), ((3, 2, 4), {"stride": 2, "padding": 1})],
    ids=["1 x 1", "3 x 3", "twice the size"])
def test_a_styled_layer_is_right_in_both_inputs(conv, window):
    check_styled(style, *conv, **window)


@pytest.mark.parametrize("penalty", [None, R1Penalty(1.2)], ids=["plain", "R1"])
def test_both_steps_are_right_while_styles_are_mixed(penalty):
    G, D = small()
    x_real, z = batch()
    check_discriminator_step(G, D, NonSaturating(), x_real, z, penalty)
    check_generator_step(G, D, NonSaturating(), z)


def test_mixing_is_right():
    check_layer(style.Mix(3, np.random.default_rng(0)), batch()[1])


SECOND = " + 2 * s * (dq @ B.T)"
MUTANTS = {
    "w is in v alone": (SECOND, ""),
    "the wrong sign in dq": ("dq = -d ** 3", "dq = d ** 3"),
    "no half in dq": ("(dy * v).sum((1, 2)) / 2", "(dy * v).sum((1, 2))"),
    "W is in v alone": ("self.conv.W.grad += 2 * ", "0 * "),
    "dx without s": ("return du * s[:, None, None], ", "return du, "),
    "dv without d": ("dv = dy * d[:, None, None]", "dv = dy"),
    "ds of one pixel": ("ds = (du * x).sum((1, 2))", "ds = (du * x)[:, 0, 0]"),
    "ds with the scaled x": ("ds = (du * x).sum", "ds = (du * x * s[:, None, None]).sum")}


@pytest.mark.parametrize("right, wrong", MUTANTS.values(), ids=MUTANTS)
def test_a_wrong_styled_layer_is_caught(right, wrong):
    with pytest.raises(GradientError):
        check_styled(mutant(right, wrong), 2, 2, 2, stride=2)


@pytest.mark.parametrize("right, wrong", [
    ("np.add.at(dw, source, dws)", "dw[source] += dws"),
    ("np.add.at(dw, source, dws)", "dw += dws.sum(axis=1)"),
    ("np.add.at(dw, source, dws)", "dw += dws[:, -1]"),
    ("dws.insert(0, dw)", "dws.append(dw)"),
    ("dx.sum(axis=0, keepdims=True)", "0")],
    ids=["+= counts each once", "as if not mixed", "one layer's alone", "layers in the wrong order",
         "the constant does not learn"])
def test_a_style_whose_gradients_do_not_add_up_is_caught(right, wrong):
    G, D = small(mutant(right, wrong))
    with pytest.raises(GradientError):
        check_generator_step(G, D, NonSaturating(), batch()[1])


def test_it_is_the_paper_s_convolution_with_weights_of_each_image():
    """Karras et al. 2020, eq. 1 and 3: the weights are scaled by s, then divided by their norm."""
    rng = np.random.default_rng(4)
    layer = styled(style, rng, 3, 2, 3, padding=1).astype(np.float64)
    x, w = rng.standard_normal((4, 5, 5, 3)), rng.standard_normal((4, 3))
    y, _ = layer.forward(x, w)
    for n, s in enumerate(layer.style(w)):
        conv = copy.deepcopy(layer.conv)
        conv.W.value = conv.W.value * s[:, None, None, None]
        conv.W.value = conv.W.value / (conv.W.value ** 2).sum((0, 1, 2)) ** 0.5
        np.testing.assert_allclose(LeakyReLU()(conv(x[n:n + 1])), y[n:n + 1], rtol=1e-6)


def size_of_s(page):
    """What y changes by as s is doubled, and the sum of s ds, both of the largest image."""
    rng = np.random.default_rng(5)
    layer = styled(page, rng, 3, 2, 3, padding=1).astype(np.float64)
    layer.style.W.value[...], layer.style.b.value[...] = np.eye(3), 0  # so that s = w, ds = dw
    x, w = rng.standard_normal((4, 5, 5, 3)), rng.standard_normal((4, 3))
    y, cache = layer.forward(x, w)
    _, dw = layer.backward(rng.standard_normal(y.shape), cache)
    return abs(layer.forward(x, 2 * w)[0] - y).max(), abs((w * dw).sum(axis=1)).max()


def test_the_size_of_a_style_has_no_effect_and_no_gradient():
    change, gradient = size_of_s(style)
    assert change < 1e-6 and gradient < 1e-6
    change, gradient = size_of_s(mutant(SECOND, ""))
    assert change < 1e-6 and gradient > 0.1


def test_what_goes_out_has_the_variance_of_what_comes_in():
    rng = np.random.default_rng(6)
    layer = styled(style, rng, 8, 6, 3, padding=1)
    x = rng.standard_normal((100, 9, 9, 8), np.float32)
    w = 10 * rng.standard_normal((100, 3), np.float32)
    _, (_, _, v, _, d, *_) = layer.forward(x, w)
    inside = (v * d[:, None, None])[:, 1:-1, 1:-1]  # at the border there are fewer taps
    assert v[:, 1:-1, 1:-1].var() > 30 and abs(inside.var() - 1) < 0.05


def test_styles_are_mixed_in_training_and_in_use_each_image_has_its_own():
    mix = style.Mix(4, np.random.default_rng(0))
    w = np.arange(200.)[:, None]
    np.testing.assert_array_equal(mix(w), w[:, None].repeat(4, axis=1))
    ws = mix.forward(w)[0][..., 0]
    others = (ws - w) % 200
    assert set(others.ravel()) == {0, 1} and (np.diff(others) >= 0).all()
    crossings = np.bincount(4 - others.sum(axis=1).astype(int), minlength=5)
    assert crossings[0] == 0 and crossings[1:].min() > 30


def test_the_coarse_layers_get_one_style_and_the_fine_ones_the_other():
    rng = np.random.default_rng(0)
    G, D = style.build(rng)
    z = rng.standard_normal((40, style.LATENT), np.float32)
    w = G.layers[0](z)
    x = style.draw(G, w, w)
    np.testing.assert_allclose(x, (G(z)[..., 0] + 1) / 2, atol=1e-5)
    assert x.dtype == np.float32 and x.shape == (40, 28, 28) and D(G(z)).shape == (40, 1)
    synthesis = G.layers[2].layers[0]
    for layer in synthesis.layers[style.COARSE:]:
        layer.style.W.value[...] = 0  # now only the coarse style has an effect
    np.testing.assert_allclose(style.draw(G, w, w[::-1]), style.draw(G, w, w), atol=1e-5)
    assert abs(style.draw(G, w[::-1], w) - style.draw(G, w, w)).max() > 0.01


def test_the_dry_run_judges_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    style.main(["--dry-run"])
    out = capsys.readouterr().out
    assert "distance: " in out and "the fine style: " in out
    assert not list(tmp_path.iterdir())


def test_the_picture_has_the_rows_style_left_and_the_columns_on_top(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(style, "save_grid", lambda path, images, columns: kept.append(images))
    rng = np.random.default_rng(0)
    G, _ = style.build(rng)
    w = G.layers[0](rng.standard_normal((20, style.LATENT), np.float32))
    style.draw_grid(tmp_path / "style.png", G, w)
    grid = kept[0].reshape(12, 10, 28, 28)
    np.testing.assert_allclose(grid[0, 1:], style.draw(G, w[7:16], w[7:16]), atol=1e-5)
    np.testing.assert_allclose(grid[1:8, 0], style.draw(G, w[:7], w[:7]), atol=1e-5)
    np.testing.assert_allclose(grid[3, 4], style.draw(G, w[2:3], w[10:11])[0], atol=1e-5)
    np.testing.assert_allclose(grid[9, 0], grid[11, 0], atol=1e-5)  # psi = 0: of all the same
    np.testing.assert_allclose(grid[9, 5], style.draw(G, w[16:17], w[16:17])[0], atol=1e-5)
