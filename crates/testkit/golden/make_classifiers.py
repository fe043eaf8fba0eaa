"""Make the tiny classifiers and what transformers makes of texts with them, into the folder of this script.

    pip install -r requirements.txt && python make_classifiers.py

A classifier is a decoder whose last matrix scores labels, read at a text's last token. Everything follows from fixed
seeds: the first seed is taken whose labels are clear and differ from text to text.
"""

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import torch
from transformers import (
    BloomForSequenceClassification, GPT2ForSequenceClassification, LlamaForSequenceClassification,
    Qwen2ForSequenceClassification, Qwen3ForSequenceClassification,
)

import make_files
import make_golden
import tiny_models
import tiny_tokenizer

FOLDER = Path(__file__).parent
# Weight type, class, and whether there is a GGUF file, too.
CLASSIFIERS = {
    "llama": ("f32", LlamaForSequenceClassification, True),
    "qwen2": ("f16", Qwen2ForSequenceClassification, False),
    "qwen3": ("f16", Qwen3ForSequenceClassification, False),
    "gpt2": ("f16", GPT2ForSequenceClassification, False),
    "bloom": ("f16", BloomForSequenceClassification, True),
}
LABELS = ["glad", "so-so", "sad"]
LAYERS = 2
TEXTS = [
    "The hen ran to the barn and sang all day.",
    "They heard a sound in the forest. The bear was there.",
    make_golden.PROMPT_TEXT,
]
SMALLEST_GAP = 0.1


def main():
    torch.set_num_threads(1)
    made = [make(name, *how) for name, how in CLASSIFIERS.items()]
    (FOLDER / "classifiers.json").write_text(json.dumps(made, indent=1) + "\n")


def make(name, kind, model_class, has_gguf):
    """Write a classifier's files; returns what must come of its texts."""
    architecture = classifier(name, model_class)
    ids = [ids_of(architecture, text) for text in TEXTS]
    seed, scores = first_clear_seed(architecture, kind, ids)
    weights, title = tiny_models.random_weights(architecture, seed), f"{name}-classifier"
    folder = FOLDER / "folders" / title
    shutil.rmtree(folder, ignore_errors=True)
    make_files.write_hugging_face(folder, architecture, kind, weights, "5MB")
    if has_gguf:
        tiny_models.write_gguf(FOLDER / f"{title}.gguf", architecture, weights, kind)
    print(title, "seed", seed, "labels", *(int(row.argmax()) for row in scores))
    texts = [{"text": text, "ids": ids, "scores": row.tolist()} for text, ids, row in zip(TEXTS, ids, scores)]
    return {"name": title, "labels": LABELS, "texts": texts}


def classifier(name, model_class):
    """The golden model's sizes with fewer layers, and labels."""
    architecture = tiny_models.ARCHITECTURES[name]
    config = copy.deepcopy(architecture.config)
    config.num_hidden_layers = LAYERS
    if hasattr(config, "layer_types"):
        config.layer_types = config.layer_types[:LAYERS]
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: number for number, label in enumerate(LABELS)}
    config.architectures = [model_class.__name__]
    return dataclasses.replace(architecture, config=config, model_class=model_class, is_classifier=True)


def ids_of(architecture, text):
    bos = [architecture.config.bos_token_id] if architecture.adds_bos else []
    return bos + tiny_tokenizer.tokenizer(architecture.pre_tokenizer).encode(text).ids


def first_clear_seed(architecture, kind, ids):
    """The first seed with which texts have labels by far, and not all the same."""
    for seed in range(10000):
        weights = tiny_models.through_type(architecture, tiny_models.random_weights(architecture, seed), kind)
        scores = scores_of(tiny_models.model_with(architecture, weights), ids)
        gaps = [float(best - second) for best, second in (row.topk(2).values for row in scores)]
        if min(gaps) >= SMALLEST_GAP and len({int(row.argmax()) for row in scores}) > 1:
            return seed, scores
    raise RuntimeError("no seed found: make the weights larger")


@torch.no_grad()
def scores_of(model, ids):
    """[texts][labels]"""
    return [model(torch.tensor([row]), use_cache=False).logits[0] for row in ids]


if __name__ == "__main__":
    main()
