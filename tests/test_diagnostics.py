from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span, did_you_mean

TEXT = SourceText("a.opt", "first\n\tsecond line\n")


def test_a_place_is_shown_with_a_caret_under_the_whole_span():
    span = Span(TEXT, 7, 13)
    shown = str(Diagnostic("code", "no such thing", span, hint="take another"))
    assert shown.split("\n") == [
        "a.opt:2:2: error[code]: no such thing",
        " 2 | \tsecond line",
        "   | \t^^^^^^",
        "  help: take another",
    ]


def test_details_stand_below_the_place():
    shown = str(Diagnostic("code", "what\nwhy\nhow", Span(TEXT, 0, 5), severity="warning"))
    assert shown.split("\n") == [
        "a.opt:1:1: warning[code]: what", " 1 | first", "   | ^^^^^", "  why", "  how",
    ]  # fmt: skip


def test_a_span_past_the_end_or_over_several_lines_has_a_caret():
    assert str(Diagnostic("code", "end", Span(TEXT, 20, 20))).endswith(" 3 | \n   | ^")
    assert str(Diagnostic("code", "long", Span(TEXT, 0, 12))).endswith(" 1 | first\n   | ^^^^^")


def test_all_that_was_found_is_said():
    error = DiagnosticError([Diagnostic("a", "one"), Diagnostic("b", "two")])
    assert str(error) == "error[a]: one\n\nerror[b]: two"


def test_only_near_names_are_suggested():
    assert did_you_mean("beta_1", ["beta1", "eta"]) == "did you mean `beta1`?"
    assert did_you_mean("x", ["beta1", "eta"]) is None


def test_another_case_is_nearer_than_another_letter():
    assert did_you_mean("adam", ["Nadam", "Adam"]) == "did you mean `Adam`?"
    assert did_you_mean("Sgd", ["SGD", "Sign"]) == "did you mean `SGD`?"


def test_of_a_long_line_what_stands_around_the_place_is_shown():
    for at in (0, 500, 996):
        line = "x" * at + "here" + "x" * (996 - at)
        _, shown, caret = str(
            Diagnostic("code", "wrong", Span(SourceText("a.opt", line), at, at + 4))
        ).split("\n")
        assert len(shown) < 200
        assert shown[caret.index("^") : caret.index("^") + 4] == "here"
        assert caret.count("^") == 4
