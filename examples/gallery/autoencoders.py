"""Autoencoders beside a GAN: VAE and AAE (Kingma and Welling 2014, Makhzani et al. 2016).

    python examples/gallery/autoencoders.py     trains five times, judges, draws autoencoders.png

An encoder makes of an image x a few numbers z, its code; a decoder makes x of z again. If the codes
lie as noise does, p(z) = N(0, 1), then decoded noise is new digits. The VAE's encoder says of x
[mu, l] = h, and z is drawn from q(z | x) = N(mu, e^l): l is the log of the variance, log_var below.
KL(q || p), a formula, says how far q is from noise, and what is minimised bounds -log p(x):

    -log p(x) <= mean of -log p(x | z) + KL,   KL = sum of (mu^2 + e^l - 1 - l) / 2

(a grey x is the chance that a pixel is white). New is the gradient *through a random draw*. "A draw
from N(mu, e^l)" has no derivative; a function of mu, l, and a random e that knows of neither, has:

    z = mu + e^(l/2) e,  e ~ N(0, 1):    dmu = dz,       dl = dz e^(l/2) e / 2 = dz (z - mu) / 2
    KL, mean over N images:            + dmu = mu / N,   dl = (e^l - 1) / (2 N)

The two meet at h, and are added. Without KL's the encoder lets l fall until nothing is random, and
puts codes where noise never is. And one mistake no gradient check can see: with e^l e for e^(l/2) e
all gradients are right, but KL is that of another q than the one that is drawn from. So the test
compares the formula with the mean of log q(z | x) - log p(z) over z that Draw has drawn.

The adversarial autoencoder has neither formula nor draw: D tells codes from noise. That is the two
steps of any GAN with the encoder as G, to which images are what noise is to others, and noise as
"real". The third below, a plain GAN, has the two ends exchanged: the decoder is G, images are real.
An autoencoder pays for each pixel, so in doubt it draws grey, a blur, and a D of images forbids it.
"""
from statistics import NormalDist

import numpy as np

from minigan import (
    Adam, Dense, Layer, LeakyReLU, MinibatchDeviation, NonSaturating, R1Penalty, Sequential,
    Sigmoid, binary_cross_entropy_with_logits, discriminator_step, generator_step)
from minigan.workshop import (
    Judge, MovingAverage, image_grid, labelled_digits, page, progress, whole_file)

LATENT, BATCH, PIXELS = 10, 100, 784


def build(rng, latent, heads, judged):
    """Encoder: images as rows (N, 784) -> h (N, heads latent); decoder: z -> logits s (N, 784);
    D: codes or images (N, judged) -> scores."""
    encoder = Sequential(
        Dense(PIXELS, 512, rng), LeakyReLU(), Dense(512, 256, rng), LeakyReLU(),
        Dense(256, heads * latent, rng))
    decoder = Sequential(
        Dense(latent, 256, rng), LeakyReLU(), Dense(256, 512, rng), LeakyReLU(),
        Dense(512, PIXELS, rng))
    discriminator = Sequential(
        Dense(judged, 512, rng), LeakyReLU(), Dense(512, 256, rng), LeakyReLU(),
        MinibatchDeviation(), Dense(257, 1, rng))
    return encoder, decoder, discriminator


class Draw(Layer):
    """z = mu + e^(l/2) e,  e ~ N(0, 1);  dmu = dz,  dl = dz (z - mu) / 2.  h = [mu, l] (N, 2 K),
    z, e (N, K)."""

    def __init__(self, rng):
        self.rng = rng

    def forward(self, h, train=True):
        mu, log_var = np.split(h, 2, axis=1)
        e = self.rng.standard_normal(mu.shape, np.float32)
        z = mu + np.exp(log_var / 2) * e
        return z, z - mu

    def input_grad(self, dz, moved):
        return np.concatenate([dz, dz * moved / 2], axis=1)


def kl(h):
    """Mean over N of the sum of (mu^2 + e^l - 1 - l) / 2, in nats -> value, dh."""
    mu, log_var = np.split(h, 2, axis=1)
    value = (mu * mu + np.exp(log_var) - 1 - log_var).sum() / 2 / len(h)
    return value, np.concatenate([mu, (np.exp(log_var) - 1) / 2], axis=1) / len(h)


def reconstruction(s, x):
    """-log p(x | z), mean over N of the sum over pixels, in nats -> value, ds."""
    value, ds = binary_cross_entropy_with_logits(s, x)
    return PIXELS * value, PIXELS * ds


def vae_step(encoder, draw, decoder, optimizer, x):
    """Returns the loss value, and the KL in it."""
    h, cache_encoder = encoder.forward(x)
    z, cache_draw = draw.forward(h)
    s, cache_decoder = decoder.forward(z)
    value, ds = reconstruction(s, x)
    nats, dh = kl(h)
    encoder.zero_grad()
    decoder.zero_grad()
    dz = decoder.backward(ds, cache_decoder)
    encoder.add_param_grads(dh + draw.input_grad(dz, cache_draw), cache_encoder)
    optimizer.step()
    return value + nats, nats


