"""The check is checked: right gradients pass, and each classic mistake is caught."""
import numpy as np
import pytest

from minigan import (
    BatchNorm, Dense, Dropout, Flatten, GradientPenalty, Hinge, Layer, LayerNorm, LeakyReLU,
    Minimax, NonSaturating, Sequential, Tanh)
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_tangent,
    numerical_gradient)

rng = np.random.default_rng(0)
X = rng.standard_normal((6, 4))


def test_the_numerical_gradient_is_that_of_calculus_and_leaves_x_alone():
    x = rng.standard_normal((3, 2))
    before = x.copy()
    found = numerical_gradient(lambda x: float((np.sin(x) * x).sum()), x)
    np.testing.assert_allclose(found, np.cos(x) * x + np.sin(x), rtol=1e-8, atol=1e-9)
    assert np.array_equal(x, before)


def test_only_float64_is_accepted():
    with pytest.raises(TypeError, match="float64, got float32"):
        numerical_gradient(lambda x: float(x.sum()), np.ones(3, np.float32))
    with pytest.raises(TypeError, match="float64, got float32"):
        check_layer(Tanh(), X.astype(np.float32))
    for check in check_layer, check_tangent:
        with pytest.raises(TypeError, match="float64, got float32"):
            check(Dense(4, 3, rng), X)
    G, D = gan()
    with pytest.raises(TypeError, match="float64, got float32"):
        check_generator_step(G, D.astype(np.float32), NonSaturating(), rng.standard_normal((6, 3)))


# Mistakes in one layer: a class with one method broken, and what the report must say of it.

class Negated(Dense):
    def input_grad(self, dy, x):
        return -super().input_grad(dy, x)


class NotTransposed(Dense):
    def input_grad(self, dy, x):
        return dy @ self.W.value


class WeightsTransposed(Dense):
    def add_param_grads(self, dy, x):
        self.W.grad += (x.T @ dy).T
        self.b.grad += dy.sum(axis=0)


class MeanOverTheBatch(Dense):
    def add_param_grads(self, dy, x):
        self.W.grad += x.T @ dy / len(x)
        self.b.grad += dy.sum(axis=0)


class BiasForgotten(Dense):
    def add_param_grads(self, dy, x):
        self.W.grad += x.T @ dy


class Overwritten(Dense):
    def add_param_grads(self, dy, x):
        self.W.grad[...] = x.T @ dy
        self.b.grad += dy.sum(axis=0)


class InputOnSelf(Dense):
    def forward(self, x, train=True):
        self.x = x + 1  # the x of another call
        return super().forward(x)

    def add_param_grads(self, dy, x):
        super().add_param_grads(dy, self.x)


class MaskFromTheGradient(LeakyReLU):
    def input_grad(self, dy, y):
        return super().input_grad(dy, dy)


class MaskForgotten(Dropout):
    def input_grad(self, dy, mask):
        return dy


class WritesIntoDy(Tanh):
    def input_grad(self, dy, y):
        dy *= 1 - y * y
        return dy


class DerivativeAtY(Tanh):
    def input_grad(self, dy, y):
        return dy * (1 - np.tanh(y) ** 2)


class MeanTermForgotten(BatchNorm):
    def input_grad(self, dy, cache):
        x_hat, inv_std, _ = cache
        dx_hat = dy.reshape(x_hat.shape) * self.gamma.value
        return (inv_std * (dx_hat - x_hat * self.mean(dx_hat * x_hat))).reshape(dy.shape)


class VarianceTermForgotten(BatchNorm):
    def input_grad(self, dy, cache):
        x_hat, inv_std, _ = cache
        dx_hat = dy.reshape(x_hat.shape) * self.gamma.value
        return (inv_std * (dx_hat - self.mean(dx_hat))).reshape(dy.shape)


class StatisticsTakenForConstants(BatchNorm):
    def input_grad(self, dy, cache):
        x_hat, inv_std, _ = cache
        return super().input_grad(dy, (x_hat, inv_std, True))


class GammaAndBetaSwapped(LayerNorm):
    def add_param_grads(self, dy, cache):
        self.beta.grad += (dy * cache[0].reshape(dy.shape)).sum(0)
        self.gamma.grad += dy.sum(0)


