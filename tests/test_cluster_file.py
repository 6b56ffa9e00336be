"""cluster.yaml is one that Ray itself accepts."""

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.conftest import ROOT


def test_rays_own_schema_accepts_the_cluster_file():
    document = yaml.safe_load((ROOT / "cluster.yaml").read_text("utf-8"))
    prepared = prepare_config(document)
    validate_config(prepared)
    assert prepared["provider"]["type"] == "local"
    assert prepared["head_node_type"] in prepared["available_node_types"]
