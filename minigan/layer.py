"""What a layer is: a function, its derivative in two halves, and the parameters that it learns.

    y, cache = layer.forward(x)                     cache is what backward needs of this one call
    dx       = layer.input_grad(dy, cache)          changes nothing
               layer.add_param_grads(dy, cache)     adds dp to p.grad for each parameter p
    dx       = layer.backward(dy, cache)            both halves
    y        = layer(x)                             use it, after training: no cache

In all of minigan da means dL/da, the gradient of the loss L with respect to the array a, and has
its shape; any other derivative is written with the round sign. So backward is handed dy, and by the
chain rule dx[i] is the sum over j of dy[j] ∂y[j]/∂x[i]: for short, dx = (∂y/∂x)^T dy. No layer ever
builds the matrix ∂y/∂x.

The cache is handed back instead of being kept on `self`, since in a GAN one network runs several
times (on real images, on fakes) before its gradients are taken. It may hold x or y themselves, not
copies: do not write into them.

Arrays are NumPy's, or on a GPU CuPy's: where a function is needed, `array_module(x)` answers which
of the two modules x belongs to (backend.py)."""
import inspect

from minigan.backend import array_module
from minigan.checks import check_array, check_settings
from minigan.parameters import HasParameters, Parameter


class Layer(HasParameters):
    """Base of all layers and networks. One defines `forward` and `input_grad`, and, if it learns,
    `add_param_grads`. Its attributes are its Parameters, the layers inside it, and, for `repr`, the
    arguments of its constructor under their own names."""

    def forward(self, x, train=True):
        """y, and the cache. train: as in training, or as in use, where Dropout lets all pass, and
        BatchNorm takes the statistics that it gathered in training, not the batch's own."""
        raise NotImplementedError(f"{self} defines no forward")

    def input_grad(self, dy, cache):
        """dx = (∂y/∂x)^T dy; changes nothing."""
        raise NotImplementedError(f"{self} defines no input_grad")

    def add_param_grads(self, dy, cache):
        """p.grad += (∂y/∂p)^T dy for each parameter p: none here."""

    def backward(self, dy, cache):
        self.add_param_grads(dy, cache)
        return self.input_grad(dy, cache)

    def __call__(self, x):
        return self.forward(x, train=False)[0]

    # The second order, which penalties.py derives: STOP HERE at a first reading, and go on with
    # Sequential. On the way back dy may be None: zero, and not worth a product.

    def tangent(self, x_dot, cache):
        """y_dot = (∂y/∂x) x_dot, how y moves as x moves along x_dot; and tcache, what the way back
        needs of it."""
        raise NotImplementedError(f"{self} defines no tangent, so it takes no gradient penalty")

    def curvature(self, dy_dot, dx_dot, tcache, cache):
        """(∂y_dot/∂x)^T dy_dot, a part of dx: how y_dot moves with x while x_dot stays. None where
        the layer is linear in pieces, so that ∂y/∂x does not change with x."""
        return None

    def tangent_input_grads(self, dy, dy_dot, tcache, cache):
        """dx = (∂y/∂x)^T dy + curvature,  dx_dot = (∂y/∂x)^T dy_dot."""
        dx_dot = self.input_grad(dy_dot, cache)
        dx = self.curvature(dy_dot, dx_dot, tcache, cache)
        if dy is not None:
            through_y = self.input_grad(dy, cache)
            dx = through_y if dx is None else through_y + dx
        return dx, dx_dot

    def add_tangent_param_grads(self, dy, dy_dot, tcache, cache):
        """p.grad += (∂y/∂p)^T dy; a layer whose p has a part in y_dot adds (∂y_dot/∂p)^T dy_dot."""
        if dy is not None:
            self.add_param_grads(dy, cache)

    def tangent_backward(self, dy, dy_dot, tcache, cache):
        """Both of the above: the backward pass of the map (x, x_dot) -> (y, y_dot)."""
        self.add_tangent_param_grads(dy, dy_dot, tcache, cache)
        return self.tangent_input_grads(dy, dy_dot, tcache, cache)

    # What no formula depends on.

    check_settings = check_settings  # of the constructor

    def branches(self, cache):
        """Arrays that tell which piece each element is on, if y is made of pieces as ReLU's is.
        Where two meet, at a kink, y has no derivative, and gradcheck asks for none."""
        return []

    def check_input(self, x, *shape, advice=""):
        """Raises one clear error unless x has this shape, as in check_input(x, "N", ..., 3), and
        the dtype and backend of the parameters."""
        check_array(self, "x", x, *shape, advice=advice)
        own = next((part.value for part in vars(self).values() if isinstance(part, Parameter)), x)
        if (array_module(x), x.dtype) != (array_module(own), own.dtype):
            here, there = (f"{array_module(a).__name__} {a.dtype}" for a in (own, x))
            raise TypeError(f"{self} has parameters of {here}, got x of {there}: cast one of them "
                            "with .astype, or move it with .to or to_device")

    def check_dy(self, dy, y_shape):
        check_array(self, "dy", dy, *y_shape)  # NumPy might broadcast another shape

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
    with the cache of its own forward pass. The cache of a Sequential is the list of theirs."""

    def __init__(self, *layers):
        if not layers or not all(isinstance(layer, Layer) for layer in layers):
            raise TypeError(f"Sequential(layer, layer, ...) takes one or more layers, got {layers}")
        self.layers = layers

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
        # It ends at the first layer that learns, without this one's input_grad: nobody needs dL/dx
        # here, and in a discriminator it is the most expensive product of all.
        first = self.first_to_learn()
        for i in reversed(range(first + 1, len(self.layers))):
            dy = self.layers[i].backward(dy, caches[i])
        self.layers[first].add_param_grads(dy, caches[first])

    def backward(self, dy, caches):
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dy = layer.backward(dy, cache)
        return dy

    def first_to_learn(self):
        return next((i for i, layer in enumerate(self.layers) if layer.parameters()), 0)

    def branches(self, caches):
        return [each for layer, cache in zip(self.layers, caches) for each in layer.branches(cache)]

    # The second order: stop here, too, at a first reading. It is the same loops.

    def tangent(self, x_dot, caches):
        tcaches = []
        for layer, cache in zip(self.layers, caches):
            x_dot, tcache = layer.tangent(x_dot, cache)
            tcaches.append(tcache)
        return x_dot, tcaches

    def tangent_input_grads(self, dy, dy_dot, tcaches, caches):
        for i in reversed(range(len(self.layers))):
            dy, dy_dot = self.layers[i].tangent_input_grads(dy, dy_dot, tcaches[i], caches[i])
        return dy, dy_dot

    def add_tangent_param_grads(self, dy, dy_dot, tcaches, caches):
        first = self.first_to_learn()
        for i in reversed(range(first + 1, len(self.layers))):
            dy, dy_dot = self.layers[i].tangent_backward(dy, dy_dot, tcaches[i], caches[i])
        self.layers[first].add_tangent_param_grads(dy, dy_dot, tcaches[first], caches[first])
