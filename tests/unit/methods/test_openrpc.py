import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from jsonschema_specifications import REGISTRY
from referencing.jsonschema import DRAFT7

from pfdcmd import errors
from pfdcmd.methods.document import format_document
from pfdcmd.methods.openrpc import openrpc_document
from pfdcmd.methods.table import METHODS

REPOSITORY = Path(__file__).parents[3]
META_SCHEMA = json.loads((REPOSITORY / "tests" / "openrpc" / "meta-schema.json").read_text())
# What the meta-schema names for the schemas within; JSON Schema Tools' own is the one of draft 7.
SCHEMA_OF_SCHEMAS = "https://meta.json-schema.tools"
REGISTRY_OF_SCHEMAS = REGISTRY.with_resource(SCHEMA_OF_SCHEMAS, DRAFT7.create_resource(Draft7Validator.META_SCHEMA))
VALIDATOR = Draft7Validator(META_SCHEMA, registry=REGISTRY_OF_SCHEMAS)

EXAMPLES = [
    pytest.param(method, example, id=f"{method.name}: {example.name}")
    for method in METHODS.values()
    for example in method.examples
]


@pytest.fixture(scope="module")
def document():
    return json.loads(json.dumps(openrpc_document(METHODS.values())))


def test_the_document_is_openrpc(document):
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


def test_the_meta_schema_finds_fault_with_what_is_none(document):
    wrong = {**document, "methods": [{**document["methods"][0], "params": [{"name": "path", "schema": {"type": "x"}}]}]}
    assert not VALIDATOR.is_valid(wrong)


def test_a_name_is_that_of_its_method_and_of_one_alone(document):
    names = [method["name"] for method in document["methods"]]
    assert names == list(METHODS)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_is_described_whole(method):
    Draft7Validator.check_schema(method.params_schema)
    Draft7Validator.check_schema(method.result)
    assert method.summary.endswith(".")
    assert set(method.required) <= set(method.params)
    for name, schema in method.params.items():
        assert schema.get("description"), name
    # required parameters come first, so that by position nothing has to be given that may be left out
    assert list(method.params)[: len(method.required)] == list(method.required)


@pytest.mark.parametrize(("method", "example"), EXAMPLES)
def test_an_example_fits_its_method(method, example):
    Draft7Validator(method.params_schema).validate(example.params)
    Draft7Validator(method.result).validate(example.result)


def test_every_method_that_has_parameters_shows_how_it_is_called():
    without = [each.name for each in METHODS.values() if each.params and not each.examples]
    assert set(without) <= {"events.subscribe", "events.unsubscribe"}


def test_the_page_is_what_the_methods_say(document):
    page = (REPOSITORY / "docs" / "api.md").read_text()
    assert page == format_document(document), "write it anew: python -m pfdcmd.methods.document > docs/api.md"


def test_every_fault_says_what_to_do_and_has_a_number_of_its_own():
    faults = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.Fault)]
    numbers = [fault.number for fault in faults]
    assert len(set(numbers)) == len(numbers)
    for fault in faults:
        assert fault.do.endswith("."), fault
        assert fault is errors.Fault or 1 <= fault.number < 600
