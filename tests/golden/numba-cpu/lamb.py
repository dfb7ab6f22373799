"""Lamb

    m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
    ratio = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 and norm(u) > 0 else 1
    theta[t] = theta[t-1] - eta*ratio*u

Written by optdsl VERSION for the target numba-cpu. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.chunks import bind_chunks, over_chunks
from optdsl.codegen.support.folding import per_tensor
from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.words import (
    add, entrywise, float64, flush_tiny, kernel, next_chunks, restore, row_of, sqrt, square, view,
)
from optdsl.runtime import from_layout, layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    beta1 = hyper[1]
    beta2 = hyper[2]
    lambda_ = hyper[3]
    eta = hyper[0]
    one_minus_beta1 = 1.0 - beta1
    one_minus_beta2 = 1.0 - beta2
    scalars[0] = beta1
    scalars[1] = one_minus_beta1
    scalars[2] = beta2
    scalars[3] = one_minus_beta2
    scalars[4] = lambda_
    scalars[5] = eta


@entrywise
def update_1(theta, g, m, v, numbers, partials):
    real = theta.dtype.type
    beta1 = real(numbers[0])
    one_minus_beta1 = real(numbers[1])
    beta2 = real(numbers[2])
    one_minus_beta2 = real(numbers[3])
    lambda_ = real(numbers[4])
    norm_last_theta = 0.0
    norm_u = 0.0
    for i in range(theta.size):
        theta_prev = theta[i]
        g_t = g[i]
        m_prev = m[i]
        v_prev = v[i]
        # m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
        m_t = beta1 * m_prev + one_minus_beta1 * g_t
        # v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
        v_t = beta2 * v_prev + one_minus_beta2 * square(g_t)
        # u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
        u = m_t / (sqrt(v_t) + real(1e-06)) + lambda_ * theta_prev
        # norm_last_theta = norm(theta[t-1])
        norm_last_theta = add(norm_last_theta, square(float64(theta_prev)))
        # norm_u = norm(u)
        norm_u = add(norm_u, square(float64(u)))
        m[i] = m_t
        v[i] = v_t
    partials[0] = norm_last_theta
    partials[1] = norm_u


@kernel
def kernel_1(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            g = view(addresses[chunk, 1], counts[chunk], formats[1])
            m = view(addresses[chunk, 2], counts[chunk], formats[2])
            v = view(addresses[chunk, 3], counts[chunk], formats[3])
            update_1(theta, g, m, v, row_of(scalars, cohort[row]), row_of(partials, chunk))
        first, last = next_chunks(take)
    restore(before)


@quiet
def combine_1(table, cohort, scalars, tensor, everything, partials):
    eta_each = scalars[table.cohorts(cohort), 5]
    # norm_last_theta = norm(theta[t-1])
    norm_last_theta = per_tensor("norm", table, partials[:, 0])
    tensor[table.rows, 0] = norm_last_theta
    # norm_u = norm(u)
    norm_u = per_tensor("norm", table, partials[:, 1])
    tensor[table.rows, 1] = norm_u
    # ratio = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 and norm(u) > 0 else 1
    ratio = np.where((norm_last_theta > 0.0) & (norm_u > 0.0), norm_last_theta / norm_u, 1.0)
    tensor[table.rows, 2] = ratio
    eta_times_ratio = eta_each * ratio
    tensor[table.rows, 3] = eta_times_ratio


@entrywise
def update_2(theta, m, v, numbers, tensor):
    real = theta.dtype.type
    lambda_ = real(numbers[4])
    eta_times_ratio = real(tensor[3])
    for i in range(theta.size):
        theta_prev = theta[i]
        m_t = m[i]
        v_t = v[i]
        # u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
        u = m_t / (sqrt(v_t) + real(1e-06)) + lambda_ * theta_prev
        # theta[t] = theta[t-1] - eta*ratio*u
        theta_t = theta_prev - eta_times_ratio * u
        theta[i] = theta_t


@kernel
def kernel_2(take, formats, addresses, counts, rows, cohort, scalars, tensor, everything, partials):
    before = flush_tiny()
    first, last = next_chunks(take)
    while first < last:
        for chunk in range(first, last):
            row = rows[chunk]
            theta = view(addresses[chunk, 0], counts[chunk], formats[0])
            m = view(addresses[chunk, 1], counts[chunk], formats[1])
            v = view(addresses[chunk, 2], counts[chunk], formats[2])
            update_2(theta, m, v, row_of(scalars, cohort[row]), row_of(tensor, row))
        first, last = next_chunks(take)
    restore(before)


@quiet
def start_m(theta, hyper):
    return 0.0


@quiet
def start_v(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Lamb',
    family='optimizer',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot('eta', 'Lamb', 'eta', default=0.01, low=0.0, low_open=False),
        layout.HyperparameterSlot(
            'beta1', 'Lamb', 'beta1', default=0.9, low=0.0, low_open=False, high=1.0,
        ),
        layout.HyperparameterSlot(
            'beta2', 'Lamb', 'beta2', default=0.999, low=0.0, low_open=False, high=1.0,
        ),
        layout.HyperparameterSlot(
            'lambda', 'Lamb', 'lambda', default=0.01, alias='weight_decay', low=0.0, low_open=False,
        ),
    ),
    states=(
        layout.StateSlot('m', 'entry', start_m),
        layout.StateSlot('v', 'entry', start_v),
    ),
    scalars=6,
    tensor=4,
    parts=1,
    ready=(
        layout.Scalars(0, scalars_1),
        layout.Pass(
            0, ('theta', 'g', 'm', 'v'), over_chunks(kernel_1), reductions=2, writes=('m', 'v'),
        ),
        layout.Combine(0, combine_1),
        layout.Pass(0, ('theta', 'm', 'v'), over_chunks(kernel_2), writes=('theta',)),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(
            0, ('theta', 'g', 'm', 'v'), over_chunks(kernel_1), reductions=2, writes=('m', 'v'),
        ),
        layout.Combine(0, combine_1),
        layout.Pass(0, ('theta', 'm', 'v'), over_chunks(kernel_2), writes=('theta',)),
    ),
    bind=bind_chunks,
    fingerprint='fafd5218bb17f2c5',
    target='numba-cpu',
)

Lamb = from_layout(LAYOUT)