def autoencoder_step(autoencoder, optimizer, x):
    """The AAE's first step, in which nobody asks where the codes lie. Returns the loss value."""
    s, cache = autoencoder.forward(x)
    value, ds = reconstruction(s, x)
    autoencoder.zero_grad()
    autoencoder.add_param_grads(ds, cache)
    optimizer.step()
    return value


def train(kind, latent, args, images):
    """kind: "VAE", "AAE" or "GAN", which uses no encoder. Returns the moving averages of both."""
    weights_rng, rng = np.random.default_rng(args.seed).spawn(2)
    encoder, decoder, D = build(weights_rng, latent, heads=2 if kind == "VAE" else 1,
                                judged=PIXELS if kind == "GAN" else latent)
    both, draw = Sequential(encoder, decoder), Draw(rng)
    G = Sequential(decoder, Sigmoid()) if kind == "GAN" else encoder
    adam = Adam(both.parameters(), 2e-3, beta1=0.9, beta2=0.999)
    lr_g = 2e-3 if kind == "GAN" else 3e-4  # the encoder has another task besides
    adam_g, adam_d = (Adam(net.parameters(), lr, beta1=0, beta2=0.99)
                      for net, lr in ((G, lr_g), (D, 2e-3)))
    loss, penalty, average = NonSaturating(), R1Penalty(4 * 0.3), MovingAverage(both, 0.999)
    for step, show in progress(args.steps, *(
            ("loss", "KL") if kind == "VAE" else ("D(real)", "D(fake)", "loss"))):
        x = rows(images[rng.integers(len(images), size=BATCH)])
        z = rng.standard_normal((BATCH, latent), np.float32)
        if kind == "VAE":
            seen = vae_step(encoder, draw, decoder, adam, x)
        else:
            real, noise = (x, z) if kind == "GAN" else (z, x)
            due = penalty if step % 4 == 0 else None
            _, *seen = discriminator_step(G, D, adam_d, loss, real, noise, due)
            generator_step(G, D, adam_g, loss, noise)
        if kind == "AAE":
            seen.append(autoencoder_step(both, adam, x))
        average.update()
        show(*seen)
    return average.network.layers


def rows(images):
    """uint8 (N, 28, 28) -> (N, 784) in [0, 1]."""
    return images.reshape(len(images), PIXELS) / np.float32(255)


def decode(decoder, z):
    """Images (N, 28, 28) in [0, 1] of codes z."""
    return Sigmoid()(decoder(z)).reshape(-1, 28, 28)


def plane(decoder, side):
    """What the decoder makes of pairs of numbers, at quantiles of N(0, 1): as dense as noise is."""
    ticks = [NormalDist().inv_cdf((k + 0.5) / side) for k in range(side)]
    return decode(decoder, np.array([(a, -b) for b in ticks for a in ticks], np.float32))


def save_panels(path, panels):
    """panels: {title: images and how many in a row, or codes (N, 2) and the labels N}."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(16, 8.4), layout="constrained")
    for axes, (title, (content, more)) in zip(figure.subplots(2, 4).flat, panels.items()):
        axes.set_title(title)
        if content.ndim == 3:
            axes.imshow(image_grid(content, more), cmap="gray", vmin=0, vmax=1)
            axes.axis("off")
        else:
            dots = axes.scatter(*content.T, s=2, c=more, cmap="tab10")
            axes.legend(*dots.legend_elements(), loc="upper right", fontsize=7)
            axes.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=100)


def main(words=None):
    with page(__doc__, 1500, words) as args:
        (images, labels), test = labelled_digits(args)
        judge = Judge((images, labels), test, cached=args.data == "mnist")
        rng, x, panels = np.random.default_rng(args.seed), rows(test[0]), {}
        for kind in ("VAE", "AAE"):
            encoder, decoder = train(kind, 2, args, images)
            codes = encoder(x[:5000])[:, :2]  # the VAE's mu, without its l
            panels[f"{kind}: test digits as two numbers"] = codes, test[1][:5000]
            panels[f"{kind}: what two numbers can say"] = plane(decoder, 16), 16

        z = rng.standard_normal((200 if args.dry_run else 10000, LATENT), np.float32)
        returned = [x[:24]]
        for kind in ("VAE", "AAE", "GAN"):
            encoder, decoder = train(kind, LATENT, args, images)
            samples = decode(decoder, z)
            panels[f"{kind}: drawn from {LATENT} random numbers"] = samples[:64], 8
            row, _ = judge.numbers(samples)
            print(f"{kind}: distance {row['distance']:.2f}, "
                  f"Parzen {row['parzen']:.0f} +- {row['error']:.0f}", end="")
            if kind != "GAN":
                h = encoder(x)
                codes, nats = (Draw(rng)(h), kl(h)[0]) if kind == "VAE" else (h, None)
                returned.append(decode(decoder, codes[:24]))
                lost, _ = reconstruction(decoder(codes), x)
                print(f", reconstruction {lost:.1f} nats", end="")
                if kind == "VAE":
                    print(f" + KL {nats:.1f} = {lost + nats:.1f}, the bound", end="")
            print()
        panels["A row of digits, as VAE and as AAE return it"] = np.stack(
            [some.reshape(3, 8, 28, 28) for some in returned], axis=1).reshape(-1, 28, 28), 8
        save_panels(args.out / "autoencoders.png", panels)


if __name__ == "__main__":
    main()
