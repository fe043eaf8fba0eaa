#!/usr/bin/env python3
"""Write a trained model as GGUF: matrices in Q8_0, norms in float32.

    python export_gguf.py --run /tmp/stories/run --out stories-q8_0.gguf

The tensors of one module stand next to each other (embedding; attention of
block 0, feed-forward of block 0, attention of block 1, ...; final norm), so
that a part of the model is one contiguous range of the file.
"""

import argparse
import json
import pathlib

import gguf
import numpy as np
import torch

from model import ModelConfig

BLOCK = [  # our name within a layer -> GGUF name within a block, in file order
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.o_proj", "attn_output"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
]


def tensor_names(config):
    """Pairs (state dict name, GGUF name) in file order."""
    yield "model.embed_tokens.weight", "token_embd.weight"
    for n in range(config.layers):
        for ours, theirs in BLOCK:
            yield f"model.layers.{n}.{ours}.weight", f"blk.{n}.{theirs}.weight"
    yield "model.norm.weight", "output_norm.weight"


def load(path):
    """(configuration, state dict) of a checkpoint of train.py."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    return ModelConfig(**saved["config"]), saved["state"]


def write_metadata(writer, config, name):
    """General and architecture keys."""
    writer.add_name(name)
    writer.add_description("Tells short stories. A demo model for a language model shared by several devices.")
    writer.add_license("Apache-2.0 OR MIT")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config.vocab_size)
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden)
    writer.add_feed_forward_length(config.ffn)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.eps)
    writer.add_rope_freq_base(config.rope_theta)


def write_tokenizer(writer, path):
    """Vocabulary, merges and special tokens from a tokenizer.json."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = sorted(saved["model"]["vocab"].items(), key=lambda item: item[1])
    special = {token["id"] for token in saved["added_tokens"] if token["special"]}
    assert [n for _, n in vocabulary] == list(range(len(vocabulary)))
    merges = [m if isinstance(m, str) else " ".join(m) for m in saved["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([gguf.TokenType.CONTROL if n in special else gguf.TokenType.NORMAL for _, n in vocabulary])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)


def write_tensors(writer, config, state):
    """All tensors, in module order."""
    for ours, theirs in tensor_names(config):
        values = state[ours].float().numpy().astype(np.float32)
        if values.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(theirs, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(theirs, values)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=pathlib.Path, default=pathlib.Path("build/run"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("stories-q8_0.gguf"))
    parser.add_argument("--name", default="Stories 2M")
    args = parser.parse_args()
    config, state = load(args.run / "model.pt")
    writer = gguf.GGUFWriter(str(args.out), "qwen3")
    write_metadata(writer, config, args.name)
    write_tokenizer(writer, args.run / "tokenizer.json")
    write_tensors(writer, config, state)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
