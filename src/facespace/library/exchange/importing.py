"""Names that other programs gave to faces, taken over as corrections: confirmed, in one entry of the history.

Of each photo the first source that has names of regions counts, as PhotoPrism and immich do: the sidecar, the photo's
own packet, Picasa's files; other names in a later one are reported. A region belongs to the face that it overlaps best;
no face is taken twice. A correction made in this library wins over the name that another program gives.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import DataError, InputError
from facespace.library.catalogue import LibraryPart
from facespace.library.corrections import confirm_face, mark_confirmed, new_person, set_person
from facespace.library.exchange.embedded import read_embedded
from facespace.library.exchange.files import (
    ListedPhoto,
    OnPhoto,
    Skipped,
    files_below,
    folder_of,
    listed_photos,
    read_file,
)
from facespace.library.exchange.picasa import Picasa, read_contacts
from facespace.library.exchange.regions import box_of_area, orientation_of, pair_up
from facespace.library.exchange.sidecars import Sidecars
from facespace.library.exchange.xmp import Packet, read_packet, text_key
from facespace.library.faces import name_person, named_people
from facespace.library.history import Entry, Step, one_entry
from facespace.saved_files import reason_of
from facespace.store import LONGEST_NAME, clean_name, name_key, shown_name


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
        contradictions: names that contradict a correction made here; left alone.
        unmatched: names that were not taken over: no face lies there, the name cannot be known or is none, or another
            source of the photo counts.
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


class Importing(LibraryPart):
    """Names that a library takes over."""

    def import_names(
        self,
        *,
        photos: Path | None = None,
        contacts: Path | None = None,
        encoding: str | None = None,
        dry_run: bool = False,
        on_photo: OnPhoto | None = None,
    ) -> Imported:
        """Take over the names that other programs gave to faces: one entry, which one `undo` takes back.

        Read are XMP sidecars, packets inside photos, and Picasa's files. A correction made here wins; a second import
        changes nothing.

        Args:
            photos: their folder, where it is not that of the last scan.
            contacts: Picasa's contacts.xml, for names that are not in its folders' files.
            encoding: code page of Picasa's older files, such as cp1252, where it cannot be recognised.
            dry_run: change nothing, only say what would come of it.
            on_photo: called with (done, in all).

        Raises:
            DataError: the contacts cannot be read.
            InputError: no such encoding.
            LibraryError: the photos' folder is not there, or another process holds the library.
        """
        library = self._catalogue
        folder = folder_of(library, photos)
        paths = [photo.path for photo in library.photos() if not photo.unreadable]
        files, known = list(files_below(folder, paths)), read_contacts(contacts) if contacts else {}
        picasa = Picasa(folder, files, paths, known, encoding=encoding)
        reader = _Reader(folder, Sidecars(folder, files, paths), picasa)
        for photo in listed_photos(library, on_photo):
            reader.read(photo)
        reader.read_rest()
        with suppress(_DryRunError), one_entry(library, "import-names") as step:
            outcome = _confirm(step, reader.named)
            if dry_run:
                raise _DryRunError
        return Imported(
            step.entry, reader.n_regions, *outcome, tuple(reader.unmatched), tuple(reader.skipped)
        )


@dataclass(frozen=True)
class _Source:
    """Where regions of a photo stand, and what they say."""

    what: str
    packet: Packet


class _Reader:
    """Reads the names that other programs gave, photo after photo."""

    def __init__(self, folder: Path, sidecars: Sidecars, picasa: Picasa) -> None:
        self.folder = folder
        self.sidecars = sidecars
        self.picasa = picasa
        self.named: list[_Named] = []
        self.unmatched = [LeftAlone(path, _shown(name), reason) for path, name, reason in picasa.strays]
        self.skipped = list(picasa.skipped)
        self.n_regions = 0

    def read(self, photo: ListedPhoto) -> None:
        """Find the faces of the first source that names any; what others say besides is left alone."""
        sources = [source for source in self._sources(photo) if any(r.name for r in source.packet.regions)]
        if not sources:
            return
        if reason := photo.changed(self.folder):
            self.skipped.append(Skipped(photo.path, reason))
            return
        # Those with names that can be known come first; the order stays otherwise.
        sources.sort(key=lambda source: all(r.problem for r in source.packet.regions if r.name))
        seen: set[tuple[int | None, str]] = set()
        for source in sources:
            seen |= self._pair(photo, source, sources[0], seen)

    def read_rest(self) -> None:
        """Report the names in sidecars that no photo was found to have."""
        for sidecar in sorted(self.sidecars.unused):
            source = self._source(sidecar, "no photo of the library has this sidecar", self.folder / sidecar)
            self.unmatched += [
                LeftAlone(sidecar, _shown(region.name), source.what)
                for region in source.packet.regions
                if region.name
            ]

    def _sources(self, photo: ListedPhoto) -> Iterator[_Source]:
        for sidecar in self.sidecars.find(photo.path):
            yield self._source(photo.path, sidecar.name, sidecar)
        try:
            inside = read_embedded(self.folder / photo.path)
        except DataError as error:
            self.skipped.append(Skipped(photo.path, f"its XMP packet: {error}"))
        else:
            yield self._source(photo.path, "its XMP packet", inside.packet)
            yield self._source(photo.path, "the second part of its XMP packet", inside.extension)
        yield _Source("Picasa", Packet(self.picasa.regions(photo.path)))

    def _source(self, path: str, what: str, source: Path | bytes | None) -> _Source:
        try:
            content = read_file(source) if isinstance(source, Path) else source
            return _Source(what, read_packet(content) if content else Packet(()))
        except OSError as error:
            reason = reason_of(error)
        except DataError as error:
            reason = str(error)
        self.skipped.append(Skipped(path, f"{what}: {reason}"))
        return _Source(what, Packet(()))

    def _pair(
        self, photo: ListedPhoto, source: _Source, first: _Source, seen: set[tuple[int | None, str]]
    ) -> set[tuple[int | None, str]]:
        """Match the regions of a source to faces; faces and names that sources before it gave are passed over."""
        faces, regions = [face for face in photo.faces if face.ignored != "forgotten"], source.packet.regions
        boxes, stored = [face.box_xyxy for face in faces], photo.stored_orientation(self.folder)
        orientation = orientation_of(regions, source.packet.applied_wh, boxes, photo.size_hw, stored)
        areas = [box_of_area(region.area, photo.size_hw, orientation) for region in regions]
        known, here = {face for face, _ in seen}, set()
        for region, pair in zip(regions, pair_up(areas, boxes), strict=True):
            face = None if pair is None else faces[pair].face_id
            key = text_key(region.name)
            if not region.name or (face, key) in seen or (region.problem and face in known):
                continue
            here.add((face, key))
            self.n_regions += source is first and not region.problem
            try:
                if region.problem:
                    raise InputError(region.problem)
                name = clean_name(region.name, digits=False)
                if source is not first:
                    raise InputError(f"stands in {source.what}; {first.what} counts")
                if face is None:
                    raise InputError("no face was found there")
            except InputError as error:
                self.unmatched.append(LeftAlone(photo.path, _shown(region.name), str(error)))
            else:
                self.named.append(_Named(photo.path, name, face))
        return here


def _shown(name: str) -> str:
    return shown_name(name[:LONGEST_NAME])


def _confirm(step: Step, named: list[_Named]) -> tuple[int, int, tuple[LeftAlone, ...]]:
    """Confirm all faces that no correction contradicts; how many, how many were known, and what contradicts."""
    people = {name_key(name): number for number, name in named_people(step.catalogue)}
    n_confirmed, n_known, contradictions = 0, 0, list[LeftAlone]()
    for one in named:
        key, before = name_key(one.name), step.assigned(one.face_id)
        person, here = people.get(key), before.person_id if before and before.confirmed else None
        if here is not None and here == person:
            n_known += 1
        elif here is not None and person is None and step.person(here).name is None:
            people[key] = here  # all of that person get the name
            set_person(step, here, name=one.name)
            n_confirmed += 1
        elif reason := _contradiction(step, one.face_id, person):
            contradictions.append(LeftAlone(one.photo, one.name, reason))
        else:
            if person is None:
                person = people[key] = new_person(step)
                set_person(step, person, name=one.name)
            mark_confirmed(step, person)
            confirm_face(step, one.face_id, person, named=True)
            n_confirmed += 1
    step.what = f"import {n_confirmed} name{'s' * (n_confirmed != 1)} from other programs"
    return n_confirmed, n_known, tuple(contradictions)


def _contradiction(step: Step, face: int, person: int | None) -> str | None:
    """The correction that keeps a face from being that person, who may be a new one."""
    before = step.assigned(face)
    if before and before.confirmed:
        here = name_person(step.catalogue, before.person_id)
        return f"here it is {here}: {step.entry_of('assignments', face)}"
    if step.get("ignored", face) is not None:
        return f"it was marked as no face: {step.entry_of('ignored', face)}"
    if person is not None and step.get("rejections", face, person) is not None:
        return f"it was rejected: {step.entry_of('rejections', face, person)}"
    return None
