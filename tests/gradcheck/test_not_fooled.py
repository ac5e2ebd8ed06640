"""What a check is to see through: wrong gradients behind kinks, zeros and rounding errors; and
right ones that look wrong there."""
import numpy as np
import pytest

import minigan as mg
from minigan import BatchNorm, Dense, Dropout, LayerNorm, LeakyReLU, ReLU, Sequential, Tanh
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_step,
    check_tangent)


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def network(*layers):
    return Sequential(*layers).astype(np.float64)


def broken(kind, method, function, *args):
    """A layer of this kind, one of whose methods is function(what it gave)."""
    def wrong(self, *given):
        return function(getattr(kind, method)(self, *given))
    return type(f"Broken{kind.__name__}", (kind,), {method: wrong})(*args)


def doubled_tangent():
    return broken(LeakyReLU, "tangent", lambda result: (2 * result[0], result[1]))


def doubled(kind, *args):
    return broken(kind, "input_grad", lambda dx: 2 * dx, *args)


class DoubledW(Dense):
    def add_param_grads(self, dy, x):
        super().add_param_grads(dy, x)
        self.W.grad += x.T @ dy


# Kinks.

@pytest.mark.parametrize("near", [1e-8, 1e-10, 0.0])
def test_one_element_at_a_kink_hides_no_doubled_tangent(near):
    x = drawn(0, 6, 4)
    x[1, 2] = near
    check_tangent(LeakyReLU(), x)
    with pytest.raises(GradientError, match="y_dot .* WRONG: it is 2 times"):
        check_tangent(doubled_tangent(), x)


def test_the_many_kinks_of_a_large_batch_hide_no_doubled_tangent():
    for seed in range(10):
        with pytest.raises(GradientError, match="y_dot .* WRONG"):
            check_tangent(network(Dense(2, 200, seed), doubled_tangent()), drawn(seed, 128, 2))


def test_a_weight_that_moves_many_units_across_their_kinks_is_compared_all_the_same():
    G = network(Dense(2, 2, 0))
    for first, right in (Dense, True), (DoubledW, False):
        D = network(first(2, 3, 1), ReLU(), Dense(3, 200, 2), LeakyReLU(), Dense(200, 1, 3))
        given = G, D, mg.NonSaturating(), drawn(4, 256, 2), drawn(5, 256, 2)
        if right:
            assert sum(comparison.kinks for comparison in check_discriminator_step(*given)) == 0
        else:
            with pytest.raises(GradientError, match="0.W .* WRONG"):
                check_discriminator_step(*given)


def test_ties_of_a_maximum_excuse_themselves_alone():
    x = drawn(0, 2, 4, 6, 2)
    x[0, :2, :2, 0] = 1.0
    report = check_layer(mg.MaxPool2D(2), x)
    assert report[0].kinks == 4
    with pytest.raises(GradientError, match="dx .* WRONG"):
        check_layer(doubled(mg.MaxPool2D, 2), x)
    with pytest.raises(GradientError, match="nothing is proved of dx"):
        check_layer(mg.MaxPool2D(2), np.zeros((2, 4, 6, 2)))


@pytest.mark.parametrize("told", [lambda self, y: [y], lambda self, y: [np.where(y < 0, y, 0)]])
def test_branches_that_tell_too_much_switch_nothing_off(told):
    honest, wrong = LeakyReLU(), doubled(LeakyReLU)
    for layer in honest, wrong:
        type(layer).branches, kept = told, type(layer).branches
        try:
            if layer is honest:
                check_layer(layer, drawn(0, 6, 4))
            else:
                with pytest.raises(GradientError, match="dx .* WRONG: it is 2 times"):
                    check_layer(layer, drawn(0, 6, 4))
        finally:
            type(layer).branches = kept


# Zeros: here only, or everywhere?

@pytest.mark.parametrize("layer", [
    network(DoubledW(4, 3, 0), ReLU(), Dense(3, 2, 1)),
    network(DoubledW(4, 3, 0), Tanh(), Dense(3, 2, 1))], ids=["dead ReLU", "saturated Tanh"])
def test_what_is_zero_here_only_is_looked_at_elsewhere(layer):
    layer.layers[0].b.value[...] = -1e6
    with pytest.raises(GradientError, match="0.W, elsewhere .* WRONG: it is 2 times"):
        check_layer(layer, drawn(0, 5, 4))
    healthy = network(Dense(4, 3, 0), *layer.layers[1:])
    healthy.layers[0].b.value[...] = -1e6
    assert {c.name: c.verdict for c in check_layer(healthy, drawn(0, 5, 4))}["0.W"] == "zero"


def test_a_mistake_behind_the_dead_half_of_the_units_is_seen():
    class DeadHalf(Dense):
        def add_param_grads(self, dy, x):
            super().add_param_grads(dy, x)
            self.W.grad[:, 3:] += (x.T @ dy)[:, 3:]

    layer = network(DeadHalf(4, 6, 0), ReLU(), Dense(6, 2, 1))
    layer.layers[0].b.value[...] = 0, 0, 0, -1e6, -1e6, -1e6
    with pytest.raises(GradientError, match="0.W, elsewhere .* WRONG"):
        check_layer(layer, drawn(0, 5, 4))


