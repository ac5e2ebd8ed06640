"""The moving average of a network."""
import numpy as np
import pytest

from minigan import Adam, BatchNorm, Dense, Sequential
from minigan.workshop import MovingAverage


def network():
    return Sequential(Dense(3, 2, 0), BatchNorm(2))


def test_it_begins_with_the_last_tenth_of_all_steps_and_goes_on_with_its_decay():
    net = network()
    average, seen = MovingAverage(net, decay=0.75), []
    for value in range(60):
        net.layers[0].W.value[...] = value
        average.update()
        seen.append(float(average.network.layers[0].W.value[0, 0]))
    # the shares of the values are 1, 10 / 11, 10 / 12, ..., and 1 / 4 from step 31 on
    np.testing.assert_allclose(seen[:3], [0, 10 / 11, 10 / 11 + 10 / 12 * (2 - 10 / 11)], rtol=1e-6)
    for step in (31, 59):
        assert seen[step] == pytest.approx(seen[step - 1] + 0.25 * (step - seen[step - 1]))
    step = 19  # the twentieth
    assert seen[step] == pytest.approx(seen[step - 1] + 10 / 29 * (step - seen[step - 1]))


def test_it_follows_parameters_and_running_statistics_through_training():
    net, rng = network(), np.random.default_rng(1)
    average, adam = MovingAverage(net, decay=0.9), Adam(net.parameters(), lr=0.1)
    expected = network().state_dict()
    for share in (1, 10 / 11, 10 / 12, 10 / 13, 10 / 14):
        y, cache = net.forward(rng.standard_normal((8, 3), np.float32))
        net.zero_grad()
        net.add_param_grads(y, cache)
        adam.step()
        average.update()
        expected = {name: expected[name] + share * (value - expected[name])
                    for name, value in net.state_dict().items()}
    for name, value in average.network.state_dict().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5)
        assert value.dtype == np.float32
    assert {"1.running_mean", "1.gamma"} <= average.network.state_dict().keys()


def test_it_leaves_the_network_alone_and_goes_on_after_a_reload():
    net = network()
    before = net.state_dict()
    average, other = MovingAverage(net, decay=0.5), MovingAverage(network(), decay=0.5)
    average.update()
    np.testing.assert_equal(net.state_dict(), before)
    other.load_state_dict(average.state_dict())
    other.source = net
    net.layers[0].W.value += 1
    for one in (average, other):
        one.update()
    np.testing.assert_equal(other.state_dict(), average.state_dict())
    assert average.steps == 2


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_outside_zero_to_one_is_refused(decay):
    with pytest.raises(ValueError, match=r"MovingAverage takes a number in \[0, 1\) as decay, got"):
        MovingAverage(network(), decay)


def test_weights_in_another_order_than_rows_are_averaged_too():
    layer = Dense(300, 200, 0)
    layer.W.value = np.asfortranarray(layer.W.value)
    average = MovingAverage(layer, 0.5)
    before = layer.W.value.copy()
    for _ in range(30):
        average.update()
    layer.W.value += 1
    average.update()
    np.testing.assert_allclose(average.network.W.value, before + 0.5, rtol=1e-5)
