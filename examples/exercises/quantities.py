"""What check.py asks of each exercise: every quantity, and the numbers that it should be.

exNN(module) yields the quantities of an exercise, one after another. The right numbers are finite
differences of the forward pass; where there is no such thing (scores far out, Adam) they are the
library's. A gap that needs another gap is handed right numbers, so that each is judged by itself.
The seeds are such that no right number is so near 0 that its differences are mostly rounding.
"""
from copy import copy
from typing import Callable, NamedTuple

import numpy as np

import minigan
from minigan.gradcheck import central_differences


class Complaint(Exception):
    """What is wrong, in words, where it is not a number."""


class Quantity(NamedTuple):
    """yours() is to equal right, which `differences` or `exactly` makes; where right is None, it
    is to raise no Complaint. last: put together from what is above it, and not asked before that
    is right. says(yours): the likely mistake; None where only minigan's Comparison may know."""

    name: str
    yours: Callable
    right: tuple | None = None
    last: bool = False
    says: Callable = lambda yours: None


def differences(f, x):
    """The gradient of the number f(x); where a kink was crossed: nowhere; and the rounding."""
    return central_differences(lambda value: (float(f(value)), []), x)


def exactly(array):
    array = np.asarray(array)
    return array, np.zeros(array.shape, bool), 1e-16


def numbers(rng, *shape):
    array = rng.standard_normal(shape)
    array.flags.writeable = False  # whoever writes into what he was given is told so at once
    return array


def redrawn(network, rng):
    """The network in float64, with no parameter at a 0 or 1 behind which a mistake could hide."""
    for p in network.astype(np.float64).parameters():
        p.value[...] = 0.6 * rng.standard_normal(p.value.shape)
    return network


def pair(result, names):
    """Two returned things, or a Complaint."""
    if result is not None and (not isinstance(result, tuple) or len(result) != 2):
        raise Complaint(f"it is to return two things, {names}, got one {type(result).__name__}")
    return result or (None, None)


def silent(yours):
    """A `says` for numbers so few or so special that any guess would be a wild one."""
    return ""


def known(mistakes):
    """A `says`: which of {sentence: gradient} it is."""
    return lambda yours: next((sentence for sentence, gradient in mistakes.items()
                               if np.allclose(yours, gradient, 1e-5, 1e-8)), None)


def forgiving(thing, shapes):
    """A copy of it whose methods give 0 where they fail, so that others can be checked as well.
    shapes: {method: shape of what it returns}."""
    thing = copy(thing)
    for name, shape in shapes.items():
        def method(*args, own=getattr(thing, name), shape=shape):
            try:
                return own(*args)
            except Exception:
                return np.zeros(shape)
        setattr(thing, name, method)
    return thing


def saying(name, check, *args, **options):
    """A `says`: the hint at this name in the table of one of minigan's checks, if it gets there."""
    def says(yours):
        try:
            check(*args, **options)
        except minigan.GradientError as error:
            return next((found.hint() for found in error.report
                         if found.name == name and not found.right), None)
        except Exception:  # another gap, perhaps
            return None
    return says


def parameter_gradients(network, f):
    """(own name, "dW" or "layer 0 dW", df()/dp) of each parameter p of a network."""
    for name, parameter in network.named_parameters():
        kept = parameter.value.copy()

        def at(value):
            parameter.value[...] = value
            return f()
        right = differences(at, kept)
        parameter.value[...] = kept
        place, _, letter = name.rpartition(".")
        yield name, f"layer {place} d{letter}" if place else f"d{letter}", right


def of_layer(layer, x, dy, prefix=""):
    """dx, and dp of each parameter p, which the layer computes in methods of that name."""
    _, cache = layer.forward(x)

    def loss(x=x):
        return (dy * layer.forward(x)[0]).sum()
    whole = forgiving(layer, {"input_grad": x.shape, **{
        f"d{name}": p.value.shape for name, p in layer.named_parameters()}})
    yield Quantity(f"{prefix}dx", lambda: layer.input_grad(dy, cache), differences(loss, x),
                   says=saying("dx", minigan.check_layer, whole, x))
    for own, name, right in parameter_gradients(layer, loss):
        yield Quantity(prefix + name, lambda name=name: getattr(layer, name)(dy, cache), right,
                       says=saying(own, minigan.check_layer, whole, x))


