"""The moving average of a network."""
import numpy as np
import pytest

from minigan import Adam, BatchNorm, Dense, MovingAverage, Sequential


def network():
    return Sequential(Dense(3, 2, 0), BatchNorm(2))


def test_it_begins_as_a_plain_mean_and_goes_on_with_its_decay():
    net = network()
    average, seen = MovingAverage(net, decay=0.75), []
    for value in [3.0, 5.0, 1.0, 7.0, 2.0, 6.0]:
        net.layers[0].W.value[...] = value
        average.update()
        seen.append(float(average.network.layers[0].W.value[0, 0]))
    # 3, (3 + 5) / 2, (3 + 5 + 1) / 3, (3 + 5 + 1 + 7) / 4, and then 3/4 average + 1/4 value
    np.testing.assert_allclose(seen, [3, 4, 3, 4, 3.5, 4.125])


def test_it_follows_parameters_and_running_statistics_through_training():
    net, rng = network(), np.random.default_rng(1)
    average, adam = MovingAverage(net, decay=0.9), Adam(net.parameters(), lr=0.1)
    states = []
    for _ in range(5):
        y, cache = net.forward(rng.standard_normal((8, 3), np.float32))
        net.zero_grad()
        net.add_param_grads(y, cache)
        adam.step()
        average.update()
        states.append(net.state_dict())
    for name, value in average.network.state_dict().items():
        np.testing.assert_allclose(value, np.mean([s[name] for s in states], axis=0), rtol=1e-5)
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
    with pytest.raises(ValueError, match="MovingAverage takes 0 <= decay < 1, got"):
        MovingAverage(network(), decay)
