"""How good are generated images? Three numbers, and what each of them cannot tell.

All take NumPy arrays (`to_host` fetches them from a GPU) and compute in float64."""
import math

import numpy as np

from minigan.checks import check_array, check_settings


def _check_finite(name, x, *shape):
    check_array(name, "arrays", x, *shape)
    if not np.isfinite(x).all():  # NaN would pass for any distance, the best one among them
        raise ValueError(f"{name} takes finite numbers, got NaN or infinity among them")


def frechet_distance(features_a, features_b):
    """|mean_a - mean_b|^2 + trace(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)) -> float, from 0.

    features: (N, F), N > F, what a classifier's last hidden layer says of two sets of images. Two
    Gaussians with the means and covariances of the sets are this far apart. The scale is that of
    the classifier: compare no figures of different ones, or of different N. It cannot tell copies
    of the training set, nor which digits are malformed. Source: Heusel et al. 2017, eq. 6."""
    means, covs = [], []
    for features in (features_a, features_b):
        _check_finite("frechet_distance", features, "N", "F")
        if len(features) <= features.shape[1]:
            raise ValueError("frechet_distance takes features (N, F) with N > F, got "
                             f"{tuple(features.shape)}: use more images")
        means.append(features.mean(axis=0, dtype=np.float64))
        covs.append(np.atleast_2d(np.cov(features, rowvar=False, dtype=np.float64)))
    if len(means[0]) != len(means[1]):
        raise ValueError("frechet_distance takes features of one classifier, got "
                         f"{len(means[0])} and {len(means[1])} of an image")
    # The eigenvalues of cov_a cov_b are those of the symmetric matrix root_a cov_b root_a.
    values, vectors = np.linalg.eigh(covs[0])
    root_a = vectors * values.clip(0) ** 0.5 @ vectors.T
    root_trace = (np.linalg.eigvalsh(root_a @ covs[1] @ root_a).clip(0) ** 0.5).sum()
    distance = ((means[0] - means[1]) ** 2).sum() + np.trace(covs[0] + covs[1]) - 2 * root_trace
    return max(0.0, float(distance))  # rounding may leave -1e-12


def parzen_log_likelihood(samples, validation, test, sigmas=tuple(np.logspace(-1, 0, 10))):
    """log p of test images under Gaussians of width sigma around generated samples ->
    mean (nats per image), standard error of this mean, sigma.

        p(x) = mean over samples s of N(x; s, sigma^2 I)

    samples, validation, test: (N, ...), pixels in [0, 1]. sigma is the one of `sigmas` at which the
    mean over the validation images is highest. The protocol of Goodfellow et al. 2014, section 5:
    10,000 samples, all test images; they report 225 +- 2 on MNIST, and real training images in
    place of samples give 243. It cannot tell sharp images from blurred ones, and in 784 dimensions
    it is a poor estimate of the likelihood (Theis et al. 2016): for comparison with that paper."""
    for x in (samples, validation, test):
        _check_finite("parzen_log_likelihood", x, "N", ...)
        if x.shape[1:] != samples.shape[1:]:
            raise ValueError("parzen_log_likelihood takes images of one size, got "
                             f"{samples.shape[1:]} and {x.shape[1:]}")
    for sigma in sigmas:
        check_settings("parzen_log_likelihood", {"sigma": sigma})
    samples, validation, test = (
        x.reshape(len(x), -1).astype(np.float64) for x in (samples, validation, test))
    sigma = max(sigmas, key=lambda sigma: _parzen(validation, samples, sigma).mean())
    log_p = _parzen(test, samples, sigma)
    return float(log_p.mean()), float(log_p.std() / math.sqrt(len(log_p))), float(sigma)


def _parzen(x, samples, sigma):
    """log mean over samples of N(x; sample, sigma^2 I), for each row of x -> (N,)."""
    log_means = []
    squares = (samples * samples).sum(axis=1)
    for rows in np.split(x, range(500, len(x), 500)):  # some at a time
        distances = (rows * rows).sum(axis=1)[:, None] + squares - 2 * rows @ samples.T
        exponents = distances / (-2 * sigma * sigma)
        largest = exponents.max(axis=1)  # taken out, so that no exp underflows to 0 everywhere
        log_means.append(largest + np.log(np.exp(exponents - largest[:, None]).mean(axis=1)))
    return np.concatenate(log_means) - x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))


def count_modes(samples, centers, std):
    """For a mixture of Gaussians: how many modes receive samples, and the share of good samples.

    samples (N, D); centers (K, D) and std of the mixture's Gaussians. A sample is good if it lies
    within 3 std of a centre, and then counts for the nearest one -> (modes, share). It cannot tell
    how evenly the modes are hit. Source: Srivastava et al. 2017, section 4.1 (VEEGAN)."""
    check_array("count_modes", "samples", samples, "N", "D")
    check_array("count_modes", "centers", centers, "K", samples.shape[1])
    check_settings("count_modes", locals())
    distances = np.linalg.norm(samples[:, None] - centers, axis=2)
    good = distances.min(axis=1) <= 3 * std
    return len(set(distances.argmin(axis=1)[good].tolist())), float(good.mean())
