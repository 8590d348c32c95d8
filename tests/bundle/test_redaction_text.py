"""What is removed from the text of a node, and what the diagnosis needs stays as it was printed."""

import json

import pytest

from podpath.bundle import open_bundle, redact

GONE = b"<removed by podpath>"
SECRET = b"hunter2S3cr3t"
JWT = b"eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"
KEY = b"4OeUDb0pCdgUv2EAkkXS2lYNQaGqkDI8yZ+zKvCw5Us="
PUBLIC = b"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
PEM = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nhunter2S3cr3t\n-----END RSA PRIVATE KEY-----"


def clean(source, content, path="nodes/n1/"):
    """Redact a source of a node, and check what holds of every redaction."""
    after, removed = redact(path + source, content)
    assert after.count(b"\n") == content.count(b"\n")
    assert redact(path + source, after) == (after, [])
    assert bool(removed) == (after != content)
    assert not any(secret.decode() in str(removed) for secret in (SECRET, JWT, KEY))
    return after


def test_the_nodes_of_real_bundles_are_not_touched(packed_bundle):
    with open_bundle(packed_bundle) as bundle:
        nodes = (path for path in bundle.files() if not path.startswith("api/"))
        assert [path for path in nodes if redact(path, bundle.read(path))[1]] == []


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer %b", b"Authorization: Basic %b", b"authorization:[Bearer %b]", b"using Bearer %b now",
        b'{"Authorization":["Bearer %b"]}', b"proxy-authorization: %b", b"GET https://me:%b@10.0.0.1/x", b"postgres://u:a/%b@db",
        b"--token=%b", b"token=%b", b"password=%b", b"db_password: %b", b'"client_secret":"%b"', b'{\\"token\\":\\"%b\\"}',
        b"login with password: %b failed", b"apiKey='%b'", b"Cookie: session=%b", b"DB_PASS=%b", b"secret: %b",
        b'"password":"with \\" a quote %b"', b"bootstrap token: %b", b"https://x/?access_token=%b&v=1",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "source", ["logs", "kube-proxy.log", "dmesg", "again/logs", "pods/shop.web/logs", "unknown-file"]
)
def test_a_log_line_loses_its_secret(source, line):
    assert SECRET not in clean(source, b"before\n" + line % SECRET + b"\nafter\n")


@pytest.mark.parametrize(
    "line",
    [
        b'E1125 reflector.go:1 "Failed" err="invalid bearer token, Token has expired" key="kube-system/kube-dns:dns"',
        b"dial tcp 10.0.0.1:6443: i/o timeout", b'"Caches populated" type="*v1.Secret" tokenTTL="1h0m0s"',
        b'secret "kube-system/flannel-token-abcde" not found', b"flags: {etcdUsername: etcdPassword: version:false help:true}",
        b"Using /var/run/secrets/kubernetes.io/serviceaccount/token", b'MountVolume.SetUp failed for volume "kube-api-access"',
        b"TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.", b"anonymous-auth-token: false",
        b"https://10.0.0.1:6443/api?a=b@c", b"image docker.io/library/x@sha256:0123456789abcdef0123456789abcdef",
    ],
)  # fmt: skip
def test_a_log_line_without_a_secret_stays(line):
    assert clean("logs", line) == line


@pytest.mark.parametrize(
    "source", ["logs", "iptables-save", "kubelet-config.json", "unknown-file", "ip-link.json"]
)
@pytest.mark.parametrize(
    "secret", [JWT, JWT[:40], b"AKIAIOSFODNN7EXAMPLE", b"ghp_" + b"a1B2" * 9, b"http://u:p4ss@h/"]
)
def test_what_is_a_secret_by_its_looks_goes_from_any_file(source, secret):
    after = clean(source, b"a " + secret + b"\n")
    assert secret not in after
    assert GONE in after


@pytest.mark.parametrize("source", ["logs", "iptables-save", "kubelet-config.json"])
def test_a_private_key_goes_line_by_line(source):
    after = clean(source, b"a\n" + PEM + b"\nb\n")
    assert after == b"a\n" + b"\n".join([GONE] * 4) + b"\nb\n"


@pytest.mark.parametrize(
    "part",
    [PEM[:-40], PEM[35:], PEM.replace(b"\n", b"\\n"), PEM.replace(b"\n", b"\r\n"), PEM.replace(b"RSA ", b"")],
)
def test_a_private_key_goes_cut_off_or_escaped(part):
    assert SECRET not in clean("logs", b"a\n" + part + b"\nb: c\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"token: s\n", b"token: %b\n"),
        (b"  clientKey: s t\n", b"  clientKey: %b\n"),
        (b"- password: 's'\n", b"- password: '%b'\n"),
        (b'"token": s\n', b'"token": %b\n'),
        (b"token: |\n  s\n  t\nmode: a\n", b"token: |\n  %b\n  %b\nmode: a\n"),
        (b"a:\n  token: |\n    s\n  mode: a\n", b"a:\n  token: |\n    %b\n  mode: a\n"),
        (b"PrivateKey = s\n", b"PrivateKey = %b\n"),
    ],
)
def test_yaml_keeps_its_lines_and_loses_its_secrets(before, after):
    assert clean("kube-proxy-config.json", before) == after.replace(b"%b", GONE)


