"""What is learned: Parameters, and how a layer finds, moves and saves its own.

Skip this file at first: no formula depends on it."""
import numpy as np

from minigan.backend import array_module, to_device
from minigan.checks import check_array


class Parameter:
    """An array that is learned: `value`, and `grad` = dL/dvalue of the same shape and dtype."""

    def __init__(self, value):
        check_array("Parameter", "value", value, ...)
        self.value = value
        self.grad = array_module(value).zeros_like(value)

    @classmethod
    def normal(cls, shape, std, rng=None):
        """A float32 parameter drawn from N(0, std^2), on the host; rng: a Generator or a seed."""
        return cls(np.random.default_rng(rng).standard_normal(shape, np.float32) * float(std))

    def __repr__(self):
        return f"Parameter(shape={self.value.shape}, dtype={self.value.dtype})"


class HasParameters:
    """What every Layer inherits. Its parts, Parameters and other layers, are found by themselves:
    in its attributes, and in lists, tuples and dictionaries there."""

    buffers = ()  # names of arrays that training changes and no optimizer does: running statistics

    def _find(self, kind):
        """Pairs (name, part) of all parts of a kind, each once, in a fixed order. A name is the way
        to its part, "encoder.W" or "blocks.0.b", without the word `layers`: "0.W"."""
        seen = set()

        def walk(name, thing):
            if isinstance(thing, (Parameter, HasParameters)):
                if id(thing) in seen:
                    return
                seen.add(id(thing))
                if isinstance(thing, kind):
                    yield name.lstrip("."), thing
            inside = (vars(thing) if isinstance(thing, HasParameters) else
                      dict(enumerate(thing)) if isinstance(thing, (list, tuple)) else
                      thing if isinstance(thing, dict) else {})
            for key, item in inside.items():
                yield from walk(name if key == "layers" else f"{name}.{key}", item)

        return list(walk("", self))

    def named_layers(self):
        """Pairs (name, layer) of this layer, "", and all layers inside it."""
        return self._find(HasParameters)

    def named_parameters(self):
        """Pairs (name, Parameter), in a Sequential "0.W", "0.b", ..."""
        return self._find(Parameter)

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
        check_array("astype", "dtype", np.ones(1, dtype), "N")
        return self._replace_arrays(lambda array: array.astype(dtype))

    def _replace_arrays(self, function):
        for parameter in self.parameters():
            parameter.value = function(parameter.value)
            parameter.grad = function(parameter.grad)
        for _, layer in self.named_layers():
            for name in layer.buffers:
                setattr(layer, name, function(getattr(layer, name)))
        return self

    def state_arrays(self):
        """{name: array} of all that training changes; the arrays themselves, not copies."""
        values = {name: parameter.value for name, parameter in self.named_parameters()}
        return values | {f"{layer_name}.{name}".lstrip("."): getattr(layer, name)
                         for layer_name, layer in self.named_layers() for name in layer.buffers}

    def state_dict(self):
        """{name: copy of the array} of all parameters and running statistics."""
        return {name: array.copy() for name, array in self.state_arrays().items()}

    def load_state_dict(self, state):
        """Copies in what state_dict gave, from either backend. Raises ValueError, with nothing
        changed, if a name or a shape differs."""
        load_arrays(self.state_arrays(), state)


def load_arrays(own, state):
    """Copies the arrays of {name: array} into the own ones, or raises ValueError before it does."""
    for name in own.keys() | state.keys():
        here, there = (getattr(arrays.get(name), "shape", "absent") for arrays in (own, state))
        if here != there:
            raise ValueError(f"{name} has shape {here} here, {there} in the state to load: build "
                             "the network with the arguments it was saved with")
    for name, array in own.items():
        array[...] = to_device(state[name], array_module(array))
