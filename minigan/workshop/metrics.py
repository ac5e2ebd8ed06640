"""How good are generated images? Four numbers, and what each of them cannot tell.

All take NumPy arrays (`to_host` fetches them from a GPU) and compute in float64."""
import math

import numpy as np


def frechet_distance(features_a, features_b):
    """|mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)) -> float, from 0.

    features: (N, F), N > F, what a classifier's last hidden layer says of two sets of images. It is
    the distance between two Gaussians with the means and covariances of the two sets. The scale is
    the classifier's own: figures of different classifiers, or of different N, cannot be compared.
    It cannot tell whether images are copies of the training set, nor which digits are malformed.
    Source: Heusel et al. 2017, eq. 6."""
    (mean_a, cov_a), (mean_b, cov_b) = (_mean_and_covariance(f) for f in (features_a, features_b))
    # The eigenvalues of cov_a cov_b are those of the symmetric matrix root_a cov_b root_a.
    values, vectors = np.linalg.eigh(cov_a)
    root_a = vectors * values.clip(0) ** 0.5 @ vectors.T
    root_trace = (np.linalg.eigvalsh(root_a @ cov_b @ root_a).clip(0) ** 0.5).sum()
    distance = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b) - 2 * root_trace
    return max(0.0, float(distance))  # rounding may leave -1e-12


def _mean_and_covariance(features):
    if features.ndim != 2 or len(features) <= features.shape[1]:
        raise ValueError("frechet_distance takes features (N, F) with N > F, got "
                         f"{tuple(features.shape)}: use more images")
    features = features.astype(np.float64)
    return features.mean(axis=0), np.cov(features, rowvar=False).reshape(2 * features.shape[1:])


def class_histogram(labels, classes=10):
    """The share of each class among labels (N,), integers in [0, classes) -> (classes,), and its
    entropy -sum p log p, between 0 (one class only) and log(classes) (all alike).

    Labels are a classifier's opinion, so it cannot tell whether the images look like their class;
    within a class all images may be the same one."""
    shares = np.bincount(labels, minlength=classes) / len(labels)
    if len(shares) > classes:
        raise ValueError(f"class_histogram takes labels below {classes}, got {max(labels)}")
    some = shares[shares > 0]
    return shares, abs(float((some * np.log(some)).sum()))


def parzen_log_likelihood(samples, validation, test, sigmas=tuple(np.logspace(-1, 0, 10))):
    """log p of test images under Gaussians of width sigma around generated samples ->
    mean (nats per image), standard error of this mean, sigma.

        p(x) = mean over samples s of N(x; s, sigma^2 I)

    samples, validation, test: (N, ...), pixels in [0, 1]. sigma is the one of `sigmas` at which the
    mean over the validation images is highest. The protocol of Goodfellow et al. 2014, section 5:
    10,000 samples, all test images; they report 225 +- 2 on MNIST, and real training images in
    place of samples give 243. It cannot tell sharp images from blurred ones, and in 784 dimensions
    it is a poor estimate of the likelihood (Theis et al. 2016): for comparison with that paper."""
    sigmas, samples = [float(sigma) for sigma in sigmas], _rows(samples)
    sigma = sigmas[_parzen(_rows(validation), samples, sigmas).mean(axis=1).argmax()]
    log_p, = _parzen(_rows(test), samples, [sigma])
    return float(log_p.mean()), float(log_p.std() / math.sqrt(len(log_p))), sigma


def _rows(images):
    return images.reshape(len(images), -1).astype(np.float64)


def _parzen(x, samples, sigmas):
    """log mean over samples of N(x; sample, sigma^2 I), for each sigma and row of x -> (S, N)."""
    log_p = np.empty((len(sigmas), len(x)))
    squares = (samples * samples).sum(axis=1)
    for part in (slice(i, i + 500) for i in range(0, len(x), 500)):  # some at a time
        rows = x[part]
        distances = (rows * rows).sum(axis=1)[:, None] + squares - 2 * rows @ samples.T
        for log_p_sigma, sigma in zip(log_p, sigmas):
            exponents = distances / (-2 * sigma * sigma)
            largest = exponents.max(axis=1)  # taken out, so that no exp underflows to 0 everywhere
            log_p_sigma[part] = (largest
                                 + np.log(np.exp(exponents - largest[:, None]).mean(axis=1))
                                 - x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi)))
    return log_p


def count_modes(samples, centers, std):
    """For a mixture of Gaussians: how many modes receive samples, and the share of good samples.

    samples (N, D); centers (K, D) and std of the mixture's Gaussians. A sample is good if it lies
    within 3 std of a centre, and then counts for the nearest one -> (modes, share). It cannot tell
    how evenly the modes are hit. Source: Srivastava et al. 2017, section 4.1 (VEEGAN)."""
    distances = np.linalg.norm(samples[:, None] - centers, axis=2)
    good = distances.min(axis=1) <= 3 * std
    return len(set(distances.argmin(axis=1)[good].tolist())), float(good.mean())
