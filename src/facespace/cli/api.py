"""`facespace api`: galleries over HTTP, and the keys to them."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import say, show, show_json, warn
from facespace.cli.gallery_opened import milvus_token
from facespace.cli.options import AsJson, DetectorFile, ModelFile, NetworkDevice
from facespace.cli.progress import show_table
from facespace.errors import InputError
from facespace.models.devices import AUTO, candidates
from facespace.service.keys import ANY, RIGHTS, Keys
from facespace.service.serving import serve
from facespace.service.settings import HOST, MB, PORT, Limits, Settings

LIMITS = Limits()
BODY_MB = LIMITS.body_bytes // MB
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder of the galleries, NAME.gallery.", show_default=False)
]


def start(
    folder: Folder,
    host: Annotated[
        str, typer.Option(help="Address to listen on. 0.0.0.0 lets other machines connect.")
    ] = HOST,
    port: Annotated[int, typer.Option(help="Port. 0 takes any free one.", min=0, max=65535)] = PORT,
    keys: Annotated[
        bool,
        typer.Option(
            "--keys/--no-keys", help="Require keys. --no-keys: only programs on this machine can connect."
        ),
    ] = True,
    gallery: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A further gallery: milvus://host:19530/team. Can be repeated."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the galleries.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that find faces, in each process. Default: all cores.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="Requests per second of one key; 0: no limit.")
    ] = LIMITS.rate,
    max_body: Annotated[int, typer.Option(min=1, help="Largest picture or other body, in MB.")] = BODY_MB,
    max_pixels: Annotated[
        float, typer.Option(min=0.1, help="Largest picture, in megapixels.")
    ] = LIMITS.pixels / 1e6,
    queue: Annotated[int, typer.Option(min=1, help="Pictures that may wait in each process.")] = LIMITS.queue,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one request.")] = LIMITS.timeout_s,
    tls_cert: Annotated[
        Path | None, typer.Option(help="File of the TLS certificate, with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="File of the certificate's private key.")] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A proxy whose forwarded headers are trusted. Can be repeated."),
    ] = None,
    root_path: Annotated[
        str, typer.Option(help="Path under which a proxy shows the service, such as /faces.")
    ] = "",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="A web site whose scripts may call the service. Can be repeated."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="With --no-keys: another host name of this machine. Can be repeated."
        ),
    ] = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    device: NetworkDevice = AUTO,
) -> None:
    """Answer HTTP requests: enrol, identify, search, verify.

    FOLDER is created if it does not exist. /openapi.json describes the API and its limits. Stop it with Ctrl-C:
    accepted requests are finished first.

    Example: facespace api start galleries --no-keys
    """
    if (tls_cert is None) != (tls_key is None):
        raise InputError("expected both --tls-cert and --tls-key, or neither")
    candidates(device)  # before the server starts
    if keys and not Keys(folder).all():
        warn(f"there is no key yet: facespace api keys make {folder}")
    settings = Settings(
        folder, addresses=_named(gallery or []), token=milvus_token(), model=model,
        detector=detector, device=device, keys=keys, threads=threads,
        workers=workers, host=host, port=port, certificate=tls_cert, certificate_key=tls_key,
        proxies=tuple(proxy or ()), root_path=root_path.rstrip("/"), origins=tuple(allow_origin or ()),
        hosts=tuple(allow_host or ()),
        limits=Limits(
            body_bytes=max_body * MB, pixels=round(max_pixels * 1e6), queue=queue, timeout_s=timeout, rate=rate
        ),
    )  # fmt: skip

    def ready(address: str, local: bool) -> None:
        if not local and tls_cert is None:
            warn("other machines can reach this service and the connection is not encrypted: see --tls-cert")
        say(f"{address}/v1, described at {address}/openapi.json  (Ctrl-C stops)")

    # The service has stopped by itself when the signal arrives here.
    with suppress(KeyboardInterrupt):
        serve(settings, on_ready=ready)


def make_key(
    folder: Folder,
    gallery: Annotated[str, typer.Option(help="The gallery that it is for. * is all.")] = ANY,
    right: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(RIGHTS), help="What it may do. Can be repeated. Default: read."),
    ] = None,
    note: Annotated[str, typer.Option(help="Whose it is, for the list of keys.")] = "",
    json: AsJson = False,
) -> None:
    """Make a key.

    It is shown once and kept nowhere; the service keeps its hash.

    Example: facespace api keys make galleries --gallery team --right read --right write
    """
    key, text = Keys(folder).make(gallery, right or RIGHTS[:1], note=note)
    if json:
        show_json({"key": text, "key_id": key.key_id, "gallery": key.gallery, "rights": key.rights})
    else:
        show(text)
        say(
            f"key {key.key_id} may {', '.join(key.rights)} in {'all galleries' if gallery == ANY else gallery}"
        )


def list_keys(folder: Folder, json: AsJson = False) -> None:
    """List the keys.

    Example: facespace api keys list galleries
    """
    keys = Keys(folder).all()
    if json:
        show_json({"keys": [{name: v for name, v in vars(key).items() if name != "sha256"} for key in keys]})
    else:
        show_table(
            ("key", "gallery", "rights", "made", "note"),
            [(key.key_id, key.gallery, ", ".join(key.rights), key.made, key.note) for key in keys],
        )


def revoke_key(
    folder: Folder,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, as listed.", show_default=False)],
    json: AsJson = False,
) -> None:
    """Make a key invalid, from the next request on.

    Example: facespace api keys revoke galleries 1f2e3d4c
    """
    gone = Keys(folder).revoke(key)
    show_json({"revoked": gone.key_id}) if json else show(f"key {gone.key_id} is not valid any more")


def _named(addresses: list[str]) -> dict[str, str]:
    """Galleries at addresses, by their last part."""
    named = {address.rstrip("/").rpartition("/")[2]: address for address in addresses}
    if len(named) != len(addresses) or not all("://" in address for address in addresses):
        raise InputError(
            "--gallery: expected addresses such as milvus://host:19530/team, each with another name"
        )
    return named
