"""Make the tiny model files and their golden tensors, into the folder of this script.

    pip install -r requirements.txt && python make_golden.py

Each `NAME.gguf` gets a `NAME.json` (what was asked and the greedy answer) and a `NAME.f32` (logits and
hidden states, little-endian float32; the JSON gives offsets in floats and shapes). They are computed by
transformers in float32 on the CPU from the values that the file holds after rounding to its type.
Everything follows from fixed seeds: the first seed whose greedy choices are clear in every file is taken.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import sampling
import tiny_models
import tiny_tokenizer
import vectors

FILES = {
    "llama": ("f32", "q8_0"), "llama-wide": ("q4_k_m",), "qwen2": ("q4_0",), "qwen3": ("f32", "f16", "q8_0"),
    "gemma3": ("q8_0",), "gpt2": ("f16",), "bloom": ("q8_0",),
}
PROMPT_TOKENS = {"short": 9, "long": 40}
PROMPT_TEXT = (
    "The hen ran to the barn and said: are the others here, or is the bear still in "
    "the forest with them? Then she heard a sound."
)
GREEDY_TOKENS = 64
LOGIT_STEPS = 5
SMALLEST_GAP = 1e-2
FEWEST_DISTINCT = 24
FOLDER = Path(__file__).parent


@dataclass
class Run:
    """One greedy completion."""

    tokens: list  # GREEDY_TOKENS ids
    logits: np.ndarray  # [LOGIT_STEPS, vocabulary], the first after the prompt's last token
    gap: float  # smallest distance between the two best logits


def main():
    torch.set_num_threads(1)
    total = vectors.write(FOLDER / "vectors.json") + sampling.write(FOLDER / "sampling.json")
    for name, kinds in FILES.items():
        architecture = tiny_models.ARCHITECTURES[name]
        prompts = prompts_of(architecture)
        seed = first_clear_seed(architecture, kinds, prompts)
        for kind in kinds:
            total += make_file(f"{architecture.name}-{kind}", architecture, kind, seed, prompts)
    print(f"{total} bytes in all")


def prompts_of(architecture):
    """Text and ids of both prompts."""
    made = tiny_tokenizer.tokenizer(architecture.pre_tokenizer)
    bos = architecture.config.bos_token_id if architecture.adds_bos else None
    return {
        label: tiny_tokenizer.prompt_of(made, PROMPT_TEXT, tokens, bos)
        for label, tokens in PROMPT_TOKENS.items()
    }


def first_clear_seed(architecture, kinds, prompts):
    """The first seed with which every prompt in every weight type passes `clear_run`."""
    for seed in range(10000):
        weights = tiny_models.random_weights(architecture, seed)
        models = (tiny_models.model_with(architecture, tiny_models.through_type(architecture, weights, kind)) for kind in kinds)
        if all(clear_run(model, ids) for model in models for _, ids in prompts.values()):
            return seed
    raise RuntimeError("no seed found: make the weights larger")


def clear_run(model, ids):
    """The greedy run, unless a choice is close, a control token comes up or it goes round in circles."""
    run = greedy(model, ids, SMALLEST_GAP)
    return run if run and len(set(run.tokens)) >= FEWEST_DISTINCT else None


@torch.no_grad()
def greedy(model, ids, smallest_gap):
    """Decode greedily with the KV cache; None as soon as a choice is not clear."""
    first_control = model.config.vocab_size - len(tiny_tokenizer.CONTROL)
    cache, fed, tokens, logits, gap = None, ids, [], [], float("inf")
    for _ in range(GREEDY_TOKENS):
        out = model(torch.tensor([fed]), past_key_values=cache, use_cache=True)
        cache, row = out.past_key_values, out.logits[0, -1]
        best, second = row.topk(2).values.tolist()
        gap = min(gap, best - second)
        token = int(row.argmax())
        if gap < smallest_gap or token >= first_control:
            return None
        tokens.append(token)
        logits.append(row.numpy())
        fed = [token]
    return Run(tokens, np.stack(logits[:LOGIT_STEPS]), gap)


@torch.no_grad()
def hidden_states(architecture, model, ids):
    """[1 + layers, hidden]: the last position after the embedding and after each layer."""
    rows = []

    def keep(_module, _inputs, output):
        rows.append((output[0] if isinstance(output, tuple) else output)[0, -1].float().numpy())

    parts = model.get_submodule(architecture.embedded), *model.get_submodule(architecture.layers)
    hooks = [module.register_forward_hook(keep) for module in parts]
    model(torch.tensor([ids]), use_cache=False)
    for hook in hooks:
        hook.remove()
    return np.stack(rows)


def make_file(name, architecture, kind, seed, prompts):
    """Write the model, its index and its tensors; returns their bytes."""
    weights = tiny_models.random_weights(architecture, seed)
    held = tiny_models.through_type(architecture, weights, kind)
    model = tiny_models.model_with(architecture, held)
    path = FOLDER / f"{name}.gguf"
    tiny_models.write_gguf(path, architecture, weights, kind)
    check_file(path, model, prompts["long"][1])

    tensors = Tensors()
    made = tiny_tokenizer.tokenizer(architecture.pre_tokenizer)
    runs = {label: clear_run(model, ids) for label, (_, ids) in prompts.items()}
    index = {
        "architecture": architecture.name,
        "weights": kind,
        "seed": seed,
        "float64_error": float64_error(architecture, held, prompts, runs),
        **{label: prompt_entry(made, *prompts[label], runs[label], tensors) for label in prompts},
        "hidden": tensors.add(hidden_states(architecture, model, prompts["short"][1])),
        "texts": tiny_tokenizer.sample_texts(made),
        "chat": tiny_tokenizer.sample_chat(made),
    }
    print(name, "seed", seed, "gaps", *(f"{label} {run.gap:.4f}" for label, run in runs.items()),
          f"float64 {index['float64_error']:.1e}", "distinct", *(len(set(run.tokens)) for run in runs.values()))
    return path.stat().st_size + write(FOLDER, name, index, tensors)


def prompt_entry(made, text, ids, run, tensors):
    """One prompt's part of the index."""
    return {
        "text": text,
        "ids": ids,
        "tokens": run.tokens,
        "completion": made.decode(run.tokens),
        "gap": run.gap,
        "logits": tensors.add(run.logits),
    }


