"""Tiny random models of every architecture, and how they are written as GGUF files.

The GGUF side follows the conventions of llama.cpp's converter: its key and tensor names, F32 norms and
biases; for `llama` query and key rows reordered for interleaved rotary embedding, for `bloom` queries, keys
and values one after the other, for `gpt2` matrices turned, for `gemma3` norms around 1.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from gguf import (
    GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType, RopeScalingType, TokenType, quants,
)
from transformers import (
    BloomConfig, BloomForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig,
    LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

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


# GGUF name of each part, by the name in transformers.
LLAMA_PARTS = {
    "model.embed_tokens": "token_embd",
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
    "model.norm": "output_norm",
    "lm_head": "output",
    "score": "cls.output",
}
GEMMA_PARTS = LLAMA_PARTS | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
GPT2_PARTS = {
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
    "transformer.ln_f": "output_norm",
    "lm_head": "output",
    "score": "cls.output",
}
BLOOM_PARTS = {
    "transformer.word_embeddings": "token_embd",
    "transformer.word_embeddings_layernorm": "token_embd_norm",
    "input_layernorm": "attn_norm",
    "self_attention.query_key_value": "attn_qkv",
    "self_attention.dense": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.dense_h_to_4h": "ffn_up",
    "mlp.dense_4h_to_h": "ffn_down",
    "transformer.ln_f": "output_norm",
    "lm_head": "output",
    "score": "cls.output",
}


@dataclass(frozen=True)
class Architecture:
    """What differs between the families."""

    name: str
    pre_tokenizer: str
    adds_bos: bool
    model_class: type
    config: object
    parts: dict
    layers: str = "model.layers"  # where transformers has the layers
    embedded: str = "model.embed_tokens"  # whose output the first layer reads
    is_classifier: bool = False


DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
GEMMA_ROPE = {
    "sliding_attention": DEFAULT_ROPE,
    "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
}

ARCHITECTURES = {
    "llama": Architecture(
        "llama", "llama-bpe", True, LlamaForCausalLM,
        LlamaConfig(**COMMON, attention_bias=False, head_dim=16, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    rope_parameters=DEFAULT_ROPE),
        LLAMA_PARTS,
    ),
    # Rows of whole K blocks; the parts of `attn_q`, `attn_k` and `attn_v` are of two types. Scaled as Llama 3.1.
    "llama-wide": Architecture(
        "llama", "llama-bpe", True, LlamaForCausalLM,
        LlamaConfig(**{**COMMON, "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 2},
                    attention_bias=False, head_dim=64, tie_word_embeddings=False, rms_norm_eps=1e-5,
                    rope_parameters=LLAMA3_ROPE),
        LLAMA_PARTS,
    ),
    "qwen2": Architecture(
        "qwen2", "qwen2", False, Qwen2ForCausalLM,
        Qwen2Config(**COMMON, tie_word_embeddings=True, rms_norm_eps=1e-6,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
        LLAMA_PARTS,
    ),
    "qwen3": Architecture(
        "qwen3", "qwen2", False, Qwen3ForCausalLM,
        Qwen3Config(**COMMON, attention_bias=False, head_dim=32, tie_word_embeddings=True, rms_norm_eps=1e-6,
                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
        LLAMA_PARTS,
    ),
    # Five layers with a window and one without; prompts are longer than the window.
    "gemma3": Architecture(
        "gemma3", "gpt-2", True, Gemma3ForCausalLM,
        Gemma3TextConfig(**{**COMMON, "num_hidden_layers": 6}, head_dim=32, query_pre_attn_scalar=32,
                         tie_word_embeddings=True, rms_norm_eps=1e-6, sliding_window=8, rope_parameters=GEMMA_ROPE,
                         hidden_activation="gelu_pytorch_tanh"),
        GEMMA_PARTS,
    ),
    "gpt2": Architecture(
        "gpt2", "gpt-2", False, GPT2LMHeadModel,
        GPT2Config(vocab_size=COMMON["vocab_size"], n_positions=256, n_embd=64, n_layer=4, n_head=4, n_inner=96,
                   bos_token_id=285, eos_token_id=287, pad_token_id=285, attn_implementation="eager"),
        GPT2_PARTS, "transformer.h", "transformer.drop",
    ),
    # Six heads, so that their slopes are not one geometric sequence.
    "bloom": Architecture(
        "bloom", "gpt-2", False, BloomForCausalLM,
        BloomConfig(vocab_size=COMMON["vocab_size"], hidden_size=96, n_layer=4, n_head=6, bos_token_id=285,
                    eos_token_id=287, pad_token_id=285, attn_implementation="eager"),
        BLOOM_PARTS, "transformer.h", "transformer.word_embeddings_layernorm",
    ),
}
BLOOM_CONTEXT = 256  # BLOOM itself has no limit


def random_weights(architecture, seed):
    """Float32 weights by their name in transformers; large enough that logits are far apart."""
    generator = np.random.default_rng(seed)
    weights = {}
    for name, value in new_model(architecture).state_dict().items():
        is_tied = architecture.config.tie_word_embeddings and name == "lm_head.weight"
        if not is_tied and not name.endswith((".attn.bias", ".attn.masked_bias")):
            weights[name] = random_tensor(architecture, generator, name, tuple(value.shape))
    return weights


def random_tensor(architecture, generator, name, shape):
    """Norms vary around 1, biases around 0; a matrix keeps the size of what it multiplies, times a gain."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    if name.endswith(".bias"):
        # Where every part has one, large ones drown what was asked.
        return ((0.05 if architecture.name in ("bloom", "gpt2") else 0.5) * noise).astype(np.float32)
    part = architecture.parts.get(name.removesuffix(".weight"))
    if len(shape) == 1 and architecture.name == "gemma3":
        # transformers adds the 1; in steps of 1/1024 the sum is exact.
        middle = 7 if part == "output_norm" else 0
        return (middle + np.round(0.2 * noise * 1024) / 1024).astype(np.float32)
    if len(shape) == 1:
        return (1 + 0.2 * noise).astype(np.float32)
    gain = 3.0 if part in ("output", "cls.output", "token_embd", "position_embd") else 1.5
    if architecture.name == "gemma3" and part == "token_embd":
        gain = 3.0 / np.sqrt(shape[1])  # it is multiplied when it is looked up
    if architecture.name == "bloom" and ".mlp.dense_4h" in name:
        gain = 8.0  # else the token that is looked up says it all
    inputs = shape[0] if is_turned(architecture, name) else shape[1]
    return (gain / np.sqrt(inputs) * noise).astype(np.float32)


