"""Occupancy beside NVIDIA's own calculator, a C++ header that comes with the toolkit."""

import importlib.util
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from optdsl.codegen.toolkit.architectures import ARCHITECTURES
from optdsl.codegen.toolkit.occupancy import occupancy

PROGRAM = r"""
#include <cstdio>
#include <cuda_occupancy.h>
int main() {
    int major, minor, threads_sm, threads, registers;
    long shared_sm, reserved, shared;
    while (std::scanf("%d %d %d %ld %ld %d %d %ld", &major, &minor, &threads_sm, &shared_sm,
                      &reserved, &threads, &registers, &shared) == 8) {
        cudaOccDeviceProp card;
        card.computeMajor = major; card.computeMinor = minor;
        card.maxThreadsPerBlock = 1024; card.maxThreadsPerMultiprocessor = threads_sm;
        card.regsPerBlock = card.regsPerMultiprocessor = 65536; card.warpSize = 32;
        card.sharedMemPerBlock = 48 * 1024; card.sharedMemPerMultiprocessor = shared_sm;
        card.numSms = 1; card.sharedMemPerBlockOptin = shared_sm - reserved;
        card.reservedSharedMemPerBlock = reserved;
        cudaOccFuncAttributes kernel;
        kernel.maxThreadsPerBlock = 1024; kernel.numRegs = registers;
        kernel.sharedSizeBytes = shared;
        kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
        cudaOccDeviceState state;
        cudaOccResult found;
        if (cudaOccMaxActiveBlocksPerMultiprocessor(&found, &card, &kernel, &state, threads, 0))
            return 1;
        std::printf("%d\n", found.activeBlocksPerMultiprocessor);
    }
}
"""


def header():
    """Return the folder of NVIDIA's header, None where it is not installed."""
    spec = importlib.util.find_spec("nvidia")
    for folder in [] if spec is None else spec.submodule_search_locations:
        for found in Path(folder).glob("*/include/cuda_occupancy.h"):
            return found.parent
    return None


@pytest.mark.skipif(header() is None, reason="the headers of the toolkit are not installed")
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_blocks_are_those_of_the_calculator(tmp_path):
    (tmp_path / "program.cpp").write_text(PROGRAM)
    built = ["g++", "-w", f"-I{header()}", tmp_path / "program.cpp", "-o", tmp_path / "program"]
    subprocess.run(built, check=True)
    questions = [
        (card, threads, registers, shared)
        for card, threads, registers, shared in itertools.product(
            ARCHITECTURES.values(), (32, 64, 128, 256, 512, 1024), range(16, 256, 3),
            (0, 2048, 8 * 1024, 48 * 1024),
        )
        if threads * registers <= 65536
    ]  # fmt: skip
    lines = [
        f"{card.capability[0]} {card.capability[1]} {card.threads} {card.shared} {card.reserved} "
        f"{threads} {registers} {shared}"
        for card, threads, registers, shared in questions
    ]
    ran = subprocess.run(
        [tmp_path / "program"], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    theirs = [int(line) for line in ran.stdout.split()]
    ours = [occupancy(*question).blocks for question in questions]
    assert len(theirs) == len(ours)
    wrong = [pair for pair in zip(lines, ours, theirs, strict=True) if pair[1] != pair[2]]
    assert not wrong[:5]
