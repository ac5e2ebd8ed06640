"""StyleGAN: every layer has a style, and styles can be mixed (Karras et al. 2019 and 2020).

    python examples/gallery/style.py                  trains, judges, and draws style.png

Other generators begin with z. This one begins with an image that is constant, and learned; a small
mapping network makes a style w of z, and *each layer* takes w as a second input, beside the image x
that comes from below. w scales the channels of x ("modulation"), and d takes back what this does to
the size of what goes out ("demodulation"). With i and j the taps of the weights W, p the pixels:

    s = a + w A,   v = conv(x s)                                  a starts at 1
    d = q^(-1/2),  q = s^2 B + eps,  B = sum over i, j of W^2     one d for each image and channel
    y = v d + b

Numbers x that are independent, of variance 1, make v of variance s^2 B, and v d of variance 1 again
(with a stride a pixel has a share of the taps, and that variance): no style can drown what lies
above. On the way back w and W are in v, and in d:

    dv = dy d,   dd = sum over p of dy v,   dq = -d^3 dd / 2
    du = the conv's gradient at u = x s,   dx = du s
    ds = sum over p of du x + 2 s (dq B^T),   dw = ds A^T
    dW = the conv's gradient + 2 W dB,   dB = (s^2)^T dq,   db = sum over p of dy

w reaches the image through every layer; so dw is the sum of what comes back from all of them. And a
layer may be given the w of another image of the batch: then its dw goes there. In training this is
done from a layer on that is drawn anew for each image ("mixing regularisation"), so that no layer
counts on what others were given; and after it we mix as we like.

Twice the s makes the same y, so that s ds adds up to 0 over the channels. Without the second term
of ds it does not: s is made longer or shorter, to no effect. The paper's layers add noise, too.
Here they do not: a well-known version draws all its variety from the noise, and ignores z.
"""
import numpy as np

from minigan import (
    Adam, ConvTranspose2D, Dense, Flatten, Layer, LeakyReLU, MinibatchDeviation, NonSaturating,
    Parameter, R1Penalty, Sequential, Shift, Tanh, discriminator_step, generator_step)
from minigan.workshop import (
    Judge, MovingAverage, frechet_distance, labelled_digits, page, progress, save_grid, to_float)

LATENT, STYLE, BATCH, COARSE = 64, 64, 32, 2  # the first two of four layers, at 7 x 7, are coarse


class Styled(Layer):
    """y = LeakyReLU(d conv(x s) + b),  s = a + w A: a layer of two inputs, x and w.

    x (N, H, W, C), w (N, STYLE), y (N, P, Q, M); conv: a ConvTranspose2D, style: a Dense."""

    def __init__(self, conv, style):
        self.conv, self.style, self.activation = conv, style, LeakyReLU()
        style.b.value += 1

    def forward(self, x, w):
        s, style_cache = self.style.forward(w)                           # (N, C)
        v, conv_cache = self.conv.apply(x * s[:, None, None])            # conv without its b
        B = (self.conv.W.value ** 2).sum((1, 2))                         # (C, M)
        d = (s * s @ B + 1e-8) ** -0.5                                   # (N, M)
        y, activation_cache = self.activation.forward(v * d[:, None, None] + self.conv.b.value)
        return y, (x, s, v, B, d, style_cache, conv_cache, activation_cache)

    def backward(self, dy, cache):
        """dx, dw. The two halves would share their products, and training asks for both at once."""
        x, s, v, B, d, style_cache, conv_cache, activation_cache = cache
        dy = self.activation.input_grad(dy, activation_cache)
        dv = dy * d[:, None, None]
        dq = -d ** 3 * (dy * v).sum((1, 2)) / 2                          # (N, M)
        du = self.conv.input_grad(dv, conv_cache)
        ds = (du * x).sum((1, 2)) + 2 * s * (dq @ B.T)                   # (N, C)
        self.conv.b.grad += dy.sum((0, 1, 2))
        self.conv.add_weight_grad(dv, conv_cache)
        self.conv.W.grad += 2 * self.conv.W.value * ((s * s).T @ dq)[:, None, None]
        return du * s[:, None, None], self.style.backward(ds, style_cache)


class Synthesis(Layer):
    """x = the constant, then x = layer l of x and ws[:, l].  ws (N, L, STYLE), x (N, 28, 28, M)."""

    def __init__(self, constant, layers):
        self.constant, self.layers = constant, layers

    def forward(self, ws, train=True):
        x = self.constant.value.repeat(len(ws), axis=0)
        caches = []
        for layer, w in zip(self.layers, ws.swapaxes(0, 1)):
            x, cache = layer.forward(x, w)
            caches.append(cache)
        return x, caches

    def backward(self, dx, caches):
        dws = []
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dx, dw = layer.backward(dx, cache)
            dws.insert(0, dw)
        self.constant.grad += dx.sum(axis=0, keepdims=True)
        return np.stack(dws, axis=1)


