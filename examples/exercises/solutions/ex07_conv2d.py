"""Exercise 7: Conv2D, backward, by patches and fold

A convolution is Dense, applied to every patch of an image. Images are (N, H, W, C), channels last;
the K x K kernel moves in strides of S, over `padding` zeros on each side, and fits at P x Q places.
`patches` lays each patch into one row of a matrix, then W is a matrix as in exercise 1:

    rows = patches(x)                 (N P Q, K K C)
    y    = rows W + b                 (N P Q, M), or as images (N, P, Q, M);  W (K, K, C, M), b (M,)

Given is this forward pass. Derive

    drows, dW, db    as in exercise 1; only the reshapes between images and rows are new
    dx = fold(drows)

`fold` is the transpose of `patches`. patches copies each pixel of x into the rows, several times
where patches overlap; so the gradient at a pixel is the sum of drows over all its copies. Write
fold as patches read backwards: it has the same loops and slices, and it adds. At the end a
question: how many places are there?

Done when `python examples/exercises/check.py 7` finds fold, dx, dW, db and the answer right.
"""
import numpy as np

from minigan import Layer, Parameter


def patches(x, K, S, padding):
    N, H, W, C = x.shape
    P, Q = (H + 2 * padding - K) // S + 1, (W + 2 * padding - K) // S + 1
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), x.dtype)
    padded[:, padding:padding + H, padding:padding + W] = x
    rows = np.zeros((N, P, Q, K, K, C), x.dtype)
    for i in range(K):
        for j in range(K):  # pixel (i, j) of every patch at once: the patches begin S apart
            rows[:, :, :, i, j] = padded[:, i:i + S * P:S, j:j + S * Q:S]
    return rows.reshape(N * P * Q, K * K * C)


def fold(rows, shape, K, S, padding):
    N, H, W, C = shape
    P, Q = (H + 2 * padding - K) // S + 1, (W + 2 * padding - K) // S + 1
    rows = rows.reshape(N, P, Q, K, K, C)
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C), rows.dtype)
    # gap fold: add all of rows into padded, where patches took them from
    for i in range(K):
        for j in range(K):
            padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
    # end
    return padded[:, padding:padding + H, padding:padding + W]


