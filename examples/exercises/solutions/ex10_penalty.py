"""Exercise 10: The sweep down, and the gradient penalty

The penalty of WGAN-GP (Gulrajani et al. 2017), with theta standing for all of D's parameters:

    s[n] = D(x[n]),    g[n] = ∂s[n]/∂x[n],    P = weight mean over n of (|g[n]| - 1)^2
    v = ∂P/∂g                                 one line of calculus
    ∂P/∂theta = ∂(sum of v g)/∂theta          the chain rule, with v held constant
              = ∂(sum of s_dot)/∂theta        since (∂s/∂x) v = s_dot: the tangent of D along v

So run exercise 9's sweep up with x_dot = v, then go down: an ordinary backward pass, of the map
(x, x_dot) -> (y, y_dot), in which the sum of s_dot stands for the loss: it begins with ds = 0 and
ds_dot = 1, and a layer on its way is handed dy and dy_dot. Derive, remembering that x may go into y
and into y_dot,

    Dense    y = x W + b,     y_dot = x_dot W             dx, dx_dot, dW, db
    Tanh     y = tanh(x),     y_dot = (1 - y^2) x_dot     dx, dx_dot

W goes into both of Dense's outputs. In Tanh, y_dot depends on x_dot and, through 1 - y^2, on x too:
the second of these is the term that is most often forgotten. (LeakyReLU has no such term, and needs
nothing new.)

Done when `python examples/exercises/check.py 10` finds all right. Then WGAN-GP learns with your own
code, second order and all: `python examples/exercises/play.py wgan`.
"""
import ex09_tangent
import numpy as np


class Dense(ex09_tangent.Dense):

    def tangent_input_grads(self, dy, dy_dot, x_dot, x):
        # gap Dense dx, dx_dot: return dx and dx_dot, both (N, D)
        return dy @ self.W.value.T, dy_dot @ self.W.value.T
        # end

    def tangent_dW(self, dy, dy_dot, x_dot, x):
        # gap Dense dW: return dW (D, M), the sum of two products
        return x.T @ dy + x_dot.T @ dy_dot
        # end

    def tangent_db(self, dy, dy_dot, x_dot, x):
        # gap Dense db: return db (M,)
        return dy.sum(axis=0)
        # end

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        self.W.grad += self.tangent_dW(dy, dy_dot, x_dot, x)
        self.b.grad += self.tangent_db(dy, dy_dot, x_dot, x)


class Tanh(ex09_tangent.Tanh):

    def tangent_input_grads(self, dy, dy_dot, x_dot, y):
        # gap Tanh dx, dx_dot: return dx and dx_dot, both of x's shape
        dx_dot = (1 - y * y) * dy_dot
        return (1 - y * y) * dy - 2 * y * x_dot * dx_dot, dx_dot
        # end


def dP_dg(g, norm, weight):
    # gap v: return v = ∂P/∂g (N, D), from g (N, D), norm (N, 1), norm[n] = |g[n]|, and weight
    return 2 * weight / len(g) * (norm - 1) * g / norm
    # end


def two_sweeps(discriminator, v, s, cache):
    # gap sweeps: up with discriminator.tangent, down with discriminator.tangent_backward: two lines
    _, tcache = discriminator.tangent(v, cache)
    discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
    # end


def gradient_penalty(discriminator, x, weight=10.0):
    """Returns P at x (N, D), and adds ∂P/∂theta to the gradients that D already has."""
    s, cache = discriminator.forward(x)
    g = discriminator.input_grad(np.ones_like(s), cache)
    norm = (g * g).sum(axis=1, keepdims=True) ** 0.5
    two_sweeps(discriminator, dP_dg(g, norm, weight), s, cache)
    return weight * ((norm - 1) ** 2).mean()


# hint
# v: the slope of weight / N (|g| - 1)^2 along |g| is 2 weight / N (|g| - 1), and |g| grows fastest
# along g / |g|.
# Tanh: L changes with x through y, which gives f' dy, and through y_dot = f'(x) x_dot, which gives
# f'' x_dot dy_dot. From f' = 1 - y^2 follows f'' = -2 y f', and f' dy_dot is dx_dot.
# The sweeps: y_dot, tcache = discriminator.tangent(v, cache), of which only tcache is needed, then
# discriminator.tangent_backward(ds, ds_dot, tcache, cache), with arrays of the shape of s.


