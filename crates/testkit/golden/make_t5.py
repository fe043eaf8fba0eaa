"""Make the tiny T5 models and their golden tensors, into the folder of this script.

    pip install -r requirements.txt && python make_t5.py

As `make_golden.py` does for decoders. Of an encoder-decoder a prompt goes through the encoder, and the greedy answer
begins with the token that the configuration names; `hidden` has the prompt's last position after the embedding and
after each layer of the encoder, the last of them normalised.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from huggingface_hub import save_torch_state_dict
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.t5.modeling_t5 import T5Attention

import make_golden
import tiny_t5
import tiny_tokenizer
from make_golden import FEWEST_DISTINCT, GREEDY_TOKENS, LOGIT_STEPS, SMALLEST_GAP, Run, Tensors, relative_error

FILES = {"t5": ("f32", "q8_0"), "flan-t5": ("f16", "q8_0")}
# Weight type and largest file of each folder.
FOLDERS = {"t5": ("f32", "900KB"), "flan-t5": ("f16", "5MB")}
# Two-sided or not, buckets and largest distance; both halves of the distances are asked for.
BUCKETS = [(True, 32, 128), (False, 32, 128), (True, 16, 128), (False, 16, 128), (True, 8, 20), (False, 12, 100)]
FARTHEST = 300
FOLDER = Path(__file__).parent


def main():
    torch.set_num_threads(1)
    write_buckets(FOLDER / "buckets.json")
    for name, kinds in FILES.items():
        prompts = prompts_of()
        seed = first_clear_seed(name, kinds, prompts)
        for kind in kinds:
            make_file(f"{name}-{kind}", name, kind, seed, prompts)
        write_folder(FOLDER / "folders" / f"{name}-{FOLDERS[name][0]}", name, seed)


def prompts_of():
    made = tiny_tokenizer.tokenizer(tiny_t5.PRE_TOKENIZER)
    prompt = lambda tokens: tiny_tokenizer.prompt_of(made, make_golden.PROMPT_TEXT, tokens, None)
    return {label: prompt(tokens) for label, tokens in make_golden.PROMPT_TOKENS.items()}


def first_clear_seed(name, kinds, prompts):
    """The first seed with which every prompt in every weight type passes `clear_run`."""
    for seed in range(100000):
        weights = tiny_t5.random_weights(name, seed)
        models = (tiny_t5.model_with(name, tiny_t5.through_type(weights, kind)) for kind in kinds)
        if all(clear_run(model, ids) for model in models for _, ids in prompts.values()):
            return seed
    raise RuntimeError("no seed found: make the weights larger")


def clear_run(model, ids):
    run = greedy(model, ids, SMALLEST_GAP)
    return run if run and len(set(run.tokens)) >= FEWEST_DISTINCT else None


@torch.no_grad()
def greedy(model, ids, smallest_gap):
    """Decode greedily with the KV cache; None as soon as a choice is not clear."""
    first_control = model.config.vocab_size - len(tiny_tokenizer.CONTROL)
    memory = BaseModelOutput(model.encoder(torch.tensor([ids])).last_hidden_state)
    fed, cache, tokens, logits, gap = model.config.decoder_start_token_id, None, [], [], float("inf")
    for _ in range(GREEDY_TOKENS):
        out = model(encoder_outputs=memory, decoder_input_ids=torch.tensor([[fed]]), cache=cache, use_cache=True)
        cache, row = out.cache, out.logits[0, -1]
        best, second = row.topk(2).values.tolist()
        gap, fed = min(gap, best - second), int(row.argmax())
        if gap < smallest_gap or fed >= first_control:
            return None
        tokens.append(fed)
        logits.append(row.numpy())
    return Run(tokens, np.stack(logits[:LOGIT_STEPS]), gap)


@torch.no_grad()
def hidden_states(model, ids):
    """[1 + encoder layers, hidden]."""
    states = model.encoder(torch.tensor([ids]), output_hidden_states=True)
    assert torch.equal(states.hidden_states[-1], states.last_hidden_state)
    return np.stack([state[0, -1].numpy() for state in states.hidden_states])


def make_file(title, name, kind, seed, prompts):
    """Write the model, its index and its tensors."""
    weights = tiny_t5.random_weights(name, seed)
    held = tiny_t5.through_type(weights, kind)
    model = tiny_t5.model_with(name, held)
    path = FOLDER / f"{title}.gguf"
    tiny_t5.write_gguf(path, name, weights, kind)
    check_file(path, weights)

    tensors, made = Tensors(), tiny_tokenizer.tokenizer(tiny_t5.PRE_TOKENIZER)
    runs = {label: clear_run(model, ids) for label, (_, ids) in prompts.items()}
    check_against_generate(model, prompts, runs)
    entry = lambda label: make_golden.prompt_entry(made, *prompts[label], runs[label], tensors)
    index = {
        "architecture": name,
        "weights": kind,
        "seed": seed,
        "float64_error": float64_error(name, held, prompts, runs),
        **{label: entry(label) for label in prompts},
        "hidden": tensors.add(hidden_states(model, prompts["short"][1])),
        "texts": tiny_tokenizer.sample_texts(made),
        "chat": tiny_tokenizer.sample_chat(made),
    }
    print(title, "seed", seed, "gaps", *(f"{label} {run.gap:.4f}" for label, run in runs.items()),
          f"float64 {index['float64_error']:.1e}", "distinct", *(len(set(run.tokens)) for run in runs.values()))
    make_golden.write(FOLDER, title, index, tensors)


def check_file(path, weights):
    """The gguf package reads the file back with every tensor in its shape."""
    shapes = {tensor.name: tuple(int(size) for size in reversed(tensor.shape)) for tensor in GGUFReader(path).tensors}
    assert shapes == {tiny_t5.gguf_name(name): value.shape for name, value in weights.items()}


def check_against_generate(model, prompts, runs):
    """transformers' own loop gives the same tokens."""
    for label, (_, ids) in prompts.items():
        made = model.generate(torch.tensor([ids]), max_new_tokens=GREEDY_TOKENS, do_sample=False, num_beams=1)
        assert made[0, 1:].tolist() == runs[label].tokens, label