def as_a_whole(layer, x, prefix=""):
    """minigan's own check of the layer; and that float32 stays float32."""
    def whole():
        try:
            minigan.check_layer(layer, x)
        except minigan.GradientError as error:
            raise Complaint(str(error))
        layer.astype(np.float32)
        y, cache = layer.forward(x.astype(np.float32))
        if (dx := layer.backward(y, cache)).dtype != np.float32:
            raise Complaint(f"from float32 arrays alone, dx comes out as {dx.dtype}: "
                            "something in its line is not float32")
    yield Quantity(f"{prefix}as a whole", whole, last=True)


def ex01(module):
    rng = np.random.default_rng(10)
    layer, x = redrawn(module.Dense(4, 3, rng), rng), numbers(rng, 5, 4)
    yield from of_layer(layer, x, numbers(rng, 5, 3))
    yield from as_a_whole(layer, x)


def ex02(module):
    rng = np.random.default_rng(27)
    for layer in module.LeakyReLU(), module.Tanh():
        name = type(layer).__name__
        x, dy = numbers(rng, 5, 4), numbers(rng, 5, 4)
        yield from of_layer(layer, x, dy, f"{name} ")
        yield from as_a_whole(layer, x, f"{name} ")


def ex03(module):
    rng = np.random.default_rng(31)
    yours, right = module.NonSaturating(), minigan.NonSaturating()
    s, other = numbers(rng, 6, 1), numbers(rng, 6, 1)
    far, sigmoid = np.array([[-1000.0], [-30.0], [40.0], [1000.0]]), minigan.losses.sigmoid
    yield Quantity("sigmoid", lambda: module.sigmoid(s),
                   differences(lambda s: module.softplus(s).sum(), s))
    yield Quantity("sigmoid at +-1000", lambda: module.sigmoid(far), exactly(sigmoid(far)),
                   says=silent)
    module.sigmoid = sigmoid
    _, far_real, far_fake = right.discriminator(far, far)
    networks = minigan.Dense(1, 1).astype(np.float64), minigan.Dense(1, 1).astype(np.float64)
    loss = forgiving(yours, dict.fromkeys(["ds_real", "ds_fake", "ds_fake_of_G"], s.shape))
    step_of_D = minigan.check_discriminator_step, *networks, loss, s, other
    step_of_G = minigan.check_generator_step, *networks, loss, s
    for name, value, far_out, says in [
            ("ds_real", lambda s: right.discriminator(s, other)[0], far_real,
             saying("ds_real", *step_of_D)),
            ("ds_fake", lambda s: right.discriminator(other, s)[0], far_fake,
             saying("ds_fake", *step_of_D)),
            ("ds_fake_of_G", lambda s: right.generator(s)[0], right.generator(far)[1],
             saying("ds_fake", *step_of_G))]:
        yield Quantity(name, lambda: getattr(yours, name)(s), differences(value, s), says=says)
        yield Quantity(f"{name} at +-1000", lambda: getattr(yours, name)(far), exactly(far_out),
                       says=silent)


class _Still:
    """An optimizer that changes nothing, so that the gradients can be looked at."""

    def step(self):
        pass


