"""A G that looks k steps ahead: the unrolled GAN, without autodiff (Metz et al. 2017).

    python examples/gallery/unrolled.py       trains, counts modes and seconds, draws unrolled.png

Where G puts its points, D will soon go. So let G's loss be that at theta_k, to which k steps of D's
own training on this very batch would lead; these steps hang on x_fake, too:

    theta_i+1 = theta_i - eta ∂L_D/∂theta (theta_i, x_fake),   L = L_G(theta_k, x_fake)

The way back takes x_fake's gradient at theta_k, as any GAN, and a = ∂L_G/∂theta_k, which others
throw away. Then down, for i = k-1 ... 0, with <a, ∂L_D/∂theta> as the next function to be derived:

    dx_fake -= eta ∂<a, ∂L_D/∂theta>/∂x_fake
    a       -= eta ∂<a, ∂L_D/∂theta>/∂theta = eta H a            a Hessian-vector product

No Hessian is built. <a, ∂L_D/∂theta> is the rate at which L_D changes as theta moves along a: a
tangent pass as in minigan/penalties.py, only that here the weights move, and x does not. In Dense

    y = x W + b,   y_dot = x_dot W + x W_dot + b_dot,   with W_dot, b_dot = a's share
    dx = dy W^T + dy_dot W_dot^T,   dx_dot = dy_dot W^T,   dW = x^T dy + x_dot^T dy_dot

so that two terms come to those that Dense has. On top, <a, ∂L_D/∂theta> = sum of L'(s) s_dot, so
ds_dot = L'(s), which is the ds of D's loss, and ds = L''(s) s_dot = p (1 - p) s_dot / N.

The popular version stops at theta_k ("detach"): it forgets the second term, all that D's steps owe
to x_fake. Nothing crashes. It is a lesson in second derivatives, not a cure: see what it costs, and
what R1 does for less.
"""
import copy
import time

import numpy as np

from minigan import (
    Adam, Dense, Layer, NonSaturating, R1Penalty, Sequential, Tanh, discriminator_step,
    generator_step)
from minigan.losses import sigmoid
from minigan.workshop import count_modes, draw_points, page, progress, ring, whole_file

WIDTH, BATCH, STD, ETA = 64, 128, 0.05, 0.1


class Moving(Dense):
    """y_dot = x_dot W + x W_dot + b_dot, where W and b move, too, along W.dot and b.dot."""

    def tangent(self, x_dot, x):
        return x_dot @ self.W.value + x @ self.W.dot + self.b.dot, x_dot

    def curvature(self, dy_dot, dx_dot, x_dot, x):
        return dy_dot @ self.W.dot.T


