"""The page that `optdsl check --html` writes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

_VOID = {"meta", "input", "br"}


class _Outline(HTMLParser):
    """Notes text and elements, and that each element is closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes = [], [], []

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_folder_in_place_of_the_page_is_misuse(optdsl):
    refused = optdsl("check", "SGD", "--html", ".")
    assert (refused.status, refused.err) == (2, "error: .: is a directory\n")
    refused = optdsl("check", "SGD", "--html", "missing/page.html")
    assert refused.err == "error: missing/page.html: no such file or directory\n"


@pytest.fixture
def page(optdsl, tmp_path):
    def write(*arguments, status=0):
        assert optdsl("check", *arguments, "--html", "page.html").status == status
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return write


def outline(text):
    reader = _Outline()
    reader.feed(text)
    assert not reader.open
    return reader


def test_a_page_shows_spec_source_and_verdict(page):
    text = " ".join(" ".join(outline(page("Momentum", "AdaMax", "Halving")).text).split())
    for words in ("Momentum", "proved", "follows", "ruder2016", "differs from", "They part at"):
        assert words in text


def test_all_mathematics_is_well_formed(page):
    formulas = re.findall(r"<math.*?</math>", page("Adam", "Rprop", "WarmRestarts", "LARS"))
    assert len(formulas) > 100
    for formula in formulas:
        ElementTree.fromstring(formula)


def test_a_page_needs_no_network(page):
    found = outline(page("Adam"))
    assert not [v for k, v in found.attributes if k in ("src", "href") and not v.startswith("#")]
    assert "url(" not in page("SGD")
    assert "@import" not in page("SGD")


def test_what_a_spec_says_is_text_not_markup(page, tmp_path):
    Path(tmp_path / "mine.opt").write_text(
        'optimizer Mine extends Momentum\n  "<script>alert(1)</script>"\n'
        '  differs Nesterov because "a < b & c > d"\n',
        encoding="utf-8",
    )
    text = page("mine.opt")
    assert "<script>alert" not in text
    assert "a &lt; b &amp; c &gt; d" in text


def test_what_is_wrong_stands_on_the_page(page, tmp_path):
    Path(tmp_path / "mine.opt").write_text(
        "optimizer Mine extends Momentum\n  equals SGD\n", encoding="utf-8"
    )
    text = page("mine.opt", status=1)
    assert "expected proved" in text
    assert "broken-claim" in text


def test_a_file_that_cannot_be_read_is_on_the_page(page, tmp_path):
    Path(tmp_path / "mine.opt").write_text("optimizer\n", encoding="utf-8")
    assert "mine.opt" in page("mine.opt", status=1)
