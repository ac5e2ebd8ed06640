"""The drawn digits can be read, differ from one another, and have the form of MNIST's."""
import os
import re

import numpy as np
import pytest

from minigan.workshop import digits
from minigan.workshop.data import load_mnist
from minigan.workshop.digits import WAYS, draw_digits

# The mean image of each class of MNIST's training set, measured: the mean of each block of 4 x 4
# pixels, 9 where it is largest. Row by row, and side by side the digits 0 to 9.
MNIST_MEANS = """
0000000 0000000 0001000 0000000 0000000 0000000 0001100 0000000 0000000 0000000
0026720 0003410 0147610 0147510 0011220 0024530 0025300 0012200 0026620 0013300
0166560 0006400 0123620 0125610 0152620 0156320 0045110 0377820 0155630 0165720
0461260 0008100 0025610 0048610 0385820 0166410 0175630 0122710 0049610 0266810
0552640 0028100 0378630 0112620 0146610 0123520 0187730 0016500 0157410 0035500
0388510 0035100 0364320 0367510 0014300 0266410 0036300 0026200 0167410 0015300
0000000 0000000 0000000 0011000 0001000 0011000 0000000 0023100 0011000 0012100
"""
MNIST = os.environ.get("MINIGAN_DATA")


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def drawn():
    return draw_digits(4000, generator())


def slants(images):
    """The slant of each image: how far its ink moves to the right for each pixel that it rises."""
    y, x = np.indices((28, 28))
    ink = images / images.sum(axis=(1, 2), keepdims=True)
    x = x - (ink * x).sum(axis=(1, 2), keepdims=True)
    y = y - (ink * y).sum(axis=(1, 2), keepdims=True)
    return -(ink * x * y).sum(axis=(1, 2)) / (ink * y * y).sum(axis=(1, 2))


def extents(images):
    """The widths and the heights of the ink, in pixels, (N,) each."""
    inked = ((images > 40).any(axis=axis) for axis in (1, 2))
    return [28 - k.argmax(axis=1) - k[:, ::-1].argmax(axis=1) for k in inked]


def blurred(images):
    """Unit vectors (N, 784) of slightly blurred images, so that a small shift changes little."""
    x = images.astype(np.float32)
    for axis in (1, 2, 1, 2):
        x = np.roll(x, 1, axis) + 2 * x + np.roll(x, -1, axis)
    return x.reshape(-1, 784) / np.linalg.norm(x, axis=(1, 2))[:, None]


def rates_of_nearest(known, known_labels, images, labels):
    """For each digit, how often an image's nearest neighbour among the known bears its label."""
    read = known_labels[(blurred(images) @ blurred(known).T).argmax(axis=1)]
    return np.array([(read[labels == digit] == digit).mean() for digit in range(10)])


def test_images_and_labels_have_the_type_and_shape_of_mnist(drawn):
    images, labels = drawn
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (4000, 28, 28) and labels.shape == (4000,)
    assert images.min() == 0 and images.max() == 255


def test_the_same_generator_state_draws_the_same_digits_and_another_does_not():
    images, labels = draw_digits(50, generator(7))
    again, labels_again = draw_digits(50, generator(7))
    others, other_labels = draw_digits(50, generator(8))
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert (images != others).any(axis=(1, 2)).all() and (labels != other_labels).any()


def test_drawing_on_with_one_generator_draws_new_digits_in_a_fixed_order():
    first, second = generator(7), generator(7)
    pair = [draw_digits(count, first)[0] for count in (20, 20)]
    pair_again = [draw_digits(count, second)[0] for count in (20, 20)]
    np.testing.assert_array_equal(pair, pair_again)
    assert (pair[0] != pair[1]).any(axis=(1, 2)).all()


def test_numpys_global_generator_is_neither_used_nor_moved():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    images, _ = draw_digits(50, generator())
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(1)
    np.testing.assert_array_equal(draw_digits(50, generator())[0], images)


def test_labels_are_uniform_over_the_ten_digits(drawn):
    counts = np.bincount(drawn[1], minlength=10)
    assert len(counts) == 10 and abs(counts - 400).max() < 5 * np.sqrt(400 * 0.9)


