import numpy as np
import pytest

from minigan import (
    Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein, binary_cross_entropy_with_logits,
    cross_entropy_with_logits, mean_absolute_error, mean_squared_error)
from minigan.gradcheck import numerical_gradient
from minigan.losses import sigmoid, softplus

LOSSES = [Minimax(), NonSaturating(), NonSaturating(label_smoothing=0.1), LeastSquares(),
          LeastSquares(real=0.9, fake=-1.0), Hinge(), Wasserstein()]


def p(s):
    return 1 / (1 + np.exp(-s))


def relu(s):
    return np.maximum(s, 0)


FORMULAS = {  # D's value and G's, as the papers write them
    "Minimax()": (lambda r, f: -np.log(p(r)).mean() - np.log(1 - p(f)).mean(),
                  lambda f: np.log(1 - p(f)).mean()),
    "NonSaturating(label_smoothing=0.0)": (
        lambda r, f: -np.log(p(r)).mean() - np.log(1 - p(f)).mean(),
        lambda f: -np.log(p(f)).mean()),
    "NonSaturating(label_smoothing=0.1)": (
        lambda r, f: (-(0.9 * np.log(p(r)) + 0.1 * np.log(1 - p(r))).mean()
                      - np.log(1 - p(f)).mean()),
        lambda f: -np.log(p(f)).mean()),
    "LeastSquares(real=1.0, fake=0.0)": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f ** 2).mean() / 2,
        lambda f: ((f - 1) ** 2).mean() / 2),
    "LeastSquares(real=0.9, fake=-1.0)": (
        lambda r, f: ((r - 0.9) ** 2).mean() / 2 + ((f + 1) ** 2).mean() / 2,
        lambda f: ((f - 0.9) ** 2).mean() / 2),
    "Hinge()": (lambda r, f: relu(1 - r).mean() + relu(1 + f).mean(), lambda f: -f.mean()),
    "Wasserstein()": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_each_loss_is_its_papers_formula(loss):
    rng = np.random.default_rng(0)
    s_real, s_fake = 2 * rng.standard_normal((5, 1)), 2 * rng.standard_normal((7, 1))
    discriminator, generator = FORMULAS[repr(loss)]
    assert loss.discriminator(s_real, s_fake)[0] == pytest.approx(discriminator(s_real, s_fake))
    assert loss.generator(s_fake)[0] == pytest.approx(generator(s_fake))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_each_gradient_is_that_of_the_value_also_for_unequal_batches(loss):
    rng = np.random.default_rng(0)
    s_real, s_fake = 2 * rng.standard_normal((5, 1)), 2 * rng.standard_normal((7, 1))
    _, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    close = {"rtol": 1e-6, "atol": 1e-10}
    np.testing.assert_allclose(
        ds_real, numerical_gradient(lambda s: loss.discriminator(s, s_fake)[0], s_real), **close)
    np.testing.assert_allclose(
        ds_fake, numerical_gradient(lambda s: loss.discriminator(s_real, s)[0], s_fake), **close)
    np.testing.assert_allclose(
        loss.generator(s_fake)[1],
        numerical_gradient(lambda s: loss.generator(s)[0], s_fake), **close)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_at_scores_of_a_thousand_all_is_finite_and_of_the_scores_dtype(loss, dtype):
    s = np.array([[-1000], [1000]], dtype)
    for result in [*loss.discriminator(s, s), *loss.generator(s), loss.shown(s)]:
        assert np.isfinite(result).all() and result.dtype == dtype


def test_the_logistic_gradients_are_exact_however_sure_the_discriminator_is():
    s = np.array([[-1000], [-80], [-20], [20], [1000]], np.float32)
    p_exact = np.array([[0], [np.exp(-80.0)], [np.exp(-20.0)], [1 - np.exp(-20.0)], [1]])
    q_exact = np.array([[1], [1], [1 - np.exp(-20.0)], [np.exp(-20.0)], [0]])
    for found, exact in [(Minimax().discriminator(s, s)[1], -q_exact / 5),
                         (Minimax().discriminator(s, s)[2], p_exact / 5),
                         (Minimax().generator(s)[1], -p_exact / 5),
                         (NonSaturating().generator(s)[1], -q_exact / 5)]:
        np.testing.assert_allclose(found, exact, rtol=2e-5, atol=1e-38)


def test_numpy_numbers_as_arguments_leave_float32_alone():
    s = np.ones((3, 1), np.float32)
    for loss in [NonSaturating(np.float64(0.1)), LeastSquares(np.float64(0.9), np.float64(0))]:
        assert {result.dtype for result in loss.discriminator(s, s)} == {np.dtype(np.float32)}
    _, ds = binary_cross_entropy_with_logits(s, np.ones((3, 1), int))
    assert ds.dtype == np.float32


