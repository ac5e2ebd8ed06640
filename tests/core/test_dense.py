import numpy as np
import pytest

from minigan import Dense
from minigan.gradcheck import check_layer


@pytest.mark.parametrize("N, D, M", [(5, 4, 3), (1, 4, 3), (5, 1, 1), (3, 3, 3)])
def test_dense_passes_the_gradient_check(N, D, M):
    rng = np.random.default_rng(0)
    check_layer(Dense(D, M, rng).astype(np.float64), rng.standard_normal((N, D)))


def test_dense_is_its_formula():
    layer = Dense(3, 2)
    layer.W.value[...] = [[1, 2], [3, 4], [5, 6]]
    layer.b.value[...] = [10, 20]
    assert layer(np.array([[1, 0, 2]], np.float32)).tolist() == [[21, 34]]


def test_weights_start_with_the_standard_deviation_asked_for_and_follow_the_generator():
    W = Dense(400, 300, np.random.default_rng(0)).W.value
    assert W.std() == pytest.approx(400 ** -0.5, rel=0.02) and abs(W.mean()) < 1e-3
    assert Dense(400, 300, std=0.02).W.value.std() == pytest.approx(0.02, rel=0.02)
    assert np.array_equal(W, Dense(400, 300, np.random.default_rng(0)).W.value)
    assert W.dtype == np.float32 and not Dense(4, 3).b.value.any()
    assert Dense(4, 3, std=np.float64(0.1)).W.value.dtype == np.float32
    assert not Dense(4, 3, std=0).W.value.any()
    assert np.array_equal(Dense(4, 3, 0).W.value, Dense(4, 3, np.random.default_rng(0)).W.value)
    assert not np.array_equal(Dense(4, 3).W.value, Dense(4, 3).W.value)


def test_images_are_refused_with_the_advice_to_flatten():
    with pytest.raises(ValueError) as error:
        Dense(784, 256)(np.zeros((64, 28, 28, 1), np.float32))
    assert str(error.value) == ("Dense(784, 256) takes x of shape (N, 784), got (64, 28, 28, 1): "
                                "put Flatten() in front")
    with pytest.raises(ValueError, match=r"takes x of shape \(N, 784\), got \(64, 100\)$"):
        Dense(784, 256)(np.zeros((64, 100), np.float32))
    for shape in [(784,), (2, 784, 1)]:
        with pytest.raises(ValueError, match="takes x of shape"):
            Dense(784, 256)(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="Dense takes a whole number from 1 as in_features, got 0"):
        Dense(0, 3)
