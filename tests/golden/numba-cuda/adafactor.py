"""Adafactor: Adafactor, whose second moment is the product of what it is in each row and each column.

    b = 1 - t^(-gamma)
    a = max(epsilon2, rms(theta[t-1]))*min(rho, 1/sqrt(t))
    R[t] = b*R[t-1] + (1 - b)*sum(g[t]^2 + epsilon1, per row)
    C[t] = b*C[t-1] + (1 - b)*sum(g[t]^2 + epsilon1, per column)
    u = g[t]/sqrt(R[t]*C[t]/sum(R[t]))
    theta[t] = theta[t-1] - a*u/max(1, rms(u)/d)

Written by optdsl VERSION for the target numba-cuda. Do not edit.
"""
# ruff: noqa

import numpy as np

from optdsl.codegen.support.cuda.launching import bind_blocks, finished, in_turn, launched, timed
from optdsl.codegen.support.cuda.tables import Lines, Tiles
from optdsl.codegen.support.cuda.words import (
    THREADS, WARP, WARPS, block_index, float64, get, int32, int64, is_aligned, kernel, load,
    load_constant, load_some, maximum, minimum, power, put, read, read_changing, repeated, sqrt,
    square, store, store_some, sum_of_block, sum_of_warp, thread_index, thread_of_warp, warp_index,
    write,
)
from optdsl.codegen.support.quiet import quiet
from optdsl.cuda import from_layout
from optdsl.runtime import layout


@quiet
def scalars_1(t, hyper, step_state, scalars):
    gamma = hyper[1]
    rho = hyper[0]
    epsilon1 = hyper[3]
    epsilon2 = hyper[4]
    d = hyper[2]
    # b = 1 - t^(-gamma)
    b = 1.0 - t ** -gamma
    scalar_1 = np.minimum(rho, 1.0 / np.sqrt(t))
    one_minus_b = 1.0 - b
    scalars[0] = epsilon1
    scalars[1] = epsilon2
    scalars[2] = scalar_1
    scalars[3] = b
    scalars[4] = one_minus_b
    scalars[5] = d


@kernel("step")
def clock_1(real):
    def update(clocks, hyper, step_state, exactly, numbers, everything):
        if thread_index() > 0:
            return
        steps = read_changing(int64, clocks, 0) + 1
        t = float64(steps)
        gamma = read(float64, hyper, 1)
        rho = read(float64, hyper, 0)
        epsilon1 = read(float64, hyper, 3)
        epsilon2 = read(float64, hyper, 4)
        d = read(float64, hyper, 2)
        # b = 1 - t^(-gamma)
        b = 1.0 - power(t, -gamma)
        scalar_1 = minimum(rho, 1.0 / sqrt(t))
        one_minus_b = 1.0 - b
        write(float64, exactly, 0, epsilon1)
        write(real, numbers, 0, epsilon1)
        write(float64, exactly, 1, epsilon2)
        write(real, numbers, 1, epsilon2)
        write(float64, exactly, 2, scalar_1)
        write(real, numbers, 2, scalar_1)
        write(float64, exactly, 3, b)
        write(real, numbers, 3, b)
        write(float64, exactly, 4, one_minus_b)
        write(real, numbers, 4, one_minus_b)
        write(float64, exactly, 5, d)
        write(real, numbers, 5, d)
        write(int64, clocks, 0, steps)
    return update


