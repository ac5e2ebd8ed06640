"""Losses against a target, for classifiers and autoencoders.

A logit is a score before the sigmoid, or the softmax, makes a probability of it."""
from minigan.backend import array_module
from minigan.checks import check_array
from minigan.losses import sigmoid, softplus


def _check_same_shape(name, y, target):
    check_array(name, "y", y, ...)
    if getattr(target, "shape", None) != y.shape:  # (N,) - (N, 1) would broadcast to (N, N)
        raise ValueError(f"{name} takes target of shape {tuple(y.shape)} as y, got {target!r:.60}")


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
    if not (abs(target - 0.5) <= 0.5).all():
        raise ValueError("binary_cross_entropy_with_logits takes targets from 0 to 1, got others")
    target = target.astype(s.dtype)
    return (softplus(s) - target * s).mean(), (sigmoid(s) - target) / s.size


def cross_entropy_with_logits(s, labels):
    """-mean over n of log p[n, labels[n]],  p = softmax(s) -> value, ds.  s (N, K), labels (N,)
    integers in [0, K), on the same backend."""
    check_array("cross_entropy_with_logits", "s", s, "N", "K")
    if (getattr(labels, "shape", None) != s.shape[:1] or labels.dtype.kind not in "iu"
            or not (labels >= 0).all() or not (labels < s.shape[1]).all()):
        raise ValueError(f"cross_entropy_with_logits takes integers from 0 to {s.shape[1] - 1} as "
                         f"labels, of shape ({len(s)},), got {labels!r}")
    xp = array_module(s)
    target = (labels[:, None] == xp.arange(s.shape[1])).astype(s.dtype)
    log_p = s - s.max(axis=1, keepdims=True)  # so that no exp overflows
    log_p = log_p - xp.log(xp.exp(log_p).sum(axis=1, keepdims=True))
    return -(target * log_p).sum() / len(s), (xp.exp(log_p) - target) / len(s)
