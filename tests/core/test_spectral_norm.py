import numpy as np
import pytest

from minigan import (
    BatchNorm, Conv2D, ConvTranspose2D, Dense, Flatten, LeakyReLU, Sequential, SpectralNorm, Tanh)
from minigan.gradcheck import check_layer

every_layer = pytest.mark.parametrize("make, shape", [
    (lambda rng: Dense(5, 4, rng), (6, 5)),
    (lambda rng: Conv2D(2, 3, 3, 2, 1, rng), (2, 5, 6, 2)),
    (lambda rng: ConvTranspose2D(2, 3, 3, 2, 1, 1, rng), (2, 3, 4, 2)),
], ids=["Dense", "Conv2D", "ConvTranspose2D"])


def converged(make, shape, steps=500):
    """The layer in float64, its power iteration run to the end; and an x."""
    rng = np.random.default_rng(0)
    layer = SpectralNorm(make(rng)).astype(np.float64)
    layer.layer.b.value[...] = rng.standard_normal(layer.layer.b.value.shape)
    x = rng.standard_normal(shape)
    for _ in range(steps):
        layer.forward(x)
    return layer, x


def sigma(layer):
    W = layer.layer.W.value
    return np.linalg.svd(W.reshape(-1, W.shape[-1]), compute_uv=False)[0]


@every_layer
@pytest.mark.parametrize("train", [True, False], ids=["training", "in use"])
def test_the_gradient_goes_through_sigma_too(make, shape, train):
    check_layer(*converged(make, shape), train)


@every_layer
def test_in_use_the_gradient_is_exact_at_any_v(make, shape):
    check_layer(*converged(make, shape, steps=0), train=False)


@every_layer
def test_it_is_the_layer_with_w_over_its_largest_singular_value(make, shape):
    layer, x = converged(make, shape)
    y = layer(x)
    layer.layer.W.value /= sigma(layer)
    np.testing.assert_allclose(layer.layer(x), y, rtol=1e-9, atol=1e-12)


def test_one_iteration_per_step_follows_weights_that_move():
    rng = np.random.default_rng(1)
    layer = SpectralNorm(Dense(20, 10, rng)).astype(np.float64)
    for _ in range(200):
        layer.layer.W.value += 0.003 * rng.standard_normal((20, 10))
        _, (_, _, _, found) = layer.forward(np.ones((1, 20)))
    assert found == pytest.approx(sigma(layer), rel=0.02)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_weight_of_zero_gives_b_keeps_v_and_can_learn(make, shape, dtype):
    layer = SpectralNorm(make(np.random.default_rng(0))).astype(dtype)
    layer.layer.W.value.fill(0)
    layer.layer.b.value.fill(3)
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    before = layer.v
    for train in (True, False, True):
        y, cache = layer.forward(x, train)
        assert (y == 3).all() and y.dtype == dtype
        np.testing.assert_allclose(layer.v, before, rtol=1e-5)
    dx = layer.backward(np.ones_like(y), cache)
    assert not dx.any() and layer.v.dtype == dtype
    plain = make(np.random.default_rng(0)).astype(dtype)  # sigma counts as 1: the gradient is its
    plain.W.value.fill(0)
    plain.backward(np.ones_like(y), plain.forward(x)[1])
    np.testing.assert_array_equal(layer.layer.W.grad, plain.W.grad)


def test_in_use_nothing_changes():
    layer = SpectralNorm(Dense(5, 4))
    before = layer.state_dict()
    layer(np.ones((2, 5), np.float32))
    np.testing.assert_equal(layer.state_dict(), before)


def test_it_works_inside_a_network_and_its_state_goes_round():
    rng = np.random.default_rng(2)

    def network():
        return Sequential(SpectralNorm(Conv2D(1, 2, 3, rng=rng)), LeakyReLU(), Flatten(),
                          SpectralNorm(Dense(8, 3, rng)), Tanh())

    net, other = network(), network()
    x = rng.standard_normal((4, 4, 4, 1), np.float32)
    y, cache = net.forward(x)
    assert net.backward(y, cache).dtype == y.dtype == np.float32
    assert {"0.layer.W", "0.layer.b", "0.v", "3.layer.W"} < net.state_dict().keys()
    other.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(other(x), net(x))
    assert len(net.parameters()) == 4
    assert repr(net.layers[3]) == "SpectralNorm(Dense(8, 3))"


def test_only_layers_with_weights_are_wrapped():
    for wrong in [Tanh(), BatchNorm(3)]:
        with pytest.raises(TypeError, match="SpectralNorm takes a layer with a weight W, got"):
            SpectralNorm(wrong)
