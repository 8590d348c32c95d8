"""A module is named after what it holds."""

import re

from tests.meta.source import ROOT, SRC, code_tokens, modules, place

SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "core", "manager", "misc"}

SAMPLE_CLUSTERS = re.compile(r'10\.244\.\d+\.\d+|172\.30\.0\.|\bshop/|flannel\.1|"n[123]"')
"""Addresses and names of the clusters that our bundles were captured from."""


def test_no_module_has_a_name_that_says_nothing():
    paths = modules(SRC, ROOT / "tests")
    assert [place(path) for path in paths if SAYS_NOTHING & {*path.parent.parts, path.stem}] == []


def test_the_product_knows_no_sample_cluster():
    found = [
        f"{place(path)}:{line}: {text}"
        for path in modules()
        if not path.is_relative_to(SRC / "demo")
        for line, text in code_tokens(path)
        if SAMPLE_CLUSTERS.search(text)
    ]
    assert found == [], "such names belong into docstrings, comments and tests"
