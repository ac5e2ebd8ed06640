"""The adversarial losses, each as two methods under one another.

    discriminator(s_real, s_fake) -> value, ds_real, ds_fake     D minimises this value
    generator(s_fake)             -> value, ds_fake              G minimises this one

Scores s = D(x) are raw, of shape (N, 1), and unbounded (others call them logits). The probability
that D gives to "real" is p(s) = sigmoid(s) = 1 / (1 + exp(-s)), and 1 - p(s) = sigmoid(-s). The
papers write logarithms of it; with softplus(s) = log(1 + exp(s)), whose derivative is sigmoid(s),

    -log p(s) = log(1 + exp(-s)) = softplus(-s),    -log(1 - p(s)) = softplus(s)

so that no formula needs a clip or an epsilon. Values are 0-d arrays, left where the scores lie."""
from minigan.backend import array_module
from minigan.checks import check_array, check_settings


def softplus(s):
    """log(1 + exp(s)), elementwise, without overflow."""
    return array_module(s).logaddexp(0, s)


def sigmoid(s):
    """1 / (1 + exp(-s)) = exp(-softplus(-s)), elementwise: exact in both tails."""
    return array_module(s).exp(-softplus(-s))


def _check_scores(loss, *scores):
    for s in scores:
        check_array(loss, "scores", s, "N", 1, advice=": let D end in Dense(..., 1)")


class AdversarialLoss:
    """Base of the losses below: what a log should show as D(x)."""

    def shown(self, s):
        """D(x) as the loss's paper counts it, for the log: here the score itself."""
        return s

    def __repr__(self):
        words = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({words})"


class Minimax(AdversarialLoss):
    """D: -mean log p(s_real) - mean log(1 - p(s_fake)),  G: mean log(1 - p(s_fake)),  p = sigmoid.

    The first GAN. G's gradient -p(s_fake) / N vanishes ("saturates") where D is sure that it sees a
    fake, where G needs it most. Source: Goodfellow et al. 2014, eq. 1."""

    def discriminator(self, s_real, s_fake):
        _check_scores(self, s_real, s_fake)
        value = softplus(-s_real).mean() + softplus(s_fake).mean()
        return value, -sigmoid(-s_real) / len(s_real), sigmoid(s_fake) / len(s_fake)

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        return -softplus(s_fake).mean(), -sigmoid(s_fake) / len(s_fake)

    shown = staticmethod(sigmoid)  # D(x) is a probability


class NonSaturating(Minimax):
    """D: -mean log p(s_real) - mean log(1 - p(s_fake)),  G: -mean log p(s_fake),  p = sigmoid.

    G's gradient -(1 - p(s_fake)) / N is largest where D is sure that it sees a fake. Source:
    Goodfellow et al. 2014, section 3. By label_smoothing (Salimans et al. 2016, section 3.4) D is
    to give to real images not 1 but t = 1 - label_smoothing: its first term is then
    -mean[t log p(s_real) + (1 - t) log(1 - p(s_real))]."""

    def __init__(self, label_smoothing=0.0):
        check_settings(self, locals())
        self.label_smoothing = float(label_smoothing)

    def discriminator(self, s_real, s_fake):
        value, ds_real, ds_fake = super().discriminator(s_real, s_fake)
        # -t log p(s) - (1 - t) log(1 - p(s)) = -log p(s) + (1 - t) s
        value = value + self.label_smoothing * s_real.mean()
        return value, ds_real + self.label_smoothing / len(s_real), ds_fake

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        return softplus(-s_fake).mean(), -sigmoid(-s_fake) / len(s_fake)


class LeastSquares(AdversarialLoss):
    """D: mean (s_real - real)^2 / 2 + mean (s_fake - fake)^2 / 2,  G: mean (s_fake - real)^2 / 2.

    Source: Mao et al. 2017, eq. 2 and 9, with targets b = c = real and a = fake."""

    def __init__(self, real=1.0, fake=0.0):
        check_settings(self, locals())
        self.real, self.fake = float(real), float(fake)

    def discriminator(self, s_real, s_fake):
        _check_scores(self, s_real, s_fake)
        e_real, e_fake = s_real - self.real, s_fake - self.fake
        value = (e_real * e_real).mean() / 2 + (e_fake * e_fake).mean() / 2
        return value, e_real / len(s_real), e_fake / len(s_fake)

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        e_fake = s_fake - self.real
        return (e_fake * e_fake).mean() / 2, e_fake / len(s_fake)


class Hinge(AdversarialLoss):
    """D: mean max(0, 1 - s_real) + mean max(0, 1 + s_fake),  G: -mean s_fake.

    Sources: Lim and Ye 2017; Miyato et al. 2018, eq. 16 and 17."""

    def discriminator(self, s_real, s_fake):
        _check_scores(self, s_real, s_fake)
        inside_real = (s_real < 1).astype(s_real.dtype)
        inside_fake = (s_fake > -1).astype(s_fake.dtype)
        value = (inside_real * (1 - s_real)).mean() + (inside_fake * (1 + s_fake)).mean()
        return value, -inside_real / len(s_real), inside_fake / len(s_fake)

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        return -s_fake.mean(), array_module(s_fake).full_like(s_fake, -1 / len(s_fake))


class Wasserstein(AdversarialLoss):
    """D: mean s_fake - mean s_real,  G: -mean s_fake.

    D is called the critic here. Its -value estimates the Wasserstein distance, up to a factor c, if
    D is Lipschitz: |D(x) - D(x')| <= c |x - x'| for all x, x'. So it needs `clip_weights`
    (Arjovsky et al. 2017, algorithm 1) or a gradient penalty."""

    def discriminator(self, s_real, s_fake):
        _check_scores(self, s_real, s_fake)
        full_like = array_module(s_real).full_like
        return (s_fake.mean() - s_real.mean(),
                full_like(s_real, -1 / len(s_real)), full_like(s_fake, 1 / len(s_fake)))

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        return -s_fake.mean(), array_module(s_fake).full_like(s_fake, -1 / len(s_fake))


LOSSES = {"nonsaturating": NonSaturating, "minimax": Minimax, "leastsquares": LeastSquares,
          "hinge": Hinge, "wasserstein": Wasserstein}
