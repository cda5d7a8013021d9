"""`okapia models add`: a person's own network, or a folder of somebody's, becomes a model of this machine."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import typer

from okapia.cli.logs import configure_logs
from okapia.domain.errors import InvalidRequest, ModelError
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.check import Check, checker
from okapia.models.weights.own.adding import Addition, IfKnown, Keep, add_networks, require_free_id
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.own.labels import read_labels
from okapia.models.weights.own.observe import Observation, observe
from okapia.models.weights.own.partial import Fragment, merged, read_partial_card
from okapia.models.weights.own.questions import Question
from okapia.models.weights.own.recognise import Proposal, build_card, id_of, recognise
from okapia.models.weights.own.speciesnet import INFO, add_speciesnet_folder
from okapia.models.weights.own.torch_classifier import converter
from okapia.models.weights.store import Installed, ModelStore
from okapia.settings import load_settings

_ZOO_FILES = ("manifest.toml", "pipeline.toml")

Answer = Callable[[str, Sequence[Question]], Fragment]
"""Answers some of the open questions about a file, at least one; raises `InvalidRequest` when it cannot."""


class AddZooFolder(Protocol):
    """Adds a folder in the public zoo's layout; gives the ids of its models."""

    def __call__(self, folder: Path, *, accept_licence: bool) -> Sequence[str]: ...


def add(
    path: Path,
    *,
    card_file: Path | None,
    labels_file: Path | None,
    model_id: str | None,
    licence: str | None,
    in_place: bool,
    replace: bool,
    run_code: bool,
    accept_licence: bool,
    assume_defaults: bool,
    add_zoo_folder: AddZooFolder,
) -> None:
    """Add a network or a folder, say what it was recognised as, and what to do next.

    Args:
        in_place: leave a file where it is; folders always stay where they are.
        accept_licence: of a folder in the zoo's layout, whose licence may bind whoever uses it.
        run_code: let a SpeciesNet classifier that is a PyTorch file run its code, to be converted.
        assume_defaults: take the likely answer to every question that has one, instead of asking.

    Raises:
        InvalidRequest: an id is taken, a question is open and nobody can be asked, options that clash.
        ModelError: the file is no network that Okapia runs, or does not answer as its card says.
        PullFailed: the disk is full or not to be written.
    """
    settings = load_settings()
    configure_logs(settings.log_level)
    runtime = Runtime(EngineChoice(), load=Load(), cores=1)
    catalog = Catalog(ModelStore(settings.models_dir))
    if_known: IfKnown = "replace" if replace else "refuse"
    if not path.is_dir():
        given = _given(path, card_file=card_file, labels_file=labels_file, model_id=model_id, licence=licence)
        require_free_id(str(given["id"]), catalog=catalog, if_known=if_known)
        adding = _Adding(catalog, checker(runtime.open), if_known)
        seen = observe(inspect(path), runtime.open, given=given)
        answer = _answer(assume_defaults=assume_defaults)
        adding.file(seen, given, answer=answer, keep="in_place" if in_place else "copy")
        return
    _refuse_for_folder({"--card": card_file, "--labels": labels_file, "--id": model_id})
    if any((path / name).is_file() for name in _ZOO_FILES):
        _say_next(catalog, add_zoo_folder(path, accept_licence=accept_licence))
    elif (path / INFO).is_file():
        adding = _Adding(catalog, checker(runtime.open), if_known)
        adding.speciesnet(path, run_code=run_code, licence=licence)
    else:
        raise InvalidRequest(_strange_folder(path), param="path")


class _Adding:
    """Adds files and folders to one catalogue."""

    def __init__(self, catalog: Catalog, check: Check, if_known: IfKnown) -> None:
        self._catalog = catalog
        self._check = check
        self._if_known = if_known

    def file(self, seen: Observation, given: Fragment, *, answer: Answer, keep: Keep) -> None:
        facts = seen.facts
        card = _settled(seen, given, answer=answer)
        (installed,) = add_networks(
            [Addition(facts, card, keep)], catalog=self._catalog, check=self._check, if_known=self._if_known
        )
        _say_added([installed])
        _say_next(self._catalog, [card.id])

    def speciesnet(self, folder: Path, *, run_code: bool, licence: str | None) -> None:
        added = add_speciesnet_folder(
            folder,
            catalog=self._catalog,
            check=self._check,
            convert=converter(_warn) if run_code else None,
            licence=licence,
            if_known=self._if_known,
        )
        _say_added(added.installed)
        if added.missing:
            _warn(f"warning: {added.missing}")
        _say_next(self._catalog, [installed.model_id for installed in added.installed])


