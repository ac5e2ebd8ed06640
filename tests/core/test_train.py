import numpy as np
import pytest

from minigan import (
    SGD, Adam, BatchNorm, Dense, Dropout, Flatten, Hinge, LayerNorm, LeakyReLU, LeastSquares,
    Minimax, NonSaturating, ReLU, Reshape, Sequential, Sigmoid, Tanh, Wasserstein,
    discriminator_step, generator_step)
from minigan.gradcheck import check_discriminator_step, check_generator_step

LOSSES = [Minimax(), NonSaturating(), NonSaturating(0.1), LeastSquares(), Hinge(), Wasserstein()]


def small_gan(rng):
    """The shape of the MNIST example, small: z (N, 3), images (N, 4, 2, 1)."""
    generator = Sequential(
        Dense(3, 6, rng), LeakyReLU(), Dense(6, 5, rng), BatchNorm(5), LeakyReLU(),
        Dense(5, 7, rng), BatchNorm(7), LeakyReLU(), Dense(7, 8, rng), Tanh(), Reshape(4, 2, 1))
    discriminator = Sequential(
        Flatten(), Dense(8, 6, rng), LeakyReLU(), Dense(6, 5, rng), LeakyReLU(), Dense(5, 1, rng))
    return generator, discriminator


def other_gan(rng):
    """Every other layer: a norm, dropout and smooth activations in D as well."""
    generator = Sequential(Dense(3, 6, rng), LayerNorm(6), ReLU(), Dense(6, 8, rng), Sigmoid(),
                           Reshape(4, 2, 1))
    discriminator = Sequential(Flatten(), Dense(8, 7, rng), BatchNorm(7), Tanh(), Dropout(0.3, rng),
                               Dense(7, 6, rng), LayerNorm(6), LeakyReLU(), Dense(6, 1, rng))
    return generator, discriminator


def data(rng, dtype=np.float64):
    x_real, z = rng.standard_normal((6, 4, 2, 1)), rng.standard_normal((6, 3))
    return x_real.astype(dtype), z.astype(dtype)


@pytest.mark.parametrize("gan", [small_gan, other_gan])
def test_every_gradient_of_a_whole_discriminator_step_is_right(gan):
    loss, rng = NonSaturating(0.1), np.random.default_rng(0)
    generator, discriminator = (net.astype(np.float64) for net in gan(rng))
    report = check_discriminator_step(generator, discriminator, loss, *data(rng))
    assert len(report) == len(discriminator.parameters())


@pytest.mark.parametrize("gan", [small_gan, other_gan])
def test_every_gradient_of_a_whole_generator_step_is_right(gan):
    loss, rng = NonSaturating(0.1), np.random.default_rng(0)
    generator, discriminator = (net.astype(np.float64) for net in gan(rng))
    report = check_generator_step(generator, discriminator, loss, data(rng)[1])
    assert len(report) == len(generator.parameters())


def test_a_penalty_adds_its_value_and_its_gradients():
    def weight_penalty(discriminator, x_real, x_fake):
        assert x_real.shape == x_fake.shape == (6, 4, 2, 1)
        for p in discriminator.parameters():
            p.grad += p.value
        return sum((p.value ** 2).sum() for p in discriminator.parameters()) / 2

    rng = np.random.default_rng(0)
    generator, discriminator = (net.astype(np.float64) for net in small_gan(rng))
    check_discriminator_step(generator, discriminator, Hinge(), *data(rng), weight_penalty)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_step_moves_one_network_and_lowers_its_loss(loss):
    rng = np.random.default_rng(1)
    generator, discriminator = (net.astype(np.float64) for net in small_gan(rng))
    x_real, z = data(rng)
    for learner, other, step in [
            (discriminator, generator, lambda optimizer: discriminator_step(
                generator, discriminator, optimizer, loss, x_real, z)),
            (generator, discriminator, lambda optimizer: generator_step(
                generator, discriminator, optimizer, loss, z))]:
        mine, its = ([p.value.copy() for p in net.parameters()] for net in (learner, other))
        optimizer = SGD(learner.parameters(), lr=1e-3)
        assert step(optimizer)[0] > step(optimizer)[0]
        assert any((p.value != old).any() for p, old in zip(learner.parameters(), mine))
        assert all((p.value == old).all() for p, old in zip(other.parameters(), its))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_steps_return_what_a_log_needs_in_float32(loss):
    rng = np.random.default_rng(2)
    generator, discriminator = small_gan(rng)
    x_real, z = data(rng, np.float32)
    s_real, _ = discriminator.forward(x_real)
    s_fake, _ = discriminator.forward(generator.forward(z)[0])
    expected = (loss.discriminator(s_real, s_fake)[0],
                loss.shown(s_real).mean(), loss.shown(s_fake).mean())
    adam = Adam(discriminator.parameters())
    found = discriminator_step(generator, discriminator, adam, loss, x_real, z)
    np.testing.assert_array_equal(found, expected)
    s_fake, _ = discriminator.forward(generator.forward(z)[0])
    expected = loss.generator(s_fake)[0], loss.shown(s_fake).mean()
    found = generator_step(generator, discriminator, Adam(generator.parameters()), loss, z)
    np.testing.assert_array_equal(found, expected)
    assert all(value.dtype == np.float32 and value.shape == () for value in found)


def test_real_and_fake_batches_may_differ_in_size():
    rng = np.random.default_rng(3)
    generator, discriminator = (net.astype(np.float64) for net in small_gan(rng))
    check_discriminator_step(generator, discriminator, NonSaturating(),
                             rng.standard_normal((5, 4, 2, 1)), rng.standard_normal((9, 3)))


def test_a_small_gan_learns_a_small_distribution():
    rng = np.random.default_rng(4)
    generator = Sequential(Dense(2, 16, rng), LeakyReLU(), Dense(16, 2, rng))
    discriminator = Sequential(Dense(2, 64, rng), LeakyReLU(), Dense(64, 64, rng), LeakyReLU(),
                               Dense(64, 1, rng))
    generator_adam = Adam(generator.parameters(), 1e-3)
    discriminator_adam = Adam(discriminator.parameters(), 3e-3)
    loss, mean, std = NonSaturating(), np.float32([3, -2]), np.float32([0.5, 1])
    for _ in range(1000):
        x_real = mean + std * rng.standard_normal((32, 2), np.float32)
        z = rng.standard_normal((2, 32, 2), np.float32)
        discriminator_step(generator, discriminator, discriminator_adam, loss, x_real, z[0])
        generator_step(generator, discriminator, generator_adam, loss, z[1])
    x_fake = generator(rng.standard_normal((2000, 2), np.float32))
    np.testing.assert_allclose(x_fake.mean(0), mean, atol=0.3)
    np.testing.assert_allclose(x_fake.std(0), std, atol=0.25)
