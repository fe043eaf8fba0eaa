"""Tiny random Llama, Qwen2 and Qwen3 models, and how they are written as GGUF files.

The GGUF side follows the conventions of llama.cpp's converter: its key and tensor names, F32 norms,
and for `llama` the query and key rows reordered for interleaved rotary embedding.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType, quants
from transformers import (
    LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)

import tiny_tokenizer

WEIGHT_TYPES = {
    "f32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "q4_0": (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_k_m": (GGMLQuantizationType.Q4_K, LlamaFileType.MOSTLY_Q4_K_M),
}
# As llama.cpp mixes types in a file of Q4_K_M; Q5_K besides, so that every K type is there.
MIXED_PARTS = {
    "self_attn.v_proj": GGMLQuantizationType.Q6_K,
    "mlp.down_proj": GGMLQuantizationType.Q6_K,
    "mlp.up_proj": GGMLQuantizationType.Q5_K,
    "lm_head": GGMLQuantizationType.Q6_K,
}

COMMON = dict(
    vocab_size=tiny_tokenizer.VOCABULARY_TOKENS,
    hidden_size=64,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=96,
    max_position_embeddings=256,
    bos_token_id=285,
    eos_token_id=287,
    pad_token_id=285,
    attn_implementation="eager",
)


@dataclass(frozen=True)
class Architecture:
    """What differs between the families."""

    name: str
    pre_tokenizer: str
    adds_bos: bool
    interleaved_rope: bool
    model_class: type
    config: object


ARCHITECTURES = {
    "llama": Architecture(
        "llama", "llama-bpe", True, True, LlamaForCausalLM,
        LlamaConfig(**COMMON, attention_bias=False, head_dim=16, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    ),
    # Rows of whole K blocks; the parts of `attn_q`, `attn_k` and `attn_v` are of two types.
    "llama-wide": Architecture(
        "llama", "llama-bpe", True, True, LlamaForCausalLM,
        LlamaConfig(**{**COMMON, "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 2},
                    attention_bias=False, head_dim=64, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
    ),
    "qwen2": Architecture(
        "qwen2", "qwen2", False, False, Qwen2ForCausalLM,
        Qwen2Config(**COMMON, tie_word_embeddings=True, rms_norm_eps=1e-6,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
    ),
    "qwen3": Architecture(
        "qwen3", "qwen2", False, False, Qwen3ForCausalLM,
        Qwen3Config(**COMMON, attention_bias=False, head_dim=32, tie_word_embeddings=True, rms_norm_eps=1e-6,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
    ),
}

# GGUF name of each part of a layer, by the name in transformers.
LAYER_PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP_PARTS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def random_weights(architecture, seed):
    """Float32 weights by their name in transformers; large enough that logits are far apart."""
    generator = np.random.default_rng(seed)
    model = new_model(architecture)
    tied = architecture.config.tie_word_embeddings
    weights = {}
    for name, value in model.state_dict().items():
        if not (tied and name == "lm_head.weight"):
            weights[name] = random_tensor(generator, name, tuple(value.shape))
    return weights


def random_tensor(generator, name, shape):
    """Norms vary around 1, biases around 0; a matrix keeps the size of what it multiplies, times a gain."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    if name.endswith(".bias"):
        return (0.5 * noise).astype(np.float32)
    if len(shape) == 1:
        return (1 + 0.2 * noise).astype(np.float32)
    gain = 3.0 if name in ("lm_head.weight", "model.embed_tokens.weight") else 1.5
    return (gain / np.sqrt(shape[1]) * noise).astype(np.float32)


def tensor_type(name, kind):
    """How the file of this kind stores a matrix."""
    part = name.removesuffix(".weight").removeprefix("model.layers.").split(".", 1)[-1]
    return MIXED_PARTS.get(part, WEIGHT_TYPES[kind][0]) if kind == "q4_k_m" else WEIGHT_TYPES[kind][0]


def stored(name, value, kind):
    """A matrix as the file's bytes. gguf cannot quantise to the K types, so a matrix of one of those is made of
    random blocks instead: any block is a legal one."""
    stored_as = tensor_type(name, kind)
    if kind != "q4_k_m":
        return quants.quantize(value, stored_as)
    return random_blocks(np.random.default_rng(zlib.crc32(value.tobytes())), stored_as, value)


