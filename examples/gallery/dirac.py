"""The smallest GAN there is, two numbers: which ones come to rest? (Mescheder et al. 2018).

    python examples/gallery/dirac.py                  computes all, prints it, and draws dirac.png

All real points lie at 0. G has one point, theta, whatever z is, and D one slope, D(x) = psi x. Both
should end at 0: theta where the real points are, and a D that has nothing left to say. With the
scores s_real = 0 and s = s_fake = psi theta, and with a = ∂L_D/∂s, b = -∂L_G/∂s,

    dpsi = a theta + k psi,   dtheta = -b psi

where k is what holds psi near 0:

    plain, clipped    0: clipping holds psi at the edge alone
    GP                nothing: w (|psi| - 1)^2 gives 2 w psi - 2 w sign psi, which drives it away
    noise             c e^2, if all points are shaken by e; c = ∂²L_D/∂s_real^2 + ∂²L_D/∂s_fake^2
    R1                w, from w/2 psi^2; and R2 is R1, since D is as steep everywhere

At 0 all losses have a = b. So near 0 a step of rate h is a matrix, of which the eigenvalues v are
the roots of v^2 - trace v + det; two that are complex have |v|^2 = det:

    at once     theta' = theta + h a psi,   psi' = psi - h a theta - h k psi
                [1, h a; -h a, 1 - h k]                       trace 2 - h k, det 1 - h k + h^2 a^2
    in turn     the same psi', then theta' = theta + h a psi'
                [1 - h^2 a^2, h a (1 - h k); -h a, 1 - h k]   trace 2 - h k - h^2 a^2, det 1 - h k

Without k it leads away, at once, and in turn round and round for ever. With k it comes to rest: in
turn, and at once if h a^2 < k. Hinge and Wasserstein are straight at 0, so that c = 0: noise does
nothing for them. GP has no eigenvalues, since a step of psi jumps by 4 h w where psi passes 0.

Where |v| = 1 higher powers decide. In turn a step takes 2 h s (a - b) of r^2 = theta^2 + psi^2:
nothing in Minimax, 2 h s tanh(s / 2) in NonSaturating, 4 h s^2 in LeastSquares, which creep inwards
ever slower. At once h^2 a^2 r^2 is added: they end near r^2 = 2 h, as s^2 has the mean r^4 / 8.
"""
import numpy as np

from minigan import (
    LOSSES, SGD, Dense, GradientPenalty, Layer, LeastSquares, R1Penalty, Sequential, clip_weights,
    discriminator_step, generator_step)
from minigan.workshop import page, whole_file

RATE, WEIGHT, NOISE, LIMIT = 0.1, 0.3, 0.7, 0.5
METHODS = "plain", "clipped", "GP", "noise", "R1"
AT_ZERO = {  # a and c of each loss; the sigmoid is 1/2 there, and its derivative 1/4
    "nonsaturating": (1 / 2, 1 / 4 + 1 / 4), "minimax": (1 / 2, 1 / 4 + 1 / 4),
    "leastsquares": (1, 1 + 1), "hinge": (1, 0), "wasserstein": (1, 0)}


def build(name, method):
    """All that a step takes: G, D, their optimizers, loss, x_real, z, penalty."""
    G, slope = (Dense(1, 1, rng=0).astype(np.float64) for _ in range(2))  # both b stay 0
    D = Sequential(Shaken(), slope) if method == "noise" else slope
    sgd_g, sgd_d = SGD([G.W], RATE), (ClippedSGD if method == "clipped" else SGD)([slope.W], RATE)
    # D should end in the middle between the targets: at 0, since psi x is nothing else at x = 0.
    loss = LeastSquares(1, -1) if name == "leastsquares" else LOSSES[name]()
    penalty = {"GP": GradientPenalty(WEIGHT, rng=0), "R1": R1Penalty(WEIGHT)}.get(method)
    return G, D, sgd_g, sgd_d, loss, np.zeros((2, 1)), np.ones((2, 1)), penalty


class Shaken(Layer):
    """y = x + e,  e = NOISE and -NOISE in turn, for N(0, NOISE^2);  dx = dy.  x, y (N, 1)."""

    def forward(self, x, train=True):
        return x + NOISE * (-1.0) ** np.arange(len(x))[:, None], None

    def input_grad(self, dy, _):
        return dy


class ClippedSGD(SGD):
    """SGD, after whose step all values lie in [-LIMIT, LIMIT]."""

    def step(self):
        super().step()
        clip_weights(self.parameters, LIMIT)


