"""Addresses that no client may reach, as somebody who wants to would write them. Promise 13 sends each through every sink."""

from __future__ import annotations

from typing import Final

from tests.llmconfig.net.test_addresses import METADATA, PRIVATE, RESERVED

_LITERALS: Final = [
    f"http://[{address}]/v1" if ":" in address else f"http://{address}/v1"
    for address in (*PRIVATE, *RESERVED, *METADATA)
    if "%" not in address
]
_SPELLINGS: Final = [
    "http://2130706433/",  # decimal
    "http://2852039166/latest/meta-data/",
    "http://0x7f000001/",
    "http://0x7F.0.0.1/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0251.0376.0251.0376/",
    "http://0251.254.169.254/",  # a mixture
    "http://127.1/",
    "http://127.0.1/",
    "http://0x7f.1/",
    "http://169.254.43518/",
    "http://0/",
    "http://127.0.0.1./",
    "http://127.0.0.1../",
    "http://00000177.0.0.1/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[::FFFF:169.254.169.254]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::a9fe:a9fe%251]/",
    "http://[::1%25lo]/",
    "http://1681301776/",  # Azure's wire server
    "http://0x64.0x64.0x64.0xc8/",  # Alibaba's
]
_TRICKS: Final = [
    "http://127\u30020\u30020\u30021/",  # ideographic full stops
    "http://169.254.169.254\u3002/",
    "http://127\uff0e0\uff0e0\uff0e1/",  # full-width ones
    "http://127\uff610\uff610\uff611/",  # half-width ones
    "http://\uff11\uff12\uff17.0.0.1/",  # full-width digits
    "http://\u2460\u2461\u2466.0.0.1/",  # circled ones
    "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/",
    "http://\u2113ocalhost/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://%6c%6f%63alhost/",
    "http://api.example.com@127.0.0.1/",
    "http://api.example.com:443@127.0.0.1/",
    "http://user:password@169.254.169.254/",
    "http://api.example.com\\@127.0.0.1/",
    "http://127.0.0.1\\@api.example.com/",
    "http://127.0.0.1%2f@api.example.com@10.0.0.1/",
    "http://a#@127.0.0.1/",
    "http://a?@127.0.0.1/",
    "http://127.0.0.1#.example.com/",
    "http://127.0.0.1?.example.com/",
    "http://127.0.0.1;.example.com/",
    "http://127.0.0.1\t/",
    "http://127.0.0.1\r\nHost: api.example.com/",
    " http://127.0.0.1/",
    "http://127.0.0.1 /",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "//127.0.0.1/",
    "http:///127.0.0.1/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:80:443/",
    "http://127.0.0.1:+80/",
    "http://127.0.0.1:\uff18\uff10/",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://[]/",
    "HTTP://LOCALHOST/",
    "http://LocalHost./",
    "http://localhost:6379/",
    "http://printer.localhost/",
    "https://localhost/",
    "http+unix://%2fvar%2frun%2fdocker.sock/v1/containers",
    "unix:///var/run/docker.sock",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://127.0.0.1/",
    "dict://127.0.0.1:6379/info",
    "ws://127.0.0.1/",
    "data:text/plain,x",
    "javascript:alert(1)",
]
NAMES: Final = {
    "metadata.google.internal": ["169.254.169.254"],
    "metadata": ["169.254.169.254"],
    "instance-data.ec2.internal": ["fd00:ec2::254"],
    "wire.azure.example": ["168.63.129.16"],
    "alibaba.example": ["100.100.100.200"],
    "router": ["192.168.1.1"],
    "intranet.example": ["10.0.4.12"],
    "loop.example": ["127.0.0.1"],
    "loop6.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "translated.example": ["64:ff9b::a9fe:a9fe"],
    "localtranslated.example": ["64:ff9b:1::7f00:1"],
    "sixtofour.example": ["2002:7f00:1::"],
    "teredo.example": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "isatap.example": ["2606:4700::5efe:10.0.0.1"],
    "any.example": ["0.0.0.0"],  # noqa: S104  not bound, answered
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "mixed6.example": ["2606:4700::1111", "93.184.216.34", "fd00::1"],
    "alias.example": ["10.96.0.1"],  # at the end of a chain of CNAMEs, of which a resolver tells the last answer
    "ip6-localhost": ["::1"],  # in /etc/hosts
    "kubernetes.default.svc": ["10.96.0.1"],
    "xn--bcher-kva.example": ["10.0.0.9"],
}
"""Names and what a resolver answers."""
URLS: Final = (
    *_LITERALS,
    *_SPELLINGS,
    *_TRICKS,
    *(f"{scheme}://{name}{end}" for name in NAMES for scheme, end in (("http", "/v1"), ("https", ":8443"))),
    "http://METADATA.Google.Internal./computeMetadata/v1/",
    "http://b\u00fccher.example/",
    "http://127.0.0.1.nip.example/",
)
ANSWERS: Final = {**NAMES, "METADATA.Google.Internal.": ["169.254.169.254"], "metadata.google.internal.": ["169.254.169.254"]}
ANSWERS["127.0.0.1.nip.example"] = ["127.0.0.1"]
LISTED: Final = (
    "169.254.169.254:*",
    "[fd00:ec2::254]:*",
    "metadata.google.internal:*",
    "168.63.129.16:*",
    "100.100.100.200:80",
    "0.0.0.0:*",
)
"""What an operator might list in error: metadata addresses stay forbidden all the same."""