class Conv2D(Layer):

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, rng=None):
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.window = kernel_size, stride, padding  # K, S, padding
        std = (kernel_size ** 2 * in_channels) ** -0.5
        self.W = Parameter.normal((kernel_size, kernel_size, in_channels, out_channels), std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        K, S, padding = self.window
        N, H, W, C = x.shape
        P, Q = (H + 2 * padding - K) // S + 1, (W + 2 * padding - K) // S + 1
        rows = patches(x, *self.window)
        y = rows @ self.W.value.reshape(K * K * C, self.out_channels) + self.b.value
        return y.reshape(N, P, Q, self.out_channels), (rows, x.shape)

    def input_grad(self, dy, cache):
        rows, x_shape = cache
        # gap dx: return dx (N, H, W, C): dy as rows (N P Q, M), then drows, then fold
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window)
        # end

    def dW(self, dy, cache):
        rows, x_shape = cache
        # gap dW: return dW (K, K, C, M), from rows and dy
        return (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        # end

    def db(self, dy, cache):
        # gap db: return db (M,); b is added at every place of every image
        return dy.sum(axis=(0, 1, 2))
        # end

    def add_param_grads(self, dy, cache):
        self.W.grad += self.dW(dy, cache)
        self.b.grad += self.db(dy, cache)


def places_in_a_row():
    # gap ANSWER: images are 28 wide, K = 4, S = 2, padding = 1: return how many places Q there are
    return 14
    # end


# hint
# In fold, take patches' line with the two slices, swap its sides, and write += for =: where patches
# overlap, a pixel gets a sum, and = would keep only the last term.
#
# The answer: with the padding the image is 30 wide; the last patch begins at 30 - K.
#
# With dy.reshape(-1, M) and W.reshape(-1, M), W now (K K C, M), the rest is exercise 1 with rows in
# place of x. A gradient has the shape of its array: reshape dW to that of self.W.value.


# mistakes
MISTAKES = {
    "fold": {
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] = rows[:, :, :, i, j]
        """: "= where += belongs: where patches overlap, only the last one to write is left",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + P, j:j + Q] += rows[:, :, :, i, j]
        """: "the stride S is missing: patches begin S apart, so patch (p, q) begins at (S p, S q)",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, j, i]
        """: "i and j are exchanged: i is the row in a patch, and moves along the height",
        """
        count = np.zeros_like(padded)
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
                count[:, i:i + S * P:S, j:j + S * Q:S] += 1
        padded /= np.maximum(count, 1)
        """: "overlaps are averaged: a pixel's gradient is the sum over its copies, not their mean",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j] / K ** 2
        """: "it is divided by K^2: a pixel's gradient is the sum over its copies, not a mean",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, K - 1 - i, K - 1 - j]
        """: "the kernel is flipped: fold puts (i, j) where patches took (i, j) from",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] -= rows[:, :, :, i, j]
        """: "-= where += belongs: the gradients of all copies are added",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
                break
        """: "only j = 0 is added: both loops run over all of the kernel",
        """
        for i in range(K):
            for j in range(K):
                pass
            padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
        """: "only the last j is added: the line belongs into the inner loop, further right",
        """
        for i in range(K - 1):
            for j in range(K - 1):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
        """: "the last row and column of the kernel are missing: range(K) ends at K - 1 by itself",
        """
        for i in range(K):
            padded[:, i:i + S * P:S, i:i + S * Q:S] += rows[:, :, :, i, i]
        """: "only the kernel's diagonal is added: i and j run independently, in two loops",
        """
        for i in range(S):
            for j in range(S):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
        """: "the loops run to the stride S: they run over the K x K pixels of a patch",
        """
        for p in range(P):
            for q in range(Q):
                padded[:, p:p + K, q:q + K] += rows[:, p, q]
        """: "the stride S is missing: patches begin S apart, so patch (p, q) begins at (S p, S q)",
        """
        for p in range(P):
            for q in range(Q):
                padded[:, S * p:S * p + K, S * q:S * q + K] = rows[:, p, q]
        """: "= where += belongs: where patches overlap, only the last one to write is left",
        """
        for i in range(K):
            for j in range(K):
                padded[:, S * i:S * i + P, S * j:S * j + Q] += rows[:, :, :, i, j]
        """: "S multiplies i: pixels of a patch are neighbours, it is the patches that lie S apart",
        """
        for i in range(K):
            for j in range(K):
                padded[0, i:i + S * P:S, j:j + S * Q:S] += rows[0, :, :, i, j]
        """: "only the first image is done: `:` in place of 0 does all of them",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
        return padded
        """: "it returns the padding, too: leave the last line of fold as it was, it cuts it off",
        """
        for i in range(K):
            for j in range(K):
                rows[:, :, :, i, j] = padded[:, i:i + S * P:S, j:j + S * Q:S]
        """: "this is patches' own line, which reads padded: swap its sides, and add",
        """
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
        for i in range(K):
            for j in range(K):
                padded[:, i:i + S * P:S, j:j + S * Q:S] += rows[:, :, :, i, j]
        """: "all is added twice",
        "pass": "nothing is added: padded stays 0",
    },
    "dx": {
        """
        dy = dy.reshape(-1, self.out_channels)
        return fold(dy @ self.W.value.reshape(self.out_channels, -1), x_shape, *self.window)
        """: "a reshape is no transpose, it keeps the order of W's numbers: reshape(-1, M).T",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.T.reshape(self.out_channels, -1)
        return fold(drows, x_shape, *self.window)
        """: "W.T turns all four axes around: reshape W to (K K C, M) first, then .T",
        """
        dy = dy.reshape(self.out_channels, -1).T
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window)
        """: "dy.reshape(M, -1).T mixes pixels and channels: M is last already, so reshape(-1, M)",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value[::-1, ::-1].reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window)
        """: "the kernel is flipped: with fold it is not, fold puts each number where it came from",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.swapaxes(0, 1).reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window)
        """: "the kernel's height and width are exchanged: W is (K, K, C, M) in the order of rows",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window) / len(x_shape)
        """: "it is divided by len(x_shape), which is 4: no mean is taken here",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window) / x_shape[0]
        """: "a mean over the batch: each image's dx is its own, and the loss has divided already",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, *self.window) / self.kernel_size ** 2
        """: "it is divided by K^2: a pixel's gradient is the sum over its copies, not a mean",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, self.kernel_size, self.stride, 0)
        """: "fold has to know the padding: give it self.window, as patches had it",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return fold(drows, x_shape, self.kernel_size, 1, self.padding)
        """: "fold has to know the stride: give it self.window, as patches had it",
        """
        dy = dy.reshape(-1, self.out_channels)
        return dy @ self.W.value.reshape(-1, self.out_channels).T
        """: "these are drows, the gradient of the patches: fold makes images of them",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return drows.reshape(x_shape)
        """: "rows hold each pixel several times: fold adds these up, a reshape cannot",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels)
        return fold(drows, x_shape, *self.window)
        """: "W has to be transposed: drows = dy W^T, as in exercise 1",
        "return fold(dy @ self.W.value.T, x_shape, *self.window)":
            "dy and W have four axes here: make them matrices first, by reshape(-1, M)",
        "return fold(rows, x_shape, *self.window)":
            "these are the rows of x: drows belong there, the product of dy and W^T",
        """
        dy = dy.reshape(-1, self.out_channels)
        drows = dy @ self.W.value.reshape(-1, self.out_channels).T
        return -fold(drows, x_shape, *self.window)
        """: "the sign is wrong: y = rows W + b holds no minus",
    },
    "dW": {
        "return (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape) / len(dy)":
            "a mean over the batch, where a sum belongs: each image adds its own share",
        "return (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)"
        " / len(rows)":
            "a mean over all N P Q places, where a sum belongs: W is used at each of them",
        "return (dy.reshape(-1, self.out_channels).T @ rows).reshape(self.W.value.shape)":
            "it is the transpose, (M, K K C), in W's shape: rows^T dy is (K K C, M)",
        "return (rows.T @ dy.reshape(self.out_channels, -1).T).reshape(self.W.value.shape)":
            "dy.reshape(M, -1).T mixes pixels and channels: M is last already, so reshape(-1, M)",
        "return rows.T @ dy.reshape(-1, self.out_channels)":
            "it is right as a matrix (K K C, M): reshape it to W's shape (K, K, C, M)",
        "return dy.reshape(-1, self.out_channels).T @ rows":
            "it is the transpose, and still a matrix: rows^T dy, in W's shape (K, K, C, M)",
        """
        dW = (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        self.W.grad += dW
        return dW
        """: "it is added to W.grad here, and by add_param_grads once more: only return it",
        """
        dW = rows.T @ dy.reshape(-1, self.out_channels)
        C, K, M = self.in_channels, self.kernel_size, self.out_channels
        return dW.reshape(C, K, K, M).transpose(1, 2, 0, 3)
        """: "the order of rows is (K, K, C), C is last: reshape to W's shape is all, no transpose",
        """
        dW = (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        return dW[::-1, ::-1]
        """: "the kernel is flipped: W multiplies rows as it stands, so that dW is not turned",
        """
        dW = (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        return dW.swapaxes(0, 1)
        """: "the kernel's height and width are exchanged: the order of rows is (i, j, c) already",
        "return rows.T @ dy":
            "dy has four axes here: make it a matrix first, by reshape(-1, M)",
        "return (rows @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)":
            "rows have to be transposed: the sum is over the N P Q places, rows^T dy",
        """
        n = len(rows) // len(dy)
        return (rows[:n].T @ dy[0].reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        """: "only the first image is in it: the sum is over all N P Q places",
        """
        n = len(rows) // len(dy)
        return (rows[-n:].T @ dy[-1].reshape(-1, self.out_channels)).reshape(self.W.value.shape)
        """: "only the last image is in it: the sum is over all N P Q places",
        "return (rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)"
        " * self.W.value":
            "W has no place in it: ∂(rows W)/∂W is rows",
        "return -(rows.T @ dy.reshape(-1, self.out_channels)).reshape(self.W.value.shape)":
            "the sign is wrong: y = rows W + b holds no minus",
    },
    "db": {
        "return dy[:, ::self.stride, ::self.stride].sum(axis=(0, 1, 2))":
            "only every S-th place is in it: dy has one number for each place, all of them count",
        "return dy.mean(axis=(0, 1, 2))":
            "a mean over images and places, where a sum belongs: b is added at each of them",
        "return dy.sum(axis=(0, 1, 2)) / len(dy)":
            "a mean over the batch, where a sum belongs: each image adds its own share",
        "return dy.mean(axis=(1, 2)).sum(axis=0)":
            "a mean over the places, where a sum belongs: b is added at each of them",
        "return dy.sum(axis=0)":
            "only the batch is summed over: b is added at every place, so axes 1 and 2 go, too",
        "return dy.sum(axis=(1, 2))":
            "the images are not summed over: b is the same for all, so axis 0 goes, too",
        "return dy.sum()":
            "a sum over all, channels too: each has its own b, so the last axis stays",
        "return dy.sum(axis=(1, 2, 3))":
            "the last axis holds the channels, and stays: axes 0, 1 and 2 are summed over",
        "return dy.sum(axis=(0, 1))":
            "axis 2, the width, is not summed over: b is added at every place",
        "return dy.reshape(self.out_channels, -1).sum(axis=1)":
            "reshape(M, -1) mixes pixels and channels: M is last, so reshape(-1, M).sum(axis=0)",
        "return dy[:, 1:-1, 1:-1].sum(axis=(0, 1, 2))":
            "the places at the edge are left out: b is added there, too",
        "return dy[0].sum(axis=(0, 1))": "only the first image is in it: b is added in all of them",
        "return dy[-1].sum(axis=(0, 1))": "only the last image is in it: b is added in all of them",
        "return dy.sum(axis=(0, 1, 2)) * self.kernel_size ** 2":
            "K^2 is too much: b is added once at each place, whatever the kernel's size",
        "return self.b.value * dy.sum(axis=(0, 1, 2))":
            "b has no place in it: ∂y/∂b is 1 at each place",
        "return -dy.sum(axis=(0, 1, 2))": "the sign is wrong: b is added",
        """
        db = dy.sum(axis=(0, 1, 2))
        self.b.grad += db
        return db
        """: "it is added to b.grad here, and by add_param_grads once more: only return it",
    },
    "ANSWER": {
        "return 13":
            "padding is on both sides, and the first place counts, too: one place is missing",
        "return 27": "patches begin S apart: the stride is forgotten",
        "return 26":
            "so far does the last patch begin: places lie S apart, and the first counts, too",
        "return 15": "a patch is K wide and has to fit: the last one begins at 30 - K",
        "return 14 * 14": "these are all places of an image: how many lie in one row?",
        "return 12": "the padding makes the image wider, by 1 on each side: it is 30 wide",
        "return 28": "as many as pixels there would be with S = 1: places lie S apart",
    },
}


# check
from quantities import (  # noqa: E402
    Quantity, answer, as_a_whole, differences, numbers, of_layer, redrawn)

import minigan  # noqa: E402


def check(module):
    rng = np.random.default_rng(74)
    x = numbers(rng, 2, 9, 6, 2)
    for name, window in [("fold", (3, 1, 1)), ("fold, S = 2", (4, 2, 0))]:  # skips x's last row
        rows = numbers(rng, *module.patches(x, *window).shape)
        yield Quantity(name, lambda: module.fold(rows, x.shape, *window), differences(
            lambda x: (rows * module.patches(x, *window)).sum(), x))
    module.fold = minigan.fold
    layer = redrawn(module.Conv2D(2, 5, 3, stride=2, padding=1), rng)
    yield from of_layer(layer, x, numbers(rng, *layer.forward(x)[0].shape))
    yield from as_a_whole(layer, x)
    yield answer(module.places_in_a_row, 14)