def is_turned(architecture, name):
    """Whether transformers has the matrix with its inputs first."""
    return architecture.name == "gpt2" and name.split(".")[-2].startswith("c_")


def tensor_type(architecture, name, kind):
    """How the file of this kind stores a matrix."""
    part = name.removesuffix(".weight").removeprefix("model.layers.").split(".", 1)[-1]
    if architecture.parts.get(name.removesuffix(".weight")) == "position_embd":
        return GGMLQuantizationType.F32
    return MIXED_PARTS.get(part, WEIGHT_TYPES[kind][0]) if kind == "q4_k_m" else WEIGHT_TYPES[kind][0]


def stored(architecture, name, value, kind):
    """A matrix as the file's bytes. gguf cannot quantise to the K types, so a matrix of one of those is made of
    random blocks instead: any block is a legal one."""
    stored_as = tensor_type(architecture, name, kind)
    value = np.ascontiguousarray(value.T) if is_turned(architecture, name) else value
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


def through_type(architecture, weights, kind):
    """The weights as a file of this type holds them: the matrices rounded to `kind`."""
    return {name: rounded(architecture, name, value, kind) for name, value in weights.items()}


def rounded(architecture, name, value, kind):
    """A tensor as the file holds it, in the shape that transformers has."""
    if value.ndim == 1:
        return value
    held = quants.dequantize(stored(architecture, name, value, kind), tensor_type(architecture, name, kind))
    return np.ascontiguousarray(held.T) if is_turned(architecture, name) else held.reshape(value.shape)


def new_model(architecture):
    """A model with whatever weights transformers starts from."""
    return architecture.model_class(architecture.config).eval()


