"""Plain loops for one tensor, from the texts of the papers, for rules that no library has.

A loop hands out the point of the next gradient and takes that gradient: `g = yield theta`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import count
from math import sqrt
from typing import Any

import numpy as np

Array = Any
Loop = Generator[Array, Array, None]


def momentum_averaged(rate: float, alpha: float) -> Callable[[Array], Loop]:
    """Lecture 12: m_t := alpha m_{t-1} + (1 - alpha) dL/dw."""

    def loop(w: Array) -> Loop:
        m = 0 * w
        while True:
            m = alpha * m + (1 - alpha) * (yield w)
            w = w - rate * m

    return loop


def sgdw(eta: float, gamma: float, decay: float) -> Callable[[Array], Loop]:
    """Highlights of 2017, SGDW as printed."""

    def loop(theta: Array) -> Loop:
        v = 0 * theta
        while True:
            v = gamma * v + eta * (yield theta)
            theta = theta - v - eta * decay * theta

    return loop


def sgdw_after(eta: float, gamma: float, decay: float) -> Callable[[Array], Loop]:
    """Highlights of 2017, in words: the decay is added after the parameter update."""

    def loop(theta: Array) -> Loop:
        v = 0 * theta
        while True:
            v = gamma * v + eta * (yield theta)
            theta = theta - v
            theta = theta - eta * decay * theta

    return loop


def nadam(eta: float, beta1: float, beta2: float, epsilon: float) -> Callable[[Array], Loop]:
    """Ruder's derivation: replace mhat_{t-1} by mhat_t in the expanded Adam."""

    def loop(theta: Array) -> Loop:
        m, v = 0 * theta, 0 * theta
        for t in count(1):
            g = yield theta
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            mhat, vhat = m / (1 - beta1**t), v / (1 - beta2**t)
            ahead = beta1 * mhat + (1 - beta1) * g / (1 - beta1**t)
            theta = theta - eta / (np.sqrt(vhat) + epsilon) * ahead

    return loop


def adam_uncorrected(
    eta: float, alpha: float, beta: float, epsilon: float
) -> Callable[[Array], Loop]:
    """Lecture 12, Adam: a moving average over the root of r, nothing corrected."""

    def loop(w: Array) -> Loop:
        m, r = 0 * w, 0 * w
        while True:
            g = yield w
            m = alpha * m + (1 - alpha) * g
            r = beta * r + (1 - beta) * g * g
            w = w - eta * m / (np.sqrt(r) + epsilon)

    return loop


def amsgrad_printed(
    eta: float, beta1: float, beta2: float, epsilon: float, of_all: bool = True
) -> Callable[[Array], Loop]:
    """Blog: vhat_t = max(vhat_{t-1}, v_t); in its prose the max of v_{t-1} and v_t."""

    def loop(theta: Array) -> Loop:
        m, v, vhat = 0 * theta, 0 * theta, 0 * theta
        while True:
            g = yield theta
            m = beta1 * m + (1 - beta1) * g
            before, v = v, beta2 * v + (1 - beta2) * g**2
            vhat = np.maximum(vhat if of_all else before, v)
            theta = theta - eta / (np.sqrt(vhat) + epsilon) * m

    return loop


def adam_restarted(
    eta: float, beta1: float, beta2: float, epsilon: float, k: int
) -> Callable[[Array], Loop]:
    """Adam begun anew, with empty averages and t = 1, every k steps."""

    def loop(theta: Array) -> Loop:
        while True:
            m, v = 0 * theta, 0 * theta
            for t in range(1, k + 1):
                g = yield theta
                m = beta1 * m + (1 - beta1) * g
                v = beta2 * v + (1 - beta2) * g**2
                step = eta * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
                theta = theta - step

    return loop


def power_sign(
    eta: float, alpha: float, beta: float, f: Callable[[int], float]
) -> Callable[[Array], Loop]:
    """Bello et al. 2017: alpha^(f(t) sign(g) sign(m)) g."""

    def loop(w: Array) -> Loop:
        m = 0 * w
        for t in count(1):
            g = yield w
            m = beta * m + (1 - beta) * g
            w = w - eta * alpha ** (f(t) * np.sign(g) * np.sign(m)) * g

    return loop