def ex04(module):
    rng = np.random.default_rng(40)
    G, D = [redrawn(minigan.Sequential(minigan.Dense(a, 4), minigan.Tanh(), minigan.Dense(4, b)),
                    rng) for a, b in [(2, 3), (3, 1)]]
    loss, x_real, z = minigan.NonSaturating(), numbers(rng, 5, 3), numbers(rng, 5, 2)

    def score(x):
        return D.forward(x)[0]

    def value_of_D():
        return loss.discriminator(score(x_real), score(G.forward(z)[0]))[0]

    def value_of_G():
        return loss.generator(score(G.forward(z)[0]))[0]

    def gradients(network, step, images, left=0.0):
        """Those of a network after a step, where `left` was left in them by the step before."""
        for p in G.parameters() + D.parameters():
            p.grad.fill(left)
        step(G, D, _Still(), loss, *images, z)
        return [p.grad.copy() for p in network.parameters()]

    for name, value, step, images, learner, other, check in [
            ("DG", value_of_D, module.discriminator_step, [x_real], D, G,
             minigan.check_discriminator_step),
            ("GD", value_of_G, module.generator_step, [], G, D, minigan.check_generator_step)]:
        for i, (own, what, right) in enumerate(parameter_gradients(learner, value)):
            yield Quantity(f"{name[0]} step: {what}",
                           lambda: gradients(learner, step, images)[i], right,
                           says=saying(own, check, G, D, loss, *images, z, step=step))

        def begins_from_zero():
            if not all(map(np.allclose, gradients(learner, step, images),
                           gradients(learner, step, images, 0.5))):
                raise Complaint("what the step before left is still in the gradients: zero_grad "
                                "is missing, or comes too late")

        def untouched():
            if any((grad != 0.5).any() for grad in gradients(other, step, images, 0.5)):
                raise Complaint("its gradients change, and it does not learn in this step: "
                                "a `backward`, an add_param_grads or a zero_grad too much")

        def both_halves(dy, cache):
            raise Complaint(f"{name[0]}.backward is called, which is both halves: one of them "
                            "computes what nobody asks for")

        def half_is_enough():
            learner.backward = both_halves
            try:
                gradients(learner, step, images)
            finally:
                del learner.backward
        yield Quantity(f"{name[0]} step: from zero", begins_from_zero)
        yield Quantity(f"{name[0]} step: {name[1]} untouched", untouched)
        yield Quantity(f"{name[0]} step: half is enough", half_is_enough)


def ex05(module):
    rng = np.random.default_rng(5)
    layer = redrawn(module.BatchNorm(3), rng)
    x, dy = 2 * numbers(rng, 6, 3) + 1, numbers(rng, 6, 3)
    (c, inv_std, x_hat), var = layer.forward(x)[1], x.var(axis=0)

    # The loss as a function of each intermediate quantity: the rest of the forward pass.
    def of_x_hat(x_hat):
        return (dy * (layer.gamma.value * x_hat + layer.beta.value)).sum()

    def of_inv_std(inv_std):
        return of_x_hat(c * inv_std)

    def of_var(var):
        return of_inv_std((var + layer.eps) ** -0.5)

    def of_c(c):
        return of_x_hat(c * ((c * c).mean(axis=0) + layer.eps) ** -0.5)

    def of_mean(mean):
        return of_c(x - mean)

    right = {"dx_hat": differences(of_x_hat, x_hat), "dinv_std": differences(of_inv_std, inv_std),
             "dvar": differences(of_var, var), "dc": differences(of_c, c),
             "dmean": differences(of_mean, x.mean(axis=0))}
    dx_hat, dinv_std, dvar, dc, dmean = (gradient for gradient, _, _ in right.values())
    dx, *dgamma_and_dbeta = of_layer(layer, x, dy)
    yield from dgamma_and_dbeta
    through_x_hat = differences(lambda c: of_x_hat(c * inv_std), c)[0]
    half = known({"it is the way through x_hat alone: c goes into var too": through_x_hat,
                  "it is the way through var alone: c goes into x_hat too": dc - through_x_hat,
                  "it is dc: x goes into mean too": dc})
    for name, *given in [("dx_hat", dy), ("dinv_std", dx_hat, c), ("dvar", dinv_std, inv_std),
                         ("dc", dx_hat, dvar, c, inv_std), ("dmean", dc)]:
        yield Quantity(name, lambda: getattr(layer, name)(*given), right[name],
                       says=half if name == "dc" else lambda yours: None)
    yield Quantity("dx, long", lambda: layer.dx(dc, dmean), dx.right, says=half)
    yield dx._replace(name="dx, short")
    yield from as_a_whole(layer, x)