def random_blocks(generator, stored_as, value):
    """Blocks of a K type, of the size and about the spread of `value`, centred on zero."""
    columns, size = GGML_QUANT_SIZES[stored_as]
    blocks = generator.integers(0, 256, (value.size // columns, size), dtype=np.uint8)
    if stored_as == GGMLQuantizationType.Q6_K:
        blocks[:, 192:208] = generator.integers(64, 128, (len(blocks), 16), dtype=np.uint8)
        factor = value.std() / (96 * 18.5)
        set_half(blocks, 208, factor)
    else:
        levels = 16 if stored_as == GGMLQuantizationType.Q4_K else 32
        # The first four scales and minima stand in six bits each; the others take their high bits from those bytes.
        scales = generator.integers(16, 64, (len(blocks), 4), dtype=np.uint8)
        blocks[:, 4:8], blocks[:, 8:12] = scales | 0x80, scales | 0x80
        low = generator.integers(0, 16, (len(blocks), 4), dtype=np.uint8)
        blocks[:, 12:16] = low | low << 4
        factor = value.std() / (40 * levels * 0.29)
        set_half(blocks, 0, factor)
        set_half(blocks, 2, factor * levels / 2)
    return blocks.reshape(value.shape[0], -1)


def set_half(blocks, place, value):
    """Put a half-precision number into every block."""
    blocks[:, place : place + 2] = np.array([value], dtype=np.float16).view(np.uint8)


def through_type(weights, kind):
    """The weights as a file of this type holds them: the matrices rounded to `kind`."""
    return {
        name: value if value.ndim == 1 else
        quants.dequantize(stored(name, value, kind), tensor_type(name, kind)).reshape(value.shape)
        for name, value in weights.items()
    }


def new_model(architecture):
    """A model with whatever weights transformers starts from."""
    return architecture.model_class(architecture.config).eval()


def model_with(architecture, weights, dtype=torch.float32):
    """A transformers model that computes in `dtype` with exactly these weights."""
    model = new_model(architecture).to(dtype)
    state = {name: torch.from_numpy(value).to(dtype) for name, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def write_gguf(path, architecture, weights, kind):
    """Write a whole model file: hyper-parameters, tokenizer, tensors."""
    writer = GGUFWriter(path, architecture.name)
    add_hyper_parameters(writer, architecture, kind)
    add_tokenizer(writer, architecture)
    for name in sorted(weights, key=file_order):
        value = weights[name]
        if value.ndim == 1:
            writer.add_tensor(gguf_name(name), value)
        else:
            data = np.ascontiguousarray(gguf_rows(architecture, name, stored(name, value, kind)))
            writer.add_tensor(gguf_name(name), data, raw_dtype=tensor_type(name, kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_hyper_parameters(writer, architecture, kind):
    """The keys that the converter writes; Qwen3 files leave rope.dimension_count to key_length."""
    config = architecture.config
    writer.add_type("model")
    writer.add_name(f"Tiny {architecture.name} {kind}")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if architecture.name != "qwen2":  # its heads always share the hidden width
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    writer.add_file_type(WEIGHT_TYPES[kind][1])
    if architecture.interleaved_rope:
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(config.head_dim)
    writer.add_quantization_version(2)


def add_tokenizer(writer, architecture):
    """The tokenizer's keys."""
    tokens = tiny_tokenizer.token_list()
    controls = len(tiny_tokenizer.CONTROL)
    types = [TokenType.NORMAL] * (len(tokens) - controls) + [TokenType.CONTROL] * controls
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(architecture.pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(tiny_tokenizer.MERGES)
    writer.add_bos_token_id(architecture.config.bos_token_id)
    writer.add_eos_token_id(architecture.config.eos_token_id)
    writer.add_pad_token_id(architecture.config.pad_token_id)
    writer.add_add_bos_token(architecture.adds_bos)
    writer.add_chat_template(tiny_tokenizer.CHAT_TEMPLATE)


def gguf_name(name):
    """`model.layers.2.mlp.up_proj.weight` -> `blk.2.ffn_up.weight`, and so on."""
    name, kind = name.rsplit(".", 1)
    if name in TOP_PARTS:
        return f"{TOP_PARTS[name]}.{kind}"
    layer, part = name.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{LAYER_PARTS[part]}.{kind}"


def file_order(name):
    """Embedding, layers in order, output norm, output."""
    if name.startswith("model.layers."):
        layer, part = name.removeprefix("model.layers.").rsplit(".", 1)[0].split(".", 1)
        return (1, int(layer), list(LAYER_PARTS).index(part), name)
    return {"model.embed_tokens.weight": (0,), "model.norm.weight": (2,), "lm_head.weight": (3,)}[name]


def gguf_rows(architecture, name, value):
    """The tensor with its rows in the order that the file's rotary embedding expects."""
    heads = {
        "q_proj": architecture.config.num_attention_heads,
        "k_proj": architecture.config.num_key_value_heads,
    }.get(name.split(".")[-2])
    if heads is None or not architecture.interleaved_rope:
        return value
    return interleave_rows(value, heads)


def interleave_rows(value, heads):
    """Reorder rows from halves to pairs within each head.

    transformers rotates components `i` and `i + head_dim / 2` together; interleaved rotary embedding
    rotates `2 i` and `2 i + 1`. So row `half * head_dim / 2 + i` of a head moves to `2 i + half`.
    """
    moved = np.empty_like(value)
    head_dim = value.shape[0] // heads
    for head in range(heads):
        for half in range(2):
            for i in range(head_dim // 2):
                source = head * head_dim + half * (head_dim // 2) + i
                moved[head * head_dim + 2 * i + half] = value[source]
    return moved
