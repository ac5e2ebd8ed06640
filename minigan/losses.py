"""The adversarial losses, each as two methods under one another; then the reconstruction losses.

    discriminator(s_real, s_fake) -> value, ds_real, ds_fake     D minimises this value
    generator(s_fake)             -> value, ds_fake              G minimises this one

Scores s = D(x) are raw, of shape (N, 1), and unbounded; a probability is sigmoid(s). Working on
scores, no formula needs a clip or an epsilon: all stay finite and exact at any score. Values are
0-d arrays of the scores' dtype, left where the scores lie, so that no GPU is waited for.
"""
from minigan.backend import array_module


def softplus(s):
    """log(1 + exp(s)), elementwise, without overflow."""
    return array_module(s).logaddexp(0, s)


def sigmoid(s):
    """1 / (1 + exp(-s)) = exp(-softplus(-s)), elementwise.

    Exact in both tails, where (1 + tanh(s / 2)) / 2, which is faster, would round to 0.
    """
    return array_module(s).exp(-softplus(-s))


def _check_scores(loss, *scores):
    for s in scores:
        if s.ndim != 2 or s.shape[1] != 1:
            raise ValueError(f"{loss} takes scores of shape (N, 1), got {tuple(s.shape)}: "
                             "let the discriminator end in Dense(..., 1)")


class AdversarialLoss:
    """Base of the losses below: what a log should show as D(x)."""

    def output(self, s):
        """The discriminator's output as the loss's paper counts it: here the score itself."""
        return s

    def __repr__(self):
        words = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({words})"


class Minimax(AdversarialLoss):
    """D: -mean log p(s_real) - mean log(1 - p(s_fake)),  G: mean log(1 - p(s_fake)),  p = sigmoid.

    The value function of the first GAN. G's gradient -p(s_fake) / N vanishes ("saturates") where D
    is sure that it sees a fake, where G needs it most. Source: Goodfellow et al. 2014, eq. 1.
    """

    def discriminator(self, s_real, s_fake):
        _check_scores(self, s_real, s_fake)
        value = softplus(-s_real).mean() + softplus(s_fake).mean()
        return value, -sigmoid(-s_real) / len(s_real), sigmoid(s_fake) / len(s_fake)

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        return -softplus(s_fake).mean(), -sigmoid(s_fake) / len(s_fake)

    def output(self, s):
        return sigmoid(s)


class NonSaturating(AdversarialLoss):
    """D: -mean[t log p(s_real) + (1 - t) log(1 - p(s_real))] - mean log(1 - p(s_fake)),
    G: -mean log p(s_fake),  p = sigmoid,  t = 1 - label_smoothing.

    G's gradient -(1 - p(s_fake)) / N is largest where D is sure. 0 <= label_smoothing < 1.
    Sources: Goodfellow et al. 2014, section 3; label smoothing: Salimans et al. 2016, section 3.4.
    """

    def __init__(self, label_smoothing=0.0):
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing lies in [0, 1), got {label_smoothing}")
        self.label_smoothing = float(label_smoothing)

    def discriminator(self, s_real, s_fake):
        _check_scores(self, s_real, s_fake)
        # -t log p(s) - (1 - t) log(1 - p(s)) = softplus(-s) + (1 - t) s
        value = (softplus(-s_real) + self.label_smoothing * s_real).mean() + softplus(s_fake).mean()
        ds_real = (self.label_smoothing - sigmoid(-s_real)) / len(s_real)
        return value, ds_real, sigmoid(s_fake) / len(s_fake)

    def generator(self, s_fake):
        _check_scores(self, s_fake)
        return softplus(-s_fake).mean(), -sigmoid(-s_fake) / len(s_fake)

    def output(self, s):
        return sigmoid(s)


class LeastSquares(AdversarialLoss):
    """D: mean (s_real - real)^2 / 2 + mean (s_fake - fake)^2 / 2,  G: mean (s_fake - real)^2 / 2.

    Source: Mao et al. 2017, eq. 2 and 9, with targets b = c = real and a = fake.
    """

    def __init__(self, real=1.0, fake=0.0):
        self.real = float(real)
        self.fake = float(fake)

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

    Sources: Lim and Ye 2017; Miyato et al. 2018, eq. 16 and 17.
    """

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

    -value of D estimates the Wasserstein distance (up to a factor) as long as D is Lipschitz: needs
    `clip_weights` (Arjovsky et al. 2017, algorithm 1) or a gradient penalty.
    """

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


def _check_same_shape(name, y, target):
    if y.shape != target.shape:  # (N,) - (N, 1) would broadcast to (N, N) and train on nonsense
        raise ValueError(f"{name} takes y and target of one shape, "
                         f"got {tuple(y.shape)} and {tuple(target.shape)}")


def mean_squared_error(y, target):
    """mean (y - target)^2 over all elements -> value, dy.  y, target, dy of one shape."""
    _check_same_shape("mean_squared_error", y, target)
    e = y - target
    return (e * e).mean(), 2 * e / e.size


def mean_absolute_error(y, target):
    """mean |y - target| over all elements -> value, dy; dy = 0 where y = target."""
    _check_same_shape("mean_absolute_error", y, target)
    e = y - target
    return abs(e).mean(), array_module(e).sign(e) / e.size


def binary_cross_entropy_with_logits(s, target):
    """-mean[t log p(s) + (1 - t) log(1 - p(s))],  p = sigmoid -> value, ds.  0 <= target t <= 1."""
    _check_same_shape("binary_cross_entropy_with_logits", s, target)
    target = target.astype(s.dtype)
    return (softplus(s) - target * s).mean(), (sigmoid(s) - target) / s.size


def cross_entropy_with_logits(s, labels):
    """-mean over n of log p[n, labels[n]],  p = softmax(s) -> value, ds.

    s (N, K); labels (N,), integers in [0, K), on the same backend.
    """
    xp = array_module(s)
    target = (labels[:, None] == xp.arange(s.shape[1])).astype(s.dtype)
    log_p = s - s.max(axis=1, keepdims=True)  # so that no exp overflows
    log_p = log_p - xp.log(xp.exp(log_p).sum(axis=1, keepdims=True))
    return -(target * log_p).sum() / len(s), (xp.exp(log_p) - target) / len(s)
