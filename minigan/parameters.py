"""What is learned: Parameters, and how a layer finds, moves and saves its own. Skip it at first.

No formula depends on this file. It is what `net.parameters()`, `net.to("cupy")`, `net.astype(...)`
and `net.state_dict()` do, for a single layer as for a network of networks.
"""
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


class HasParameters:
    """What every Layer inherits. Its parts, Parameters and other layers, are found by themselves:
    in its attributes, and in lists, tuples and dictionaries there."""

    buffers = ()  # names of arrays that training changes and no optimizer does: running statistics

    def parts(self):
        """Pairs (name, Parameter or layer) of what is directly in here. The name is the way to it,
        "W" or "blocks.0"; what is in a list called `layers` goes by its number alone, "0"."""
        for name, value in vars(self).items():
            yield from _parts("" if name == "layers" else name, value)

    def walk(self):
        """Pairs (prefix, layer) of this layer and all inside it, each once, in a fixed order."""
        seen, ahead = set(), [("", self)]
        while ahead:
            prefix, layer = ahead.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                yield prefix, layer
                ahead += [(f"{prefix}{name}.", part) for name, part in reversed([*layer.parts()])
                          if isinstance(part, HasParameters)]

    def named_parameters(self):
        """Pairs (name, Parameter), each once, in a fixed order; in a Sequential "0.W", "0.b"."""
        found = {}
        for prefix, layer in self.walk():
            for name, part in layer.parts():
                if isinstance(part, Parameter):
                    found.setdefault(id(part), (prefix + name, part))
        return list(found.values())

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


def _parts(name, value):
    if isinstance(value, (Parameter, HasParameters)):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(f"{name}.{key}".lstrip("."), item)
