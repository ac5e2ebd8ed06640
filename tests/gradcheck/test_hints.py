"""The hints are measured: mistakes as a learner makes them, and what the first hint says of each.

A row of MISTAKES is a layer, a loss or a step with exactly one mistake, and words that the right
hint contains. `python -m pytest tests/gradcheck/test_hints.py -s` prints them all.
"""
import re
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest

from minigan import (
    AveragePool2D, BatchNorm, Conv2D, ConvTranspose2D, Dense, Dropout, Flatten, GradientPenalty,
    Hinge, Layer, LayerNorm, LeakyReLU, LeastSquares, MaxPool2D, Minimax, NonSaturating, R1Penalty,
    ReLU, Sequential, Sigmoid, SpectralNorm, Tanh, Upsample2D, Wasserstein, discriminator_step,
    generator_step)
from minigan.conv import fold, patches
from minigan.gradcheck import (
    Comparison, GradientError, Report, check_discriminator_step, check_generator_step, check_layer,
    check_tangent)
from minigan.gradcheck.comparison import Context

MISTAKES = {}  # name: (words of the right hint, the check)


def redrawn(layer, rng):
    """float64, with no parameter at 0 or 1, behind which a mistake could hide."""
    for p in layer.astype(np.float64).parameters():
        p.value[...] = rng.standard_normal(p.value.shape) * 0.8 + 0.1
    return layer


def broken(thing, methods):
    thing.__class__ = type(type(thing).__name__, (type(thing),), methods)
    return thing


def layer(name, words, right, shape=(6, 4), train=True, check=check_layer, **methods):
    def run():
        rng = np.random.default_rng(5)
        thing, x = redrawn(deepcopy(right), rng), rng.standard_normal(shape)
        for _ in range({BatchNorm: 3, SpectralNorm: 300}.get(type(thing), 0)):
            thing.forward(x + 1)  # running statistics leave 0 and 1, SpectralNorm's v converges
        check(broken(thing, methods), x, train)
    assert name not in MISTAKES
    MISTAKES[name] = words, run


def tangent(name, words, right, shape=(6, 4), **methods):
    layer(f"tangent of {name}", words, right, shape, True, check_tangent, **methods)


def gan():
    rng = np.random.default_rng(3)
    G = Sequential(Dense(3, 5), BatchNorm(5), LeakyReLU(), Dense(5, 4), Tanh())
    D = Sequential(Flatten(), Dense(4, 6), Tanh(), Dense(6, 1))
    x_real, z = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    return redrawn(G, rng), redrawn(D, rng), x_real, z


def d_step(words, loss=NonSaturating(), penalty=None, step=None):
    """As a decorator of a step function, or with a loss that is wrong in the right step."""
    def add(step, name=None):
        def run():
            G, D, x_real, z = gan()
            check_discriminator_step(G, D, loss, x_real, z, penalty, step)
        MISTAKES[name or f"D step: {step.__name__}"] = words, run
    return add


def g_step(words, loss=NonSaturating()):
    def add(step, name=None):
        def run():
            G, D, _, z = gan()
            check_generator_step(G, D, loss, z, step)
        MISTAKES[name or f"G step: {step.__name__}"] = words, run
    return add


def d_loss(name, words, right, gradients):
    """gradients: (s_real, s_fake, the right ds_real, ds_fake) -> the wrong ones."""
    def discriminator(self, s_real, s_fake):
        value, *ds = type(right).__mro__[1].discriminator(self, s_real, s_fake)
        return (value, *gradients(s_real, s_fake, *ds))
    d_step(words, broken(right, {"discriminator": discriminator}))(discriminator_step, name)


def g_loss(name, words, right, gradient):
    def generator(self, s_fake):
        value, ds = type(right).__mro__[1].generator(self, s_fake)
        return value, gradient(s_fake, ds)
    g_step(words, broken(right, {"generator": generator}))(generator_step, name)


def add(parameter, gradient):
    parameter.grad += gradient


def replace(parameter, gradient):
    parameter.grad = gradient


def p(s):
    return 1 / (1 + np.exp(-s))


# Dense.  W (in, out), b (out,)

layer("Dense: dx has the wrong sign", "the sign", Dense(4, 3),
      input_grad=lambda self, dy, x: -dy @ self.W.value.T)
layer("Dense: dx takes W for its transpose", "W with axes 0 and 1 swapped", Dense(4, 4),
      input_grad=lambda self, dy, x: dy @ self.W.value)
layer("Dense: dx forgets dy", "dy is missing", Dense(4, 3),
      input_grad=lambda self, dy, x: np.ones_like(dy) @ self.W.value.T)
layer("Dense: dx is not returned", "None: a return is missing", Dense(4, 3),
      input_grad=lambda self, dy, x: None)
layer("Dense: dx is float32", "float32", Dense(4, 3),
      input_grad=lambda self, dy, x: (dy @ self.W.value.T).astype(np.float32))
layer("Dense: dW is dy^T x", "transpose", Dense(4, 4), add_param_grads=lambda self, dy, x: (
      add(self.W, dy.T @ x), add(self.b, dy.sum(0))))
layer("Dense: dW is dy^T x, and not square", "transpose", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (
      replace(self.W, dy.T @ x), add(self.b, dy.sum(0))))
layer("Dense: dW is a mean", "6 is the batch size: a mean where a sum belongs", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (add(self.W, x.T @ dy / 6), add(self.b, dy.sum(0))))
layer("Dense: dW of y", "at y, where that at x", Dense(4, 4), add_param_grads=lambda self, dy, x: (
      add(self.W, (x @ self.W.value + self.b.value).T @ dy), add(self.b, dy.sum(0))))
