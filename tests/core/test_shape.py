import numpy as np
import pytest

from minigan import Flatten, Reshape
from minigan.gradcheck import check_layer


@pytest.mark.parametrize("layer, shape, expected", [
    (Flatten(), (3, 2, 4, 1), (3, 8)), (Flatten(), (1, 5), (1, 5)),
    (Reshape(2, 4, 1), (3, 8), (3, 2, 4, 1)), (Reshape(8), (3, 4, 2), (3, 8))])
def test_shapes_change_as_promised_and_pass_the_gradient_check(layer, shape, expected):
    x = np.random.default_rng(0).standard_normal(shape)
    assert layer(x).shape == expected
    check_layer(layer, x)


def test_reshape_refuses_another_size_even_if_the_batch_could_make_up_for_it():
    with pytest.raises(ValueError, match="takes x with 4 numbers per example, got .2, 6."):
        Reshape(2, 2)(np.ones((2, 6)))
