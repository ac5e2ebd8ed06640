"""Gradients of gradients: the penalties are their formulas, and their gradients are right."""
import numpy as np
import pytest

from minigan import (
    Adam, AveragePool2D, BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Flatten, GaussianNoise,
    GradientPenalty, Hinge, Layer, LayerNorm, LeakyReLU, MaxPool2D, R1Penalty, ReLU, Reshape,
    Sequential, Sigmoid, SpectralNorm, Tanh, Upsample2D, Wasserstein, discriminator_step,
    gradient_penalty, interpolate, r1_penalty)
from minigan.gradcheck import GradientError, check_discriminator_step, numerical_gradient

BETWEEN = {  # what a critic has between its layers with weights, for c features
    "LeakyReLU": lambda c: [LeakyReLU()],
    "Tanh": lambda c: [Tanh()],
    "Sigmoid": lambda c: [Sigmoid()],
    "LayerNorm": lambda c: [LayerNorm(c), LeakyReLU()],
}
KINDS = [(between, images) for between in BETWEEN for images in (False, True)]
every_critic = pytest.mark.parametrize(
    "kind", KINDS, ids=[f"{name}, {'images' * images or 'dense'}" for name, images in KINDS])
every_dense_critic = pytest.mark.parametrize("kind", [(between, False) for between in BETWEEN],
                                             ids=BETWEEN)
PENALTIES = {"WGAN-GP": gradient_penalty, "R1": r1_penalty}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def redrawn(network, rng):
    """In float64, all parameters N(0, 0.7^2): no gradient too small, no gamma 1, no b 0."""
    for p in network.astype(np.float64).parameters():
        p.value[...] = 0.7 * rng.standard_normal(p.value.shape)
    return network


def critic(kind, seed=0):
    """A critic, and an x of 3 examples for it: (3, 4), or images (3, 5, 6, 2)."""
    name, images = kind
    between, rng = BETWEEN[name], np.random.default_rng(seed)
    if images:
        net = Sequential(Conv2D(2, 3, 3, stride=2, padding=1), *between(3),
                         Conv2D(3, 4, 2), *between(4), Flatten(), Dense(16, 1))
    else:
        net = Sequential(Dense(4, 6), *between(6), Dense(6, 5), *between(5), Dense(5, 1))
    return redrawn(net, rng), rng.standard_normal((3, 5, 6, 2) if images else (3, 4))


def slopes(net, x):
    """g[n] = dD(x[n])/dx[n], one example at a time."""
    found = []
    for n in range(len(x)):
        s, cache = net.forward(x[n:n + 1])
        found.append(net.input_grad(np.ones_like(s), cache)[0])
    return np.array(found)


def grads_of(penalty, net, *args, **kwargs):
    """The gradients that a penalty leaves in net, as one array."""
    net.zero_grad()
    penalty(net, *args, **kwargs)
    return np.concatenate([p.grad.ravel() for p in net.parameters()])


def by_two_ordinary_passes(net, x, v):
    """How fast the ordinary gradient ∂(sum of s)/∂theta changes as x moves along v.

    For ∂P/∂theta = sum of v ∂g/∂theta, and g = ∂(sum of s)/∂x: the order of ∂/∂theta and ∂/∂x does
    not matter. Nothing of second order is used.
    """
    found, sides = [], []
    step = 3e-6 / abs(v).max()
    for moved in (x + step * v, x - step * v):
        net.zero_grad()
        s, cache = net.forward(moved)
        net.add_param_grads(np.ones_like(s), cache)
        found.append(np.concatenate([p.grad.ravel() for p in net.parameters()]))
        sides.append(net.branches(cache))
    np.testing.assert_equal(*sides)  # no kink between them
    return (found[0] - found[1]) / (2 * step)


