"""NetworkX comes in two parts, and a program finds all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGINNING = """
import inspect, sys, threading
from harvester.graph.lazy_digraph import DiGraph, LibraryGraph, nx
graph = LibraryGraph()
graph.add_edge(1, 2)
assert not [name for name in ("networkx", "networkx.algorithms", "networkx.readwrite") if name in sys.modules]
"""
END = """
import networkx
assert networkx is nx
assert networkx.DiGraph is DiGraph
assert networkx.readwrite.json_graph.node_link_data(graph)
assert not hasattr(networkx, "no_such_name")
assert "NetworkX" in inspect.getsource(networkx)
assert not [one for one in sys.meta_path if type(one).__module__.startswith("harvester")]
"""
FIRST_USES = {
    "an import of one module": "import networkx.relabel; assert networkx.relabel.relabel_nodes is nx.relabel_nodes",
    "an import of one package": "import networkx.algorithms.community as found; assert found is nx.community",
    "a call of the graph's module": "assert nx.descendants(graph, 1) == {2}",
    "imports in several threads": """
names = ["networkx.algorithms.community", "networkx.relabel", "networkx", "networkx.readwrite.gml"] * 3
done = []
threads = [threading.Thread(target=lambda name=name: done.append(__import__(name))) for name in names]
for one in threads:
    one.start()
for one in threads:
    one.join()
assert len(done) == len(names)
""",
}


@pytest.mark.parametrize("use", FIRST_USES)
def test_the_first_use_of_more_than_the_graph_classes_brings_all_of_networkx(use: str) -> None:
    program = f"{BEGINNING}\n{FIRST_USES[use]}\n{END}"
    ended = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
