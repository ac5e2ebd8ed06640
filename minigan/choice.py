"""Choice: what a Gaussian cannot say, that there are several kinds of things.

Noise z ~ N(0, 1) is one cloud, and G is continuous: what it draws of one cloud is one piece, too.
Between its 3s and its 8s there are images of neither. With a choice in z there are as many pieces
as choices, and G needs no way from one to the other. Which of them stands for what is G's own
finding: nobody tells it."""
from minigan.backend import array_module
from minigan.layer import Layer


class Choice(Layer):
    """y = [c, rest of x],  c = gain sqrt(K) one_hot(argmax of the first K numbers of x);  dx = [0,
    rest of dy], since c is constant wherever it is not undecided.

    x, y, dy, dx (N, D), D >= K = size. Of x ~ N(0, 1) all choices are equally likely, and c is, at
    gain 1, as long as what it replaces is on average. It belongs in front of G."""

    def __init__(self, size, gain=1):
        self.check_settings(locals())
        self.size, self.gain = size, float(gain)

    def forward(self, x, train=True):
        self.check_input(x, "N", "D")
        if x.shape[1] < self.size:
            raise ValueError(f"{self} takes x of {self.size} columns or more, got {x.shape}")
        xp = array_module(x)
        chosen = x[:, :self.size].argmax(axis=1)
        one_hot = (chosen[:, None] == xp.arange(self.size)).astype(x.dtype)
        return self.replace(x, self.gain * self.size ** 0.5 * one_hot), chosen

    def replace(self, x, c):
        return array_module(x).concatenate([c, x[:, self.size:]], axis=1)

    def input_grad(self, dy, chosen):
        self.check_dy(dy, (len(chosen), "D"))
        return self.replace(dy, 0 * dy[:, :self.size])

    def tangent(self, x_dot, chosen):
        return self.input_grad(x_dot, chosen), None

    def branches(self, chosen):
        return [chosen]