def assert_close(found, expected, tolerance):
    """All elements differ by at most tolerance times the largest."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


def dP_dg(penalty, g):
    """v, with the default weights and target: for WGAN-GP 10 mean (|g| - 1)^2, R1 5 mean |g|^2."""
    if penalty is r1_penalty:
        return 10 / len(g) * g
    length = np.sqrt((g ** 2).sum(tuple(range(1, g.ndim)), keepdims=True))
    return 20 / len(g) * (length - 1) * g / length


# The values.

@every_critic
def test_the_penalties_are_their_formulas_with_one_gradient_for_each_example(kind):
    net, x = critic(kind)
    lengths = [np.linalg.norm(g.ravel()) for g in slopes(net, x)]
    assert gradient_penalty(net, x) == pytest.approx(
        10 * sum((length - 1) ** 2 for length in lengths) / 3, rel=1e-12)
    assert gradient_penalty(net, x, weight=3, target=0.4) == pytest.approx(
        3 * sum((length - 0.4) ** 2 for length in lengths) / 3, rel=1e-12)
    assert r1_penalty(net, x) == pytest.approx(
        10 / 2 * sum(length ** 2 for length in lengths) / 3, rel=1e-12)
    assert r1_penalty(net, x, weight=3) == pytest.approx(
        3 / 2 * sum(length ** 2 for length in lengths) / 3, rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 4), (5, 4), (1, 2, 3, 4), (5, 2, 3, 4)])
def test_for_a_linear_critic_all_is_a_formula_of_w_at_any_batch_size_and_shape(shape):
    # |g| = |w|: a norm over the channels alone, or over the batch as well, would be another.
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    net = redrawn(Sequential(Flatten(), Dense(x[0].size, 1)), rng)
    W, b = net.parameters()
    length = np.linalg.norm(W.value)
    assert gradient_penalty(net, x) == pytest.approx(10 * (length - 1) ** 2, rel=1e-12)
    np.testing.assert_allclose(W.grad, 20 * (length - 1) * W.value / length, rtol=1e-9)
    net.zero_grad()
    assert r1_penalty(net, x) == pytest.approx(5 * length ** 2, rel=1e-12)
    np.testing.assert_allclose(W.grad, 10 * W.value, rtol=1e-9)
    assert b.grad == 0


@every_critic
@every_penalty
def test_the_penalty_is_the_mean_over_examples_so_batch_one_and_n_agree(kind, penalty):
    net, x = critic(kind)
    one_by_one = [penalty(net, x[n:n + 1]) for n in range(3)]
    assert penalty(net, x) == pytest.approx(np.mean(one_by_one), rel=1e-12)
    expected = np.mean([grads_of(penalty, net, x[n:n + 1]) for n in range(3)], axis=0)
    np.testing.assert_allclose(grads_of(penalty, net, x), expected, rtol=1e-9, atol=1e-12)


# The gradients, by three independent ways; by the slowest of them for dense critics alone.

@every_dense_critic
@every_penalty
def test_the_gradients_are_the_finite_differences_of_the_value(kind, penalty):
    net, x = critic(kind)
    found = grads_of(penalty, net, x)
    expected = []
    for p in net.parameters():
        value = p.value.copy()

        def at(moved, p=p):
            p.value[...] = moved
            return float(penalty(net, x))
        expected.append(numerical_gradient(at, value).ravel())
        p.value[...] = value
    assert_close(found, np.concatenate(expected), 1e-7)


@every_critic
@every_penalty
def test_the_gradients_are_the_rate_of_change_of_the_ordinary_ones_along_v(kind, penalty):
    net, x = critic(kind)
    found = grads_of(penalty, net, x)
    v = dP_dg(penalty, slopes(net, x))
    assert_close(found, by_two_ordinary_passes(net, x, v), 1e-8)


@every_penalty
def test_the_gradients_go_through_sigma_of_spectral_norm_too(penalty):
    rng = np.random.default_rng(0)
    net = redrawn(Sequential(SpectralNorm(Dense(4, 6)), Tanh(), SpectralNorm(Dense(6, 1))), rng)
    x = rng.standard_normal((3, 4))
    for _ in range(200):
        net.forward(x)  # until v stands still
    found = grads_of(penalty, net, x)
    v = dP_dg(penalty, slopes(net, x))
    assert_close(found, by_two_ordinary_passes(net, x, v), 1e-8)


@every_critic
@every_penalty
def test_pytorchs_double_backward_gives_the_same(kind, penalty):
    torch = pytest.importorskip("torch")
    net, x = critic(kind)
    found = grads_of(penalty, net, x)
    weights = [torch.tensor(p.value, requires_grad=True) for p in net.parameters()]
    x_torch = torch.tensor(x, requires_grad=True)
    g, = torch.autograd.grad(in_torch(torch, net, weights, x_torch).sum(), x_torch,
                             create_graph=True)
    length = g.flatten(1).norm(dim=1)
    value = {gradient_penalty: 10 * (length - 1) ** 2, r1_penalty: 5 * length ** 2}[penalty].mean()
    assert float(penalty(net, x)) == pytest.approx(float(value.detach()), rel=1e-9)
    # PyTorch says None for the last b, which has no part in g
    expected = torch.autograd.grad(value, weights, materialize_grads=True)
    expected = np.concatenate([grad.numpy().ravel() for grad in expected])
    assert_close(found, expected, 1e-10)


def in_torch(torch, net, weights, x):
    """net(x), computed by PyTorch; images are channels first there, and only inside Conv2D."""
    F, weights = torch.nn.functional, iter(weights)
    for layer in net.layers:
        if isinstance(layer, Dense):
            x = x @ next(weights) + next(weights)
        elif isinstance(layer, Conv2D):
            x = F.conv2d(x.movedim(3, 1), next(weights).permute(3, 2, 0, 1), next(weights),
                         layer.stride, layer.padding).movedim(1, 3)
        elif isinstance(layer, LayerNorm):
            x = next(weights) * F.layer_norm(x, x.shape[1:], eps=layer.eps) + next(weights)
        else:
            x = {LeakyReLU: lambda x: F.leaky_relu(x, 0.2), Tanh: torch.tanh,
                 Sigmoid: torch.sigmoid, Flatten: lambda x: x.flatten(1)}[type(layer)](x)
    return x


@every_critic
@every_penalty
def test_without_the_curvature_all_is_exact_for_leaky_relu_and_wrong_for_the_others(
        kind, penalty, monkeypatch):
    net, x = critic(kind)
    right = grads_of(penalty, net, x)
    for cls in [Tanh, Sigmoid, LayerNorm]:
        monkeypatch.setattr(cls, "curvature", Layer.curvature)
    found = grads_of(penalty, net, x)
    if kind[0] == "LeakyReLU":
        np.testing.assert_array_equal(found, right)
    else:
        assert np.linalg.norm(found - right) > 0.1 * np.linalg.norm(right)


# What else a penalty does, and does not.

@every_penalty
def test_gradients_are_added_to_what_is_there(penalty):
    net, x = critic(("Tanh", False))
    once = grads_of(penalty, net, x)
    for p in net.parameters():
        p.grad.fill(0.5)
    penalty(net, x)
    twice = np.concatenate([p.grad.ravel() for p in net.parameters()])
    np.testing.assert_allclose(twice, once + 0.5, rtol=1e-12)


@every_critic
@pytest.mark.parametrize("penalty, value", [(gradient_penalty, 10), (r1_penalty, 0)],
                         ids=PENALTIES)
def test_where_the_score_is_flat_the_value_and_all_gradients_are_finite(kind, penalty, value):
    net, x = critic(kind)
    net.layers[-1].W.value.fill(0)  # so that g = 0, which has no direction
    assert penalty(net, x) == value
    assert not any(p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_critic
def test_nothing_is_written_into_and_the_dtype_stays(kind, dtype):
    net, x_real = critic(kind)
    net.astype(dtype)
    x_real, x_fake = x_real.astype(dtype), x_real[::-1].astype(dtype)
    copies, values = (x_real.copy(), x_fake.copy()), net.state_dict()
    for penalty in [GradientPenalty(np.float64(3), np.float64(0.5), rng=0),
                    R1Penalty(np.float64(3))]:
        value = penalty(net, x_real, x_fake)
        assert {value.dtype, penalty.norm.dtype, *(p.grad.dtype for p in net.parameters())} == {
            np.dtype(dtype)}
        assert value.shape == penalty.norm.shape == ()
    assert gradient_penalty(net, x_real, np.float64(3), np.float64(0.5)).dtype == dtype
    assert r1_penalty(net, x_real, np.float64(3)).dtype == dtype
    np.testing.assert_equal((x_real, x_fake), copies)
    np.testing.assert_equal(net.state_dict(), values)


def test_a_penalty_object_is_its_function_and_its_norm_the_mean_length():
    net, x_real = critic(("Tanh", True))
    x_fake = x_real[::-1] + 1
    between = interpolate(x_real, x_fake, np.random.default_rng(5))
    for penalty, function, x, arguments in [
            (GradientPenalty(3, 0.4, rng=5), gradient_penalty, between, (3, 0.4)),
            (R1Penalty(3), r1_penalty, x_real, (3,)),
            (GradientPenalty(rng=5), gradient_penalty, between, ()),
            (R1Penalty(), r1_penalty, x_real, ())]:
        assert penalty.norm is None
        found = grads_of(penalty, net, x_real, x_fake)
        np.testing.assert_array_equal(found, grads_of(function, net, x, *arguments))
        lengths = [np.linalg.norm(g.ravel()) for g in slopes(net, x)]
        assert penalty.norm == pytest.approx(np.mean(lengths), rel=1e-12)
    assert R1Penalty(3)(net, x_real, x_fake) == r1_penalty(net, x_real, 3)
    assert repr(GradientPenalty(3, 0.4)) == "GradientPenalty(3.0, 0.4)"
    assert repr(R1Penalty(3)) == "R1Penalty(3.0)"


def test_training_on_the_penalty_alone_brings_every_slope_to_its_target():
    net, x = critic(("LayerNorm", False))
    adam = Adam(net.parameters(), 0.02)
    for _ in range(300):
        net.zero_grad()
        gradient_penalty(net, x, target=2)
        adam.step()
    np.testing.assert_allclose(np.linalg.norm(slopes(net, x), axis=1), 2, atol=0.02)


def test_a_critic_is_penalised_as_it_trains_with_its_dropout():
    net = redrawn(Sequential(Dense(4, 20), Dropout(0.5, rng=0), Dense(20, 1)),
                  np.random.default_rng(0))
    x = np.ones((3, 4))
    for penalty in PENALTIES.values():
        assert penalty(net, x) != penalty(net, x)


@every_penalty
def test_nobody_computes_a_gradient_at_the_images_on_the_way_back(penalty, monkeypatch):
    net, x = critic(("Tanh", True))

    def product_for_nobody(*_):
        raise AssertionError
    for name in ["tangent_input_grads", "tangent_backward"]:
        monkeypatch.setattr(net.layers[0], name, product_for_nobody)
    assert grads_of(penalty, net, x).any()


def test_batchnorm_is_refused_with_the_reason():
    net = Sequential(Dense(4, 3), BatchNorm(3), LeakyReLU(), Dense(3, 1))
    x = np.random.default_rng(0).standard_normal((5, 4), np.float32)
    for penalty in [GradientPenalty(rng=0), R1Penalty()]:
        with pytest.raises(NotImplementedError, match="BatchNorm.* mixes the examples"):
            penalty(net, x, x)


# The places between real and fake.

def test_interpolates_lie_on_the_line_between_real_and_fake_one_t_for_each_example():
    rng = np.random.default_rng(0)
    x_real, x_fake = rng.standard_normal((2, 1000, 2, 3, 1))
    t = (interpolate(x_real, x_fake, rng) - x_real) / (x_fake - x_real)
    np.testing.assert_allclose(t, np.broadcast_to(t[:, :1, :1], t.shape), rtol=1e-9)
    t = t[:, 0, 0, 0]
    assert t.min() >= 0 and t.max() < 1
    assert t.mean() == pytest.approx(1 / 2, abs=0.03)
    assert t.std() == pytest.approx(12 ** -0.5, abs=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_interpolates_keep_their_dtype_and_follow_the_seed(dtype):
    x_real, x_fake = np.random.default_rng(0).standard_normal((2, 6, 4)).astype(dtype)
    a, b, c = (interpolate(x_real, x_fake, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert a.dtype == dtype
    assert np.array_equal(a, b) and (a != c).all()


def test_the_same_seed_draws_the_same_places_in_both_dtypes():
    t = [interpolate(np.zeros((9, 1), dtype), np.ones((9, 1), dtype), np.random.default_rng(0))
         for dtype in (np.float32, np.float64)]
    assert np.array_equal(*t)


def test_each_call_draws_new_places_and_the_seed_repeats_them():
    net, x_real = critic(("Tanh", False))
    first, again = GradientPenalty(rng=0), GradientPenalty(rng=np.random.default_rng(0))
    values = [first(net, x_real, -x_real) for _ in range(3)]
    assert len(set(values)) == 3
    assert values == [again(net, x_real, -x_real) for _ in range(3)]
    assert GradientPenalty()(net, x_real, -x_real) != GradientPenalty()(net, x_real, -x_real)


def test_real_and_fake_of_different_shapes_are_refused():
    x = np.ones((4, 2, 3, 1))
    for other in [x[:3], x[:1], x[:, :, :1], x[..., 0]]:  # the middle two would broadcast
        with pytest.raises(ValueError, match="interpolate takes x_fake of shape "):
            interpolate(x, other, np.random.default_rng(0))


# Whole steps.

every_object = pytest.mark.parametrize(
    "penalty", [GradientPenalty(rng=0), R1Penalty()], ids=PENALTIES)


def small_gan():
    """G, D, x_real, z: as little as a step with a penalty takes, in float64."""
    rng = np.random.default_rng(0)
    generator = redrawn(Sequential(Dense(3, 4)), rng)
    discriminator = redrawn(Sequential(Dense(4, 3), Tanh(), Dense(3, 1)), rng)
    return generator, discriminator, rng.standard_normal((5, 4)), rng.standard_normal((5, 3))


@every_object
def test_every_gradient_of_a_whole_step_with_a_penalty_is_right(penalty):
    generator, discriminator, x_real, z = small_gan()
    report = check_discriminator_step(generator, discriminator, Hinge(), x_real, z, penalty)
    assert len(report) == len(discriminator.parameters())
    assert report.title.endswith(f"{Hinge()}, {penalty}")


def test_a_critic_may_have_every_layer_but_batchnorm():
    rng = np.random.default_rng(0)
    generator = redrawn(Sequential(Dense(3, 16), Tanh(), Reshape(4, 4, 1)), rng)
    discriminator = redrawn(Sequential(
        GaussianNoise(0.1, rng), Upsample2D(2), SpectralNorm(Conv2D(1, 3, 4, 2, 1)), LayerNorm(3),
        ReLU(), AveragePool2D(2), ConvTranspose2D(3, 2, 2, 2), Tanh(), MaxPool2D(2),
        Dropout(0.3, rng), Flatten(), Dense(8, 3), Sigmoid(), Dense(3, 1)), rng)
    x_real, z = rng.standard_normal((4, 4, 4, 1)), rng.standard_normal((4, 3))
    for _ in range(200):
        discriminator.forward(x_real)
    check_discriminator_step(generator, discriminator, Wasserstein(), x_real, z,
                             GradientPenalty(rng=0))


def gradients_of_the_penalty_forgotten(G, D, optimizer, loss, x_real, z, penalty):
    found = discriminator_step(G, D, optimizer, loss, x_real, z, penalty)
    discriminator_step(G, D, optimizer, loss, x_real, z)
    return found


def gradients_cleared_after_the_penalty(G, D, optimizer, loss, x_real, z, penalty):
    x_fake = G.forward(z)[0]
    value = penalty(D, x_real, x_fake)
    return (value + discriminator_step(G, D, optimizer, loss, x_real, z)[0],)


@pytest.mark.parametrize("step", [
    gradients_of_the_penalty_forgotten, gradients_cleared_after_the_penalty])
def test_a_step_that_loses_the_gradients_of_its_penalty_is_caught(step):
    generator, discriminator, x_real, z = small_gan()
    with pytest.raises(GradientError, match="wrong gradient"):
        check_discriminator_step(
            generator, discriminator, Wasserstein(), x_real, z, R1Penalty(), step)


def test_a_step_that_forgets_the_value_of_its_penalty_is_caught():
    def value_forgotten(G, D, optimizer, loss, x_real, z, penalty):
        def silent(*args):
            return 0 * penalty(*args)
        return discriminator_step(G, D, optimizer, loss, x_real, z, silent)

    generator, discriminator, x_real, z = small_gan()
    with pytest.raises(GradientError, match="its loss value is not that of the loss"):
        check_discriminator_step(
            generator, discriminator, Wasserstein(), x_real, z, R1Penalty(), value_forgotten)


def test_a_penalty_with_hidden_random_numbers_cannot_be_checked_and_the_error_says_what_differs():
    stream = np.random.default_rng(0)

    def hidden(discriminator, x_real, x_fake):
        return gradient_penalty(discriminator, interpolate(x_real, x_fake, stream))

    generator, discriminator, x_real, z = small_gan()
    with pytest.raises(GradientError, match="its loss value is not that of the loss"):
        check_discriminator_step(generator, discriminator, Wasserstein(), x_real, z, hidden)
    hidden.rng = stream
    check_discriminator_step(generator, discriminator, Wasserstein(), x_real, z, hidden)


def test_a_check_leaves_the_random_numbers_of_a_penalty_where_they_were():
    penalty = GradientPenalty(rng=0)
    before = penalty.rng.bit_generator.state
    generator, discriminator, x_real, z = small_gan()
    check_discriminator_step(generator, discriminator, Wasserstein(), x_real, z, penalty)
    assert penalty.rng.bit_generator.state == before


class ForgetsTheTarget(GradientPenalty):
    """The value of WGAN-GP with the gradients of target 0."""

    def __call__(self, discriminator, x_real, x_fake):
        x = interpolate(x_real, x_fake, self.rng)
        kept = [p.grad.copy() for p in discriminator.parameters()]
        value = gradient_penalty(discriminator, x)
        for p, grad in zip(discriminator.parameters(), kept):
            p.grad[...] = grad
        gradient_penalty(discriminator, x, target=0)
        return value


class SumOverTheBatch(R1Penalty):
    """The gradients of a sum in place of a mean."""

    def __call__(self, discriminator, x_real, x_fake):
        r1_penalty(discriminator, x_real, self.weight * (len(x_real) - 1))
        return r1_penalty(discriminator, x_real, self.weight)


@pytest.mark.parametrize("penalty", [ForgetsTheTarget(rng=0), SumOverTheBatch()],
                         ids=["target", "sum"])
def test_a_mistake_in_a_penalty_is_caught_by_the_step(penalty):
    generator, discriminator, x_real, z = small_gan()
    with pytest.raises(GradientError, match="wrong gradient"):
        check_discriminator_step(generator, discriminator, Wasserstein(), x_real, z, penalty)