def _given(
    path: Path, *, card_file: Path | None, labels_file: Path | None, model_id: str | None, licence: str | None
) -> Fragment:
    """Join what a person said: options win over the card file. There is always an id."""
    card = read_partial_card(card_file) if card_file else {}
    said: dict[str, object] = {"id": id_of(path)} if "id" not in card else {}
    if labels_file:
        said["labels"] = read_labels(labels_file)
    said |= {key: value for key, value in {"id": model_id, "licence": licence}.items() if value}
    return merged(card, said)


def _settled(seen: Observation, given: Fragment, *, answer: Answer) -> ModelCard:
    """Recognise a network, saying why, until nothing is open."""
    name = seen.facts.name
    typer.echo(f"{name}: made by {seen.facts.producer or 'an unnamed program'}, opset {seen.facts.opset}")
    said: set[str] = set()
    proposal = recognise(seen, given=given)
    _say_reasons(proposal, said)
    while proposal.questions:
        given = merged(given, answer(name, proposal.questions))
        proposal = recognise(seen, given=given)
        _say_reasons(proposal, said)
    return build_card(proposal)


def _say_reasons(proposal: Proposal, said: set[str]) -> None:
    """Print the reasons that were not printed yet."""
    for reason in proposal.reasons:
        if reason not in said:
            typer.echo(f"  {reason}")
    said.update(proposal.reasons)


# --- who answers ----------------------------------------------------------------------


def _answer(*, assume_defaults: bool) -> Answer:
    if assume_defaults:
        return _take_defaults
    return _ask if sys.stdin.isatty() else _refuse


def _ask(name: str, questions: Sequence[Question]) -> Fragment:
    """Ask the person at the terminal the first question; its answer may close the others."""
    del name
    question = questions[0]
    choices = f" [{', '.join(question.choices)}]" if question.choices else ""
    while True:
        text: str = typer.prompt(f"{question.sentence}{choices}", default=question.default)
        try:
            return question.read(text)
        except ModelError as error:
            _warn(str(error))


def _take_defaults(name: str, questions: Sequence[Question]) -> Fragment:
    """Take every answer that is likely.

    Raises:
        InvalidRequest: no question has one.
    """
    answers: Fragment = {}
    for question in questions:
        if question.default is not None:
            typer.echo(f"  {question.key}: {question.default}, taken for granted")
            answers = merged(answers, question.read(question.default))
    return answers or _refuse(name, questions)


def _refuse(name: str, questions: Sequence[Question]) -> Fragment:
    """Name every open question and what answers it."""
    usual = {
        question.key: f"; --yes takes {question.default}"
        for question in questions
        if question.default is not None
    }
    listed = ", ".join(
        f"{question.key} ({question.option}{usual.get(question.key, '')})" for question in questions
    )
    raise InvalidRequest(
        f"{name} does not tell everything, and there is nobody to ask: still open are {listed}"
    )


# --- folders --------------------------------------------------------------------------


def _refuse_for_folder(options: dict[str, object]) -> None:
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise InvalidRequest(f"{', '.join(given)}: expected with a single ONNX file, got a folder")


def _strange_folder(folder: Path) -> str:
    networks = sorted(file.name for file in folder.glob("*.onnx"))
    advice = f"; add one of its files: {', '.join(networks[:5])}" if networks else ""
    return f"expected {', '.join(_ZOO_FILES)} or {INFO} in {folder}, it has none of them{advice}"


# --- what is said at the end ----------------------------------------------------------


def _say_added(installed: Sequence[Installed]) -> None:
    for one in installed:
        typer.echo(f"added {one.model_id}: {one.n_bytes / 1e6:.1f} MB, licence {one.licence}")


def _say_next(catalog: Catalog, model_ids: Sequence[str]) -> None:
    tasks = {catalog.card(model_id).task: model_id for model_id in model_ids}
    options = " ".join(f"--{task} {tasks[task]}" for task in ("detector", "classifier") if task in tasks)
    for model_id in model_ids:
        typer.echo(f"see what it says:  okapia models check {model_id} --on FOLDER")
    typer.echo(f"analyse pictures:  okapia run FOLDER {options}")


def _warn(sentence: str) -> None:
    typer.echo(f"okapia: {sentence}", err=True)
