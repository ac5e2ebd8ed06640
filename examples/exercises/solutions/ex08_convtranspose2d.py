"""Exercise 8: ConvTranspose2D, backward

A generator has to make images larger. ConvTranspose2D runs Conv2D's wiring the other way: each
pixel of x is spread over a K x K patch of y, and where patches overlap they are added. In the terms
of exercise 7, with x (N, P, Q, C), W (C, K, K, M), b (M,), y (N, H, W, M):

    rows = x W              (N P Q, K K M);  x as (N P Q, C), W as (C, K K M)
    y    = fold(rows) + b   H = S (P - 1) + K - 2 padding, W in the same way

Given is this forward pass. Derive

    dx (N, P, Q, C)         dW (C, K, K, M)         db (M,)

You know what the backward pass of `patches` is: fold. Then what is the backward pass of `fold`?
Once you have drows, the rest is exercise 1 again. At the end a question: which K doubles an image?

fold(rows, shape, K, S, padding) is the library's here, and so is minigan.patches(images, K, S,
padding), if you should need it: both do what those of exercise 7 do.

Done when `python examples/exercises/check.py 8` finds dx, dW, db and the answer right. Then
`python examples/exercises/play.py dcgan` draws digits with your convolutions.
"""
import numpy as np

import minigan
from minigan import Parameter


class ConvTranspose2D(minigan.Layer):

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, rng=None):
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.window = kernel_size, stride, padding  # K, S, padding
        std = stride * (kernel_size ** 2 * in_channels) ** -0.5
        self.W = Parameter.normal((in_channels, kernel_size, kernel_size, out_channels), std, rng)
        self.b = Parameter(np.zeros(out_channels, np.float32))

    def forward(self, x, train=True):
        K, S, padding = self.window
        N, P, Q, C = x.shape
        H, W = S * (P - 1) + K - 2 * padding, S * (Q - 1) + K - 2 * padding
        rows = x.reshape(N * P * Q, C) @ self.W.value.reshape(C, -1)
        return minigan.fold(rows, (N, H, W, self.out_channels), *self.window) + self.b.value, x

    def drows(self, dy):
        # gap drows: return drows (N P Q, K K M), from dy (N, H, W, M)
        return minigan.patches(dy, *self.window)
        # end

    def input_grad(self, dy, x):
        # gap dx: return dx (N, P, Q, C), from self.drows(dy) and W
        return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape(x.shape)
        # end

    def dW(self, dy, x):
        # gap dW: return dW (C, K, K, M), from x and self.drows(dy)
        return (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)
        # end

    def db(self, dy, x):
        # gap db: return db (M,); b is added at every pixel of every image
        return dy.sum(axis=(0, 1, 2))
        # end

    def add_param_grads(self, dy, x):
        self.W.grad += self.dW(dy, x)
        self.b.grad += self.db(dy, x)


def kernel_that_doubles():
    # gap ANSWER: 7 x 7 is to become 14 x 14, with S = 2 and padding = 1: return K
    return 4
    # end


# hint
# fold adds each element of rows into one pixel of y: so the gradient at that element is dy at that
# pixel. Picking them is what patches does. (The transpose of the transpose is the map itself.)
#
# The answer: put H = 14, P = 7, S = 2 and padding = 1 into the formula for H.
#
# Then rows = x W is Dense: dx = drows W^T and dW = x^T drows, with x as (N P Q, C) and W as
# (C, K K M), and at the end each in the shape of its array.


