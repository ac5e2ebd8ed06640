"""Given: D(x | c) and G(z | c), a network part of whose input is a condition that is held fixed."""
from minigan.backend import array_module
from minigan.checks import check_array
from minigan.layer import Layer


class Given(Layer):
    """y = network([x, c]);  [dx, dc] = network's gradient, of which dc is dropped: c is fixed.

    x (N, D) beside c (N, K) are rows (N, D + K). x (N, H, W, C) and c (N, H, W, K) are images of
    C + K channels; and c (N, K) beside images is the same at each pixel. It is made anew for each
    batch, Given(discriminator, c), and costs nothing: the parameters are the network's own. So the
    steps, losses, penalties and checks serve conditional GANs, and a penalty's g[n] is the gradient
    with respect to x alone. Source: Mirza and Osindero 2014."""

    buffers = ("c",)  # so that it moves with the network

    def __init__(self, network, c):
        check_array(type(self).__name__, "c", c, "N", ...)
        self.network, self.c = network, c

    def join(self, x, c):
        if c.ndim == 2 < x.ndim:
            c = c[:, None, None, :] + array_module(x).zeros_like(x[..., :1])  # at each pixel
        return array_module(x).concatenate([x, c], axis=-1)

    def forward(self, x, train=True):
        check_array(self, "x", x, "N", ...)
        if len(x) != len(self.c):
            raise ValueError(f"{self} takes x of as many examples as c, got {tuple(x.shape)}")
        y, cache = self.network.forward(self.join(x, self.c), train)
        return y, (cache, x.shape[-1])

    def input_grad(self, dy, cache):
        cache, C = cache
        return self.network.input_grad(dy, cache)[..., :C]

    def add_param_grads(self, dy, cache):
        self.network.add_param_grads(dy, cache[0])

    def tangent(self, x_dot, cache):
        return self.network.tangent(self.join(x_dot, 0 * self.c), cache[0])

    def tangent_input_grads(self, dy, dy_dot, tcache, cache):
        cache, C = cache
        dx, dx_dot = self.network.tangent_input_grads(dy, dy_dot, tcache, cache)
        return None if dx is None else dx[..., :C], dx_dot[..., :C]

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        self.network.add_tangent_param_grads(dy, dy_dot, tcache, cache[0])

    def __repr__(self):
        return f"Given({self.network}, c of shape {self.c.shape})"
