"""The pictures of gradients are drawn, and the numbers behind them are right."""
import ast
import functools
import importlib.util
import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

figures = pytest.importorskip(
    "matplotlib.figure", reason="pictures need matplotlib: pip install -e '.[test]'")
from matplotlib.image import imread  # noqa: E402

from minigan import (  # noqa: E402
    LOSSES, LeakyReLU, Minimax, NonSaturating, Sequential, Tanh, generator_step)
from minigan.gradcheck import STEP, numerical_gradient  # noqa: E402
from minigan.networks import mlp  # noqa: E402

FOLDER = Path(__file__).parents[2] / "examples" / "gradients"


def load(name):
    spec = importlib.util.spec_from_file_location(f"gradients_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


losses, path, steps, penalty = EXAMPLES = [load(name) for name in (
    "losses", "path", "steps", "penalty")]
path.gradient_paths = functools.cache(path.gradient_paths)  # it trains a D
each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda module: module.PICTURE.stem)

S = np.array([-40, -6.1, -2.2, -0.3, 0.4, 1.7, 5.9])[:, None]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_four_and_each_is_whole_in_itself():
    names = {example.__name__.partition("_")[2] for example in EXAMPLES}
    assert {file.stem for file in FOLDER.glob("*.py")} == names
    known = {*sys.stdlib_module_names, "numpy", "matplotlib", "minigan"}
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module.partition(".")[0] in known, file
            elif isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= known, file


@functools.cache
def drawn_by(example):
    """What main prints, the figure that it draws, the files that it leaves, and its picture."""
    drawn, save, out = [], figures.Figure.savefig, io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out):
        patched.setattr(figures.Figure, "savefig", lambda self, *arguments, **options: (
            drawn.append(self), save(self, *arguments, **options)))
        example.main()
    [figure], files = drawn, [file for file in Path().rglob("*") if file.is_file()]
    return out.getvalue(), figure, files, imread(example.PICTURE)


@each
def test_the_picture_is_drawn_and_told_in_a_line_with_a_number(example):
    told, figure, files, image = drawn_by(example)
    [line] = told.splitlines()
    assert line.startswith(f"{example.PICTURE}: ") and re.search(r"\d", line.partition(": ")[2])
    assert files == [example.PICTURE]
    assert image.shape[0] > 500 and image.shape[1] > 900 and image.std() > 0.05
    assert figure.get_suptitle() and figure.axes[0].get_ylabel()
    assert all(axes.get_xlabel() for axes in figure.axes)
    legend, = figure.legends or [figure.axes[0].get_legend()]
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert [text.get_text() for text in legend.texts] == labels and len(labels) >= 3


@pytest.fixture
def numbers_at_once(monkeypatch):
    """Of the two that are slow, where the numbers do not matter."""
    monkeypatch.setattr(steps, "step_errors", lambda sizes: dict.fromkeys(
        ("float64", "float32"), np.ones(len(sizes))))
    monkeypatch.setattr(penalty, "penalty_gradients", lambda _: dict.fromkeys(
        ("finite differences", "two sweeps", "without curvature"), np.ones(2)))


@each
def test_without_matplotlib_it_says_so_in_one_line(example, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match=r"^error: this needs matplotlib: pip [^\n]+$"):
        example.main()


@each
def test_a_folder_that_cannot_be_is_an_error_in_one_line(example, folder, numbers_at_once):
    (folder / "runs").touch()
    with pytest.raises(SystemExit, match=r"^error: [^\n]*runs[^\n]*$"):
        example.main()


@each
def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(example, monkeypatch, numbers_at_once):
    def savefig(self, part, **options):
        Path(part).write_bytes(b"half")
        raise OSError("disk full")

    example.PICTURE.parent.mkdir(parents=True)
    example.PICTURE.write_bytes(b"old")
    monkeypatch.setattr(figures.Figure, "savefig", savefig)
    with pytest.raises(SystemExit, match="^error: .* could not be written: disk full$"):
        example.main()
    assert [file.read_bytes() for file in example.PICTURE.parent.iterdir()] == [b"old"]


# losses.py

def test_each_curve_is_the_slope_of_its_loss():
    gradients = losses.loss_gradients(S)
    assert list(gradients) == [kind.__name__ for kind in LOSSES.values()]
    for kind in LOSSES.values():
        loss = kind()
        for s, row in zip(S, gradients[kind.__name__]):
            other, values = np.zeros((1, 1)), [
                lambda x: loss.generator(x)[0],
                lambda x: loss.discriminator(other, x)[0],
                lambda x: loss.discriminator(x, other)[0]]
            slopes = [float(numerical_gradient(f, s[:, None])[0, 0]) for f in values]
            np.testing.assert_allclose(row, slopes, atol=1e-8)


def test_where_d_is_sure_the_saturating_gradient_vanishes_and_the_other_does_not():
    gradients = losses.loss_gradients(S)
    sigmoid_of_minus_s = 1 / (1 + np.exp(S[:, 0]))
    np.testing.assert_allclose(gradients["NonSaturating"][:, 0], -sigmoid_of_minus_s, rtol=1e-12)
    minimax = losses.loss_gradients(np.array([[-5.0], [-10.0], [-20.0], [-40.0]]))["Minimax"][:, 0]
    np.testing.assert_allclose(minimax, [-6.7e-3, -4.5e-5, -2.1e-9, -4.2e-18], rtol=0.02)


