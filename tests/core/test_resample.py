import numpy as np
import pytest

from minigan import AveragePool2D, MaxPool2D, Upsample2D
from minigan.gradcheck import check_layer

LAYERS = [MaxPool2D(2), MaxPool2D(3, 2), MaxPool2D(2, 3), MaxPool2D(1), AveragePool2D(2),
          AveragePool2D(3, stride=1), AveragePool2D(2, stride=3), Upsample2D(), Upsample2D(3)]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("shape", [(2, 6, 6, 3), (1, 7, 5, 1)])
def test_resampling_passes_the_gradient_check(layer, shape):
    check_layer(layer, np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("layer", LAYERS[4:], ids=repr)
def test_input_grad_is_the_transpose_of_a_linear_layer(layer):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 7, 6, 3))
    y, cache = layer.forward(x)
    dy = rng.standard_normal(y.shape)
    assert (y * dy).sum() == pytest.approx((x * layer.input_grad(dy, cache)).sum())


@pytest.mark.parametrize("K, S", [(2, None), (3, 2), (2, 1), (2, 3)])
def test_pools_are_their_formulas(K, S):
    x = np.random.default_rng(0).standard_normal((2, 7, 6, 3))
    step = S or K
    for n, p, q, c in np.ndindex(2, (7 - K) // step + 1, (6 - K) // step + 1, 3):
        patch = x[n, step * p:step * p + K, step * q:step * q + K, c]
        assert MaxPool2D(K, S)(x)[n, p, q, c] == patch.max()
        assert AveragePool2D(K, S)(x)[n, p, q, c] == pytest.approx(patch.mean())


def test_the_gradient_of_a_maximum_goes_to_one_pixel_even_if_many_are_equal():
    layer = MaxPool2D(2)
    y, cache = layer.forward(np.ones((1, 4, 4, 1), np.float32))
    dx = layer.input_grad(np.full_like(y, 5), cache)
    assert dx.dtype == np.float32
    assert dx[0, :, :, 0].tolist() == [[5, 0, 5, 0], [0, 0, 0, 0]] * 2


def test_upsampling_repeats_each_pixel():
    x = np.arange(4.0).reshape(1, 2, 2, 1)
    assert Upsample2D(2)(x)[0, :, :, 0].tolist() == [
        [0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


def test_an_image_smaller_than_the_kernel_is_refused():
    with pytest.raises(ValueError, match=r"than a kernel, got \(1, 5, 2, 1\), kernel_size 3"):
        MaxPool2D(3)(np.ones((1, 5, 2, 1)))
