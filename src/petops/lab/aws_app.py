"""CloudWatch, CloudWatch Logs and X-Ray of the lab, on one address."""

from __future__ import annotations

from starlette.applications import Starlette

from petops.lab.alarm_book import AlarmBook
from petops.lab.alarm_operations import AlarmOperations
from petops.lab.aws_json import JsonService, json_route
from petops.lab.log_events import LogGroups
from petops.lab.logs_operations import LogsOperations
from petops.lab.metric_book import MetricBook
from petops.lab.metric_operations import MetricOperations
from petops.lab.world import World
from petops.lab.xray_api import XRay
from petops.ports import Clock

SERVED = ("CLOUDWATCH", "CLOUDWATCH_LOGS", "XRAY")
"""The services that are met here, as `AWS_ENDPOINT_URL_...` names them."""


def aws_app(world: World, metrics: MetricBook, alarms: AlarmBook, clock: Clock) -> Starlette:
    """Return the application that answers what moto answers wrongly."""

    def seconds() -> float:
        return clock.now().timestamp()

    cluster = world.cluster
    cloudwatch = JsonService(
        target="GraniteServiceVersion20100801",
        version="1.0",
        operations={
            **MetricOperations(metrics, seconds).served(),
            **AlarmOperations(alarms, cluster, clock.now).served(),
        },
        error_prefix="com.amazonaws.cloudwatch#",
    )
    logs = JsonService(
        target="Logs_20140328",
        version="1.1",
        operations=LogsOperations(LogGroups(world), cluster, seconds).served(),
    )
    return Starlette(routes=[json_route((cloudwatch, logs)), *XRay(world).routes()])
