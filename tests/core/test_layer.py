import numpy as np
import pytest

from minigan import (
    Adam, BatchNorm, Dense, Flatten, Layer, LeakyReLU, Parameter, Reshape, Sequential, Tanh)
from minigan.gradcheck import check_layer


def network(seed=0):
    rng = np.random.default_rng(seed)
    return Sequential(Dense(4, 6, rng), BatchNorm(6), LeakyReLU(),
                      Sequential(Dense(6, 3, rng), Tanh()))


def test_a_sequential_passes_the_gradient_check_also_when_nested():
    x = np.random.default_rng(1).standard_normal((5, 4))
    check_layer(network().astype(np.float64), x)


def test_two_forward_passes_before_backward_do_not_mix_up_their_caches():
    rng = np.random.default_rng(2)
    net = network()
    x1, x2, dy = (rng.standard_normal(shape, np.float32) for shape in [(5, 4), (5, 4), (5, 3)])
    _, cache1 = net.forward(x1)
    expected = net.input_grad(dy, cache1)
    _, cache1 = net.forward(x1)
    net.forward(x2)
    assert np.array_equal(net.input_grad(dy, cache1), expected)


def test_backward_is_input_grad_and_add_param_grads():
    rng = np.random.default_rng(3)
    net = network()
    _, cache = net.forward(rng.standard_normal((5, 4), np.float32))
    dy = rng.standard_normal((5, 3), np.float32)
    dx = net.input_grad(dy, cache)
    assert all(not p.grad.any() for p in net.parameters())
    net.add_param_grads(dy, cache)
    halves = [p.grad.copy() for p in net.parameters()]
    net.zero_grad()
    assert np.array_equal(net.backward(dy, cache), dx)
    assert all(np.array_equal(p.grad, grad) for p, grad in zip(net.parameters(), halves))


@pytest.mark.parametrize("first", [[], [Flatten()], [Tanh(), Flatten()]], ids=repr)
def test_add_param_grads_stops_at_the_first_layer_that_learns(first, monkeypatch):
    net = Sequential(*first, *network().layers)
    _, cache = net.forward(np.random.default_rng(4).standard_normal((5, 4), np.float32))
    for layer in net.layers[:len(first) + 1]:
        monkeypatch.setattr(layer, "input_grad", None)
    net.add_param_grads(np.ones((5, 3), np.float32), cache)
    assert net.layers[len(first)].W.grad.any()


def test_a_network_without_parameters_has_nothing_to_learn_and_relays():
    net = Sequential(Flatten(), Tanh())
    y, cache = net.forward(np.ones((2, 3, 1)))
    net.add_param_grads(y, cache)
    assert net.input_grad(y, cache).shape == (2, 3, 1) and net.parameters() == []


def test_calling_a_network_uses_the_running_statistics_and_changes_nothing():
    net = network()
    x = np.random.default_rng(4).standard_normal((5, 4), np.float32)
    net.forward(x)
    before = net.state_dict()
    assert np.array_equal(net(x), net.forward(x, train=False)[0])
    assert not np.allclose(net(x), net.forward(x)[0])
    net.load_state_dict(before)
    net(x)
    assert all(np.array_equal(value, before[name]) for name, value in net.state_dict().items())


def test_zero_grad_removes_even_a_nan():
    net = network()
    for p in net.parameters():
        p.grad.fill(np.nan)
    net.zero_grad()
    assert all(not p.grad.any() for p in net.parameters())


def test_parameters_have_names_and_a_fixed_order():
    assert [name for name, _ in network().named_parameters()] == [
        "0.W", "0.b", "1.gamma", "1.beta", "3.0.W", "3.0.b"]


class TwoHeads(Layer):
    """A network that is no chain, with its parts wherever one may put them."""

    def __init__(self, rng):
        self.trunk = Sequential(Dense(4, 3, rng), BatchNorm(3))
        self.heads = [Dense(3, 2, rng), (Dense(3, 1, rng), Tanh())]
        self.by_name = {"style": Dense(2, 2, rng)}
        self.scales = [Parameter(np.ones(2, np.float32))]
        self.again = self.trunk  # a second name for the same part
        self.parent = self       # and one for the whole
        self.sizes = [4, 3, 2]

    def forward(self, x, train=True):
        h, trunk = self.trunk.forward(x, train)
        y, head = self.heads[0].forward(h, train)
        return y * self.scales[0].value, (trunk, head, y)

    def input_grad(self, dy, cache):
        trunk, head, _ = cache
        return self.trunk.input_grad(
            self.heads[0].input_grad(dy * self.scales[0].value, head), trunk)

    def add_param_grads(self, dy, cache):
        trunk, head, y = cache
        self.scales[0].grad += (dy * y).sum(axis=0)
        self.trunk.add_param_grads(self.heads[0].backward(dy * self.scales[0].value, head), trunk)


