"""A network as an ONNX file that takes pictures as `images.prepare` makes them and gives probabilities.

Scaling, normalisation and softmax are in the graph, so that whoever runs it has nothing to get wrong. Resizing is not:
no operator of ONNX matches Pillow's (probabilities differed by up to 0.02).
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError
from ..models.architectures import Classifier
from ..models.engines import INPUT, OUTPUT
from ..models.manifest import METADATA_KEY, Preprocess
from ..models.network import normalise


class Graph(torch.nn.Module):
    """Prepared pictures, uint8 [N, size, size, 3], to probabilities [N, classes]."""

    def __init__(self, network: Classifier, preprocess: Preprocess) -> None:
        super().__init__()
        self.network, self.preprocess = network, preprocess

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(normalise(pictures, self.preprocess))
        return logits.softmax(dim=1)


def write_onnx(network: Classifier, preprocess: Preprocess, path: Path, description: str) -> None:
    """Write `network` as an ONNX file for any number of pictures at once, with `description`, the manifest's JSON.

    Raises
    ------
    ModelError : the network has an operation that ONNX cannot say.
    """
    size = preprocess.size
    graph = Graph(network, preprocess).eval()
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    try:
        with _quietly(), torch.no_grad():
            program: Any = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                verbose=False,
            )
    except Exception as error:  # torch's exporter has no error of its own that covers all
        first_line = str(error).strip().partition("\n")[0].rstrip(".")
        raise ModelError(
            f"This network cannot be written as ONNX: {first_line}.", "Export it with --format fastai,safetensors."
        ) from error
    _forget_where_it_was_made(program.model)
    program.model.metadata_props[METADATA_KEY] = description
    program.save(path, external_data=False)


def _forget_where_it_was_made(model: Any) -> None:
    """Take out what the exporter notes for debugging: the lines of Python, with the paths they stand in."""
    for graph in [model.graph, *(function.graph for function in model.functions.values())]:
        for node in graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
        for value in [*graph.inputs, *graph.initializers.values()]:
            value.metadata_props.clear()
        graph.metadata_props.clear()
    model.metadata_props.clear()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What the exporter prints, warns and logs is about torch's own insides."""
    said = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in said]
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        for logger in said:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(said, levels, strict=True):
                logger.setLevel(level)