class Wait:
    """In place of an optimizer: the gradients stay where they are."""

    def step(self):
        pass


def simultaneous_step(G, D, sgd_g, sgd_d, loss, x_real, z, penalty=None):
    """Update both at once. D waits for G, whose step leaves D's gradients as they are."""
    discriminator_step(G, D, Wait(), loss, x_real, z, penalty)
    generator_step(G, D, sgd_g, loss, z)
    sgd_d.step()


def alternating_step(G, D, sgd_g, sgd_d, loss, x_real, z, penalty=None):
    """Update D, and then G, which learns from the new D: as everywhere else."""
    discriminator_step(G, D, sgd_d, loss, x_real, z, penalty)
    generator_step(G, D, sgd_g, loss, z)


STEPS = simultaneous_step, alternating_step


def move(gan, step, point):
    """Where a step of build's GAN leads from the point [theta, psi]: the next one, (2,)."""
    theta, psi = (network.parameters()[0].value for network in gan[:2])
    theta[...], psi[...] = point
    step(*gan)
    return np.array([theta.item(), psi.item()])


def train(args, gan, step):
    """The points, (steps + 1, 2), from a G that is at 1 and a D that knows nothing."""
    points = [np.array([1.0, 0.0])]
    for _ in range(args.steps):
        points.append(move(gan, step, points[-1]))
    return np.array(points)


def by_hand(name, method):
    """The eigenvalues at (0, 0) of each of STEPS, (2, 2). A jump is infinitely steep."""
    if method == "GP":
        return np.full((2, 2), np.inf)
    (a, c), h = AT_ZERO[name], RATE
    k = {"noise": c * NOISE ** 2, "R1": WEIGHT}.get(method, 0)
    trace = np.array([[2 - h * k], [2 - h * k - h * h * a * a]])
    det = np.array([[1 - h * k + h * h * a * a], [1 - h * k]])
    return trace / 2 + np.array([1, -1]) * np.emath.sqrt(trace * trace / 4 - det)


def measured(gan, step, distance=1e-5):
    """The eigenvalues, (2,), of the differences of a real step around (0, 0)."""
    columns = [move(gan, step, point) - move(gan, step, -point) for point in distance * np.eye(2)]
    return np.linalg.eigvals(np.stack(columns, axis=1) / (2 * distance))


def draw(axes, gan, paths, rests):
    """Arrows: where a step at once leads to, from everywhere; the paths; green if it rests."""
    side = np.linspace(-1.5, 1.5, 11)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    arrows = np.array([move(gan, simultaneous_step, point) - point for point in plane])
    arrows /= np.linalg.norm(arrows, axis=1, keepdims=True) + 1e-12
    axes.set_facecolor("#e6f4e3" if rests else "#fbeeea")
    axes.quiver(*plane.T, *arrows.T, color="0.7", scale=18, width=0.007)
    for color, points in zip(("tab:orange", "tab:blue"), paths):
        axes.plot(*points.T, color)
    axes.plot(1, 0, "ko", 0, 0, "k*")
    axes.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[], yticks=[])


def main(words=None):
    with page(__doc__, 500, words) as args:
        from matplotlib.figure import Figure
        figure = Figure(figsize=(12, 12.5), layout="constrained")
        figure.suptitle("theta to the right, psi upwards; orange: both learn at once, "
                        "blue: in turn; green: it comes to rest", fontsize=14)
        print("largest |eigenvalue|    at once, measured   in turn, measured   "
              f"distance after {args.steps} steps")
        rest = []
        for name, row in zip(AT_ZERO, figure.subplots(len(AT_ZERO), len(METHODS))):
            for method, axes in zip(METHODS, row):
                gan, largest = build(name, method), []
                for values, step in zip(by_hand(name, method), STEPS):
                    largest += [abs(values).max(), abs(measured(gan, step)).max()]
                rests = max(largest) < 1 - 1e-6
                rest += [method] * bool(rests)
                paths = [train(args, gan, step) for step in STEPS]
                distances = [np.linalg.norm(points[-1]) for points in paths]
                print(f"{name:14}{method:7}", *(f"{x:9.4f}" for x in largest + distances))
                draw(axes, gan, paths, rests)
                axes.set(title=method if name == "nonsaturating" else "",
                         ylabel=name if method == "plain" else "")
        print(f"of {len(AT_ZERO)} losses come to rest:",
              *(f"{method} {rest.count(method)}" for method in METHODS))
        with whole_file(args.out / "dirac.png") as part:
            figure.savefig(part, format="png", dpi=80)


if __name__ == "__main__":
    main()
