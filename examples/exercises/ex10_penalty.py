"""Exercise 10: The sweep down, and the gradient penalty

The penalty of WGAN-GP (Gulrajani et al. 2017), with theta standing for all of D's parameters:

    s[n] = D(x[n]),    g[n] = ds[n]/dx[n],    P = weight mean over n of (|g[n]| - 1)^2
    v = dP/dg                                 one line of calculus
    dP/dtheta = d(sum of v g)/dtheta          the chain rule, with v held constant
              = d(sum of s_dot)/dtheta        since (ds/dx) v = s_dot: the tangent of D along v

So run exercise 9's sweep up with x_dot = v, then go down: an ordinary backward pass, of the map
(x, x_dot) -> (y, y_dot), from ds = 0 and ds_dot = 1. A layer on its way is handed dy and dy_dot,
the gradients at y and y_dot. Derive, remembering that x may go into y and into y_dot,

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
        # TODO: return dx and dx_dot, both (N, D)
        raise NotImplementedError("not written yet: Dense dx, dx_dot")

    def tangent_dW(self, dy, dy_dot, x_dot, x):
        # TODO: return dW (D, M), the sum of two products
        raise NotImplementedError("not written yet: Dense dW")

    def tangent_db(self, dy, dy_dot, x_dot, x):
        # TODO: return db (M,)
        raise NotImplementedError("not written yet: Dense db")

    def add_tangent_param_grads(self, dy, dy_dot, x_dot, x):
        self.W.grad += self.tangent_dW(dy, dy_dot, x_dot, x)
        self.b.grad += self.tangent_db(dy, dy_dot, x_dot, x)


class Tanh(ex09_tangent.Tanh):

    def tangent_input_grads(self, dy, dy_dot, x_dot, y):
        # TODO: return dx and dx_dot, both of x's shape
        raise NotImplementedError("not written yet: Tanh dx, dx_dot")


def dP_dg(g, norm, weight):
    # TODO: return v = dP/dg (N, D), from g (N, D), norm (N, 1), norm[n] = |g[n]|, and weight
    raise NotImplementedError("not written yet: v")


def two_sweeps(discriminator, v, s, cache):
    # TODO: up with discriminator.tangent, down with discriminator.tangent_backward: two lines
    raise NotImplementedError("not written yet: sweeps")


def gradient_penalty(discriminator, x, weight=10.0):
    """Returns P at x (N, D), and adds dP/dtheta to the gradients that D already has."""
    s, cache = discriminator.forward(x)
    g = discriminator.input_grad(np.ones_like(s), cache)
    norm = (g * g).sum(axis=1, keepdims=True) ** 0.5
    two_sweeps(discriminator, dP_dg(g, norm, weight), s, cache)
    return weight * ((norm - 1) ** 2).mean()