class Doubled(LayerNorm):
    def input_grad(self, dy, cache):
        return 2 * super().input_grad(dy, cache)


@pytest.mark.parametrize("layer, complaint", [
    (Negated(4, 3, rng), "dx .* WRONG: the sign is wrong"),
    (NotTransposed(4, 4, rng), "dx .* WRONG"),
    (WeightsTransposed(4, 4, rng), "W .* WRONG: it is the transpose"),
    (MeanOverTheBatch(4, 3, rng), "W .* WRONG: it is 1/6 of the right one, and 6 is the"),
    (BiasForgotten(4, 3, rng), "b .* WRONG: it is all zero"),
    (Overwritten(4, 3, rng), "add_param_grads overwrites W.grad instead of adding"),
    (InputOnSelf(4, 3, rng), "W .* WRONG"),
    (MaskFromTheGradient(), "dx .* WRONG"),
    (MaskForgotten(0.4, rng), "dx .* WRONG"),
    (WritesIntoDy(), "writes into its dy|another dx"),
    (DerivativeAtY(), "dx .* WRONG: it is the gradient at y"),
    (MeanTermForgotten(4), "dx .* WRONG"),
    (VarianceTermForgotten(4), "dx .* WRONG"),
    (StatisticsTakenForConstants(4), "dx .* WRONG"),
    (GammaAndBetaSwapped(4), "gamma .* WRONG"),
    (Doubled(4), "dx .* WRONG: it is 2 times the right one")],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "")
def test_a_mistake_in_a_layer_is_caught(layer, complaint):
    with pytest.raises(GradientError, match=complaint):
        check_layer(layer.astype(np.float64), X)


# The contract: what is right, but does not keep to it, is refused.

class WritesIntoX(Tanh):
    def forward(self, x, train=True):
        y = np.tanh(x)
        x += 1
        return y, y


class HalfOfAnotherDx(Tanh):
    def backward(self, dy, y):
        return dy * (1 - y * y)

    def input_grad(self, dy, y):
        return dy


class HalfThatAddsToo(Dense):
    def backward(self, dy, x):
        self.add_param_grads(dy, x)
        return dy @ self.W.value.T

    def input_grad(self, dy, x):
        self.add_param_grads(dy, x)
        return dy @ self.W.value.T


class HalfOfAnotherGradient(Dense):
    def backward(self, dy, x):
        Dense.add_param_grads(self, dy, x)
        return self.input_grad(dy, x)

    def add_param_grads(self, dy, x):
        Dense.add_param_grads(self, 3 * dy, x)


class HalfOfAnotherShape(HalfOfAnotherDx):
    def input_grad(self, dy, y):
        return (dy * (1 - y * y))[None]


@pytest.mark.parametrize("layer, complaint", [
    (WritesIntoX(), "writes into its x$"), (HalfOfAnotherDx(), "input_grad gives another dx"),
    (HalfOfAnotherShape(), "input_grad gives another dx"),
    (HalfThatAddsToo(4, 3, rng), "input_grad changes a parameter's gradient"),
    (HalfOfAnotherGradient(4, 3, rng), "add_param_grads at a second call changes W.grad")],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "")
def test_a_layer_that_breaks_its_contract_is_refused(layer, complaint):
    with pytest.raises(GradientError, match=complaint):
        check_layer(layer.astype(np.float64), X)


class WritesIntoDyDot(Tanh):
    def tangent_backward(self, dy, dy_dot, x_dot, y):
        result = super().tangent_backward(dy, dy_dot, x_dot, y)
        dy_dot *= 2
        return result


class HalfWithoutCurvature(Tanh):
    def tangent_backward(self, dy, dy_dot, x_dot, y):
        return Tanh().tangent_input_grads(dy, dy_dot, x_dot, y)

    def tangent_input_grads(self, dy, dy_dot, x_dot, y):
        return dy * (1 - y * y), dy_dot * (1 - y * y)


