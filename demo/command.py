"""``birds gallery``: a stand-in for Google Images on this computer, until Ctrl-C."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from .faults import Fault


def gallery(
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of labelled folders to show. Default: drawn pictures.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 for a free one.")] = 0,
    fault: Annotated[Fault | None, typer.Option("--fault", help="What goes wrong, on purpose.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Serve a stand-in for Google Images on this computer, until Ctrl-C.

    Example: birds gallery --images images --fault failing
    """
    from .gallery import Gallery  # the web server takes a moment to load

    with Gallery(images, port=port, fault=fault) as served:
        if as_json:
            about = {"url": served.url, "allow_hosts": served.allow_hosts, "labels": served.labels}
            typer.echo(json.dumps(about, ensure_ascii=False))
        else:
            label = "cigüeña" if "cigüeña" in served.labels else served.labels[0]
            command = ["birds", "scrape", "--species", label, "--google-url", served.url]
            for pattern in served.allow_hosts:
                command += ["--allow-host", pattern]
            typer.echo(f"Gallery: {served.url}\n\nScrape it with:\n\n    {_quoted(command)}\n\nCtrl-C ends it.")
        served.serve_forever()


def _quoted(command: list[str]) -> str:
    """`command` for a shell. Letters with accents need no quotes, whatever shlex thinks."""
    return " ".join(word if word.replace("/", "").replace(":", "").isalnum() else shlex.quote(word) for word in command)
