"""Both kinds of handle."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tui.scripted import attached, embedded


@pytest.fixture(params=[embedded, attached], ids=["embedded", "attached"])
def handle(request: pytest.FixtureRequest) -> Any:
    return request.param