@pytest.mark.parametrize(
    "line",
    [
        b"tokenFile: /x/token", b"tlsPrivateKeyFile: /pki/kubelet.key", b"secretName: x", b"token: null", b"tokens: []",
        b"authorization:\n  mode: Webhook", b"token:\n  cacheTTL: 2m", b"certificate-authority-data: TFMwdExTMUNS",
    ],
)  # fmt: skip
def test_configuration_that_only_says_where_a_secret_is_stays(line):
    assert clean("kubelet-config.json", line) == line


def test_configuration_in_json_stays_json():
    config = {
        "authentication": {"webhook": {"enabled": True}, "token": 'a"b\\', "x": 'password=a\\"b c'}, "authorization": {"mode": "Webhook"},
        "clientKey": "s", "pwd": 123, "secret": None, "nested": json.dumps({"token": 'x"y'}),
    }  # fmt: skip
    for indent in (None, 2):
        after = json.loads(clean("kubelet-config.json", json.dumps(config, indent=indent).encode()))
        assert after.keys() == config.keys()
        assert after["clientKey"] == after["authentication"]["token"] == GONE.decode()


@pytest.mark.parametrize("source", ["iptables-save", "nft-list-ruleset", "conntrack", "ss", "ip-link.json"])
def test_what_the_kernel_prints_has_no_names_with_secrets_behind_them(source):
    rule = b'-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "vault/secret:http token=x password: y" -j KUBE-SEP-AAAA\n'
    assert clean(source, rule) == rule


def test_calicos_rule_hashes_stay():
    rule = b'-A cali-FORWARD -m comment --comment "cali:eyJvjbE69TxrIiuy" -j ACCEPT\n'
    assert clean("iptables-save", rule) == rule


def test_wireguard_keeps_public_keys_only():
    dump = b"wg0\t%b\t%b\t51820\toff\nwg0\t%b\t%b\t192.0.2.1:51820\t10.0.0.0/24\t0\t1\t2\t25\nwg0\t%b\t(none)\t(none)\t(none)\t0\t0\t0\toff\n"
    assert clean("wg-show", dump % (KEY, PUBLIC, PUBLIC, KEY, PUBLIC)) == dump % (
        GONE,
        PUBLIC,
        PUBLIC,
        GONE,
        PUBLIC,
    )


@pytest.mark.parametrize(
    "line", [b"%b\t%b\t51820\toff", b"wg0\t%b", b"wg0 %b %b", b"PrivateKey = %b %b", b"wg0\t%b\t%b\t1\r"]
)
def test_wireguard_of_another_shape_keeps_no_private_key(line):
    assert KEY not in clean("wg-show", line.replace(b"%b", KEY, 1).replace(b"%b", PUBLIC) + b"\n")


def test_ipsec_keeps_algorithms_and_loses_keys():
    state = (
        b"src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0xc1f3a9d2 reqid 1 mode tunnel\n"
        b"\tauth-trunc hmac(sha256) 0x%b 128\n\tenc cbc(aes) 0x%b\n\taead rfc4106(gcm(aes)) 0x%b 128\n\tmark 0x1/0xff\n"
    )
    after = clean("xfrm-state", state.replace(b"%b", b"00aaBB" * 8))
    assert after == state.replace(b"0x%b", GONE)


def test_the_kernels_own_keys_go_unless_they_are_not_set():
    lines = (
        b"net.ipv4.tcp_fastopen_key = %b\nnet.ipv6.conf.eth0.stable_secret = %b\nnet.ipv4.ip_forward = 1\n"
    )
    unset = lines.replace(b"%b", b"00000000-00000000-00000000-00000000")
    assert clean("sysctl", unset) == unset
    assert clean("sysctl", lines.replace(b"%b", b"8a3f0000-00000000-00000000-00000001")) == lines.replace(
        b"%b", GONE
    )


def test_bytes_that_are_not_utf_8_are_kept():
    assert clean("logs", b"\xff\xfe token=abc \x80\n\x00") == b"\xff\xfe token=" + GONE + b" \x80\n\x00"


def test_what_was_removed_is_told_by_line_and_reason():
    assert redact("nodes/n1/logs", b"a\n\ntoken=x y\nBearer abc123d")[1] == [
        "line 3: secret by its name",
        "line 4: authorization header",
    ]


def test_the_manifest_stays_a_manifest():
    content = b'{"schema":"podpath.bundle/v1","created":"2026-11-25T01:46:31Z","sources":{"nodes/n1/ss":{"asked":"curl --token=x1"}}}'
    assert json.loads(clean("manifest.json", content, path=""))["sources"]["nodes/n1/ss"] == {
        "asked": f"curl --token={GONE.decode()}"
    }
