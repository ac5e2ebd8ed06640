import numpy as np
import pytest

from minigan.workshop import count_modes, draw_points, grid, ring


def test_the_places_of_a_ring_are_all_different_and_equally_far_from_each_other():
    for modes in (3, 8, 25):
        centres = ring(modes, radius=2)
        assert centres.shape == (modes, 2) and centres.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2, rtol=1e-6)
        steps = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1)
        np.testing.assert_allclose(steps, 4 * np.sin(np.pi / modes), rtol=1e-5)


def test_the_places_of_a_grid_are_all_different_and_in_rows_and_columns_around_zero():
    centres = grid(3, radius=4)
    assert centres.shape == (9, 2) and centres.dtype == np.float32
    assert {tuple(place) for place in centres.tolist()} == {
        (x, y) for x in (-4, 0, 4) for y in (-4, 0, 4)}
    assert len(np.unique(grid(), axis=0)) == 25 and np.diff(grid()[:5, 0]).tolist() == [2] * 4


def test_points_lie_around_all_centres_alike_and_spread_as_they_are_told_to():
    centres = 10 * ring(5)
    x = draw_points(centres, 0.3, 20000, np.random.default_rng(0))
    assert x.shape == (20000, 2) and x.dtype == np.float32
    nearest = np.linalg.norm(x[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / 20000, 1 / 5, atol=0.02)
    assert (x - centres[nearest]).std() == pytest.approx(0.3, abs=0.01)
    found, good = count_modes(x, centres, 0.3)
    assert found == 5 and good == pytest.approx(1 - np.exp(-9 / 2), abs=0.005)  # within 3 std


def test_the_same_seed_draws_the_same_points():
    a, b = (draw_points(ring(), 0.1, 50, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("call", [
    lambda: ring(0), lambda: ring(8.0), lambda: ring(8, -1), lambda: ring(8, float("nan")),
    lambda: grid(0), lambda: grid(5.0), lambda: grid(5, 0),
    lambda: draw_points([[0, 0]], 0.1, 5, 0), lambda: draw_points(ring()[0], 0.1, 5, 0),
    lambda: draw_points(ring(), -0.1, 5, 0), lambda: draw_points(ring(), 0.1, -5, 0),
    lambda: draw_points(ring(), 0.1, 5, "seed")])
def test_points_that_cannot_be_drawn_are_refused_by_name(call):
    with pytest.raises((TypeError, ValueError), match="^(ring|grid|draw_points) takes .* got "):
        call()
