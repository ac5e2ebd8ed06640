import numpy as np
import pytest

from minigan import Dense, LeakyReLU, MinibatchDeviation, R1Penalty, Sequential, Tanh, r1_penalty
from minigan.gradcheck import GradientError, check_layer, check_tangent


def x_for(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", [(6, 5), (2, 1), (3, 4)])
@pytest.mark.parametrize("eps", [1e-8, 0.3])
def test_the_layer_and_its_tangent_pass_the_gradient_check(shape, eps):
    check_layer(MinibatchDeviation(eps), x_for(shape))
    check_tangent(MinibatchDeviation(eps), x_for(shape))


def test_the_new_feature_is_the_mean_of_the_standard_deviations():
    x = x_for((7, 3))
    y = MinibatchDeviation()(x)
    assert y.shape == (7, 4) and np.array_equal(y[:, :3], x)
    np.testing.assert_allclose(y[:, 3], x.std(axis=0).mean())
    assert MinibatchDeviation().forward(x.astype(np.float32))[0].dtype == np.float32


def test_images_that_are_all_alike_have_no_deviation_and_a_finite_gradient():
    x = np.tile(x_for((1, 4)), (5, 1))
    layer = MinibatchDeviation()
    y, cache = layer.forward(x)
    assert (y[:, 4] <= 1e-4).all()
    assert np.isfinite(layer.input_grad(np.ones((5, 5)), cache)).all()


def scores(D, x):
    return D.forward(x)[0].sum()


def test_r1_sees_the_gradient_of_the_sum_of_all_scores():
    """P = weight / 2 mean of |g[n]|^2, with g from differences of the sum of the scores, which an
    x[n] reaches through the features of all others, too."""
    rng = np.random.default_rng(0)
    D = Sequential(Dense(3, 4, rng), Tanh(), MinibatchDeviation(), Dense(5, 1, rng))
    D.astype(np.float64)
    x, h, g = x_for((5, 3)), 1e-6, np.zeros((5, 3))
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = h
        g[i] = (scores(D, x + e) - scores(D, x - e)) / (2 * h)
    assert r1_penalty(D, x, 3.0) == pytest.approx(1.5 * (g * g).sum() / 5, rel=1e-8)


def test_the_gradient_of_r1_is_the_finite_difference_of_its_value():
    rng = np.random.default_rng(1)
    D = Sequential(Dense(3, 4, rng), LeakyReLU(), MinibatchDeviation(), Dense(5, 1, rng))
    D.astype(np.float64)
    x, penalty, h = x_for((5, 3)), R1Penalty(2.0), 1e-6
    D.zero_grad()
    penalty(D, x, None)
    for parameter, found in [(p, p.grad.copy()) for p in (D.layers[0].W, D.layers[3].W)]:
        for i in np.ndindex(found.shape):
            kept = parameter.value[i]
            parameter.value[i] = kept + h
            above = penalty(D, x, None)
            parameter.value[i] = kept - h
            below = penalty(D, x, None)
            parameter.value[i] = kept
            assert found[i] == pytest.approx((above - below) / (2 * h), rel=1e-5, abs=1e-8)


class NoMean(MinibatchDeviation):
    def curvature(self, dy_dot, dx_dot, x_dot, cache):
        c, std = cache
        through_std = c * (x_dot * c).mean(axis=0) / std ** 2
        return dy_dot[:, -1].sum() * (x_dot - through_std) / (c.size * std)


class NoStd(MinibatchDeviation):
    def curvature(self, dy_dot, dx_dot, x_dot, cache):
        c, std = cache
        return dy_dot[:, -1].sum() * (x_dot - x_dot.mean(axis=0)) / (c.size * std)


class Flat(MinibatchDeviation):
    def curvature(self, dy_dot, dx_dot, x_dot, cache):
        return None


@pytest.mark.parametrize("broken", [NoMean, NoStd, Flat])
def test_a_forgotten_way_through_the_curvature_is_caught(broken):
    with pytest.raises(GradientError, match="dx"):
        check_tangent(broken(), x_for((6, 5)))


class OwnScoreOnly(MinibatchDeviation):
    def input_grad(self, dy, cache):
        c, std = cache
        return dy[:, :-1] + dy[:, -1:] * c / (c.size * std)  # not the sum over n


def test_a_sum_over_the_batch_that_is_forgotten_is_caught():
    with pytest.raises(GradientError, match="dx"):
        check_layer(OwnScoreOnly(), x_for((6, 5)))