class Mix(Layer):
    """ws[n, l] = w[source[n, l]];  dw[m] = sum of all dws[n, l] that have source[n, l] = m.

    w (N, STYLE), ws (N, L, STYLE). The source of an image's style is the image itself; but when in
    training, from a layer on that is drawn for each, the next image of the batch."""

    def __init__(self, count, rng):
        self.count, self.rng = count, rng

    def forward(self, w, train=True):
        N, L = len(w), self.count
        crossing = self.rng.integers(1, L + 1, (N, 1)) if train else L
        n = np.arange(N)[:, None]
        source = np.where(np.arange(L) < crossing, n, (n + 1) % N)
        return w[source], (source, w.shape)

    def input_grad(self, dws, cache):
        source, shape = cache
        dw = np.zeros(shape, dws.dtype)
        np.add.at(dw, source, dws)  # adds up what dw[source] += dws would overwrite
        return dw


def build(rng):
    """G: z (N, 64) -> w (N, 64) -> ws (N, 4, 64) -> images (N, 28, 28, 1); D: images -> scores."""
    layers = [Styled(conv, Dense(STYLE, conv.in_channels, rng)) for conv in (
        ConvTranspose2D(128, 32, 1, rng=rng), ConvTranspose2D(32, 32, 3, padding=1, rng=rng),
        ConvTranspose2D(32, 16, 4, stride=2, padding=1, rng=rng),
        ConvTranspose2D(16, 8, 2, stride=2, rng=rng))]
    mapping = Sequential(
        Dense(LATENT, STYLE, rng), LeakyReLU(), Dense(STYLE, STYLE, rng), LeakyReLU())
    painter = Sequential(Synthesis(Parameter.normal((1, 7, 7, 128), 1, rng), layers),
                         ConvTranspose2D(8, 1, 1, rng=rng), Tanh())
    painter.layers[1].b.value -= 1.5  # images begin dark, as digits are
    discriminator = Sequential(
        Shift(1), Flatten(), Dense(784, 512, rng), LeakyReLU(), Dense(512, 256, rng), LeakyReLU(),
        MinibatchDeviation(), Dense(257, 1, rng))
    return Sequential(mapping, Mix(len(layers), rng), painter), discriminator


def train(args, images):
    """Returns the moving average of G."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    G, D = build(weights_rng)
    adam_g, adam_d = (Adam(net.parameters(), 2e-3, beta1=0, beta2=0.99) for net in (G, D))
    loss, penalty, average = NonSaturating(), R1Penalty(4 * 0.3), MovingAverage(G, 0.999)
    for step, show in progress(args.steps, "D(x)", "D(G(z))"):
        x_real = to_float(images[rng.integers(len(images), size=BATCH)])
        z = rng.standard_normal((2, BATCH, LATENT), np.float32)
        due = penalty if step % 4 == 0 else None
        _, d_real, d_fake = discriminator_step(G, D, adam_d, loss, x_real, z[0], due)
        generator_step(G, D, adam_g, loss, z[1])
        average.update()
        show(d_real, d_fake)
    return average.network


def draw(G, coarse, fine):
    """Images (N, 28, 28) in [0, 1], with styles w (N, STYLE) for the coarse layers and the fine."""
    _, mix, painter = G.layers
    ws = np.stack(COARSE * [coarse] + (mix.count - COARSE) * [fine], axis=1)
    return np.concatenate([  # some at a time
        (painter(some)[..., 0] + 1) / 2 for some in np.split(ws, range(500, len(ws), 500))])


def draw_grid(path, G, w):
    """Left and above: unmixed; inside: the row's coarse style and the column's fine one. Below:
    mean + psi (w - mean), "truncation", as psi goes from 0 to 1.8."""
    rows, columns, mean = w[:7], w[7:16], w.mean(axis=0)
    coarse = np.concatenate([columns, rows.repeat(10, axis=0)])
    fine = np.concatenate([columns, *(np.vstack([row, columns]) for row in rows)])
    psi = np.linspace(0, 1.8, 10, dtype=np.float32)[:, None]
    below = (mean + psi * (w[16:19, None] - mean)).reshape(-1, STYLE)
    gap = np.zeros((11, 28, 28))
    save_grid(path, np.concatenate(
        [gap[:1], draw(G, coarse, fine), gap[1:], draw(G, below, below)]), columns=10)


def main(words=None):
    with page(__doc__, 4000, words) as args:
        (images, labels), test = labelled_digits(args)
        G = train(args, images)
        rng = np.random.default_rng(args.seed)
        w = G.layers[0](rng.standard_normal((200 if args.dry_run else 10000, LATENT), np.float32))
        draw_grid(args.out / "style.png", G, w)

        judge = Judge((images, labels), test, cached=args.data == "mnist")
        (features, p), (features_mixed, p_mixed) = (
            judge.look(draw(G, w, fine)) for fine in (w, np.roll(w, 1, axis=0)))
        print(f"distance: {frechet_distance(features, judge.features_test):.2f}, "
              f"mixed: {frechet_distance(features_mixed, judge.features_test):.2f}")
        digit, read = p.argmax(axis=1), p_mixed.argmax(axis=1)
        print(f"mixed, they are read as what gave the coarse style: {np.mean(read == digit):.1%}, "
              f"the fine style: {np.mean(read == np.roll(digit, 1)):.1%}")


if __name__ == "__main__":
    main()
