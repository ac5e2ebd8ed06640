"""The numerical gradient and the comparison with it: what each number in the table means."""
import numpy as np
import pytest

from minigan.gradcheck import (
    STEP, TOLERANCE, Comparison, GradientError, Report, central_differences, numerical_gradient)
from minigan.gradcheck.differences import rounding_error

rng = np.random.default_rng(0)


def comparison(a, n, crossed=None, noise=1e-12):
    crossed = np.zeros(n.shape, bool) if crossed is None else crossed
    return Comparison("dx", a, n, crossed, noise)


def test_a_difference_is_central_and_right_up_to_the_square_of_the_step():
    x = np.array([0.5, -2.0])
    for h in 0.1, 0.01:
        found = numerical_gradient(lambda x: float((x ** 3).sum()), x, h)
        np.testing.assert_allclose(found - 3 * x ** 2, h ** 2, rtol=1e-6)  # f''' = 6


def test_the_step_is_where_truncation_and_rounding_balance():
    def worst(h):
        found = numerical_gradient(lambda x: float(np.exp(x).sum()), x, h)
        return abs(found / np.exp(x) - 1).max()

    x = rng.standard_normal(20)
    assert worst(STEP) < 1e-8 < TOLERANCE < min(worst(1e-11), worst(1e-2))


def test_x_stays_as_it_is_even_where_f_fails_or_holds_it_too():
    x = np.array([1.0, 2.0])
    before = x.copy()
    np.testing.assert_allclose(numerical_gradient(lambda moved: float((moved * x).sum()), x), x)

    def fails(moved):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        numerical_gradient(fails, x)
    assert np.array_equal(x, before)


def test_beside_a_kink_the_step_is_smaller_and_at_it_the_difference_is_told_apart():
    x = np.array([1.0, STEP / 2, -STEP / 20, STEP / 200, -STEP / 200, 0.0, 2 * STEP])
    gradient, crossed, noise = central_differences(
        lambda x: (float(np.maximum(x, 0).sum()), [x > 0, np.ones(3)]), x)
    assert crossed.tolist() == [False, False, False, True, True, True, False]
    assert (abs(gradient[~crossed] - [1, 1, 0, 1]) < noise[~crossed]).all()
    assert abs(gradient[crossed] - [1, 0, 1]).min() > 0.1  # neither branch's slope
    assert noise[[1, 2]] == pytest.approx([10 * noise[0], 100 * noise[0]])


def test_numbers_that_lie_far_apart_take_larger_steps_and_large_ones_beside_each_other_not():
    for x, power in (1e6 * rng.standard_normal(9), 3), (1e4 + rng.standard_normal(9), 3):
        found = numerical_gradient(lambda x: float(((x - x.mean()) ** power).sum()), x)
        c = x - x.mean()
        right = power * (c ** (power - 1) - (c ** (power - 1)).mean())
        np.testing.assert_allclose(found, right, atol=1e-5 * abs(right).max())


def test_the_error_of_rounding_is_found_where_large_numbers_cancel_on_the_way():
    def f(x, large):
        return (x + large).sum() - large * x.size

    x = rng.standard_normal(50)
    for large in 1.0, 1e4, 1e8:
        error = rounding_error(lambda x: f(x + 0.1 * x * x, large), x)
        assert 1e-17 < error / large < 1e-14
    assert rounding_error(lambda x: f(x, 1e4) * np.ones(3), x) > 1e-12  # of an array, the worst


def test_the_noise_bounds_what_rounding_does_and_grows_with_the_numbers():
    x = rng.standard_normal(50)
    noises = []
    for size in 1.0, 1e6:
        gradient, _, noise = central_differences(lambda x: (float(size + x.sum()), []), x)
        assert (abs(gradient - 1) < noise).all()
        noises.append(noise.max())
    assert noises[0] < TOLERANCE / 100
    assert noises[1] > 1e4 * noises[0]


def test_the_error_is_that_of_the_worst_element_relative_to_its_size():
    n = np.array([[1.0, -1e-3], [5.0, 0.0]])
    for factor, right in (1 + 2e-6, False), (1 + 0.5e-6, True):
        a = n * np.array([[1, factor], [1, 1]])
        found = comparison(a, n)
        assert found.right == right and found.error == pytest.approx(factor - 1, rel=1e-3)
        assert found.verdict == ("right" if right else "WRONG")


def test_an_element_that_is_mostly_rounding_is_measured_against_the_noise():
    n = np.array([1.0, 1e-13])
    assert comparison(np.array([1.0, 3e-13]), n, noise=1e-12).right
    assert not comparison(np.array([1.0, 3e-6]), n, noise=1e-12).right


def test_an_element_stands_out_of_the_noise_where_three_of_its_digits_do():
    n = np.array([1.0, 2e-9, 5e-10, 0.0])
    found = comparison(n, n, noise=1e-12)
    assert (found.silent, found.vanishes, found.verdict) == (0.5, False, "right")
    found = comparison(n[2:], n[2:], noise=1e-12)
    assert (found.silent, found.vanishes, found.verdict) == (1.0, True, "zero")


def test_a_gradient_beside_differences_that_are_not_finite_is_not_right():
    found = comparison(np.array([1.0, 2.0]), np.array([1.0, np.nan]))
    assert not found.right and found.verdict == "WRONG"


def test_where_a_kink_was_crossed_nothing_is_compared():
    n, crossed = np.array([1.0, 2.0, 3.0]), np.array([False, True, False])
    found = comparison(np.array([1.0, 9.0, 3.0]), n, crossed)
    assert (found.right, found.kinks, found.error) == (True, 1, 0)
    assert not comparison(np.array([1.0, 9.0, 3.1]), n, crossed).right


def test_the_cosine_is_that_of_the_angle():
    n = np.array([3.0, 4.0])
    for a, cosine in (2 * n, 1), (-n, -1), (np.array([4.0, -3.0]), 0):
        assert comparison(a, n).cosine == pytest.approx(cosine, abs=1e-12)


def test_a_report_raises_if_one_gradient_is_wrong_or_all_are_zero_and_carries_the_table():
    n = np.array([1.0, 2.0])
    right, wrong, zero = comparison(n, n), comparison(-n, n), comparison(0 * n, 0 * n)
    assert [found.verdict for found in (right, wrong, zero)] == ["right", "WRONG", "zero"]
    report = Report("a check", [right, zero])
    assert report.raise_if_wrong() is report and str(report).startswith("a check\ngradient ")
    with pytest.raises(GradientError, match="nothing is proved"):
        Report("a check", [zero, zero]).raise_if_wrong()
    with pytest.raises(GradientError, match="wrong gradient.*\na check\n") as caught:
        Report("a check", [right, wrong]).raise_if_wrong()
    assert [found.right for found in caught.value.report] == [True, False]


@pytest.mark.parametrize("x, words", [
    (np.ones(2, np.float32), "in float64, got float32"), ([1.0, 2.0], "on NumPy arrays")])
def test_what_is_no_float64_array_is_refused(x, words):
    with pytest.raises(TypeError, match=words):
        numerical_gradient(lambda x: 0.0, x)