def test_every_loss_has_a_curve():
    assert {name for name, *_ in losses.LOOKS} == {kind.__name__ for kind in LOSSES.values()}


def test_the_sizes_at_one_score_are_those_of_the_sigmoid():
    told, *_ = drawn_by(losses)
    score, small, large = map(float, re.findall(r"-?\d+[.\d]*", told))
    sigmoid = 1 / (1 + np.exp(-score))
    assert score <= -4 and (small, large) == pytest.approx((sigmoid, 1 - sigmoid), abs=6e-5)


# path.py

def test_the_path_is_the_one_of_generator_step():
    generator, discriminator = (network.astype(np.float64) for network in mlp(
        5, np.random.default_rng(0), width=4, size=4))
    z = np.random.default_rng(1).standard_normal((8, 5))
    network = Sequential(*generator.layers, *discriminator.layers)
    sizes = path.gradient_path(network, NonSaturating(), z)
    assert len(sizes) == len(network.layers)

    handed = {}
    for name, layer in ("first", generator.layers[0]), ("last", discriminator.layers[-1]):
        def keep(dy, cache, name=name, half=layer.input_grad):
            handed[name] = dy
            return half(dy, cache)
        setattr(layer, "add_param_grads" if name == "first" else "input_grad", keep)
    generator_step(generator, discriminator, SimpleNamespace(step=lambda: None), NonSaturating(), z)
    for size, name in (sizes[-1], "first"), (sizes[0], "last"):
        assert size == pytest.approx(8 * (handed[name] ** 2).mean() ** 0.5, rel=1e-12)


def test_each_size_stands_beside_the_layer_that_the_gradient_has_passed():
    passed, paths = path.gradient_paths()
    assert passed[:3] == ["the loss", "D: Dense(256, 1)", "D: LeakyReLU()"]
    assert passed[7:9] == ["G: Reshape(28, 28, 1)", "G: Tanh()"] and passed[-1] == "G: LeakyReLU()"
    for sizes in paths.values():
        assert len(sizes) == len(passed)
        assert sizes[5] == sizes[6] == sizes[7]  # Flatten and Reshape change nothing


def test_with_a_sure_discriminator_the_saturating_loss_leaves_g_ten_times_less():
    _, paths = path.gradient_paths()
    (start, start_saturating), (sure, sure_saturating) = (
        [paths[type(loss).__name__, when][-1] for loss in (NonSaturating(), Minimax())]
        for when in ("at the start", "when D is sure"))
    assert 0.5 < start_saturating / start < 2
    assert sure_saturating < sure / 10 and sure_saturating < start_saturating / 10
    told, *_ = drawn_by(path)
    assert f" gets {sure / sure_saturating:.0f} times less with Minimax" in told


def test_the_layers_treat_the_gradients_of_both_losses_alike():
    _, paths = path.gradient_paths()
    for when in "at the start", "when D is sure":
        ratio = np.divide(paths["NonSaturating", when], paths["Minimax", when])
        assert ratio.max() < 2 * ratio.min()


# steps.py

def test_the_error_of_a_numerical_gradient_is_a_v_and_float32_is_far_from_float64():
    sizes = np.logspace(-11, -1, 21)
    errors = steps.step_errors(sizes)
    best = np.argmin(errors["float64"])
    assert 1e-7 < sizes[best] < 1e-4 and errors["float64"][best] < 1e-9
    assert errors["float64"][best] < min(errors["float32"]) / 1000
    for wing in errors["float64"][:best:4], errors["float64"][:best:-4]:  # down from both sides
        assert (np.diff(wing) < 0).all()
    assert steps.step_errors([STEP])["float64"][0] < 1e-8


def test_ten_digits_are_right_in_float64_and_hardly_five_in_float32():
    told, *_ = drawn_by(steps)
    found = re.search("errs by (.*) in float64 .*by (.*) in float32", told)
    assert float(found[1]) < 1e-10 and 1e-5 < float(found[2]) < 1e-4


def test_differences_are_those_of_gradcheck():
    x = np.random.default_rng(0).standard_normal((1, 5))
    expected = numerical_gradient(lambda x: np.sin(x).sum() ** 2, x)
    found = steps.differences(lambda x: np.sin(x).sum() ** 2, x, STEP)
    np.testing.assert_allclose(found, expected, atol=1e-9)


# penalty.py

@pytest.mark.parametrize("activation", [Tanh, LeakyReLU])
def test_three_ways_to_the_penaltys_gradient_agree_and_only_tanh_needs_curvature(activation):
    ways = penalty.penalty_gradients(activation)
    exact, flat = ways.pop("finite differences"), ways.pop("without curvature")
    assert len(ways) == 2 and np.linalg.norm(exact) > 1
    for way, found in ways.items():
        assert np.linalg.norm(found - exact) < 1e-6 * np.linalg.norm(exact), way
    lost = np.linalg.norm(flat - ways["two sweeps"]) / np.linalg.norm(exact)
    assert lost > 0.05 if activation is Tanh else lost == 0


def test_the_errors_that_are_told_are_those_without_curvature():
    told, *_ = drawn_by(penalty)
    lost = re.search("is (.*) for Tanh and (.*) for LeakyReLU", told)
    assert float(lost[1]) > 0.05 and float(lost[2]) < 1e-6
