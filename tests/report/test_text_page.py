"""Pages of checks, drawn."""

from podpath.report.style import Style
from podpath.report.text_page import list_lines, page_lines

PAGE = """A node drops what it should forward.

    ## Why it breaks

    ``FORWARD`` has the policy *DROP*, and **nothing** accepts what Pods send: this sentence is long enough to be wrapped.

    - first
      goes on
    - second

    ## See it by hand

        iptables -S FORWARD | head -1
        -P FORWARD DROP

        ip route
    """


def test_a_page_has_headings_paragraphs_lists_and_code():
    assert page_lines("some-fault", PAGE, Style(width=60)) == [
        "some-fault: A node drops what it should forward.",
        "",
        "Why it breaks",
        "",
        "  FORWARD has the policy DROP, and nothing accepts what Pods",
        "  send: this sentence is long enough to be wrapped.",
        "",
        "  - first goes on",
        "  - second",
        "",
        "See it by hand",
        "",
        "    iptables -S FORWARD | head -1",
        "    -P FORWARD DROP",
        "",
        "    ip route",
    ]


def test_stars_of_commands_are_no_emphasis():
    assert "sysctl net.ipv4.conf.*.rp_filter * 2" in "\n".join(
        page_lines("x", "sysctl net.ipv4.conf.*.rp_filter * 2", Style())
    )


def test_the_list_has_a_line_a_check():
    assert list_lines({"b-fault": "Second", "a": "First"}, Style()) == ["a        First", "b-fault  Second"]
