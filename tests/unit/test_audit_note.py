"""Signed notes and checkpoints, with the examples that Go's sumdb/note publishes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.keys import Malformed, Signer, generate, parse_signer, parse_verifier
from services.audit.note import (
    Checkpoint,
    Forged,
    parse,
    parse_checkpoint,
    sign,
    sign_checkpoint,
    verify,
    verify_checkpoint,
)

GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
    "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = Signer("log.example/henan", bytes(range(32)))
OTHER = Signer("log.example/henan", bytes(range(1, 33)))
ROOT = bytes(range(32))


def test_gos_example_note_is_verified() -> None:
    assert verify(GO_NOTE, parse_verifier(GO_VERIFIER)) == GO_TEXT


def test_gos_example_key_signs_gos_example_note() -> None:
    assert sign(GO_TEXT, parse_signer(GO_SIGNER)) == GO_NOTE
    assert parse_signer(GO_SIGNER).verifier.encoded() == GO_VERIFIER


def test_keys_come_back_from_their_text() -> None:
    made = generate("log.example/henan")
    assert parse_signer(made.encoded()) == made
    assert parse_verifier(made.verifier.encoded()) == made.verifier
    assert made != generate("log.example/henan")


def test_a_signer_never_shows_its_secret() -> None:
    secret = base64.b64encode(SIGNER.seed).decode()
    assert secret not in repr(SIGNER)
    assert repr(SIGNER.seed) not in repr(SIGNER)
    damaged = SIGNER.encoded().replace("+KEY+log", "+KEY+lug")
    with pytest.raises(Malformed) as caught:
        parse_signer(damaged)
    assert secret[4:20] not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x01b", "a\u3000b"])
def test_a_name_that_would_break_a_note_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        generate(name)


def test_a_checkpoint_says_origin_size_and_root() -> None:
    note = sign_checkpoint(7, ROOT, SIGNER)
    lines = note.split("\n")
    assert lines[:4] == ["log.example/henan", "7", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith("— log.example/henan ")
    assert verify_checkpoint(note, SIGNER.verifier) == Checkpoint("log.example/henan", 7, ROOT)


def test_extension_lines_are_signed_and_passed_over() -> None:
    note = sign(Checkpoint("log.example/henan", 7, ROOT).text() + "more\n", SIGNER)
    assert verify_checkpoint(note, SIGNER.verifier).size == 7


def test_every_flipped_bit_of_a_checkpoint_is_found() -> None:
    raw = bytearray(sign_checkpoint(7, ROOT, SIGNER).encode())
    for at in range(len(raw) * 8):
        raw[at // 8] ^= 1 << at % 8
        with pytest.raises((Malformed, Forged, UnicodeDecodeError)):
            verify_checkpoint(raw.decode(), SIGNER.verifier)
        raw[at // 8] ^= 1 << at % 8


def test_every_shortened_checkpoint_is_found() -> None:
    note = sign_checkpoint(7, ROOT, SIGNER)
    for length in range(len(note)):
        with pytest.raises((Malformed, Forged)):
            verify_checkpoint(note[:length], SIGNER.verifier)


def test_a_replaced_key_of_the_same_name_is_found() -> None:
    with pytest.raises(Forged, match="not signed by"):
        verify(sign_checkpoint(7, ROOT, OTHER), SIGNER.verifier)


def test_another_logs_checkpoint_is_refused_though_the_key_signed_it() -> None:
    note = sign(Checkpoint("log.example/else", 7, ROOT).text(), SIGNER)
    with pytest.raises(Forged, match=r"is of log\.example/else"):
        verify_checkpoint(note, SIGNER.verifier)


def test_a_bad_second_signature_of_the_key_spoils_the_note() -> None:
    note = sign_checkpoint(7, ROOT, SIGNER)
    wrong = sign_checkpoint(8, ROOT, SIGNER).rsplit("\n\n", 1)[1]
    with pytest.raises(Forged, match="does not fit"):
        verify(note + wrong, SIGNER.verifier)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    note = sign_checkpoint(7, ROOT, SIGNER)
    both = note + sign_checkpoint(7, ROOT, generate("witness.example")).rsplit("\n\n", 1)[1]
    assert verify_checkpoint(both, SIGNER.verifier).size == 7
    assert [line.name for line in parse(both)[1]] == ["log.example/henan", "witness.example"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n7\n",
        "log\n07\n" + base64.b64encode(ROOT).decode() + "\n",
        "log\n-7\n" + base64.b64encode(ROOT).decode() + "\n",
        "log\n٧\n" + base64.b64encode(ROOT).decode() + "\n",
        "log\n7\n" + base64.b64encode(ROOT[:31]).decode() + "\n",
        "log\n7\n" + base64.b64encode(ROOT).decode(),
        "\n7\n" + base64.b64encode(ROOT).decode() + "\n",
        "log\n7\n" + base64.b64encode(ROOT).decode() + "\n\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)


def test_a_key_with_a_foreign_hash_or_algorithm_is_refused() -> None:
    key = SIGNER.verifier.encoded()
    with pytest.raises(Malformed, match="does not fit"):
        parse_verifier(key.replace("+", "+0", 1))
    with pytest.raises(Malformed, match="PRIVATE"):
        parse_signer(key)
    name, key_hash, _ = key.split("+", 2)
    with pytest.raises(Malformed, match="Ed25519"):
        parse_verifier(f"{name}+{key_hash}+{base64.b64encode(bytes([6]) + ROOT).decode()}")


@given(st.text())
def test_any_text_is_refused_or_read_never_worse(text: str) -> None:
    for read in (parse, parse_checkpoint, parse_signer, parse_verifier):
        try:
            read(text)
        except Malformed:
            continue


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_signed_verifies_as_the_same_text(text: str) -> None:
    try:
        note = sign(text, SIGNER)
    except Malformed:
        return
    assert verify(note, SIGNER.verifier) == text
