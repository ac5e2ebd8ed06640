"""Losses against a target, for classifiers and autoencoders.

A logit is a score before the sigmoid, or the softmax, makes a probability of it."""
from minigan.backend import array_module
from minigan.losses import sigmoid, softplus


def _check_same_shape(name, y, target):
    if y.shape != target.shape:  # (N,) - (N, 1) would broadcast to (N, N) and train on nonsense
        shapes = f"{tuple(y.shape)} and {tuple(target.shape)}"
        raise ValueError(f"{name} takes y and target of one shape, got {shapes}")


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
    """-mean over n of log p[n, labels[n]],  p = softmax(s) -> value, ds.  s (N, K), labels (N,)
    integers in [0, K), on the same backend."""
    xp = array_module(s)
    target = (labels[:, None] == xp.arange(s.shape[1])).astype(s.dtype)
    log_p = s - s.max(axis=1, keepdims=True)  # so that no exp overflows
    log_p = log_p - xp.log(xp.exp(log_p).sum(axis=1, keepdims=True))
    return -(target * log_p).sum() / len(s), (xp.exp(log_p) - target) / len(s)
