"""One judge for all figures: a classifier that has learned to read MNIST looks at digits."""
import sys

import numpy as np

from minigan.activations import LeakyReLU
from minigan.conv import Conv2D
from minigan.dense import Dense
from minigan.layer import Sequential
from minigan.norm import BatchNorm
from minigan.optimizers import Adam
from minigan.shape import Flatten
from minigan.targets import cross_entropy_with_logits
from minigan.workshop.checkpoint import check_state, load, save
from minigan.workshop.data import cache_folder, to_float
from minigan.workshop.metrics import frechet_distance, parzen_log_likelihood

FEATURES = 64


def build_classifier(rng):
    """Images (N, 28, 28, 1) in [-1, 1] -> features (N, FEATURES) -> logits (N, 10): 2 networks."""
    features = Sequential(
        Conv2D(1, 16, 4, stride=2, padding=1, rng=rng), BatchNorm(16), LeakyReLU(),   # 14 x 14
        Conv2D(16, 32, 4, stride=2, padding=1, rng=rng), BatchNorm(32), LeakyReLU(),  # 7 x 7
        Flatten(), Dense(7 * 7 * 32, FEATURES, rng), BatchNorm(FEATURES), LeakyReLU())
    return features, Dense(FEATURES, 10, rng, std=0.01)


def train_classifier(images, labels, epochs=4, batch_size=100, seed=0):
    """The two networks, trained to name the digits."""
    rng = np.random.default_rng(seed)
    features, logits = build_classifier(rng)
    adam = Adam(features.parameters() + logits.parameters(), lr=2e-3, beta1=0.9)
    for epoch in range(epochs):
        print(f"training the classifier, epoch {epoch + 1} of {epochs}", file=sys.stderr)
        adam.lr = 2e-3 * (1 - epoch / epochs)
        for some in np.split(rng.permutation(len(images)), len(images) // batch_size):
            h, cache = features.forward(to_float(images[some]))
            s, h = logits.forward(h)
            _, ds = cross_entropy_with_logits(s, labels[some])
            features.zero_grad()
            logits.zero_grad()
            features.add_param_grads(logits.backward(ds, h), cache)
            adam.step()
    return features, logits


class Judge:
    """What generated images are compared with: a classifier, and the images that it learned from.

    train, test: pairs of images, uint8 (N, 28, 28), and labels; x_train and x_test are these images
    in [0, 1]. cached: they are MNIST's, whose classifier is kept in the cache directory."""

    def __init__(self, train, test, cached=False):
        self.path = cache_folder() / "classifier.npz" if cached else None
        if cached and self.path.exists():
            self.networks, saved = build_classifier(np.random.default_rng(0)), load(self.path)
            for network, name in zip(self.networks, ("features", "logits")):
                check_state(saved.get(name), network.state_dict(), f"{self.path}: {name}")
                network.load_state_dict(saved[name])
        else:
            self.networks = train_classifier(*train)
            if cached:
                save(self.path, {"features": self.networks[0].state_dict(),
                                 "logits": self.networks[1].state_dict()})
        self.x_train, self.x_test = (images / np.float32(255) for images, _ in (train, test))
        self.features_test, p = self.look(self.x_test)
        self.accuracy = np.mean(p.argmax(axis=1) == test[1])

    def look(self, images, networks=None):
        """The features (N, 64) of images (N, 28, 28) in [0, 1], and the probabilities (N, 10):
        what the classifier sees, or other networks that train_classifier has made."""
        features, logits = networks or self.networks
        x = np.asarray(images, np.float32)[..., None] * 2 - 1
        h = np.concatenate([features(x[i:i + 500]) for i in range(0, len(x), 500)])
        p = np.exp(logits(h), dtype=np.float64)
        return h, p / p.sum(axis=1, keepdims=True)

    def numbers(self, images):
        """A row of the table, by the names of ROW, and the probabilities."""
        features, p = self.look(images)
        shares = class_shares(p)
        some = shares[shares > 0]
        parzen, error, _ = parzen_log_likelihood(images, self.x_train[-1000:], self.x_test)
        return {"distance": frechet_distance(features, self.features_test),
                "entropy": abs(float((some * np.log(some)).sum())),
                "least": 100 * float(shares.min()), "most": 100 * float(shares.max()),
                "sure": 100 * float((p.max(axis=1) >= 0.9).mean()),
                "parzen": parzen, "error": error}, p


def class_shares(p):
    """The share of each digit, (10,), among images of which the classifier says p (N, 10)."""
    return np.bincount(p.argmax(axis=1), minlength=10) / len(p)
