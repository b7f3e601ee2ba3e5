"""What protovalidate found, in Chinese that needs no regular expressions."""

import pytest

from kernel.rules import Rules
from kernel.violations import WORDS
from luoshu.coordination.v1 import coordination_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb

RULES = Rules()


@pytest.mark.parametrize(
    ("message", "field", "text"),
    [
        (pb.Platform(), "kind", "必填"),
        (pb.Platform(division="郑"), "division", "应为 6 位行政区划代码，如 410100"),
        (
            pb.Platform(supporting_unit_code="1"),
            "supporting_unit_code",
            "应为 18 位统一社会信用代码",
        ),
        (pb.Platform(predecessors=["x"]), "predecessors[0]", "应为记录名称，如 platforms/abc-1"),
        (
            coordination_pb2.OpineReviewRequest(),
            "verdict",
            "请选择：AGREE、AGREE_WITH_CONDITIONS、OBJECT、RECUSE",
        ),
    ],
)
def test_a_broken_rule_is_told_in_words(message, field, text):
    told = {problem.field: problem.zh for problem in RULES.broken(message)}
    assert told[field] == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (pb.Platform(division="郑"), "must be a division's code of 6 digits, such as 410100"),
        (pb.Platform(predecessors=["x"]), "must be a record's name, such as platforms/abc-1"),
        (pb.Platform(), "is required"),
        (
            pb.CreatePlatformRequest(platform_id="X"),
            "must be 3 to 63 lower-case letters, digits or hyphens, a letter first",
        ),
        (
            pb.CreatePlatformRequest(request_id="号"),
            "must be at most 64 letters, digits, or . _ : / -, such as a UUID",
        ),
    ],
)
def test_a_pattern_is_told_in_english_words_too(message, text):
    assert text in {problem.en for problem in RULES.broken(message)}


def test_every_pattern_that_has_words_has_them_in_both_languages():
    assert [pattern for pattern, wanted in WORDS.items() if not (wanted.zh and wanted.en)] == []
