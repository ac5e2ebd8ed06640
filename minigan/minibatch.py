"""MinibatchDeviation: what D could not know from one image, that all images look alike.

A generator that draws the same image again and again ("mode collapse") fools a D that sees one
image at a time. So D is told by how much the images of a batch differ, in one more feature."""
from minigan.backend import array_module
from minigan.layer import Layer


class MinibatchDeviation(Layer):
    """y = [x, s],  s = mean over d of std[d],  std[d] = (mean over n of c[n, d]^2 + eps)^(1/2),
    c = x - mean over n of x;  ∂s/∂x[n, d] = c[n, d] / (N D std[d]).

    x (N, D), y (N, D + 1): s is the same for all n. It belongs in front of D's last Dense. As it
    mixes the examples of a batch, a penalty's g[n] is the gradient of the sum of all scores at
    x[n], as in StyleGAN2. Source: Karras et al. 2018, section 3."""

    def __init__(self, eps=1e-8):
        self.check_settings(locals())
        self.eps = float(eps)

    def mean(self, a):
        return a.mean(axis=0)  # over the batch

    def forward(self, x, train=True):
        self.check_input(x, "N", "D")
        c = x - self.mean(x)
        std = (self.mean(c * c) + self.eps) ** 0.5
        return self.append(x, std.mean()), (c, std)

    def append(self, x, s):
        xp = array_module(x)
        return xp.concatenate([x, xp.zeros_like(x[:, :1]) + s], axis=1)

    def input_grad(self, dy, cache):
        c, std = cache
        ds_by_N = self.mean(dy[:, -1:])  # ds sums over all n, and the N of ∂s/∂x divides
        return dy[:, :-1] + ds_by_N * c / (std.size * std)

    def tangent(self, x_dot, cache):
        c, std = cache
        return self.append(x_dot, (self.mean(x_dot * c) / std).mean()), x_dot

    def curvature(self, dy_dot, dx_dot, x_dot, cache):
        """∂s_dot/∂x of s_dot = sum of x_dot c / (N D std): x is in c, and in std."""
        c, std = cache
        ds_dot_by_N = self.mean(dy_dot[:, -1:])
        through_c = x_dot - self.mean(x_dot)
        through_std = c * self.mean(x_dot * c) / std ** 2
        return ds_dot_by_N * (through_c - through_std) / (std.size * std)