def test_values_at_a_thousand_are_exact():
    far, near = np.array([[-1000.0]]), np.array([[1000.0]])
    assert Minimax().discriminator(far, near)[0] == 2000
    assert Minimax().discriminator(near, far)[0] == 0
    assert NonSaturating().generator(far)[0] == 1000
    assert Hinge().discriminator(far, near)[0] == 2002
    assert LeastSquares().generator(far)[0] == 1001 ** 2 / 2


def test_minimax_saturates_and_nonsaturating_does_not():
    sure = np.array([[-10.0]])  # D is sure that it sees a fake
    assert abs(Minimax().generator(sure)[1]) < 1e-4 < 0.99 < abs(NonSaturating().generator(sure)[1])


def test_output_is_a_probability_for_the_logistic_losses_and_else_the_score():
    s = np.array([[-1.0], [2.0]])
    for loss in LOSSES:
        logistic = isinstance(loss, (Minimax, NonSaturating))
        np.testing.assert_allclose(loss.shown(s), p(s) if logistic else s)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("shape", [(64,), (64, 2), (64, 1, 1), ()])
def test_scores_of_another_shape_are_refused(loss, shape):
    good, bad = np.zeros((64, 1)), np.zeros(shape)
    for call in [lambda: loss.discriminator(good, bad), lambda: loss.discriminator(bad, good),
                 lambda: loss.generator(bad)]:
        with pytest.raises(ValueError, match=r"takes scores of shape \(N, 1\), got "):
            call()


def test_sigmoid_and_softplus_are_their_formulas():
    s = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(sigmoid(s), 1 / (1 + np.exp(-s)), rtol=1e-12)
    np.testing.assert_allclose(softplus(s), np.log1p(np.exp(s)), rtol=1e-12)


def test_label_smoothing_outside_its_range_is_refused():
    for smoothing in [-0.1, 1.0]:
        with pytest.raises(ValueError, match=r"takes a number in \[0, 1\) as label_smoothing"):
            NonSaturating(smoothing)


@pytest.mark.parametrize("loss, formula", [
    (mean_squared_error, lambda y, t: ((y - t) ** 2).mean()),
    (mean_absolute_error, lambda y, t: np.abs(y - t).mean()),
    (binary_cross_entropy_with_logits,
     lambda y, t: -(t * np.log(p(y)) + (1 - t) * np.log(1 - p(y))).mean())])
def test_each_reconstruction_loss_is_its_formula_with_its_gradient(loss, formula):
    rng = np.random.default_rng(0)
    y, target = rng.standard_normal((3, 4, 2)), rng.uniform(0, 1, (3, 4, 2))
    value, dy = loss(y, target)
    assert value == pytest.approx(formula(y, target))
    np.testing.assert_allclose(dy, numerical_gradient(lambda y: loss(y, target)[0], y),
                               rtol=1e-6, atol=1e-10)
    assert loss(y.astype(np.float32), target.astype(np.float32))[1].dtype == np.float32
    with pytest.raises(ValueError, match=f"{loss.__name__} takes target of shape "):
        loss(y, target[..., :1])


def test_cross_entropy_is_finite_and_exact_at_logits_of_a_thousand():
    s, target = np.array([-1000.0, 1000.0]), np.array([1.0, 0.0])
    value, ds = binary_cross_entropy_with_logits(s, target)
    assert value == 1000 and ds.tolist() == [-0.5, 0.5]


@pytest.mark.parametrize("target", [3, -1, 1.01, np.nan])
def test_a_target_that_is_no_probability_is_refused(target):
    s = np.zeros((4, 1), np.float32)
    with pytest.raises(ValueError, match="takes targets from 0 to 1"):
        binary_cross_entropy_with_logits(s, np.array([[0], [1], [0.5], [target]]))


@pytest.mark.parametrize("labels", [
    np.zeros((4, 1), int), np.array([0, -1, 2, 1]), np.array([0, 7, 2, 1]), np.array([3, 0, 0, 0]),
    np.zeros(4), np.zeros(4, bool), np.zeros(3, int), np.eye(4, 3, dtype=int), [0, 1, 2, 0], None])
def test_labels_that_name_no_class_are_refused(labels):
    s = np.zeros((4, 3), np.float32)
    cross_entropy_with_logits(s, np.array([0, 1, 2, 0], np.uint8))
    with pytest.raises(ValueError, match=r"takes integers from 0 to 2 as labels, of shape \(4,\)"):
        cross_entropy_with_logits(s, labels)


def test_cross_entropy_is_minus_the_mean_log_of_the_right_class():
    rng = np.random.default_rng(5)
    s, labels = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    value, ds = cross_entropy_with_logits(s, labels)
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    assert value == pytest.approx(-np.mean(np.log(p[np.arange(6), labels])))
    numeric = numerical_gradient(lambda s: float(cross_entropy_with_logits(s, labels)[0]), s)
    np.testing.assert_allclose(ds, numeric, rtol=1e-6, atol=1e-9)
    value, ds = cross_entropy_with_logits(np.float32([[1000, -1000]]), np.array([1]))
    assert value == 2000 and ds.tolist() == [[1, -1]] and ds.dtype == value.dtype == np.float32
