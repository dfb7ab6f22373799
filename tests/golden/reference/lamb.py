"""Lamb

    m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
    ratio = norm(theta[t-1])/norm(u) if norm(theta[t-1]) > 0 and norm(u) > 0 else 1
    theta[t] = theta[t-1] - eta*ratio*u

Written by optdsl VERSION for the target reference. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.folding import partial, per_tensor
from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.tables import bind_whole
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


def update_1(theta, g, m, v, numbers, partials):
    beta1 = numbers[0]
    one_minus_beta1 = numbers[1]
    beta2 = numbers[2]
    one_minus_beta2 = numbers[3]
    lambda_ = numbers[4]
    theta_prev = theta.astype(np.float64)
    g_t = g.astype(np.float64)
    m_prev = m.astype(np.float64)
    v_prev = v.astype(np.float64)
    # m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
    m_t = beta1 * m_prev + one_minus_beta1 * g_t
    # v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
    v_t = beta2 * v_prev + one_minus_beta2 * np.square(g_t)
    # u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
    u = m_t / (np.sqrt(v_t) + 1e-06) + lambda_ * theta_prev
    # norm_last_theta = norm(theta[t-1])
    partials[0] = partial("norm", theta_prev)
    # norm_u = norm(u)
    partials[1] = partial("norm", u)
    m[...] = m_t
    v[...] = v_t


@quiet
def pass_1(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_1(*arrays, scalars[cohort[row]], partials[chunk])


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


def update_2(theta, m, v, numbers, tensor):
    lambda_ = numbers[4]
    eta_times_ratio = tensor[3]
    theta_prev = theta.astype(np.float64)
    m_t = m.astype(np.float64)
    v_t = v.astype(np.float64)
    # u = m[t]/(sqrt(v[t]) + 1e-6) + lambda*theta[t-1]
    u = m_t / (np.sqrt(v_t) + 1e-06) + lambda_ * theta_prev
    # theta[t] = theta[t-1] - eta*ratio*u
    theta_t = theta_prev - eta_times_ratio * u
    theta[...] = theta_t


@quiet
def pass_2(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_2(*arrays, scalars[cohort[row]], tensor[row])


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
        layout.Pass(0, ('theta', 'g', 'm', 'v'), pass_1, reductions=2, writes=('m', 'v')),
        layout.Combine(0, combine_1),
        layout.Pass(0, ('theta', 'm', 'v'), pass_2, writes=('theta',)),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(0, ('theta', 'g', 'm', 'v'), pass_1, reductions=2, writes=('m', 'v')),
        layout.Combine(0, combine_1),
        layout.Pass(0, ('theta', 'm', 'v'), pass_2, writes=('theta',)),
    ),
    bind=bind_whole,
    fingerprint='fafd5218bb17f2c5',
    target='reference',
)

Lamb = from_layout(LAYOUT)
