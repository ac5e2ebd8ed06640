import numpy as np
import pytest

from minigan import BatchNorm, LayerNorm, Sequential, Tanh
from minigan.gradcheck import check_layer

SHAPES = [(6, 4), (3, 2, 5, 4), (2, 1), (1, 3, 2, 4)]


def norm(cls, channels):
    """A norm with gamma, beta and running statistics that are not their initial ones."""
    rng = np.random.default_rng(1)
    layer = cls(channels).astype(np.float64)
    for p in layer.parameters():
        p.value[...] = rng.uniform(0.5, 2, channels)
    for name in layer.buffers:
        setattr(layer, name, rng.uniform(0.5, 2, channels))
    return layer


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("train", [True, False], ids=["training", "in use"])
def test_batchnorm_passes_the_gradient_check_in_both_modes(shape, train):
    x = 3 + 2 * np.random.default_rng(0).standard_normal(shape)
    check_layer(norm(BatchNorm, shape[-1]), x, train)


@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 5, 4), (1, 4), (2, 3, 3, 1)])
def test_layernorm_passes_the_gradient_check(shape):
    x = 3 + 2 * np.random.default_rng(0).standard_normal(shape)
    check_layer(norm(LayerNorm, shape[-1]), x)


def test_the_chain_rule_holds_through_both_norms():
    net = Sequential(norm(BatchNorm, 4), Tanh(), norm(LayerNorm, 4))
    check_layer(net, np.random.default_rng(0).standard_normal((5, 3, 2, 4)))


def test_batchnorm_normalises_each_feature_over_the_batch():
    x = 3 + 2 * np.random.default_rng(0).standard_normal((64, 5, 5, 4))
    y, _ = BatchNorm(4).astype(np.float64).forward(x)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, rtol=1e-4)


def test_layernorm_normalises_each_example_alone():
    x = 3 + 2 * np.random.default_rng(0).standard_normal((8, 5, 5, 4))
    layer = LayerNorm(4).astype(np.float64)
    y, _ = layer.forward(x)
    np.testing.assert_allclose(y.mean((1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((1, 2, 3)), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.forward(x[:1])[0], y[:1])


def test_running_statistics_follow_their_formula_and_replace_the_batch_in_use():
    layer = BatchNorm(2, momentum=0.75, eps=1e-3).astype(np.float64)
    x = 3 + 2 * np.random.default_rng(0).standard_normal((50, 2))
    layer.forward(x)
    np.testing.assert_allclose(layer.running_mean, 0.25 * x.mean(0))
    np.testing.assert_allclose(layer.running_var, 0.75 + 0.25 * x.var(0))
    expected = (x - layer.running_mean) / np.sqrt(layer.running_var + 1e-3)
    np.testing.assert_allclose(layer(x), expected)


def test_batchnorm_refuses_to_train_on_one_value_per_feature():
    with pytest.raises(ValueError, match=r"BatchNorm\(4\) needs more than one value per feature"):
        BatchNorm(4).forward(np.ones((1, 4), np.float32))
    BatchNorm(4)(np.ones((1, 4), np.float32))  # in use it is fine


@pytest.mark.parametrize("norm", [BatchNorm(3, np.float64(0.9), np.float64(1e-5)),
                                  LayerNorm(3, np.float64(1e-5))], ids=repr)
def test_numpy_numbers_as_arguments_leave_float32_alone(norm):
    y, _ = norm.forward(np.ones((4, 3), np.float32))
    assert {y.dtype, *(array.dtype for array in norm.state_dict().values())} == {y.dtype}
    assert y.dtype == np.float32


@pytest.mark.parametrize("cls", [BatchNorm, LayerNorm])
def test_another_number_of_features_is_refused(cls):
    with pytest.raises(ValueError, match=r"\(4\) takes x of shape \(N, ..., 4\), got \(8, 3\)"):
        cls(4).forward(np.ones((8, 3), np.float32))