def test_given_labels_are_honoured_in_order_and_left_alone(drawn):
    wanted = np.arange(1000) * 7 % 10
    wanted.flags.writeable = False
    images, labels = draw_digits(1000, generator(1), wanted)
    np.testing.assert_array_equal(labels, wanted)
    assert labels.dtype == np.uint8 and labels is not wanted
    assert rates_of_nearest(*drawn, images, wanted).mean() > 0.9
    np.testing.assert_array_equal(draw_digits(3, generator(), [3, 1, 4])[1], [3, 1, 4])


def test_one_of_each_digit_is_drawn_when_one_of_each_is_wanted():
    for seed in range(20):
        images, _ = draw_digits(10, generator(seed), range(10))
        assert (images.max(axis=(1, 2)) > 100).all()


def test_no_digits_are_an_empty_set_of_digits():
    images, labels = draw_digits(0, generator(), [])
    assert images.shape == (0, 28, 28) and labels.shape == (0,)
    assert images.dtype == labels.dtype == np.uint8


def test_no_two_images_of_a_digit_are_alike(drawn):
    images, labels = drawn
    for digit in range(10):
        x = blurred(images[labels == digit][:200])
        alike = x @ x.T - np.eye(200)
        assert alike.max() < 0.999, digit  # the cosine of the two that are most alike
        assert alike.mean() < 0.85, digit  # a font with noise comes near 1


def test_ink_is_about_as_much_as_mnists_and_as_varied(drawn):
    ink = drawn[0].mean(axis=(1, 2)) / 255
    assert 0.12 < ink.mean() < 0.145 and 0.035 < ink.std() < 0.05  # MNIST: 0.131 and 0.044
    assert ink.min() > 0.02 and ink.max() < 0.4  # MNIST: 0.025 and 0.398


def test_each_pixel_varies_as_it_does_in_mnist(drawn):
    images, labels = drawn
    spread = [(images[labels == digit] / 255).std(axis=0).mean() for digit in range(10)]
    assert 0.15 < np.mean(spread) < 0.16  # MNIST: 0.155


def test_digits_are_narrow_and_wide_as_in_mnist(drawn):
    images, labels = drawn
    width, height = extents(images)
    spread = [np.log(width / height)[labels == digit].std() for digit in range(10)]
    assert 0.22 < np.mean(spread) < 0.27  # MNIST: 0.23


