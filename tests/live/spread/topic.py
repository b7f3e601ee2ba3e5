"""What a topic holds, read without the code of the kernel."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from app.cluster.ports import Missing
from kernel.cloudevents import topic_of
from tests.invariants import Line


class Told(NamedTuple):
    """One message."""

    sequence: str
    value: bytes


def demand_topic(address: str, source: str, lines: Sequence[Line]) -> None:
    """I3: the topic has every line of a journal, byte for byte; it grows by one at a time, and repeats are legal."""
    top = 0
    for told in read(address, source):
        assert len(told.sequence) == 19
        position = int(told.sequence)
        assert position <= top + 1, f"{source}: {position} follows {top}"
        assert told.value == lines[position - 1].event, f"{source}: {position} differs"
        top = max(top, position)
    assert top == len(lines), f"{source}: the topic ends at {top}, the journal at {len(lines)}"


def positions(address: str, source: str) -> list[int]:
    return [int(told.sequence) for told in read(address, source)]


def sequences_by_kcat(address: str, source: str) -> list[int]:
    """Return the positions that librdkafka's own command sees. Raises Missing."""
    kcat = shutil.which("kcat") or shutil.which("kafkacat")
    if kcat is None:
        raise Missing("no kcat: apt-get install kcat", "没有 kcat：请运行 apt-get install kcat")
    where = ["-b", address, "-t", topic_of(source), "-p", "0", "-o", "beginning"]
    command = [kcat, "-C", "-q", "-e", *where, "-f", "%h\n"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    lines = done.stdout.decode().splitlines()
    headers = (dict(part.split("=", 1) for part in line.split(",")) for line in lines if line)
    return [int(header["ce_sequence"]) for header in headers]


def read(address: str, source: str) -> Iterator[Told]:
    """Yield every message, in order."""
    consumer: Any = KafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, auto_offset_reset="none"
    )
    partition = TopicPartition(topic_of(source), 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    consumer.seek(partition, 0)
    while consumer.position(partition) < end:
        for batch in consumer.poll(300).values():
            yield from (Told(dict(r.headers)["ce_sequence"].decode(), r.value) for r in batch)
    consumer.close()
