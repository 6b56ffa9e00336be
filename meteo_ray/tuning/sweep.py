"""Sweeps with Optuna: overnight, resumable (R42). Everything lies in MODELS/tune/SPACE/, see folder.py and study.py.

space.py checks what is varied -> study.py begins or goes on -> trials (of training: training_sweep.py on Ray Tune; of
the cascade: cascade_sweep.py, in this process) -> results.py saves the best one -> report.py tells people.
"""

import optuna

from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.tuning.cascade_sweep import sweep_cascade
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.training_sweep import sweep_training


def sweep(job: TuneJob) -> None:
    """Run or go on with a sweep; leave the best model or settings, trials.csv and report.html.

    Raises:
        UsageError: before Ray starts, when folders, the base config or the space do not fit; at the end when no trial
            told a score.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    (sweep_cascade if job.space == END_TO_END else sweep_training)(job)
