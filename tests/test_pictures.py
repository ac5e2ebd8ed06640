import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install -e '.[test]'")
from matplotlib.image import imread  # noqa: E402

from minigan import image_grid, save_animation, save_curves, save_grid, save_samples  # noqa: E402

IMAGES = np.random.default_rng(0).random((5, 4, 3))


def test_a_grid_shows_each_image_in_reading_order():
    grid = image_grid(IMAGES, columns=3, gap=2)
    assert grid.shape == (2 * 6 - 2, 3 * 5 - 2)
    for index, image in enumerate(IMAGES):
        row, column = divmod(index, 3)
        assert np.array_equal(grid[6 * row:6 * row + 4, 5 * column:5 * column + 3], image)


def test_a_saved_grid_has_the_pixels_of_the_grid(tmp_path):
    save_grid(tmp_path / "grid.png", IMAGES, columns=3, zoom=2)
    found = imread(tmp_path / "grid.png")[..., 0]
    np.testing.assert_allclose(found[::2, ::2], image_grid(IMAGES, columns=3), atol=2 / 255)
    assert np.array_equal(found[::2], found[1::2])


def test_curves_and_animation_are_pictures(tmp_path):
    from PIL import Image
    for steps in (1, 250):
        save_curves(tmp_path / "losses.png", np.random.default_rng(1).random((steps, 4)), 100)
        assert np.ptp(imread(tmp_path / "losses.png")) > 0
    for index in range(3):
        save_grid(tmp_path / f"{index}.png", IMAGES * index / 2)
    save_animation(tmp_path / "training.gif", sorted(tmp_path.glob("[0-9].png")))
    with Image.open(tmp_path / "training.gif") as gif, Image.open(tmp_path / "0.png") as first:
        assert gif.n_frames >= 3 and gif.size == first.size
        darkness = []
        for frame in range(3):
            gif.seek(frame)
            darkness.append(np.asarray(gif.convert("L")).mean())
        assert darkness[0] < darkness[1] < darkness[2]
    assert not list(tmp_path.glob(".*"))  # no half-written file is left


def test_samples_are_numbers_between_zero_and_one(tmp_path):
    save_samples(tmp_path / "samples.npz", IMAGES)
    found = np.load(tmp_path / "samples.npz")["images"]
    assert found.dtype == np.float32 and np.array_equal(found, IMAGES.astype(np.float32))
