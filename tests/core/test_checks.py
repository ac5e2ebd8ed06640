"""What users get wrong: one clear error that names the thing, what was expected, and what came."""
import numpy as np
import pytest

from minigan import (
    SGD, Adam, AveragePool2D, BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Flatten,
    GaussianNoise, GradientPenalty, LayerNorm, LeakyReLU, LeastSquares, MaxPool2D, NonSaturating,
    Parameter, R1Penalty, ReLU, Reshape, RMSprop, Sequential, Sigmoid, SpectralNorm, Tanh,
    Upsample2D, clip_weights, interpolate, mean_squared_error, patches)

NAN, INF = float("nan"), float("inf")
PARAMETERS = Dense(2, 2).parameters()
NO_COUNT = [0, -1, 2.0, "2", None, True, NAN]
NOT_FROM_0 = [-1, "1", NAN, INF, True]
NOT_IN_0_TO_1 = [-0.1, 1.0, 5, "0.5", None, NAN, True]
NOT_ABOVE_0 = [0, -1, "1", None, NAN, INF]
NO_SEED = ["seed", -1, 0.5, np.random]
SETTINGS = [
    (Dense, dict(in_features=2, out_features=2), "in_features out_features", NO_COUNT),
    (Conv2D, dict(in_channels=1, out_channels=1, kernel_size=3),
     "in_channels out_channels kernel_size stride", NO_COUNT),
    (ConvTranspose2D, dict(in_channels=1, out_channels=1, kernel_size=3),
     "in_channels out_channels kernel_size stride", NO_COUNT),
    (Conv2D, dict(in_channels=1, out_channels=1, kernel_size=3), "padding", [-1, 0.5, "1", None]),
    (ConvTranspose2D, dict(in_channels=1, out_channels=1, kernel_size=3), "output_padding",
     [-1, 0.5, "1", None]),
    (BatchNorm, dict(num_features=4), "num_features", NO_COUNT),
    (BatchNorm, dict(num_features=4), "momentum", NOT_IN_0_TO_1),
    (BatchNorm, dict(num_features=4), "eps", NOT_ABOVE_0),
    (LayerNorm, dict(num_features=4), "eps", NOT_ABOVE_0),
    (MaxPool2D, dict(kernel_size=2), "kernel_size", NO_COUNT),
    (AveragePool2D, dict(kernel_size=2), "stride", [0, -1, 2.0, "2", True]),
    (Upsample2D, {}, "scale", NO_COUNT), (Reshape, {}, "size", NO_COUNT),
    (SpectralNorm, dict(layer=Dense(2, 2)), "power_iterations", NO_COUNT),
    (Dropout, {}, "p", NOT_IN_0_TO_1), (LeakyReLU, {}, "negative_slope", [0, *NOT_IN_0_TO_1]),
    (GaussianNoise, {}, "std", [*NOT_FROM_0, None]),
    (Dense, dict(in_features=2, out_features=2), "std", NOT_FROM_0),
    (NonSaturating, {}, "label_smoothing", NOT_IN_0_TO_1),
    (LeastSquares, {}, "real fake", [NAN, INF, "1", None]),
    (R1Penalty, {}, "weight", NOT_FROM_0), (GradientPenalty, {}, "weight target", NOT_FROM_0),
    (SGD, dict(parameters=PARAMETERS, lr=1), "momentum", NOT_IN_0_TO_1),
    (SGD, dict(parameters=PARAMETERS), "lr", NOT_ABOVE_0),
    (RMSprop, dict(parameters=PARAMETERS), "alpha", NOT_IN_0_TO_1),
    (Adam, dict(parameters=PARAMETERS), "beta1 beta2", NOT_IN_0_TO_1),
    (Adam, dict(parameters=PARAMETERS), "eps lr", NOT_ABOVE_0),
    (Adam, dict(parameters=PARAMETERS), "weight_decay", NOT_FROM_0),
    (clip_weights, dict(parameters=PARAMETERS), "limit", NOT_ABOVE_0),
    (clip_weights, dict(limit=1), "parameters", [Dense(2, 2), [], None, [np.ones(2)]]),
    (Dense, dict(in_features=2, out_features=2), "rng", NO_SEED), (Dropout, {}, "rng", NO_SEED),
    (GradientPenalty, {}, "rng", NO_SEED)]


@pytest.mark.parametrize("make, good, names, wrong", SETTINGS, ids=[
    f"{make.__name__}, {names}" for make, _, names, _ in SETTINGS])
def test_a_setting_that_its_formula_cannot_take_is_refused_by_name(make, good, names, wrong):
    for name in names.split():
        for value in wrong:
            with pytest.raises(ValueError) as error:
                make(value) if make is Reshape else make(**{**good, name: value})
            assert str(error.value).startswith(f"{make.__name__} takes ")
            assert f" as {name}, got {value!r}" in str(error.value)


