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
nothing new.) At the end a question, on the smallest D that there is.

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


def slope_of_the_penalty():
    # gap ANSWER: D(x) = w x takes one number, w = 1.5, weight = 10: return ∂P/∂w
    return 10
    # end


# hint
# v: the slope of weight / N (|g| - 1)^2 along |g| is 2 weight / N (|g| - 1), and |g| grows fastest
# along g / |g|.
#
# The answer: g = w at every x, so P = weight (|w| - 1)^2.
#
# Tanh: L changes with x through y, which gives f' dy, and through y_dot = f'(x) x_dot, which gives
# f'' x_dot dy_dot. From f' = 1 - y^2 follows f'' = -2 y f', and f' dy_dot is dx_dot.
#
# The sweeps: y_dot, tcache = discriminator.tangent(v, cache), of which only tcache is needed, then
# discriminator.tangent_backward(ds, ds_dot, tcache, cache), with arrays of the shape of s.


# mistakes
MISTAKES = {
    "Dense dx, dx_dot": {
        "return dy_dot @ self.W.value.T, dy @ self.W.value.T":
            "dx comes from dy, dx_dot from dy_dot: x goes into y alone, and x_dot into y_dot alone",
        "return dy @ self.W.value.T, dy @ self.W.value.T":
            "dx comes from dy, dx_dot from dy_dot: x goes into y alone, and x_dot into y_dot alone",
        "return dy_dot @ self.W.value.T, dy_dot @ self.W.value.T":
            "dx comes from dy, dx_dot from dy_dot: x goes into y alone, and x_dot into y_dot alone",
        "return (dy + dy_dot) @ self.W.value.T, dy_dot @ self.W.value.T":
            "dy_dot has no part in dx: y_dot = x_dot W holds no x",
        "return dy @ self.W.value.T, (dy + dy_dot) @ self.W.value.T":
            "dy has no part in dx_dot: y = x W + b holds no x_dot",
        "return dy @ self.W.value.T + x_dot * (dy_dot @ self.W.value.T), dy_dot @ self.W.value.T":
            "Dense has no curvature: y_dot = x_dot W holds no x",
        "return dy @ self.W.value.T + self.b.value.sum(), dy_dot @ self.W.value.T":
            "b has no part in dx: it does not depend on x",
        "return dy @ self.W.value, dy_dot @ self.W.value":
            "W has to be transposed on the way down, as in exercise 1",
        "return dy @ self.W.value.T": "dx alone: return dx_dot, too, separated by a comma",
        "return dy @ self.W.value.T, dy_dot":
            "W^T is missing in dx_dot: x_dot goes into y_dot through W",
        "return dy @ self.W.value.T, x_dot @ self.W.value":
            "this is y_dot: dx_dot goes down, dy_dot W^T",
        "return -dy @ self.W.value.T, -dy_dot @ self.W.value.T":
            "the sign is wrong: y = x W + b and y_dot = x_dot W hold no minus",
    },
    "Dense dW": {
        "return x.T @ dy":
            "W goes into y_dot = x_dot W, too: the term x_dot^T dy_dot is missing",
        "return x_dot.T @ dy_dot": "W goes into y = x W + b, too: the term x^T dy is missing",
        "return x.T @ dy_dot + x_dot.T @ dy":
            "crossed: x goes with dy, since y = x W + b; x_dot with dy_dot",
        "return (x + x_dot).T @ (dy + dy_dot)":
            "mixed terms: x goes with dy alone, x_dot with dy_dot alone",
        "return x.T @ dy - x_dot.T @ dy_dot":
            "the sign of x_dot^T dy_dot: W goes into y and y_dot, the two shares are added",
        "return (x.T @ dy + x_dot.T @ dy_dot) / len(x)":
            "a mean over the batch, where a sum belongs: each example adds its own share",
        "return (x.T @ dy + x_dot.T @ dy_dot) / 2":
            "it is half of it: the two shares are added, not averaged",
        "return x.T @ (dy + dy_dot)":
            "x^T dy_dot: what dy_dot goes with is x_dot, as y_dot = x_dot W",
        "return (x + x_dot).T @ dy":
            "x_dot^T dy: what x_dot goes with is dy_dot, as y_dot = x_dot W",
        "return x.T @ dy_dot": "this is x with dy_dot: x^T dy + x_dot^T dy_dot, each with its own",
        "return x_dot.T @ dy": "this is x_dot with dy: x^T dy + x_dot^T dy_dot, each with its own",
        "return dy.T @ x + dy_dot.T @ x_dot": "it is the transpose: x^T dy has W's shape (D, M)",
        "return -(x.T @ dy + x_dot.T @ dy_dot)":
            "the sign is wrong: y = x W + b and y_dot = x_dot W hold no minus",
        """
        dW = x.T @ dy + x_dot.T @ dy_dot
        self.W.grad += dW
        return dW
        """: "it is added to W.grad here, and by add_tangent_param_grads once more: only return it",
    },
    "Dense db": {
        "return (dy + dy_dot).sum(axis=0)":
            "dy_dot has no part in db: y_dot = x_dot W holds no b",
        "return dy_dot.sum(axis=0)":
            "dy_dot stands where dy belongs: b is in y, and not in y_dot = x_dot W",
        "return dy.mean(axis=0)":
            "a mean over the batch, where a sum belongs: each example adds its own share",
        "return dy.sum(axis=1)":
            "summed over axis 1: the batch is axis 0, and db has b's shape (M,)",
        "return dy.sum()": "a sum over all: each feature has its own b, so axis 1 stays",
        "return 0 * dy.sum(axis=0)": "b goes into y = x W + b: db is the sum of dy, not 0",
        "return dy": "the sum over the batch is missing: b is the same for all examples",
        "return -dy.sum(axis=0)": "the sign is wrong: b is added",
    },
    "Tanh dx, dx_dot": {
        "return (1 - y * y) * dy, (1 - y * y) * dy_dot":
            "the curvature is missing: y_dot = (1 - y^2) x_dot holds x, through y, as well",
        "return (1 - y * y) * dy + 2 * y * x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "the sign of the curvature: f'' = -2 y (1 - y^2)",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy, (1 - y * y) * dy_dot":
            "dy stands in the curvature: it comes through y_dot, so dy_dot belongs there",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) ** 2 * dy_dot, (1 - y * y) * dy_dot":
            "f' is twice in the curvature: f'' = -2 y (1 - y^2); dx_dot holds one f' already",
        "return (1 - y * y) * dy - 2 * y * x_dot * dy_dot, (1 - y * y) * dy_dot":
            "f' is missing in the curvature: 1 - y^2 changes with x by -2 y ∂y/∂x = -2 y (1 - y^2)",
        "return (1 - y * y) * dy - 2 * y * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "x_dot is missing in the curvature: it is f'' x_dot dy_dot, as y_dot = f' x_dot",
        "return (1 - y * y) * dy - 2 * x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "y is missing in the curvature: f'' = -2 y (1 - y^2)",
        "return (1 - y * y) * dy - y * x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "the 2 is missing in the curvature: (y^2)' = 2 y y', so f'' = -2 y (1 - y^2)",
        "return -2 * y * x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "only the curvature is there: x goes into y, too, which gives f' dy",
        "return dy - 2 * y * x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "f' is missing before dy: the share through y is (1 - y^2) dy",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy":
            "dx_dot comes from dy: x_dot goes into y_dot alone, so dy_dot belongs there",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot, dy_dot":
            "f' is missing in dx_dot: y_dot = (1 - y^2) x_dot",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot, "
        "(1 - y * y) * dy_dot * x_dot":
            "x_dot is too much in dx_dot: y_dot = f' x_dot, and ∂y_dot/∂x_dot is f'",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot, "
        "-2 * y * (1 - y * y) * dy_dot":
            "f'' stands in dx_dot: ∂y_dot/∂x_dot is f', x stands still there",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot, "
        "(1 - y * y) * (dy + dy_dot)":
            "dy has no part in dx_dot: y = tanh(x) holds no x_dot",
        "return (1 - y * y) * (dy + dy_dot), (1 - y * y) * dy_dot":
            "dy_dot comes into dx by f'' x_dot, not by f': y_dot = f' x_dot holds x through f'",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot, "
        "(1 - y * y) * dy_dot - 2 * y * x_dot * (1 - y * y) * dy_dot":
            "the curvature stands in dx_dot: it is how y_dot changes with x, so it belongs to dx",
        "return (1 - y * y) * dy_dot, (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot":
            "dx and dx_dot are exchanged: dx first",
        "return (1 - y * y) * dy + x_dot * (1 - y * y) * dy_dot, (1 - y * y) * dy_dot":
            "f' stands in the curvature where f'' belongs: f'' = -2 y (1 - y^2)",
        "return (1 - y * y) * dy - 2 * np.tanh(y) * x_dot * (1 - y * y) * dy_dot, "
        "(1 - y * y) * dy_dot":
            "y is tanh(x) already: one tanh too many in the curvature",
        "return (1 - y * y) * dy - 2 * y * (1 - y * y) * x_dot ** 2 * dy_dot, (1 - y * y) * dy_dot":
            "x_dot is squared in the curvature: y_dot = f' x_dot holds it once",
        "return (1 - y * y) * dy - 2 * y * x_dot * (1 - y * y) * dy_dot":
            "dx alone: return dx_dot, too, separated by a comma",
    },
    "v": {
        "return 2 * weight / len(g) * (norm - 1) * g":
            "the norm below is missing: |g| grows along g / |g|, which has length 1",
        "return 2 * weight / len(g) * (norm - 1) ** 2 * g / norm":
            "(norm - 1)^2 is not differentiated: its slope is 2 (norm - 1)",
        "return weight / len(g) * (norm - 1) * g / norm":
            "the 2 is missing: the slope of (|g| - 1)^2 is 2 (|g| - 1)",
        "return weight / len(g) * g":
            "this is R1's v, of weight / 2 mean |g|^2: here it is (|g| - 1)^2",
        "return 2 * weight / len(g) * g":
            "this is the v of weight mean |g|^2: that |g| is to be 1, not 0, is missing",
        "return 2 * weight / len(g) * g / norm":
            "norm - 1 is missing: the slope of (|g| - 1)^2 is 2 (|g| - 1)",
        "return 2 * weight / len(g) * (norm - 1)":
            "g / |g| is missing: this is the slope along |g|, v is its direction, too",
        "return 2 * weight / len(g) * (norm - 1) + 0 * g":
            "g / |g| is missing: this is the slope along |g|, v is its direction, too",
        "return 2 * weight * (norm - 1) * g / norm":
            "the mean is forgotten: P is a mean over n, so each example has 1/N",
        "return 2 / len(g) * (norm - 1) * g / norm": "weight is forgotten",
        "return 2 * weight / len(g) * (norm - 1) * g / norm.sum()":
            "divided by the sum of all norms: each g[n] by its own, g / norm",
        "return 2 * weight / g.size * (norm - 1) * g / norm":
            "divided by all N D numbers: the mean is over the N examples",
        "return 2 * weight / g.shape[1] * (norm - 1) * g / norm":
            "divided by D: the mean is over the N examples, len(g)",
        "return 2 * weight / len(g) * (norm - 1) * g / norm ** 2":
            "norm is squared below: |g| grows along g / |g|, which has length 1",
        "return 2 * weight / len(g) * (norm - 1) * norm * g":
            "times norm, where a division belongs: |g| grows along g / |g|",
        "return 2 * weight / len(g) * (1 - norm) * g / norm":
            "the sign: the slope of (|g| - 1)^2 is 2 (|g| - 1), not 2 (1 - |g|)",
        "return -2 * weight / len(g) * (norm - 1) * g / norm":
            "the sign: the slope of (|g| - 1)^2 is 2 (|g| - 1), not 2 (1 - |g|)",
        "return 2 * weight / len(g) * (norm + 1) * g / norm": "norm + 1: it is (|g| - 1)^2",
        "return 2 * weight / len(g) * (norm ** 2 - 1) * g / norm":
            "norm^2 - 1: it is (|g| - 1)^2, whose slope has |g| itself, without a square",
        "return 4 * weight / len(g) * (norm ** 2 - 1) * g":
            "this is the v of (|g|^2 - 1)^2: here it is (|g| - 1)^2",
        "return 2 * weight / len(g) * (g - 1)":
            "1 is subtracted from each number of g: it is the norm that is to be 1",
        "return 2 * weight / len(g) * (norm - 1) * np.sign(g)":
            "the signs of g: the direction is g / |g|, which has length 1",
        "return 2 * weight / len(g) * (norm - 1) * g / abs(g).sum(axis=1, keepdims=True)":
            "divided by the sum of |g|: the norm is the root of the sum of squares",
        "return 2 * weight / len(g) * (norm.mean() - 1) * g / norm":
            "the mean norm is in it: each example has its own norm, the mean is of the squares",
        "return weight * ((norm - 1) ** 2).mean() + 0 * g":
            "this is P itself: asked is its derivative by g",
    },
    "sweeps": {
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.ones_like(s), np.ones_like(s), tcache, cache)
        """: "it goes down from ds = 1, where 0 belongs: s has no part in the sum of s_dot",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.ones_like(s), np.zeros_like(s), tcache, cache)
        """: "this is the gradient of the sum of s, not s_dot: ds and ds_dot are exchanged, "
             "or it is an ordinary backward",
        """
        discriminator.backward(np.ones_like(s), cache)
        """: "this is the gradient of the sum of s, not s_dot: ds and ds_dot are exchanged, "
             "or it is an ordinary backward",
        """
        s_dot, tcache = discriminator.tangent(v, cache)
        discriminator.backward(s_dot, cache)
        """: "an ordinary backward from s_dot: down goes tangent_backward, from ds = 0, ds_dot = 1",
        """
        s_dot, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), s_dot, tcache, cache)
        """: "it goes down from s_dot itself: the loss is the sum of s_dot, so ds_dot = 1",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.ones_like(s), -np.ones_like(s), tcache, cache)
        """: "it goes down from ds = 1, ds_dot = -1: here the loss is the sum of s_dot, so 0 and 1",
        """
        _, tcache = discriminator.tangent(v / np.linalg.norm(v), cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "v is divided by its norm: it goes up with v as it is, its length counts",
        """
        s_dot, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), s, tcache, cache)
        """: "it goes down from s: the loss is the sum of s_dot, so ds_dot = 1",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(s, np.ones_like(s), tcache, cache)
        """: "it goes down from ds = s: s itself has no part in the sum of s_dot, so ds = 0",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s) / len(s), tcache, cache)
        """: "a mean over the batch is in v already: the loss is the sum of s_dot, so ds_dot = 1",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), -np.ones_like(s), tcache, cache)
        """: "the sign: the loss is the sum of s_dot, so ds_dot = 1",
        """
        _, tcache = discriminator.tangent(np.ones_like(v), cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "it goes up along ones: x_dot = v",
        """
        _, tcache = discriminator.tangent(-v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "the sign: the loss is the sum of s_dot, so ds_dot = 1",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.zeros_like(s), tcache, cache)
        """: "it goes down from zeros only, or nothing is added: ds_dot = 1",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_input_grads(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "it goes down from zeros only, or nothing is added: ds_dot = 1",
        """
        discriminator.tangent(v, cache)
        """: "it goes down from zeros only, or nothing is added: ds_dot = 1",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "it goes down twice: each time adds to the gradients",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.add_tangent_param_grads(np.zeros_like(s), np.ones_like(s), tcache, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "it goes down twice: each time adds to the gradients",
        """
        discriminator.zero_grad()
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "zero_grad has no place here: D's own loss has left its gradients there",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        discriminator.backward(np.ones_like(s), cache)
        """: "it goes down from ds = 1, where 0 belongs: s has no part in the sum of s_dot",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), cache, tcache)
        """: "cache and tcache are exchanged: tcache first",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), cache, cache)
        """: "the cache stands where the tcache belongs: keep what tangent returns",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, tcache)
        """: "the tcache stands in both places: after it comes cache, that of forward",
        """
        tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), np.ones_like(s), tcache, cache)
        """: "tangent returns two things, s_dot and tcache: take them apart",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(0, 1, tcache, cache)
        """: "ds and ds_dot are arrays of the shape of s: np.zeros_like(s), np.ones_like(s)",
        """
        _, tcache = discriminator.tangent(v, cache)
        discriminator.tangent_backward(np.zeros_like(s), v, tcache, cache)
        """: "v stands where ds_dot belongs: it goes in above, down it goes from ds_dot = 1",
    },
    "ANSWER": {
        "return 2.5": "this is P: asked is its derivative by w",
        "return 5": "the 2 is forgotten: (|w| - 1)^2 has the slope 2 (|w| - 1)",
        "return 0": "g = w does not change with x, but it does with w",
        "return 1": "weight is forgotten",
        "return 30": "this is the slope of weight w^2: that |g| is to be 1, not 0, is missing",
        "return 15": "this is R1's, of weight / 2 w^2: here it is weight (|w| - 1)^2",
        "return 20": "2 weight: the factor |w| - 1 is forgotten",
        "return -10": "the sign: w above 1 makes P larger, so that it goes down",
        "return 75": "this is the slope of weight (w^2 - 1)^2: it is (|w| - 1)^2",
    },
}


