"""``MODEL_CARD.md``: what the model is for, what it was made of, how good it is, where it fails, and how to use it.

In the form that the Hugging Face Hub reads (https://huggingface.co/docs/hub/model-cards): a block of YAML, then prose.
Figures come from the manifest alone. Labels may come from strangers: they become neither YAML nor markup.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ..licences import licence_name
from ..models.engines import INPUT
from ..models.manifest import METADATA_KEY, Manifest, Preprocess
from .figures import LEAST_PICTURES, RIGHT_WHERE_SURE

NAME = "MODEL_CARD.md"
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~$&!])")
_MADE_SQUARE = {"trim": "trimmed to 4:3 at most and squished to", "squish": "squished to", "crop": "the middle of"}
_FEW = 20  # test pictures of a class, below which its figures say little


def model_card(manifest: Manifest) -> str:
    """The card of the model that `manifest` describes."""
    parts = [
        _front_matter(manifest),
        f"# {_text(manifest.training.get('run') or manifest.architecture)}",
        _summary(manifest),
        "## Intended use\n\n" + _intended_use(manifest),
        "## How good it is\n\n" + _results(manifest),
        "## Data and licences\n\n" + _data(manifest.training),
        "## Limits\n\n" + _limits(manifest),
        "## Use it\n\n" + _usage(manifest),
        "## How it was made\n\n" + _making(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(manifest: Manifest) -> str:
    """JSON is YAML: every value from elsewhere is written as JSON."""
    tags = ["image-classification", "birds", "biodiversity"]
    tags += [tag for tag, file in (("onnx", "model.onnx"), ("fastai", "export.pkl")) if file in manifest.files]
    lines = [
        "license: unknown",
        f"library_name: {'onnx' if 'model.onnx' in manifest.files else 'birds'}",
        "pipeline_tag: image-classification",
        f"tags: {json.dumps(tags)}",
    ]
    if manifest.test:
        result = {
            "name": manifest.training.get("run") or manifest.architecture,
            "results": [
                {
                    "task": {"type": "image-classification"},
                    "dataset": {"name": "held-out test pictures of the same collection", "type": "imagefolder"},
                    "metrics": [
                        {"type": "accuracy", "value": round(manifest.test["accuracy"], 4)},
                        {"type": "loss", "value": round(manifest.test["loss"], 4)},
                    ],
                }
            ],
        }
        lines.append(f"model-index: {json.dumps([result], ensure_ascii=False)}")
    return "\n".join(["---", *lines, "---"])


def _summary(manifest: Manifest) -> str:
    names = ", ".join(_class_name(one.label, one.scientific_name) for one in manifest.classes)
    return (
        f"Says which of {len(manifest.classes)} classes is on a photograph: {names}. The network is "
        f"{_text(manifest.architecture)}, made with [birds](https://pypi.org/project/birds/)."
    )


def _class_name(label: str, scientific_name: str | None) -> str:
    return f"{_text(label)} (*{_text(scientific_name)}*)" if scientific_name else _text(label)


def _intended_use(manifest: Manifest) -> str:
    return (
        "A first guess for photographs that show one bird of these classes, to be looked over by somebody who knows "
        f"them. Below a confidence of {manifest.abstain_threshold:.4g} take its answer as 'unsure'. Not for decisions "
        "that nobody checks, and not for counting or proving that a species occurs somewhere."
    )


def _results(manifest: Manifest) -> str:
    test = manifest.test
    if not test:
        return "It was exported without a test set: **nobody knows how good it is.**"
    bounds = test["accuracy_interval"]
    around = f" (95% interval {bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else ""
    where_sure = test.get("accuracy_where_sure")
    sure = "" if where_sure is None else f", of which {where_sure:.3f} are right"
    lines = [
        f"On {test['n']} test pictures that were kept out of training: accuracy "
        f"**{test['accuracy']:.3f}**{around}, cross-entropy {test['loss']:.4f} nats. "
        + _share_reviewed(test.get("reviewed_share"), "these pictures"),
        f"At a confidence of {manifest.abstain_threshold:.4g} or more are {test['coverage']:.0%} of them{sure}.",
        "",
        "| class | pictures | precision | recall | 95% interval of recall | F1 |",
        "|---|---|---|---|---|---|",
    ]
    for label, one in test["per_class"].items():
        bounds = one["recall_interval"]
        interval = f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds and one["n"] else "-"
        shares = " | ".join(_share(one[name]) for name in ("precision", "recall"))
        lines.append(f"| {_text(label)} | {one['n']} | {shares} | {interval} | {_share(one['f1'])} |")
    if validation := manifest.training.get("validation"):
        lines += [
            "",
            f"On {validation['n']} validation pictures, by which epoch, temperature and threshold were chosen: "
            f"accuracy {validation['accuracy']:.3f}, cross-entropy {validation['loss']:.4f} nats.",
        ]
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share_reviewed(share: float | None, what: str) -> str:
    if share is None:
        return f"Whether a person looked at {what} is not recorded."
    return f"A person looked at {share:.0%} of {what} and kept them."


def _data(training: Mapping[str, Any]) -> str:
    lines = []
    counts = (training.get("split") or {}).get("counts")
    if counts:
        lines += ["| class | train | validation | test |", "|---|---|---|---|"]
        lines += [
            f"| {_text(label)} | {one['train']} | {one['val']} | {one['test']} |" for label, one in counts.items()
        ]
        lines.append("")
    sources, licences = training.get("sources") or {}, training.get("licences") or {}
    if sources:
        lines.append(f"Where the pictures for training and validation came from: {_tally(sources)}.")
    if licences:
        named = {"no licence known" if code == "unknown" else licence_name(code): n for code, n in licences.items()}
        lines.append(f"Their licences: {_tally(named)}. {_share_reviewed(training.get('reviewed_share'), 'them')}")
    else:
        lines.append("Where the pictures came from, and under which licences, is not recorded.")
    lines.append(
        "The licence of this model is for whoever publishes it to choose: it depends on what those of the pictures and "
        "of the weights that training started from allow."
    )
    return "\n".join(lines)


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_text(name)} {n}" for name, n in counts.items())


def _limits(manifest: Manifest) -> str:
    lines = [
        "- It knows these classes alone and gives one of them to any picture, a cat's included. Only a low confidence "
        "says that something is amiss, and not always.",
        "- Its test pictures come from the same collection as its training pictures. Other cameras, regions, plumages "
        "and distances are harder, and confidence is calibrated for pictures like these.",
    ]
    few = [label for label, one in (manifest.test or {}).get("per_class", {}).items() if one["n"] < _FEW]
    if few:
        lines.append(f"- Fewer than {_FEW} test pictures, so that figures say little: {', '.join(map(_text, few))}.")
    return "\n".join(lines)


def _usage(manifest: Manifest) -> str:
    parts = []
    if "model.onnx" in manifest.files:
        parts.append(
            "With `pip install onnxruntime numpy pillow` and nothing else:\n\n"
            f"```python\n{usage_code(manifest.preprocess)}```"
        )
    parts.append(
        "With birds: `birds predict photo.jpg --model FOLDER`, or `birds.load(FOLDER).predict('photo.jpg')` in Python."
    )
    if "export.pkl" in manifest.files:
        parts.append(
            "`export.pkl` is fastai's learner, a pickle: it runs code when it is opened. Take it from people you trust "
            "only; nothing here needs it."
        )
    return "\n\n".join(parts)


def usage_code(preprocess: Preprocess) -> str:
    """Python that predicts ``photo.jpg`` with onnxruntime, numpy and pillow alone."""
    size = preprocess.size
    squish = f"pixels = np.asarray(image.resize(({size}, {size}), Image.Resampling.BILINEAR))"
    if preprocess.resize == "squish":
        prepare = [squish]
    elif preprocess.resize == "trim":
        prepare = [
            "sides = [min(side, round(4 / 3 * min(image.size))) for side in image.size]",
            "left, top = ((side - kept) // 2 for side, kept in zip(image.size, sides))",
            "image = image.crop((left, top, left + sides[0], top + sides[1]))",
            squish,
        ]
    else:
        prepare = [
            f"scale = {size} * 8 / 7 / min(image.size)",
            f"sides = [max({size}, round(side * scale)) for side in image.size]",
            f"left, top = ((side - {size}) // 2 for side in sides)",
            f"image = image.resize(sides, Image.Resampling.BILINEAR).crop((left, top, left + {size}, top + {size}))",
            "pixels = np.asarray(image)",
        ]
    lines = [
        "import json",
        "import numpy as np, onnxruntime",
        "from PIL import Image, ImageOps",
        'session = onnxruntime.InferenceSession("model.onnx")',
        f'about = json.loads(session.get_modelmeta().custom_metadata_map["{METADATA_KEY}"])',
        'image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")',
        *prepare,
        f'probabilities = session.run(None, {{"{INPUT}": pixels[None]}})[0][0]',
        "for index in probabilities.argsort()[::-1][:3]:",
        '    print(about["classes"][index]["label"], round(float(probabilities[index]), 3))',
    ]
    return "\n".join(lines) + "\n"


def _making(manifest: Manifest) -> str:
    training, split = manifest.training, manifest.training.get("split") or {}
    rule = (
        f"The threshold is the lowest confidence at and above which {RIGHT_WHERE_SURE:.0%} of the validation "
        f"pictures, and at least {LEAST_PICTURES}, were right; 0.5 where there were too few to choose by, 0.95 "
        "where none was high enough."
    )
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    how = _MADE_SQUARE[manifest.preprocess.resize]
    return "\n".join(
        [
            f"- Started from {_text(str(training.get('weights')))}; seed {training.get('seed')}; best in epoch "
            f"{training.get('best_epoch')} of phase {_text(str(training.get('best_phase')))}.",
            f"- Pictures are {how} {manifest.preprocess.size} x {manifest.preprocess.size} pixels"
            + (", and judged by the mean over them and their mirror images." if manifest.mirror else "."),
            f"- Temperature {manifest.temperature:.4g}, which is in the weights already (Guo et al. 2017).",
            f"- {rule}",
            f"- Split: {_text(str(split.get('fingerprint') or 'made elsewhere'))}, seed {split.get('seed')}.",
            f"- Versions: {versions}. Exported {manifest.created_at}.",
        ]
    )


def _text(value: str) -> str:
    """`value` as plain text on one line of Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(value.split()))