class Pack(Layer):
    """y = x, `count` examples side by side.  x (N, D), y (N / count, count D)."""

    def __init__(self, count):
        self.count = count

    def forward(self, x, train=True):
        return x.reshape(len(x) // self.count, -1), x.shape

    def input_grad(self, dy, x_shape):
        return dy.reshape(x_shape)

    def tangent(self, x_dot, x_shape):
        return self.forward(x_dot)


def build(rng, dense=Moving, pack=1):
    """G: noise (N, 2) -> points (N, 2); D: points -> scores (N / pack, 1), of `dense` layers."""
    def layers(dense, inputs, outputs):
        return [dense(inputs, WIDTH, rng), Tanh(), dense(WIDTH, WIDTH, rng), Tanh(),
                dense(WIDTH, WIDTH, rng), Tanh(), dense(WIDTH, outputs, rng)]

    return (Sequential(*layers(Dense, 2, 2)),
            Sequential(Pack(pack), *layers(dense, 2 * pack, 1)))


def unroll(discriminator, loss, x_real, x_fake, k):
    """D at theta_0 ... theta_k: k steps of gradient descent on this batch, each on a copy."""
    unrolled = [copy.deepcopy(discriminator)]
    for _ in range(k):
        D = unrolled[-1]
        s_real, cache_real = D.forward(x_real)
        s_fake, cache_fake = D.forward(x_fake)
        _, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
        D.zero_grad()
        D.add_param_grads(ds_real, cache_real)
        D.add_param_grads(ds_fake, cache_fake)
        unrolled.append(copy.deepcopy(D))
        for p in unrolled[-1].parameters():
            p.value -= ETA * p.grad
    return unrolled


def second_order(D, loss, x_real, x_fake, a):
    """The gradients of <a, ∂L_D/∂theta>, for NonSaturating: at x_fake, and at theta, which is H a.
    a: an array for each of D's parameters."""
    for p, direction in zip(D.parameters(), a):
        p.dot = direction
    D.zero_grad()
    s_real, cache_real = D.forward(x_real)
    s_fake, cache_fake = D.forward(x_fake)
    _, ds_real, ds_fake = loss.discriminator(s_real, s_fake)
    s_dot_real, tcache_real = D.tangent(0 * x_real, cache_real)
    s_dot_fake, tcache_fake = D.tangent(0 * x_fake, cache_fake)
    bend_real, bend_fake = (sigmoid(s) * sigmoid(-s) / len(s) for s in (s_real, s_fake))  # L''(s)
    D.add_tangent_param_grads(bend_real * s_dot_real, ds_real, tcache_real, cache_real)
    dx_fake, _ = D.tangent_backward(bend_fake * s_dot_fake, ds_fake, tcache_fake, cache_fake)
    return dx_fake, [p.grad for p in D.parameters()]


def unrolled_generator_step(generator, discriminator, optimizer, loss, x_real, z, k, whole=True):
    """(2) Update G: make D take fake for real, after k steps of its own. Returns the loss value.
    whole: through these steps, too; else only through theta_k, as the popular version does."""
    x_fake, cache_generator = generator.forward(z)
    *on_the_way, last = unroll(discriminator, loss, x_real, x_fake, k)
    s_fake, cache_last = last.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    last.zero_grad()
    dx_fake = last.backward(ds_fake, cache_last)
    a = [p.grad for p in last.parameters()]
    for D in reversed(on_the_way if whole else []):
        through_theta, H_a = second_order(D, loss, x_real, x_fake, a)
        dx_fake = dx_fake - ETA * through_theta
        a = [each - ETA * product for each, product in zip(a, H_a)]
    generator.zero_grad()
    generator.add_param_grads(dx_fake, cache_generator)
    optimizer.step()
    return value


RECIPES = {  # steps that G looks ahead, and through them or not; the penalty; points in a pack
    "k = 0": (0, True, None, 1), "k = 1": (1, True, None, 1), "k = 5": (5, True, None, 1),
    "k = 5, first term alone": (5, False, None, 1),
    "R1": (0, True, R1Penalty(0.1), 1), "packs of two": (0, True, None, 2)}


def train(args, name):
    """Returns seconds, modes and share of good points at each of 20 moments, (20, 3); points."""
    k, whole, penalty, pack = RECIPES[name]
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    G, D = build(weights_rng, Moving if k else Dense, pack)
    adam_g, adam_d = (Adam(net.parameters(), 1e-3) for net in (G, D))
    loss, rows, z_shown = NonSaturating(), [], rng.standard_normal((2500, 2), np.float32)
    begin = time.process_time()
    for step, show in progress(args.steps, "D(x)", "D(G(z))"):
        x_real = draw_points(ring(), STD, BATCH, rng)
        z = rng.standard_normal((2, BATCH, 2), np.float32)
        _, d_real, d_fake = discriminator_step(G, D, adam_d, loss, x_real, z[0], penalty)
        if k:
            unrolled_generator_step(G, D, adam_g, loss, x_real, z[1], k, whole)
        else:
            generator_step(G, D, adam_g, loss, z[1])
        show(d_real, d_fake)
        if step + 1 in np.linspace(0, args.steps, 21).round():
            rows.append([time.process_time() - begin, *count_modes(G(z_shown), ring(), STD)])
    return np.array(rows), G(z_shown)


def draw(figure, found):
    """Points of each recipe at the end, and its modes over the seconds of the processor."""
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.1])
    curves = below.subplots()
    for axes, (name, (rows, x)) in zip(above.subplots(1, len(found)), found.items()):
        axes.scatter(*ring().T, 40, "none", edgecolors="tab:red")
        axes.scatter(*x[:1000].T, 1, "black")
        axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[], title=name)
        axes.set_xlabel(f"{rows[-1, 1]:.0f} modes, {rows[-1, 2]:.0%} good, {rows[-1, 0]:.0f} s")
        curves.plot(rows[:, 0], 100 * rows[:, 2], ".-", label=name)
    curves.set(xlabel="seconds", ylabel="good points in %", xscale="log", ylim=(-3, 103))
    curves.legend()


def main(words=None):
    from matplotlib.figure import Figure
    with page(__doc__, 1500, words) as args:
        found = {name: train(args, name) for name in RECIPES}
        for name, (rows, _) in found.items():
            seconds, modes, good = rows[-1]
            print(f"{name}: {modes:.0f} of 8 modes, {good:.1%} good, in {seconds:.0f} seconds")
        figure = Figure((12, 6), layout="constrained")
        draw(figure, found)
        with whole_file(args.out / "unrolled.png") as part:
            figure.savefig(part, format="png", dpi=100)


if __name__ == "__main__":
    main()
