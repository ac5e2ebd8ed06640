import numpy as np
import pytest

from minigan import SGD, Adam, Dense, Parameter, RMSprop, Sequential, clip_weights

MAKE = {"SGD": lambda p: SGD(p, 0.01), "momentum": lambda p: SGD(p, 0.01, momentum=0.9),
        "RMSprop": RMSprop, "Adam": Adam, "decay": lambda p: Adam(p, weight_decay=0.1)}
every_optimizer = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def parameters(seed=0, dtype=np.float32):
    """Two parameters of odd shapes, longer together than one piece of an update."""
    rng = np.random.default_rng(seed)
    return [Parameter(rng.standard_normal(shape).astype(dtype)) for shape in [(201, 333), (7,)]]


def set_grads(params, seed):
    rng = np.random.default_rng(seed)
    for p in params:
        p.grad[...] = rng.standard_normal(p.grad.shape)


def textbook(name, value, grads):
    """The formulas as the papers write them, in float64 and one array at a time."""
    value, m, v = value.astype(np.float64), 0.0, 0.0
    for t, g in enumerate(grads, 1):
        if name == "SGD":
            value = value - 0.01 * g
        elif name == "momentum":
            v = 0.9 * v + g
            value = value - 0.01 * v
        elif name == "RMSprop":
            v = 0.99 * v + 0.01 * g ** 2
            value = value - 1e-3 * g / (np.sqrt(v) + 1e-8)
        else:
            g = g + 0.1 * value * (name == "decay")
            m, v = 0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g ** 2
            m_hat, v_hat = m / (1 - 0.5 ** t), v / (1 - 0.999 ** t)
            value = value - 2e-4 * m_hat / (np.sqrt(v_hat) + 1e-8)
    return value


@pytest.mark.parametrize("name", MAKE)
def test_each_optimizer_is_its_papers_formula(name):
    params = parameters(dtype=np.float64)
    initial = [p.value.copy() for p in params]
    optimizer, history = MAKE[name](params), []
    for step in range(5):
        set_grads(params, step)
        history.append([p.grad.copy() for p in params])
        optimizer.step()
    for p, value, grads in zip(params, initial, zip(*history)):
        np.testing.assert_allclose(p.value, textbook(name, value, grads), rtol=1e-12, atol=1e-14)


def test_adams_first_step_is_lr_times_the_sign_of_the_gradient():
    p = Parameter(np.zeros(4))
    p.grad[...] = [3, -0.001, 1e-4, -50]
    Adam([p], lr=0.01).step()
    np.testing.assert_allclose(p.value, [-0.01, 0.01, -0.01, 0.01], rtol=1e-3)


def test_under_a_constant_gradient_every_step_of_adam_is_lr():
    p = Parameter(np.zeros(2))
    optimizer = Adam([p], lr=0.01)
    for step in range(1, 6):
        p.grad[...] = [2, -3]
        optimizer.step()
        np.testing.assert_allclose(p.value, [-0.01 * step, 0.01 * step], rtol=1e-6)


def test_the_step_count_advances_once_per_step_however_many_the_parameters():
    optimizer = Adam(parameters() + parameters(1))
    for _ in range(3):
        optimizer.step()
    assert optimizer.steps == 3 == optimizer.state_dict()["steps"]


@every_optimizer
def test_float32_stays_float32_and_gradients_are_left_alone(make):
    params = parameters()
    optimizer = make(params)
    set_grads(params, 0)
    before = [p.grad.copy() for p in params]
    optimizer.step()
    assert all(p.value.dtype == np.float32 for p in params)
    assert all(np.array_equal(p.grad, grad) for p, grad in zip(params, before))


@every_optimizer
def test_a_saved_optimizer_goes_on_bit_for_bit(make):
    a, b = parameters(), parameters()
    first = make(a)
    for step in range(3):
        set_grads(a, step)
        first.step()
    second = make(b)
    second.load_state_dict(first.state_dict())
    for old, new in zip(a, b):
        new.value[...] = old.value
        new.grad[...] = old.grad
    for optimizer in (first, second):
        optimizer.step()
    assert all(np.array_equal(old.value, new.value) for old, new in zip(a, b))


def test_a_state_is_a_copy_and_one_that_does_not_fit_is_refused():
    params = parameters()
    optimizer = Adam(params)
    set_grads(params, 0)
    optimizer.step()
    state = optimizer.state_dict()
    state["m"].fill(7)
    assert (optimizer.state_dict()["m"] != 7).all()
    before = optimizer.state_dict()
    without_steps = {name: array for name, array in before.items() if name != "steps"}
    for wrong in [Adam(parameters()[:1]).state_dict(), RMSprop(parameters()).state_dict(),
                  SGD(parameters(), 0.1).state_dict(), without_steps]:
        with pytest.raises(ValueError, match="the state to load"):
            optimizer.load_state_dict(wrong)
    np.testing.assert_equal(optimizer.state_dict(), before)
    with pytest.raises(ValueError, match=r"m has shape absent here, \(\d+,\) in the state"):
        RMSprop(parameters()).load_state_dict(before)


@every_optimizer
def test_a_network_may_change_its_dtype_after_the_optimizer_was_made(make):
    nets = [Sequential(Dense(4, 3, np.random.default_rng(0))) for _ in range(2)]
    optimizers = []
    for net, late in zip(nets, [True, False]):
        if not late:
            net.astype(np.float64)
        optimizers.append(make(net.parameters()))
        if late:
            net.astype(np.float64)
    for _ in range(2):
        for net, optimizer in zip(nets, optimizers):
            set_grads(net.parameters(), 0)
            optimizer.step()
    assert nets[0].layers[0].W.value.dtype == np.float64
    for a, b in zip(nets[0].parameters(), nets[1].parameters()):
        np.testing.assert_array_equal(a.value, b.value)


def test_a_value_assigned_by_hand_is_the_one_that_is_updated():
    p = Parameter(np.zeros(3))
    optimizer = SGD([p], lr=1.0)
    p.value, p.grad = np.full(3, 5.0), np.ones(3)
    optimizer.step()
    assert p.value.tolist() == [4, 4, 4]
    p.grad = np.full(3, 2.0)
    optimizer.step()
    assert p.value.tolist() == [2, 2, 2]


def test_clip_weights_clips_in_place():
    params = parameters()
    optimizer = SGD(params, lr=1e-9)
    clip_weights(params, 0.5)
    assert all(abs(p.value).max() == 0.5 for p in params)
    assert (abs(optimizer.value) <= 0.5).all()
    with pytest.raises(ValueError, match="clip_weights takes a number above 0 as limit, got 0"):
        clip_weights(params, 0)


def test_bad_arguments_are_refused():
    for wrong in [[], Dense(2, 2), [np.ones(3)]]:
        with pytest.raises(ValueError, match="Adam takes a list of parameters, as net.parameters"):
            Adam(wrong)
    for lr, weight_decay in [(0, 0), (float("nan"), 0), (1, -1)]:
        with pytest.raises(ValueError, match="SGD takes a number (above 0 as lr|from 0 as weight)"):
            SGD(parameters(), lr, weight_decay=weight_decay)
    with pytest.raises(ValueError, match=r"Adam takes a number in \[0, 1\) as beta1, got 1.0"):
        Adam(parameters(), beta1=1.0)
    p = parameters()
    with pytest.raises(ValueError, match="twice"):
        SGD(p + p, lr=0.1)
