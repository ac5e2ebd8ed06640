"""Exercise 12: A layer and a GAN of your own

Here nothing is given but the contract, and the check does not know what you will write: it holds
your backward pass against your forward pass.

First a layer that minigan does not have, with at least one Parameter: an activation with a slope or
a frequency that is learned, a Maxout, a gate, a product of two Dense layers. Write its formula into
the docstring of the class, and derive dx and the gradient of each Parameter on paper. `forward`
returns y and the cache; `input_grad` makes dx of dy and the cache, and changes nothing;
`add_param_grads` adds to each Parameter's grad. Constructors keep their arguments on self, under
their own names. `example` makes one to be checked. minigan.check_layer proves it.

Then a GAN that is not the one of exercise 4, on the plane, since its points are easily drawn: with
labels, two heads, two generators, a code that is to be found again. Use your layer in it if you
like. `build` makes both sides, each a network or a list of networks. `batch` draws what both steps
take: a tuple of float32 arrays, examples first; all that is random is drawn there, or by a layer.
Each step computes its loss, leaves the gradients in its own side, calls optimizer.step() once,
last, and returns the value of its loss, alone or first of a tuple. minigan.check_step proves it:
every gradient of that side, against the differences of the value that the step returns, and the
other side has to stay untouched.

Done when `python examples/exercises/check.py 12` finds all right. Then it learns the ring, by
`python examples/exercises/play.py own`: let `sample` return what it is to draw.
"""
import numpy as np

import minigan
from minigan import Layer, Parameter, workshop  # noqa: F401 (in case you want them)


class Mine(Layer):

    def __init__(self, num_features):
        # gap __init__: keep the arguments, make the Parameters; other arguments, if you like
        self.num_features = num_features
        self.beta = Parameter(np.ones(num_features, np.float32))
        # end

    def forward(self, x, train=True):
        # gap forward: return y, and the cache
        p = minigan.losses.sigmoid(self.beta.value * x)  # Swish: y = x sigmoid(beta x)
        y = x * p
        return y, (x, y, p)
        # end

    def input_grad(self, dy, cache):
        # gap input_grad: return dx
        x, y, p = cache
        return dy * (p + self.beta.value * y * (1 - p))
        # end

    def add_param_grads(self, dy, cache):
        # gap add_param_grads: add to the grad of each Parameter
        x, y, p = cache
        self.beta.grad += (dy * x * y * (1 - p)).sum(axis=0)
        # end


def example(rng):
    # gap example: return one of your layers, and an x for it, random and float64
    return Mine(3), rng.standard_normal((5, 3))
    # end


def build(rng, width=64):
    # gap build: return G and D; width: of the hidden layers
    def network(*sizes):
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [minigan.Dense(inputs, outputs, rng), minigan.LeakyReLU()]
        return minigan.Sequential(*layers[:-1])
    return network(2 + 8, width, width, 2), network(2 + 8, width, width, 1)
    # end


def batch(rng, count):
    # gap batch: return a tuple of float32 arrays, that of the examples (count, 2) first
    chosen = rng.integers(8, size=count)  # each example has a label, in which Gaussian it lies
    x_real = workshop.ring()[chosen] + np.float32(0.15) * rng.standard_normal((count, 2), "f")
    return x_real, np.eye(8, dtype="f")[chosen], rng.standard_normal((count, 2), "f")
    # end


def d_step(optimizer, G, D, *given):
    # gap d_step: forward, backward into D, optimizer.step(); return the value of D's loss
    x_real, label, z = given
    x_fake, _ = G.forward(np.hstack([z, label]))
    s_real, cache_real = D.forward(np.hstack([x_real, label]))
    s_fake, cache_fake = D.forward(np.hstack([x_fake, label]))
    value, ds_real, ds_fake = minigan.NonSaturating().discriminator(s_real, s_fake)
    D.zero_grad()
    D.add_param_grads(ds_real, cache_real)
    D.add_param_grads(ds_fake, cache_fake)
    optimizer.step()
    return value
    # end