class HalfWithoutXDot(Dense):  # the half that a penalty takes: to it the whole is no witness
    def tangent_backward(self, dy, dy_dot, x_dot, x):
        Dense.add_tangent_param_grads(self, dy, dy_dot, x_dot, x)
        return self.tangent_input_grads(dy, dy_dot, x_dot, x)

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        self.add_param_grads(dy, x)


class NoneTakenForOnes(Dense):
    def tangent_backward(self, dy, dy_dot, x_dot, x):
        dy = np.ones_like(dy_dot) if dy is None else dy
        return super().tangent_backward(dy, dy_dot, x_dot, x)


@pytest.mark.parametrize("layer, complaint", [
    (WritesIntoDyDot(), "writes into its dy, dy_dot"),
    (HalfWithoutCurvature(), "tangent_input_grads gives another dx"),
    (HalfWithoutXDot(4, 3, rng), "add_tangent_param_grads at a second call changes W.grad"),
    (NoneTakenForOnes(4, 3, rng), "dy = None gives another result than a dy of zeros")],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "")
def test_a_second_order_that_breaks_its_contract_is_refused(layer, complaint):
    with pytest.raises(GradientError, match=complaint):
        check_tangent(layer.astype(np.float64), X)


@pytest.mark.parametrize("wrong, words", [
    (lambda x_dot, y: (2 * x_dot * (1 - y * y), x_dot), "it is 2 times the right one"),
    (lambda x_dot, y: (None, x_dot), "it is None: a return is missing")], ids=["twice", "None"])
def test_of_a_wrong_y_dot_nothing_else_is_said(wrong, words, monkeypatch):
    layer = Tanh()
    monkeypatch.setattr(layer, "tangent", wrong)
    with pytest.raises(GradientError, match=f"y_dot .* WRONG: {words}") as caught:
        check_tangent(layer, X)
    assert [found.name for found in caught.value.report] == ["y_dot"]


def test_a_mistake_is_caught_though_x_comes_from_the_generator_with_the_checks_own_seed():
    x = np.random.default_rng(0).standard_normal((6, 4))
    with pytest.raises(GradientError):
        check_layer(WeightsTransposed(4, 4).astype(np.float64), x, seed=0)


def test_a_mistake_as_small_as_a_tenth_of_a_percent_in_one_element_is_caught():
    class Slightly(Tanh):
        def input_grad(self, dy, y):
            dx = super().input_grad(dy, y)
            dx[2, 1] *= 1.001
            return dx

    with pytest.raises(GradientError, match=r"worst at \[2, 1\]"):
        check_layer(Slightly(), X)


def test_a_gradient_that_is_not_finite_is_caught():
    class Nan(Tanh):
        def input_grad(self, dy, y):
            return super().input_grad(dy, y) * np.where(y > 0.5, np.nan, 1)

    with pytest.raises(GradientError, match="not finite"):
        check_layer(Nan(), X)


def test_a_check_that_proves_nothing_is_refused():
    class Constant(Layer):
        def forward(self, x, train=True):
            return np.ones_like(x), None

        def input_grad(self, dy, _):
            return np.zeros_like(dy)

    with pytest.raises(GradientError, match="nothing is proved"):
        check_layer(Constant(), X)


def test_an_element_whose_relu_changes_sides_is_counted_apart():
    x = X.copy()
    x[1, 2] = 1e-9  # nearer to the kink than the smallest step of the differences
    report = check_layer(LeakyReLU(), x)
    assert report[0].kinks == 1 and report[0].right
    y_dot, dx, dx_dot = check_tangent(LeakyReLU(), x)
    assert (y_dot.kinks, dx.kinks, dx_dot.kinks) == (1, 1, 0)


class DoubledTangent(LeakyReLU):
    def tangent(self, x_dot, y):
        return 2 * self.input_grad(x_dot, y), x_dot


@pytest.mark.parametrize("above", [[], [Dense(4, 30, 0), Tanh()]], ids=["alone", "below Dense"])
def test_one_crossed_kink_excuses_no_tangent_but_that_of_its_own_example(above):
    x = X.copy()
    x[1, 2] = 1e-9
    check_tangent(Sequential(LeakyReLU(), *above).astype(np.float64), x)
    with pytest.raises(GradientError, match="y_dot .* WRONG"):
        check_tangent(Sequential(DoubledTangent(), *above).astype(np.float64), x)


