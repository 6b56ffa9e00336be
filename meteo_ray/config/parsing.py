"""How a job's config is read; the configs themselves stand in the folders of what they configure (config.py).

Every job reads `--config FILE.yaml`, then the environment (METEO_RAY_DATA, METEO_RAY_MODELS), then its flags; nested
values are dotted flags (`--training.batch-size 16`). In the file a dash may stand for an underscore. Relative paths
there mean relative to the file, because Ray's workers run in folders of their own.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from rapidfuzz import process

from meteo_ray.errors import UsageError


@dataclass(frozen=True)
class NameOrPath:
    """Marks a text that is a name or a path (`Annotated[str, NameOrPath(("none",))]`).

    What exists on disk, and is not one of `names`, becomes an absolute path: Ray's workers run in folders of their own.
    """

    names: tuple[str, ...] = ()

    def placed(self, text: str, folder: Path) -> str:
        place = folder / text
        return str(place.resolve()) if text not in self.names and place.exists() else text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def placed_here(text: str | None) -> str | None:
            return None if text is None else self.placed(text, Path.cwd())

        return no_info_after_validator_function(placed_here, handler(source))


class Section(BaseModel):
    """A named group of values inside a job's config. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)


class JobConfig(BaseSettings):
    """Base of every job's config; subclasses only declare fields."""

    model_config = SettingsConfigDict(
        extra="forbid",
        env_prefix="METEO_RAY_",
        use_attribute_docstrings=True,
        validate_default=True,
        nested_model_default_partial_update=True,  # one key of a section leaves that job's own defaults of the others
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_enforce_required=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    def settled(self, again: "Callable[[Mapping[str, Any]], Self]") -> Self:
        """What these settings come to; asked when all of them have been read.

        Args:
            again: `again(defaults)` reads them anew with further defaults, nested as in a file; whatever was given in
                the file, the environment or by flags beats those.

        Raises:
            UsageError: when they contradict each other.
        """
        return self

    def save(self, path: Path) -> None:
        """Write the merged config as YAML, so that `--config` on that file repeats the run."""
        path.write_text(yaml.safe_dump(self.model_dump(mode="json"), allow_unicode=True, sort_keys=False), "utf-8")

    def with_values(self, **changes: Any) -> Self:
        """A validated copy with dotted or plain names replaced, as a sweep's trial needs it."""
        document = self.model_dump()
        for name, value in changes.items():
            _set_dotted(document, name, value)
        return type(self)(**document)


Job = TypeVar("Job", bound=JobConfig)


def parse_config(job: type[Job], argv: Sequence[str] | None = None, description: str = "") -> Job:
    """Read a job's config from `argv` (default: the process's), the environment and the file behind `--config`.

    Raises:
        UsageError: naming every wrong key or value. `--help` leaves through SystemExit (0).
    """
    arguments, config_path = _take_config_flag(list(sys.argv[1:] if argv is None else argv))
    from_file = _read_config_file(job, config_path) if config_path else {}
    source_name = f"the flags or {config_path}" if config_path else "the flags"

    def read(further: Mapping[str, Any]) -> Job:
        return _parsed(job, arguments, [from_file, dict(further)], source_name, description or str(job.__doc__))

    return read({}).settled(read)


def _parsed(
    job: type[Job], arguments: list[str], documents: Sequence[dict[str, Any]], source_name: str, description: str
) -> Job:
    """`documents` stand below the flags and the environment, earlier ones above later ones."""

    class Parsed(job):  # type: ignore[valid-type, misc]
        """Carries this call's documents; a subclass, so that no global state is touched."""

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **sources: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            kind = type(sources["init_settings"])
            below = [kind(settings_cls, init_kwargs=document) for document in documents]
            return sources["init_settings"], sources["env_settings"], *below

    Parsed.__pydantic_fields__ = _in_reading_order(job)  # what --help lists; checking does not look at it
    Parsed.__doc__ = f"{description}\n\n--config FILE.yaml gives any of these values; a flag beats it."
    source: CliSettingsSource = CliSettingsSource(Parsed, cli_prog_name=Path(sys.argv[0]).name, cli_exit_on_error=False)
    try:
        parsed = Parsed(_cli_settings_source=source(args=arguments))
    except ValidationError as error:
        problems = [_problem(job, entry) for entry in error.errors()]
        raise UsageError.of_problems(f"{source_name} cannot be used:", problems) from None
    except SettingsError as error:
        raise UsageError(f"{str(error).removeprefix('error parsing CLI: ')}{_nearest_flag(job, str(error))}") from None
    return cast(Job, job.model_construct(parsed.model_fields_set, **dict(parsed)))


def _in_reading_order(job: type[JobConfig]) -> dict[str, FieldInfo]:
    """A job's fields: required ones first, sections last, and its own before those that it shares with other jobs."""
    own = vars(job).get("__annotations__", {})

    def place(field: tuple[str, FieldInfo]) -> tuple[bool, bool, bool]:
        name, info = field
        return not info.is_required(), is_section(info), name not in own

    return dict(sorted(job.model_fields.items(), key=place))


def is_section(field: FieldInfo) -> bool:
    """Whether a field of a config is a named group of values."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _take_config_flag(arguments: list[str]) -> tuple[list[str], Path | None]:
    for position, argument in enumerate(arguments):
        if argument == "--config":
            if position + 1 == len(arguments):
                raise UsageError("--config needs a file: --config FILE.yaml")
            return arguments[:position] + arguments[position + 2 :], Path(arguments[position + 1])
        if argument.startswith("--config="):
            return arguments[:position] + arguments[position + 1 :], Path(argument.removeprefix("--config="))
    return arguments, None


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number, which YAML 1.1 takes for a string."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _read_config_file(job: type[JobConfig], path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: cannot read the file: {error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"--config {path}: not valid YAML: {' '.join(str(error).split())}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"--config {path}: expected `name: value` lines, found {type(document).__name__}")
    document = _underscored(document)
    _place_paths(job, document, path.resolve().parent)
    return document


def _underscored(value: Any) -> Any:
    """Keys as fields are called: `full-epochs` as on the command line means `full_epochs`."""
    if not isinstance(value, dict):
        return value
    return {str(key).replace("-", "_"): _underscored(inner) for key, inner in value.items()}


def _place_paths(model: type[BaseModel], document: dict[str, Any], folder: Path) -> None:
    """Make the relative paths of a config file absolute, those in sections too; URIs stay."""
    for name, field in model.model_fields.items():
        value = document.get(name)
        if isinstance(value, dict) and is_section(field):
            _place_paths(cast(type[BaseModel], field.annotation), value, folder)
        if not isinstance(value, str):
            continue
        for marker in field.metadata:
            if isinstance(marker, NameOrPath):
                document[name] = marker.placed(value, folder)
        if (field.annotation is Path or Path in get_args(field.annotation)) and "://" not in value:
            document[name] = str((folder / value).resolve())


def _problem(job: type[BaseModel], entry: Any) -> str:
    """One validation error as a line: the flag, what was wrong, what was given."""
    places = [part for part in entry["loc"] if isinstance(part, str)]  # without positions in lists
    flag = "--" + ".".join(places).replace("_", "-")
    message = entry["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    if entry["type"] == "extra_forbidden":
        nearest = process.extractOne(places[-1], _names_beside(job, places), score_cutoff=60)
        return f"{'.'.join(places)}: no such setting" + (f"; did you mean {nearest[0]}?" if nearest else "")
    if entry["type"] == "missing":
        return f"{flag} is required"
    if isinstance(entry["input"], dict):  # a check over several values says itself which
        return message if not places else f"{flag}: {message}"
    return f"{flag}: {message}, got {entry['input']!r}"


def _nearest_flag(job: type[BaseModel], message: str) -> str:
    """What to do about an unknown flag that argparse's `message` names: the flag that was meant, or --help."""
    unknown = re.search(r"unrecognized arguments: (--[^\s=]+)", message)
    nearest = process.extractOne(unknown[1], list(_flags(job)), score_cutoff=80) if unknown else None
    return f"; did you mean {nearest[0]}?" if nearest else "; --help lists the flags"


def _flags(model: type[BaseModel], above: str = "--") -> Iterator[str]:
    """Every flag of a job, those of its sections with a dot."""
    for name, field in model.model_fields.items():
        flag = above + name.replace("_", "-")
        if is_section(field):
            yield from _flags(cast(type[BaseModel], field.annotation), f"{flag}.")
        else:
            yield flag


def _names_beside(job: type[BaseModel], places: Sequence[str]) -> list[str]:
    """The names that could have stood where an unknown one stands."""
    model: Any = job
    for place in places[:-1]:
        field = model.model_fields.get(place)
        if field is None or not is_section(field):
            return []
        model = field.annotation
    return list(model.model_fields)


def _set_dotted(document: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        if not isinstance(document.get(parent), dict):
            raise KeyError(name)
        document = document[parent]
    if leaf not in document:
        raise KeyError(name)
    document[leaf] = value
