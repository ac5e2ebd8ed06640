"""The metrics, against what is known in closed form."""
import math

import numpy as np
import pytest

from minigan.workshop import count_modes, frechet_distance, parzen_log_likelihood


def normal(mean, cov, count=200000, seed=0):
    return np.random.default_rng(seed).multivariate_normal(mean, cov, count)


def test_the_frechet_distance_of_gaussians_is_that_of_the_formula():
    a, b = np.diag([1.0, 4.0]), np.diag([9.0, 1.0])  # commuting: (1 - 3)^2 + (2 - 1)^2
    found = frechet_distance(normal([0, 0], a), normal([3, 4], b, seed=1))
    assert found == pytest.approx(25 + 4 + 1, rel=0.02)


def test_the_frechet_distance_is_right_where_the_covariances_do_not_commute():
    a, b = np.array([[2.0, 1], [1, 1]]), np.array([[1.0, -0.5], [-0.5, 2]])
    # For 2 x 2, trace of the root of M = cov_a cov_b is sqrt(trace M + 2 sqrt(det M)).
    M = a @ b
    expected = np.trace(a + b) - 2 * math.sqrt(np.trace(M) + 2 * math.sqrt(np.linalg.det(M)))
    found = frechet_distance(normal([0, 0], a), normal([0, 0], b, seed=1))
    assert found == pytest.approx(expected, rel=0.03)


def test_the_frechet_distance_is_symmetric_and_zero_for_equal_sets():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((50, 3)), rng.random((40, 3)).astype(np.float32)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert 0 <= frechet_distance(a, a) < 1e-9
    degenerate = np.repeat(a[:, :1], 3, axis=1)  # rank 1: rounding makes eigenvalues negative
    assert 0 <= frechet_distance(degenerate, degenerate) < 1e-9


def test_too_few_images_for_a_covariance_are_refused():
    with pytest.raises(ValueError, match=r"\(N, F\) with N > F, got \(4, 4\): use more images"):
        frechet_distance(np.zeros((4, 4)), np.zeros((9, 4)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_features_that_are_not_finite_have_no_distance_least_of_all_the_best(wrong):
    good = np.random.default_rng(0).standard_normal((9, 3))
    bad = good.copy()
    bad[4, 1] = wrong
    for a, b in [(good, bad), (bad, good), (bad, bad)]:
        with pytest.raises(ValueError, match="frechet_distance takes finite numbers"):
            frechet_distance(a, b)
    with pytest.raises(ValueError, match="parzen_log_likelihood takes finite numbers"):
        parzen_log_likelihood(good, good, bad)


@pytest.mark.parametrize("call", [
    lambda x: frechet_distance(x, x[:, :2]), lambda x: frechet_distance(x.tolist(), x),
    lambda x: frechet_distance(x, x[0]), lambda x: frechet_distance(x.astype(np.uint8), x),
    lambda x: parzen_log_likelihood(x, x, x[:, :2]), lambda x: parzen_log_likelihood(x, x, None),
    lambda x: parzen_log_likelihood(x, x, x, sigmas=[0.0]),
    lambda x: count_modes(x, x[:, :1], 0.1), lambda x: count_modes(x[0], x, 0.1),
    lambda x: count_modes(x, x, -1), lambda x: count_modes(x.tolist(), x, 0.1)])
def test_what_a_metric_cannot_measure_is_refused_by_name(call):
    with pytest.raises((TypeError, ValueError), match="^(frechet|parzen|count)_.* takes .*got"):
        call(np.random.default_rng(0).standard_normal((9, 3)))


def test_the_parzen_log_likelihood_is_the_sum_written_out():
    rng = np.random.default_rng(3)
    samples, test = rng.random((7, 2, 2)), rng.random((600, 2, 2))
    mean, error, sigma = parzen_log_likelihood(samples, test[:5], test, sigmas=[0.3])
    log_p = [math.log(np.mean([math.exp(-((x - s) ** 2).sum() / (2 * 0.3 ** 2))
                               / (0.3 * math.sqrt(2 * math.pi)) ** 4 for s in samples]))
             for x in test]
    assert sigma == 0.3 and mean == pytest.approx(np.mean(log_p), rel=1e-12)
    assert error == pytest.approx(np.std(log_p) / math.sqrt(600), rel=1e-9)


def test_the_parzen_width_is_the_best_one_on_the_validation_set_alone():
    rng = np.random.default_rng(4)
    samples, near, far = np.zeros((3, 1)), 0.1 * rng.standard_normal((99, 1)), np.full((9, 1), 5.0)
    mean, _, sigma = parzen_log_likelihood(samples, near, far, sigmas=[0.01, 0.1, 1.0])
    assert sigma == 0.1 and mean == pytest.approx(-1250 - math.log(0.1 * math.sqrt(2 * math.pi)))


def test_parzen_stays_finite_far_from_all_samples():
    mean, *_ = parzen_log_likelihood(np.zeros((5, 784), np.float32), np.ones((2, 784)),
                                     np.ones((3, 784)), sigmas=[0.1])
    assert mean == pytest.approx(-784 * (50 + math.log(0.1 * math.sqrt(2 * math.pi))))


def test_modes_are_counted_by_the_nearest_centre_within_three_deviations():
    centers = np.array([[0.0, 0], [10, 0], [0, 10]])
    samples = np.array([[0.0, 0.29], [0.1, 0], [10, 0.31], [0, 10], [5, 5]])
    assert count_modes(samples, centers, std=0.1) == (2, 0.6)
    assert count_modes(samples + 99, centers, std=0.1) == (0, 0.0)
