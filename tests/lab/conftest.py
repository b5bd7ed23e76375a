"""What the tests of the lab share."""

from __future__ import annotations

import asyncio

# pytest-asyncio asks for the event loop before the first test that is async; the policy would make
# one that nobody closes. Having been told "none", it makes none.
asyncio.set_event_loop(None)
