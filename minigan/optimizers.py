"""Optimizers: how a gradient becomes an update. Each `update` is its paper's formula, line by line,
in place, on flat arrays of many parameters at once (flat.py)."""
import math

from minigan.backend import array_module, to_device
from minigan.checks import check_settings
from minigan.flat import lay_flat, pieces
from minigan.parameters import load_arrays


class Optimizer:
    """Base: lays the parameters flat, keeps the state arrays (named in `slots`), counts the steps.

    parameters: as net.parameters() gives them; lr > 0 the learning rate; weight_decay w adds
    w * value to each gradient (L2). Networks may move (`.to`, `.astype`): the state follows."""

    slots = ()  # names of the state arrays, each as long as all parameters together

    def __init__(self, parameters, lr, weight_decay):
        check_settings(self, locals())
        if len(set(map(id, parameters))) < len(parameters):
            raise ValueError(f"{type(self).__name__} got a parameter twice: pass each one once")
        self.parameters = list(parameters)
        self.lr, self.weight_decay = float(lr), float(weight_decay)
        self.steps, self.state = 0, {}
        self._gather()

    def _gather(self):
        self.value, self.grad = lay_flat(self.parameters)
        xp = array_module(self.value)
        for name in self.slots:
            state = self.state.get(name, xp.zeros_like(self.value))
            self.state[name] = to_device(state, xp).astype(self.value.dtype)

    def step(self):
        """Updates every parameter once from its gradient."""
        if any(p.value.base is not self.value or p.grad.base is not self.grad
               for p in self.parameters):
            self._gather()  # the network has moved or changed its dtype
        self.steps += 1
        for piece in pieces(self.value):
            value, grad = self.value[piece], self.grad[piece]
            if self.weight_decay:
                grad = grad + self.weight_decay * value
            self.update(value, grad, *(self.state[name][piece] for name in self.slots))

    def update(self, value, g, *state):
        """Moves flat values by their gradient g, in place; and so the arrays of the slots."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def state_dict(self):
        """{"steps": int, slot name: copy of the flat array, ...}."""
        return {"steps": self.steps, **{name: self.state[name].copy() for name in self.slots}}

    def load_state_dict(self, state):
        """Copies in what state_dict gave, or raises ValueError, with nothing changed."""
        if "steps" not in state:
            raise ValueError("the state to load counts no steps: it is not that of an optimizer")
        load_arrays(self.state, {name: state[name] for name in state if name != "steps"})
        self.steps = int(state["steps"])


class SGD(Optimizer):
    """v = momentum v + g,  value -= lr v."""

    def __init__(self, parameters, lr, momentum=0.0, weight_decay=0.0):
        check_settings(self, locals())
        self.momentum = float(momentum)
        self.slots = ("v",) if momentum else ()
        super().__init__(parameters, lr, weight_decay)

    def update(self, value, g, v=None):
        if v is not None:
            v *= self.momentum
            v += g
            g = v
        value -= self.lr * g


class RMSprop(Optimizer):
    """v = alpha v + (1 - alpha) g^2,  value -= lr g / (sqrt(v) + eps).

    Source: Tieleman and Hinton 2012, lecture 6.5. The original WGAN's optimizer."""

    slots = ("v",)

    def __init__(self, parameters, lr=1e-3, alpha=0.99, eps=1e-8, weight_decay=0.0):
        check_settings(self, locals())
        self.alpha, self.eps = float(alpha), float(eps)
        super().__init__(parameters, lr, weight_decay)

    def update(self, value, g, v):
        v *= self.alpha
        v += (1 - self.alpha) * (g * g)
        value -= self.lr * g / (v ** 0.5 + self.eps)


class Adam(Optimizer):
    """m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
    value -= lr m_hat / (sqrt(v_hat) + eps),  m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t).

    t counts the steps from 1, so that the first step is lr * sign(g). Source: Kingma and Ba 2015,
    algorithm 1; beta1 = 0.5 and lr = 2e-4 for GANs: Radford et al. 2016."""

    slots = ("m", "v")

    def __init__(self, parameters, lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8, weight_decay=0.0):
        check_settings(self, locals())
        self.beta1, self.beta2, self.eps = float(beta1), float(beta2), float(eps)
        super().__init__(parameters, lr, weight_decay)

    def update(self, value, g, m, v):
        t = self.steps
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * (g * g)
        # m_hat and v_hat would be two more arrays. So m_hat / (sqrt(v_hat) + eps) is expanded by
        # root, which makes sqrt(v) of sqrt(v_hat); m_hat's correction goes into the learning rate.
        root = math.sqrt(1 - self.beta2 ** t)
        lr = self.lr * root / (1 - self.beta1 ** t)
        value -= lr * m / (v ** 0.5 + self.eps * root)


def clip_weights(parameters, limit):
    """Clips each value to [-limit, limit], in place. Source: Arjovsky et al. 2017 (limit 0.01)."""
    check_settings("clip_weights", locals())
    for p in parameters:
        p.value[...] = p.value.clip(-limit, limit)
