import numpy as np
import pytest

from minigan import Dropout, GaussianNoise
from minigan.gradcheck import check_layer


@pytest.mark.parametrize("layer", [Dropout(0.4), GaussianNoise(0.3)], ids=repr)
@pytest.mark.parametrize("train", [True, False], ids=["training", "in use"])
def test_noise_layers_pass_the_gradient_check(layer, train):
    check_layer(layer, np.random.default_rng(0).standard_normal((6, 5)), train)


def test_dropout_zeroes_a_share_p_and_keeps_the_mean():
    x = np.ones((1000, 100), np.float32)
    y, _ = Dropout(0.3, np.random.default_rng(0)).forward(x)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.7)}


def test_gaussian_noise_has_the_standard_deviation_asked_for():
    y, _ = GaussianNoise(0.5, np.random.default_rng(0)).forward(np.full((1000, 100), 3, np.float32))
    assert y.std() == pytest.approx(0.5, abs=0.01) and y.mean() == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("layer", [Dropout(0.5), GaussianNoise(1.0)], ids=repr)
def test_in_use_noise_layers_pass_x_on(layer):
    x = np.random.default_rng(0).standard_normal((4, 3), np.float32)
    assert np.array_equal(layer(x), x)


@pytest.mark.parametrize("layer", [Dropout(0.5), GaussianNoise(1.0)], ids=repr)
def test_every_forward_draws_anew_and_keeps_float32(layer):
    x = np.ones((20, 20), np.float32)
    (y1, cache), (y2, _) = layer.forward(x), layer.forward(x)
    assert not np.array_equal(y1, y2)
    assert y1.dtype == layer.input_grad(x, cache).dtype == np.float32


@pytest.mark.parametrize("cls", [Dropout, GaussianNoise])
def test_the_same_generator_state_or_seed_gives_the_same_noise_and_none_gives_new(cls):
    x = np.ones((20, 20), np.float32)
    for rng in [0, 3]:
        a, b = (cls(0.5, np.random.default_rng(rng)).forward(x)[0] for _ in range(2))
        assert np.array_equal(a, b) and np.array_equal(a, cls(0.5, rng).forward(x)[0])
    assert not np.array_equal(cls(0.5).forward(x)[0], cls(0.5).forward(x)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls", [Dropout, GaussianNoise])
def test_the_dtype_is_that_of_x_even_if_the_argument_is_a_numpy_number(cls, dtype):
    assert cls(np.float64(0.5)).forward(np.ones((4, 3), dtype))[0].dtype == dtype


def test_impossible_noise_is_refused():
    for p in [-0.1, 1, 1.5]:
        with pytest.raises(ValueError, match=r"Dropout takes a number in \[0, 1\) as p"):
            Dropout(p)
    with pytest.raises(ValueError, match="GaussianNoise takes a number from 0 as std"):
        GaussianNoise(-1)
