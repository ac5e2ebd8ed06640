"""A moving average of a network: its steps go back and forth, their mean draws better images."""
import copy

from minigan.checks import check_settings
from minigan.flat import pieces
from minigan.layer import Layer


class MovingAverage:
    """average = decay average + (1 - decay) value,  of every parameter and running statistic.

    network: a copy of the given network that holds the averages: call it to generate. update() is
    called after each step of the optimizer. 0 <= decay < 1; 1 / (1 - decay) is about how many steps
    are averaged, but not more than a tenth of all that were made: the start is soon forgotten.
    Source: Yazici et al. 2019; the tenth much as in TensorFlow's ExponentialMovingAverage."""

    def __init__(self, network, decay=0.995):
        check_settings(self, locals())
        if not isinstance(network, Layer):
            raise TypeError(f"MovingAverage takes a network of ours, got {network!r}")
        self.source = network
        self.network = copy.deepcopy(network)._replace_arrays(lambda array: array.copy())  # C order
        self.decay = float(decay)
        self.steps = 0

    def update(self):
        self.steps += 1
        share = max(1 - self.decay, 10 / (9 + self.steps))  # of the first step: all
        values = self.source.state_arrays()
        for name, average in self.network.state_arrays().items():
            average, value = average.reshape(-1), values[name].reshape(-1)
            for piece in pieces(average):  # which takes half the time of all at once
                average[piece] += share * (value[piece] - average[piece])

    def state_dict(self):
        """{"steps": int, name: copy of the averaged array, ...}."""
        return {"steps": self.steps, **self.network.state_dict()}

    def load_state_dict(self, state):
        """Copies in what state_dict gave; ValueError, with nothing changed, if it does not fit."""
        if "steps" not in state:
            raise ValueError("the state to load counts no steps: it is not that of an average")
        self.network.load_state_dict({name: state[name] for name in state.keys() - {"steps"}})
        self.steps = int(state["steps"])