def add_sign(
    eta: float, alpha: float, beta: float, f: Callable[[int], float]
) -> Callable[[Array], Loop]:
    """Bello et al. 2017: (alpha + f(t) sign(g) sign(m)) g."""

    def loop(w: Array) -> Loop:
        m = 0 * w
        for t in count(1):
            g = yield w
            m = beta * m + (1 - beta) * g
            w = w - eta * (alpha + f(t) * np.sign(g) * np.sign(m)) * g

    return loop


def adabelief_in_a_box(
    eta: float, beta1: float, beta2: float, epsilon: float, low: float, high: float
) -> Callable[[Array], Loop]:
    """AdaBelief's Algorithm 2, projected onto a box; entries are projected one by one."""

    def loop(theta: Array) -> Loop:
        m, s = 0 * theta, 0 * theta
        for t in count(1):
            g = yield theta
            m = beta1 * m + (1 - beta1) * g
            s = beta2 * s + (1 - beta2) * (g - m) ** 2 + epsilon
            mhat, shat = m / (1 - beta1**t), s / (1 - beta2**t)
            theta = np.clip(theta - eta * mhat / (np.sqrt(shat) + epsilon), low, high)

    return loop


def local_gains(eta: float, beta: float) -> Callable[[Array], Loop]:
    """Lecture 12: gains start at 1, grow by beta where gradients agree, else shrink."""

    def loop(w: Array) -> Loop:
        gain, before = np.ones_like(w), None
        while True:
            g = yield w
            if before is not None:
                gain = np.where(g * before > 0, gain + beta, gain * (1 - beta))
            w = w - eta * gain * g
            before = g

    return loop


def rprop(eta: float, back: bool, low: float = 1e-6, high: float = 50.0) -> Callable[[Array], Loop]:
    """Igel & Huesken 2000: Rprop- as it is, and Rprop+ that takes a step back."""

    def loop(w: Array) -> Loop:
        size, before, last = np.full_like(w, eta), 0 * w, 0 * w
        while True:
            g = (yield w).copy()
            change = g * before
            size = np.where(change > 0, np.minimum(1.2 * size, high), size)
            size = np.where(change < 0, np.maximum(0.5 * size, low), size)
            step = -np.sign(g) * size
            if back:
                step = np.where(change < 0, -last, step)
                g[change < 0] = 0
            w = w + step
            before, last = g, step

    return loop


def linear(steps: int) -> Callable[[int], float]:
    """Bello et al. 2017: 1 - t/T."""
    return lambda t: 1 - t / steps


def cyclical(steps: int, cycles: int) -> Callable[[int], float]:
    """Bello et al. 2017: (1 + cos(2 pi n t/T))/2."""
    return lambda t: 0.5 * (1 + float(np.cos(2 * np.pi * cycles * t / steps)))


def restarting(steps: int, cycles: int) -> Callable[[int], float]:
    """Bello et al. 2017: (1 + cos(pi (t n mod T)/T))/2."""
    return lambda t: 0.5 * (1 + float(np.cos(np.pi * (t * cycles % steps) / steps)))


def swats(
    eta: float, beta1: float, beta2: float, epsilon: float, delta: float
) -> Callable[[Array], Loop]:
    """Keskar & Socher 2017, Algorithm 1."""

    def loop(w: Array) -> Loop:
        m, a, average = 0 * w, 0 * w, 0.0
        velocity, rate = None, 0.0
        for k in count(1):
            g = yield w
            if velocity is not None:
                velocity = beta1 * velocity + g
                w = w - (1 - beta1) * rate * velocity
                continue
            m = beta1 * m + (1 - beta1) * g
            a = beta2 * a + (1 - beta2) * g**2
            corrected = sqrt(1 - beta2**k) / (1 - beta1**k)
            p = -eta * corrected * m / (np.sqrt(a) + epsilon)
            w = w + p
            along = float(np.sum(p * g))
            if along != 0:
                needed = float(np.sum(p * p)) / -along
                average = beta2 * average + (1 - beta2) * needed
                if k > 1 and abs(average / (1 - beta2**k) - needed) < delta:
                    velocity, rate = 0 * w, average / (1 - beta2**k)

    return loop