def test_where_kinks_excuse_everything_nothing_is_proved_and_the_check_says_so():
    with pytest.raises(GradientError, match="nothing is proved of dx, where .* at a kink"):
        net = Sequential(LeakyReLU(), Dense(4, 2, 1)).astype(np.float64)
        check_layer(net, np.full((3, 4), 1e-9))
    with pytest.raises(GradientError, match="nothing is proved of y_dot, "):
        check_tangent(LeakyReLU(), np.full((3, 4), 1e-9))


def test_a_check_changes_neither_values_nor_statistics_nor_random_streams():
    net = Sequential(Dense(4, 3, rng), BatchNorm(3), Dropout(0.5, np.random.default_rng(1)))
    net.astype(np.float64)
    before, stream = net.state_dict(), net.layers[2].rng.bit_generator.state
    check_layer(net, X)
    assert all(np.array_equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.layers[2].rng.bit_generator.state == stream


# Mistakes in the steps, which a check of each layer alone does not see.

def gan():
    rng = np.random.default_rng(3)
    generator = Sequential(Dense(3, 5, rng), BatchNorm(5), LeakyReLU(), Dense(5, 4, rng), Tanh())
    discriminator = Sequential(Flatten(), Dense(4, 6, rng), LeakyReLU(), Dense(6, 1, rng))
    return generator.astype(np.float64), discriminator.astype(np.float64)


def stale_cache(G, D, optimizer, loss, x_real, z, penalty=None):
    s_real, _ = D.forward(x_real)
    s_fake, cache = D.forward(G.forward(z)[0])  # as if D kept its one cache on itself
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real, cache)
    D.add_param_grads(ds_fake, cache)
    return value, s_real.mean(), s_fake.mean()


def gradients_never_cleared(G, D, optimizer, loss, x_real, z, penalty=None):
    s_real, cache_real = D.forward(x_real)
    s_fake, cache_fake = D.forward(G.forward(z)[0])
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    D.add_param_grads(ds_real, cache_real)
    D.add_param_grads(ds_fake, cache_fake)
    return value, s_real.mean(), s_fake.mean()


def fakes_forgotten(G, D, optimizer, loss, x_real, z, penalty=None):
    s_real, cache_real = D.forward(x_real)
    s_fake, _ = D.forward(G.forward(z)[0])
    value, ds_real, _ = loss.discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    return value, s_real.mean(), s_fake.mean()


def generator_learns_too(G, D, optimizer, loss, x_real, z, penalty=None):
    s_real, cache_real = D.forward(x_real)
    x_fake, cache = G.forward(z)
    s_fake, cache_fake = D.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    G.add_param_grads(D.backward(ds_fake, cache_fake), cache)
    return value, s_real.mean(), s_fake.mean()


@pytest.mark.parametrize("step", [
    stale_cache, gradients_never_cleared, fakes_forgotten, generator_learns_too])
def test_a_mistake_in_the_discriminator_step_is_caught(step):
    x_real, z = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    with pytest.raises(GradientError):
        check_discriminator_step(*gan(), NonSaturating(), x_real, z, step=step)


def bypasses_the_discriminator(G, D, optimizer, loss, z):
    x_fake, cache = G.forward(z)
    s_fake, _ = D.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    G.zero_grad()
    G.add_param_grads(ds_fake * np.ones_like(x_fake), cache)
    return value, s_fake.mean()


def discriminator_learns_too(G, D, optimizer, loss, z):
    x_fake, cache = G.forward(z)
    s_fake, cache_fake = D.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    G.zero_grad()
    G.add_param_grads(D.backward(ds_fake, cache_fake), cache)
    return value, s_fake.mean()


def wrong_sign(G, D, optimizer, loss, z):
    x_fake, cache = G.forward(z)
    s_fake, cache_fake = D.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    G.zero_grad()
    G.add_param_grads(D.input_grad(-ds_fake, cache_fake), cache)
    return value, s_fake.mean()


def detached(G, D, optimizer, loss, z):
    s_fake, _ = D.forward(G.forward(z)[0])
    G.zero_grad()
    return loss.generator(s_fake)[0], s_fake.mean()


