"""Personal data: a keyed commitment in the record and the journal, the value beside it under the subject's own key.

Destroying a subject's key makes its values unreadable and its commitments unlinkable; nothing else has to change.
Commitment: HMAC-SHA256; value: AES-256-GCM with the commitment as associated data (NIST SP 800-38D).
"""

import hashlib
import hmac
import secrets
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from kernel.errors import Invalid
from luoshu.journal.v1 import journal_pb2

PREFIX = "pc1:"
_PREFIX = PREFIX.encode()
NONCE = 12  # bytes


class Sealed(NamedTuple):
    """A value beside its record: in the order of the table's columns."""

    commitment: str
    subject: str
    value: bytes


class Vault:
    """What needs the service's secret. `secret`: 32 bytes, never in a database."""

    def __init__(self, secret: bytes) -> None:
        self._pseudonyms = _derived(secret, b"pseudonyms")
        self._wrapping = AESGCM(_derived(secret, b"subject keys"))

    def subject_of(self, identity: str) -> str:
        """Return a pseudonym: 26 characters that say nothing by themselves."""
        digest = hmac.digest(self._pseudonyms, _normal(identity).encode(), hashlib.sha256)
        return f"ps1-{_base64(digest[:16])}"

    def new_key(self) -> bytes:
        """Return a fresh subject key, wrapped."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._wrapping.encrypt(nonce, secrets.token_bytes(32), b"")

    def unwrap(self, wrapped: bytes) -> bytes:
        return self._wrapping.decrypt(wrapped[:NONCE], wrapped[NONCE:], b"")

    def opens(self, wrapped: bytes) -> bool:
        """Tell whether a subject key was wrapped with this secret."""
        try:
            return bool(self.unwrap(wrapped))
        except InvalidTag:
            return False


def commitment(key: bytes, field: str, value: str) -> str:
    """Return `pc1:` and 43 characters, the same for the same key, field and value."""
    return PREFIX + _base64(hmac.digest(key, f"{field}\0{value}".encode(), hashlib.sha256))


def seal(key: bytes, mark: str, subject: str, value: str) -> Sealed:
    nonce = secrets.token_bytes(NONCE)
    cipher = AESGCM(_derived(key, b"values"))
    return Sealed(mark, subject, nonce + cipher.encrypt(nonce, value.encode(), mark.encode()))


def unseal(key: bytes, mark: str, value: bytes) -> str | None:
    """Return the value. None: it was sealed under an earlier key of the subject, which was destroyed."""
    cipher = AESGCM(_derived(key, b"values"))
    try:
        return cipher.decrypt(value[:NONCE], value[NONCE:], mark.encode()).decode()
    except InvalidTag:
        return None


def commit(record: Any, old: Any, vault: Vault, key_of: Callable[[str], bytes]) -> list[Sealed]:
    """Put commitments where values were, and return the values to keep beside. Raises Invalid.

    `old`: the record before, or None; a commitment that it already has is left as it is.
    `key_of`: subject → its unwrapped key, made where there is none.
    """
    before = [] if old is None else [person for _, person in people(old)]
    kept = {mark: person.subject for person in before for mark in _marks(person)}
    return [s for path, p in people(record) for s in _commit_person(path, p, kept, vault, key_of)]


def _commit_person(
    path: str, person: Any, kept: dict[str, str], vault: Vault, key_of: Callable[[str], bytes]
) -> Iterator[Sealed]:
    said = {f: getattr(person, f) for f in personal_fields(person.DESCRIPTOR)}
    foreign = [f for f, v in said.items() if v.startswith(PREFIX) and v not in kept]
    if foreign:
        raise Invalid(
            f"{path}.{foreign[0]}: a commitment is not a value; give the value itself",
            f"{path}.{foreign[0]}：不能填写承诺值，请填写原始内容",
            field=f"{path}.{foreign[0]}",
        )
    plain = {f: v for f, v in said.items() if v and not v.startswith(PREFIX)}
    before = {kept[v] for v in said.values() if v.startswith(PREFIX)}
    person.subject = _subject(path, plain, before, vault)
    key = key_of(person.subject) if plain else b""
    for field, value in plain.items():
        mark = commitment(key, field, value)
        setattr(person, field, mark)
        yield seal(key, mark, person.subject, value)


def present_subject(person: Any, vault: Vault) -> str:
    """Return the pseudonym that a person has or will get: the one it stands under, else by what is given of it."""
    said = {f: getattr(person, f) for f in personal_fields(person.DESCRIPTOR)}
    plain = {f: v for f, v in said.items() if v and not v.startswith(PREFIX)}
    return vault.subject_of(_identity(plain)) if plain else str(person.subject)


def _subject(path: str, plain: dict[str, str], before: set[str], vault: Vault) -> str:
    """Return whose values these are: of those left as they were, else by what is given. Raises Invalid: of two persons."""
    subjects = set(before)
    if plain and ("identity_number" in plain or not before):
        subjects.add(vault.subject_of(_identity(plain)))
    if len(subjects) > 1:
        raise Invalid(
            f"{path}: another identity number is another person; give all of its values",
            f"{path}：身份证件号码不同即为另一人；请完整填写该人员的全部信息",
            field=path,
            reason="TWO_PERSONS",
        )
    return subjects.pop() if subjects else ""


def subject_of(person: Any, vault: Vault) -> str:
    """Return the pseudonym that a person's values lead to. Raises Invalid: nothing is said of it."""
    plain = {f: v for f in personal_fields(person.DESCRIPTOR) if (v := getattr(person, f))}
    if not plain:
        raise Invalid(
            "person: say who, by the identity number or by all that was registered",
            "person：请填写身份证件号码，或登记时填写的全部信息",
            field="person",
        )
    return vault.subject_of(_identity(plain))