def float64_error(name, held, prompts, runs):
    model = tiny_t5.model_with(name, held, torch.float64)
    exact = {label: greedy(model, ids, 0.0) for label, (_, ids) in prompts.items()}
    assert all(exact[label].tokens == runs[label].tokens for label in prompts)
    return max(relative_error(runs[label].logits, exact[label].logits) for label in prompts)


def write_folder(folder, name, seed):
    """The model as Hugging Face has it, with what T5's own configurations say."""
    shutil.rmtree(folder, ignore_errors=True)
    kind, largest_file = FOLDERS[name]
    state = {name: torch.from_numpy(value) for name, value in tiny_t5.random_weights(name, seed).items()}
    if kind == "f16":
        state = {name: value if tiny_t5.is_exact(name, value) else value.half() for name, value in state.items()}
    config = tiny_t5.CONFIGS[name]
    config.save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"tie_word_embeddings": tiny_t5.is_tied(config), "n_positions": tiny_t5.CONTEXT}
    settings |= {"decoder_start_token_id": config.decoder_start_token_id}
    settings.pop("scale_decoder_outputs", None)
    (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    save_torch_state_dict(state, folder, max_shard_size=largest_file)
    tiny_tokenizer.tokenizer(tiny_t5.PRE_TOKENIZER).save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "add_bos_token": False,
        "bos_token": tiny_tokenizer.CONTROL[0],
        "chat_template": tiny_tokenizer.CHAT_TEMPLATE,
        "eos_token": tiny_tokenizer.CONTROL[2],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def write_buckets(path):
    """Which of the relative positions' buckets each distance from a query to a key is in."""
    distances = torch.arange(-FARTHEST, FARTHEST + 1)
    entry = lambda two_sided, buckets, farthest: {
        "two_sided": two_sided, "buckets": buckets, "max_distance": farthest,
        "expected": T5Attention._relative_position_bucket(distances, two_sided, buckets, farthest).tolist(),
    }
    index = {"first": -FARTHEST, "cases": [entry(*case) for case in BUCKETS]}
    path.write_text(json.dumps(index, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
