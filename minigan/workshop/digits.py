"""Handwritten digits, drawn by a program: a data set that is always at hand.

A digit is a few curves. Each image takes one way of writing its digit, shakes, bends and slants it,
fits it into a box of 20 x 20 pixels and inks it with a soft pen. The result has MNIST's form: white
on black, 28 x 28, centre of mass in the middle. A small convolutional network that learned from
MNIST reads 97 % of these digits; one that learned from these alone reads 95 % of MNIST."""
import math
from pathlib import Path

import numpy as np

CHUNK = 250  # images drawn at once, which bounds the memory
SPOTS = 12  # of ink on each piece of a curve: near enough to run together
WAYS = {digit: [] for digit in range(10)}  # each a list of strokes, which are lists of (x, y)
for line in Path(__file__).with_name("strokes.txt").read_text("ascii").splitlines():
    if line[:1].isdigit():
        digit, _, way = line.partition(":")
        WAYS[int(digit)].append([[tuple(map(int, point.split(","))) for point in stroke.split()]
                                 for stroke in way.split("/")])


def draw_digits(count, rng, labels=None):
    """Draw digits that look handwritten, as many as you like, in MNIST's form.

    count: int >= 0.  rng: numpy.random.Generator; from the same state it draws the same digits.
    labels: `count` integers 0..9, or None to draw them too, uniformly.
    Returns images, uint8 (count, 28, 28), 0 for paper to 255 for ink, and labels, uint8 (count,).
    Raises ValueError if count, rng or labels is anything else."""
    if not isinstance(count, (int, np.integer)) or count < 0:
        raise ValueError(f"count must be an integer >= 0, got {count!r}: pass the number of digits")
    if not isinstance(rng, np.random.Generator):
        raise ValueError("rng must be a numpy Generator, "
                         f"got {type(rng).__name__}: pass numpy.random.default_rng(0)")
    labels = rng.integers(10, size=count) if labels is None else np.asarray(labels)
    if labels.shape != (count,):
        raise ValueError(f"labels must have shape ({count},), got {labels.shape}: one per digit")
    wrong = labels[~np.isin(labels, range(10))].tolist()
    if wrong:
        raise ValueError(f"labels must be integers 0..9, got {wrong[0]!r}: each is a digit to draw")
    labels = labels.astype(np.uint8)

    taste = rng.random(count) ** 2  # the square prefers small numbers: the ways listed first
    images = np.zeros((count, 28, 28), np.uint8)
    for digit, ways in WAYS.items():
        for k, strokes in enumerate(ways):
            chosen = np.flatnonzero((labels == digit) & ((taste * len(ways)).astype(int) == k))
            for start in range(0, len(chosen), CHUNK):
                chunk = chosen[start:start + CHUNK]
                points = _points_by_hand(strokes, len(chunk), rng)
                images[chunk] = _ink(*_spots_on_curves(strokes, points), rng)
    return images, labels


def _normal(rng, std, *shape):
    return std * rng.standard_normal(shape, np.float32)


def _points_by_hand(strokes, n, rng):
    """The points of the strokes in n hands, (3, n, P): x and y, about -1..1, and the pressure."""
    x, y = np.float32((np.concatenate(strokes) - [7, 10]) / 10).T
    waves = np.stack([x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y])
    bend = _normal(rng, 0.125, 2, n, 7) @ waves
    shake = _normal(rng, 0.08, 2, n, len(x))
    x, y = np.stack([x, y])[:, None] + bend + shake
    x *= np.exp(0.05 + _normal(rng, 0.2, n, 1))
    slant = 0.15 + _normal(rng, 0.25, n, 1)  # of the uprights; most people's lean to the right
    tilt = _normal(rng, 0.1, n, 1)  # of the base line
    pressure = 3 * np.exp(_normal(rng, 0.45, n, 1) + _normal(rng, 0.25, *x.shape))
    return np.stack([x - slant * y, y - tilt * x, pressure])


def _spots_on_curves(strokes, points):
    """Spots on the curves, (3, n, S): x, y, pressure; and the length of curve of each, (n, S)."""
    pieces, first = [], 0
    for stroke in strokes:
        last = first + len(stroke) - 1
        row = [first, *range(first, last + 1), last]  # an end counts twice, so the curve reaches it
        pieces += zip(row, row[1:], row[2:])
        first = last + 1
    a, b, c = (points[:, :, k, None] for k in np.transpose(pieces))  # these three pull the piece
    t = (np.arange(SPOTS, dtype=np.float32) + 0.5) / SPOTS
    spots = ((1 - t) ** 2 * a + (1 + 2 * t * (1 - t)) * b + t**2 * c) / 2
    speed = np.hypot(*((1 - t) * (b - a) + t * (c - b))[:2])  # times its share of t, a length
    n = points.shape[1]
    return spots.reshape(3, n, -1), speed.reshape(n, -1) / SPOTS


def _ink(spots, lengths, rng):
    """Images, uint8 (n, 28, 28), of spots (3, n, S) that ink their lengths (n, S) of curve."""
    xy, pressure = spots[:2], spots[2]
    n = len(pressure)
    pen = 0.63 * np.exp(_normal(rng, 0.2, n, 1))  # a spot is a Gaussian of this width, in pixels
    box = 20 - 4 * pen - abs(_normal(rng, 0.5, n, 1))
    scale = box / np.ptp(xy, axis=2).max(axis=0)[:, None]
    ink = pressure * lengths
    centre = (ink * xy).sum(axis=2, keepdims=True) / ink.sum(axis=1, keepdims=True)
    xy = 14 + scale * (xy - centre) + _normal(rng, 0.25, 2, n, 1)  # MNIST's too is 14

    # A Gaussian is a column times a row, so all the spots together are one product of matrices.
    # Scaled like this, pressure is the ink in the middle of a straight line; 1 and more is white.
    pixels = np.arange(28, dtype=np.float32)
    across, down = np.exp(-0.5 * ((xy[..., None] - pixels) / pen[..., None]) ** 2)
    ink *= scale / (math.sqrt(2 * math.pi) * pen)
    images = (down * ink[..., None]).swapaxes(1, 2) @ across
    return (255 * np.minimum(images, 1)).astype(np.uint8)
