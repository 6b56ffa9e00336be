"""Settings of station forecasts."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import NotInIdentity, Rate, Share, Size
from meteo_ray.config.parsing import JobConfig, NameOrPath, Section
from meteo_ray.training.config import LoopSettings, TrainingJob

ModelName = Literal["lstm", "cnn_lstm", "station_lstm", "graph", "mixer"]

LEVELS = tuple(round((k + 0.5) / 10, 2) for k in range(10))
"""Of the quantiles that every network answers: the middles of ten equal steps, so that their mean loss is the CRPS."""

SourceName = Annotated[str, NameOrPath(), NotInIdentity()]
"""What is read counts, not how its description is called."""


class SplitSettings(Section):
    """Which days train, validate and test; always in the order of time."""

    test_from: date | None = None
    """First test day; default: the last `test_share` of all days."""
    test_share: Share = 0.25
    """The part of all days that is the test, at their end."""
    test_until: date | None = None
    """Last test day; default: the last one."""
    train_from: date | None = None
    """First training day; default: the first one."""
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """The part of the days before the test that validates: a training stops by it and keeps its best weights."""
    validation_block: int = Field(0, ge=0)
    """Which block of the days before the test that is, counted back from the test."""


class GraphSettings(Section):
    """The graph network: stations are nodes, their states depend on each other up to a fixed point."""

    form: Literal["linear", "nonlinear"] = "linear"
    """linear: contracts by construction. nonlinear: a small network, held to contracting by a penalty."""
    state: Size = 8
    """Numbers in a node's state."""
    neighbours: Size = 5
    """Nearest stations that a station listens to."""
    contraction: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Least factor by which two states may come nearer in a step; above it the nonlinear form is punished."""
    penalty: float = Field(0.1, ge=0)
    """How strongly."""
    iterations: Size = 60
    """Most steps to the fixed point, forwards and backwards; fewer where the state stands still before."""


class ForecastTraining(Section):
    """What is forecast, from what, and by which network."""

    source: SourceName = "delhi"
    """How the station files are described: a set that the package knows (delhi, ecad, seattle_newyork, melbourne,
    beijing) or a YAML file."""
    model: ModelName = "lstm"
    """The network: LSTM; convolutions before an LSTM; one LSTM shared by all quantities, each on its own; a graph of
    stations; mixer, the PatchTSMixer of transformers, as a rival."""
    stations: tuple[str, ...] = ()
    """Which stations; default: all of the source."""
    targets: tuple[str, ...] = ()
    """Quantities to forecast; default: the source's first."""
    inputs: tuple[str, ...] = ()
    """Quantities to read, the targets among them; default: all."""
    lookback: Size = 14
    """Days that the network reads."""
    horizon: Size = 1
    """Days ahead to forecast, from 1 on."""
    base: Literal["damped_anomaly", "persistence", "none"] = "damped_anomaly"
    """What the network adds to: it learns the error of that forecast; none: the value itself."""
    scaling: Literal["anomaly", "minmax"] = "anomaly"
    """anomaly: deviations from the climatology in standard deviations; minmax: from 0 to 1 over the training days."""
    hidden: Size = 16
    """Units of the recurrent layer."""
    layers: Size = 1
    """Recurrent layers."""
    channels: Size = 16
    """Of the convolutions of cnn_lstm."""
    activation: Literal["relu", "tanh", "none"] = "none"
    """After the recurrent layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Of inputs and of the recurrent layer's output, in training."""
    linear_path: bool = True
    """A linear map of the last days beside the network: what ridge regression can say, it need not learn to say."""
    loss: Literal["huber", "squared"] = "huber"
    """Of the point forecast; huber counts outliers less."""
    quantile_share: Share = 0.5
    """How much of the loss is the quantiles' pinball loss, the rest being the point forecast's."""
    rate: Rate = 5e-4
    """Peak learning rate."""
    epochs: Size = 60
    """At most; training stops by the validation days."""
    split: SplitSettings = SplitSettings()
    """Which days train, validate and test."""
    graph: GraphSettings = GraphSettings()
    """The graph network."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.require_fitting()
        return self

    def require_fitting(self) -> None:
        """Raises ValueError for settings that do not go together."""
        if self.scaling == "minmax" and self.base == "damped_anomaly":
            raise ValueError("scaling minmax knows no anomalies: give base persistence or none")
        if self.model == "mixer" and self.lookback < 2:
            raise ValueError("mixer needs a lookback of two days at least")
        missing = set(self.targets) - set(self.inputs)
        if self.inputs and missing:
            raise ValueError(f"inputs must hold the targets too: {', '.join(sorted(missing))}")


class TrainForecastJob(TrainingJob):
    """Train a forecast of station series."""

    training: LoopSettings = LoopSettings(
        batch_size=32, precision="fp32", patience=8, weight_decay=1e-2, data_workers=1, torch_threads=1
    )
    """The training loop."""
    model: Annotated[ModelName | None, NotInIdentity()] = None
    """Short for --forecast.model."""
    forecast: ForecastTraining = ForecastTraining()
    """The forecast."""

    @model_validator(mode="after")
    def _short(self) -> Self:
        if self.model is not None and self.model != self.forecast.model:
            chosen = self.forecast.model_copy(update={"model": self.model})
            chosen.require_fitting()  # a copy is not validated by itself
            object.__setattr__(self, "forecast", chosen)
        return self


class SeriesJob(JobConfig):
    """What jobs that use a trained forecast share."""

    data: Path | None = None
    """The folder of the station files (or METEO_RAY_DATA)."""
    models: Path | None = None
    """The model folder (or METEO_RAY_MODELS): MODELS/forecast is used."""
    members: tuple[Path, ...] = ()
    """More model folders of the same question, such as other seeds: the forecast is the mean of all."""
    source: Annotated[str | None, NameOrPath()] = None
    """How the station files are described; default: as in training."""


class ForecastJob(SeriesJob):
    """Forecast station series with a trained model."""

    out: Path
    """Folder to write: forecast.csv, forecast.nc, a plot of every station and target."""
    start: date | None = None
    """First day from which is forecast; default: the last day only."""
    end: date | None = None
    """Last day from which is forecast; default: the last one."""
    overwrite: bool = False
    """Replace what this job wrote into `out` before."""


class EvaluateForecastJob(SeriesJob):
    """Score a trained forecast on test days beside the baselines."""

    out: Path
    """The metrics, as JSON; a page with tables and plots lies beside it."""
    rain_from: float = Field(1.0, gt=0)
    """mm a day from which a day counts as one with rain."""
    rounds: int = Field(2000, gt=0)
    """Draws of the bootstrap."""
    seed: int = 0
    """Seeds the bootstrap."""


class PaperProtocolJob(TrainForecastJob):
    """Train as a paper describes it, then score over the whole range as it did, and on test days alone."""

    out: Path = Path("protocol.json")
    """The scores, as JSON; a page lies beside it."""