@pytest.mark.parametrize("step", [
    bypasses_the_discriminator, discriminator_learns_too, wrong_sign, detached])
def test_a_mistake_in_the_generator_step_is_caught(step):
    with pytest.raises(GradientError):
        check_generator_step(*gan(), NonSaturating(), rng.standard_normal((6, 3)), step=step)


def test_a_right_step_passes_though_its_networks_draw_random_numbers():
    G = Sequential(Dense(3, 5, 0), Dropout(0.5, 1), Dense(5, 4, 2)).astype(np.float64)
    D = Sequential(Dense(4, 5, 3), Dropout(0.5, 4), Dense(5, 1, 5)).astype(np.float64)
    x_real, z = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    check_discriminator_step(G, D, NonSaturating(), x_real, z)
    check_generator_step(G, D, NonSaturating(), z)


class Critic(Layer):
    """A network that keeps what it needs on itself, where the penalty has to find it again."""

    def __init__(self, layer):
        self.layer = layer

    def forward(self, x, train=True):
        y, self.cache = self.layer.forward(x, train)
        return y, self.cache

    def input_grad(self, dy, cache):
        return self.layer.input_grad(dy, self.cache)

    def add_param_grads(self, dy, cache):
        self.layer.add_param_grads(dy, cache)

    def tangent(self, x_dot, cache):
        return self.layer.tangent(x_dot, self.cache)

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        self.layer.add_tangent_param_grads(dy, dy_dot, tcache, self.cache)


def test_a_network_is_watched_wherever_it_keeps_its_cache():
    generator, discriminator = gan()
    x_real, z = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    critic = Critic(Sequential(*discriminator.layers[1:]))
    check_discriminator_step(generator, critic, Hinge(), x_real, z, GradientPenalty(rng=0))


class AtTheFirstScore(NonSaturating):
    """A loss with a kink just at the first score that it meets."""

    kink = None

    def discriminator(self, s_real, s_fake):
        value, ds_real, ds_fake = super().discriminator(s_real, s_fake)
        self.kink = s_real[0, 0] if self.kink is None else self.kink
        apart = s_real - self.kink
        return value + abs(apart).mean(), ds_real + np.sign(apart) / len(s_real), ds_fake


def test_kinks_in_a_step_are_left_out_those_of_the_penalty_and_of_the_loss_too():
    def kinks(x_real, penalty=None, loss=NonSaturating()):
        G = Sequential(Dense(2, 2, 0)).astype(np.float64)
        D = Sequential(Dense(2, 2, 1), LeakyReLU(), Dense(2, 1, 2)).astype(np.float64)
        D.layers[0].W.value[...] = [[1, 1], [-1, 1]]
        D.layers[0].b.value[...] = 0.5, 9  # the first unit is at its kink where x = (1, 1.5)
        try:
            report = check_discriminator_step(G, D, loss, x_real, np.ones((2, 2)), penalty)
        except GradientError as error:
            report = error.report
            assert "nothing is proved of" in str(error) and all(found.kinks for found in report)
        return [found.kinks for found in report]  # of W, b, W, b

    def at_the_kink(D, x_real, x_fake):
        s, cache = D.forward(np.array([[1, 1.5]]))
        D.add_param_grads(np.ones_like(s), cache)
        return s.sum()

    x = np.array([[1.0, 0.0], [0.5, 2.5]])
    assert kinks(x) == [0, 0, 0, 0]
    assert kinks(np.array([[1.0, 1.5], [0.5, 2.5]])) == [2, 1, 0, 0]
    assert kinks(x, at_the_kink) == [2, 1, 0, 0]
    assert kinks(x, loss=AtTheFirstScore()) == [2, 2, 2, 1]  # of the first W, where x is not 0


class SwappedGradients(Minimax):
    def discriminator(self, s_real, s_fake):
        value, ds_real, ds_fake = super().discriminator(s_real, s_fake)
        return value, ds_fake, ds_real


class SumForMean(Hinge):
    def generator(self, s_fake):
        value, ds_fake = super().generator(s_fake)
        return value, ds_fake * len(s_fake)


