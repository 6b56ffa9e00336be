"""python jobs/paper_protocol.py --config jobs/forecast_papers/cnn_lstm.yaml --data DIR --models DIR --out protocol.json

Trains a network as a paper describes it, and scores it twice: over all days as the paper did, and over test days.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.forecast.config import PaperProtocolJob, TrainForecastJob
from meteo_ray.forecast.stage import FORECAST


def body(job: PaperProtocolJob) -> None:
    from meteo_ray.files import require_file_place

    require_file_place(job.out)  # and not after the training
    # The same training as jobs/train_forecast.py's: where the scores go is none of its settings.
    names = TrainForecastJob.model_fields
    train_stage(FORECAST, TrainForecastJob.model_construct(**{name: getattr(job, name) for name in names}))
    from meteo_ray.forecast.protocol import compare

    compare(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(PaperProtocolJob, body, "A paper's protocol beside the honest one.", argv)


if __name__ == "__main__":
    sys.exit(main())
