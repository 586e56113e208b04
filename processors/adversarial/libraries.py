"""What has to be installed beside the package itself."""

from __future__ import annotations

from importlib.util import find_spec

from pipeline.errors import StartError


def require_numpy(who: str) -> None:
    """Return where the model can be used.

    Raises:
        StartError: NumPy is not there; the text has the command that helps.
    """
    if find_spec("numpy") is None:
        raise StartError(f'{who}: the model needs a library: pip install "penstock[adversarial]"')


__all__ = ["require_numpy"]
