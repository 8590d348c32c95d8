"""A chain, drawn."""

from podpath.diagnosis.target import ChainLink
from podpath.model.origin import Origin
from podpath.report.names import Names
from podpath.report.style import Style, columns
from podpath.report.text_target import target_lines
from tests.report.made import three_nodes

LINKS = (
    ChainLink("exists", "ok", "ClusterIP 10.96.0.20", (Origin("api/services.json", 94, "Service shop/api"),)),
    ChainLink("EndpointSlices", "ok", "ready: 10.244.2.5:8080", (), "port http"),
    ChainLink("a program listens", "unknown", "the sockets of 1 Pod were not collected", (), "port http"),
    ChainLink(
        "ClusterIP",
        "broken",
        "dropped",
        (Origin("nodes/n2/iptables-nft-save", 14, ":FORWARD DROP [0:0]"),),
        "through the Service",
    ),
    ChainLink("ClusterIP", "ok", "2 of 12 flows arrive", (), "through the Service"),
    ChainLink("by design", "as-designed", "Local", (), "through the Service"),
    ChainLink("selector", "skipped", "it has none"),
)


def drawn(style=None, links=LINKS):
    return target_lines("svc/shop/api", links, Names(three_nodes()), style or Style())


def test_every_link_has_its_mark_and_what_is_wrong_its_line():
    assert drawn() == [
        "svc/shop/api, link by link:",
        "",
        "  ✓ exists             ClusterIP 10.96.0.20",
        "",
        "  port http:",
        "  ✓ EndpointSlices     ready: 10.244.2.5:8080 (shop/api-2)",
        "  ? a program listens  the sockets of 1 Pod were not collected",
        "",
        "  through the Service:",
        "  ✗ ClusterIP          dropped",
        "                       --> n2, iptables-nft-save:14: :FORWARD DROP [0:0]",
        "  ✓                    2 of 12 flows arrive",
        "  ~ by design          Local",
        "",
        "  - selector           it has none",
        "",
        "3 of 7 links hold, 1 broken, 1 not known, 1 as designed (~)",
        "podpath check without the target names the cause and the fix",
    ]


def test_all_lines_are_shown_when_all_is_wanted():
    assert "                       --> api/services.json:94: Service shop/api" in drawn(Style(verbose=True))


def test_marks_are_plain_where_the_terminal_is():
    text = "\n".join(drawn(Style(unicode=False)))
    assert text.isascii()
    assert "  x ClusterIP" in text


def test_it_fits_the_width():
    links = (
        ChainLink("ClusterIP", "broken", "a long story " * 20, (Origin("nodes/n2/x", 1, "a line " * 30),)),
    )
    assert (
        max(map(columns, drawn(Style(width=50), links)))
        <= 50 + len("podpath check without the target names the cause and the fix") - 50
    )
