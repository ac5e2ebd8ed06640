import numpy as np
import pytest

from minigan import (
    Conv2D, Dense, Flatten, Given, GradientPenalty, LeakyReLU, MinibatchDeviation, NonSaturating,
    R1Penalty, Reshape, Sequential, Tanh, Wasserstein)
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_tangent)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def rows(inputs, outputs, rng=0):
    rng = np.random.default_rng(rng)
    return Sequential(Dense(inputs, 6, rng), Tanh(), Dense(6, outputs, rng)).astype(np.float64)


def images(channels, size=4):
    rng = np.random.default_rng(0)
    return Sequential(Conv2D(channels, 3, 3, padding=1, rng=rng), Tanh(), Flatten(),
                      Dense(3 * size * size, 1, rng)).astype(np.float64)


CASES = {"rows": (rows(3 + 2, 1), numbers(5, 3), numbers(5, 2, seed=1)),
         "images beside images": (images(1 + 2), numbers(3, 4, 4, 1), numbers(3, 4, 4, 2, seed=1)),
         "images beside rows": (images(1 + 2), numbers(3, 4, 4, 1), numbers(3, 2, seed=1))}
every_case = pytest.mark.parametrize("network, x, c", CASES.values(), ids=CASES)


@every_case
def test_all_gradients_and_the_tangent_are_right(network, x, c):
    check_layer(Given(network, c), x)
    check_tangent(Given(network, c), x)


@every_case
def test_it_is_the_network_at_the_joined_input(network, x, c):
    spread = c if c.ndim == x.ndim else np.broadcast_to(c[:, None, None], (*x.shape[:3], 2))
    np.testing.assert_array_equal(Given(network, c)(x), network(np.concatenate([x, spread], -1)))


@every_case
def test_a_condition_without_weights_changes_nothing(network, x, c):
    first = network.layers[0].W.value
    kept = first.copy()
    first[..., x.shape[-1]:, :] = 0
    y = Given(network, c)(x)
    np.testing.assert_array_equal(y, Given(network, 0 * c)(x))
    first[...] = kept
    assert (Given(network, c)(x) != y).any()


def test_the_parameters_are_the_networks_own():
    network = rows(5, 1)
    assert Given(network, numbers(4, 2)).parameters() == network.parameters()


@pytest.mark.parametrize("loss, penalty", [
    (NonSaturating(), None), (NonSaturating(), R1Penalty(2.0)),
    (Wasserstein(), GradientPenalty(rng=0))], ids=["plain", "R1", "WGAN-GP"])
def test_the_steps_of_a_conditional_gan_are_those_of_any_other(loss, penalty):
    c, x_real, z = numbers(4, 3), numbers(4, 2, 2, 1, seed=1), numbers(4, 2, seed=2)
    G = Sequential(rows(2 + 3, 4, 1), Reshape(2, 2, 1))
    D = images(1 + 3, size=2)
    check_discriminator_step(Given(G, c), Given(D, c), loss, x_real, z, penalty)
    check_generator_step(Given(G, c), Given(D, c), loss, z)


def test_it_may_stand_over_a_deviation_of_the_batch():
    rng = np.random.default_rng(0)
    D = Sequential(Dense(5, 4, rng), LeakyReLU(), MinibatchDeviation(), Dense(5, 1, rng))
    check_tangent(Given(D.astype(np.float64), numbers(6, 2)), numbers(6, 3, seed=1))


class WrongEnd(Given):
    def input_grad(self, dy, cache):
        cache, C = cache
        return self.network.input_grad(dy, cache)[..., -C:]


class Whole(Given):
    def input_grad(self, dy, cache):
        return self.network.input_grad(dy, cache[0])


class ConditionMoves(Given):
    def tangent(self, x_dot, cache):
        return self.network.tangent(self.join(x_dot, self.c), cache[0])


@pytest.mark.parametrize("broken, check", [(WrongEnd, check_layer), (Whole, check_layer),
                                           (ConditionMoves, check_tangent)])
def test_the_wrong_slice_and_a_condition_that_moves_are_caught(broken, check):
    with pytest.raises(GradientError):
        check(broken(rows(4, 1), numbers(5, 2)), numbers(5, 2, seed=1))


def test_a_condition_of_another_batch_is_refused():
    with pytest.raises(ValueError, match=r"takes x of as many examples as c, got \(4, 3\)"):
        Given(rows(5, 1), numbers(5, 2))(numbers(4, 3))
    with pytest.raises(TypeError, match="Given takes c as an array of floats, got int64"):
        Given(rows(5, 1), np.arange(10).reshape(5, 2))
