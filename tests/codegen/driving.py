"""Run the stages of a layout on arrays, as plainly as can be: one group, every tensor in step."""

import ml_dtypes
import numpy as np

from optdsl.runtime import layout as stages
from optdsl.runtime.facts import Facts


def kept_as(state, dtype):
    """Return the dtype of a state beside parameters of `dtype`."""
    if state.storage is not None:
        return np.dtype(getattr(ml_dtypes, state.storage.split()[0], state.storage.split()[0]))
    return np.float32 if dtype.itemsize == 2 else dtype


class Driver:
    """All that a rule keeps, and its steps in mode "function"."""

    def __init__(self, layout, thetas, hyper=None):
        self.layout = layout
        self.thetas = thetas
        self.hyper = hyper or (lambda t: {})
        self.steps = [0] * layout.parts
        self.step_state = np.array([s.start(None, self.row(1)) for s in self.of("step")])
        self.tensor = np.zeros((len(thetas), layout.tensor))
        self.everything = np.zeros(layout.everything)
        self.scalars = np.zeros((1, layout.scalars))
        for slot, state in enumerate(self.of("tensor")):
            facts = [Facts(theta.shape, f"w{i}") for i, theta in enumerate(thetas)]
            self.tensor[:, slot] = [state.start(each, self.row(1)) for each in facts]
        for slot, state in enumerate(self.of("all")):
            self.everything[slot] = state.start(None, self.row(1))
        self.streams = {"theta": thetas}
        for state in self.of("entry"):
            arrays = [np.empty_like(theta, kept_as(state, theta.dtype)) for theta in thetas]
            for array, theta in zip(arrays, thetas, strict=True):
                array[...] = state.start(theta, self.row(1))
            self.streams[state.name] = arrays
        for buffer in layout.buffers:
            self.streams[buffer] = [np.zeros_like(theta) for theta in thetas]

    def of(self, kind):
        return [state for state in self.layout.states if state.kind == kind]

    def row(self, t, but=None):
        """Return the hyperparameters of a step; a formula for one does not read that one."""
        slots = self.layout.hyperparameters
        now = [np.nan if slot is but else self.value(slot, t) for slot in slots]
        return np.array(
            now + [self.value(slot, t + 1) for slot in slots if slot.ahead and but is None], float
        )

    def value(self, slot, t):
        given = self.hyper(t).get(slot.local_name)
        given = slot.default if given is None else given
        return given(t, self.row(t, but=slot)) if callable(given) else given

    def step(self, gradient, mode="function"):
        """Take one step with `gradient(name, points)`; return whether a part was skipped."""
        if mode == "ready":
            self.streams["g"] = gradient("g", self.thetas)
        return self.run(getattr(self.layout, mode), gradient)

    def run(self, program, gradient, moves=True):
        table = None
        partials = np.zeros((0, 0))
        part = -1
        for place, stage in enumerate(program):
            if not isinstance(stage, stages.Ask) and stage.part > part:
                part = stage.part
                self.steps[part] += moves
            match stage:
                case stages.Scalars():
                    t = float(self.steps[part] + (not moves))
                    kept = self.step_state if moves else self.step_state.copy()
                    stage.function(t, self.row(int(t)), kept, self.scalars[0])
                case stages.Ask(name, point):
                    self.streams[name] = gradient(name, self.streams[point])
                case stages.Pass():
                    table = self.bind(stage)
                    partials = np.full((table.chunks, stage.reductions), np.nan)
                    stage.function(table, *self.numbers(), partials)
                case stages.Combine():
                    if table is None:
                        later = program[place:]
                        table = self.bind(next(s for s in later if isinstance(s, stages.Pass)))
                    stage.function(table, *self.numbers(), partials)
                case stages.Guard(_, kind, slot):
                    rows = {"step": self.scalars[0], "all": self.everything}
                    if rows[kind][slot] != 0.0:
                        return True
        return False

    def bind(self, stage):
        arrays = [self.streams[stream] for stream in stage.streams]
        return self.layout.bind(arrays, range(len(self.thetas)))

    def numbers(self):
        cohort = np.zeros(len(self.thetas), np.int64)
        return cohort, self.scalars, self.tensor, self.everything

    def iterate(self):
        """Return the true theta behind stored points."""
        if self.layout.iterate is None:
            return self.thetas
        self.run(self.layout.iterate, None, moves=False)
        return self.streams["iterate"]