def model_with(architecture, weights, dtype=torch.float32):
    """A transformers model that computes in `dtype` with exactly these weights."""
    model = new_model(architecture).to(dtype)
    state = {name: torch.from_numpy(value).to(dtype) for name, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    kept = {"lm_head.weight"} | {name for name in missing if name.endswith((".attn.bias", ".attn.masked_bias"))}
    assert not unexpected and set(missing) <= kept, (missing, unexpected)
    model.tie_weights()
    return model


def write_gguf(path, architecture, weights, kind, tensors_in_a_file=0):
    """Write a whole model: hyper-parameters, tokenizer, tensors; in several files unless there are 0 in each."""
    writer = GGUFWriter(path, architecture.name, split_max_tensors=tensors_in_a_file)
    add_hyper_parameters(writer, architecture, kind)
    add_labels(writer, architecture)
    add_tokenizer(writer, architecture)
    for name in sorted(weights, key=lambda name: file_order(architecture, name)):
        value, to = weights[name], gguf_name(architecture, name)
        if value.ndim == 1:
            shift = 1 if architecture.name == "gemma3" else 0
            writer.add_tensor(to, gguf_rows(architecture, name, value) + np.float32(shift))
        else:
            held = stored(architecture, name, value, kind)
            data = np.ascontiguousarray(gguf_rows(architecture, name, held))
            writer.add_tensor(to, data, raw_dtype=tensor_type(architecture, name, kind))
    divisors = rope_divisors(architecture.config)
    if divisors is not None:
        writer.add_tensor("rope_freqs.weight", divisors)
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
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_file_type(WEIGHT_TYPES[kind][1])
    writer.add_quantization_version(2)
    if architecture.name in ("bloom", "gpt2"):
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        writer.add_context_length(getattr(config, "n_positions", BLOOM_CONTEXT))
        writer.add_feed_forward_length(getattr(config, "n_inner", 4 * config.hidden_size))
        return
    writer.add_context_length(config.max_position_embeddings)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if architecture.name != "qwen2":  # its heads always share the hidden width
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if architecture.name == "llama":
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(config.head_dim)
    if architecture.name == "gemma3":
        writer.add_sliding_window(config.sliding_window)
        writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_parameters["full_attention"]["factor"])
    else:
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def rope_divisors(config):
    """What the file divides each rotary frequency by, where Llama 3's scaling asks for it."""
    if getattr(config, "rope_parameters", None) != LLAMA3_ROPE:
        return None
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    pairs = np.arange(0, config.head_dim, 2) / config.head_dim
    return (LLAMA3_ROPE["rope_theta"] ** -pairs / scaled.numpy()).astype(np.float32)


def add_labels(writer, architecture):
    """What a classifier's rows are called."""
    config = architecture.config
    if architecture.is_classifier:
        writer.add_classifier_output_labels([config.id2label[label] for label in range(config.num_labels)])


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


def gguf_name(architecture, name):
    """`model.layers.2.mlp.up_proj.weight` -> `blk.2.ffn_up.weight`, and so on."""
    name, kind = name.rsplit(".", 1)
    if name in architecture.parts:
        return f"{architecture.parts[name]}.{kind}"
    layer, part = name.removeprefix(f"{architecture.layers}.").split(".", 1)
    return f"blk.{layer}.{architecture.parts[part]}.{kind}"


def file_order(architecture, name):
    """Embedding, layers in order, output norm, output."""
    named = gguf_name(architecture, name)
    if named.startswith("blk."):
        _, layer, part, _ = named.split(".")
        return (1, int(layer), list(architecture.parts.values()).index(part), name)
    order = ["token_embd", "token_embd_norm", "position_embd", "output_norm", "output", "cls"]
    place = order.index(named.split(".")[0])
    return (0 if place < 3 else 2, place, 0, name)


def gguf_rows(architecture, name, value):
    """The tensor with its rows in the order that the file has."""
    part, config = name.split(".")[-2], architecture.config
    if architecture.name == "bloom" and part == "query_key_value":
        # transformers has the three beside each other for every head.
        by_head = value.reshape(config.num_attention_heads, 3, -1, *value.shape[1:])
        return np.ascontiguousarray(np.swapaxes(by_head, 0, 1)).reshape(value.shape)
    if architecture.name == "llama" and part in ("q_proj", "k_proj"):
        return interleave_rows(value, config.num_attention_heads if part == "q_proj" else config.num_key_value_heads)
    return value


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
