import numpy as np
import pytest

from minigan import NETWORKS, Choice, Dense, Sequential, Tanh
from minigan.gradcheck import GradientError, check_layer, check_tangent


def x_for(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("size, shape", [(1, (4, 3)), (3, (6, 5)), (5, (2, 9))])
def test_the_layer_and_its_tangent_pass_the_gradient_check_behind_a_dense_one(size, shape):
    net = Sequential(Dense(4, shape[1], 0), Choice(size), Dense(shape[1], 2, 1), Tanh())
    check_layer(net.astype(np.float64), x_for((shape[0], 4)))
    check_tangent(net, x_for((shape[0], 4)))


def test_the_largest_number_is_chosen_and_the_rest_passes():
    x = np.array([[0.1, 0.7, 0.2, 5, -6], [-3, -4, -2, 7, 8]], np.float32)
    y = Choice(3)(x)
    root = 3 ** 0.5
    np.testing.assert_allclose(y, [[0, root, 0, 5, -6], [0, 0, root, 7, 8]], rtol=1e-6)
    assert y.dtype == np.float32
    assert Choice(5)(x).shape == x.shape


def test_of_noise_all_choices_are_equally_likely_and_as_long_as_the_noise_that_they_replace():
    z = x_for((20000, 6))
    c = Choice(4)(z)[:, :4]
    np.testing.assert_allclose((c > 0).mean(axis=0), 0.25, atol=0.02)
    np.testing.assert_allclose((c * c).sum(axis=1).mean(), (z[:, :4] ** 2).sum(axis=1).mean(),
                               rtol=0.05)
    np.testing.assert_allclose(Choice(4, gain=2)(z)[:, :4], 2 * c)


def test_what_was_chosen_from_gets_no_gradient_and_nothing_is_written_into_dy():
    layer, dy = Choice(2), x_for((3, 4))
    before = dy.copy()
    dx = layer.input_grad(dy, layer.forward(x_for((3, 4), 1))[1])
    assert not dx[:, :2].any() and np.array_equal(dx[:, 2:], dy[:, 2:])
    assert np.array_equal(dy, before)


class StraightThrough(Choice):
    def input_grad(self, dy, chosen):
        return dy


class TakesItsOwn(Choice):
    def input_grad(self, dy, chosen):
        return self.replace(dy, dy[:, :self.size] * (np.arange(self.size) == chosen[:, None]))


@pytest.mark.parametrize("mutant", [StraightThrough, TakesItsOwn])
def test_a_gradient_through_the_choice_is_caught(mutant):
    with pytest.raises(GradientError):
        check_layer(mutant(3), x_for((5, 6)))


def test_too_few_columns_are_refused():
    with pytest.raises(ValueError, match=r"Choice\(5\) takes x of 5 columns or more, got \(2, 4\)"):
        Choice(5)(x_for((2, 4)))
    with pytest.raises(ValueError, match="Choice takes a whole number from 1 as size"):
        Choice(0)
    with pytest.raises(ValueError, match="Choice takes a number above 0 as gain, got 0"):
        Choice(4, gain=0)


@pytest.mark.parametrize("name, choice", [
    ("mlp_tuned", "Choice(10)"), ("dcgan_tuned", "Choice(10, gain=2.0)")])
def test_the_tuned_generators_begin_with_a_choice_of_ten_if_z_has_room_for_it(name, choice):
    first = [NETWORKS[name](latent_dim, 0, width=4, size=8)[0].layers[0] for latent_dim in (100, 9)]
    assert repr(first[0]) == choice and isinstance(first[1], Dense)
