"""C2SP tlog-policy: whom to trust, and how many of them."""

import re

import pytest

from services.audit.keys import Signer
from services.audit.policy import NONE, PolicyError, parse_policy, quorum_of
from services.audit.suites import COSIGNATURE

LOG = Signer("log.example/henan", bytes(32)).verifier.encoded()
KEYS = {n: Signer(f"w/{n}", bytes([i] * 32), COSIGNATURE).verifier for i, n in enumerate("ABCD", 1)}
WITNESSES = "".join(f"witness {name} {key.encoded()} http://{name}\n" for name, key in KEYS.items())
NESTED = f"""# two departments, and one of the others
log {LOG} https://log.example

{WITNESSES}
group first 2 A B
group second any C D
\tgroup both all first second
quorum both
"""


def test_a_policy_written_and_read_again_is_the_same() -> None:
    policy = parse_policy(NESTED)
    assert parse_policy(policy.text()) == policy
    assert [w.url for w in policy.witnesses] == ["http://A", "http://B", "http://C", "http://D"]


@pytest.mark.parametrize(
    ("signed", "settled"),
    [("AB", False), ("ABD", True), ("ABCD", True), ("ACD", False), ("", False)],
)
def test_groups_within_groups_are_counted(signed: str, settled: bool) -> None:
    assert parse_policy(NESTED).is_settled([f"w/{name}" for name in signed]) is settled


def test_a_quorum_of_none_asks_for_nobody() -> None:
    assert parse_policy(f"log {LOG}\nquorum none\n").is_settled([])


def test_a_quorum_counts_the_named_departments_only() -> None:
    policy = quorum_of(parse_policy(WITNESSES), 2, ["A", "B", "Z"])
    assert policy.is_settled(["w/A", "w/B"])
    assert not policy.is_settled(["w/A", "w/C", "w/D"])


def test_with_too_few_witnesses_there_is_no_quorum() -> None:
    assert quorum_of(parse_policy(WITNESSES), 2, ["A", "Z"]).quorum == NONE


@pytest.mark.parametrize(
    "wrong",
    [
        "hello",
        "log",
        "log nokey",
        f"log {KEYS['A'].encoded()}",
        f"witness A {LOG}",
        f"witness none {KEYS['A'].encoded()}",
        f"{WITNESSES}witness A {KEYS['A'].encoded()}",
        f"{WITNESSES}group g 2 A Z",
        f"{WITNESSES}group g 3 A B",
        f"{WITNESSES}group g 0 A B",
        f"{WITNESSES}group g some A B",
        f"{WITNESSES}group A 1 B",
        "quorum A",
        "quorum none\nquorum none",
    ],
)
def test_what_is_no_policy_is_refused_with_its_line(wrong: str) -> None:
    number = len(wrong.splitlines())
    with pytest.raises(PolicyError, match=f"line {number}: ") as caught:
        parse_policy(wrong)
    reason = caught.value.zh.removeprefix(f"第 {number} 行：")
    assert re.search("[\u4e00-\u9fff]", reason), "the reason is in Chinese too"
