"""Penalties on the gradient of D's score at images, and their own gradients: WGAN-GP and R1.

The critic of WGAN-GP is to have a gradient of length 1 between real and fake, R1 asks for length 0
at real images. So the loss contains a gradient, and its gradient is of second order. By hand:

    s[n] = D(x[n]),   g[n] = ds[n]/dx[n],   P = mean over n of phi(g[n])        the penalty
    v = dP/dg                                                                   easy: phi is given
    dP/dtheta = sum of v dg/dtheta = d(sum of v g)/dtheta, v held constant      the chain rule

Now the sum of v g is the rate at which the scores s change as all x move along v, and a rate of
change can be computed forwards: s_dot = (ds/dx) v, by the product rule, layer by layer, next to the
forward pass. What is left is an ordinary gradient, d(sum of s_dot)/dtheta, of an ordinary network,
which happens to carry pairs (x, x_dot) instead of x. So there are two sweeps:

    tangent            x_dot = v, and up:   y_dot = (dy/dx) x_dot                    at each layer
    tangent_backward   ds = 0, ds_dot = 1, and down:
                       dx_dot = (dy/dx)^T dy_dot,    dx = (dy/dx)^T dy + curvature   at each layer

`curvature` is how dy/dx itself changes with x: zero in layers that are linear in pieces (Dense,
LeakyReLU), f'' x_dot dy_dot in Tanh. It is what is forgotten most easily: without it all is exact
for LeakyReLU and wrong for Tanh and LayerNorm. In Dense y = x W + b and y_dot = x_dot W, so that
dW = x^T dy + x_dot^T dy_dot, and db = sum of dy.

Sources: Gulrajani et al. 2017, eq. 3; Mescheder et al. 2018, eq. 9; the two sweeps: Pearlmutter
1994, "Fast exact multiplication by the Hessian".
"""
import numpy as np

from minigan.backend import array_module


def _add_penalty(discriminator, x, phi):
    """Adds dP/dtheta to D's gradients. phi(g, norm) -> P, v; norm[n] = |g[n]|, over all its axes,
    in the shape that broadcasts against g (N, ...). Returns P and the mean norm, as 0-d arrays."""
    s, cache = discriminator.forward(x)
    ones = array_module(s).ones_like(s)
    g = discriminator.input_grad(ones, cache)
    norm = (g * g).sum(tuple(range(1, g.ndim)), keepdims=True) ** 0.5
    value, v = phi(g, norm)
    _, tcache = discriminator.tangent(v, cache)
    discriminator.add_tangent_param_grads(None, ones, tcache, cache)
    return value, norm.mean()


def _towards(target, weight):
    def phi(g, norm):
        direction = g / (norm + 1e-12)  # where g = 0 it has none, and v = 0
        e = norm - target
        return weight * (e * e).mean(), (2 * weight / len(g)) * e * direction
    return phi


def _squared(weight):
    def phi(g, norm):
        return weight / 2 * (norm * norm).mean(), (weight / len(g)) * g
    return phi


def gradient_penalty(discriminator, x, weight=10.0, target=1.0):
    """P = weight mean over n of (|g[n]| - target)^2 -> P; adds dP/dtheta to D's gradients.

    x: (N, ...), the places of the penalty: see `interpolate`. |g[n]| goes over all axes of the
    example. P: a 0-d array. Raises NotImplementedError if D contains BatchNorm.
    Source: Gulrajani et al. 2017, eq. 3 (weight 10, target 1).
    """
    return _add_penalty(discriminator, x, _towards(float(target), float(weight)))[0]


def r1_penalty(discriminator, x_real, weight=10.0):
    """P = weight / 2 mean over n of |g[n]|^2 -> P; otherwise as gradient_penalty.

    Source: Mescheder et al. 2018, eq. 9 (gamma is the weight).
    """
    return _add_penalty(discriminator, x_real, _squared(float(weight)))[0]


def interpolate(x_real, x_fake, rng):
    """x_real + t (x_fake - x_real), t uniform in [0, 1), one for each example.

    Both of one shape (N, ...). rng: a numpy Generator, which draws on the host.
    """
    if x_real.shape != x_fake.shape:
        raise ValueError(f"interpolate takes as many real as fake images, of one shape, got "
                         f"{tuple(x_real.shape)} and {tuple(x_fake.shape)}")
    t = rng.random((len(x_real),) + (1,) * (x_real.ndim - 1), np.float32)
    return x_real + array_module(x_real).asarray(t, dtype=x_real.dtype) * (x_fake - x_real)


class GradientPenalty:
    """WGAN-GP's penalty as discriminator_step takes it, at random places between real and fake.

    rng: a numpy Generator or a seed. norm: the mean of |g| at the last call, a 0-d array.
    """

    def __init__(self, weight=10.0, target=1.0, rng=None):
        self.weight = float(weight)
        self.target = float(target)
        self.rng = np.random.default_rng(rng)
        self.norm = None

    def __call__(self, discriminator, x_real, x_fake):
        x = interpolate(x_real, x_fake, self.rng)
        value, self.norm = _add_penalty(discriminator, x, _towards(self.target, self.weight))
        return value

    def __repr__(self):
        return f"GradientPenalty({self.weight}, {self.target})"


class R1Penalty:
    """R1 as discriminator_step takes it. norm: the mean of |g| when it was last looked at.

    With every = k it looks at each k-th batch only, and weighs it k times: this costs a k-th, and
    is nearly the same (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN",
    section 3.1). state_dict then tells a resumed run where between two looks it was.
    """

    def __init__(self, weight=10.0, every=1):
        if every < 1:
            raise ValueError(f"R1Penalty takes every from 1, got {every}")
        self.weight = float(weight)
        self.every = int(every)
        self.calls = 0
        self.norm = None

    def __call__(self, discriminator, x_real, x_fake):
        due = self.calls % self.every == 0
        self.calls += 1
        if not due:
            return 0.0
        value, self.norm = _add_penalty(discriminator, x_real, _squared(self.every * self.weight))
        return value

    def state_dict(self):
        """{"calls": int, "norm": 0-d array}."""
        return {"calls": self.calls, "norm": self.norm}

    def load_state_dict(self, state):
        self.calls, self.norm = state["calls"], state["norm"]

    def __repr__(self):
        return f"R1Penalty({self.weight}" + f", every={self.every}" * (self.every > 1) + ")"
