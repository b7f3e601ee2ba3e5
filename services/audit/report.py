"""What a check of the log says: findings, each about an entry, some entries, or a checkpoint."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong."""

    CHECKPOINT = "checkpoint"
    QUORUM = "quorum"
    FILE = "file"
    FORK = "fork"
    MISSING = "missing"
    SURPLUS = "surplus"
    ORDER = "order"
    CONTENT = "content"
    HASH = "hash"
    COLUMNS = "columns"
    JOURNAL = "journal"


TEXTS = {
    Kind.CHECKPOINT: ("a checkpoint is not signed by the log's key", "检查点不是由日志密钥签署"),
    Kind.QUORUM: ("the checkpoint is cosigned by too few witnesses", "检查点的见证方不足"),
    Kind.FILE: ("a file of the bundle is missing or damaged", "审计包内文件缺失或已损坏"),
    Kind.FORK: ("two signed checkpoints of one size differ", "同一长度有两个不同的已签署检查点"),
    Kind.MISSING: ("missing", "缺失"),
    Kind.SURPLUS: ("covered by no checkpoint", "没有检查点覆盖"),
    Kind.ORDER: ("out of its journal's order", "流水位置不连续"),
    Kind.CONTENT: ("not what was signed", "与签署的内容不符"),
    Kind.HASH: ("a stored hash is not that of the entries", "存储的哈希与条目不符"),
    Kind.COLUMNS: ("its search columns do not fit its event", "检索列与事件不符"),
    Kind.JOURNAL: ("not what the source's journal holds", "与来源流水不符"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with a text in both languages.

    It is about entry `first` when `last` is the same, about one or more from `first` to `last`
    when it is not, and about no entry when both are None.
    """

    kind: Kind
    first: int | None = None
    last: int | None = None
    detail: str = ""

    @property
    def en(self) -> str:
        place = {0: "", 1: f"entry {self.first}: ", 2: f"entries {self.first} to {self.last}: "}
        detail = f" ({self.detail})" if self.detail else ""
        return f"{place[self._number]}{TEXTS[self.kind][0]}{detail}"

    @property
    def zh(self) -> str:
        place = {0: "", 1: f"条目 {self.first}：", 2: f"条目 {self.first} 至 {self.last}："}
        detail = f"（{self.detail}）" if self.detail else ""
        return f"{place[self._number]}{TEXTS[self.kind][1]}{detail}"

    @property
    def _number(self) -> int:
        """0, 1, or 2 for several."""
        if self.first is None:
            return 0
        return 1 if self.first == self.last else 2


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome for a log: entries read, the root that they give, and the findings."""

    size: int
    root: bytes
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Nothing is wrong."""
        return not self.findings

    @property
    def first_bad_index(self) -> int | None:
        """The first entry that may be bad; None where none is, or only a checkpoint is."""
        return min((f.first for f in self.findings if f.first is not None), default=None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcome against a journal: entries that agree, journal entries not yet in the log."""

    agreed: int
    pending: int
    finding: Finding | None

    @property
    def sound(self) -> bool:
        """Nothing is wrong; what is pending is only late."""
        return self.finding is None