# mistakes
MISTAKES = {
    "drows": {
        "return minigan.fold(dy, dy.shape, *self.window)":
            "this is fold again: its backward pass is the map that picks, patches",
        "return dy.reshape(-1, self.W.value[0].size)":
            "a reshape cannot copy a pixel into several patches: patches does",
        "return dy.reshape(-1, self.out_channels)":
            "these are the pixels of y: each row is a patch of K x K of them, as patches lays it",
        """
        K, S, padding = self.window
        return minigan.patches(dy, K, 1, padding)
        """: "the stride is forgotten: the patches begin S apart, give it self.window",
        """
        K, S, padding = self.window
        return minigan.patches(dy, K, S, 0)
        """: "the padding is forgotten: give it self.window, which fold was given",
        """
        K, S, padding = self.window
        return minigan.patches(dy, K, S, K - 1 - padding)
        """: "K - 1 - padding: here patches takes the same window that fold was given",
        "return minigan.patches(dy[:, ::-1, ::-1], *self.window)":
            "dy is flipped: each element of rows gets dy at the pixel into which fold added it",
        "return minigan.patches(dy.swapaxes(1, 2), *self.window)":
            "height and width of dy are exchanged: patches takes dy as it is",
        "return minigan.patches(dy, *self.window)[:, ::-1]":
            "the patches are reversed: each element of rows gets dy at the pixel it was added to",
        "return minigan.patches(dy, *self.window) / self.kernel_size ** 2":
            "it is divided by K^2: each element of rows was added once, with the factor 1",
        "return minigan.patches(dy, *self.window) / len(dy)":
            "a mean over the batch: each image's drows are its own",
        "return minigan.patches(dy - self.b.value, *self.window)":
            "b has no place here: y moves with rows at the rate 1, whatever b is",
        "return minigan.patches(dy, *self.window) @ self.W.value.reshape(self.in_channels, -1).T":
            "this is dx already: W comes after drows, which are as wide as K K M",
        "return -minigan.patches(dy, *self.window)": "the sign is wrong: fold adds",
    },
    "dx": {
        "return (self.drows(dy) @ self.W.value.reshape(-1, self.in_channels)).reshape(x.shape)":
            "a reshape is no transpose: W as (C, K K M) first, then .T",
        "return (self.drows(dy) @ self.W.value.T.reshape(-1, self.in_channels)).reshape(x.shape)":
            "W.T turns all four axes around: reshape W to (C, K K M) first, then .T",
        "return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1)).reshape(x.shape)":
            "W has to be transposed: rows = x W, so dx = drows W^T, as in exercise 1",
        "return self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T":
            "it is right as a matrix (N P Q, C): reshape it to x's shape (N, P, Q, C)",
        "return (self.W.value.reshape(self.in_channels, -1) @ self.drows(dy).T).reshape(x.shape)":
            "this is (C, N P Q), put into x's shape: transpose it before, C is the last axis of x",
        """
        dx = minigan.fold(self.drows(dy), dy.shape, *self.window)
        return dx
        """: "fold makes images like y of rows: dx is drows W^T, without another fold",
        "return (self.drows(dy) @ self.W.value[:, ::-1, ::-1].reshape("
        "self.in_channels, -1).T).reshape(x.shape)":
            "the kernel is flipped: rows = x W uses W as it stands, so does dx",
        "return (self.drows(dy) @ self.W.value.swapaxes(1, 2).reshape("
        "self.in_channels, -1).T).reshape(x.shape)":
            "the kernel's height and width are exchanged: drows have W's own order (K, K, M)",
        "return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape(x.shape)"
        " / len(x)":
            "a mean over the batch: each image's dx is its own, and the loss has divided already",
        "return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape(x.shape)"
        " / self.kernel_size ** 2":
            "it is divided by K^2: a pixel's gradient is the sum over its patch, not a mean",
        "return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape(x.shape)"
        " + self.b.value.sum()":
            "b has no place here: it does not depend on x",
        "return -(self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape(x.shape)":
            "the sign is wrong: rows = x W holds no minus",
        "return (self.drows(dy) @ self.W.value.reshape(self.in_channels, -1).T).reshape("
        "x.shape[-1], *x.shape[:-1]).transpose(1, 2, 3, 0)":
            "the product has C last already: reshape to x's shape is all, no transpose",
        "return (dy.reshape(-1, self.out_channels) @ self.W.value.reshape("
        "-1, self.out_channels).T).reshape(x.shape)":
            "dy stands where drows belong: a pixel of x reaches a whole patch of y",
    },
    "dW": {
        "return (x.reshape(self.in_channels, -1) @ self.drows(dy)).reshape(self.W.value.shape)":
            "a reshape is no transpose: x as (N P Q, C) first, then .T",
        "return (x.T.reshape(self.in_channels, -1) @ self.drows(dy)).reshape(self.W.value.shape)":
            "x.T turns all four axes around: reshape x to (N P Q, C) first, then .T",
        "return (self.drows(dy).T @ x.reshape(-1, self.in_channels)).reshape(self.W.value.shape)":
            "it is the transpose, (K K M, C), in W's shape: x^T drows is (C, K K M)",
        "return x.reshape(-1, self.in_channels).T @ self.drows(dy)":
            "it is right as a matrix (C, K K M): reshape it to W's shape (C, K, K, M)",
        "return self.drows(dy).T @ x.reshape(-1, self.in_channels)":
            "it is the transpose, and still a matrix: x^T drows, in W's shape (C, K, K, M)",
        "return (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)"
        " / len(x)":
            "a mean over the batch, where a sum belongs: each image adds its own share",
        "return (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)"
        " / x[..., 0].size":
            "a mean over all N P Q places, where a sum belongs: W is used at each of them",
        """
        dW = (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)
        self.W.grad += dW
        return dW
        """: "it is added to W.grad here, and by add_param_grads once more: only return it",
        """
        dW = (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)
        return dW[:, ::-1, ::-1]
        """: "the kernel is flipped: rows = x W uses W as it stands, so that dW is not turned",
        """
        dW = (x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)
        return dW.swapaxes(1, 2)
        """: "the kernel's height and width are exchanged: drows have W's own order (K, K, M)",
        "return (x.reshape(-1, self.in_channels) @ self.drows(dy)).reshape(self.W.value.shape)":
            "x as (N P Q, C) has to be transposed: the sum is over the pixels of x, x^T drows",
        """
        drows = self.drows(dy)[:x[0, ..., 0].size]
        return (x[0].reshape(-1, self.in_channels).T @ drows).reshape(self.W.value.shape)
        """: "only the first image is in it: the sum is over all of them",
        """
        drows = self.drows(dy)[-x[0, ..., 0].size:]
        return (x[-1].reshape(-1, self.in_channels).T @ drows).reshape(self.W.value.shape)
        """: "only the last image is in it: the sum is over all of them",
        "return (minigan.patches(x, *self.window).T @ dy.reshape(-1, self.out_channels))":
            "this is Conv2D's dW: here x is not laid in patches, dy is (self.drows(dy))",
        "return (x.T @ self.drows(dy)).reshape(self.W.value.shape)":
            "x as (N P Q, C) has to be transposed: the sum is over the pixels of x, x^T drows",
        "return -(x.reshape(-1, self.in_channels).T @ self.drows(dy)).reshape(self.W.value.shape)":
            "the sign is wrong: rows = x W holds no minus",
    },
    "db": {
        "return dy[:, ::self.stride, ::self.stride].sum(axis=(0, 1, 2))":
            "only every S-th pixel is in it: b is added at all pixels of y",
        "return dy.mean(axis=(0, 1, 2))":
            "a mean over images and pixels, where a sum belongs: b is added at each of them",
        "return dy.sum(axis=(0, 1, 2)) / len(dy)":
            "a mean over the batch, where a sum belongs: each image adds its own share",
        "return dy.mean(axis=(1, 2)).sum(axis=0)":
            "a mean over the pixels, where a sum belongs: b is added at each of them",
        "return dy.sum(axis=0)":
            "only the batch is summed over: b is added at every pixel, so axes 1 and 2 go, too",
        "return dy.sum(axis=(1, 2))":
            "the images are not summed over: b is the same for all, so axis 0 goes, too",
        "return dy.sum()":
            "a sum over all, channels too: each has its own b, so the last axis stays",
        "return dy.sum(axis=(1, 2, 3))":
            "the last axis holds the channels, and stays: axes 0, 1 and 2 are summed over",
        "return dy.reshape(self.out_channels, -1).sum(axis=1)":
            "reshape(M, -1) mixes pixels and channels: M is last, so reshape(-1, M).sum(axis=0)",
        "return self.drows(dy).reshape(-1, self.out_channels).sum(axis=0)":
            "drows hold pixels of y several times: b is added once at each, after fold, so sum dy",
        "return dy[:, 1:-1, 1:-1].sum(axis=(0, 1, 2))":
            "the pixels at the edge are left out: b is added after fold, to all of y",
        "return dy[0].sum(axis=(0, 1))": "only the first image is in it: b is added in all of them",
        "return dy[-1].sum(axis=(0, 1))": "only the last image is in it: b is added in all of them",
        "return self.b.value * dy.sum(axis=(0, 1, 2))":
            "b has no place in it: ∂y/∂b is 1 at each pixel",
        "return -dy.sum(axis=(0, 1, 2))": "the sign is wrong: b is added",
    },
    "ANSWER": {
        "return 2": "2 (7 - 1) + 2 is 14, but the padding takes 1 off each side: H = 12",
        "return 3": "2 (7 - 1) + 3 - 2 is 13: other libraries add `output_padding` then",
        "return 5": "2 (7 - 1) + 5 - 2 is 15: one too many",
        "return 1": "2 (7 - 1) + 1 - 2 is 11: patches would leave gaps between them",
        "return 6": "2 (7 - 1) + 6 - 2 is 16: two too many",
        "return 16": "these are the K x K pixels of the patch: asked is K",
    },
}


# check
from quantities import (  # noqa: E402
    Quantity, answer, as_a_whole, differences, numbers, of_layer, redrawn)


def check(module):
    rng = np.random.default_rng(82)
    layer = redrawn(module.ConvTranspose2D(4, 2, 4, stride=2, padding=1), rng)
    x = numbers(rng, 3, 2, 3, 4)
    dy = numbers(rng, *layer.forward(x)[0].shape)
    rows = numbers(rng, *minigan.patches(dy, *layer.window).shape)
    yield Quantity("drows", lambda: layer.drows(dy), differences(
        lambda rows: (dy * minigan.fold(rows, dy.shape, *layer.window)).sum(), rows))
    layer.drows = lambda dy: minigan.patches(dy, *layer.window)
    yield from of_layer(layer, x, dy)
    del layer.drows
    yield from as_a_whole(layer, x)
    yield answer(module.kernel_that_doubles, 4)