class Clipped(Minimax):  # probabilities clipped at 0.999, as some libraries do
    def discriminator(self, s_real, s_fake):
        value, ds_real, ds_fake = super().discriminator(s_real, s_fake)
        return value, ds_real, ds_fake * (abs(s_fake) < 6.9)


def test_a_mistake_in_a_loss_is_caught_by_the_steps():
    x_real, z = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    generator, discriminator = gan()
    with pytest.raises(GradientError):
        check_discriminator_step(generator, discriminator, SwappedGradients(), x_real, z)
    with pytest.raises(GradientError, match="it is 6 times the right one"):
        check_generator_step(generator, discriminator, SumForMean(), z)
    discriminator.parameters()[-1].value += 8  # sure, and wrong
    check_discriminator_step(generator, discriminator, Minimax(), x_real, z)
    with pytest.raises(GradientError):
        check_discriminator_step(generator, discriminator, Clipped(), x_real, z)


@pytest.mark.parametrize("layer, name", [(Dense(3, 3, 0), "b"), (BatchNorm(3), "gamma"),
                                         (LayerNorm(3), "beta")])
def test_parameters_as_they_start_hide_no_mistake_and_are_put_back(layer, name, monkeypatch):
    layer.astype(np.float64)
    start = layer.state_dict()
    x = np.random.default_rng(1).standard_normal((5, 3))
    check_layer(layer, x)
    np.testing.assert_equal(layer.state_dict(), start)
    right = layer.input_grad

    def wrong(dy, cache):  # gamma starts at 1, and so hides a factor; the others at 0
        p = getattr(layer, name).value
        return right(dy, cache) * p if name == "gamma" else right(dy, cache) + p

    monkeypatch.setattr(layer, "input_grad", wrong)
    with pytest.raises(GradientError):
        check_layer(layer, x)
    np.testing.assert_equal(layer.state_dict(), start)


# What a check watches besides numbers.

def a_gan():
    G = Sequential(Dense(2, 4), Tanh(), Dense(4, 3)).astype(np.float64)
    D = Sequential(Dense(3, 4), Tanh(), Dense(4, 1)).astype(np.float64)
    rng = np.random.default_rng(5)
    return G, D, rng.standard_normal((5, 3)), rng.standard_normal((5, 2))


def right_d_step(G, D, optimizer, loss, x_real, z, penalty, at=lambda place: None):
    """D's step; `at` is called at each place between its lines."""
    at("first")
    x_fake, _ = G.forward(z)
    s_real, cache_real = D.forward(x_real)
    s_fake, cache_fake = D.forward(x_fake)
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    at("between")
    D.add_param_grads(ds_fake, cache_fake)
    at("last")
    return value, 0, 0


def d_step(*places, twist=None):
    """right_d_step, that calls optimizer.step() at these places, and twist(D, x_real, z) last."""
    def step(G, D, optimizer, loss, x_real, z, penalty):
        result = right_d_step(G, D, optimizer, loss, x_real, z, penalty,
                              lambda place: optimizer.step() if place in places else None)
        if twist:
            twist(D, x_real, z)
        return result
    return step


@pytest.mark.parametrize("places, complaint", [
    ([], r"calls optimizer.step\(\) 0 times"),
    (["between", "last"], r"calls optimizer.step\(\) 2 times"),
    (["first"], r"calls optimizer.step\(\) before all gradients are added"),
    (["between"], r"calls optimizer.step\(\) before all gradients are added")])
def test_a_step_has_to_call_its_optimizer_once_with_all_gradients(places, complaint):
    G, D, x_real, z = a_gan()
    with pytest.raises(GradientError, match=complaint):
        check_discriminator_step(G, D, NonSaturating(), x_real, z, step=d_step(*places))


def test_what_becomes_of_the_gradients_after_the_optimizer_has_used_them_is_nobodys_concern():
    G, D, x_real, z = a_gan()
    check_discriminator_step(G, D, NonSaturating(), x_real, z,
                             step=d_step("last", twist=lambda D, x_real, z: D.zero_grad()))


