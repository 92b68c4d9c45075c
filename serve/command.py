"""``birds serve``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag


def serve(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A bundle, a run's name or an .onnx file. Default: the newest run."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address the page listens at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 8000,
    is_public: Annotated[
        bool,
        typer.Option("--i-know-this-is-public", help="Let --host be an address that other machines can reach."),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A name by which people reach the page; again for another.", show_default=False
        ),
    ] = None,
    trust_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A proxy before the server: believe its X-Forwarded-For; again for another.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="Pictures a minute from one client address; 0 for no limit.")] = 60,
    max_mb: Annotated[float, typer.Option("--max-mb", min=0.01, max=100, help="Size of an upload, in megabytes.")] = 10,
    top: Annotated[int, typer.Option(min=1, help="Classes to give of each picture.")] = 5,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Serve a page, and a JSON endpoint, that say which bird is on a picture, until Ctrl-C.

    Pictures are looked at in memory and forgotten. Only the model's ONNX file is opened, never a pickle.

    Example: birds serve, then curl -F picture=@photo.jpg http://127.0.0.1:8000/identify
    """
    from .limits import Limits
    from .server import serve as serve_model

    console = Console(as_json=as_json, quiet=quiet)
    burst = max(1, round(rate / 2))
    result = serve_model(
        project,
        model,
        port=port,
        host=host,
        allow_public=is_public,
        allow_hosts=allow_host or (),
        trust_proxies=trust_proxy or (),
        top=top,
        limits=Limits(max_bytes=round(max_mb * 1e6), per_minute=rate, burst=burst),
        progress=Console(),  # never quiet: without the address nobody gets in
    )
    refused = sum(result.refused.values())
    console.result(result, f"Stopped. {result.identified} pictures identified, {refused} requests refused.")