def g_step(optimizer, G, D, *given):
    # gap g_step: forward, backward into G, optimizer.step(); return the value of G's loss
    _, label, z = given
    x_fake, cache_G = G.forward(np.hstack([z, label]))
    s_fake, cache_D = D.forward(np.hstack([x_fake, label]))
    value, ds_fake = minigan.NonSaturating().generator(s_fake)
    dx_fake = D.input_grad(ds_fake, cache_D)[:, :2]  # no gradient is asked for at the label
    G.zero_grad()
    G.add_param_grads(dx_fake, cache_G)
    optimizer.step()
    return value
    # end


def sample(G, rng, count):
    # gap sample: return count fakes, (count, 2)
    _, label, z = batch(rng, count)
    return G(np.hstack([z, label]))
    # end


# hint
# Begin with what you can differentiate in your head: y = x sigmoid(beta x), or
# y = x + sin(a x) / a, with beta or a of shape (D,). Keep in the cache whatever the derivative
# needs. A Parameter that was broadcast has a gradient that sums over n, as in exercise 5.
#
# The GAN: the conditional one is nearest. Both networks get the label as more inputs, in the form
# of zeros and one 1: np.hstack([z, label]) and np.hstack([x, label]). So the gradient at D's input
# has columns for both, and G takes those of x alone.
#
# Two gradients that meet add up: a trunk with two heads is handed the sum of what its heads' own
# input_grad return; a list of two networks gets one zero_grad each.


# mistakes
MISTAKES = {}  # nobody knows what will stand in the gaps: minigan's own report says what is wrong


# check
from quantities import Complaint, Quantity, as_a_whole, pair, redrawn  # noqa: E402

from minigan.gradcheck import GradientError, check_step  # noqa: E402


def check(module):
    rng = np.random.default_rng(120)

    def mine():
        layer, x = pair(module.example(rng), "a layer and an x for it")
        if not isinstance(layer, module.Mine) or not layer.parameters():
            raise Complaint("it is to return one of class Mine, with at least one Parameter")
        if getattr(x, "dtype", None) != np.float64 or x.size < 2:
            raise Complaint("it is to return an x of more than one float64 number, after the layer")
        return redrawn(layer, rng), x

    def layer_is_right():
        layer, x = mine()
        for whole in as_a_whole(layer, x):  # as in all other exercises
            whole.yours()

    def sides():
        """Those of G and those of D, narrow, as lists; and a batch, all in float64."""
        both = pair(module.build(rng, 3), "G and D")
        given = module.batch(rng, 5)
        if not isinstance(given, tuple) or not all(
                isinstance(array, np.ndarray) and array.dtype == np.float32 for array in given):
            raise Complaint("batch is to return a tuple of float32 arrays")
        for side in both:
            for network in side if isinstance(side, list) else [side]:
                redrawn(network, rng)
        return *both, [array.astype(np.float64) for array in given]

    def step_is_right(name):
        G, D, given = sides()
        learner, other = (D, G) if name == "d_step" else (G, D)

        def step(optimizer, *given):
            return getattr(module, name)(optimizer, G, D, *given)
        step.__name__ = name
        try:
            check_step(step, learner, *given,
                       untouched=other if isinstance(other, list) else [other])
        except GradientError as error:
            raise Complaint(str(error))

    def samples():
        G, _ = pair(module.build(rng), "G and D")
        shape = np.shape(module.sample(G, rng, 7))
        if shape != (7, 2):
            raise Complaint(f"for a count of 7 it is to return points (7, 2), got {shape}")
    yield Quantity("Mine, by check_layer", layer_is_right)
    for name in "d_step", "g_step":
        yield Quantity(f"{name}, by check_step", lambda: step_is_right(name))
    yield Quantity("sample", samples)
