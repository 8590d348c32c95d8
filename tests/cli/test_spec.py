"""The grammar of names."""

import pytest

from podpath.cli.errors import UsageError
from podpath.cli.spec import is_spec, parse_spec
from podpath.model.addr import parse_addr

READ = [
    ("pod/shop/web-1", ("pod", "shop", "web-1", "", None)),
    ("po/shop/web-1:8080", ("pod", "shop", "web-1", "8080", None)),
    ("pods/shop/web-1:http/udp", ("pod", "shop", "web-1", "http", 17)),
    ("svc/shop/api", ("svc", "shop", "api", "", None)),
    ("service/shop/api:80/sctp", ("svc", "shop", "api", "80", 132)),
    ("deploy/shop/api", ("deploy", "shop", "api", "", None)),
    ("statefulset/shop/db", ("sts", "shop", "db", "", None)),
    ("ds/kube-system/kube-proxy", ("ds", "kube-system", "kube-proxy", "", None)),
    ("node/n1", ("node", "", "n1", "", None)),
    ("node/n1:30080", ("node", "", "n1", "30080", None)),
    ("node/n1.example.com/icmp", ("node", "", "n1.example.com", "", 1)),
    ("internet", ("internet", "", "", "", None)),
    ("internet:80", ("internet", "", "", "80", None)),
    ("dns/tcp", ("dns", "", "", "", 6)),
    ("api", ("api", "", "", "", None)),
    ("pod/shop/udp", ("pod", "shop", "udp", "", None)),
    ("pod/shop/udp/udp", ("pod", "shop", "udp", "", 17)),
    ("node/udp", ("node", "", "udp", "", None)),
]


@pytest.mark.parametrize(("text", "wanted"), READ, ids=[text for text, _ in READ])
def test_a_name_is_read(text, wanted):
    spec = parse_spec(text)
    assert (spec.kind, spec.namespace, spec.name, spec.port, spec.protocol) == wanted


@pytest.mark.parametrize(
    ("text", "addr", "port", "protocol"),
    [
        ("10.0.0.1", "10.0.0.1", "", None),
        ("10.0.0.1:80", "10.0.0.1", "80", None),
        ("10.0.0.1:53/udp", "10.0.0.1", "53", 17),
        ("10.0.0.1/icmp", "10.0.0.1", "", 1),
        ("fd00::1", "fd00::1", "", None),
        ("[fd00::1]:80", "fd00::1", "80", None),
        ("[fd00::1]:53/udp", "fd00::1", "53", 17),
        ("fd00::1/icmp", "fd00::1", "", 58),
    ],
)
def test_an_address_is_read(text, addr, port, protocol):
    spec = parse_spec(text)
    assert (spec.kind, spec.addr, spec.port, spec.protocol) == ("address", parse_addr(addr), port, protocol)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shop/api", "shop/api is ambiguous: write pod/shop/api, svc/shop/api or deploy/shop/api"),
        ("pod/web-1", "pod/web-1 is not complete: write pod/NAMESPACE/NAME"),
        ("svc/", "svc/ is not complete: write svc/NAMESPACE/NAME"),
        ("node", "node is not complete: write node/NAME"),
        ("pod//web-1", "pod//web-1 is not complete"),
        ("", "an empty name means nothing"),
        ("web-1", "web-1 names nothing that podpath knows: write pod/NAMESPACE/NAME, svc/"),
        ("pvc/shop/data/x", "names nothing that podpath knows"),
        ("10.0.0.1:http", "http is no port, an address takes a number"),
        ("10.0.0.256", "names nothing"),
    ],
)
def test_what_is_no_name_is_told_in_a_sentence(text, sentence):
    with pytest.raises(UsageError) as raised:
        parse_spec(text)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_port_is_above_65535():
    with pytest.raises(UsageError, match="70000 is no port"):
        _ = parse_spec("node/n1:70000").port_number


def test_a_path_is_no_name():
    assert not is_spec("bundles/prod.tar.zst")
    assert is_spec("svc/shop/api")
