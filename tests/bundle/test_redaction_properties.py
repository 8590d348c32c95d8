"""What holds of redaction whatever the content is."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from podpath.bundle import redact

PATHS = st.sampled_from([
    "nodes/n1/logs", "nodes/n1/kubelet-config.json", "nodes/n1/iptables-save", "nodes/n1/wg-show", "nodes/n1/xfrm-state",
    "nodes/n1/sysctl", "nodes/n1/unheard-of", "nodes/n1/pods/a.b/logs", "observations.json", "api/pods.json",
])  # fmt: skip
PIECES = st.sampled_from([
    b"token", b"password", b"api_key", b"Authorization", b"Bearer ", b"=", b": ", b":", b'"', b"'", b"\\", b'\\"', b"{", b"}", b"[",
    b"<removed by podpath>", b"<removed", b"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ9", b"AKIAIOSFODNN7EXAMPLE", b"http://", b"u:p@", b"/",
    b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----", b"TUlJ", b"|\n", b"\n", b"\r\n", b"  ", b"\t", b"- ", b"0x00ff",
    b"enc cbc(aes) ", b"tcp_fastopen_key = ", b"4OeUDb0pCdgUv2EAkkXS2lYNQaGqkDI8yZ+zKvCw5Us=", b"0123456789abcdef0123456789abcdef",
    b"cookie: ", b"\xff", b"\0", b"hunter2", b"--", b"-u ", b"null", b"kind:",
])  # fmt: skip
TEXT = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(PIECES, st.binary(max_size=3)), max_size=30).map(b"".join)
)

WORDS = st.sampled_from(["--token", "--x", "-u", "password=a b", "a:b", "token: x", "http://u:p@h", "k", ""])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    WORDS,
)
KEYS = st.sampled_from([
    "metadata", "annotations", "managedFields", "env", "args", "command", "data", "binaryData", "name", "value", "kind", "password",
    "labels", "spec", "items", "httpHeaders", "kubectl.kubernetes.io/last-applied-configuration", "Corefile", "é",
])  # fmt: skip
JSON = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5))
)


@given(PATHS, TEXT)
def test_redaction_never_raises_is_done_once_and_keeps_lines(path, content):
    clean, removed = redact(path, content)
    assert redact(path, clean) == (clean, [])
    assert bool(removed) == (clean != content)
    if not path.startswith("api/"):
        assert clean.count(b"\n") == content.count(b"\n")


@given(st.sampled_from(["pods", "configmaps", "secrets"]), JSON, st.sampled_from([None, 4]))
def test_objects_of_any_shape_stay_json_and_are_done_once(plural, value, indent):
    path = f"api/{plural}.json"
    clean, removed = redact(path, json.dumps(value, indent=indent).encode())
    json.loads(clean)
    assert redact(path, clean) == (clean, [])
    assert bool(removed) == (json.loads(clean) != value)


@given(st.sampled_from(["logs", "kubelet-config.json", "unheard-of"]), JSON)
def test_json_among_free_text_stays_json(source, value):
    json.loads(redact(f"nodes/n1/{source}", json.dumps(value).encode())[0])


SECRETS = st.text(st.sampled_from("abcXYZ0189_-/+"), min_size=8, max_size=60).map(lambda text: f"Q7{text}")
NOISE = st.text(st.sampled_from("ab \n:=\"'{},.é"), max_size=30)


@given(
    NOISE,
    NOISE,
    SECRETS,
    st.sampled_from(
        ["password=%s", "token: %s", '"apiKey":"%s"', "Authorization: Bearer %s", "http://u:%s@h"]
    ),
)
def test_a_secret_planted_in_a_log_is_gone(before, after, secret, shape):
    content = f"{before} {shape % secret} {after}".encode()
    clean, removed = redact("nodes/n1/logs", content)
    assert secret.encode() not in clean
    assert secret not in str(removed)


@given(SECRETS, st.lists(st.sampled_from(["spec", "template", "x", "list"]), max_size=4))
def test_a_secret_planted_in_an_object_is_gone(secret, path):
    item = {
        "env": [{"name": "DATABASE", "value": secret}],
        "annotations": {"x/db-password": secret},
        "args": [f"--token={secret}"],
    }
    for key in path:
        item = {key: [item] if key == "list" else item}
    clean, removed = redact("api/pods.json", json.dumps({"items": [item]}).encode())
    assert secret.encode() not in clean
    assert secret not in str(removed)


@given(SECRETS, st.data())
def test_a_secret_in_a_list_that_is_cut_off_or_damaged_is_gone(secret, data):
    whole = json.dumps(
        {"items": [{"env": [{"name": "A", "value": secret}], "data": {"k": f'a"{secret}'}}]}, indent=1
    ).encode()
    at = data.draw(st.integers(0, len(whole)))
    content = data.draw(
        st.sampled_from([whole[:at], whole[:at] + b'"' + whole[at:], whole[:at] + b"\\" + whole[at:]])
    )
    assume(not is_json(content))
    assert secret.encode() not in redact("api/configmaps.json", content)[0]


def is_json(content):
    try:
        json.loads(content)
    except ValueError:
        return False
    return True