def float64_error(architecture, held, prompts, runs):
    """How far float32 is from float64 on the same weights; the tolerance must leave room for it."""
    model = tiny_models.model_with(architecture, held, torch.float64)
    worst = 0.0
    for label, (_, ids) in prompts.items():
        exact = greedy(model, ids, 0.0)
        assert exact.tokens == runs[label].tokens
        worst = max(worst, relative_error(runs[label].logits, exact.logits))
    return worst


@torch.no_grad()
def check_file(path, model, ids):
    """transformers' own GGUF loader must read the file back as the model it was made from."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.resolve())
        # What the loader of transformers 5.23 does not read from these files: sizes of GPT-2 and of Qwen3's heads,
        # scaled rotary embeddings.
        loaded_config = AutoConfig.from_pretrained(folder, gguf_file=path.name)
        is_read = loaded_config.model_type in ("llama", "qwen2") and "rope_freqs" not in path.read_bytes()[:65536].decode("latin1")
        config = loaded_config if is_read else model.config
        loaded = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=path.name, config=config, dtype=torch.float32)
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), f"{path.name}: {key} differs"
    ours, theirs = (m.eval()(torch.tensor([ids])).logits for m in (model, loaded))
    assert relative_error(theirs.numpy(), ours.numpy()) < 1e-5, path.name


def relative_error(values, expected):
    """Largest difference over largest expected magnitude."""
    return float(np.abs(values - expected).max() / np.abs(expected).max())


class Tensors:
    """Collects arrays for the `.f32` file and gives their place in it."""

    def __init__(self):
        self.parts, self.floats = [], 0

    def add(self, array):
        self.parts.append(array.astype("<f4").ravel())
        offset, self.floats = self.floats, self.floats + array.size
        return {"offset": offset, "shape": list(array.shape)}


def write(folder, name, index, tensors):
    """Write `NAME.json` and `NAME.f32`; returns their bytes."""
    text = json.dumps(index, ensure_ascii=True, indent=None, separators=(",", ":"))
    (folder / f"{name}.json").write_text(text + "\n")
    (folder / f"{name}.f32").write_bytes(np.concatenate(tensors.parts).tobytes())
    return sum((folder / f"{name}{end}").stat().st_size for end in (".json", ".f32"))


if __name__ == "__main__":
    main()