def reveal(record: Any, values: dict[str, str]) -> None:
    """Put values where commitments stand; one that is not in `values` (its key is gone) stays."""
    for _, person in people(record):
        for field in personal_fields(person.DESCRIPTOR):
            value = values.get(getattr(person, field))
            if value is not None:
                setattr(person, field, value)


def conceal(record: Any) -> None:
    """Take out commitments and pseudonyms: they would tell, and leave no trace, whether a guess is a person who is known."""
    for _, person in people(record):
        for mark in personal_fields(person.DESCRIPTOR):
            if getattr(person, mark).startswith(PREFIX):
                person.ClearField(mark)
        person.ClearField("subject")


def commitments(record: Any) -> list[str]:
    """Return the commitments that a record holds."""
    return [mark for _, person in people(record) for mark in _marks(person)]


def subjects(record: Any) -> list[str]:
    """Return the pseudonyms of the persons that a record names."""
    return [person.subject for _, person in people(record) if person.subject]


def _marks(person: Any) -> list[str]:
    values = (getattr(person, field) for field in personal_fields(person.DESCRIPTOR))
    return [value for value in values if value.startswith(PREFIX)]


def _identity(plain: dict[str, str]) -> str:
    """The document's number tells a person; without one, what else was said of it."""
    return plain.get("identity_number") or "\0".join(plain[field] for field in sorted(plain))


def names_persons(body: bytes) -> bool:
    """Tell whether a record's bytes may hold a commitment; where they hold none, nothing has to be revealed or concealed."""
    return _PREFIX in body


def names_somebody(record: Any) -> bool:
    """Tell whether a record has a message that holds personal data."""
    return next(people(record), None) is not None


def people(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, message) for every message in the record that holds personal data."""
    return _people(record, "")


def _people(message: Any, path: str) -> Iterator[tuple[str, Any]]:
    if personal_fields(message.DESCRIPTOR):
        yield path.rstrip("."), message
    for field in _ways(message.DESCRIPTOR):
        if field.is_repeated:
            for index, item in enumerate(getattr(message, field.name)):
                yield from _people(item, f"{path}{field.name}[{index}].")
        elif message.HasField(field.name):
            yield from _people(getattr(message, field.name), f"{path}{field.name}.")


@lru_cache(maxsize=256)
def personal_fields(descriptor: Descriptor) -> tuple[str, ...]:
    """Return the names of a message's own fields that are marked personal."""
    option = journal_pb2.personal
    return tuple(f.name for f in descriptor.fields if f.GetOptions().Extensions[option])


@lru_cache(maxsize=256)
def _ways(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields of a message through which personal data can be reached."""
    return tuple(f for f in descriptor.fields if f.message_type and _holds(f.message_type))


@lru_cache(maxsize=256)
def _holds(descriptor: Descriptor) -> bool:
    inner = (f.message_type for f in descriptor.fields if f.message_type is not None)
    return bool(personal_fields(descriptor)) or any(_holds(d) for d in inner)


def holds_personal(descriptor: Descriptor) -> bool:
    """Tell whether a record of this type can hold personal data."""
    return _holds(descriptor)


def _normal(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"luoshu " + purpose, hashlib.sha256)


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