@pytest.mark.parametrize("twist", [lambda D, x_real, z: x_real.__imul__(2),
                                   lambda D, x_real, z: z.fill(0)], ids=["x_real", "z"])
def test_a_step_that_writes_into_what_it_is_given_is_caught(twist):
    G, D, x_real, z = a_gan()
    before = x_real.copy(), z.copy()
    with pytest.raises(GradientError, match="writes into the images or the noise"):
        check_discriminator_step(G, D, NonSaturating(), x_real, z, step=d_step("last", twist=twist))
    np.testing.assert_equal((x_real, z), before)  # the check hands out copies


def forgetful_generator_step(G, D, optimizer, loss, z):
    x_fake, cache_g = G.forward(z)
    s_fake, cache_d = D.forward(x_fake)
    value, ds = loss.generator(s_fake)
    G.zero_grad()
    G.add_param_grads(D.input_grad(ds, cache_d), cache_g)
    return value, 0


def test_a_step_that_returns_nothing_is_told_so():
    G, D, _, z = a_gan()
    with pytest.raises(GradientError, match="it returns None, where the loss value belongs"):
        check_generator_step(G, D, NonSaturating(), z, step=lambda *given: None)


def test_generators_steps_are_watched_too():
    G, D, _, z = a_gan()
    with pytest.raises(GradientError, match=r"calls optimizer.step\(\) 0 times"):
        check_generator_step(G, D, NonSaturating(), z, step=forgetful_generator_step)


@pytest.mark.parametrize("outcome", ["right", "wrong"])
def test_a_check_leaves_values_gradients_and_the_arrays_themselves_as_they_were(outcome):
    G, D, x_real, z = a_gan()
    everything = G.parameters() + D.parameters()
    for number, p in enumerate(everything):
        p.grad.fill(number)
    arrays = [(p.value, p.grad) for p in everything]
    copies = [(p.value.copy(), p.grad.copy()) for p in everything]

    def check():
        check_generator_step(G, D, NonSaturating(), z)
        check_layer(D, x_real)
        if outcome == "wrong":
            def ruin(D, x_real, z):
                for p in D.parameters():
                    p.value += 1
                    p.grad = p.grad + 1
            check_discriminator_step(G, D, NonSaturating(), x_real, z,
                                     step=d_step("last", twist=ruin))
    if outcome == "wrong":
        with pytest.raises(GradientError, match="changes 0.W itself"):
            check()
    else:
        check()
    for p, held, (value, grad) in zip(everything, arrays, copies):
        assert p.value is held[0] and p.grad is held[1]
        assert np.array_equal(p.value, value) and np.array_equal(p.grad, grad)


class CacheOnSelf(Dense):
    def forward(self, x, train=True):
        y, self.kept = super().forward(x, train)
        return y, None

    def input_grad(self, dy, _):
        return super().input_grad(dy, self.kept)

    def add_param_grads(self, dy, _):
        super().add_param_grads(dy, self.kept)


class MaskOnSelf(LeakyReLU):
    def forward(self, x, train=True):
        y, self.kept = super().forward(x, train)
        return y, None

    def input_grad(self, dy, _):
        return super().input_grad(dy, self.kept)

    def branches(self, _):
        return super().branches(self.kept)


class OneBufferForAll(Tanh):
    buffer = None

    def forward(self, x, train=True):
        y, _ = super().forward(x, train)
        self.buffer = y if self.buffer is None else self.buffer
        self.buffer[...] = y
        return self.buffer, self.buffer


@pytest.mark.parametrize("layer, complaint", [
    (CacheOnSelf(4, 3), r"\nW .* WRONG: it is the gradient of a later forward pass"),
    (MaskOnSelf(), r"\ndx .* WRONG: .* the mask is another one"),
    (OneBufferForAll(), "a later forward pass writes into the y of an earlier one")], ids=repr)
def test_a_cache_that_another_forward_pass_overwrites_is_caught_in_a_layer_alone(layer, complaint):
    with pytest.raises(GradientError, match=complaint):
        check_layer(layer.astype(np.float64), X)


def test_a_layer_may_call_anything_rng():
    layer = Tanh()
    layer.rng = 0
    check_layer(layer, X)
