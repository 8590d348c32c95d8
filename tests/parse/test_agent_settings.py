"""A configuration file read as settings, whichever way it is written."""

import pytest

from podpath.parse.agent_settings import read_settings


@pytest.mark.parametrize(
    "text", ['{"a": {"b": [1, 2], "c": null, "d": ""}}', "a:\n  b: [1, 2]\n  c: null\n  d: ''\n"]
)
def test_json_and_yaml_say_the_same(text):
    assert read_settings(text, "f").texts == {"a.b": "1, 2"}


def test_a_list_of_objects_is_no_setting():
    assert read_settings('{"a": [{"b": 1}]}', "f").texts == {}
