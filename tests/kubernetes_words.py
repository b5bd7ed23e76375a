"""What Kubernetes writes when pods do not start, by what petops should take it for.

The texts are those of kubelets, controllers, CSI drivers and the API server, of several versions;
names of clusters were changed in them.
"""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).with_name("kubernetes_words.tsv")


def words(of: str) -> list[tuple[str, str]]:
    """Messages of one part of the file, and the reason that each gives."""
    part = _FILE.read_text().partition(f"[{of}]\n")[2].partition("\n[")[0]
    rows = (line.partition("\t") for line in part.splitlines() if line)
    return [
        (message.replace("\\n", "\n").replace("\\t", "\t"), "" if reason == "-" else reason)
        for reason, _, message in rows
    ]