def ex06(module):
    rng = np.random.default_rng(61)
    m, v, g = numbers(rng, 5), numbers(rng, 5) ** 2, numbers(rng, 5)
    lr, beta1, beta2, t = 0.01, 0.6, 0.9, 3

    def adam(kind, eps=1e-8):
        return kind([minigan.Parameter(np.zeros(5))], lr, beta1, beta2, eps)

    def moves(optimizer, gradients):
        """How far each step moves the values."""
        places = [optimizer.value.copy()]
        for optimizer.grad[...] in gradients:
            optimizer.step()
            places.append(optimizer.value.copy())
        return np.diff(places, axis=0)

    yours, library, new_m, new_v = adam(module.Adam, 0.1), adam(minigan.Adam), m.copy(), v.copy()
    library.steps = t
    library.update(np.zeros(5), g, new_m, new_v)
    yield Quantity("m", lambda: yours.next_m(m, g), exactly(new_m))
    yield Quantity("v", lambda: yours.next_v(v, g), exactly(new_v))
    # After t steps with a constant gradient g, m is (1 - beta1^t) g, and m_hat is to be g.
    yield Quantity("m_hat", lambda: yours.m_hat(m * (1 - beta1 ** t), t), exactly(m))
    yield Quantity("v_hat", lambda: yours.v_hat(v * (1 - beta2 ** t), t), exactly(v))
    yield Quantity("change", lambda: yours.change(m, v), exactly(-lr * m / (np.sqrt(v) + 0.1)))
    several = numbers(rng, 6, 5)
    yield Quantity("six steps", lambda: moves(adam(module.Adam), several),
                   exactly(moves(adam(minigan.Adam), several)), last=True)
    yield Quantity("g constant: all lr", lambda: moves(adam(module.Adam), [g] * 4),
                   exactly([-lr * np.sign(g)] * 4), last=True)


def ex07(module):
    rng = np.random.default_rng(74)
    x = numbers(rng, 2, 6, 5, 2)
    for name, window in [("fold", (3, 1, 1)), ("fold, S = 2", (3, 2, 0))]:  # skips x's last row
        rows = numbers(rng, *module.patches(x, *window).shape)
        yield Quantity(name, lambda: module.fold(rows, x.shape, *window), differences(
            lambda x: (rows * module.patches(x, *window)).sum(), x))
    module.fold = minigan.fold
    layer = redrawn(module.Conv2D(2, 3, 3, stride=2, padding=1), rng)
    yield from of_layer(layer, x, numbers(rng, *layer.forward(x)[0].shape))
    yield from as_a_whole(layer, x)


def ex08(module):
    rng = np.random.default_rng(82)
    layer = redrawn(module.ConvTranspose2D(2, 3, 4, stride=2, padding=1), rng)
    x = numbers(rng, 2, 2, 3, 2)
    dy = numbers(rng, *layer.forward(x)[0].shape)
    rows = numbers(rng, *minigan.patches(dy, *layer.window).shape)
    yield Quantity("drows", lambda: layer.drows(dy), differences(
        lambda rows: (dy * minigan.fold(rows, dy.shape, *layer.window)).sum(), rows))
    layer.drows = lambda dy: minigan.patches(dy, *layer.window)
    yield from of_layer(layer, x, dy)
    del layer.drows
    yield from as_a_whole(layer, x)


def network(kind, activations, tie):
    """Three Dense layers of a kind, with both activations between them."""
    return tie(kind.Dense(4, 5), activations.LeakyReLU(), kind.Dense(5, 3), kind.Tanh(),
               kind.Dense(3, 1))


