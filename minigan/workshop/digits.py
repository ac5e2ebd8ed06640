"""Handwritten digits, drawn by a program: a data set that is always at hand.

A digit is a few curves. Each image takes one way of writing its digit, shakes, bends and slants it,
fits it into a box of 20 x 20 pixels and inks it with a soft pen. The result has MNIST's form: white
on black, 28 x 28, centre of mass in the middle. A small convolutional network that learned from
MNIST reads 97 % of these digits; one that learned from these alone reads 95 % of MNIST."""
import math

import numpy as np

# The ways to write each digit, the commonest first. A way is a list of strokes, a stroke the list
# of points (x, y) that pull its curve along, x to the right and y down, in a box about 14 wide and
# 20 high. The curve starts at the first point, ends at the last and rounds off those between them
# (a quadratic B-spline); a point written twice is a corner.
WAYS = {
    0: [[[(10, 0), (5, 0), (0, 6), (0, 14), (5, 20), (11, 20), (16, 14), (16, 6), (11, 0), (7, 0)]],
        [[(5, 3), (0, 6), (0, 15), (4, 21), (12, 20), (16, 13), (15, 4), (10, -1), (4, 1), (4, 4)]],
        [[(13, 3), (6, -1), (-1, 12), (4, 21), (13, 20), (17, 9), (13, 0), (7, 0), (3, 3)]]],
    1: [[[(8, 0), (7, 10), (6, 20)]],
        [[(8, 0), (7, 6), (7, 14), (6, 20)]],
        [[(6, 4), (9, 0), (9, 0), (8, 10), (7, 20)]],
        [[(4, 4), (8, 0), (8, 0), (8, 10), (8, 20)], [(3, 20), (8, 20), (13, 20)]]],
    2: [[[(1, 5), (3, 0), (12, -2), (16, 5), (10, 12), (1, 20), (1, 20), (9, 19), (17, 19)]],
        [[(1, 4), (5, 0), (13, -1), (14, 7), (10, 14), (3, 20), (-1, 19), (1, 15), (6, 16),
          (11, 20), (17, 18)]],
        [[(1, 5), (3, -1), (13, -1), (15, 8), (9, 20), (1, 22), (-2, 16), (4, 12), (10, 16),
          (16, 20)]],
        [[(1, 2), (9, 0), (16, 0), (12, 7), (1, 19), (1, 19), (7, 17), (11, 20), (17, 18)]]],
    3: [[[(1, 3), (4, -1), (12, -1), (13, 7), (5, 9), (5, 9), (14, 9), (15, 17), (8, 21), (0, 18)]],
        [[(1, 3), (4, -1), (13, -1), (12, 8), (4, 9), (14, 10), (14, 19), (6, 21), (0, 17)]],
        [[(1, 3), (4, -1), (12, -1), (12, 6), (7, 11), (4, 10), (6, 7), (13, 10), (14, 18), (8, 21),
          (0, 17)]],
        [[(1, 1), (13, 0), (13, 0), (6, 8), (6, 8), (15, 9), (14, 19), (6, 21), (0, 18)]]],
    4: [[[(3, 0), (1, 11), (1, 11), (7, 11), (14, 10)], [(11, 0), (10, 10), (9, 20)]],
        [[(2, 1), (0, 10), (5, 13), (12, 9)], [(13, 0), (11, 10), (9, 20)]],
        [[(5, 0), (0, 12), (0, 12), (8, 12), (15, 10)], [(10, 5), (9, 12), (7, 20)]],
        [[(14, 13), (0, 13), (0, 13), (10, 0), (10, 0), (10, 20)]]],
    5: [[[(15, 0), (5, 1), (5, 1), (3, 8), (3, 8), (12, 7), (15, 13), (11, 20), (4, 20), (0, 17)]],
        [[(15, 0), (7, 0), (2, 4), (7, 9), (14, 11), (12, 20), (4, 21), (0, 17)]],
        [[(4, 4), (3, 10), (3, 10), (10, 8), (11, 15), (6, 20), (0, 18)],
         [(4, 4), (10, 2), (17, 1)]],
        [[(14, 0), (3, 0), (3, 0), (2, 9), (2, 9), (13, 6), (16, 13), (12, 20), (4, 21), (0, 16)]]],
    6: [[[(9, 0), (3, 6), (0, 14), (2, 20), (9, 21), (13, 16), (9, 11), (3, 13), (0, 17)]],
        [[(6, 0), (3, 7), (0, 15), (2, 19), (7, 21), (12, 17), (9, 12), (4, 13), (1, 18)]],
        [[(4, 0), (0, 8), (-1, 18), (5, 21), (14, 20), (14, 11), (8, 9), (5, 14), (7, 20)]],
        [[(11, 1), (7, -1), (2, 4), (0, 13), (3, 20), (10, 21), (13, 16), (10, 11), (4, 12),
          (0, 16)]]],
    7: [[[(0, 2), (7, 1), (13, 0), (13, 0), (11, 9), (8, 20)]],
        [[(0, 8), (1, 1), (1, 1), (7, 2), (14, 1), (14, 1), (11, 10), (9, 20)]],
        [[(0, 3), (5, 0), (13, -1), (14, 5), (9, 13), (9, 20)]],
        [[(0, 2), (7, 1), (13, 0), (13, 0), (10, 9), (7, 20)], [(4, 11), (9, 10), (14, 10)]]],
    8: [[[(12, 3), (8, -1), (1, 1), (2, 7), (11, 11), (12, 19), (6, 21), (1, 18), (3, 12), (11, 8),
          (13, 3), (11, 0)]],
        [[(14, 1), (8, 0), (1, 1), (3, 8), (11, 13), (10, 20), (4, 21), (1, 15), (8, 9), (14, 2)]],
        [[(14, 3), (7, -1), (-1, 2), (2, 8), (9, 12), (10, 17), (7, 21), (3, 19), (5, 14), (13, 6),
          (11, 0)]],
        [[(8, 0), (2, 0), (2, 7), (7, 10), (12, 7), (12, 0), (6, 0)],
         [(7, 9), (1, 12), (1, 20), (7, 20), (13, 20), (12, 11), (6, 9)]]],
    9: [[[(12, 3), (8, -1), (1, 2), (1, 9), (7, 10), (12, 4), (12, 2), (11, 10), (9, 20)]],
        [[(12, 3), (8, -1), (1, 2), (1, 9), (7, 10), (12, 4), (13, 3), (13, 15), (9, 20), (4, 20)]],
        [[(12, 1), (4, -1), (0, 5), (3, 9), (12, 6), (12, 1), (12, 1), (11, 10), (11, 20)]],
        [[(9, 3), (5, -1), (0, 3), (2, 8), (8, 6), (11, 0), (9, 9), (6, 20)]]],
}
CHUNK = 250  # images drawn at once, which bounds the memory
SPOTS = 12  # of ink on each piece of a curve: near enough to run together


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
    known = np.isin(labels, range(10))
    if not known.all():
        wrong = labels[~known].tolist()[0]
        raise ValueError(f"labels must be integers 0..9, got {wrong!r}: each is a digit to draw")
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
