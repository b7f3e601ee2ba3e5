"""What a publisher makes of the offsets that a broker acknowledges, and what a message is summed with."""

import pytest
from kafka.record import util as record

from kernel.kafka import KafkaPublisher


@pytest.fixture
def publisher() -> KafkaPublisher:
    """One that has had everything before offset 5 acknowledged."""
    publisher = KafkaPublisher("127.0.0.1:1")
    publisher._ends["platforms"] = 5
    return publisher


@pytest.mark.parametrize(
    ("offsets", "end"), [([5, 6], 7), ([9], 10), ([-1, -1], 5), ([-1, 6, 7], 8)]
)
def test_a_repeat_whose_offset_is_not_told_is_no_loss(
    publisher: KafkaPublisher, offsets: list[int], end: int
) -> None:
    assert publisher._checked("platforms", offsets) == end


def test_a_messages_checksum_is_not_made_in_python() -> None:
    assert record.crc32c_c is not None
    assert record.calc_crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