def ex09(module):
    rng = np.random.default_rng(90)
    x, x_dot = numbers(rng, 5, 4), numbers(rng, 5, 4)
    for name, layer, kept in [
            ("Dense", module.Dense(4, 3), x_dot), ("LeakyReLU", module.LeakyReLU(), None),
            ("Tanh", module.Tanh(), x_dot),
            ("Network", network(minigan, minigan, module.Network), []),
            ("all of it", network(module, module, module.Network), [])]:
        y, cache = redrawn(layer, rng).forward(x)

        def tangent():
            return pair(layer.tangent(x_dot, cache), "y_dot and tcache")

        def tcache():
            if tangent()[1] is not kept:
                raise Complaint("it is to return " + ("None" if kept is None else "x_dot itself")
                                + " after y_dot")
        # One number t moves all of x along x_dot; y[n, m] moves at the speed y_dot[n, m].
        right = [differences(lambda t: layer.forward(x + t * x_dot)[0].flat[i], np.zeros(()))
                 for i in range(y.size)]
        speeds, crossed, noise = zip(*right)
        yield Quantity(f"{name} y_dot", lambda: tangent()[0], (
            np.reshape(speeds, y.shape), np.reshape(crossed, y.shape), max(noise)),
            last=name == "all of it", says=saying("y_dot", minigan.check_tangent, layer, x))
        if not isinstance(layer, module.Network):
            yield Quantity(f"{name} tcache", tcache)


def ex10(module):
    rng = np.random.default_rng(106)
    x, x_dot, v = numbers(rng, 5, 4), numbers(rng, 5, 4), numbers(rng, 5, 4)
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
        check = minigan.check_tangent, layer, x
        yield Quantity(f"{name} dx", lambda: input_grads()[0], differences(loss, x),
                       says=saying("dx", *check))
        yield Quantity(f"{name} dx_dot", lambda: input_grads()[1],
                       differences(lambda x_dot: loss(x, x_dot), x_dot),
                       says=saying("dx_dot", *check))
        for own, what, right in parameter_gradients(twin, loss):
            yield Quantity(f"{name} {what}", lambda: getattr(layer, f"tangent_{what}")(
                dy, dy_dot, x_dot, cache), right, says=saying(own, *check))

    def penalty(g):
        return 10.0 * ((np.linalg.norm(g, axis=1) - 1) ** 2).mean()

    def gradients(network, add, left=0.0):
        for p in network.parameters():
            p.grad.fill(left)
        add(network)
        return [p.grad - left for p in network.parameters()]

    yield Quantity("v", lambda: module.dP_dg(v, np.linalg.norm(v, axis=1, keepdims=True), 10.0),
                   differences(penalty, v))
    # The sweeps are judged in a network of the library's layers, and all of it at the end in one
    # of the learner's own, with the same weights.
    theirs = redrawn(network(minigan, minigan, minigan.Sequential), rng)
    yours = redrawn(network(module, module.ex09_tangent, module.ex09_tangent.Network), rng)
    yours.load_state_dict(theirs.state_dict())

    def sum_of_s_dot():
        return theirs.tangent(v, theirs.forward(x)[1])[0].sum()

    def sweeps(network):
        module.two_sweeps(network, v, *network.forward(x))

    def adds():
        if not all(map(np.allclose, gradients(theirs, sweeps), gradients(theirs, sweeps, 0.5))):
            raise Complaint("the gradients that D already had, from its loss, are lost or changed")
    rates = [right[0] for *_, right in parameter_gradients(
        theirs, lambda: theirs.forward(x)[0].sum())]
    for i, (_, what, right) in enumerate(parameter_gradients(theirs, sum_of_s_dot)):
        yield Quantity(f"sweeps: {what}", lambda: gradients(theirs, sweeps)[i], right, says=known({
            "it goes down from ds = 1, where 0 belongs": rates[i] + right[0],
            "it goes down from ds = 1, ds_dot = 0: the two are swapped": rates[i]}))
    yield Quantity("sweeps add", adds)

    def P():
        s, cache = theirs.forward(x)
        return penalty(theirs.input_grad(np.ones_like(s), cache))
    for i, (_, what, right) in enumerate(parameter_gradients(theirs, P)):
        yield Quantity(f"penalty: {what}", lambda: gradients(
            yours, lambda network: module.gradient_penalty(network, x))[i], right, last=True)