layer("Dense: dW of the last example", "last example", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (
      [dW := np.outer(x[n], dy[n]) for n in range(6)] and add(self.W, dW), add(self.b, dy.sum(0))))
layer("Dense: dW in float32", "float32", Dense(4, 3), add_param_grads=lambda self, dy, x: (
      add(self.W, (x + 99).astype("f").T @ dy.astype("f") - 99 * dy.astype("f").sum(0)),
      add(self.b, dy.sum(0))))
layer("Dense: dW overwritten", "overwrites W.grad", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (replace(self.W, x.T @ dy), add(self.b, dy.sum(0))))
layer("Dense: dW is None", "None", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (replace(self.W, None), add(self.b, dy.sum(0))))
layer("Dense: dW of the x of another call", "worst", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (add(self.W, (x[::-1] + 1).T @ dy),
                                           add(self.b, dy.sum(0))))
layer("Dense: db forgotten", "all zero", Dense(4, 3),
      add_param_grads=lambda self, dy, x: add(self.W, x.T @ dy))
layer("Dense: db not summed", "a sum over axis 0 is missing", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (add(self.W, x.T @ dy), replace(self.b, dy)))
layer("Dense: db summed to one number", "a sum over axis 0 is too many", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (add(self.W, x.T @ dy), replace(self.b, dy.sum())))
layer("Dense: db keeps its dims", "reshape", Dense(4, 3), add_param_grads=lambda self, dy, x: (
      add(self.W, x.T @ dy), replace(self.b, dy.sum(0, keepdims=True))))
layer("Dense: db summed over features", "the wrong axis", Dense(4, 6),
      add_param_grads=lambda self, dy, x: (add(self.W, x.T @ dy), add(self.b, dy.sum(1))))
layer("Dense: db a mean", "6 is the batch size: a mean where a sum", Dense(4, 3),
      add_param_grads=lambda self, dy, x: (add(self.W, x.T @ dy), add(self.b, dy.mean(0))))
layer("Dense: input_grad adds dW too", "input_grad changes", Dense(4, 3),
      input_grad=lambda self, dy, x: (add(self.W, x.T @ dy), dy @ self.W.value.T)[1])

# Activations

layer("ReLU: no mask", "dy itself", ReLU(), input_grad=lambda self, dy, y: dy)
layer("ReLU: mask of dy", "mask is dy > 0", ReLU(), input_grad=lambda self, dy, y: dy * (dy > 0))
layer("ReLU: mask inverted", "inverted", ReLU(), input_grad=lambda self, dy, y: dy * (y <= 0))
layer("LeakyReLU: no mask", "dy itself", LeakyReLU(), input_grad=lambda self, dy, y: dy)
layer("LeakyReLU: mask of dy", "mask is dy > 0", LeakyReLU(),
      input_grad=lambda self, dy, y: dy * np.where(dy > 0, 1, 0.2))
layer("LeakyReLU: mask inverted", "inverted", LeakyReLU(),
      input_grad=lambda self, dy, y: dy * np.where(y > 0, 0.2, 1))
layer("LeakyReLU: 0 at negative x", "0 where x < 0", LeakyReLU(),
      input_grad=lambda self, dy, y: dy * (y > 0))
layer("LeakyReLU: slope squared", "twice", LeakyReLU(),
      input_grad=lambda self, dy, y: dy * np.where(y > 0, 1, 0.2) ** 2)
layer("LeakyReLU: slope minus at negative x", "right where x > 0", LeakyReLU(),
      input_grad=lambda self, dy, y: dy * np.where(y > 0, 1, -0.2))
layer("Tanh: taken at y", "at y, where that at x", Tanh(),
      input_grad=lambda self, dy, y: dy * (1 - np.tanh(y) ** 2))
layer("Tanh: dy forgotten", "dy is missing", Tanh(), input_grad=lambda self, dy, y: 1 - y * y)
layer("Tanh: square forgotten", "worst", Tanh(), input_grad=lambda self, dy, y: dy * (1 - y))
layer("Tanh: 1 + y^2", "worst", Tanh(), input_grad=lambda self, dy, y: dy * (1 + y * y))
layer("Tanh: x for y", "x stands", Tanh(), forward=lambda self, x, train: (np.tanh(x), x),
      input_grad=lambda self, dy, x: dy * (1 - x * x))
layer("Tanh: sigmoid's derivative", "of the sigmoid", Tanh(),
      input_grad=lambda self, dy, y: dy * y * (1 - y))
layer("Tanh: writes into dy", "writes into its dy", Tanh(),
      input_grad=lambda self, dy, y: np.multiply(dy, 1 - y * y, out=dy))
layer("Tanh: not finite", "not finite", Tanh(),
      input_grad=lambda self, dy, y: dy * np.where(y > 0.6, np.inf, 1 - y * y))
layer("Sigmoid: derivative twice", "twice", Sigmoid(),
      input_grad=lambda self, dy, y: dy * (y * (1 - y)) ** 2)
layer("Sigmoid: tanh's derivative", "of tanh", Sigmoid(),
      input_grad=lambda self, dy, y: dy * (1 - y * y))
layer("Sigmoid: 1 - y forgotten", "dy times y", Sigmoid(), input_grad=lambda self, dy, y: dy * y)
layer("Sigmoid: y - 1", "the sign", Sigmoid(), input_grad=lambda self, dy, y: dy * y * (y - 1))

