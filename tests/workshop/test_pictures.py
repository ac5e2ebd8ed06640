import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install -e '.[test]'")
from matplotlib.image import imread  # noqa: E402

from minigan.workshop import (  # noqa: E402
    image_grid, save_animation, save_curves, save_grid, save_rows, save_samples)
from minigan.workshop.pictures import draw_curves  # noqa: E402

IMAGES = np.random.default_rng(0).random((5, 4, 3))


def test_a_grid_shows_each_image_in_reading_order():
    grid = image_grid(IMAGES, columns=3, gap=2)
    assert grid.shape == (2 * 6 - 2, 3 * 5 - 2)
    for index, image in enumerate(IMAGES):
        row, column = divmod(index, 3)
        assert np.array_equal(grid[6 * row:6 * row + 4, 5 * column:5 * column + 3], image)


def test_a_grid_may_do_without_a_gap_and_has_no_more_columns_than_images():
    assert np.array_equal(image_grid(IMAGES[:4], columns=2, gap=0),
                          np.vstack([np.hstack(IMAGES[:2]), np.hstack(IMAGES[2:4])]))
    assert np.array_equal(image_grid(IMAGES[:1]), IMAGES[0])
    assert image_grid(IMAGES[:2], columns=8, gap=1).shape == (4, 3 + 1 + 3)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 3), (5, 4, 3, 1)])
def test_a_grid_of_anything_but_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"image_grid takes .* \(N, H, W\), got \("):
        image_grid(np.zeros(shape))


def test_a_saved_grid_has_the_pixels_of_the_grid(tmp_path):
    save_grid(tmp_path / "grid.png", IMAGES, columns=3, zoom=2)
    found = imread(tmp_path / "grid.png")[..., 0]
    np.testing.assert_allclose(found[::2, ::2], image_grid(IMAGES, columns=3), atol=2 / 255)
    assert np.array_equal(found[::2], found[1::2])


COLUMNS = ["D loss", "G loss", "D(x)", "D(G(z))"]


def test_curves_show_each_column_against_epochs_and_its_running_mean():
    history = np.random.default_rng(1).random((250, 4)) + [0, 10, 20, 30]
    losses, outputs = draw_curves(history, COLUMNS, steps_per_epoch=100).axes
    lines = [*losses.lines, *outputs.lines]
    assert [len(losses.lines), len(outputs.lines)] == [4, 4]
    for column, (single, mean) in enumerate(zip(lines[::2], lines[1::2])):
        np.testing.assert_allclose(single.get_xdata(), np.arange(1, 251) / 100)
        np.testing.assert_allclose(single.get_ydata(), history[:, column])
        np.testing.assert_allclose(mean.get_xdata(), np.arange(2, 251) / 100)  # of 250 / 100 steps
        np.testing.assert_allclose(mean.get_ydata(),
                                   (history[1:, column] + history[:-1, column]) / 2)
    labels = [text.get_text() for axes in (losses, outputs) for text in axes.get_legend().texts]
    assert labels == COLUMNS


@pytest.mark.parametrize("steps", [1, 250])
def test_curves_are_a_picture(tmp_path, steps):
    history = np.random.default_rng(1).random((steps, 4)).tolist()
    save_curves(tmp_path / "losses.png", history, COLUMNS, 100)
    assert np.ptp(imread(tmp_path / "losses.png")) > 0


def animation(folder, greys):
    """Animates grids (one for each grey): the pixels and seconds of the GIF's frames, and theirs"""
    from PIL import Image
    pictures = [folder / f"{index}.png" for index in range(len(greys))]
    for picture, grey in zip(pictures, greys):
        save_grid(picture, IMAGES * grey)
    save_animation(folder / "training.gif", iter(pictures), seconds_per_picture=0.2)
    frames = []
    with Image.open(folder / "training.gif") as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            frames.append((np.asarray(gif.convert("L")), gif.info["duration"] / 1000))
    return frames, [np.asarray(Image.open(picture).convert("L")) for picture in pictures]


def test_an_animation_shows_each_picture_pixel_by_pixel_and_the_last_one_longer(tmp_path):
    frames, pictures = animation(tmp_path, [0, 0.5, 1])
    assert pictures[0].shape[1] == 69  # and int(69 / 100 * 100) is 68
    np.testing.assert_array_equal([pixels for pixels, _ in frames], pictures)
    assert [seconds for _, seconds in frames] == [0.2, 0.2, 1]


def test_an_animation_may_have_one_picture_or_equal_ones_but_not_none(tmp_path):
    for greys in ([1], [1, 1]):
        frames, pictures = animation(tmp_path, greys)
        assert np.array_equal(frames[-1][0], pictures[-1])
    with pytest.raises(ValueError, match="one or more pictures, got none"):
        save_animation(tmp_path / "training.gif", [])


def test_an_animation_of_many_pictures_shows_sixty_of_them_evenly_chosen(tmp_path):
    frames, pictures = animation(tmp_path, np.linspace(0, 1, 178))
    assert len(frames) == 60  # each third one
    np.testing.assert_array_equal([pixels for pixels, _ in frames], pictures[::3])


def test_every_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("power cut")

    save_grid(tmp_path / "grid.png", IMAGES)
    path = tmp_path / "old"
    path.write_bytes(b"old")
    monkeypatch.setattr("minigan.workshop.files.os.replace", fail)
    for write in (lambda: save_grid(path, IMAGES), lambda: save_samples(path, IMAGES),
                  lambda: save_curves(path, np.ones((3, 4)), COLUMNS, 1),
                  lambda: save_rows(path, {"a": IMAGES, "b": IMAGES}),
                  lambda: save_animation(path, [tmp_path / "grid.png"])):
        with pytest.raises(OSError, match="power cut"):
            write()
        assert path.read_bytes() == b"old"
    assert {found.name for found in tmp_path.iterdir()} == {"old", "grid.png"}


def test_samples_are_numbers_between_zero_and_one(tmp_path):
    save_samples(tmp_path / "samples.npz", IMAGES)
    found = np.load(tmp_path / "samples.npz")["images"]
    assert found.dtype == np.float32 and np.array_equal(found, IMAGES.astype(np.float32))
