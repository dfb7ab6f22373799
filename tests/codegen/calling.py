"""Call a library as a C program does: by its plain symbols, with records of words."""

import ctypes
import importlib.util
import itertools
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np

from optdsl.codegen.library import build_library
from optdsl.codegen.library.units import lowered
from optdsl.library import load_rule
from optdsl.runtime.formats import stored_dtype, stored_shape
from optdsl.runtime.shapes import matrix_shape

ENDINGS = {np.float32: "f32", np.float64: "f64", ml_dtypes.bfloat16: "bf16"}
_NUMBERS = itertools.count()


class Built:
    """A rule compiled to a library in a folder, with its interface and its functions."""

    def __init__(self, rule, folder, name=None):
        self.rule = load_rule(rule) if isinstance(rule, str) else rule
        self.name = name or f"rule{next(_NUMBERS)}"  # a process loads a file of one name once
        self.library = build_library(self.rule, self.name)
        self.folder = folder
        self.path = folder / self.library.shared_name
        self.path.write_bytes(self.library.shared)
        (folder / f"{self.name}.o").write_bytes(self.library.code)
        if self.library.header is not None:
            (folder / f"{self.name}.h").write_text(self.library.header)
        (folder / f"{self.name}.py").write_text(self.library.module)
        known = lowered(self.rule, self.name)
        self.interface = known.public or known.interfaces[0]
        self.functions = ctypes.CDLL(str(self.path))

    def module(self):
        """Import its Python module."""
        spec = importlib.util.spec_from_file_location(self.name, self.folder / f"{self.name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def function(self, name):
        found = self.functions[f"{self.name}_{name}"]
        found.restype = ctypes.c_int
        return found


class Caller:
    """The records that a C program would keep, and calls with them."""

    def __init__(self, built, thetas, dtype=np.float64, seed=0, which=None, **hyper):
        self.built, self.interface, self.dtype = built, built.interface, dtype
        precisions = {each.ending: each for each in self.interface.precisions}
        schedule = built.interface.unit.system.family == "schedule"
        self.precision = None if schedule else precisions[ENDINGS[dtype]]
        self.hyper = self.defaults(hyper)
        runs = len(thetas) if self.interface.steps_alone else 1
        self.run = np.full(self.interface.run.words * runs, -1, np.int64)
        self.thetas = thetas
        record = self.interface.tensor
        self.table = np.zeros((len(thetas), record.words), np.int64)
        self.arrays = [{} for _ in thetas]
        for index, theta in enumerate(thetas):
            self.table[index, record.offset("size")] = theta.size
            if which is not None:
                self.table[index, record.offset("which")] = which[index]
            if self.interface.has_shapes:
                shape = slice(record.offset("rows"), record.offset("columns") + 1)
                self.table[index, shape] = matrix_shape(theta.shape)
            for stream in self.interface.streams:
                self.put(index, stream, theta if stream == "theta" else self.room(stream, theta))
            for name, fact in self.interface.facts.items():
                known = {"ndim": theta.ndim, "named": 0}[fact.name]
                place = self.table[index, record.offset(f"tensor {name}") :]
                place.view(np.float64)[0] = known
        self.checked(self.call("init"))
        if "seed" in self.interface.run.fields:
            self.run[self.interface.run.offset("seed")] = seed

    def room(self, stream, theta):
        """Return an array for a stream, as the header asks for it."""
        rows, columns = matrix_shape(theta.shape)
        counts = {"row": rows, "column": columns, "blocks": columns,
                  "rows": rows * rows, "columns": columns * columns}  # fmt: skip
        count = counts.get(self.interface.form(stream))
        storage = self.interface.storage(stream, self.precision)
        shape = stored_shape(storage, theta.shape if count is None else (count,))
        unset = 0xFF if storage.block is not None else np.nan
        return np.full(shape, unset, stored_dtype(storage))

    def defaults(self, given):
        """Return what the macro of the header says, and what is given, in order."""
        header = self.built.library.header.replace(" \\\n", " ")
        line = next(x for x in header.splitlines() if "_DEFAULTS {" in x)
        texts = line[line.index("{") + 1 : line.index("}")].split(",")
        row = np.array([float(t.replace("INFINITY", "inf")) for t in texts])
        for name, value in given.items():
            row[self.interface.hyper.offset(name)] = value
        return row

    def put(self, index, stream, array):
        self.arrays[index][stream] = array
        place = self.interface.tensor.offset(f"stream {stream}")
        self.table[index, place] = array.ctypes.data if array.size else 0

    def call(self, name, *more):
        ending = "" if self.interface.unit.system.family == "schedule" else ENDINGS[self.dtype]
        function = self.built.function(f"{name}_{ending}" if ending else name)
        arrays = [self.table.ctypes.data, len(self.table)] if ending else []
        arrays = [ctypes.c_void_p(arrays[0]), ctypes.c_int64(arrays[1])] if arrays else []
        first = [ctypes.c_void_p(self.hyper.ctypes.data), ctypes.c_void_p(self.run.ctypes.data)]
        return function(*first, *arrays, *more)

    def checked(self, verdict):
        assert verdict >= 0, f"hyperparameter {-verdict} is outside its domain"
        return verdict

    def number(self, name):
        """Return a number of the run, to read or to set."""
        return self.run.view(np.float64)[self.interface.run.offset(f"all {name}") :]

    def step(self, gradients, threads=0):
        """Take a step with gradients handed in, or with a function that is asked for them.

        With `threads`, that many share it, and take its tasks in an order of their own.
        """
        name = "step_in_threads" if threads else "step"
        more = self.shared(threads)
        if not callable(gradients):
            for index, gradient in enumerate(gradients):
                self.put(index, "g", np.ascontiguousarray(gradient, self.dtype))
            return self.checked(self.call(name, *more))
        kind = ctypes.CFUNCTYPE(
            None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
        )

        def asked(context, tensors, count, which):
            name, by_case = self.interface.asked[which]
            streams = [by_case.get(case) for case in self.cases()]
            points = [
                arrays[stream or "theta"]
                for arrays, stream in zip(self.arrays, streams, strict=True)
            ]
            answers = zip(self.arrays, streams, gradients(points), strict=True)
            for arrays, stream, gradient in answers:
                if stream is not None:
                    arrays[name][...] = gradient

        return self.checked(self.call(name, kind(asked), None, *more))

    def cases(self):
        """Return the rule that each tensor takes now; None where there is one."""
        if "which" not in self.interface.tensor.fields:
            return [None] * len(self.table)
        return self.table[:, self.interface.tensor.offset("which")].tolist()

    def shared(self, threads):
        """Return the room that C hands over, if any, and what lets threads share a step."""
        if not threads and not self.interface.has_matrices:
            return []
        room = self.built.functions[f"{self.built.name}_room_{ENDINGS[self.dtype]}"]
        room.restype, room.argtypes = ctypes.c_int64, [ctypes.c_void_p, ctypes.c_int64]
        size = room(self.table.ctypes.data, len(self.table))
        self.used = np.full(-(-size // 8) + 1, np.nan)
        self.used[-1] = 77.0  # behind what was asked for
        if not threads:
            return [ctypes.c_void_p(self.used.ctypes.data)]
        task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, task, ctypes.c_void_p)

        def for_each(pool, count, run, data):
            with ThreadPoolExecutor(threads) as crew:
                list(crew.map(lambda k: run(data, k), reversed(range(count))))

        self.for_each = kind(for_each)
        return [ctypes.c_void_p(self.used.ctypes.data), self.for_each, None]

    def next(self):
        """Return what a schedule gives next."""
        values = np.zeros(len(self.interface.unit.system.outputs))
        places = [ctypes.c_void_p(values[i:].ctypes.data) for i in range(values.size)]
        self.checked(self.call("next", *places))
        return values

    def look(self, name, stream, threads=0):
        for array in self.stream(stream):
            array.fill(np.nan)
        self.checked(self.call(f"{name}_in_threads" if threads else name, *self.shared(threads)))
        return [arrays[stream] for arrays in self.arrays]

    def stream(self, name):
        return [arrays[name] for arrays in self.arrays]