def test_strokes_are_as_thick_as_mnists_and_as_different(drawn):
    x = drawn[0] / 255
    outline = sum(abs(np.diff(x, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    thickness = 2 * x.sum(axis=(1, 2)) / outline  # in pixels
    assert 1.95 < thickness.mean() < 2.3 and 0.5 < thickness.std() < 0.6  # MNIST: 2.02 and 0.51


def test_more_spots_of_ink_would_draw_the_same_images(monkeypatch):
    images, _ = draw_digits(200, generator())
    monkeypatch.setattr(digits, "SPOTS", 4 * digits.SPOTS)
    finer, _ = draw_digits(200, generator())
    assert abs(images.astype(int) - finer).mean() < 0.2


def test_digits_slant_differently_and_mostly_to_the_right(drawn):
    images, labels = drawn
    slant = slants(images)
    assert 0.08 < slant.mean() < 0.18  # MNIST: 0.13
    for digit in range(10):
        assert 0.18 < slant[labels == digit].std() < 0.36, digit  # MNIST: 0.20 to 0.32


def test_strokes_have_soft_edges_and_a_white_core(drawn):
    images, _ = drawn
    assert (images.max(axis=(1, 2)) == 255).mean() > 0.95
    grey, white = ((images > 0) & (images < 250)).mean(), (images >= 250).mean()
    assert 0.8 < grey / white < 2.5


def test_each_digit_is_centred_by_its_mass(drawn):
    ink = drawn[0] / drawn[0].sum(axis=(1, 2), keepdims=True)
    pixels = np.arange(28)
    for centre in (ink.sum(axis=1) @ pixels, ink.sum(axis=2) @ pixels):
        assert abs(centre.mean() - 14) < 0.1 and 0.2 < centre.std() < 0.5  # MNIST: 14.0, 0.29
        assert abs(centre - 14).max() < 2.5


def test_each_digit_fits_its_box_and_none_is_cut_off_at_the_border(drawn):
    images, _ = drawn
    size = np.maximum(*extents(images))
    assert 19 < size.mean() < 20.5 and size.min() > 15 and size.max() < 23  # MNIST: always 20
    frame = images.copy()
    frame[:, 1:-1, 1:-1] = 0
    assert (frame > 64).any(axis=(1, 2)).mean() < 0.02  # MNIST: 0.013


def test_the_mean_image_of_each_digit_is_like_mnists(drawn):
    images, labels = drawn
    rows = [[list(block) for block in row.split()] for row in MNIST_MEANS.split("\n")[1:-1]]
    theirs = np.array(rows, int).swapaxes(0, 1).reshape(10, 49)
    ours = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    ours = ours.reshape(10, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(10, 49)
    alike = np.corrcoef(ours, theirs)[:10, 10:]
    np.testing.assert_array_equal(alike.argmax(axis=1), range(10))
    assert alike.diagonal().min() > 0.93  # measured: 0.96 and more


def test_drawn_digits_are_read_by_their_neighbours_in_another_drawing(drawn):
    images, labels = draw_digits(2000, generator(1))
    rates = rates_of_nearest(*drawn, images, labels)
    assert rates.mean() > 0.92 and rates.min() > 0.82, rates  # measured: 0.95 and 0.89


@pytest.mark.skipif(not MNIST, reason="MINIGAN_DATA names no directory of MNIST")
def test_drawn_digits_are_read_by_their_neighbours_in_mnist_and_the_other_way_round(drawn):
    real = load_mnist(split="test")
    for known, unknown in ((real, drawn), (drawn, real)):
        rates = rates_of_nearest(*known, *(part[:2000] for part in unknown))
        assert rates.mean() > 0.87 and rates.min() > 0.75, rates  # measured: 0.90 and 0.84


def test_each_way_to_write_a_digit_is_read_by_one_who_knows_only_the_other_ways(monkeypatch):
    x, labels = [], []
    for digit, ways in WAYS.items():
        for way in ways:
            monkeypatch.setitem(WAYS, digit, [way])
            x.append(blurred(draw_digits(100, generator(len(x)), [digit] * 100)[0]))
            labels.append(digit)
    x, labels, rates = np.stack(x), np.array(labels), []
    for k, digit in enumerate(labels):
        others = np.arange(len(labels)) != k
        nearest = (x[k] @ x[others].reshape(-1, 784).T).argmax(axis=1) // 100
        rates.append((labels[others][nearest] == digit).mean())
    assert np.mean(rates) > 0.77 and min(rates) > 0.35, rates  # measured: 0.82 and 0.47


@pytest.mark.parametrize("count", [-1, 2.0, "3", None])
def test_a_count_that_is_no_count_is_refused(count):
    with pytest.raises(ValueError, match=f"count must be an integer >= 0, got {count!r}: pass"):
        draw_digits(count, generator())


@pytest.mark.parametrize("rng", [0, None, np.random, np.random.RandomState(0)])
def test_anything_but_a_generator_is_refused(rng):
    found = type(rng).__name__
    with pytest.raises(ValueError, match=f"rng must be a numpy Generator, got {found}: pass"):
        draw_digits(3, rng)


@pytest.mark.parametrize("labels", [[1, 2], [[1, 2, 3]], 5, []])
def test_labels_of_another_shape_are_refused(labels):
    shape = re.escape(str(np.shape(labels)))
    with pytest.raises(ValueError, match=rf"labels must have shape \(3,\), got {shape}: one"):
        draw_digits(3, generator(), labels)


@pytest.mark.parametrize("wrong", [10, -1, 256, 2.5, "x", float("nan")])
def test_labels_that_are_no_digits_are_refused(wrong):
    with pytest.raises(ValueError, match="labels must be integers 0..9, got .*: each"):
        draw_digits(3, generator(), [1, wrong, 2])
