"""The lab: one simulated cluster that serves demos, scenarios and tests alike.

The cluster itself, without any socket:

- `world.World(clock, seed=0, behaviours=scenarios.BEHAVIOURS)` is a cluster that has run for days.
  `step()` moves it to the clock's time, `run()` keeps it moving, `until(predicate)` waits for
  something, `apply(manifest)` is `kubectl apply`, `handle(ApiRequest)` answers the Kubernetes API,
  `usage()`, `traffic()`, `nodes_usage()` and their histories are what can be measured.
- `kubernetes_server.kubernetes_app(world)` serves the API over HTTP: kubectl 1.33 and
  `kubernetes.aio` work against it. Who may do what, by which token, is in `kubernetes_users`.
- `aws_app.aws_app(world, metrics, alarms, clock)` serves CloudWatch, CloudWatch Logs and X-Ray.
- `ports_in_memory.WorldMetrics(world)` is the `Metrics` port for tests.
- `recorded.recorded_api(folder)` serves a recorded case instead, to read only.

How it is made: `store` (objects and changes), `stage` (simulated time), `controllers` and the files
it names (the control plane, with autoscalers, Jobs, DaemonSets, StatefulSets, quotas and the node
controller), `kubelet` with `places`, `volumes`, `sandboxes`, `image_pulls`, `probes`, `endings`,
`evictions`, `resizes` and `node_pressure` (the nodes), `programs` (what containers do, from their
manifests alone), `metering` and `traffic` (what is measured), `application` (Pet Adoptions, as
often as `application_size` says), `kubernetes_*` (the protocol, with RBAC in `kubernetes_rbac`),
`metrics_api` (`kubectl top`).
Requests: `call_paths` (who calls whom), `answering` (how long each takes), `spans` (one request).
AWS: `xray_*`, `metric_*` with `insights_*` and `balancer_metrics`, `alarm_*`, `log_*`, `logs_*`.

What drives it besides manifests: `World.stop_kubelet(node)`, or the node's annotation
`lab.petops.dev/kubelet: stopped`; `World.use_up_addresses(node)`, or the annotation
`lab.petops.dev/addresses: used-up`; `NodeRules`, by which kubelets evict. `programs` lists the
environment variables that every program honours, `image_pulls` the image names that cannot be had.

`port_forwarding` carries port-forward (over `spdy`), `pod_ports` says who answers there: simulated
programs over HTTP, or one of this machine by the annotation `lab.petops.dev/ports: 8080=41234`.

What it leaves out: exec and attach, volumes other than of ConfigMaps and Secrets, init containers,
topology spread and preemption, admission webhooks, custom resources.
"""