# Norms.  cache = x_hat (N, ..., C), inv_std, frozen


def in_terms(*factors, gamma=True):
    """dx of a norm, as the sum of its terms: the direct one, the mean's, and the variance's."""
    def input_grad(self, dy, cache):
        x_hat, inv_std, frozen = cache
        a = dy.reshape(x_hat.shape) * (self.gamma.value if gamma else 1)
        terms = a, -self.mean(a), -x_hat * self.mean(a * x_hat)
        return (inv_std * sum(f * term for f, term in zip(factors, terms))).reshape(dy.shape)
    return input_grad


layer("BatchNorm: no mean term", "mean(dx_hat) is missing", BatchNorm(4),
      input_grad=in_terms(1, 0, 1))
layer("BatchNorm: no variance term", "x_hat mean(dx_hat x_hat) is missing", BatchNorm(4),
      input_grad=in_terms(1, 1, 0))
layer("BatchNorm: mean and var taken for constants", "mean(dx_hat) is missing, and the term x_hat",
      BatchNorm(4), input_grad=in_terms(1, 0, 0))
layer("BatchNorm: sum for mean", "mean(dx_hat) is 6 times the right one, and 6 is the batch size",
      BatchNorm(4), input_grad=in_terms(1, 6, 1))
layer("BatchNorm: sign of the variance term", "sign of the term x_hat", BatchNorm(4),
      input_grad=in_terms(1, 1, -1))
layer("BatchNorm: no gamma in dx", "gamma is missing", BatchNorm(4),
      input_grad=in_terms(1, 1, 1, gamma=False))
layer("BatchNorm: no inv_std", "axis 1", BatchNorm(4), input_grad=lambda self, dy, cache: in_terms(
      1, 1, 1)(self, dy, (cache[0], 1, False)))
layer("BatchNorm: on images, no mean term", "mean(dx_hat) is missing", BatchNorm(2), (2, 3, 2, 2),
      input_grad=in_terms(1, 0, 1))
layer("BatchNorm: gamma and beta swapped", "what beta should be", BatchNorm(4),
      add_param_grads=lambda self, dy, cache: (
      add(self.gamma, dy.sum(0)), add(self.beta, (dy * cache[0]).sum(0))))
layer("BatchNorm: dgamma of x", "the sum of dy x: in a norm, x_hat", BatchNorm(4),
      forward=lambda self, x, train: (lambda y, cache: (y, (*cache, x)))(
      *BatchNorm.forward(self, x, train)),
      input_grad=lambda self, dy, cache: BatchNorm.input_grad(self, dy, cache[:3]),
      add_param_grads=lambda self, dy, cache: (
      add(self.gamma, (dy * cache[3]).sum(0)), add(self.beta, dy.sum(0))))
layer("BatchNorm: in use, backward of training", "has no place here", BatchNorm(4), train=False,
      input_grad=in_terms(1, 1, 1))
layer("BatchNorm: in training, backward of use", "formula for use", BatchNorm(4),
      input_grad=lambda self, dy, cache: (
      dy * self.gamma.value / np.sqrt(self.running_var + self.eps)))
layer("LayerNorm: no variance term", "x_hat mean(dx_hat x_hat) is missing", LayerNorm(4),
      input_grad=in_terms(1, 1, 0))
layer("LayerNorm: no mean term, images", "mean(dx_hat) is missing", LayerNorm(2), (2, 3, 2, 2),
      input_grad=in_terms(1, 0, 1))
layer("LayerNorm: doubled", "2 times", LayerNorm(4), input_grad=in_terms(2, 2, 2))
layer("LayerNorm: means over the batch", "worst", LayerNorm(4),
      input_grad=lambda self, dy, cache: in_terms(1, 1, 1)(BatchNorm(4).astype("d"), dy, cache))
layer("LayerNorm: gamma last", "worst", LayerNorm(4), input_grad=lambda self, dy, cache: (
      in_terms(1, 1, 1, gamma=False)(self, dy, cache) * self.gamma.value))
layer("LayerNorm: dbeta a mean", "6 is the batch size", LayerNorm(4),
      add_param_grads=lambda self, dy, cache: (
      add(self.gamma, (dy * cache[0]).sum(0)), add(self.beta, dy.mean(0))))


def forward_that_keeps_x(self, x, train):
    y, cache = type(self).__mro__[1].forward(self, x, train)
    return y, (cache, x)


def sigma(layer):
    return np.linalg.norm(layer.W.value, 2)


layer("SpectralNorm: sigma taken for a constant", "u v^T", SpectralNorm(Dense(4, 3)),
      forward=forward_that_keeps_x,
      input_grad=lambda self, dy, cache: SpectralNorm.input_grad(self, dy, cache[0]),
      add_param_grads=lambda self, dy, cache: (
      add(self.layer.W, cache[1].T @ dy / sigma(self.layer)), add(self.layer.b, dy.sum(0))))
layer("SpectralNorm: dx not divided", "largest singular value", SpectralNorm(Dense(4, 3)),
      input_grad=lambda self, dy, cache: dy @ self.layer.W.value.T)

# Convolutions, pools

IMAGES = (2, 5, 6, 2)


def dW_of_conv(rows, dy):
    return (rows.T @ dy.reshape(-1, 3)).reshape(3, 3, 2, 3)


def with_dW(dW):
    """add_param_grads of a Conv2D, whose cache begins with its patches in rows."""
    return lambda self, dy, cache: (add(self.W, dW(cache[0], dy)), add(self.b, dy.sum((0, 1, 2))))