@pytest.mark.parametrize("layer, x", [
    (ReLU(), -1 - abs(drawn(0, 5, 4))), (Tanh(), 1e3 + abs(drawn(0, 5, 4)))], ids=repr)
def test_where_all_is_zero_nothing_is_proved(layer, x):
    with pytest.raises(GradientError, match="nothing is proved"):
        check_layer(layer, x)
    with pytest.raises(GradientError, match="y_dot is zero .* nothing is proved"):
        check_tangent(layer, x)


def test_what_is_zero_wherever_one_looks_is_right():
    report = check_layer(network(Dense(4, 3, 0), BatchNorm(3)), drawn(0, 6, 4))
    assert {c.name: c.verdict for c in report}["0.b"] == "zero"
    G, D = network(Dense(2, 3, 0)), network(Dense(3, 1, 1))
    report = check_discriminator_step(G, D, mg.Wasserstein(), drawn(0, 6, 3), drawn(1, 6, 2))
    assert [comparison.verdict for comparison in report] == ["right", "zero"]


# Scale.

def dense(kind, W=1.0, b=1.0):
    layer = kind.astype(np.float64)
    layer.W.value *= W
    layer.b.value[...] = b * (1 + drawn(9, 3))
    return layer


@pytest.mark.parametrize("W, b, x", [(1e-10, 1, 1), (1, 1, 1e9), (1, 1e9, 1)])
def test_no_scale_hides_a_factor(W, b, x):
    x = x * drawn(0, 5, 4)
    check_layer(dense(Dense(4, 3, 0), W, b), x)
    with pytest.raises(GradientError, match="dx.* WRONG"):
        check_layer(dense(doubled(Dense, 4, 3, 0), W, b), x)
    with pytest.raises(GradientError, match="W.* WRONG"):
        check_layer(dense(DoubledW(4, 3, 0), W, b), x)


@pytest.mark.parametrize("loss", list(mg.LOSSES.values()), ids=list(mg.LOSSES))
@pytest.mark.parametrize("scale", [100, 1000])
def test_a_large_last_weight_makes_no_right_gradient_wrong(loss, scale):
    G, D = network(Dense(2, 3, 0)), network(Dense(3, 5, 1), LeakyReLU(), Dense(5, 1, 2))
    D.layers[2].W.value *= scale
    check_discriminator_step(G, D, loss(), drawn(0, 6, 3), drawn(1, 6, 2))
    check_generator_step(G, D, loss(), drawn(1, 6, 2))


@pytest.mark.parametrize("norm", [LayerNorm, BatchNorm])
def test_norms_are_right_far_from_zero_too(norm):
    x = 1e4 + drawn(0, 6, 4)
    check_layer(norm(4).astype(np.float64), x)
    with pytest.raises(GradientError, match="dx .* WRONG"):
        check_layer(doubled(norm, 4).astype(np.float64), x)


def test_where_y_bends_sharply_a_right_tangent_is_right():
    check_tangent(LayerNorm(5).astype(np.float64), 1e-2 * drawn(0, 6, 5))


def test_a_fresh_spectral_norm_is_right_and_keeps_its_v():
    layer = mg.SpectralNorm(Dense(4, 3, 0)).astype(np.float64)
    v = layer.v.copy()
    check_layer(layer, drawn(0, 5, 4))
    check_tangent(layer, drawn(0, 5, 4))
    assert np.array_equal(layer.v, v)


# Contracts.

def test_a_composite_that_hides_a_part_is_told_so():
    class Hidden(mg.Layer):
        def __init__(self):
            self.inner = {Dense(4, 3, 0).astype(np.float64)}  # a set

        def forward(self, x, train=True):
            return next(iter(self.inner)).forward(x)

        def input_grad(self, dy, cache):
            return next(iter(self.inner)).input_grad(dy, cache)

    with pytest.raises(GradientError, match=r"does not find its part Dense\(4, 3\)"):
        check_layer(Hidden(), drawn(0, 5, 4))


def test_a_penalty_that_is_not_due_is_not_passed_over():
    class EveryOther:
        calls = 0

        def __call__(self, D, x_real, x_fake):
            self.calls += 1
            return 0.0 if self.calls % 2 else mg.R1Penalty()(D, x_real, x_fake)

    G, D = network(Dense(2, 3, 0)), network(Dense(3, 1, 1))
    with pytest.raises(GradientError, match="the penalty is 0 at this call"):
        check_discriminator_step(G, D, mg.Hinge(), drawn(0, 6, 3), drawn(1, 6, 2), EveryOther())


