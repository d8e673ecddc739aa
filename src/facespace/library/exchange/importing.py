"""Names that other programs gave to faces, taken over as what was said: confirmed, in one entry of the history.

Of each photo the first source that has names of regions counts, as PhotoPrism and immich do: the sidecar, the photo's
own packet, Picasa's file of the folder. A region belongs to the face that it overlaps best; no face is taken twice.
What was said in this library wins over what another program says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from facespace.errors import CorrectionError, DataError, InputError
from facespace.library.addresses import name_person
from facespace.library.catalogue import Catalogue
from facespace.library.corrections import confirm_face, new_person, set_person, settle
from facespace.library.exchange.embedded import read_embedded
from facespace.library.exchange.files import OnPhoto
from facespace.library.exchange.photos import ListedPhoto, Skipped, count_photos, folder_of, listed_photos
from facespace.library.exchange.picasa import PicasaFolder, read_contacts, read_picasa_folder
from facespace.library.exchange.regions import box_of_area, orientation_of, pair_up
from facespace.library.exchange.sidecars import Sidecars
from facespace.library.exchange.xmp import Packet, read_packet
from facespace.library.history import Entry, History, Step
from facespace.store import LONGEST_NAME, clean_name, name_key, shown_name

__all__ = ["Imported", "LeftAlone", "import_names"]


@dataclass(frozen=True)
class LeftAlone:
    """A name that was not taken over.

    Attributes:
        photo: relative to the photo folder.
        name: as the other program has it.
        reason: for people to read.
    """

    photo: str
    name: str
    reason: str


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        entry: in the history; None where nothing was changed.
        n_regions: with a name, of photos of the library.
        n_confirmed: faces that have a name now and had not before.
        n_known: faces that had the name already.
        contradictions: what was said here otherwise; left alone.
        unmatched: regions in which the library sees no face, and names that are none.
        skipped: photos and sidecars that could not be read or have changed.
    """

    entry: Entry | None
    n_regions: int
    n_confirmed: int
    n_known: int
    contradictions: tuple[LeftAlone, ...]
    unmatched: tuple[LeftAlone, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class _Named:
    """A region with a clean name, and the face that lies in it."""

    photo: str
    name: str
    face_id: int


class _DryRunError(Exception):
    """Ends the transaction of a dry run."""


def import_names(
    history: History,
    *,
    photos: Path | None = None,
    contacts: Path | None = None,
    dry_run: bool = False,
    on_photo: OnPhoto | None = None,
) -> Imported:
    """Take over the names that other programs gave to faces: one entry, which one `undo` takes back.

    Read are XMP sidecars, packets inside photos, and Picasa's files. What was said here wins; a second import
    changes nothing.

    Args:
        history: of an open catalogue.
        photos: their folder, where it is not that of the last scan.
        contacts: Picasa's contacts.xml, for names that are not in its folders' files.
        dry_run: change nothing, only say what would come of it.
        on_photo: called with (done, in all).

    Raises:
        DataError: the contacts cannot be read.
        LibraryError: the photos' folder is not there, or another process holds the library.
    """
    library = history.catalogue
    reader = _Reader(library, folder_of(library, photos), read_contacts(contacts) if contacts else {})
    total = count_photos(library)
    for done, photo in enumerate(listed_photos(library), 1):
        reader.read(photo)
        if on_photo:
            on_photo(done, total)
    names, entry = _Names(), None
    try:
        with history.step("import-names") as step:
            names.say(step, reader.named)
            if dry_run:
                raise _DryRunError
        entry = history.last
    except _DryRunError:
        pass
    return Imported(
        entry, reader.n_regions, names.n_confirmed, names.n_known, tuple(names.contradictions),
        tuple(reader.unmatched), tuple(reader.skipped),
    )  # fmt: skip


class _Reader:
    """Reads what other programs said of photo after photo."""

    def __init__(self, library: Catalogue, folder: Path, contacts: dict[str, str]) -> None:
        self.folder = folder
        self.contacts = contacts
        self.sidecars = Sidecars(library, folder)
        self.named: list[_Named] = []
        self.unmatched: list[LeftAlone] = []
        self.skipped: list[Skipped] = []
        self.n_regions = 0
        self._picasa: tuple[Path, PicasaFolder] = (Path(), PicasaFolder({}, {}))

    def read(self, photo: ListedPhoto) -> None:
        """Find the faces of the first source that names any."""
        for packet in self._packets(photo):
            if any(region.name for region in packet.regions):
                reason = photo.changed(self.folder)
                if reason:
                    self.skipped.append(Skipped(photo.path, reason))
                else:
                    self._pair(photo, packet)
                return

    def _packets(self, photo: ListedPhoto) -> Iterator[Packet]:
        sidecar = self.sidecars.find(photo.path)
        if sidecar:
            yield self._packet(photo, sidecar.name, sidecar)
        yield self._packet(photo, "its XMP packet", read_embedded(self.folder / photo.path).packet)
        folder = (self.folder / photo.path).parent
        if self._picasa[0] != folder:  # photos come folder by folder
            self._picasa = folder, read_picasa_folder(folder)
        yield Packet(self._picasa[1].regions(PurePath(photo.path).name, self.contacts))

    def _packet(self, photo: ListedPhoto, what: str, source: Path | bytes | None) -> Packet:
        try:
            content = source.read_bytes() if isinstance(source, Path) else source
            return read_packet(content) if content else Packet(())
        except (OSError, DataError) as error:
            self.skipped.append(Skipped(photo.path, f"{what}: {error}"))
            return Packet(())

    def _pair(self, photo: ListedPhoto, packet: Packet) -> None:
        faces = [face for face in photo.faces if face.ignored != "forgotten"]
        boxes, stored = [face.box_xyxy for face in faces], photo.stored_orientation(self.folder)
        orientation = orientation_of(packet.regions, packet.applied_wh, boxes, photo.size_hw, stored)
        areas = [box_of_area(region.area, photo.size_hw, orientation) for region in packet.regions]
        for region, pair in zip(packet.regions, pair_up(areas, boxes), strict=True):
            if not region.name:
                continue
            self.n_regions += 1
            try:
                name = clean_name(region.name, digits=False)
                if pair is None:
                    raise CorrectionError("no face was found there")
                self.named.append(_Named(photo.path, name, faces[pair].face_id))
            except (CorrectionError, InputError) as error:
                self.unmatched.append(
                    LeftAlone(photo.path, shown_name(region.name[:LONGEST_NAME]), str(error))
                )


class _Names:
    """Says the names in one entry, and counts what came of it."""

    def __init__(self) -> None:
        self.n_confirmed = 0
        self.n_known = 0
        self.contradictions: list[LeftAlone] = []
        self._people: dict[str, int] = {}

    def say(self, step: Step, named: list[_Named]) -> None:
        """Confirm all faces that nobody said otherwise of."""
        rows = step.catalogue.rows("SELECT person_id, name FROM people WHERE name IS NOT NULL")
        self._people = {name_key(row["name"]): row["person_id"] for row in rows}
        for one in named:
            self._say(step, one)
        step.what = f"import {self.n_confirmed} name{'s' * (self.n_confirmed != 1)} from other programs"

    def _say(self, step: Step, one: _Named) -> None:
        person = self._people.get(name_key(one.name))
        before = step.assigned(one.face_id)
        if before and before.confirmed:
            self._compare(step, one, person, before.person_id)
        elif step.get("ignored", one.face_id) is not None:
            self._leave(step, one, "it was said to be no face", "ignored", one.face_id)
        elif person is not None and step.get("rejections", one.face_id, person) is not None:
            self._leave(step, one, "it was said not to be", "rejections", one.face_id, person)
        else:
            person = self._person(step, one.name)
            settle(step, person)
            confirm_face(step, one.face_id, person, named=True)
            self.n_confirmed += 1

    def _compare(self, step: Step, one: _Named, person: int | None, here: int) -> None:
        """A face of a settled person: known, named at last, or somebody else."""
        if person == here:
            self.n_known += 1
            return
        if person is None and step.person(here).name is None:
            set_person(step, here, name=one.name)
            self._people[name_key(one.name)] = here
            self.n_confirmed += 1
            return
        self._leave(step, one, f"here it is {name_person(step.catalogue, here)}", "assignments", one.face_id)

    def _leave(self, step: Step, one: _Named, reason: str, relation: str, *key: int) -> None:
        said = f"{reason}: {step.said_by(relation, *key)}"
        self.contradictions.append(LeftAlone(one.photo, one.name, said))

    def _person(self, step: Step, name: str) -> int:
        """The person of a name, made where there is none."""
        key = name_key(name)
        if key not in self._people:
            self._people[key] = new_person(step)
            set_person(step, self._people[key], name=name)
        return self._people[key]
