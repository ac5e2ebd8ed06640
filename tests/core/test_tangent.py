"""Second order: every layer carries pairs (x, x_dot) up, and takes their gradients back down."""
import numpy as np
import pytest

from minigan import (
    AveragePool2D, BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Flatten, GaussianNoise,
    Layer, LayerNorm, LeakyReLU, MaxPool2D, ReLU, Reshape, Sequential, Sigmoid, SpectralNorm, Tanh,
    Upsample2D)
from minigan.gradcheck import GradientError, check_tangent

LINEAR_IN_PIECES = {  # a layer, and a shape of x that bites
    "Dense": (lambda: Dense(4, 3), (5, 4)),
    "Dense, square": (lambda: Dense(3, 3), (5, 3)),  # nothing transposed is betrayed by its shape
    "Dense, one example": (lambda: Dense(4, 3), (1, 4)),
    "Dense, one number": (lambda: Dense(1, 1), (2, 1)),
    "ReLU": (ReLU, (5, 4)),
    "LeakyReLU": (LeakyReLU, (2, 3, 4, 2)),
    "Conv2D": (lambda: Conv2D(3, 4, 3, 1, 1), (2, 5, 5, 3)),
    "Conv2D, stride skips a border": (lambda: Conv2D(2, 3, 4, 2, 1), (2, 7, 6, 2)),
    "Conv2D, not square": (lambda: Conv2D(2, 3, 3, 2), (2, 4, 9, 2)),
    "Conv2D, kernel 1 and stride 2": (lambda: Conv2D(3, 2, 1, 2), (2, 5, 4, 3)),
    "Conv2D, one example and channel": (lambda: Conv2D(1, 1, 3, 2, 1), (1, 5, 6, 1)),
    "Conv2D, padding above the kernel": (lambda: Conv2D(2, 2, 2, 1, 3), (2, 4, 3, 2)),
    "ConvTranspose2D": (lambda: ConvTranspose2D(3, 2, 4, 2, 1), (2, 2, 3, 3)),
    "ConvTranspose2D, output_padding": (lambda: ConvTranspose2D(2, 3, 3, 2, 1, 1), (2, 3, 2, 2)),
    "ConvTranspose2D, stride above kernel": (lambda: ConvTranspose2D(2, 3, 2, 3), (2, 2, 3, 2)),
    "ConvTranspose2D, one example and channel": (lambda: ConvTranspose2D(1, 1, 1), (1, 2, 3, 1)),
    "SpectralNorm of Dense": (lambda: SpectralNorm(Dense(4, 3)), (5, 4)),
    "SpectralNorm of Conv2D": (lambda: SpectralNorm(Conv2D(2, 3, 3, 2, 1)), (2, 5, 6, 2)),
    "SpectralNorm of ConvTranspose2D": (
        lambda: SpectralNorm(ConvTranspose2D(2, 3, 3, 2, 1, 1)), (2, 3, 2, 2)),
    "MaxPool2D": (lambda: MaxPool2D(2), (2, 4, 5, 2)),
    "MaxPool2D, patches overlap": (lambda: MaxPool2D(3, 2), (1, 5, 6, 2)),
    "AveragePool2D": (lambda: AveragePool2D(2), (2, 4, 5, 2)),
    "AveragePool2D, patches overlap": (lambda: AveragePool2D(3, 2), (1, 5, 6, 2)),
    "Upsample2D": (lambda: Upsample2D(3), (2, 2, 3, 2)),
    "Dropout": (lambda: Dropout(0.4, rng=0), (5, 4)),
    "GaussianNoise": (lambda: GaussianNoise(0.5, rng=0), (5, 4)),
    "Flatten": (Flatten, (3, 2, 4, 1)),
    "Reshape": (lambda: Reshape(3, 2, 1), (4, 6)),
    "Sequential, linear in pieces": (
        lambda: Sequential(Flatten(), Dense(8, 4), LeakyReLU(), Dense(4, 1)), (3, 2, 4, 1)),
}
CURVED = {
    "Tanh": (Tanh, (5, 4)),
    "Tanh, images": (Tanh, (1, 3, 2, 2)),
    "Sigmoid": (Sigmoid, (5, 4)),
    "Sigmoid, images": (Sigmoid, (1, 3, 2, 2)),
    "LayerNorm": (lambda: LayerNorm(4), (6, 4)),
    "LayerNorm, images": (lambda: LayerNorm(4), (3, 2, 5, 4)),
    "LayerNorm, one example": (lambda: LayerNorm(4), (1, 4)),
    "LayerNorm, one channel": (lambda: LayerNorm(1), (2, 3, 3, 1)),
    "LayerNorm, large eps": (lambda: LayerNorm(4, eps=0.5), (3, 4)),
    "Sequential, dense": (
        lambda: Sequential(Flatten(), Dense(8, 4), Tanh(), Dense(4, 3), LayerNorm(3), LeakyReLU(),
                           Dense(3, 1)), (3, 2, 4, 1)),
    "Sequential, convolutional": (
        lambda: Sequential(Conv2D(1, 2, 4, 2, 1), LayerNorm(2), Sigmoid(), Dropout(0.3, rng=1),
                           Sequential(ConvTranspose2D(2, 2, 2, 2), Tanh()), Flatten(),
                           SpectralNorm(Dense(32, 1))), (2, 4, 5, 1)),
}
LAYERS = {**LINEAR_IN_PIECES, **CURVED}
every_layer = pytest.mark.parametrize("make, shape", LAYERS.values(), ids=LAYERS)