# check
from quantities import (  # noqa: E402
    Complaint, Quantity, answer, differences, expect_tcache, numbers, pair, parameter_gradients,
    redrawn, returned, saying, three_dense)

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(106)
    x, x_dot, v = numbers(rng, 5, 4), numbers(rng, 5, 4), numbers(rng, 5, 4)
    # The sweeps are judged in a network of the library's layers, and all of it at the end in one
    # of the learner's own, with the same weights.
    theirs = redrawn(three_dense(minigan, minigan, minigan.Sequential), rng)
    yours = redrawn(three_dense(module, module.ex09_tangent, module.ex09_tangent.Network), rng)
    yours.load_state_dict(theirs.state_dict())

    def builds_on():
        """Whoever has a mistake in an earlier exercise is not to search for it in this one."""
        s, cache = theirs.forward(x)
        s_dot, tcache = theirs.tangent(v, cache)
        own, own_cache = yours.forward(x)
        if not np.allclose(yours.input_grad(np.ones_like(s), own_cache),
                           theirs.input_grad(np.ones_like(s), cache)):
            raise Complaint("it begins with your layers of exercises 1 and 2, whose input_grad is "
                            "not right: check.py 1 and check.py 2 first")
        try:
            own_dot, own_tcache = pair(yours.tangent(v, own_cache), "y_dot and tcache")
            expect_tcache("tcache", own_tcache, [
                None if isinstance(layer, minigan.LeakyReLU) else kept
                for layer, kept in zip(theirs.layers, tcache)])
            np.testing.assert_allclose(own_dot, s_dot)
        except (Complaint, AssertionError):
            raise Complaint("it goes up with your tangents of exercise 9, and they are not right: "
                            "check.py 9 first")
    yield Quantity("exercises 1, 2 and 9", builds_on)
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
            yield Quantity(f"{name} {what}", lambda: returned(
                layer, f"tangent_{what}", dy, dy_dot, x_dot, cache), right,
                says=saying(own, *tangent))

    def penalty(g):
        return 10.0 * ((np.linalg.norm(g, axis=1) - 1) ** 2).mean()

    def gradients(network, add, left=0.0):
        for p in network.parameters():
            p.grad.fill(left)
        add(network)
        return [p.grad - left for p in network.parameters()]

    right_v = differences(penalty, v)

    def along_g(yours):
        times = (yours * right_v[0]).sum(axis=1) / (right_v[0] ** 2).sum(axis=1)
        if np.ptp(times) > 1e-6 and np.allclose(yours, times[:, None] * right_v[0]):
            return "each v[n] lies along g[n], as it should: what stands before g is wrong"
    yield Quantity("v", lambda: module.dP_dg(v, np.linalg.norm(v, axis=1, keepdims=True), 10.0),
                   right_v, says=along_g)

    def sum_of_s_dot():
        return theirs.tangent(v, theirs.forward(x)[1])[0].sum()

    def sweeps(network):
        module.two_sweeps(network, v, *network.forward(x))

    def adds():
        if not all(map(np.allclose, gradients(theirs, sweeps), gradients(theirs, sweeps, 0.5))):
            raise Complaint("the gradients that D already had, from its loss, are lost or changed")
    # Not for the last layer, where many mistakes look alike: the penalty, below, proves it.
    for i, (_, what, right) in enumerate([*parameter_gradients(theirs, sum_of_s_dot)][:-2]):
        yield Quantity(f"sweeps: {what}", lambda: gradients(theirs, sweeps)[i], right)
    yield Quantity("sweeps add", adds)

    def P():
        s, cache = theirs.forward(x)
        return penalty(theirs.input_grad(np.ones_like(s), cache))
    for i, (_, what, right) in enumerate(parameter_gradients(theirs, P)):
        yield Quantity(f"penalty: {what}", lambda: gradients(
            yours, lambda network: module.gradient_penalty(network, x))[i], right, last=True)
    yield answer(module.slope_of_the_penalty, 10)
