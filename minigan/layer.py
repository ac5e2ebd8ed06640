"""What a layer is: a function, its derivative in two halves, and the parameters that it learns.

    y, cache = layer.forward(x)                     cache is what backward needs of this one call
    dx       = layer.input_grad(dy, cache)          changes nothing
               layer.add_param_grads(dy, cache)     adds dp to p.grad for each parameter p
    dx       = layer.backward(dy, cache)            both halves
    y        = layer(x)                             use it: running statistics, no dropout, no cache

In all of minigan da means dL/da, the gradient of the loss L with respect to the array a, and has
its shape. So backward is handed dy, and by the chain rule dx[i] is the sum over j of dy[j] times
the derivative of y[j] with respect to x[i]; no layer ever builds the table of these derivatives.

The cache is handed back instead of being kept on `self`, since in a GAN one network runs several
times (on real images, on fakes) before its gradients are taken. It may hold x or y themselves, not
copies: do not write into them.
"""
import inspect

import numpy as np

from minigan.backend import array_module, to_device


class Parameter:
    """An array that is learned: `value`, and `grad` = dL/dvalue of the same shape and dtype."""

    def __init__(self, value):
        self.value = value
        self.grad = array_module(value).zeros_like(value)

    @classmethod
    def normal(cls, shape, std, rng=None):
        """A float32 parameter drawn from N(0, std^2), on the host; rng: a Generator or a seed."""
        rng = np.random.default_rng(rng)
        return cls(rng.standard_normal(shape, dtype=np.float32) * float(std))

    def __repr__(self):
        return f"Parameter(shape={self.value.shape}, dtype={self.value.dtype})"


class Layer:
    """Base of all layers. A layer defines `forward` and `input_grad`, and `add_param_grads` if it
    has parameters. It keeps the arguments of its constructor under their own names, for `repr`."""

    buffers = ()  # names of arrays that training changes and no optimizer does: running statistics

    def __call__(self, x):
        return self.forward(x, train=False)[0]

    def add_param_grads(self, dy, cache):
        pass

    def backward(self, dy, cache):
        self.add_param_grads(dy, cache)
        return self.input_grad(dy, cache)

    def sides(self, cache):
        """Arrays that tell on which side of its kinks each input fell, for gradcheck to compare."""
        return []

    # Second order, for gradient penalties: see penalties.py, and stop above at a first reading.

    def tangent(self, x_dot, cache):
        """y_dot = (dy/dx) x_dot, how y moves as x moves along x_dot; and what the way back needs.
        """
        raise NotImplementedError(f"{self} defines no tangent, so it takes no gradient penalty")

    def curvature(self, dy_dot, dx_dot, tcache, cache):
        """d(sum(dy_dot * y_dot))/dx, at fixed x_dot; None where the layer is linear in pieces."""
        return None

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        """p.grad += (dy/dp)^T dy + (dy_dot/dp)^T dy_dot.  Here, as in all of the sweep back, dy may
        be None: zero, and not worth a product."""
        if dy is not None:
            self.add_param_grads(dy, cache)

    def tangent_input_grads(self, dy, dy_dot, tcache, cache):
        """dx = (dy/dx)^T dy + curvature,  dx_dot = (dy/dx)^T dy_dot."""
        dx_dot = self.input_grad(dy_dot, cache)
        dx = self.curvature(dy_dot, dx_dot, tcache, cache)
        if dy is not None:
            through_y = self.input_grad(dy, cache)
            dx = through_y if dx is None else dx + through_y
        return dx, dx_dot

    def tangent_backward(self, dy, dy_dot, tcache, cache):
        """Both of the above: the backward pass of the map (x, x_dot) -> (y, y_dot)."""
        self.add_tangent_param_grads(dy, dy_dot, tcache, cache)
        return self.tangent_input_grads(dy, dy_dot, tcache, cache)

    # Below: what all layers need, and no formula depends on.

    def walk(self, prefix=""):
        """Pairs (prefix, layer) of this layer and all inside it, in a fixed order."""
        yield prefix, self

    def named_parameters(self):
        """Pairs (name, Parameter) in a fixed order; in a Sequential named "0.W", "0.b", ..."""
        return [(prefix + name, value) for prefix, layer in self.walk()
                for name, value in vars(layer).items() if isinstance(value, Parameter)]

    def parameters(self):
        """All Parameters, in a fixed order: what an optimizer takes."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self):
        """Sets every gradient to zero (by fill: `grad *= 0` would keep a NaN)."""
        for parameter in self.parameters():
            parameter.grad.fill(0)

    def to(self, backend):
        """Moves parameters, gradients and running statistics to "numpy" or "cupy"; returns self."""
        return self._replace_arrays(lambda array: to_device(array, backend))

    def astype(self, dtype):
        """Casts the same arrays: np.float32 to train, np.float64 to check; returns self."""
        return self._replace_arrays(lambda array: array.astype(dtype))

    def _replace_arrays(self, function):
        for parameter in self.parameters():
            parameter.value = function(parameter.value)
            parameter.grad = function(parameter.grad)
        for _, layer in self.walk():
            for name in layer.buffers:
                setattr(layer, name, function(getattr(layer, name)))
        return self

    def state_arrays(self):
        """{name: array} of all that training changes; the arrays themselves, not copies."""
        state = {name: parameter.value for name, parameter in self.named_parameters()}
        state.update((prefix + name, getattr(layer, name))
                     for prefix, layer in self.walk() for name in layer.buffers)
        return state

    def state_dict(self):
        """{name: copy of the array} of all parameters and running statistics."""
        return {name: array.copy() for name, array in self.state_arrays().items()}

    def load_state_dict(self, state):
        """Copies in what state_dict gave, from either backend.

        Raises ValueError, with nothing changed, if a name or a shape differs.
        """
        own = self.state_arrays()
        for name in own.keys() | state.keys():
            here, there = (getattr(arrays.get(name), "shape", "absent") for arrays in (own, state))
            if here != there:
                raise ValueError(f"{name} has shape {here} in this network, {there} in the state "
                                 "to load: build the network with the arguments it was saved with")
        for name, array in own.items():
            array[...] = to_device(state[name], array_module(array))

    def check_input(self, x, fits, expected, advice=""):
        """Raises one clear error unless x fits, and has the parameters' dtype and backend."""
        if not fits:
            raise ValueError(f"{self} takes x of shape {expected}, got {tuple(x.shape)}{advice}")
        own = self.parameters()[0].value
        if array_module(x) is not array_module(own):
            raise TypeError(f"{self} lies on {array_module(own).__name__}, got x on "
                            f"{array_module(x).__name__}: move one of them, with .to or to_device")
        if x.dtype != own.dtype:
            raise TypeError(f"{self} has {own.dtype} parameters, got x of {x.dtype}: "
                            "cast one of them, with .astype")

    def __repr__(self):
        """The constructor call, without defaults and random streams: Dense(784, 256, std=0.02)."""
        words = []
        for name, argument in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name, argument.default)
            if argument.kind is argument.VAR_POSITIONAL:
                words += map(repr, value)
            elif argument.default is argument.empty:
                words.append(repr(value))
            elif value != argument.default and name != "rng":
                words.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(words)})"


