"""The contract as data."""

import pytest

from luoshu.client.contract import kebab, kinds, plural_of


@pytest.mark.parametrize(
    ("collection", "noun", "plural", "package"),
    [
        ("platforms", "Platform", "Platforms", "platforms"),
        ("breakthroughs", "Breakthrough", "Breakthroughs", "technologies"),
        ("applications", "Application", "Applications", "funding"),
        ("entries", "Entry", "Entries", "audit"),
    ],
)
def test_a_kind_knows_its_names(collection, noun, plural, package):
    kind = kinds()[collection]
    assert (kind.noun, kind.plural, kind.package) == (noun, plural, package)


def test_actions_are_the_calls_that_return_the_record_and_nothing_else():
    actions = kinds()["platforms"].actions
    assert actions["recognize"].name == "RecognizePlatform"
    assert not {"get", "create", "update", "list", "watch", "import", "batch-create"} & set(actions)


def test_an_action_of_several_words_has_hyphens():
    assert kebab("RequestCompletion") == "request-completion"


def test_plurals():
    assert [plural_of(word) for word in ("platform", "entry")] == ["platforms", "entries"]