def overwriting_fold(rows, shape, K, S, padding):
    N, H, W, C = shape
    x = np.zeros((N, H + 2 * padding, W + 2 * padding, C))
    P, Q = (x.shape[1] - K) // S + 1, (x.shape[2] - K) // S + 1
    rows = rows.reshape(N, P, Q, K, K, C)
    for i in range(P):
        for j in range(Q):
            x[:, S * i:S * i + K, S * j:S * j + K] = rows[:, i, j]
    return x[:, padding:padding + H, padding:padding + W]


layer("Conv2D: dx by the kernel, not reversed", "W with axes 0 and 1 reversed",
      Conv2D(2, 3, 3, 1, 1), IMAGES, input_grad=lambda self, dy, cache: fold(
          dy.reshape(-1, 3) @ self.W.value[::-1, ::-1].reshape(-1, 3).T, cache[1], *self.window))
layer("Conv2D: dx, rows and columns of the kernel swapped", "W with axes 0 and 1 swapped",
      Conv2D(2, 3, 3, 1, 1), IMAGES, input_grad=lambda self, dy, cache: fold(
          dy.reshape(-1, 3) @ self.W.value.swapaxes(0, 1).reshape(-1, 3).T, cache[1], *self.window))
layer("Conv2D: dx, channels in and out swapped", "W with axes 2 and 3 swapped",
      Conv2D(2, 2, 3, 1, 1), IMAGES, input_grad=lambda self, dy, cache: fold(
          dy.reshape(-1, 2) @ self.W.value.swapaxes(2, 3).reshape(-1, 2).T, cache[1], *self.window))
layer("Conv2D: dx cut at the wrong place", "shifted by one", Conv2D(2, 3, 3, 2, 1), (2, 6, 6, 2),
      input_grad=lambda self, dy, cache: np.pad(
          Conv2D.input_grad(self, dy, cache), [(0, 0), (1, 0), (0, 0), (0, 0)])[:, :-1])
layer("Conv2D: dx overwrites where patches overlap", "worst", Conv2D(2, 3, 3, 2, 1), IMAGES,
      input_grad=lambda self, dy, cache: overwriting_fold(
          dy.reshape(-1, 3) @ self.W.value.reshape(-1, 3).T, cache[1], *self.window))
layer("Conv2D: dW reversed", "reversed: flip it by [::-1, ::-1]", Conv2D(2, 3, 3, 1, 1), IMAGES,
      add_param_grads=with_dW(lambda rows, dy: dW_of_conv(rows, dy)[::-1, ::-1]))
layer("Conv2D: dW, rows and columns swapped", "axes 0 and 1 swapped", Conv2D(2, 3, 3, 1, 1), IMAGES,
      add_param_grads=with_dW(lambda rows, dy: dW_of_conv(rows, dy).swapaxes(0, 1)))
layer("Conv2D: dW reshaped, not transposed", "wrong places", Conv2D(2, 3, 3, 1, 1), IMAGES,
      add_param_grads=with_dW(lambda rows, dy: (dy.reshape(-1, 3).T @ rows).reshape(3, 3, 2, 3)))
layer("Conv2D: dW a mean over the places", "P Q", Conv2D(2, 3, 3, 1, 1), IMAGES,
      add_param_grads=with_dW(lambda rows, dy: dW_of_conv(rows, dy) / dy[0, :, :, 0].size))
layer("Conv2D: dW a mean over all", "N P Q", Conv2D(2, 3, 3, 1, 1), IMAGES,
      add_param_grads=with_dW(lambda rows, dy: dW_of_conv(rows, dy) / len(rows)))
layer("Conv2D: dW of the last place", "last place", Conv2D(2, 3, 3, 1, 1), IMAGES,
      add_param_grads=with_dW(lambda rows, dy: dW_of_conv(
          rows.reshape(2, 30, 18)[:, -1], dy[:, -1, -1])))
layer("Conv2D: db summed over the batch only", "a sum over axis 0, 1 is missing",
      Conv2D(2, 3, 3, 2, 1), IMAGES, add_param_grads=lambda self, dy, cache: (
          add(self.W, dW_of_conv(cache[0], dy)), replace(self.b, dy.sum(0))))
layer("ConvTranspose2D: dW reversed", "reversed: flip it by [:, ::-1, ::-1]",
      ConvTranspose2D(2, 3, 3, 2, 1), (2, 3, 4, 2), add_weight_grad=lambda self, dy, x: add(
          self.W, (x.reshape(-1, 2).T @ patches(dy, *self.window)).reshape(
              2, 3, 3, 3)[:, ::-1, ::-1]))
layer("ConvTranspose2D: dx by the kernel reversed", "W with axes 1 and 2 reversed",
      ConvTranspose2D(2, 3, 3, 2, 1), (2, 3, 4, 2), input_grad=lambda self, dy, x: (
          patches(dy, *self.window) @ self.W.value[:, ::-1, ::-1].reshape(2, -1).T
      ).reshape(x.shape))
layer("ConvTranspose2D: db a mean", "N P Q", ConvTranspose2D(2, 3, 3, 2, 1), (2, 3, 4, 2),
      add_param_grads=lambda self, dy, x: (
      self.add_weight_grad(dy, x), add(self.b, dy.mean((0, 1, 2)))))
layer("MaxPool2D: dy to all of the patch", "not 0 where the right one is", MaxPool2D(2),
      (2, 4, 6, 2), input_grad=lambda self, dy, cache: dy.repeat(2, 1).repeat(2, 2))
