"""What policies have learned, through reloads."""

from __future__ import annotations

from processors.tail_sampling.learning.memories import Memories
from processors.tail_sampling.policies.rare import Rare
from processors.tail_sampling.policy import Setting


def rare(memories: Memories, *, pipeline: str = "traces", name: str = "new-prompts") -> Rare:
    config = Rare.Config(keys=("k",))
    return Rare(name, config, Setting(memory=memories.of(pipeline)))


def test_a_policy_goes_on_with_what_its_predecessor_learned() -> None:
    memories = Memories()
    first = rare(memories)
    second = rare(memories)
    assert second._expectations is first._expectations
    del first
    assert rare(memories)._expectations is second._expectations


def test_of_policies_that_are_no_longer_there_nothing_stays() -> None:
    memories = Memories()
    first, other = rare(memories), rare(memories, name="other")
    assert len(memories.of("traces")) == 2
    del other
    assert len(memories.of("traces")) == 1
    del first
    assert not memories.of("traces")


def test_pipelines_learn_each_for_itself() -> None:
    memories = Memories()
    first, other = rare(memories), rare(memories, pipeline="traces/other")
    assert first._expectations is not other._expectations
