#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Score natural-language -> PromQL translation by execution accuracy. See README.md beside this file."""
import argparse
import concurrent.futures
import contextlib
import functools
import http.client
import json
import math
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import renamed_worlds  # noqa: E402

world = renamed_worlds.named(os.environ.get("NL_WORLD", "world"))

STEP = 60
TOLERANCE = 0.01
RATE_WINDOWS = {"1m", "2m", "3m", "4m", "5m", "10m"}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# labels under which the same entity may be named, best first
ALIASES = {
    "service": ("service", "deployment", "workload", "app", "horizontalpodautoscaler", "container"),
    "node": ("node", "instance", "kubernetes_node"),
    "pod": ("pod", "pod_name"),
    "namespace": ("namespace", "kubernetes_namespace"),
}
for name, known in (("pod", ("exported_pod", "kubernetes_pod_name")), ("namespace", ("exported_namespace",))):
    ALIASES[name] = (*known, *ALIASES[name])  # what an exporter tells of, before its own
ALIASES |= {other: ALIASES[name] for name in ("pod", "namespace") for other in ALIASES[name]}
ALIASES["service"] = (*ALIASES["service"], "kubernetes_name", "service_name", "application", "job")
ALIASES["instance"] = ALIASES["node"]
ALIASES["app"] = ALIASES["deployment"] = ALIASES["workload"] = ALIASES["horizontalpodautoscaler"] = ALIASES["service"]
CONTAINER_OWNER = {ctr: svc for svc, (_, ctr, *_rest) in world.SERVICES.items()}
DEFAULT_COMMAND = "petops ask --json --time {time} --prometheus-url {url} -- {question}"


def seconds(text):
    """1h30m -> 5400"""
    return sum(int(n) * UNITS[u] for n, u in re.findall(r"(\d+)([smhd])", text))


def die(text):
    print(f"score.py: {text}", file=sys.stderr)
    sys.exit(2)


# ---------------------------------------------------------------- Prometheus

class QueryError(Exception):
    pass


class Prometheus:
    def __init__(self, url):
        self.url = url.rstrip("/")
        self.at = urllib.parse.urlsplit(self.url)
        self.local = threading.local()

    def post(self, path, **params):
        body = urllib.parse.urlencode(params)
        for attempt in (1, 2):
            conn = getattr(self.local, "conn", None)
            if conn is None:
                conn = self.local.conn = http.client.HTTPConnection(self.at.hostname, self.at.port or 80, timeout=30)
            try:
                conn.request("POST", self.at.path + path, body, {"Content-Type": "application/x-www-form-urlencoded"})
                reply = json.loads(conn.getresponse().read())
                break
            except (OSError, http.client.HTTPException, ValueError):
                conn.close()
                self.local.conn = None
                if attempt == 2:
                    raise
        if reply.get("status") != "success":
            raise QueryError(reply.get("error", "query failed"))
        return reply["data"]

    @functools.lru_cache(maxsize=None)
    def series(self, promql, start, end):
        """[(labels, {t: value})] without NaN; start is None for an instant."""
        if start is None:
            data = self.post("/api/v1/query", query=promql, time=end)
        else:
            data = self.post("/api/v1/query_range", query=promql, start=start, end=end, step=STEP)
        kind, result = data["resultType"], data["result"]
        if kind == "scalar":
            rows = [({}, [result])]
        elif kind == "vector":
            rows = [(r["metric"], [r["value"]]) for r in result]
        elif kind == "matrix" and start is not None:
            rows = [(r["metric"], r["values"]) for r in result]
        else:
            raise QueryError(f"a {kind} is not an answer: expected a vector or a scalar")
        out = []
        for labels, points in rows:
            points = {float(t): float(v) for t, v in points if not math.isnan(float(v))}
            if points:
                out.append((labels, points))
        return out


