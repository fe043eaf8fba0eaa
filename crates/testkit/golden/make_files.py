"""Make golden models again in other files: a split GGUF file and folders as Hugging Face has them.

    pip install -r requirements.txt && python make_files.py

The weights are those of the golden files, from the seeds in their indices, so that the same must come out of
them. `quantised.json` has random rows and what gguf makes of them.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, quants
from huggingface_hub import save_torch_state_dict

import tiny_models
import tiny_tokenizer

FOLDER = Path(__file__).parent
SPLIT = "qwen3-q8_0"
TENSORS_IN_A_FILE = 20
# Largest file of each folder; some are in several.
FOLDERS = {
    "llama-f32": "5MB", "qwen2-q4_0": "5MB", "qwen3-f16": "150KB", "gemma3-q8_0": "900KB", "gpt2-f16": "5MB",
    "bloom-q8_0": "900KB",
}
SEED = 21


def main():
    write_split(FOLDER / "split", SPLIT)
    for name, largest_file in FOLDERS.items():
        write_folder(FOLDER / "folders" / name, name, largest_file)
    write_quantised(FOLDER / "quantised.json")


def golden_weights(name):
    """Architecture, weight type and float32 weights of a golden model."""
    index = json.loads((FOLDER / f"{name}.json").read_text())
    architecture = tiny_models.ARCHITECTURES[index["architecture"]]
    return architecture, index["weights"], tiny_models.random_weights(architecture, index["seed"])


def write_split(folder, name):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    architecture, kind, weights = golden_weights(name)
    tiny_models.write_gguf(folder / f"{name}.gguf", architecture, weights, kind, TENSORS_IN_A_FILE)


def write_folder(folder, name, largest_file):
    """Float32 weights, except for a model of half precision, whose matrices are of that but for its positions."""
    shutil.rmtree(folder, ignore_errors=True)
    write_hugging_face(folder, *golden_weights(name), largest_file)


def write_hugging_face(folder, architecture, kind, weights, largest_file):
    """The files of a folder."""
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    if kind == "f16":
        is_half = lambda name, value: value.ndim > 1 and not name.endswith(".wpe.weight")
        state = {name: value.half() if is_half(name, value) else value for name, value in state.items()}
    architecture.config.save_pretrained(folder)
    save_torch_state_dict(state, folder, max_shard_size=largest_file)
    tiny_tokenizer.tokenizer(architecture.pre_tokenizer).save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "add_bos_token": architecture.adds_bos,
        "bos_token": tiny_tokenizer.CONTROL[0],
        "chat_template": tiny_tokenizer.CHAT_TEMPLATE,
        "eos_token": tiny_tokenizer.CONTROL[2],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def write_quantised(path):
    """Rows of 64 values: random, of one sign, zeros, with one large value, very small, with ties of rounding."""
    rows = np.random.default_rng(SEED).standard_normal((8, 64), dtype=np.float32)
    rows[1] = abs(rows[1])
    rows[2] = 0
    rows[3, 40] = -1e4
    rows[4] *= 1e-7
    rows[5] = np.arange(-32, 32) / 2
    rows[6, :32] = np.linspace(-127, 127, 32)
    blocks = {
        kind: quants.quantize(rows, GGMLQuantizationType[kind]).ravel().tolist() for kind in ("Q8_0", "Q4_0")
    }
    entry = {"bits": rows.view(np.uint32).ravel().tolist(), "columns": rows.shape[1], **blocks}
    path.write_text(json.dumps(entry, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