layer("MaxPool2D: dy spread over the patch", "not 0 where the right one is", MaxPool2D(2),
      (2, 4, 6, 2), input_grad=lambda self, dy, cache: dy.repeat(2, 1).repeat(2, 2) / 4)
layer("AveragePool2D: the division forgotten", "4 is", AveragePool2D(2),
      (2, 4, 6, 2), input_grad=lambda self, dy, x_shape: dy.repeat(2, 1).repeat(2, 2))
layer("AveragePool2D: divided by K", "2 times", AveragePool2D(2),
      (2, 4, 6, 2), input_grad=lambda self, dy, x_shape: dy.repeat(2, 1).repeat(2, 2) / 2)
layer("Upsample2D: the mean of the repeats", "1/4 of the right one, and 4 is", Upsample2D(2),
      (2, 3, 2, 2), input_grad=lambda self, dy, x_shape: (
      dy.reshape(2, 3, 2, 2, 2, 2).mean((2, 4))))
layer("Upsample2D: one of the repeats", "only one output of each input", Upsample2D(2),
      (2, 3, 2, 2), input_grad=lambda self, dy, x_shape: dy[:, ::2, ::2])
layer("Flatten: in another order", "wrong places", Flatten(), (3, 2, 4, 3),
      input_grad=lambda self, dy, x_shape: dy.reshape(x_shape, order="F"))
layer("Flatten: not reshaped", "so reshape it", Flatten(), (3, 2, 4, 2),
      input_grad=lambda self, dy, x_shape: dy)

# Dropout

layer("Dropout: no mask", "dy itself", Dropout(0.4, rng=1), input_grad=lambda self, dy, mask: dy)
layer("Dropout: no scale", "0.6 is 1 - p", Dropout(0.4, rng=1),
      input_grad=lambda self, dy, mask: dy * (mask > 0))
layer("Dropout: mask twice", "0.6 is 1 - p", Dropout(0.4, rng=1),
      input_grad=lambda self, dy, mask: dy * mask * mask)
layer("Dropout: mask drawn anew", "the mask is another", Dropout(0.4, rng=1),
      input_grad=lambda self, dy, mask: dy * (
      np.random.default_rng(2).random(dy.shape) >= 0.4) / 0.6)
layer("Dropout: mask inverted", "inverted", Dropout(0.4, rng=1),
      input_grad=lambda self, dy, mask: dy * (mask == 0) / 0.6)
layer("Dropout: a mask in use", "0 in", Dropout(0.4, rng=1), train=False,
      input_grad=lambda self, dy, mask: dy * (np.random.default_rng(2).random(dy.shape) >= 0.4))

# Losses

d_loss("Minimax: sign of ds_real", "the sign", Minimax(), lambda r, f, dr, df: (-dr, df))
d_loss("Minimax: ds swapped", "what ds_fake should be", Minimax(), lambda r, f, dr, df: (df, dr))
d_loss("Minimax: sum for mean", "6 is the batch size: a sum where a mean belongs", Minimax(),
       lambda r, f, dr, df: (6 * dr, df))
d_loss("Minimax: probabilities clipped", "0 in", Minimax(), lambda r, f, dr, df: (
       dr, df * (f < np.median(f))))
d_loss("Minimax: sigmoid' once more", "sigmoid's derivative", Minimax(), lambda r, f, dr, df: (
       dr * p(r) * (1 - p(r)), df))
d_loss("NonSaturating: label smoothing forgotten", "off by -0.01667 everywhere",
       NonSaturating(0.1), lambda r, f, dr, df: (-p(-r) / 6, df))
d_loss("LeastSquares: the 2 of the square", "2 times", LeastSquares(),
       lambda r, f, dr, df: (dr, 2 * df))
d_loss("Hinge: no mask", "mask is missing", Hinge(), lambda r, f, dr, df: (0 * r - 1 / 6, df))
d_loss("Wasserstein: sign of ds_fake", "the sign", Wasserstein(), lambda r, f, dr, df: (dr, -df))
d_loss("Minimax: ds_real of shape (N,)", "reshape", Minimax(), lambda r, f, dr, df: (dr[:, 0], df))
g_loss("G's NonSaturating: p(s) for p(-s)", "slope at -s", NonSaturating(), lambda f, ds: -p(f) / 6)
g_loss("G's Hinge: sum for mean", "6 is the batch size", Hinge(), lambda f, ds: 6 * ds)
g_loss("G's LeastSquares: forgotten", "all zero", LeastSquares(), lambda f, ds: 0 * ds)

# D's step


def passes(G, D, loss, x_real, z):
    """What all of D's steps below begin with."""
    s_real, cache_real = D.forward(x_real)
    s_fake, cache_fake = D.forward(G.forward(z)[0])
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    return value, ds_real, ds_fake, cache_real, cache_fake


@d_step("fake batch's cache: that of the real one went stale")
def stale_cache(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, _, cache = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real, cache)
    D.add_param_grads(ds_fake, cache)
    return value, 0, 0


@d_step("or both shares are taken with the fake batch's cache", Wasserstein())
def stale_cache_of_wasserstein(G, D, optimizer, loss, x_real, z, penalty):
    return stale_cache_again(G, D, optimizer, loss, x_real, z, penalty)


def stale_cache_again(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, _, cache = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real + ds_fake, cache)
    return value, 0, 0


@d_step("caches of real and fake, or ds_real and ds_fake, are swapped")
def caches_swapped(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_fake)
    D.add_param_grads(ds_fake, cache_real)
    return value, 0, 0


