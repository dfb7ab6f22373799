from dataclasses import dataclass

import pytest

from optdsl.commands import main


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err


@pytest.fixture
def optdsl(capsys, tmp_path, monkeypatch):
    """Run the command line in an empty folder; bugs that it reports fail the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "logs"))

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        outcome = Outcome(leaving.value.code or 0, captured.out, captured.err)
        assert "Traceback" not in outcome.text
        return outcome

    return run
