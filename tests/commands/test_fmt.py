import stat

LOOSE = """\
# about SGD
optimizer A
    hyper eta   as lr=0.01 in [0,inf)   # the rate
    θ[t+1] = θ[t]-η·g[t]
"""


def test_formatting_keeps_comments_and_is_idempotent(optdsl, tmp_path):
    path = tmp_path / "a.opt"
    path.write_text(LOOSE, encoding="utf-8")
    assert optdsl("fmt", path).status == 0
    once = path.read_text(encoding="utf-8")
    assert once.startswith("# about SGD\noptimizer A\n")
    assert "# the rate" in once
    assert "theta[t] = theta[t-1] - eta*g[t]" in once
    assert optdsl("fmt", path).status == 0
    assert path.read_text(encoding="utf-8") == once
    assert optdsl("fmt", "--check", path).status == 0


def test_check_changes_nothing(optdsl, tmp_path):
    path = tmp_path / "a.opt"
    path.write_text(LOOSE, encoding="utf-8")
    checked = optdsl("fmt", "--check")
    assert checked.status == 1
    assert "would reformat a.opt" in checked.out
    assert path.read_text(encoding="utf-8") == LOOSE


def test_a_file_with_errors_is_left_alone_and_others_are_not(optdsl, tmp_path):
    (tmp_path / "a.opt").write_text(LOOSE, encoding="utf-8")
    (tmp_path / "b.opt").write_text("optimizer B\n  theta[t] = = 1\n", encoding="utf-8")
    done = optdsl("fmt", ".")
    assert done.status == 1
    assert "b.opt:2:" in done.err
    assert (tmp_path / "b.opt").read_text(encoding="utf-8") == "optimizer B\n  theta[t] = = 1\n"
    assert (tmp_path / "a.opt").read_text(encoding="utf-8") != LOOSE


def test_permissions_survive_and_nothing_is_left_behind(optdsl, tmp_path):
    path = tmp_path / "a.opt"
    path.write_text(LOOSE, encoding="utf-8")
    path.chmod(0o640)
    optdsl("fmt", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.opt"]
