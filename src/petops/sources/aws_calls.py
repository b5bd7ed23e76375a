"""Calls to AWS through boto3, off the event loop, each service in its own few threads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Self

from petops.errors import ForbiddenError, NotThereError, SourceError

Json = Mapping[str, Any]

_AT_ONCE: Final = 4
_DENIED: Final = re.compile(
    r"AccessDenied|NotAuthorized|Unauthorized|Expired|InvalidClientTokenId|UnrecognizedClient"
    r"|Signature"
)
_MISSING: Final = re.compile(r"NotFound|NoSuch")
_BUSY: Final = re.compile(r"Throttl|LimitExceeded|TooManyRequests|RequestLimit")
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one call may take, and how often it is tried."""

    connect_seconds: float = 5
    read_seconds: float = 15
    attempts: int = 2


PATIENT: Final = Patience()
HASTY: Final = Patience(connect_seconds=2, read_seconds=4, attempts=1)


class AwsCalls:
    """One service of AWS; used as a context manager, since it keeps threads of its own.

    `client` is a boto3 client; without one it is made when it is first needed.
    """

    def __init__(
        self,
        service: str,
        title: str,
        *,
        region: str = "",
        client: Any = None,
        timeout_seconds: float = 30.0,
        patience: Patience = PATIENT,
    ) -> None:
        self._service, self._title, self._region = service, title, region
        self._patience = patience
        self._client, self._timeout_seconds = client, timeout_seconds
        self._making = Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"petops-{service}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the threads back; those that still wait for an answer end by their own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def warm(self) -> None:
        """Make the client in a thread meanwhile, so that the first question need not wait for it.

        What goes wrong there is found again by that question, and told then.
        """
        self._threads.submit(self._made)

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = _client(self._service, self._region, self._patience)
            return self._client

    async def call(self, operation: str, **arguments: Any) -> Json:
        """Return an operation's answer; raise SourceError, ForbiddenError or NotThereError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await loop.run_in_executor(
                    self._threads, self._blocking, operation, arguments
                )
        except TimeoutError as exc:
            raise SourceError(
                f"{self._title} did not answer within {self._timeout_seconds:g} s",
                hint="petops doctor",
            ) from exc

    def _blocking(self, operation: str, arguments: dict[str, Any]) -> Json:
        from botocore.exceptions import (  # noqa: PLC0415 - 0.4 s
            BotoCoreError,
            ClientError,
            NoCredentialsError,
        )
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            answer: Json = getattr(self._made(), operation)(**arguments)
        except ClientError as exc:
            raise self._failure(exc.response) from exc
        except NoCredentialsError as exc:
            raise ForbiddenError(
                f"{self._title} was not asked: there are no AWS credentials",
                hint="see AWS_PROFILE; `petops doctor` tells more",
            ) from exc
        except (BotoCoreError, ResponseParserError, ValueError, OSError) as exc:
            raise SourceError(
                f"{self._title} cannot be asked: {str(exc)[:_LONGEST]}",
                hint="see AWS_PROFILE, AWS_REGION and the network; `petops doctor` tells more",
            ) from exc
        return answer

    def _failure(self, response: Json) -> SourceError:
        error: Json = response.get("Error") or {}
        code = str(error.get("Code", ""))
        message = str(error.get("Message", ""))[:_LONGEST]
        if _DENIED.search(code):
            return ForbiddenError(
                f"AWS does not let petops use {self._title} ({code}): {message}",
                hint="`petops setup aws` shows the policy that petops needs",
            )
        if _MISSING.search(code):
            return NotThereError(f"{self._title} has no such thing ({code}): {message}")
        if _BUSY.search(code):
            return SourceError(f"{self._title} asks for fewer requests ({code})")
        return SourceError(f"{self._title} answered {code or 'an error'}: {message}")


def _client(service: str, region: str, patience: Patience) -> Any:
    import boto3  # noqa: PLC0415 - 0.4 s
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        retries={"total_max_attempts": patience.attempts, "mode": "standard"},
        max_pool_connections=_AT_ONCE,
        user_agent_extra="petops",
    )
    return boto3.session.Session().client(service, region_name=region or None, config=config)