class Sequential(Layer):
    """Layers one after another: y = layers[-1](... layers[1](layers[0](x))).

    The chain rule, and all of backpropagation: dy goes back through the layers in reverse, each
    with the cache of its own forward pass. The cache of a Sequential is the list of theirs.
    """

    def __init__(self, *layers):
        if not layers or not all(isinstance(layer, Layer) for layer in layers):
            raise TypeError(f"Sequential(layer, layer, ...) takes one or more layers, got {layers}")
        self.layers = layers
        self._first_to_learn = next((i for i, layer in enumerate(layers) if layer.parameters()), 0)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def forward(self, x, train=True):
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x, train)
            caches.append(cache)
        return x, caches

    def input_grad(self, dy, caches):
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dy = layer.input_grad(dy, cache)
        return dy

    def add_param_grads(self, dy, caches):
        # The input_grad of the first layer that learns is skipped: nobody needs dL/dx here, and in
        # a discriminator it is the most expensive product of all.
        first = self._first_to_learn
        for layer, cache in zip(self.layers[:first:-1], caches[:first:-1]):
            dy = layer.backward(dy, cache)
        self.layers[first].add_param_grads(dy, caches[first])

    def backward(self, dy, caches):
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dy = layer.backward(dy, cache)
        return dy

    def sides(self, caches):
        return [side for layer, cache in zip(self.layers, caches) for side in layer.sides(cache)]

    def tangent(self, x_dot, caches):
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches

    def tangent_input_grads(self, dy, dy_dot, tcaches, caches):
        for layer, *kept in reversed(list(zip(self.layers, tcaches, caches))):
            dy, dy_dot = layer.tangent_input_grads(dy, dy_dot, *kept)
        return dy, dy_dot

    def add_tangent_param_grads(self, dy, dy_dot, tcaches, caches):
        first = self._first_to_learn  # as in add_param_grads
        for layer, *kept in reversed(list(zip(self.layers, tcaches, caches))[first + 1:]):
            dy, dy_dot = layer.tangent_backward(dy, dy_dot, *kept)
        self.layers[first].add_tangent_param_grads(dy, dy_dot, tcaches[first], caches[first])

    def tangent_backward(self, dy, dy_dot, tcaches, caches):
        for layer, *kept in reversed(list(zip(self.layers, tcaches, caches))):
            dy, dy_dot = layer.tangent_backward(dy, dy_dot, *kept)
        return dy, dy_dot

    def walk(self, prefix=""):
        yield prefix, self
        for index, layer in enumerate(self.layers):
            yield from layer.walk(f"{prefix}{index}.")