# check
from quantities import (  # noqa: E402
    Complaint, Quantity, differences, known, numbers, pair, parameter_gradients, redrawn, saying,
    three_dense)

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(106)
    x, x_dot, v = numbers(rng, 5, 4), numbers(rng, 5, 4), numbers(rng, 5, 4)
    for name, layer, twin in [("Dense", module.Dense(4, 3), minigan.Dense(4, 3)),
                              ("Tanh", module.Tanh(), minigan.Tanh())]:
        redrawn(twin, rng).load_state_dict(redrawn(layer, rng).state_dict())
        y, cache = layer.forward(x)
        dy, dy_dot = numbers(rng, *y.shape), numbers(rng, *y.shape)

        def loss(x=x, x_dot=x_dot):
            """What changes with y as dy says, and with y_dot as dy_dot says."""
            y, cache = twin.forward(x)
            return (dy * y).sum() + (dy_dot * twin.tangent(x_dot, cache)[0]).sum()

        def input_grads():
            return pair(layer.tangent_input_grads(dy, dy_dot, x_dot, cache), "dx and dx_dot")
        tangent = minigan.check_tangent, layer, x
        yield Quantity(f"{name} dx", lambda: input_grads()[0], differences(loss, x),
                       says=saying("dx", *tangent))
        yield Quantity(f"{name} dx_dot", lambda: input_grads()[1],
                       differences(lambda x_dot: loss(x, x_dot), x_dot),
                       says=saying("dx_dot", *tangent))
        for own, what, right in parameter_gradients(twin, loss):
            yield Quantity(f"{name} {what}", lambda: getattr(layer, f"tangent_{what}")(
                dy, dy_dot, x_dot, cache), right, says=saying(own, *tangent))

    def penalty(g):
        return 10.0 * ((np.linalg.norm(g, axis=1) - 1) ** 2).mean()

    def gradients(network, add, left=0.0):
        for p in network.parameters():
            p.grad.fill(left)
        add(network)
        return [p.grad - left for p in network.parameters()]

    yield Quantity("v", lambda: module.dP_dg(v, np.linalg.norm(v, axis=1, keepdims=True), 10.0),
                   differences(penalty, v))
    # The sweeps are judged in a network of the library's layers, and all of it at the end in one
    # of the learner's own, with the same weights.
    theirs = redrawn(three_dense(minigan, minigan, minigan.Sequential), rng)
    yours = redrawn(three_dense(module, module.ex09_tangent, module.ex09_tangent.Network), rng)
    yours.load_state_dict(theirs.state_dict())

    def sum_of_s_dot():
        return theirs.tangent(v, theirs.forward(x)[1])[0].sum()

    def sweeps(network):
        module.two_sweeps(network, v, *network.forward(x))

    def adds():
        if not all(map(np.allclose, gradients(theirs, sweeps), gradients(theirs, sweeps, 0.5))):
            raise Complaint("the gradients that D already had, from its loss, are lost or changed")
    rates = [right[0] for *_, right in parameter_gradients(
        theirs, lambda: theirs.forward(x)[0].sum())]
    for i, (_, what, right) in enumerate(parameter_gradients(theirs, sum_of_s_dot)):
        yield Quantity(f"sweeps: {what}", lambda: gradients(theirs, sweeps)[i], right, says=known({
            "it goes down from ds = 1, where 0 belongs": rates[i] + right[0],
            "it goes down from ds = 1, ds_dot = 0: the two are swapped": rates[i]}))
    yield Quantity("sweeps add", adds)

    def P():
        s, cache = theirs.forward(x)
        return penalty(theirs.input_grad(np.ones_like(s), cache))
    for i, (_, what, right) in enumerate(parameter_gradients(theirs, P)):
        yield Quantity(f"penalty: {what}", lambda: gradients(
            yours, lambda network: module.gradient_penalty(network, x))[i], right, last=True)