def test_numbers_of_numpy_are_numbers():
    Dense(np.int64(3), np.int32(2), std=np.float32(0.1))
    Conv2D(1, 1, np.int64(3), padding=np.int8(0))
    BatchNorm(np.int64(3), np.float64(0.5), np.float32(1e-3))


LAYERS = [
    (Dense(6, 4), (5, 6)), (Conv2D(2, 3, 3, 1, 1), (2, 5, 6, 2)),
    (ConvTranspose2D(2, 3, 3, 2, 1, 1), (2, 3, 4, 2)), (BatchNorm(3), (2, 4, 5, 3)),
    (LayerNorm(3), (2, 4, 5, 3)), (BatchNorm(4), (5, 4)), (SpectralNorm(Dense(6, 4)), (5, 6)),
    (ReLU(), (5, 4)), (LeakyReLU(), (5, 4)), (Tanh(), (5, 4)), (Sigmoid(), (5, 4)),
    (Dropout(0.5), (5, 4)), (GaussianNoise(0.5), (5, 4)), (MaxPool2D(2), (2, 4, 6, 3)),
    (AveragePool2D(2), (2, 4, 6, 3)), (Upsample2D(2), (2, 4, 6, 3)), (Flatten(), (2, 3, 4, 1)),
    (Reshape(3, 4, 1), (2, 12)), (Sequential(Flatten(), Dense(12, 3), Tanh()), (2, 3, 4, 1))]
every_layer = pytest.mark.parametrize("layer, shape", LAYERS, ids=[
    f"{layer}, {len(shape)}d" for layer, shape in LAYERS])


@every_layer
def test_dy_of_another_shape_than_y_is_refused_not_reshaped_or_broadcast(layer, shape):
    y, cache = layer.forward(np.ones(shape, np.float32))
    for dy in (y.T, y[:1], y[0], y.ravel(), y[None], y[..., :1], np.concatenate([y, y]),
               np.float32(1), y.tolist(), None):
        if getattr(dy, "shape", None) != y.shape:
            for method in ["input_grad", "backward"] + ["add_param_grads"] * bool(
                    layer.parameters()):
                with pytest.raises((ValueError, TypeError), match=" takes dy (as|of) "):
                    getattr(layer, method)(dy, cache)


@every_layer
@pytest.mark.parametrize("train", [True, False])
def test_an_empty_batch_is_refused_by_the_layer_that_meets_it(layer, shape, train):
    with pytest.raises(ValueError, match=r"takes x of shape \(N.*, got \(0, .*: it is empty"):
        layer.forward(np.ones((0, *shape[1:]), np.float32), train)


@every_layer
def test_what_is_no_array_of_floats_is_refused_with_the_cure(layer, shape):
    x = np.ones(shape, np.float32)
    for wrong, came in [(x.tolist(), "list"), (None, "NoneType"), ("x", "str"), (1.0, "float"),
                        (layer.forward(x), "tuple"), (x.astype(int), "int64"), (x > 0, "bool"),
                        (x.astype(np.uint8), "uint8"), (x.astype(complex), "complex128"),
                        (x.astype(str), "<U32"), (x.astype(object), "object")]:
        with pytest.raises(TypeError, match=f"takes x as an array of floats, got {came}: convert"):
            layer.forward(wrong)


@pytest.mark.parametrize("layer, shape", [
    (layer, shape) for layer, shape in LAYERS if isinstance(
        layer, (Conv2D, ConvTranspose2D, MaxPool2D, AveragePool2D, Upsample2D))])
def test_an_image_without_its_channel_or_batch_is_refused(layer, shape):
    for wrong in (shape[:3], shape[1:], (1, *shape)):
        with pytest.raises(ValueError, match=r"takes x of shape \(N, H, W, .\), got "):
            layer.forward(np.ones(wrong, np.float32))


@pytest.mark.parametrize("call", [
    lambda x: Parameter(np.arange(3)), lambda x: Parameter([1.0]),
    lambda x: Dense(2, 2).astype(int), lambda x: NonSaturating().generator(x.tolist()),
    lambda x: NonSaturating().discriminator(x, x.astype(int)),
    lambda x: mean_squared_error(x.tolist(), x), lambda x: interpolate(x.tolist(), x, None),
    lambda x: interpolate(x, None, None)])
def test_functions_refuse_what_is_no_array_of_floats_too(call):
    with pytest.raises(TypeError, match="^[a-zA-Z_().=0-9]+ takes .* as an array of floats, got "):
        call(np.ones((3, 1), np.float32))


@pytest.mark.parametrize("wrong", [
    dict(kernel_size=6), dict(kernel_size=0), dict(kernel_size=3, stride=0),
    dict(kernel_size=3, stride=-1), dict(kernel_size=3, padding=-1)])
def test_patches_never_reads_outside_of_its_images(wrong):
    with pytest.raises(ValueError, match="patches takes (images no smaller|a whole number from )"):
        patches(np.ones((1, 5, 5, 1), np.float32), **wrong)
