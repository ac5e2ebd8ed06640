import numpy as np
import pytest

from minigan import Conv2D, ConvTranspose2D, fold, patches
from minigan.gradcheck import check_layer

# N, H, W, C, M, K, S, padding: the shapes that bite.
SHAPES = {
    "ordinary": (2, 6, 6, 3, 4, 3, 1, 1), "DCGAN": (2, 8, 8, 2, 3, 4, 2, 1),
    "stride skips a border": (2, 7, 6, 2, 3, 4, 2, 1), "not square": (2, 4, 9, 2, 3, 3, 2, 0),
    "1 x 1 kernel": (2, 4, 3, 3, 2, 1, 1, 0), "1 x 1 kernel with stride": (2, 5, 4, 3, 2, 1, 2, 0),
    "one channel": (2, 5, 5, 1, 1, 3, 2, 1), "one example": (1, 5, 6, 2, 3, 3, 2, 1),
    "stride above the kernel": (2, 7, 8, 2, 2, 2, 3, 0), "one place": (2, 3, 3, 2, 2, 3, 1, 0),
    "padding above the kernel": (2, 4, 3, 2, 2, 2, 1, 3), "stride 3": (1, 9, 8, 2, 2, 5, 3, 2),
}
every_shape = pytest.mark.parametrize("N, H, W, C, M, K, S, p", SHAPES.values(), ids=SHAPES)


def plain_convolution(x, weight, b, S, p):
    """Six loops that nobody can get wrong."""
    N, H, W, C = x.shape
    K, _, _, M = weight.shape
    P, Q = (H + 2 * p - K) // S + 1, (W + 2 * p - K) // S + 1
    y = np.zeros((N, P, Q, M)) + b
    for n in range(N):
        for r in range(P):
            for q in range(Q):
                for i in range(K):
                    for j in range(K):
                        row, column = S * r + i - p, S * q + j - p
                        for c in range(C):
                            if 0 <= row < H and 0 <= column < W:
                                y[n, r, q] += x[n, row, column, c] * weight[i, j, c]
    return y


def transposed(conv, N, H, W):
    """The ConvTranspose2D whose map is the transpose of conv's, without b; and an x for conv.

    output_padding, one number, is what images of height H need; x is as wide as goes with it.
    """
    K, S, p = conv.window
    P, Q = ((size + 2 * p - K) // S + 1 for size in (H, W))
    layer = ConvTranspose2D(conv.out_channels, conv.in_channels, K, S, p, (H + 2 * p - K) % S)
    layer.astype(np.float64).W.value[...] = conv.W.value.transpose(3, 0, 1, 2)
    shape = layer.output_shape((N, P, Q))
    assert shape[1] == H
    return layer, np.random.default_rng(1).standard_normal(shape)


@every_shape
def test_fold_is_the_transpose_of_patches(N, H, W, C, M, K, S, p):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, H, W, C))
    rows = patches(x, K, S, p)
    other = rng.standard_normal(rows.shape)
    assert (rows * other).sum() == pytest.approx((x * fold(other, x.shape, K, S, p)).sum())


def test_patches_are_the_pieces_of_the_image_row_by_row():
    x = np.arange(2 * 4 * 5 * 2).reshape(2, 4, 5, 2)
    rows = patches(x, 2, stride=2)
    assert rows.shape == (2 * 2 * 2, 8)
    assert np.array_equal(rows[1 * 4 + 1 * 2 + 0].reshape(2, 2, 2), x[1, 2:4, 0:2])


@every_shape
def test_conv2d_is_the_plain_convolution(N, H, W, C, M, K, S, p):
    rng = np.random.default_rng(0)
    layer = Conv2D(C, M, K, S, p, rng).astype(np.float64)
    layer.b.value[...] = rng.standard_normal(M)
    x = rng.standard_normal((N, H, W, C))
    expected = plain_convolution(x, layer.W.value, layer.b.value, S, p)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-12, atol=1e-12)
    assert layer(x).shape == layer.output_shape(x.shape)


@every_shape
def test_conv_transpose_is_the_transpose_of_conv(N, H, W, C, M, K, S, p):
    rng = np.random.default_rng(0)
    conv = Conv2D(C, M, K, S, p, rng).astype(np.float64)
    back, x = transposed(conv, N, H, W)
    y, cache = conv.forward(x)
    dy = rng.standard_normal(y.shape)
    assert back(dy).shape == back.output_shape(dy.shape) == x.shape
    assert (y * dy).sum() == pytest.approx((x * back(dy)).sum())
    np.testing.assert_allclose(conv.input_grad(dy, cache), back(dy), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(back.input_grad(x, dy), y, rtol=1e-12, atol=1e-12)


@every_shape
def test_both_layers_pass_the_gradient_check(N, H, W, C, M, K, S, p):
    rng = np.random.default_rng(0)
    conv = Conv2D(C, M, K, S, p, rng).astype(np.float64)
    check_layer(conv, rng.standard_normal((N, H, W, C)))
    back, x = transposed(conv, N, H, W)
    check_layer(back, conv(x))


@pytest.mark.parametrize(
    "layer", [Conv2D(3, 4, 3, 2, 1), ConvTranspose2D(3, 4, 3, 2, 1, 1)], ids=repr)
def test_training_stays_in_float32(layer):
    x = np.ones((2, 5, 5, 3), np.float32)
    y, cache = layer.forward(x)
    assert {y.dtype, layer.backward(y, cache).dtype, layer.W.grad.dtype} == {np.dtype(np.float32)}


def test_by_default_outputs_vary_as_much_as_inputs():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 16, 16, 32), np.float32)
    for layer in [Conv2D(32, 32, 4, 2, rng=rng), ConvTranspose2D(32, 32, 4, 2, rng=rng)]:
        inner = layer(x)[:, 2:-2, 2:-2]  # not at the border, where a ConvTranspose adds less
        assert inner.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("make, complaint", [
    (lambda: Conv2D(3, 4, 3)(np.ones((2, 5, 5, 1), "f")), r"\(N, H, W, 3\), got \(2, 5, 5, 1\)"),
    (lambda: Conv2D(3, 4, 3)(np.ones((2, 5, 3), "f")), r"\(N, H, W, 3\), got \(2, 5, 3\)"),
    (lambda: Conv2D(3, 4, 5)(np.ones((2, 4, 4, 3), "f")), "larger images"),
    (lambda: ConvTranspose2D(3, 4, 1, padding=1)(np.ones((2, 2, 1, 3), "f")), "larger images"),
    (lambda: ConvTranspose2D(3, 4, 3, stride=2, output_padding=2), "as output_padding, got 2"),
    (lambda: Conv2D(3, 4, 0), "Conv2D takes a whole number from 1 as kernel_size, got 0"),
    (lambda: Conv2D(3, 4, 3, padding=-1), "Conv2D takes a whole number from 0 as padding, got -1")])
def test_impossible_convolutions_are_refused(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


def test_repr_is_the_constructor_call():
    assert repr(Conv2D(3, 4, 5, stride=2, padding=1)) == "Conv2D(3, 4, 5, stride=2, padding=1)"
    layer = ConvTranspose2D(3, 4, 5, 2, 1, 1)
    assert repr(layer) == "ConvTranspose2D(3, 4, 5, stride=2, padding=1, output_padding=1)"
