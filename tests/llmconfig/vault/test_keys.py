"""Root keys: they wrap data keys for one context, and a keyring opens what an older key wrapped."""

from __future__ import annotations

import pytest

from llmconfig.vault import LocalRootKey, RootKeys, Unreadable, new_data_key, root_id_of

KEK = "a-key-encryption-key-of-some-length"
OTHER = "another-key-encryption-key-entirely"


def test_a_wrapped_key_unwraps() -> None:
    root, key = LocalRootKey(KEK), new_data_key()
    assert root.unwrap(root.wrap(key.material, context="org|id"), context="org|id") == key.material


def test_a_wrapped_key_is_bound_to_its_context() -> None:
    root = LocalRootKey(KEK)
    with pytest.raises(Unreadable):
        root.unwrap(root.wrap(new_data_key().material, context="org-1|id"), context="org-2|id")


def test_another_root_key_does_not_unwrap() -> None:
    wrapped = LocalRootKey(KEK).wrap(new_data_key().material, context="org|id")
    with pytest.raises(Unreadable, match="KEK"):
        LocalRootKey(OTHER).unwrap(wrapped, context="org|id")


def test_a_keyring_unwraps_what_an_older_key_wrapped_and_wraps_with_the_current() -> None:
    key = new_data_key().material
    ring = LocalRootKey(OTHER, KEK)
    assert ring.unwrap(LocalRootKey(KEK).wrap(key, context="c"), context="c") == key
    assert LocalRootKey(OTHER).unwrap(ring.wrap(key, context="c"), context="c") == key


@pytest.mark.parametrize("wrapped", [b"", b"v1", b"v1.00000000.", b"\xff\xfe.\xff.", b"v2.00000000.abc"])
def test_what_is_no_wrapped_key_is_unreadable(wrapped: bytes) -> None:
    with pytest.raises(Unreadable):
        LocalRootKey(KEK).unwrap(wrapped, context="c")


def test_key_material_is_not_in_a_repr() -> None:
    key = new_data_key()
    assert repr(key) == f"DataKey(key_id='{key.key_id}')"


def test_a_wrapped_key_names_its_root_key() -> None:
    root = LocalRootKey(KEK, OTHER)
    wrapped = root.wrap(new_data_key().material, context="c")
    assert root_id_of(wrapped) == root.key_id == LocalRootKey(KEK).key_id
    assert root.knows(root.key_id)
    assert root.knows(LocalRootKey(OTHER).key_id)
    assert not LocalRootKey(OTHER).knows(root.key_id)
    assert [root_id_of(text) for text in (b"", b"v1", b"v1.abc", b"v2.abc.x")] == ["", "", "", ""]


def test_of_several_root_keys_the_first_wraps_and_the_one_that_knows_unwraps() -> None:
    key = new_data_key().material
    first, second = LocalRootKey(KEK), LocalRootKey(OTHER)
    both = RootKeys(first, second)
    assert both.key_id == first.key_id
    assert first.unwrap(both.wrap(key, context="c"), context="c") == key
    assert both.unwrap(second.wrap(key, context="c"), context="c") == key
    assert both.knows(second.key_id)
    with pytest.raises(Unreadable):
        both.unwrap(LocalRootKey("a-third-key-encryption-key-entirely").wrap(key, context="c"), context="c")
