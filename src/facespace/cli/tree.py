"""The commands, in the order of the help. A command's module is imported when the command is called.

`TREE` is all that `facespace --help` needs, so that it starts at once. A test holds it to the help of the commands.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from facespace.measure.registry import ENTRIES, by_heading


@dataclass(frozen=True)
class Command:
    """A command that is not loaded yet.

    Attributes:
        target: `module:function` in `facespace.cli`.
        help: one line.
    """

    target: str
    help: str


@dataclass(frozen=True)
class Group:
    """Commands below one word.

    Attributes:
        help: one line.
        sections: headings, with the commands below each.
        default: the command that is meant where none is named; empty for none.
        hidden: old names, which work and are not listed.
    """

    help: str
    sections: "Mapping[str, Lines]"
    default: str = ""
    hidden: "Mapping[str, Command]" = field(default_factory=dict)

    def commands(self) -> "dict[str, Command | Group]":
        """What the help shows, by name."""
        return {name: command for lines in self.sections.values() for name, command in lines.items()}


Lines = Mapping[str, Command | Group]

LIBRARY = Group(
    "Names, corrections, history and export of a photo library.",
    {
        "People": {
            "name": Command("library:name", "Give a person a name."),
            "merge": Command("library:merge", "Join persons who are the same one."),
            "split": Command("library:split", "Make faces of a person a new person."),
            "apart": Command("library:apart", "Keep two persons apart, as different people."),
            "hide": Command("library:hide", "Leave a person out of tables and pages."),
            "forget": Command("library:forget", "Delete all data of a person, for good."),
        },
        "Faces": {
            "confirm": Command("library:confirm", "Confirm that faces show a person."),
            "reject": Command("library:reject", "Say that faces do not show a person."),
            "not-a-face": Command("library:not_a_face", "Leave out what is not a face."),
        },
        "History": {
            "history": Command("library:history", "List all corrections, the newest first."),
            "undo": Command("library:undo", "Undo the last correction, or an earlier one."),
            "redo": Command("library:redo", "Redo what was undone last."),
        },
        "Other programs": {
            "import-names": Command(
                "library_exchange:import_names", "Read the names that other programs gave to faces."
            ),
            "export": Command("library_exchange:export", "Write names as tables, XMP sidecars or folders."),
        },
        "Care": {
            "check": Command("library:check", "Check that a library is whole."),
            "backup": Command("library:backup", "Copy a library to one file."),
            "drop-old": Command("library:drop_old", "Delete the templates of former models."),
        },
    },
)

GALLERY = Group(
    "Enrol people in a gallery; identify and search faces in it.",
    {
        "Commands": {
            "create": Command("gallery_scale:create", "Create an empty gallery."),
            "enrol": Command("gallery:enrol", "Enrol people from their photos."),
            "load": Command("gallery_scale:load", "Enrol the faces of a table."),
            "identify": Command("gallery:identify", "Say who each face in photos is."),
            "search": Command("gallery:search", "List the enrolled faces nearest to each face in photos."),
            "list": Command("gallery:list_", "List who is enrolled."),
            "remove": Command("gallery:remove", "Remove people, photos or faces."),
            "export": Command("gallery_care:export", "Write all faces to a CSV, JSON or NumPy file."),
            "upgrade": Command("gallery_care:upgrade", "Move the gallery to a newer model."),
            "check": Command("gallery_care:check", "Check that a gallery's file is sound."),
            "backup": Command("gallery_care:backup", "Copy a gallery as it is now."),
            "plan": Command("gallery_scale:plan", "Say what a gallery of many faces costs."),
            "index": Command("gallery_scale:index", "Build the index that searches use."),
        }
    },
)

API = Group(
    "Serve galleries over HTTP.",
    {
        "Commands": {
            "start": Command("api:start", "Answer HTTP requests: enrol, identify, search, verify."),
            "keys": Group(
                "Make, list and revoke keys.",
                {
                    "Commands": {
                        "make": Command("api:make_key", "Make a key."),
                        "list": Command("api:list_keys", "List the keys."),
                        "revoke": Command("api:revoke_key", "Make a key invalid, from the next request on."),
                    }
                },
            ),
        }
    },
    default="start",
)

MODELS = Group(
    "List, show, import, calibrate and export models.",
    {
        "Commands": {
            "list": Command("models:list_models", "List the built-in models and your own."),
            "show": Command("models:show_model", "Show a model's size, cost, layers and ModelSpec."),
            "import": Command("importing:import_model", "Import an ONNX embedder from elsewhere."),
            "calibrate": Command("models:calibrate", "Measure the distance at each false-accept rate."),
            "export": Command("model_export:export", "Export a training run as an ONNX model."),
        }
    },
)

MEASURE = Group(
    "Measure models: the usual protocols, and the paper's tables and figures.",
    {
        **{
            heading: {line.name: Command(f"measure:{line.name}", f"{line.title}.") for line in lines}
            for heading, lines in by_heading().items()
        },
        "All of it": {
            "report": Command(
                "measure:report",
                "The paper's tables and figures, all or those named by --only, as one page.",
            ),
        },
    },
    hidden={e.name: Command(f"measure:{e.name}", f"{e.title}.") for e in ENTRIES if not e.listed},
)

TREE = Group(
    "Face embeddings: group photos by person, verify, identify, search, train and measure.",
    {
        "Main commands": {
            "people": Command("people:people", "Group the photos of a folder by person."),
            "serve": Command("serve:serve", "Open a photo library in the browser."),
            "verify": Command("verify:verify", "Compare two photos or videos: the same person or not?"),
        },
        "Groups of commands": {
            "library": LIBRARY,
            "gallery": GALLERY,
            "api": API,
            "models": MODELS,
            "measure": MEASURE,
        },
        "Training": {
            "train": Command("train:train", "Train an embedder from a recipe."),
            "harmonise": Command(
                "harmonise:harmonise", "Train a newer model that is compatible with an older one."
            ),
        },
        "Tables of faces": {
            "embed": Command("faces:embed", "Embed every face of photos and videos into a table."),
            "cluster": Command("faces:cluster", "Group the faces of a table by person."),
            "convert": Command("faces:convert", "Write a table of faces for other programs."),
            "bench": Command("bench:bench", "Measure speed and memory on this machine."),
        },
    },
)


# Old spellings, which work for one version.
OLD_OPTIONS = {"--strangers": "--impostors"}


class LazyGroup(TyperGroup):
    """A group whose commands are loaded when they are called."""

    group: Group = TREE

    @classmethod
    def of(cls, name: str, group: Group) -> "LazyGroup":
        """The group below one word."""
        made = cls(name=name, help=group.help, rich_markup_mode=None)
        made.group = group
        return made

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the help."""
        return list(self.group.commands())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, loaded now; None where there is none."""
        command = {**self.group.hidden, **self.group.commands()}.get(cmd_name)
        if isinstance(command, Group):
            return LazyGroup.of(cmd_name, command)
        return None if command is None else _load(cmd_name, command)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Nothing at all asks for help; what is no command goes to the one that is meant by default."""
        default = [self.group.default] if self.group.default else []
        named = not args or args[0] in (*self.list_commands(ctx), "--help")
        return super().parse_args(ctx, ([] if named else default) + args or ["--help"])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The names below their headings."""
        for heading, lines in self.group.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, command.help) for name, command in lines.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called."""
        self.commands = dict.fromkeys(self.list_commands(ctx), TyperCommand(None))  # to suggest after a slip
        return super().resolve_command(ctx, args)


class ShellCommand(TyperCommand):
    """A command that understands old options, and whose help names no types of Python."""

    def get_help(self, ctx: Any) -> str:
        """What may be repeated is shown as one of it; the columns stay where they are."""
        shown = super().get_help(ctx)
        return re.sub(r"<list\[(\w+)\]>", lambda found: f"<{found[1].lower()}>".ljust(len(found[0])), shown)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Old options become the new ones, where the command has those alone."""
        own = {name for parameter in self.params for name in parameter.opts}
        renamed = {old: new for old, new in OLD_OPTIONS.items() if new in own and old not in own}
        return super().parse_args(ctx, [_renamed(argument, renamed) for argument in args])


def _renamed(argument: str, names: Mapping[str, str]) -> str:
    name, equals, value = argument.partition("=")
    return names.get(name, name) + equals + value


def _load(name: str, command: Command) -> Any:
    module, _, attribute = command.target.partition(":")
    target = getattr(import_module(f"facespace.cli.{module}"), attribute)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=ShellCommand)(target)
    return typer.main.get_command(alone)
