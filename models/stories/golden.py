#!/usr/bin/env python3
"""Write golden.json: reference token ids for an engine that reads the GGUF.

    python golden.py --gguf stories-q8_0.gguf --out golden.json

Everything is read back from the GGUF itself: the tokenizer is rebuilt from its
vocabulary and merges, and transformers' Qwen3 runs in float32 on the
dequantised Q8_0 weights. ``gap`` is the smallest difference between the best
and the second best logit over the steps; an engine with a smaller numeric error
must give the same tokens. A prompt with a gap that a float32 engine could miss
is refused: take another one.
"""

import argparse
import json
import pathlib

import gguf
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from export_gguf import tensor_names
from model import ModelConfig, to_transformers
from train import END, SPLIT

PROMPTS = [
    "Once upon a time",
    "",
    "🐻",
    "Tell me a story about a bear.",
    "Who lives in the forest?",
    "The little bear was",
    "In a quiet village",
    "Hello!",
    "tell me a story about Zoe and a red kite",
    "What is the capital of France?",
]

# Some hundred times the error of a float32 run.
SMALLEST_GAP = 2e-3

STRINGS = [
    "Hello, world!", "  two  spaces   and three", "line one\nline two\n\n\nline five\r\n", "\ttabs\t\tand spaces \n ",
    "1234567890 3.14 2024-01-02", "👩‍👩‍👧‍👦 🏳️‍🌈 🦊", "Привет, мир", "你好，世界", "مرحبا بالعالم", "ñandú café naïve Ω",
    "I'LL can't we'Re it's", "<|endoftext|>", "a<|endoftext|>b", "...?!--(x)[y]{z}", "शुभ प्रभात १२३", "e\u0301 \u200b \u00a0x", " ", "\n",
    "日本語テキスト한국어", "https://example.org/a?b=c&d=%20",
]


def field(reader, key):
    """The value of a metadata key."""
    return reader.get_field(key).contents()


def read_config(reader):
    """The model's shape from the metadata."""
    get = lambda key: field(reader, "qwen3." + key)
    return ModelConfig(
        vocab_size=len(field(reader, "tokenizer.ggml.tokens")), hidden=get("embedding_length"), layers=get("block_count"),
        heads=get("attention.head_count"), kv_heads=get("attention.head_count_kv"), head_dim=get("attention.key_length"),
        ffn=get("feed_forward_length"), context=get("context_length"), rope_theta=get("rope.freq_base"),
        eps=get("attention.layer_norm_rms_epsilon"))


def read_tokenizer(reader):
    """The tokenizer rebuilt from the vocabulary and merges of the file."""
    vocabulary = {token: n for n, token in enumerate(field(reader, "tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    return tokenizer


def read_model(reader, config):
    """transformers' Qwen3 with the dequantised weights in float32."""
    tensors = {t.name: t for t in reader.tensors}
    state = {}
    for ours, theirs in tensor_names(config):
        t = tensors[theirs]
        state[ours] = torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy())
    return to_transformers(config, state)


@torch.no_grad()
def greedy(model, ids, count):
    """(token ids, smallest gap between the two best logits, its step); stops after the end token."""
    ids, start, smallest, where = list(ids), len(ids), float("inf"), 0
    while len(ids) - start < count:
        best = model(input_ids=torch.tensor([ids])).logits[0, -1].topk(2)
        gap = (best.values[0] - best.values[1]).item()
        if gap < smallest:
            smallest, where = gap, len(ids) - start
        ids.append(int(best.indices[0]))
        if ids[-1] == 0:
            break
    return ids[start:], smallest, where


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=pathlib.Path, default=pathlib.Path("stories-q8_0.gguf"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("golden.json"))
    parser.add_argument("--count", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    reader = gguf.GGUFReader(str(args.gguf))
    config, tokenizer = read_config(reader), read_tokenizer(reader)
    model = read_model(reader, config)
    result = {"model": args.gguf.name, "end": 0, "greedy": [], "encodings": []}
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids or [0]
        tokens, gap, step = greedy(model, ids, args.count)
        assert gap >= SMALLEST_GAP, f"{prompt!r}: the two best logits are {gap:.4f} apart at token {step}"
        result["greedy"].append({"prompt": prompt, "prompt_ids": ids, "tokens": tokens, "text": tokenizer.decode(tokens),
                                 "gap": round(gap, 5), "gap_step": step})
        print(f"{gap:.4f} {prompt!r} -> {tokenizer.decode(tokens)!r}")
    for text in STRINGS:
        ids = tokenizer.encode(text).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text, text
        result["encodings"].append({"text": text, "ids": ids})
    result["smallest_gap"] = min(g["gap"] for g in result["greedy"])
    args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