def test_a_step_may_look_at_the_fakes_first_where_D_draws_random_numbers():
    def fakes_first(G, D, optimizer, loss, x_real, z, penalty):
        s_fake, cache_fake = D.forward(G.forward(z)[0])
        s_real, cache_real = D.forward(x_real)
        value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
        D.zero_grad()
        D.add_param_grads(ds_real, cache_real)
        D.add_param_grads(ds_fake, cache_fake)
        optimizer.step()
        return value, 0, 0

    G = network(Dense(2, 3, 0))
    D = network(Dense(3, 8, 1), Dropout(0.4, 2), Dense(8, 1, 3))
    check_discriminator_step(G, D, mg.NonSaturating(), drawn(0, 6, 3), drawn(1, 6, 2),
                             step=fakes_first)


@pytest.mark.parametrize("returned, complaint", [
    (None, "tangent returns None, where two things belong, y_dot and tcache"),
    ((None, None), "y_dot .* WRONG: it is None: a return is missing"),
    ((np.ones((4, 6)), None), r"y_dot .* WRONG: it has shape \(4, 6\), and should have \(6, 4\)")])
def test_a_tangent_that_returns_something_else_is_told_so(returned, complaint):
    layer = broken(Tanh, "tangent", lambda result: returned)
    with pytest.raises(GradientError, match=complaint):
        check_tangent(layer, drawn(0, 6, 4))


def test_without_numbers_there_is_nothing_to_check():
    for check in check_layer, check_tangent:
        with pytest.raises(ValueError, match=r"\(0, 4\)"):
            check(Dense(4, 3, 0).astype(np.float64), np.zeros((0, 4)))


# The door for steps of one's own.

def labelled(D):
    """A step in which D is to tell three classes apart."""
    def step(optimizer, x, labels):
        s, cache = D.forward(x)
        value, ds = mg.cross_entropy_with_logits(s, labels)
        D.zero_grad()
        D.add_param_grads(ds, cache)
        optimizer.step()
        return value
    return step


X, LABELS = drawn(0, 6, 4), np.array([0, 1, 2, 0, 1, 2])


def test_a_step_of_ones_own_is_proved_with_whatever_it_takes():
    D = network(Dense(4, 5, 0), LeakyReLU(), Dense(5, 3, 1))
    report = check_step(labelled(D), D, X, LABELS)
    assert [c.name for c in report] == ["0.W", "0.b", "2.W", "2.b"]
    assert {c.verdict for c in report} == {"right"}
    wrong = network(DoubledW(4, 5, 0), LeakyReLU(), Dense(5, 3, 1))
    with pytest.raises(GradientError, match="0.W .* WRONG: it is 2 times"):
        check_step(labelled(wrong), wrong, X, LABELS)


def test_several_networks_learn_in_one_step():
    encoder, decoder = network(Dense(4, 2, 0), Tanh()), network(Dense(2, 4, 1))

    def step(optimizer, x):
        code, cache = encoder.forward(x)
        y, cache_y = decoder.forward(code)
        value, dy = mg.mean_squared_error(y, x)
        for each in encoder, decoder:
            each.zero_grad()
        encoder.add_param_grads(decoder.backward(dy, cache_y), cache)
        optimizer.step()
        return value, "more"

    assert len(check_step(step, [encoder, decoder], X)) == 4
    report = check_step(step, {"encoder": encoder, "decoder": decoder}, X)
    assert [c.name for c in report] == ["encoder.0.W", "encoder.0.b", "decoder.0.W", "decoder.0.b"]
    with pytest.raises(GradientError, match="touches 0.W of the network that does not learn"):
        check_step(step, encoder, X, untouched=decoder)


def test_a_step_that_draws_random_numbers_is_made_to_repeat_them():
    D, rng = network(Dense(4, 3, 0)), np.random.default_rng(0)

    def step(optimizer, x, labels):
        return labelled(D)(optimizer, x + 0.1 * rng.standard_normal(x.shape), labels)

    check_step(step, D, X, LABELS, random=rng)
    with pytest.raises(GradientError, match="hand the Generators it draws from as random="):
        check_step(step, D, X, LABELS)


@pytest.mark.parametrize("twist, complaint", [
    (lambda D, step: lambda *given: (step(*given), D.zero_grad())[0], None),
    (lambda D, step: lambda optimizer, x, labels: step(Idle(), x, labels), "0 times"),
    (lambda D, step: lambda optimizer, x, labels: (step(optimizer, x, labels),
                                                   optimizer.step())[0], "2 times"),
    (lambda D, step: lambda optimizer, x, labels: step(optimizer, np.negative(x, x), labels),
     "writes into"),
    (lambda D, step: lambda *given: None if step(*given) else 0, "where the loss value belongs"),
    (lambda D, step: lambda *given: np.nan * step(*given), "is nan")])
def test_a_step_of_ones_own_is_watched_as_the_two_steps_are(twist, complaint):
    D = network(Dense(4, 3, 0))
    if complaint is None:
        check_step(twist(D, labelled(D)), D, X, LABELS)
    else:
        with pytest.raises(GradientError, match=complaint):
            check_step(twist(D, labelled(D)), D, X, LABELS)


class Idle:
    def step(self):
        pass


def test_a_learner_is_a_network():
    for learner in 3, []:
        with pytest.raises(TypeError, match="the learner is a network or a list of networks, got"):
            check_step(lambda optimizer: 1.0, learner)