@d_step("zero_grad is missing")
def never_cleared(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.add_param_grads(ds_real, cache_real)
    D.add_param_grads(ds_fake, cache_fake)
    return value, 0, 0


@d_step("real batch's share is missing")
def cleared_between(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.add_param_grads(ds_real, cache_real)
    D.zero_grad()
    D.add_param_grads(ds_fake, cache_fake)
    return value, 0, 0


@d_step("all zero")
def cleared_at_the_end(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.add_param_grads(ds_real, cache_real)
    D.add_param_grads(ds_fake, cache_fake)
    D.zero_grad()
    return value, 0, 0


@d_step("fake batch's share is missing", Hinge())
def fakes_forgotten(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, _, cache_real, _ = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    return value, 0, 0


@d_step("sign of the fake batch's share", LeastSquares())
def sign_of_the_fakes(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    D.add_param_grads(-ds_fake, cache_fake)
    return value, 0, 0


@d_step("real batch's share is 2 times the right one, and a factor 2 too many, or something")
def real_twice(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    D.backward(ds_real, cache_real)
    D.add_param_grads(ds_fake, cache_fake)
    return value, 0, 0


@d_step("sigmoid's derivative is in it once more")
def sigmoid_again(G, D, optimizer, loss, x_real, z, penalty):
    s_real, cache_real = D.forward(x_real)
    s_fake, cache_fake = D.forward(G.forward(z)[0])
    value, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real * p(s_real) * (1 - p(s_real)), cache_real)
    D.add_param_grads(ds_fake * p(s_fake) * (1 - p(s_fake)), cache_fake)
    return value, 0, 0


@d_step("the penalty's share is missing", penalty=R1Penalty())
def penalty_without_gradient(G, D, optimizer, loss, x_real, z, penalty):
    value, *_ = discriminator_step(G, D, optimizer, loss, x_real, z)
    kept = [p.grad.copy() for p in D.parameters()]
    value = value + penalty(D, x_real, None)
    for parameter, grad in zip(D.parameters(), kept):
        parameter.grad[...] = grad
    return value, 0, 0


@d_step("the penalty's share is 1/10 of the right one, and 10 is weight", Wasserstein(),
        GradientPenalty(10.0, rng=0))
def penalty_without_its_weight(G, D, optimizer, loss, x_real, z, penalty):
    value, *_ = discriminator_step(G, D, SimpleNamespace(step=lambda: None), loss, x_real, z)
    kept = [p.grad.copy() for p in D.parameters()]
    value = value + penalty(D, x_real, G.forward(z)[0])
    for parameter, grad in zip(D.parameters(), kept):
        parameter.grad[...] = grad + (parameter.grad - grad) / 10
    optimizer.step()
    return value, 0, 0


@d_step("without add_param_grads")
def generator_learns_too(G, D, optimizer, loss, x_real, z, penalty):
    value, ds_real, ds_fake, cache_real, cache_fake = passes(G, D, loss, x_real, z)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    G.add_param_grads(D.backward(ds_fake, cache_fake), G.forward(z)[1])
    return value, 0, 0


@d_step("leave that to the optimizer")
def updates_by_itself(G, D, optimizer, loss, x_real, z, penalty):
    value, *_ = discriminator_step(G, D, optimizer, loss, x_real, z)
    for parameter in D.parameters():
        parameter.value -= 0.1 * parameter.grad
    return value, 0, 0


@d_step("its loss value is not that of the loss")
def loss_of_the_real_batch_only(G, D, optimizer, loss, x_real, z, penalty):
    value, s_real, s_fake = discriminator_step(G, D, optimizer, loss, x_real, z)
    return -np.log(s_real), s_real, s_fake


# G's step

def relay(G, D, loss, z):
    """What all of G's steps below begin with."""
    x_fake, cache = G.forward(z)
    s_fake, cache_fake = D.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    return value, x_fake, s_fake, ds_fake, cache, cache_fake


@g_step("bypasses D")
def bypasses_the_discriminator(G, D, optimizer, loss, z):
    value, x_fake, _, ds_fake, cache, _ = relay(G, D, loss, z)
    G.zero_grad()
    G.add_param_grads(ds_fake * np.ones_like(x_fake), cache)
    return value, 0


@g_step("learn: its input_grad is enough")
def discriminator_learns_too(G, D, optimizer, loss, z):
    value, _, _, ds_fake, cache, cache_fake = relay(G, D, loss, z)
    G.zero_grad()
    G.add_param_grads(D.backward(ds_fake, cache_fake), cache)
    return value, 0


@g_step("and updates it")
def discriminator_updated(G, D, optimizer, loss, z):
    value, *_ = generator_step(G, D, optimizer, loss, z)
    D.layers[-1].b.value += 0.01
    return value, 0


@g_step("the sign")
def uphill(G, D, optimizer, loss, z):
    value, _, _, ds_fake, cache, cache_fake = relay(G, D, loss, z)
    G.zero_grad()
    G.add_param_grads(D.input_grad(-ds_fake, cache_fake), cache)
    return value, 0


@g_step("all zero")
def detached(G, D, optimizer, loss, z):
    value, *_ = relay(G, D, loss, z)
    G.zero_grad()
    return value, 0


@g_step("zero_grad is missing")
def generator_never_cleared(G, D, optimizer, loss, z):
    value, _, _, ds_fake, cache, cache_fake = relay(G, D, loss, z)
    G.add_param_grads(D.input_grad(ds_fake, cache_fake), cache)
    return value, 0


@g_step("of D's loss, not of G's")
def discriminators_loss(G, D, optimizer, loss, z):
    value, _, s_fake, _, cache, cache_fake = relay(G, D, loss, z)
    G.zero_grad()
    G.add_param_grads(D.input_grad(loss.discriminator(s_fake, s_fake)[2], cache_fake), cache)
    return value, 0


@g_step("ds_fake is missing")
def loss_forgotten(G, D, optimizer, loss, z):
    value, _, s_fake, _, cache, cache_fake = relay(G, D, loss, z)
    G.zero_grad()
    G.add_param_grads(D.input_grad(np.ones_like(s_fake), cache_fake), cache)
    return value, 0


@g_step("worst", Hinge())
def cache_of_other_noise(G, D, optimizer, loss, z):
    value, _, _, ds_fake, _, cache_fake = relay(G, D, loss, z)
    G.zero_grad()
    G.add_param_grads(D.input_grad(ds_fake, cache_fake), G.forward(z[::-1] + 1)[1])
    return value, 0


# The second order

tangent("Tanh: no curvature", "the curvature is missing", Tanh(), curvature=lambda *_: None)
tangent("Tanh: sign of the curvature", "sign of the curvature", Tanh(),
        curvature=lambda self, *given: -Tanh.curvature(self, *given))
tangent("Tanh: the 2 of the curvature", "the curvature is 1/2 of", Tanh(),
        curvature=lambda self, *given: Tanh.curvature(self, *given) / 2)
tangent("Tanh: no derivative in the tangent", "x_dot itself", Tanh(),
        tangent=lambda self, x_dot, y: (x_dot, x_dot))
tangent("Dense: dW without x_dot", "x_dot and dy_dot is missing", Dense(4, 3),
        add_tangent_param_grads=lambda self, dy, dy_dot, x_dot, x: self.add_param_grads(dy, x))
tangent("Dense: dW without x", "the share of dy is missing", Dense(4, 3),
        add_tangent_param_grads=lambda self, dy, dy_dot, x_dot, x: (
        add(self.W, x_dot.T @ dy_dot), add(self.b, dy.sum(0))))
tangent("LayerNorm: no curvature", "the curvature is missing", LayerNorm(4),
        curvature=lambda *_: None)
tangent("LayerNorm: dgamma without x_hat_dot", "x_dot and dy_dot is missing", LayerNorm(4),
        add_tangent_param_grads=lambda self, dy, dy_dot, tcache, cache: (
        self.add_param_grads(dy, cache)))
tangent("LayerNorm: one of the three terms of the curvature", "worst", LayerNorm(4),
        curvature=lambda self, dy_dot, dx_dot, tcache, cache: (
        LayerNorm.curvature(self, dy_dot, dx_dot, tcache, cache) + (
            cache[1] * cache[0] * self.mean(self.gamma.value * dy_dot * tcache[1]))))
tangent("Conv2D: dW without x_dot", "x_dot and dy_dot is missing", Conv2D(2, 3, 3, 2, 1), IMAGES,
        add_tangent_param_grads=lambda self, dy, dy_dot, rows_dot, cache: (
        self.add_param_grads(dy, cache)))


def complaint(run):
    with pytest.raises(GradientError) as caught:
        run()
    return str(caught.value)


def first_hint(text):
    """That of the first wrong gradient; what breaks the contract of a layer or a step is one."""
    return (re.findall("WRONG: (.*)", text) or [text])[0]


def test_the_first_hint_names_the_mistake_and_none_names_another():
    hints = {name: first_hint(complaint(run)) for name, (_, run) in MISTAKES.items()}
    silent = [name for name, hint in hints.items() if hint.startswith("worst at [")]
    right = [name for name, hint in hints.items() if MISTAKES[name][0] in hint
             and name not in silent]
    wrong = {name: hint for name, hint in hints.items() if name not in right + silent}
    for name, hint in hints.items():
        what = "right" if name in right else "silent" if name in silent else "WRONG"
        print(f"\n{what:<8}{name}\n        {hint}", end="")
    print(f"\n{len(hints)} mistakes, all caught: {len(right)} first hints are right, {len(silent)} "
          f"claim nothing, {len(wrong)} are wrong")
    assert not wrong
    assert len(right) >= 0.9 * len(hints)


@pytest.mark.parametrize("right, shape", [
    (Dense(4, 4), (4, 4)), (Dense(1, 1), (1, 1)), (LeakyReLU(), (6, 4)), (Tanh(), (6, 4)),
    (BatchNorm(4), (4, 4)), (LayerNorm(2), (2, 3, 2, 2)), (Conv2D(2, 2, 3, 2, 1), (2, 5, 6, 2)),
    (ConvTranspose2D(2, 2, 3, 2, 1), (2, 3, 4, 2)), (MaxPool2D(2), (2, 4, 6, 2)),
    (Dropout(0.4, rng=1), (6, 4)), (Sequential(Dense(4, 4), BatchNorm(4), Tanh()), (4, 4))],
    ids=repr)
def test_a_right_layer_gets_no_hint(right, shape):
    rng = np.random.default_rng(0)
    report = check_layer(redrawn(right, rng), rng.standard_normal(shape))
    assert "WRONG" not in str(report) and not any(c.hint() for c in report)


def comparison(a, n, name="dx"):
    return Comparison(name, a, n, np.zeros(n.shape, bool), 1e-9)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (2,), (3, 3), (4, 2), (2, 3, 3, 2)])
def test_of_a_gradient_that_is_wrong_throughout_nothing_is_claimed(shape):
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = comparison(*rng.standard_normal((2, *shape)))
        assert found.hint().startswith("worst at [")


def test_of_one_number_no_factor_is_claimed():
    for a in (-0.5, 1, 0.25):
        found = comparison(np.array([a], float), np.array([0.5]))
        assert found.hint() == f"worst at [0]: {a} instead of 0.5"


def test_of_a_gradient_that_is_nearly_right_no_mistake_is_claimed():
    n = np.random.default_rng(0).standard_normal((4, 3))
    assert comparison((1 + 3e-6) * n, n).hint().startswith("worst at [")


@pytest.mark.parametrize("size, apart, answer", [
    (5, 1, "one is 0.3 times the right one, and two is 0.9 times"),
    (3, 1, "worst at ["),     # any three numbers are nearly a sum of two terms and a little more
    (5, 1e-4, "worst at [")])  # and so are those terms of each other
def test_a_share_is_claimed_only_where_the_numbers_tell_it_from_another(size, apart, answer):
    one, other = np.random.default_rng(0).standard_normal((2, size))
    two = one + apart * other
    context = Context(parts={"one": one, "two": two}, slope=lambda part, v: (part * v).sum())
    found = Comparison("dx", 0.3 * one + 0.9 * two, one + two, np.zeros(size, bool), 1e-9, context)
    assert found.hint().startswith(answer)


def test_where_two_sizes_are_equal_the_hint_names_both():
    rng = np.random.default_rng(0)
    mean = broken(redrawn(Dense(4, 3), rng), {"add_param_grads": lambda self, dy, x: (
        add(self.W, x.T @ dy / 4), add(self.b, dy.sum(0)))})
    hint = first_hint(complaint(lambda: check_layer(mean, rng.standard_normal((4, 4)))))
    assert "4 is the batch size" in hint and "4 is in_features" in hint
    two = broken(redrawn(Dense(4, 3), rng), {"input_grad": lambda self, dy, x: (
        2 * dy @ self.W.value.T)})
    hint = first_hint(complaint(lambda: check_layer(two, rng.standard_normal((2, 4)))))
    assert "2 is the batch size" in hint and "a factor 2 too many" in hint


class Absolute(Layer):
    """|x|, which does not tell of its kink."""

    def forward(self, x, train=True):
        return abs(x), x

    def input_grad(self, dy, x):
        return dy * np.sign(x)


class Steep(Layer):
    def __init__(self, slope):
        self.slope = slope

    def forward(self, x, train=True):
        y = np.tanh(self.slope * x)
        return y, y

    def input_grad(self, dy, y):
        return dy * (1 - y * y) * self.slope


@pytest.mark.parametrize("right, scale", [(Absolute(), 1), (Steep(6000), 1e-4)], ids=repr)
def test_beside_a_kink_and_in_a_sharp_bend_the_hint_suspects_the_differences(right, scale):
    x = scale * np.random.default_rng(0).standard_normal((6, 4))
    x[2, 1] = 1e-6
    assert first_hint(complaint(lambda: check_layer(right, x))).startswith("it may be right")


@pytest.mark.parametrize("slope", [100, 1000])  # at 1000 the usual step errs by 3e-6
def test_a_bend_that_a_smaller_step_follows_is_not_called_wrong(slope):
    check_layer(Steep(slope), np.random.default_rng(0).standard_normal((6, 4)) / (10 * slope))


@pytest.mark.parametrize("a, words", [
    (None, "it is None: a return is missing"),
    ([[1.0, 2.0]], "it is no array but [[1.0, 2.0]]"),
    (np.float64(3), "it has shape (), and should have (5, 3): a sum over axis 0, 1 is too many"),
    (np.ones((2, 5, 3)), "it has shape (2, 5, 3), and should have (5, 3): a sum over axis 0 is mi"),
    (np.ones((3, 5)), "it has shape (3, 5), and should have (5, 3): it is the transpose"),
    (np.ones((15, 1)), "it has the numbers, so reshape it"),
    (np.ones((7, 2)), "it has shape (7, 2), and should have (5, 3)"),
    (np.ones((5, 3), np.float32), "it is float32 in a check that is all float64"),
    (np.full((5, 3), np.nan), "it is not finite in 15 of 15 elements, as at [0, 0]")],
    ids=lambda value: value.split(",")[0] if isinstance(value, str) else "")
def test_what_cannot_be_compared_is_wrong_and_the_verdict_says_why(a, words):
    found = comparison(a, np.ones((5, 3)))
    assert not found.right and found.hint().startswith(words) or words in found.hint()
    assert "WRONG: it " in str(found) and "WRONG" in str(Report("a check", [found]))


def test_a_forward_that_leaves_float64_is_refused():
    wrong = broken(Tanh(), {"forward": lambda self, x, train: 2 * [np.tanh(x).astype("f")]})
    assert "makes a y of float32" in complaint(lambda: check_layer(wrong, np.ones((3, 2))))


def test_a_search_for_the_mistake_changes_neither_values_nor_statistics_nor_random_streams():
    rng = np.random.default_rng(0)
    net = redrawn(Sequential(Dense(4, 3), BatchNorm(3), Dropout(0.5, rng)), rng)
    broken(net.layers[0], {"add_param_grads": lambda self, dy, x: add(self.W, x.T @ abs(dy))})
    x = rng.standard_normal((6, 4))
    before, stream = net.state_dict(), rng.bit_generator.state
    complaint(lambda: check_layer(net, x))
    np.testing.assert_equal(net.state_dict(), before)
    assert rng.bit_generator.state == stream
