import json
from pathlib import Path

import jsonschema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "audit.json"


def test_a_few_of_one_library(optdsl):
    told = optdsl("audit", "--library", "torch", "rmsprop", "radam", "adam", "--json")
    assert (told.status, told.err) == (0, "")
    document = json.loads(told.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    found = {row["name"].removeprefix("torch.optim."): row for row in document["rows"]}
    assert found["Adam"]["finding"] == "same"
    assert found["RAdam"]["rule"] == "RAdamTorch"
    assert found["RMSprop"]["finding"] == "variant"
    assert found["RMSprop"]["rule"] == "RMSpropOutside"
    assert found["RMSprop"]["paper"]["rule"] == "RMSprop"
    assert "epsilon stands inside the root" in found["RMSprop"]["note"]
    assert found["Adam(amsgrad=True)"]["rule"] == "AMSGradMaxThenCorrect"


def test_the_matrix_is_for_people_to_read(optdsl):
    told = optdsl("audit", "--library", "torch", "rmsprop", "sparseadam")
    assert "is RMSpropOutside" in told.out
    assert "1 more bear the name of no shipped rule" in told.out


def test_a_library_that_is_not_known(optdsl):
    told = optdsl("audit", "--library", "tensorflow")
    assert told.status == 2
    assert "there are torch, optax" in told.err