@kernel("tiles", kept=1)
def kernel_1(
    real, lanes, theta_form, g_form, partial_sum_g_squared_plus_epsilon1_by_rows_form,
    partial_sum_g_squared_plus_epsilon1_2_by_columns_form,
):
    def update(
        owners, chunks, shapes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        height = read(int64, shapes, 3 * owner)
        width = read(int64, shapes, 3 * owner + 1)
        tall = read(int64, shapes, 3 * owner + 2)
        partial_sum_g_squared_plus_epsilon1_by_rows = read(int64, addresses, 4 * owner + 2)
        partial_sum_g_squared_plus_epsilon1_2_by_columns = read(int64, addresses, 4 * owner + 3)
        theta = read(int64, addresses, 4 * owner)
        g = read(int64, addresses, 4 * owner + 1)
        row = read(int64, rows, owner)
        step = 6 * read(int64, cohort, row)
        epsilon1 = read(real, numbers, step)
        # the tile of this warp: a strip of columns, a block of rows
        strips = (width - 1) // (WARP * lanes) + 1
        tile = read(int64, chunks, block_index()) * WARPS + warp_index()
        strip, block = tile % strips, tile // strips
        first = block * tall
        column = (strip * WARP + thread_of_warp()) * lanes
        count = int32(min(width - column, lanes))
        total_rms_last_theta = 0.0
        totals_sum_g_squared_plus_epsilon1_2 = repeated(lanes, 0.0)
        for line in range(first, min(first + tall, height)):
            begin = line * width + column
            total_sum_g_squared_plus_epsilon1 = 0.0
            if count > 0:
                whole = (
                    (count == lanes)
                    & (begin % lanes == 0)
                    & is_aligned(real, theta_form, theta)
                    & is_aligned(real, g_form, g)
                )
                if whole:
                    theta_vector = load_constant(real, theta_form, theta, begin)
                    g_vector = load_constant(real, g_form, g, begin)
                else:
                    theta_vector = load_some(real, theta_form, theta, begin, count)
                    g_vector = load_some(real, g_form, g, begin, count)
                for lane in range(lanes):
                    theta_prev = get(theta_vector, lane)
                    g_t = get(g_vector, lane)
                    if lane < count:
                        # rms_last_theta = rms(theta[t-1])
                        total_rms_last_theta = total_rms_last_theta + square(float64(theta_prev))
                        # sum_g_squared_plus_epsilon1 = sum(g[t]^2 + epsilon1, per row)
                        total_sum_g_squared_plus_epsilon1 = total_sum_g_squared_plus_epsilon1 + float64(square(g_t) + epsilon1)
                        # sum_g_squared_plus_epsilon1_2 = sum(g[t]^2 + epsilon1, per column)
                        totals_sum_g_squared_plus_epsilon1_2 = put(totals_sum_g_squared_plus_epsilon1_2, lane, get(totals_sum_g_squared_plus_epsilon1_2, lane) + float64(square(g_t) + epsilon1))
            total_sum_g_squared_plus_epsilon1 = sum_of_warp(total_sum_g_squared_plus_epsilon1)
            if thread_of_warp() == 0:
                write(float64, partial_sum_g_squared_plus_epsilon1_by_rows, line * strips + strip, total_sum_g_squared_plus_epsilon1)
        for lane in range(lanes):
            if (first < height) & (lane < count):
                write(float64, partial_sum_g_squared_plus_epsilon1_2_by_columns, block * width + column + lane, get(totals_sum_g_squared_plus_epsilon1_2, lane))
        total_rms_last_theta = sum_of_block(0, total_rms_last_theta)
        if thread_index() == 0:
            write(float64, partials, block_index(), total_rms_last_theta)
    return update


@kernel("tensor")
def finish_1(firsts, sizes, tensors, entries, rows, cohort, exactly, tensor, everything, partials):
    owner = block_index()
    row = read(int64, rows, owner)
    step = 6 * read(int64, cohort, row)
    own = 5 * row
    first, last = read(int64, firsts, owner), read(int64, firsts, owner + 1)
    total_rms_last_theta = 0.0
    for place in range(first + thread_index(), last, THREADS):
        total_rms_last_theta = total_rms_last_theta + read(float64, partials, place)
    total_rms_last_theta = sum_of_block(0, total_rms_last_theta)
    if thread_index() > 0:
        return
    epsilon2 = read(float64, exactly, step + 1)
    scalar_1 = read(float64, exactly, step + 2)
    # rms_last_theta = rms(theta[t-1])
    rms_last_theta = sqrt(total_rms_last_theta / float64(read(int64, sizes, owner)))
    write(float64, tensor, own, rms_last_theta)
    # a = max(epsilon2, rms(theta[t-1]))*min(rho, 1/sqrt(t))
    a = maximum(epsilon2, rms_last_theta) * scalar_1
    write(float64, tensor, own + 1, a)


@kernel("lines")
def lines_1(
    real, lanes, theta_form, partial_sum_g_squared_plus_epsilon1_by_rows_form,
    partial_sum_g_squared_plus_epsilon1_2_by_columns_form, R_form, C_form,
):
    def update(
        owners, chunks, shapes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        height = read(int64, shapes, 3 * owner)
        width = read(int64, shapes, 3 * owner + 1)
        tall = read(int64, shapes, 3 * owner + 2)
        partial_sum_g_squared_plus_epsilon1_by_rows = read(int64, addresses, 5 * owner + 1)
        partial_sum_g_squared_plus_epsilon1_2_by_columns = read(int64, addresses, 5 * owner + 2)
        R = read(int64, addresses, 5 * owner + 3)
        C = read(int64, addresses, 5 * owner + 4)
        row = read(int64, rows, owner)
        step = 6 * read(int64, cohort, row)
        b = read(float64, exactly, step + 3)
        one_minus_b = read(float64, exactly, step + 4)
        chunk = read(int64, chunks, block_index())
        total_sum_R = 0.0
        of_rows = (height - 1) // WARPS + 1
        if chunk < of_rows:
            line = chunk * WARPS + warp_index()
            strips = (width - 1) // (WARP * lanes) + 1
            if line < height:
                # sum_g_squared_plus_epsilon1 = sum(g[t]^2 + epsilon1, per row)
                total_sum_g_squared_plus_epsilon1 = 0.0
                for strip in range(thread_of_warp(), strips, WARP):
                    total_sum_g_squared_plus_epsilon1 = total_sum_g_squared_plus_epsilon1 + read(float64, partial_sum_g_squared_plus_epsilon1_by_rows, line * strips + strip)
                total_sum_g_squared_plus_epsilon1 = sum_of_warp(total_sum_g_squared_plus_epsilon1)
                if thread_of_warp() == 0:
                    R_prev = float64(read_changing(R_form, R, line))
                    sum_g_squared_plus_epsilon1 = total_sum_g_squared_plus_epsilon1
                    # R[t] = b*R[t-1] + (1 - b)*sum(g[t]^2 + epsilon1, per row)
                    R_t = b * R_prev + one_minus_b * sum_g_squared_plus_epsilon1
                    write(R_form, R, line, R_t)
                    # sum_R = sum(R[t])
                    total_sum_R = total_sum_R + R_t
        else:
            line = (chunk - of_rows) * THREADS + thread_index()
            if line < width:
                # sum_g_squared_plus_epsilon1_2 = sum(g[t]^2 + epsilon1, per column)
                total_sum_g_squared_plus_epsilon1_2 = 0.0
                for block in range((height - 1) // tall + 1):
                    total_sum_g_squared_plus_epsilon1_2 = total_sum_g_squared_plus_epsilon1_2 + read(float64, partial_sum_g_squared_plus_epsilon1_2_by_columns, block * width + line)
                C_prev = float64(read_changing(C_form, C, line))
                sum_g_squared_plus_epsilon1_2 = total_sum_g_squared_plus_epsilon1_2
                # C[t] = b*C[t-1] + (1 - b)*sum(g[t]^2 + epsilon1, per column)
                C_t = b * C_prev + one_minus_b * sum_g_squared_plus_epsilon1_2
                write(C_form, C, line, C_t)
        total_sum_R = sum_of_block(0, total_sum_R)
        if thread_index() == 0:
            write(float64, partials, block_index(), total_sum_R)
    return update


@kernel("tensor")
def finish_2(firsts, shapes, tensors, entries, rows, cohort, exactly, tensor, everything, partials):
    owner = block_index()
    row = read(int64, rows, owner)
    own = 5 * row
    first, last = read(int64, firsts, owner), read(int64, firsts, owner + 1)
    total_sum_R = 0.0
    for place in range(first + thread_index(), last, THREADS):
        total_sum_R = total_sum_R + read(float64, partials, place)
    total_sum_R = sum_of_block(0, total_sum_R)
    if thread_index() > 0:
        return
    # sum_R = sum(R[t])
    sum_R = total_sum_R
    write(float64, tensor, own + 2, sum_R)


@kernel("tiles")
def kernel_2(real, lanes, g_form, R_form, C_form):
    def update(
        owners, chunks, shapes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        height = read(int64, shapes, 3 * owner)
        width = read(int64, shapes, 3 * owner + 1)
        tall = read(int64, shapes, 3 * owner + 2)
        R = read(int64, addresses, 3 * owner + 1)
        C = read(int64, addresses, 3 * owner + 2)
        g = read(int64, addresses, 3 * owner)
        row = read(int64, rows, owner)
        own = 5 * row
        sum_R = real(read(float64, tensor, own + 2))
        # the tile of this warp: a strip of columns, a block of rows
        strips = (width - 1) // (WARP * lanes) + 1
        tile = read(int64, chunks, block_index()) * WARPS + warp_index()
        strip, block = tile % strips, tile // strips
        first = block * tall
        column = (strip * WARP + thread_of_warp()) * lanes
        count = int32(min(width - column, lanes))
        total_rms_u = 0.0
        C_vector = load_some(real, C_form, C, column, count)
        for line in range(first, min(first + tall, height)):
            begin = line * width + column
            R_t = real(read(R_form, R, line))
            if count > 0:
                whole = (count == lanes) & (begin % lanes == 0) & is_aligned(real, g_form, g)
                if whole:
                    g_vector = load_constant(real, g_form, g, begin)
                else:
                    g_vector = load_some(real, g_form, g, begin, count)
                for lane in range(lanes):
                    g_t = get(g_vector, lane)
                    C_t = get(C_vector, lane)
                    # u = g[t]/sqrt(R[t]*C[t]/sum(R[t]))
                    u = g_t / sqrt(R_t * C_t / sum_R)
                    if lane < count:
                        # rms_u = rms(u)
                        total_rms_u = total_rms_u + square(float64(u))
        total_rms_u = sum_of_block(0, total_rms_u)
        if thread_index() == 0:
            write(float64, partials, block_index(), total_rms_u)
    return update


@kernel("tensor")
def finish_3(firsts, sizes, tensors, entries, rows, cohort, exactly, tensor, everything, partials):
    owner = block_index()
    row = read(int64, rows, owner)
    step = 6 * read(int64, cohort, row)
    own = 5 * row
    first, last = read(int64, firsts, owner), read(int64, firsts, owner + 1)
    total_rms_u = 0.0
    for place in range(first + thread_index(), last, THREADS):
        total_rms_u = total_rms_u + read(float64, partials, place)
    total_rms_u = sum_of_block(0, total_rms_u)
    if thread_index() > 0:
        return
    d = read(float64, exactly, step + 5)
    # rms_u = rms(u)
    rms_u = sqrt(total_rms_u / float64(read(int64, sizes, owner)))
    write(float64, tensor, own + 3, rms_u)
    number_1 = maximum(1.0, rms_u / d)
    write(float64, tensor, own + 4, number_1)


@kernel("tiles")
def kernel_3(real, lanes, theta_form, g_form, R_form, C_form):
    def update(
        owners, chunks, shapes, addresses, rows, cohort, numbers, exactly, tensor, everything,
        partials,
    ):
        owner = read(int64, owners, block_index())
        height = read(int64, shapes, 3 * owner)
        width = read(int64, shapes, 3 * owner + 1)
        tall = read(int64, shapes, 3 * owner + 2)
        R = read(int64, addresses, 4 * owner + 2)
        C = read(int64, addresses, 4 * owner + 3)
        theta = read(int64, addresses, 4 * owner)
        g = read(int64, addresses, 4 * owner + 1)
        row = read(int64, rows, owner)
        own = 5 * row
        sum_R = real(read(float64, tensor, own + 2))
        a = real(read(float64, tensor, own + 1))
        number_1 = real(read(float64, tensor, own + 4))
        # the tile of this warp: a strip of columns, a block of rows
        strips = (width - 1) // (WARP * lanes) + 1
        tile = read(int64, chunks, block_index()) * WARPS + warp_index()
        strip, block = tile % strips, tile // strips
        first = block * tall
        column = (strip * WARP + thread_of_warp()) * lanes
        count = int32(min(width - column, lanes))
        C_vector = load_some(real, C_form, C, column, count)
        for line in range(first, min(first + tall, height)):
            begin = line * width + column
            R_t = real(read(R_form, R, line))
            if count > 0:
                whole = (
                    (count == lanes)
                    & (begin % lanes == 0)
                    & is_aligned(real, theta_form, theta)
                    & is_aligned(real, g_form, g)
                )
                if whole:
                    theta_vector = load(real, theta_form, theta, begin)
                    g_vector = load_constant(real, g_form, g, begin)
                else:
                    theta_vector = load_some(real, theta_form, theta, begin, count)
                    g_vector = load_some(real, g_form, g, begin, count)
                for lane in range(lanes):
                    theta_prev = get(theta_vector, lane)
                    g_t = get(g_vector, lane)
                    C_t = get(C_vector, lane)
                    # u = g[t]/sqrt(R[t]*C[t]/sum(R[t]))
                    u = g_t / sqrt(R_t * C_t / sum_R)
                    # theta[t] = theta[t-1] - a*u/max(1, rms(u)/d)
                    theta_t = theta_prev - a * u / number_1
                    theta_vector = put(theta_vector, lane, theta_t)
                if whole:
                    store(theta_form, theta, begin, theta_vector)
                else:
                    store_some(theta_form, theta, begin, count, theta_vector)
    return update


@quiet
def start_R(theta, hyper):
    return 0.0


@quiet
def start_C(theta, hyper):
    return 0.0


LAYOUT = layout.Layout(
    name='Adafactor',
    family='optimizer',
    doc='Adafactor, whose second moment is the product of what it is in each row and each column.',
    hyperparameters=(
        layout.HyperparameterSlot(
            'rho', 'Adafactor', 'rho', default=0.01, alias='lr', low=0.0, low_open=False,
            doc='greatest step, as a share of the tensor',
        ),
        layout.HyperparameterSlot(
            'gamma', 'Adafactor', 'gamma', default=0.8, low=0.0, low_open=False,
            doc="how fast the second moment's decay nears 1",
        ),
        layout.HyperparameterSlot(
            'd', 'Adafactor', 'd', default=1.0, low=0.0,
            doc='root mean square above which steps are clipped',
        ),
        layout.HyperparameterSlot(
            'epsilon1', 'Adafactor', 'epsilon1', default=1e-30, alias='eps', alias_position=1,
            low=0.0, low_open=False, doc='keeps the division finite',
        ),
        layout.HyperparameterSlot(
            'epsilon2', 'Adafactor', 'epsilon2', default=0.001, alias='eps', alias_position=2,
            low=0.0, low_open=False, doc='least size that a tensor counts as',
        ),
    ),
    states=(
        layout.StateSlot('R', 'row', start_R),
        layout.StateSlot('C', 'column', start_C),
    ),
    scalars=6,
    tensor=5,
    parts=1,
    ready=(
        layout.Scalars(0, timed(scalars_1, clock_1)),
        layout.Pass(
            0,
            ('theta', 'g', 'partial sum_g_squared_plus_epsilon1 by rows', 'partial sum_g_squared_plus_epsilon1_2 by columns'),
            launched(kernel_1), reductions=1, bind=Tiles(),
        ),
        layout.Combine(0, finished(of_tensor=finish_1)),
        layout.Matrices(
            0,
            ('theta', 'partial sum_g_squared_plus_epsilon1 by rows', 'partial sum_g_squared_plus_epsilon1_2 by columns', 'R', 'C'),
            in_turn(launched(lines_1), finished(of_tensor=finish_2), reductions=1),
            bind=Lines(rows=WARPS, columns=THREADS), writes=('R', 'C'),
        ),
        layout.Pass(0, ('g', 'R', 'C'), launched(kernel_2), reductions=1, bind=Tiles(4)),
        layout.Combine(0, finished(of_tensor=finish_3)),
        layout.Pass(
            0, ('theta', 'g', 'R', 'C'), launched(kernel_3), writes=('theta',), bind=Tiles(4),
        ),
    ),
    function=(
        layout.Scalars(0, scalars_1),
        layout.Ask('g', 'theta'),
        layout.Pass(
            0,
            ('theta', 'g', 'partial sum_g_squared_plus_epsilon1 by rows', 'partial sum_g_squared_plus_epsilon1_2 by columns'),
            launched(kernel_1), reductions=1, bind=Tiles(),
        ),
        layout.Combine(0, finished(of_tensor=finish_1)),
        layout.Matrices(
            0,
            ('theta', 'partial sum_g_squared_plus_epsilon1 by rows', 'partial sum_g_squared_plus_epsilon1_2 by columns', 'R', 'C'),
            in_turn(launched(lines_1), finished(of_tensor=finish_2), reductions=1),
            bind=Lines(rows=WARPS, columns=THREADS), writes=('R', 'C'),
        ),
        layout.Pass(0, ('g', 'R', 'C'), launched(kernel_2), reductions=1, bind=Tiles(4)),
        layout.Combine(0, finished(of_tensor=finish_3)),
        layout.Pass(
            0, ('theta', 'g', 'R', 'C'), launched(kernel_3), writes=('theta',), bind=Tiles(4),
        ),
    ),
    bind=bind_blocks,
    buffers=('partial sum_g_squared_plus_epsilon1 by rows', 'partial sum_g_squared_plus_epsilon1_2 by columns'),
    shaped=(('partial sum_g_squared_plus_epsilon1 by rows', 'strips'), ('partial sum_g_squared_plus_epsilon1_2 by columns', 'blocks')),
    fingerprint='54cb82f7efa14a18',
    target='numba-cuda',
)

Adafactor = from_layout(LAYOUT)
