import numpy as np
import pytest

from minigan import LeakyReLU, ReLU, Sigmoid, Tanh
from minigan.gradcheck import check_layer

FORMULAS = {  # f, f'
    ReLU(): (lambda x: np.where(x > 0, x, 0), lambda x: np.where(x > 0, 1, 0)),
    LeakyReLU(0.2): (lambda x: np.where(x > 0, x, 0.2 * x), lambda x: np.where(x > 0, 1, 0.2)),
    LeakyReLU(0.01): (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01)),
    Tanh(): (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    Sigmoid(): (lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (2 * np.cosh(x / 2)) ** 2),
}


@pytest.mark.parametrize("layer", FORMULAS, ids=repr)
@pytest.mark.parametrize("shape", [(4, 5), (1, 1), (2, 3, 4, 2)])
def test_each_activation_passes_the_gradient_check(layer, shape):
    check_layer(layer, np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("layer", FORMULAS, ids=repr)
def test_each_activation_is_its_formula(layer):
    f, f_prime = FORMULAS[layer]
    x = np.linspace(-5, 5, 101)[:, None]
    y, cache = layer.forward(x)
    np.testing.assert_allclose(y, f(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        layer.input_grad(np.ones_like(x), cache), f_prime(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer", FORMULAS, ids=repr)
def test_each_activation_keeps_float32_and_stays_finite(layer):
    x = np.array([[-1e4, -1000, 0, 1000, 1e4]], np.float32)
    y, cache = layer.forward(x)
    dx = layer.input_grad(np.ones_like(y), cache)
    assert y.dtype == dx.dtype == np.float32
    assert np.isfinite(y).all() and np.isfinite(dx).all()


@pytest.mark.parametrize("slope", [-0.1, 0, 1, 2])
def test_leaky_relu_refuses_slopes_for_which_its_formula_is_wrong(slope):
    with pytest.raises(ValueError, match=r"in \(0, 1\), for 0 use ReLU\(\), as negative_slope"):
        LeakyReLU(slope)
