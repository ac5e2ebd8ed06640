"""Penalties on the gradient of D's score at images, and their own gradients: WGAN-GP and R1.

The critic, as D is called in WGAN-GP, is to have a gradient of length 1 between real and fake; R1
asks for length 0 at real images. So the loss contains a gradient, and its gradient is of second
order. By hand, with theta for all of D's parameters:

    s[n] = D(x[n]),   g[n] = ∂s[n]/∂x[n],   P = mean over n of phi(g[n])        the penalty
    v = ∂P/∂g                                                                   easy: phi is given
    ∂P/∂theta = sum of v ∂g/∂theta = ∂(sum of v g)/∂theta, v held constant      the chain rule

Now the sum of v g is the rate at which the scores s change as all x move along v, and a rate of
change can be computed forwards: s_dot = (∂s/∂x) v, by the product rule, layer by layer, next to the
forward pass. What is left is an ordinary gradient, ∂(sum of s_dot)/∂theta, of an ordinary network,
which happens to carry pairs (x, x_dot) instead of x. So there are two sweeps:

    tangent            x_dot = v, and up:   y_dot = (∂y/∂x) x_dot                    at each layer
    tangent_backward   ds = 0, ds_dot = 1, and down:
                       dx_dot = (∂y/∂x)^T dy_dot,    dx = (∂y/∂x)^T dy + curvature   at each layer

On the way down the "loss" is the sum of s_dot: ds_dot, dx_dot and all other names with d in front
are the gradients of that number, so ds = 0, since s itself has no part in it, and ds_dot = 1.

`curvature` is how ∂y/∂x itself changes with x. It is what is forgotten most easily: without it all
is exact for LeakyReLU and wrong for Tanh. These layers have one:

    Tanh, Sigmoid         f'' x_dot dy_dot
    LayerNorm             through inv_std and x_hat, which are in its ∂y/∂x
    MinibatchDeviation    through c and std
    all others            none: they are linear, or in pieces as ReLU, LeakyReLU and MaxPool2D

(BatchNorm has no tangent: it mixes the examples. So does MinibatchDeviation, but by one number
alone, and g[n] is then the gradient of the sum of all scores.) In Dense y_dot = x_dot W, so that
dW = x^T dy + x_dot^T dy_dot, and db = sum of dy.

Sources: Gulrajani et al. 2017, eq. 3; Mescheder et al. 2018, eq. 9; the two sweeps: Pearlmutter
1994, "Fast exact multiplication by the Hessian"."""
import numpy as np

from minigan.backend import array_module
from minigan.checks import check_array, check_settings


class _Penalty:
    norm = None  # the mean of |g| at the last call, a 0-d array: for the log

    def __repr__(self):
        words = [str(value) for name, value in vars(self).items() if name not in ("rng", "norm")]
        return f"{type(self).__name__}({', '.join(words)})"

    def at(self, discriminator, x):
        """Adds ∂P/∂theta at the places x (N, ...) to D's gradients. Returns P, a 0-d array."""
        s, cache = discriminator.forward(x)
        ones = array_module(s).ones_like(s)
        g = discriminator.input_grad(ones, cache)
        norm = (g * g).sum(tuple(range(1, g.ndim)), keepdims=True) ** 0.5  # of each example
        value, v = self.phi(g, norm)
        _, tcache = discriminator.tangent(v, cache)                       # up
        discriminator.add_tangent_param_grads(None, ones, tcache, cache)  # down; None is zero
        self.norm = norm.mean()
        return value


class GradientPenalty(_Penalty):
    """WGAN-GP:  P = weight mean over n of (|g[n]| - target)^2, at random places between real and
    fake; called as discriminator_step does, it adds ∂P/∂theta to D's gradients and returns P. rng:
    a Generator or a seed. BatchNorm in D raises NotImplementedError. Gulrajani et al. 2017, eq. 3.
    """

    def __init__(self, weight=10.0, target=1.0, rng=None):
        check_settings(self, locals())
        self.weight, self.target = float(weight), float(target)
        self.rng = np.random.default_rng(rng)

    def __call__(self, discriminator, x_real, x_fake):
        return self.at(discriminator, interpolate(x_real, x_fake, self.rng))

    def phi(self, g, norm):
        """P, and v = ∂P/∂g (N, ...)."""
        direction = g / (norm + 1e-12)  # where g = 0 it has none, and v = 0
        e = norm - self.target
        return self.weight * (e * e).mean(), (2 * self.weight / len(g)) * e * direction


class R1Penalty(_Penalty):
    """R1:  P = weight / 2 mean over n of |g[n]|^2, at real images; otherwise as GradientPenalty.
    Mescheder et al. 2018, eq. 9 (gamma is the weight)."""

    def __init__(self, weight=10.0):
        check_settings(self, locals())
        self.weight = float(weight)

    def __call__(self, discriminator, x_real, x_fake):
        return self.at(discriminator, x_real)

    def phi(self, g, norm):
        return self.weight / 2 * (norm * norm).mean(), (self.weight / len(g)) * g


def gradient_penalty(discriminator, x, weight=10.0, target=1.0):
    """GradientPenalty's P at the given places x (N, ...) -> P; adds ∂P/∂theta to D's gradients."""
    return GradientPenalty(weight, target).at(discriminator, x)


def r1_penalty(discriminator, x_real, weight=10.0):
    """R1Penalty's P at x_real (N, ...) -> P; adds ∂P/∂theta to D's gradients."""
    return R1Penalty(weight).at(discriminator, x_real)


def interpolate(x_real, x_fake, rng):
    """x_real + t (x_fake - x_real), t uniform in [0, 1), one for each example; both of one shape
    (N, ...). rng: a numpy Generator."""
    check_array("interpolate", "x_real", x_real, "N", ...)
    check_array("interpolate", "x_fake", x_fake, *x_real.shape)
    check_settings("interpolate", locals())
    t = np.random.default_rng(rng).random((len(x_real),) + (1,) * (x_real.ndim - 1), np.float32)
    return x_real + array_module(x_real).asarray(t, dtype=x_real.dtype) * (x_fake - x_real)
