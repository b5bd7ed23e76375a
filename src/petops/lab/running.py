"""The whole lab: the simulated cluster, and all by which it is met, on this machine's loopback."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from petops.lab.alarm_book import AlarmBook
from petops.lab.alarm_events import Event, delivered
from petops.lab.alarm_watch import AlarmWatch
from petops.lab.aws import Aws, running_aws
from petops.lab.aws_app import SERVED, aws_app
from petops.lab.children import beside, listening_socket
from petops.lab.kubernetes_server import kubernetes_app
from petops.lab.lab_state import Ran
from petops.lab.metric_book import MetricBook
from petops.lab.prometheus import Prometheus, running_prometheus
from petops.lab.remote_write import push
from petops.lab.scraped import Exporter, Scrapes, exporters, history
from petops.lab.serving import LoopbackServer
from petops.lab.slack_server import LabSlack
from petops.lab.world import World
from petops.ports import Clock

T = TypeVar("T")

CONTEXT: Final = "petops-lab"
USER: Final = "lab-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A lab that runs and is ready."""

    world: World
    folder: Path
    kubernetes: LoopbackServer
    scrape: LoopbackServer
    scrapes: Scrapes
    telemetry: LoopbackServer
    prometheus: Prometheus
    aws: Aws
    alarms: AlarmBook
    slack: LabSlack
    scraped: int  # how many targets Prometheus has

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        folder: Path | None = None,
        *,
        clock: Clock,
        world: World | None = None,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[Lab]:
        """Run a lab for as long as the block lasts, ready from its first line on.

        It lives in `folder`, or in one of its own that goes with it. `on_trouble` is told what
        people may want to know of: that a program had to be started again.
        """
        world = world or World(clock)
        world.go_on(on_trouble)
        scraped = exporters(node.node for node in world.nodes_usage())
        waiting: asyncio.Queue[Event] = asyncio.Queue()
        with _home(folder) as home:
            async with (
                cls._served(
                    world, scraped, home, clock, on_trouble, tell=waiting.put_nowait
                ) as lab,
                beside(
                    world.run(),
                    lab.scrapes.bridge(lab.prometheus, clock),
                    lab.alarms.run(clock, world.scale.look_seconds),
                    delivered(waiting, lab.aws.put_event, clock.sleep),
                ),
            ):
                yield lab

    @classmethod
    @asynccontextmanager
    async def _served(
        cls,
        world: World,
        scraped: Sequence[Exporter],
        home: Path,
        clock: Clock,
        on_trouble: Callable[[str], None],
        *,
        tell: Callable[[Event], None],
    ) -> AsyncIterator[Lab]:
        """Serve a world, with an hour of history in Prometheus. Everything starts at once."""
        every = world.scale.scrape_seconds
        kubernetes = LoopbackServer(kubernetes_app(world), listening_socket())
        scrapes = Scrapes(world, scraped, every_seconds=every)
        scrape = LoopbackServer(scrapes.app, listening_socket())
        targets = [each.target(scrape.address) for each in scraped]
        alarms, telemetry = _telemetry(world, clock, tell)
        served = dict.fromkeys(SERVED, telemetry.url)
        aws = _Held(running_aws(home / "aws", on_trouble, served))
        measured = _Held(
            running_prometheus(targets, home / "prometheus", None, on_trouble, scrape_seconds=every)
        )
        servers = (kubernetes, scrape, telemetry)
        serving = (each.run_until_cancelled() for each in servers)
        async with (
            LabSlack.started(clock) as slack,
            beside(*serving, aws.hold(), measured.hold()),
        ):
            prometheus = await measured.value
            past = await history(world, scraped, clock.now(), world.scale.history)
            await push(past, prometheus.url)
            await scrapes.prepare()
            for each in servers:
                await each.ready.wait()
            lab = cls(
                world=world,
                folder=home,
                kubernetes=kubernetes,
                scrape=scrape,
                scrapes=scrapes,
                telemetry=telemetry,
                prometheus=prometheus,
                aws=await aws.value,
                alarms=alarms,
                slack=slack,
                scraped=len(scraped),
            )
            lab._write_kubeconfig()
            yield lab

    def _write_kubeconfig(self) -> None:
        text = _kubeconfig(self.kubernetes.url, self.world.cluster.name)
        self.kubeconfig.write_text(text, encoding="utf-8")

    @property
    def kubeconfig(self) -> Path:
        """The file that points kubectl here."""
        return self.folder / "kubeconfig"

    @property
    def programs(self) -> tuple[Ran, ...]:
        """The processes that run beside this one, as they are now."""
        return tuple(
            Ran.now(kept.name, kept.pid) for kept in (self.prometheus.process, self.aws.process)
        )

    @property
    def addresses(self) -> dict[str, str]:
        """What can be met where."""
        return {
            "kubernetes": self.kubernetes.url,
            "metrics": self.scrape.url,
            "prometheus": self.prometheus.url,
            "aws": self.aws.endpoint_url,
            "cloudwatch": self.telemetry.url,
            "slack": self.slack.url,
        }

    def environment(self) -> dict[str, str]:
        """Return the variables that point petops and every ordinary client at this lab."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "PROMETHEUS_URL": self.prometheus.url,
            **self.aws.environment(),
            "PETOPS_CONTEXT": CONTEXT,
            "PETOPS_CLUSTER_NAME": self.world.cluster.name,
            "PETOPS_CLUSTER_ACCOUNT": self.world.cluster.account,
            "PETOPS_CLUSTER_REGION": self.world.cluster.region,
            "PETOPS_SQS_QUEUE_URL": self.aws.queue_url,
            "PETOPS_SQS_DEAD_LETTER_URL": self.aws.dead_letter_url,
            "PETOPS_JOURNAL": str(self.folder / "journal.db"),
            **self.slack.environment(),
        }


def _telemetry(
    world: World, clock: Clock, tell: Callable[[Event], None]
) -> tuple[AlarmBook, LoopbackServer]:
    """Return the alarms, and what serves CloudWatch, Logs and X-Ray."""
    now, metrics = clock.now(), MetricBook(world)
    watch = AlarmWatch(world, world.cluster, now)
    alarms = AlarmBook(watch, metrics, world.cluster, now, tell)
    app = aws_app(world, metrics, alarms, clock)
    return alarms, LoopbackServer(app, listening_socket())


class _Held(Generic[T]):
    """A context that is entered and left in a task of its own, so that several start at once."""

    def __init__(self, context: AbstractAsyncContextManager[T]) -> None:
        self._context = context
        self.value: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def hold(self) -> None:
        """Keep the context open until cancelled."""
        async with self._context as value:
            self.value.set_result(value)
            await asyncio.get_running_loop().create_future()


@contextmanager
def _home(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    own = Path(tempfile.mkdtemp(prefix="petops-lab-"))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _kubeconfig(url: str, cluster: str) -> str:
    """Return a kubeconfig as JSON, which is YAML too. Over plain HTTP clients send no token."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": cluster, "cluster": {"server": url}}],
            "users": [{"name": USER, "user": {"token": USER}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": cluster, "user": USER}}],
        },
        indent=2,
    )