def at_random(make, shape):
    """The layer in float64, with random parameters (at gamma = 1 a forgotten gamma hides), and x.
    """
    rng = np.random.default_rng(0)
    layer = make().astype(np.float64)
    for p in layer.parameters():
        p.value[...] = rng.uniform(0.3, 1.5, p.value.shape) * rng.choice([-1, 1], p.value.shape)
    x = 1.5 * rng.standard_normal(shape)
    for _ in range(300 if "SpectralNorm" in repr(layer) else 0):
        layer.forward(x)  # its gradient holds v constant, so v has to be at its fixed point
    return layer, x


def up(make, shape):
    """The layer after both passes upwards: (layer, R, R_dot, tcache, cache), R like y."""
    layer, x = at_random(make, shape)
    y, cache = layer.forward(x)
    x_dot, R, R_dot = (np.random.default_rng(1).standard_normal(s)
                       for s in (x.shape, y.shape, y.shape))
    _, tcache = layer.tangent(x_dot, cache)
    return layer, R, R_dot, tcache, cache


def grads(layer):
    return [p.grad.copy() for p in layer.parameters()]


# The sweeps up and down are right.

@every_layer
def test_the_tangent_and_the_way_back_agree_with_finite_differences(make, shape):
    check_tangent(*at_random(make, shape))


@pytest.mark.parametrize("name", [
    "Dropout", "GaussianNoise", "SpectralNorm of Dense", "Sequential, convolutional"])
def test_both_agree_in_use_as_well(name):
    check_tangent(*at_random(*LAYERS[name]), train=False)


def test_in_use_spectral_norm_is_exact_at_any_v():
    rng = np.random.default_rng(0)
    check_tangent(SpectralNorm(Dense(4, 3, rng)).astype(np.float64), rng.standard_normal((5, 4)),
                  train=False)


@every_layer
def test_y_dot_is_linear_in_x_dot(make, shape):
    layer, x = at_random(make, shape)
    _, cache = layer.forward(x)
    a, b = np.random.default_rng(1).standard_normal((2, *shape))
    together, _ = layer.tangent(2 * a - 3 * b, cache)
    (of_a, _), (of_b, _) = layer.tangent(a, cache), layer.tangent(b, cache)
    np.testing.assert_allclose(together, 2 * of_a - 3 * of_b, rtol=1e-12, atol=1e-12)


