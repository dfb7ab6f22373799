"""Loops that stream through memory ask for it ahead, a line of each array once."""

import re

import pytest
from llvmlite import binding

from optdsl.codegen import compile_system
from optdsl.codegen.inspection import llvm_text
from optdsl.codegen.library import build_library
from optdsl.codegen.support.prefetching import AHEAD, prefetching
from optdsl.library import load_rule

ASKED = re.compile(r"call void @llvm\.prefetch\.p0\(ptr %[\w.]+, i32 (\d), i32 3, i32 1\)")


@pytest.mark.parametrize(("name", "read", "written"), [("Adam", 1, 3), ("AMSGrad", 1, 4)])
def test_each_array_is_asked_for_once_and_for_what_it_is_used(name, read, written):
    (kernel,) = llvm_text(compile_system(load_rule(name)), "float32")
    assert sorted(ASKED.findall(kernel)) == ["0"] * read + ["1"] * written


def test_norms_ask_for_what_they_read():
    norm, _ = llvm_text(compile_system(load_rule("ClipByGlobalNorm")), "float32")
    assert "1" not in ASKED.findall(norm)
    assert "0" in ASKED.findall(norm)


LOOP = """
define void @{name}(ptr %x, i64 %n) {{
entry:
  br label %body

body:                                             ; preds = %body, %entry
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %a = getelementptr float, ptr %x, i64 %i
  %b = getelementptr inbounds i8, ptr %a, i64 32
  %c = getelementptr inbounds i8, ptr %a, i64 64
  %va = load <8 x float>, ptr %a, align 4
  %vb = load <8 x float>, ptr %b, align 4
  %vc = load <8 x float>, ptr %c, align 4
  %sum = fadd <8 x float> %va, %vb
  store <8 x float> %sum, ptr %c, align 4
  %next = add i64 %i, 24
  %done = icmp eq i64 %next, %n
  br i1 %done, label %end, label %body, !llvm.loop !0

end:                                              ; preds = %body
  ret void
}}

!0 = distinct !{{!0, !1}}
!1 = !{{!"{fact}", i32 1}}
"""


def test_a_line_is_asked_for_once():
    text = prefetching(LOOP.format(name="update", fact="llvm.loop.isvectorized"))
    assert re.findall(r"getelementptr i8, ptr (%\w), i64 1024", text) == ["%a", "%c"]
    assert ASKED.findall(text) == ["0", "1"]
    assert AHEAD == 1024
    binding.parse_assembly(text).verify()


@pytest.mark.parametrize(
    ("name", "fact"), [("update", "llvm.loop.unroll.disable"), ("eigen", "llvm.loop.isvectorized")]
)
def test_other_loops_and_functions_stay_as_they_are(name, fact):
    text = LOOP.format(name=name, fact=fact)
    assert prefetching(text, "update") == text


def test_libraries_ask_too():
    code = build_library(load_rule("SGD"), "sgd").code
    if code[18:20] != b"\x3e\x00":
        pytest.skip("knows the instructions of x86-64 alone")
    # Two arrays, three levels of instructions, two formats.
    assert code.count(b"\x0f\x18") >= 12
