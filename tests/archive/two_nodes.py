"""The archive job with fake predictors on a cluster of two nodes of this machine, of which one is killed on the way.

python -m tests.archive.two_nodes ARCHIVE OUT
"""

import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from meteo_ray.archive.config import ArchiveConfig, Batches
from meteo_ray.archive.results.writer import part_files
from meteo_ray.archive.run import classify
from tests.archive.fakes import fake_models


def main(archive: Path, out: Path) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    second = cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)

    def kill() -> None:
        while len(part_files(out / "predictions")) < 2:
            time.sleep(0.05)
        busy = {row["node_id"] for row in ray.util.state.list_actors() if row["state"] == "ALIVE"}
        cluster.remove_node(second, allow_graceful=False)
        print(f"killed one of {len(busy)} nodes with actors, after {len(part_files(out / 'predictions'))} parts")

    threading.Thread(target=kill, daemon=True).start()
    small = Batches(rows=4, product_rows=8, product_images=2, part_rows=8)
    config = ArchiveConfig(archive=archive, models=out.with_name("models"), out=out, batches=small)
    classify(config, fake_models(slow_s=0.05))
    print(f"{len(ray.nodes())} nodes, {sum(node['Alive'] for node in ray.nodes())} alive", flush=True)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
