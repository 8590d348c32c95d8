"""``podpath why SRC name/HOSTNAME``."""

import json

import pytest

from podpath.cli.main import main


@pytest.fixture
def asked(corpus, capsys, monkeypatch):
    def ask(bundle, *arguments):
        code = main(["why", str(corpus[bundle]), *arguments])
        done = capsys.readouterr()
        return code, done.out + done.err

    monkeypatch.setenv("COLUMNS", "120")

    return ask


def test_a_name_that_resolves(asked):
    code, text = asked("coredns-healthy", "pod/ops/client", "name/kubernetes.default")
    assert (code, text) == (
        0,
        "It resolves: ops/client on n1 asks for kubernetes.default and gets 10.96.0.1.\n",
    )


def test_a_name_that_does_not_exist(asked):
    code, text = asked("coredns-healthy", "pod/ops/client", "name/no-such.shop")
    assert code == 1
    assert text.startswith(
        'It does not resolve: ops/client on n1 asks for no-such.shop and gets "no such host"'
    )


def test_a_name_that_nobody_answers_for_shows_the_query(asked):
    code, text = asked("coredns-upstream-dead", "pod/ops/client", "name/www.example.com")
    assert code == 1
    assert text.startswith("It does not resolve: ")
    assert "The query that fails:\nIt fails: " in text
    assert "✗ neighbor" in text


def test_a_name_in_json(asked):
    code, text = asked("coredns-upstream-dead", "pod/ops/client", "name/www.example.com", "-o", "json")
    assert code == 1
    assert json.loads(text)["verdict"] == "fails"


@pytest.mark.parametrize(
    ("src", "dst", "sentence"),
    [
        (
            "198.51.100.7",
            "name/x.example.com",
            "of a client outside podpath does not know whom it asks for names",
        ),
        ("name/x.example.com", "api", "is a name to be resolved: a client is a Pod, a node or an address"),
    ],
)
def test_only_what_has_a_resolver_resolves(asked, src, dst, sentence):
    code, text = asked("coredns-healthy", src, dst)
    assert code == 2
    assert sentence in text
