"""Which proxy an address is reached by."""

import pytest

from petops.config.network import proxy_for, trusted

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "none", "expected"),
    [
        ("https://sqs.us-east-1.amazonaws.com", "", PROXY),
        ("http://prometheus.example", "", None),
        ("wss://wss-primary.slack.com/link", "", PROXY),
        ("https://10.0.12.7:443", "10.0.0.0/16", None),
        ("https://10.1.12.7", "10.0.0.0/16", PROXY),
        ("https://[fd00::1]/", "fd00::/8", None),
        ("https://kubernetes.default.svc", "localhost,.svc,.cluster.local", None),
        ("https://notsvc", ".svc", PROXY),
        ("https://svc", ".svc", None),
        ("https://a.example.com", "example.com", None),
        ("https://an-example.com", "example.com", PROXY),
        ("https://a.example.com:8443", "example.com:443", PROXY),
        ("https://a.example.com:8443", "*.example.com:8443", None),
        ("https://anything", "*", None),
        ("https://anything", " , ,", PROXY),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(
    url: str, none: str, expected: str | None
) -> None:
    assert proxy_for(url, {"https": PROXY, "no": none}) == expected


def test_a_proxy_without_a_scheme_is_http() -> None:
    assert proxy_for("https://a.example", {"all": "proxy:3128"}) == "http://proxy:3128"


def test_ssl_cert_file_is_passed_on_unless_a_bundle_is_set() -> None:
    assert trusted({"SSL_CERT_FILE": "/ca.pem"}) == {"REQUESTS_CA_BUNDLE": "/ca.pem"}
    assert not trusted({"SSL_CERT_FILE": "/ca.pem", "REQUESTS_CA_BUNDLE": "/b.pem"})
    assert not trusted({})
