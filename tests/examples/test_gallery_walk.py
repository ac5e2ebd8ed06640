"""walk.py: what its ways are made of, whose neighbours are the nearest, and who is a copy."""
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import NETWORKS, BatchNorm  # noqa: E402
from minigan.workshop import save  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gallery"))
import walk  # noqa: E402


def noise(count=4000, latent=100, seed=0):
    return np.random.default_rng(seed).standard_normal((2, count, latent))


@pytest.mark.parametrize("way", [walk.line, walk.sphere])
def test_a_walk_goes_from_one_to_the_other(way):
    z = noise(5)
    assert np.allclose(way(*z, 0.0), z[0]) and np.allclose(way(*z, 1.0), z[1])
    assert np.allclose(way(*z, 0.3), way(*z[::-1], 0.7))


def test_a_walk_keeps_to_the_noises_dtype():
    z = noise(5).astype(np.float32)
    assert walk.line(*z, 0.5).dtype == walk.sphere(*z, 0.5).dtype == np.float32


def test_on_the_sphere_no_z_is_nearer_to_0_and_steps_are_equal_angles():
    z_0, z_1 = noise(50)
    z_1 *= np.linalg.norm(z_0, axis=1, keepdims=True) / np.linalg.norm(z_1, axis=1, keepdims=True)
    points = np.stack([walk.sphere(z_0, z_1, t) for t in np.linspace(0, 1, 6)])
    assert np.allclose(np.linalg.norm(points, axis=2), np.linalg.norm(z_0, axis=1))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    assert np.allclose(steps, steps[0])


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_on_the_sphere_z_is_as_in_training_and_on_the_line_it_is_not(t):
    """The derivation: variances 1, and (1 - t)^2 + t^2."""
    z = noise()
    assert np.isclose(walk.sphere(*z, t).var(), 1, 0.01)
    assert np.isclose(walk.line(*z, t).var(), (1 - t) ** 2 + t ** 2, 0.01)
    lengths = np.linalg.norm(walk.sphere(*z, t), axis=1)
    assert abs(lengths - 10).mean() < 0.6 and lengths.std() < 0.75  # the shell


def test_hardly_a_z_of_training_is_as_near_to_0_as_the_middle_of_a_line():
    """P(chi^2 with 100 degrees of freedom < 50), by its series."""
    from math import exp, lgamma, log
    term, share = exp(50 * log(25) - 25 - lgamma(51)), 0.0
    for k in range(200):
        share += term
        term *= 25 / (51 + k)
    assert 1 / share == pytest.approx(140_000, 0.05)
    assert np.linalg.norm(walk.line(*noise(), 0.5), axis=1).mean() == pytest.approx(7.1, 0.01)
    assert np.linalg.norm(noise(20000)[0], axis=1).min() > 7.1


def test_an_angle_that_is_taken_wrongly_is_caught():
    """The mean in place of w: then not even equal lengths stay so."""
    def wrong(z_0, z_1, t):
        w = np.pi / 2
        return np.sin((1 - t) * w) * z_0 + np.sin(t * w) * z_1

    z_0 = noise(50)[0]
    z_1 = z_0 + 0.3 * noise(50, seed=1)[0]
    for way, right in ((walk.sphere, True), (wrong, False)):
        length = np.linalg.norm(way(z_0, z_1, 0.5), axis=1) / np.linalg.norm(z_0, axis=1)
        assert (abs(length - 1).max() < 0.2) == right


def images(count, seed=0):
    return np.random.default_rng(seed).random((count, 4, 4)).astype(np.float32)


def test_nearest_is_the_nearest_and_nobody_is_his_own_neighbour():
    x, known = images(7).reshape(7, -1), images(30, 1).reshape(30, -1)
    distances = np.linalg.norm(x[:, None] - known, axis=2)
    index, far = walk.nearest(x, known)
    assert np.array_equal(index, distances.argmin(axis=1))
    assert np.allclose(far, distances.min(axis=1))
    some = np.array([3, 9, 3])
    index, far = walk.nearest(known[some], known, among=True)
    distances = np.linalg.norm(known[some][:, None] - known, axis=2)
    assert np.array_equal(index, distances.argsort(axis=1)[:, 1]) and (far > 0).all()


def compete(x_train, x_test, **x):
    """The share of each x whose nearest image is one of x_train."""
    found = walk.neighbours(SimpleNamespace(steps=2), x, x_train, x_test)
    assert all(len(part) == 2 * walk.BATCH for parts in found.values() for part in parts)
    return {name: np.mean(far < far_test) for name, (_, far, far_test) in found.items()}


def test_copies_always_win_and_what_is_new_wins_by_luck():
    """A G that copies is seen; one that draws from the same distribution has 6 of 7 too."""
    x_train, x_test, new = images(600, 1), images(100, 2), images(200, 3)
    copies = x_train[:200] + 0.02 * images(200, 4)
    share = compete(x_train, x_test, **{
        "copies": copies, "new": new, "training images": x_train[:200],
        "test images": x_test.repeat(2, axis=0)})
    assert share["copies"] == 1
    for name in ("new", "training images", "test images"):
        assert share[name] == pytest.approx(6 / 7, abs=0.1), name


