"""Guarded

    g[t] = grad(theta[t-1] - gamma*v[t-1])
    u = g[t]
    v[t] = gamma*v[t-1] + eta*u
    theta[t] = theta[t-1] - v[t]
    skip when any(not finite(g[t]), all)

Written by optdsl VERSION for the target reference. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.folding import over_all, partial
from optdsl.codegen.support.quiet import quiet
from optdsl.codegen.support.tables import bind_whole
from optdsl.runtime import from_layout, layout


def update_1(g, partials):
    g_t = g.astype(np.float64)
    # skip = any(not finite(g[t]), all)
    partials[0] = partial("any", np.logical_not(np.isfinite(g_t)))


@quiet
def pass_1(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_1(*arrays, partials[chunk])


@quiet
def combine_1(table, cohort, scalars, tensor, everything, partials):
    # skip = any(not finite(g[t]), all)
    skip = over_all("any", table, partials[:, 0])
    everything[0] = skip


@quiet
def scalars_1(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    gamma_next = hyper[2]
    scalars[0] = gamma
    scalars[1] = eta
    scalars[2] = gamma_next


def update_2(theta, g, v, numbers):
    gamma = numbers[0]
    eta = numbers[1]
    gamma_next = numbers[2]
    theta_prev = theta.astype(np.float64)
    g_t = g.astype(np.float64)
    v_prev = v.astype(np.float64)
    # u = g[t]
    u = g_t
    # iterate_before = theta[t-1] + gamma*v[t-1]
    iterate_before = theta_prev + gamma * v_prev
    # v[t] = gamma*v[t-1] + eta*u
    v_t = gamma * v_prev + eta * u
    # iterate = iterate_before - v[t]
    iterate_t = iterate_before - v_t
    # theta[t] = iterate - gamma[t+1]*v[t]
    theta_t = iterate_t - gamma_next * v_t
    theta[...] = theta_t
    v[...] = v_t


@quiet
def pass_2(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_2(*arrays, scalars[cohort[row]])


@quiet
def scalars_2(t, hyper, step_state, scalars):
    gamma = hyper[1]
    scalars[0] = gamma


def update_3(theta, v, point_g, numbers):
    gamma = numbers[0]
    theta_prev = theta.astype(np.float64)
    v_prev = v.astype(np.float64)
    # point_g = theta[t-1] - gamma*v[t-1]
    point_g_t = theta_prev - gamma * v_prev
    point_g[...] = point_g_t


@quiet
def pass_3(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_3(*arrays, scalars[cohort[row]])


@quiet
def scalars_3(t, hyper, step_state, scalars):
    gamma = hyper[1]
    eta = hyper[0]
    scalars[0] = gamma
    scalars[1] = eta


def update_4(theta, g, v, numbers):
    gamma = numbers[0]
    eta = numbers[1]
    theta_prev = theta.astype(np.float64)
    g_t = g.astype(np.float64)
    v_prev = v.astype(np.float64)
    # u = g[t]
    u = g_t
    # v[t] = gamma*v[t-1] + eta*u
    v_t = gamma * v_prev + eta * u
    # theta[t] = theta[t-1] - v[t]
    theta_t = theta_prev - v_t
    theta[...] = theta_t
    v[...] = v_t


@quiet
def pass_4(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_4(*arrays, scalars[cohort[row]])


def update_5(theta, v, iterate, numbers):
    gamma = numbers[0]
    theta_prev = theta.astype(np.float64)
    v_prev = v.astype(np.float64)
    # iterate = theta[t-1] + gamma*v[t-1]
    iterate_t = theta_prev + gamma * v_prev
    iterate[...] = iterate_t


@quiet
def pass_5(table, cohort, scalars, tensor, everything, partials):
    for chunk, (row, arrays) in enumerate(zip(table.rows, table.arrays)):
        update_5(*arrays, scalars[cohort[row]])


@quiet
def start_v(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Guarded',
    family='optimizer',
    doc='',
    hyperparameters=(
        layout.HyperparameterSlot(
            'eta', 'Nesterov', 'eta', default=0.01, low=0.0, low_open=False, part=1,
        ),
        layout.HyperparameterSlot(
            'gamma', 'Nesterov', 'gamma', default=0.9, low=0.0, low_open=False, high=1.0, part=1,
            ahead=True,
        ),
    ),
    states=(
        layout.StateSlot('v', 'entry', start_v, part=1),
    ),
    scalars=3,
    everything=1,
    parts=2,
    ready=(
        layout.Pass(0, ('g',), pass_1, reductions=1),
        layout.Combine(0, combine_1),
        layout.Guard(0, 'all', 0),
        layout.Scalars(1, scalars_1),
        layout.Pass(1, ('theta', 'g', 'v'), pass_2, writes=('theta', 'v')),
    ),
    function=(
        layout.Scalars(0, scalars_2),
        layout.Pass(0, ('theta', 'v', 'point_g'), pass_3, writes=('point_g',)),
        layout.Ask('g', 'point_g'),
        layout.Pass(0, ('g',), pass_1, reductions=1),
        layout.Combine(0, combine_1),
        layout.Guard(0, 'all', 0),
        layout.Scalars(1, scalars_3),
        layout.Pass(1, ('theta', 'g', 'v'), pass_4, writes=('theta', 'v')),
    ),
    iterate=(
        layout.Scalars(1, scalars_2),
        layout.Pass(1, ('theta', 'v', 'iterate'), pass_5, writes=('iterate',)),
    ),
    bind=bind_whole,
    buffers=('point_g', 'iterate'),
    fingerprint='6912f8c0d61ce7e9',
    target='reference',
)

Guarded = from_layout(LAYOUT)