def test_parts_are_found_in_attributes_lists_tuples_and_dictionaries_each_once():
    net = TwoHeads(np.random.default_rng(0))
    assert [name for name, _ in net.named_parameters()] == [
        "trunk.0.W", "trunk.0.b", "trunk.1.gamma", "trunk.1.beta", "heads.0.W", "heads.0.b",
        "heads.1.0.W", "heads.1.0.b", "by_name.style.W", "by_name.style.b", "scales.0"]
    assert [name for name, _ in net.named_layers()][:4] == ["", "trunk", "trunk.0", "trunk.1"]
    assert net.state_dict().keys() > {"trunk.1.running_mean", "heads.1.0.W", "scales.0"}


def test_a_composite_without_a_word_about_its_parts_trains_moves_and_is_saved_whole():
    net = TwoHeads(np.random.default_rng(0))
    other = TwoHeads(np.random.default_rng(1))
    other.load_state_dict(net.state_dict())
    np.testing.assert_equal(other.state_dict(), net.state_dict())
    before = net.state_dict()
    for p in net.parameters():
        p.grad.fill(1)
    Adam(net.parameters(), lr=0.1).step()
    after = net.state_dict()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {name for name, _ in net.named_parameters()}
    net.zero_grad()
    assert not any(p.grad.any() for p in net.parameters())
    assert {array.dtype for array in net.astype(np.float64).state_arrays().values()} == {
        np.dtype(np.float64)}
    check_layer(net, np.random.default_rng(2).standard_normal((5, 4)))


def test_a_layer_that_occurs_twice_learns_from_both_places_and_counts_once():
    shared = Dense(3, 3, np.random.default_rng(0))
    net = Sequential(shared, Tanh(), shared).astype(np.float64)
    assert [name for name, _ in net.named_parameters()] == ["0.W", "0.b"]
    check_layer(net, np.random.default_rng(1).standard_normal((5, 3)))


def test_what_a_layer_does_not_define_is_said_by_name():
    class Half(Layer):
        pass

    for call in (lambda: Half().forward(np.ones(3)), lambda: Half().input_grad(np.ones(3), None),
                 lambda: Half().tangent(np.ones(3), None)):
        with pytest.raises(NotImplementedError, match=r"Half\(\) defines no (forw|inp|tan)"):
            call()


def test_a_state_goes_round_and_is_a_copy():
    a, b = network(seed=0), network(seed=1)
    a.forward(np.ones((5, 4), np.float32))
    state = a.state_dict()
    assert {"1.running_mean", "1.running_var"} < state.keys()
    b.load_state_dict(state)
    assert all(np.array_equal(value, b.state_dict()[name]) for name, value in state.items())
    state["0.W"].fill(7)
    assert (a.layers[0].W.value != 7).all() and (b.layers[0].W.value != 7).all()


@pytest.mark.parametrize("change", [
    lambda state: state.pop("0.b"),
    lambda state: state.update(extra=np.zeros(3)),
    lambda state: state.update({"3.0.W": np.zeros((6, 4), np.float32)})])
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_changed(change):
    net = network()
    before, state = net.state_dict(), network(seed=1).state_dict()
    change(state)
    with pytest.raises(ValueError, match="build the network with the arguments"):
        net.load_state_dict(state)
    assert all(np.array_equal(value, before[name]) for name, value in net.state_dict().items())


def test_astype_casts_values_gradients_and_running_statistics():
    net = network().astype(np.float64)
    arrays = [*net.state_dict().values(), *(p.grad for p in net.parameters())]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_changes_the_dtype(dtype):
    net = Sequential(Flatten(), network(), Reshape(3, 1)).astype(dtype)
    x = np.ones((5, 2, 2), dtype)
    y, cache = net.forward(x)
    dx = net.backward(np.ones_like(y), cache)
    arrays = [y, dx, net(x), *net.state_dict().values(), *(p.grad for p in net.parameters())]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_repr_is_the_constructor_call():
    net = Sequential(Flatten(), Dense(8, 3, rng=1, std=0.02), BatchNorm(3, momentum=0.8),
                     LeakyReLU(0.1), Reshape(3, 1))
    assert repr(net) == (
        "Sequential(Flatten(), Dense(8, 3, std=0.02), BatchNorm(3, momentum=0.8), "
        "LeakyReLU(negative_slope=0.1), Reshape(3, 1))")
    assert repr(eval(repr(net))) == repr(net)


def test_a_sequential_takes_layers_only():
    for wrong in [([Dense(2, 2)],), (), (np.tanh,)]:
        with pytest.raises(TypeError, match="takes one or more layers"):
            Sequential(*wrong)


def test_a_wrong_dtype_is_named_with_its_cure():
    with pytest.raises(TypeError, match=r"Dense\(4, 2\) has parameters of numpy float32, "
                       "got x of numpy float64"):
        Dense(4, 2)(np.ones((3, 4)))