def test_an_image_that_is_its_own_neighbour_would_pass_for_a_copy(monkeypatch):
    right = walk.nearest
    monkeypatch.setattr(walk, "nearest", lambda x, known, among=False: right(x, known))
    x_train, x_test = images(600, 1), images(100, 2)
    assert compete(x_train, x_test, **{"training images": x_train[:200]})["training images"] == 1


def test_neighbours_are_those_of_the_image_at_the_same_place():
    x_train, x_test, x = images(50, 1), images(50, 2), images(200, 3)
    index, far, _ = walk.neighbours(SimpleNamespace(steps=2), {"x": x}, x_train, x_test)["x"]
    assert np.allclose(np.linalg.norm((x - x_train[index]).reshape(200, -1), axis=1), far)


def test_d_likes_best_what_it_scores_highest():
    def D(x):
        assert x.dtype == np.float32
        return x.mean(axis=(1, 2))  # the brightest

    bright = np.linspace(0, 1, 700, dtype=np.float32)[:, None, None] * np.ones((28, 28), np.float32)
    some = np.random.default_rng(0).permutation(700)
    assert np.allclose(walk.scores(D, bright), 2 * bright[:, 0, 0] - 1, atol=1e-5)
    shown = walk.best_and_worst(D, bright[some], bright[some[:50]])[:, 0, 0]
    assert np.allclose(shown[:20], bright[:-21:-1, 0, 0])
    assert np.allclose(shown[20:40], bright[:20, 0, 0])
    assert shown[40] == bright[some[:50], 0, 0].max() and len(shown) == 80


def test_rows_go_from_the_nearest_of_a_digit_to_the_farthest():
    rng = np.random.default_rng(0)
    read, far, index = rng.integers(10, size=300), rng.random(300), rng.permutation(300)
    number = np.arange(300.0)[:, None, None] * np.ones((28, 28))  # each image shows its number
    rows = walk.near_and_far(number, read, 1000 + number, index, far)[:, 0, 0].reshape(5, 2, 10)
    samples, beside = rows[:, 0].astype(int), rows[:, 1]
    assert np.array_equal(beside, 1000 + index[samples])
    for digit in range(10):
        assert (read[samples[:, digit]] == digit).all()
        found, all_far = far[samples[:, digit]], far[read == digit]
        assert (np.diff(found) > 0).all()
        assert (found[0], found[-1]) == (all_far.min(), all_far.max())


def test_walks_are_a_row_on_the_line_and_one_on_the_sphere(monkeypatch):
    """G draws the first number of z on the whole image."""
    monkeypatch.setattr(walk, "draw_images", lambda G, z: z[:, :1, None] * np.ones((1, 28, 28)))
    z_0, z_1 = noise(3)
    rows = walk.walks(None, z_0, z_1)[:, 0, 0].reshape(3, 2, walk.COLUMNS)
    for number, t in enumerate(np.linspace(0, 1, walk.COLUMNS)):
        assert np.allclose(rows[:, 0, number], walk.line(z_0, z_1, t)[:, 0])
        assert np.allclose(rows[:, 1, number], walk.sphere(z_0, z_1, t)[:, 0])


def checkpoint(path, norm="none", **more):
    """A checkpoint such as mnist_gan.py writes, of small networks."""
    G, D = NETWORKS["mlp"](8, 1, {"batch": BatchNorm}.get(norm), 2)
    save(path, {"generator": G.state_dict(), "discriminator": D.state_dict(), "arguments": {
        "networks": "mlp", "latent_dim": 8, "width": 2, "norm": norm, "average": 0.0}} | more)
    return G, D


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_both_networks_are_those_of_the_checkpoint(norm, tmp_path):
    path = tmp_path / "checkpoint.npz"
    networks = checkpoint(path, norm)
    *found, latent = walk.build(SimpleNamespace(dry_run=False, checkpoint=str(path)))
    assert latent == 8
    for here, there in zip(found, networks):
        assert all(np.array_equal(here.state_dict()[name], array)
                   for name, array in there.state_dict().items())


def test_a_checkpoint_without_a_d_is_refused(tmp_path):
    checkpoint(tmp_path / "some.npz", discriminator={})
    with pytest.raises(ValueError, match="some.npz: discriminator"):
        walk.build(SimpleNamespace(dry_run=False, checkpoint=str(tmp_path / "some.npz")))


def test_without_a_checkpoint_it_says_where_one_comes_from(tmp_path):
    with pytest.raises(SystemExit, match="^error: .*nothing.npz.*mnist_gan.py"):
        walk.main(["--checkpoint", str(tmp_path / "nothing.npz"), "--out", str(tmp_path)])


def test_the_dry_run_needs_nothing_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    walk.main(["--dry-run"])
    out = capsys.readouterr().out
    assert "middles of lines" in out and "noisy copies" in out
    assert not list(tmp_path.iterdir())
