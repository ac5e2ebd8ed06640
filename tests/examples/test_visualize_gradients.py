"""The pictures of gradients are drawn, and the numbers behind them are right."""
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import fake_cupy
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install -e '.[test]'")
from matplotlib.image import imread  # noqa: E402

from minigan import # noqa: E402
    LOSSES, LeakyReLU, NonSaturating, Tanh, generator_step, mlp
from minigan.backend import backend_module
from minigan.gradcheck import STEP, numerical_gradient  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import visualize_gradients as example  # noqa: E402

S = np.array([-40, -6.1, -2.2, -0.3, 0.4, 1.7, 5.9])[:, None]


def test_all_four_pictures_are_written_and_each_is_told_in_a_line_with_a_number(
        tmp_path, capsys, monkeypatch):
    figures = []

    def keeping(draw):
        def draw_and_keep(backend):
            figure, shown = draw(backend)
            figures.append(figure)
            return figure, shown
        return draw_and_keep

    for name, draw in list(example.PICTURES.items()):
        monkeypatch.setitem(example.PICTURES, name, keeping(draw))
    folder = tmp_path / "new" / "pictures"
    example.main(["--out", str(folder)])
    names = ["losses.png", "path.png", "steps.png", "penalty.png"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    lines = capsys.readouterr().out.splitlines()
    for name, line, figure in zip(names, lines, figures, strict=True):
        assert line.startswith(f"{folder / name}: ") and re.search(r"\d", line.partition(": ")[2])
        image = imread(folder / name)
        assert image.shape[0] > 500 and image.shape[1] > 900 and image.std() > 0.05
        assert figure.get_suptitle() and figure.axes[0].get_ylabel()
        assert all(axes.get_xlabel() for axes in figure.axes)
        legend, = figure.legends or [figure.axes[0].get_legend()]
        drawn = figure.axes[0].get_legend_handles_labels()[1]
        assert [text.get_text() for text in legend.texts] == drawn and len(drawn) >= 3


def test_without_matplotlib_it_says_so_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit, match=r"^error: this example needs matplotlib: pip [^\n]+$"):
        example.main(["--out", str(tmp_path)])


def test_a_folder_that_cannot_be_is_an_error_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"^error: no file can be written in the folder [^\n]+$"):
        example.main(["--out", str(tmp_path / "file")])


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(tmp_path, monkeypatch):
    class Broken:
        def savefig(self, path, **_):
            Path(path).write_bytes(b"half")
            raise OSError("disk full")

    (tmp_path / "losses.png").write_bytes(b"old")
    monkeypatch.setitem(example.PICTURES, "losses.png", lambda _: (Broken(), ""))
    with pytest.raises(SystemExit, match="^error: disk full$"):
        example.main(["--out", str(tmp_path)])
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_each_curve_is_the_slope_of_its_loss():
    gradients = example.loss_gradients(S)
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
    gradients = example.loss_gradients(S)
    sigmoid_of_minus_s = 1 / (1 + np.exp(S[:, 0]))
    np.testing.assert_allclose(gradients["NonSaturating"][:, 0], -sigmoid_of_minus_s, rtol=1e-12)
    minimax = example.loss_gradients(np.array([[-5.0], [-10.0], [-20.0], [-40.0]]))["Minimax"][:, 0]
    np.testing.assert_allclose(minimax, [-6.7e-3, -4.5e-5, -2.1e-9, -4.2e-18], rtol=0.02)


def test_the_path_is_the_one_of_generator_step():
    generator, discriminator = (network.astype(np.float64) for network in mlp(
        5, np.random.default_rng(0), width=4, size=4))
    z = np.random.default_rng(1).standard_normal((8, 5))
    path = example.gradient_path(generator, discriminator, NonSaturating(), z)
    names, sizes = zip(*path)
    assert names[:3] == ("the loss", "D: Dense(4, 1)", "D: LeakyReLU()")
    assert len(names) == len(generator.layers) + len(discriminator.layers)

    handed = []
    generator.layers[0].add_param_grads = lambda dy, cache: handed.append(dy)
    generator_step(generator, discriminator, SimpleNamespace(step=lambda: None), NonSaturating(), z)
    assert sizes[-1] == pytest.approx(8 * (handed[0] ** 2).mean() ** 0.5, rel=1e-12)


def test_with_a_sure_discriminator_the_saturating_loss_leaves_g_ten_times_less():
    paths = example.gradient_paths()
    (start, start_saturating), (sure, sure_saturating) = (
        [paths[loss, when][-1][1] for loss in ("NonSaturating", "Minimax")]
        for when in ("at the start", "when D is sure"))
    assert 0.5 < start_saturating / start < 2
    assert sure_saturating < sure / 10 and sure_saturating < start_saturating / 10


def test_the_error_of_a_numerical_gradient_is_a_v_and_float32_is_far_from_float64():
    steps = np.logspace(-11, -1, 21)
    errors = example.step_errors(steps)
    best = np.argmin(errors["float64"])
    assert 1e-7 < steps[best] < 1e-4 and errors["float64"][best] < 1e-9
    assert errors["float64"][best] < min(errors["float32"]) / 1000
    for wing in errors["float64"][:best:4], errors["float64"][:best:-4]:  # down from both sides
        assert (np.diff(wing) < 0).all()
    assert example.step_errors([STEP])["float64"][0] < 1e-8


@pytest.mark.parametrize("activation", [Tanh, LeakyReLU])
def test_three_ways_to_the_penaltys_gradient_agree_and_only_tanh_needs_curvature(activation):
    ways = example.penalty_gradients(activation)
    exact, flat = ways.pop("finite differences"), ways.pop("without curvature")
    assert len(ways) == 2 and np.linalg.norm(exact) > 1
    for way, found in ways.items():
        assert example.error(found, exact) < 1e-6, way
    lost = example.error(flat, ways["two sweeps"])
    assert lost > 0.05 if activation is Tanh else lost == 0


def test_on_a_gpu_the_same_is_drawn(monkeypatch):
    fake_cupy.install(monkeypatch)
    backend_module("cupy")  # looks once whether the GPU computes
    found = {}
    for name in ("loss_gradients", "gradient_paths"):
        def keeping(*arguments, name=name, compute=getattr(example, name)):
            found.setdefault(name, []).append(compute(*arguments))
            return found[name][-1]
        monkeypatch.setattr(example, name, keeping)
    fake_cupy.fetches.clear()
    host, device = ([draw(backend)[1] for draw in example.PICTURES.values()]
                    for backend in ("numpy", "cupy"))
    assert host == device
    for host, device in found.values():
        np.testing.assert_equal(device, host)
    assert fake_cupy.fetches["get"] == 3 * len(LOSSES)
    assert fake_cupy.fetches["__float__"] == sum(map(len, device.values()))


def test_the_backend_is_handed_to_each_picture(tmp_path, monkeypatch):
    asked, figure = [], SimpleNamespace(savefig=lambda part, **_: part.touch())
    for name in example.PICTURES:
        monkeypatch.setitem(example.PICTURES, name, lambda backend: asked.append(backend)
                            or (figure, ""))
    for words in [], ["--backend", "cupy"]:
        example.main(["--out", str(tmp_path), *words])
    assert asked == ["numpy"] * 4 + ["cupy"] * 4


def test_without_cupy_it_says_so_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SystemExit, match=r'^error: backend "cupy" needs CuPy, [^\n]+$'):
        example.main(["--out", str(tmp_path), "--backend", "cupy"])
