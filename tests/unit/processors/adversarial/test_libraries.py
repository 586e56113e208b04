"""Without NumPy there is an error that says what to install."""

from __future__ import annotations

import pytest

from pipeline.errors import StartError
from processors.adversarial.libraries import require_numpy


def test_with_numpy_nothing_happens() -> None:
    require_numpy("adversarial")


def test_without_numpy_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.adversarial.libraries.find_spec", lambda name: None)
    with pytest.raises(StartError, match=r'adversarial/in: .* pip install "penstock\[adversarial\]"'):
        require_numpy("adversarial/in")