@contextlib.contextmanager
def own_prometheus():
    missing = [tool for tool in ("prometheus", "promtool") if not shutil.which(tool)]
    if missing:
        die(f"{' and '.join(missing)} not found on PATH; install Prometheus (its archive has both)")
    with tempfile.TemporaryDirectory(prefix="nl-queries-") as tmp:
        om, data, config, log = (os.path.join(tmp, n) for n in ("world.om", "data", "empty.yml", "prometheus.log"))
        with open(om, "w") as out:
            world.build().write(out)
        open(config, "w").close()
        done = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", om, data],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            die(f"promtool could not load the data:\n{done.stdout}")
        os.unlink(om)
        for _ in range(3):  # another program may take the free port first
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            with open(log, "w") as out:
                process = subprocess.Popen(
                    ["prometheus", f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y",
                     f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"],
                    stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            try:
                if ready(port, process):
                    yield f"http://127.0.0.1:{port}"
                    return
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        die(f"Prometheus did not start:\n{pathlib.Path(log).read_text()[-2000:]}")


def ready(port, process):
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            conn = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            conn.request("GET", "/-/ready")
            if conn.getresponse().status == 200:
                return process.poll() is None
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    return False


# ---------------------------------------------------------------- comparison

def entity(labels, by):
    """What a series is about, as a tuple; None in the place of a label that it does not have."""
    out = []
    for name in by:
        value = next((labels[a] for a in ALIASES.get(name, (name,)) if labels.get(a)), None)
        if value is not None and name == "node":
            value = re.sub(r":\d+$", "", value)
        if value is not None and name in ALIASES and ALIASES[name] is ALIASES["service"]:
            value = CONTAINER_OWNER.get(value, value)
        out.append(value)
    return tuple(out)


def close(a, b):
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= TOLERANCE * abs(b) + 1e-9


def factors(promql):
    """Unit factors that the query itself contains."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`', "", promql)
    bare = re.sub(r"\[[^\]]*\]|\boffset\s+-?\w+", "", bare)
    numbers = set()
    for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])", bare):
        numbers.add(float(text))
    found = {1.0}
    for base in (1024.0, 1000.0):
        power = re.search(r"(?<![\w.])(?:2 ?\^ ?[1234]0|10 ?\^ ?(?:3|6|9|12))(?![\w.])", bare)
        if any(base ** k in numbers for k in range(1, 5)) or power and power[0].startswith("2" if base == 1024.0 else "10"):
            for k in range(1, 5):
                found |= {base ** k, base ** -k}
    if 100.0 in numbers:
        found |= {100.0, 0.01}
    return sorted(found, key=lambda f: f != 1.0)


def same_points(got, want, scale):
    """At least 95% of the expected points are there and agree, and few others are."""
    good = sum(1 for t, v in want.items() if t in got and close(got[t] * scale, v))
    extra = sum(1 for t in got if t not in want)
    return good >= 0.95 * len(want) and extra <= 0.05 * len(want) + (len(want) > 1)


def table(rows, by):
    out = {}
    for labels, points in rows:
        key = entity(labels, by)
        if key in out:
            raise QueryError(f"two series for one {'/'.join(by) or 'value'}: {', '.join(map(str, key)) or len(rows)}")
        out[key] = points
    return out


def compare(got_rows, want_rows, by, mode, promql):
    """None when the result agrees, else why not."""
    if by == ["*"]:  # the values alone, whatever their labels
        if len(got_rows) != len(want_rows):
            return f"{len(got_rows)} series, expected {len(want_rows)}"
        for scale in factors(promql):
            left = [p for _, p in got_rows]
            for _, want in want_rows:
                hit = next((p for p in left if same_points(p, want, scale)), None)
                if hit is None:
                    break
                left.remove(hit)
            if not left:
                return None
        return "values differ"
    try:
        want = table(want_rows, by)
        if not by and len(got_rows) != 1:
            return f"{len(got_rows)} series, expected a single value"
        got = table(got_rows, by)
    except QueryError as why:
        return str(why)
    if by and len(want) == 1 and len(got) == 1 and mode in ("values", "shape") and all(v is None for v in next(iter(got))):
        got = dict(zip(want, got.values()))  # one value for the one entity asked about: it need not be named
    if mode.startswith("top"):
        # the first one or more of the ranking, in its order; near-ties may stand in any order
        sign = 1 if mode == "top-asc" else -1
        ranked = sorted(want, key=lambda k: sign * max(want[k].values()))
        last = max(want[ranked[min(max(1, len(got)), len(ranked)) - 1]].values())
        fit = {k for k in want if sign * (max(want[k].values()) - last) <= 0 or close(max(want[k].values()), last)}
        if not got or not set(got) <= fit:
            return f"not the first {max(1, len(got))} of the ranking: {names(got)}; expected {names(ranked[:max(1, len(got))])}"
        order = [max(p.values()) for p in got.values()]
        if any(sign * (a - b) > 0 and not close(a, b) for a, b in zip(order, order[1:])):
            return "the result is not in the order of the ranking"
        want = {k: want[k] for k in got}
    if set(got) != set(want):
        return f"entities differ: missing {names(set(want) - set(got))}, unexpected {names(set(got) - set(want))}"
    if mode == "entities":
        return None
    if mode == "shape":
        return None if all(math.isfinite(v) for p in got.values() for v in p.values()) else "not finite"
    for scale in factors(promql):
        if all(same_points(got[k], want[k], scale) for k in want):
            return None
    worst = next(k for k in want if not same_points(got[k], want[k], 1.0))
    t = max(want[worst])
    return f"values differ, such as {names([worst]) or 'the value'}: {got[worst].get(t)} for {want[worst][t]}"


def names(keys):
    keys = ["/".join(str(p) for p in k) for k in keys]
    return ", ".join(sorted(keys)[:4]) + (", ..." if len(keys) > 4 else "") if keys else "none"


def variants(promql, answer):
    """The reference with the rate window (and rate or irate) that the answer chose, where it is a usual one."""
    windows = [w for w in dict.fromkeys(re.findall(r"\[(\w+)\]", answer)) if w in RATE_WINDOWS] or ["5m"]
    if "[5m]" not in promql:
        return [promql]
    out = [promql.replace("[5m]", f"[{w}]") for w in dict.fromkeys(["5m"] + windows)]
    if "irate(" in answer:
        out += [re.sub(r"\brate\(", "irate(", p) for p in out]
    return out


# ---------------------------------------------------------------- anomalies

def canon():
    """Every name of a workload or node -> its one name."""
    out = {}
    for svc, (_, ctr, pods, *_rest) in world.SERVICES.items():
        for name in (svc, ctr, *pods):
            out[name] = svc
    for node, address in zip(world.NODES, getattr(world, "ADDRESSES", world.NODES)):
        for name in (node, node.split(".")[0], node + ":9100", address, address + ":9100"):
            out[name] = node
    return out


NAMES = canon()
NAME = re.compile(r"(?<![\w-])(?:" + "|".join(re.escape(n) for n in sorted(NAMES, key=len, reverse=True)) + r")(?![\w-])")


def anomalies(question, answer, prom):
    need = set(question["entities"])
    nodes = set(world.NODES)
    # names of the other sort are context: the node of an anomalous pod, the pods of an anomalous node
    sort = nodes if need & nodes else set(world.SERVICES)
    insights = answer.get("insights") or []
    if not isinstance(insights, list) or not all(isinstance(i, str) for i in insights):
        return "insights is not a list of strings"
    told = {NAMES[n] for n in NAME.findall("\n".join(insights))} & sort
    if told == need and insights:
        return None
    shown = set()
    for labels, _ in prom.series(answer["promql"], None, world.END):
        about = ("pod", "service", "deployment", "workload", "container", "node", "instance")
        shown |= set([NAMES[labels[k]] for k in about if labels.get(k) in NAMES and NAMES[labels[k]] in sort][:1])
    if need and shown == need:
        return None
    return f"anomalous: expected exactly {sorted(need)}, insights name {sorted(told)}, the result {sorted(shown)}"


# ---------------------------------------------------------------- one question

def references(question):
    for ref in question.get("references") or [question["reference"]]:
        ref = dict(ref) if isinstance(ref, dict) else {"promql": ref}
        for key in ("kind", "by", "window", "until", "compare"):
            if key not in ref and key in question:
                ref[key] = question[key]
        ref.setdefault("compare", "values")
        yield ref


def span(ref):
    end = world.END - (seconds(ref["until"]) if ref.get("until") else 0)
    return end - seconds(ref["window"]), end


def judge(question, answer, prom):
    """None when the answer passes, else why not."""
    if not isinstance(answer, dict):
        return answer if isinstance(answer, str) else "the answer is not a JSON object"
    promql, error = answer.get("promql"), answer.get("error")
    if question.get("error"):
        if promql is not None:
            return f"should have been refused, answered: {promql}"
        return None if isinstance(error, str) and error else "error is not set"
    if error:
        return f"refused: {error}"
    if not isinstance(promql, str) or not promql.strip():
        return "no promql"
    try:
        for pattern in question.get("uses", []):
            if not re.search(pattern, promql):
                return f"the query has no {pattern}"
        if "entities" in question:
            return anomalies(question, answer, prom)
        first = None
        for ref in references(question):
            why = against(question, ref, promql, answer, prom)
            if why is None:
                return None
            first = first or why
        return first
    except QueryError as why:
        return f"query failed: {why}"


def against(question, ref, promql, answer, prom):
    if ref["kind"] == "range":
        if answer.get("kind") != "range":
            return f"kind is {answer.get('kind')}, expected range"
        start, end = span(ref)
        slack = 0.05 * (end - start)
        try:
            if abs(float(answer["start"]) - start) > slack or abs(float(answer["end"]) - end) > slack:
                return f"shows {answer['start']}..{answer['end']}, expected {start}..{end}"
        except (KeyError, TypeError, ValueError):
            return "start and end are not numbers"
    else:
        start, end = None, world.END
        if question["kind"] == "range":  # one figure for the whole window: the query itself must span it
            if answer.get("kind") != "instant":
                return f"kind is {answer.get('kind')}, expected instant for one figure"
            spans = {seconds(w) for w in re.findall(r"\[\s*(\w+)\s*(?::\s*\w*\s*)?\]", promql)}
            if seconds(question["window"]) not in spans:
                return f"neither a curve over {question['window']} nor one figure for it"
    got = prom.series(promql, start, end)
    if not got:
        return "empty result"
    why = None
    for text in variants(ref["promql"], promql):
        wrong = compare(got, prom.series(text, start, end), list(ref["by"]), ref["compare"], promql)
        if wrong is None:
            return None
        why = why or wrong
    return why


# ---------------------------------------------------------------- running the command

def fill(template, **values):
    return [re.sub(r"\{(\w+)\}", lambda m: str(values.get(m[1], m[0])), part) for part in shlex.split(template)]


def parse(text):
    try:
        return json.loads(text)
    except ValueError:
        return "the output is not one JSON object: " + text.strip()[:200]


def execute(argv, timeout, text=""):
    """(exit status, stdout, stderr); status None when it ran out of time: it is killed with all that it started."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", env={**os.environ, "TZ": "UTC"}, start_new_session=True)
    try:
        out, err = process.communicate(text, timeout=timeout)
        return process.returncode, out, err
    except BaseException as why:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(why, subprocess.TimeoutExpired):
            return None, "", ""
        raise


def ask(args, url, question):
    argv = fill(args.command, time=world.END, url=url, question=question["question"])
    try:
        status, out, err = execute(argv, args.timeout)
    except OSError as why:
        return f"the command could not run: {why}"
    if status is None:
        return f"no answer in {args.timeout:g} s"
    if not out.strip():
        return f"no output, exit status {status}: {err.strip()[-200:]}"
    return parse(out)


def ask_all(args, url, questions):
    argv = fill(args.batch_command, time=world.END, url=url)
    text = "".join(json.dumps({"id": q["id"], "question": q["question"]}) + "\n" for q in questions)
    try:
        status, out, err = execute(argv, args.timeout * len(questions), text)
    except OSError as why:
        die(f"the batch command could not run: {why}")
    if status is None:
        die("the batch command did not end in time")
    rows = [parse(line) for line in out.splitlines() if line.strip()]
    by_id = {r["id"]: r for r in rows if isinstance(r, dict) and "id" in r}
    if not by_id and len(rows) == len(questions):
        return rows
    lost = f"no answer, exit status {status}: {err.strip()[-200:]}"
    return [by_id.get(q["id"], lost) for q in questions]


def run(args, url):
    with open(args.questions) as file:
        questions = [json.loads(line) for line in file if line.strip()]
    if not questions:
        die("no questions")
    prom = Prometheus(url)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        if args.batch_command:
            answers = ask_all(args, url, questions)
        else:
            answers = list(pool.map(lambda q: ask(args, url, q), questions))
        reasons = list(pool.map(lambda qa: judge(*qa, prom), zip(questions, answers)))

    tags = {}
    for question, why in zip(questions, reasons):
        for tag in question["tags"]:
            tags.setdefault(tag, []).append(why is None)
    for tag, passed in sorted(tags.items()):
        print(f"{tag:<14} {sum(passed) / len(passed):.2f} ({sum(passed)}/{len(passed)})")
    if args.report:
        with open(args.report, "w") as out:
            for question, answer, why in zip(questions, answers, reasons):
                if why is not None:
                    row = {"id": question["id"], "question": question["question"][:500], "reason": why}
                    if isinstance(answer, dict):
                        row["answer"] = {k: answer.get(k) for k in ("promql", "kind", "start", "end", "step", "error", "insights")}
                    row["expected"] = {k: v for k, v in question.items() if k not in ("id", "question", "tags")}
                    out.write(json.dumps(row) + "\n")
    good = sum(why is None for why in reasons)
    print(f"accuracy: {good / len(questions):.2f} ({good}/{len(questions)})")
    return 0 if good / len(questions) >= args.min else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", nargs="?", default=str(HERE / "dev.jsonl"), help="JSON lines (default: dev.jsonl)")
    parser.add_argument("--command", default=DEFAULT_COMMAND, help="run for each question (default: %(default)s)")
    parser.add_argument("--batch-command", help="run once instead: questions as JSON lines in, answers as JSON lines out, "
                        "such as 'petops ask --json --batch --time {time} --prometheus-url {url}'")
    parser.add_argument("--timeout", type=float, default=20, help="seconds for a question (default: %(default)g)")
    parser.add_argument("--jobs", type=int, default=4, help="questions at once (default: %(default)s)")
    parser.add_argument("--min", type=float, default=0, help="exit 0 if the accuracy is at least this (default: %(default)g)")
    parser.add_argument("--report", help="write the failures here, as JSON lines")
    parser.add_argument("--prometheus-url", help="use this Prometheus, loaded with world.py's data, instead of starting one")
    args = parser.parse_args()
    program = shlex.split(args.batch_command or args.command)[0]
    if not shutil.which(program):
        die(f"{program} not found; name the program under test with --command or --batch-command")
    if not os.path.exists(args.questions):
        die(f"{args.questions} not found")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Prometheus is stopped too
    with contextlib.nullcontext(args.prometheus_url) if args.prometheus_url else own_prometheus() as url:
        return run(args, url)


if __name__ == "__main__":
    sys.exit(main())