@every_layer
def test_tangent_and_input_grad_are_each_others_transpose(make, shape):
    layer, x = at_random(make, shape)
    y, cache = layer.forward(x)
    rng = np.random.default_rng(1)
    x_dot, R = rng.standard_normal(x.shape), rng.standard_normal(y.shape)
    y_dot, _ = layer.tangent(x_dot, cache)
    assert y_dot.shape == y.shape
    assert (R * y_dot).sum() == pytest.approx(
        (layer.input_grad(R, cache) * x_dot).sum(), rel=1e-12, abs=1e-12)


def test_the_tangent_of_dropout_takes_the_mask_of_its_forward_pass():
    layer, x = Dropout(0.5, rng=0), np.ones((20, 20))
    y, mask = layer.forward(x)
    layer.forward(x)  # another mask has been drawn since
    assert np.array_equal(layer.tangent(x, mask)[0], y)


# The contract of the way back.

@every_layer
def test_it_comes_in_two_halves(make, shape):
    layer, *given = up(make, shape)
    dx, dx_dot = layer.tangent_backward(*given)
    whole = grads(layer)
    layer.zero_grad()
    np.testing.assert_equal(layer.tangent_input_grads(*given), (dx, dx_dot))
    assert not any(grad.any() for grad in grads(layer))
    layer.add_tangent_param_grads(*given)
    for found, expected in zip(grads(layer), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@every_layer
def test_dy_none_is_dy_zero(make, shape):
    layer, R, R_dot, *caches = up(make, shape)
    dx, dx_dot = layer.tangent_backward(np.zeros_like(R), R_dot, *caches)
    with_zeros = grads(layer)
    layer.zero_grad()
    dx_none, dx_dot_none = layer.tangent_backward(None, R_dot, *caches)
    np.testing.assert_allclose(dx_dot_none, dx_dot, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(0 * dx if dx_none is None else dx_none, dx, rtol=1e-12, atol=1e-12)
    for found, expected in zip(grads(layer), with_zeros, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_from_dy_none_comes_dx_none_where_nothing_curves(name):
    layer, _, R_dot, *caches = up(*LAYERS[name])
    dx, _ = layer.tangent_input_grads(None, R_dot, *caches)
    assert (dx is None) == (name in LINEAR_IN_PIECES)


@every_layer
def test_gradients_are_added_to_what_is_there(make, shape):
    layer, *given = up(make, shape)
    layer.tangent_backward(*given)
    once = grads(layer)
    for p in layer.parameters():
        p.grad.fill(0.5)
    layer.tangent_backward(*given)
    for found, expected in zip(grads(layer), once, strict=True):
        np.testing.assert_allclose(found, expected + 0.5, rtol=1e-12, atol=1e-12)


@every_layer
def test_nothing_is_written_into_arguments_or_caches(make, shape):
    layer, x = at_random(make, shape)
    y, cache = layer.forward(x)
    rng = np.random.default_rng(1)
    given = [x, *(rng.standard_normal(a.shape) for a in (x, y, y))]
    copies, values = [a.copy() for a in given], layer.state_dict()
    _, x_dot, R, R_dot = given

    def sweep():
        layer.zero_grad()
        y_dot, tcache = layer.tangent(x_dot, cache)
        return y_dot, layer.tangent_backward(R, R_dot, tcache, cache), grads(layer)
    first = sweep()
    np.testing.assert_equal(sweep(), first)  # so the cache is as it was
    np.testing.assert_equal(given, copies)
    np.testing.assert_equal(layer.state_dict(), values)


@every_layer
def test_training_stays_in_float32(make, shape):
    layer, x = make(), np.random.default_rng(0).standard_normal(shape, np.float32)
    y, cache = layer.forward(x)
    y_dot, tcache = layer.tangent(x, cache)
    dx, dx_dot = layer.tangent_backward(y, y, tcache, cache)
    assert {array.dtype for array in (y_dot, dx, dx_dot, *grads(layer))} == {np.dtype(np.float32)}


def test_below_the_first_layer_that_learns_no_gradient_is_computed(monkeypatch):
    net, R, *others = up(*LAYERS["Sequential, dense"])
    net.tangent_backward(R, *others)
    whole = grads(net)

    def nobody_asks(*_):
        raise AssertionError("a product for nobody")
    for layer in net.layers[:2]:  # Flatten, and the Dense that learns
        for name in ["input_grad", "tangent_input_grads", "tangent_backward"]:
            monkeypatch.setattr(layer, name, nobody_asks)
    net.zero_grad()
    net.add_tangent_param_grads(R, *others)
    np.testing.assert_equal(grads(net), whole)
    net.add_tangent_param_grads(None, *others)


# Layers that take no penalty say so.

@pytest.mark.parametrize("train", [True, False], ids=["training", "in use"])
@pytest.mark.parametrize("net", [BatchNorm(4), Sequential(Dense(4, 4), BatchNorm(4), Tanh())],
                         ids=repr)
def test_batchnorm_refuses_and_says_why(net, train):
    x = np.random.default_rng(0).standard_normal((5, 4), np.float32)
    _, cache = net.forward(x, train)
    with pytest.raises(NotImplementedError, match=(
            r"^BatchNorm\(4\) takes no gradient penalty: it mixes the examples .* use LayerNorm")):
        net.tangent(x, cache)


def test_a_layer_without_a_tangent_is_named():
    class Square(Layer):
        def forward(self, x, train=True):
            return x * x, x

        def input_grad(self, dy, x):
            return 2 * x * dy

    net, x = Sequential(Tanh(), Square()), np.ones((2, 3))
    _, cache = net.forward(x)
    with pytest.raises(NotImplementedError, match=r"^Square\(\) defines no tangent"):
        net.tangent(x, cache)


# The check of tangents is checked itself.

def test_only_float64_is_accepted():
    with pytest.raises(TypeError, match="float64, got float32"):
        check_tangent(Tanh(), np.ones((2, 3), np.float32))


def test_a_check_of_tangents_changes_neither_values_nor_statistics_nor_random_streams():
    rng = np.random.default_rng(0)
    net = Sequential(Dropout(0.5, rng), SpectralNorm(Dense(4, 3, rng))).astype(np.float64)
    x = rng.standard_normal((5, 4))
    for _ in range(300):
        net.forward(x)
    before, stream = net.state_dict(), rng.bit_generator.state
    check_tangent(net, x)
    np.testing.assert_equal(net.state_dict(), before)
    assert rng.bit_generator.state == stream


def test_gradients_of_an_earlier_pass_do_not_disturb_the_check():
    layer, x = at_random(*LAYERS["Dense"])
    layer.W.grad.fill(0.5)
    check_tangent(layer, x)


def test_an_element_whose_relu_changes_sides_is_counted_apart():
    x = np.random.default_rng(0).standard_normal((6, 4))
    x[1, 2] = 1e-9  # nearer to the kink than the step of the differences
    y_dot, dx, dx_dot = check_tangent(LeakyReLU(), x)
    assert (y_dot.kinks, dx.kinks, dx_dot.kinks) == (1, 1, 0)


def test_the_report_names_the_tangent_and_what_was_compared():
    report = check_tangent(*at_random(*LAYERS["Dense"]))
    assert str(report).startswith("Dense(4, 3), tangent\n")
    assert [comparison.name for comparison in report] == ["y_dot", "dx", "dx_dot", "W", "b"]


# Mistakes: a class with one method broken, which the check must catch.

class DenseForgetsXDot(Dense):
    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        self.add_param_grads(dy, x)


class DenseForgetsY(Dense):
    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        self.W.grad += x_dot.T @ dy_dot


class DenseTransposed(Dense):
    def tangent(self, x_dot, x):
        return x_dot @ self.W.value.T, x_dot


class DenseAddsDyDotToB(Dense):
    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        super().add_tangent_param_grads(dy, dy_dot, x_dot, x)
        self.b.grad += dy_dot.sum(0)


class DenseMovesB(Dense):
    def tangent(self, x_dot, x):
        return x_dot @ self.W.value + self.b.value, x_dot


class DenseSweepsBackOnlyOnce(Dense):
    def tangent_input_grads(self, dy, dy_dot, x_dot, x):
        return np.zeros_like(x), self.input_grad(dy_dot, x)


class TanhWithoutCurvature(Tanh):
    curvature = Layer.curvature


class TanhOfTheOtherSign(Tanh):
    def curvature(self, *args):
        return -super().curvature(*args)


class TanhWithFPrimeTwice(Tanh):
    def curvature(self, dy_dot, dx_dot, x_dot, y):
        return super().curvature(dy_dot, dx_dot * (1 - y * y), x_dot, y)


class SigmoidWithoutCurvature(Sigmoid):
    curvature = Layer.curvature


class SigmoidCurvedLikeTanh(Sigmoid):
    curvature = Tanh.curvature


class LeakyReLUOfTheTangent(LeakyReLU):
    def tangent(self, x_dot, y):
        return self.forward(x_dot)


class ConvForgetsXDot(Conv2D):
    add_tangent_param_grads = Layer.add_tangent_param_grads


class ConvWithTheRowsOfX(Conv2D):
    def add_tangent_param_grads(self, dy, dy_dot, rows_dot, cache):
        super().add_tangent_param_grads(dy, dy_dot, cache, cache)


class ConvMovesB(Conv2D):
    def tangent(self, x_dot, cache):
        return self.forward(x_dot)


class ConvTransposeForgetsXDot(ConvTranspose2D):
    add_tangent_param_grads = Layer.add_tangent_param_grads


class ConvTransposeMovesB(ConvTranspose2D):
    def tangent(self, x_dot, x):
        return self.forward(x_dot)


class SpectralNormForgetsSigma(SpectralNorm):
    def tangent(self, x_dot, cache):
        return self.layer.tangent(x_dot, cache[0])


class SpectralNormWithSigmaConstant(SpectralNorm):
    def add_through_sigma(self, cache):
        normed, _, _, sigma = cache
        self.layer.W.grad += normed.W.grad / sigma


class LayerNormWithoutCurvature(LayerNorm):
    curvature = Layer.curvature


class LayerNormForgetsGammaInTheTangent(LayerNorm):
    def tangent(self, x_dot, cache):
        y_dot, kept = super().tangent(x_dot, cache)
        return y_dot / self.gamma.value, kept


class LayerNormForgetsGammaOfYDot(LayerNorm):
    add_tangent_param_grads = Layer.add_tangent_param_grads


class MaxPoolOfTheTangent(MaxPool2D):
    def tangent(self, x_dot, cache):
        return self.forward(x_dot)[0], None


class DropoutForgottenInTheTangent(Dropout):
    def tangent(self, x_dot, mask):
        return x_dot, None


class NoiseMovesWithX(GaussianNoise):
    def tangent(self, x_dot, _):
        return self.forward(x_dot)


class BackInTheWrongOrder(Sequential):
    def tangent_backward(self, dy, dy_dot, tcaches, caches):
        for layer, *kept in zip(self.layers, tcaches, caches):
            dy, dy_dot = layer.tangent_backward(dy, dy_dot, *kept)
        return dy, dy_dot


class BackWithoutTheCurvatureOfWhatIsAbove(Sequential):
    def tangent_backward(self, dy, dy_dot, tcaches, caches):
        for layer, *kept in reversed(list(zip(self.layers, tcaches, caches))):
            _, dy_dot = layer.tangent_backward(dy, dy_dot, *kept)
            dy = layer.input_grad(dy, kept[1])
        return dy, dy_dot


MISTAKES = [
    (lambda: DenseForgetsXDot(4, 3), (5, 4)),
    (lambda: DenseForgetsY(4, 3), (5, 4)),
    (lambda: DenseTransposed(4, 4), (5, 4)),
    (lambda: DenseAddsDyDotToB(4, 3), (5, 4)),
    (lambda: DenseMovesB(4, 3), (5, 4)),
    (lambda: DenseSweepsBackOnlyOnce(4, 3), (5, 4)),
    (TanhWithoutCurvature, (5, 4)),
    (TanhOfTheOtherSign, (5, 4)),
    (TanhWithFPrimeTwice, (5, 4)),
    (SigmoidWithoutCurvature, (5, 4)),
    (SigmoidCurvedLikeTanh, (5, 4)),
    (LeakyReLUOfTheTangent, (5, 4)),
    (lambda: ConvForgetsXDot(2, 3, 3, 2, 1), (2, 5, 4, 2)),
    (lambda: ConvWithTheRowsOfX(2, 3, 3, 2, 1), (2, 5, 4, 2)),
    (lambda: ConvMovesB(2, 3, 3, 2, 1), (2, 5, 4, 2)),
    (lambda: ConvTransposeForgetsXDot(2, 3, 3, 2, 1), (2, 2, 3, 2)),
    (lambda: ConvTransposeMovesB(2, 3, 3, 2, 1), (2, 2, 3, 2)),
    (lambda: SpectralNormForgetsSigma(Dense(4, 3)), (5, 4)),
    (lambda: SpectralNormWithSigmaConstant(Dense(4, 3)), (5, 4)),
    (lambda: LayerNormWithoutCurvature(4), (5, 4)),
    (lambda: LayerNormForgetsGammaInTheTangent(4), (5, 4)),
    (lambda: LayerNormForgetsGammaOfYDot(4), (5, 4)),
    (lambda: MaxPoolOfTheTangent(2), (2, 4, 5, 2)),
    (lambda: DropoutForgottenInTheTangent(0.4, rng=0), (5, 4)),
    (lambda: NoiseMovesWithX(0.5, rng=0), (5, 4)),
    (lambda: BackInTheWrongOrder(Dense(4, 4), Tanh(), Dense(4, 4)), (5, 4)),
    (lambda: BackWithoutTheCurvatureOfWhatIsAbove(Dense(4, 4), Tanh(), Dense(4, 4)), (5, 4)),
]


@pytest.mark.parametrize("make, shape", MISTAKES, ids=[repr(make()) for make, _ in MISTAKES])
def test_a_mistake_in_the_second_order_is_caught(make, shape):
    with pytest.raises(GradientError, match="wrong gradient"):
        check_tangent(*at_random(make, shape))


class LayerNormInTerms(LayerNorm):
    """The curvature of LayerNorm as the list of its terms: inv_std, x_hat and x_hat, each of which
    depends on x."""

    kept = (0, 1, 2)

    def curvature(self, dy_dot, dx_dot, tcache, cache):
        (x_hat, inv_std, _), (x_dot, x_hat_dot) = cache, tcache
        dx_hat_dot = self.gamma.value * dy_dot.reshape(x_hat.shape)
        terms = [x_hat * self.mean(dx_hat_dot * x_hat_dot),
                 x_hat_dot * self.mean(dx_hat_dot * x_hat),
                 dx_dot.reshape(x_hat.shape) * self.mean(x_dot * x_hat)]
        return (sum(terms[i] for i in self.kept) * -inv_std).reshape(dy_dot.shape)


@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 5, 4)])
def test_each_of_the_three_terms_of_layernorms_curvature_is_needed(shape):
    layer, x = at_random(lambda: LayerNormInTerms(4), shape)
    check_tangent(layer, x)
    for layer.kept in [(1, 2), (0, 2), (0, 1)]:
        with pytest.raises(GradientError, match="\ndx .* WRONG"):
            check_tangent(layer, x)
