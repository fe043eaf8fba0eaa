"""Tiny random T5 models of both kinds, and how they are written as GGUF files (llama.cpp's converter: its key and
tensor names, F32 norms and tables of relative positions)."""

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quants
from transformers import T5Config, T5ForConditionalGeneration

import tiny_models
import tiny_tokenizer

# Heads together are wider than the hidden state; the stacks have different numbers of layers, and their tables buckets
# for single distances and for ranges of them.
COMMON = dict(
    vocab_size=tiny_tokenizer.VOCABULARY_TOKENS, d_model=64, d_kv=32, num_heads=4, d_ff=96, num_layers=3,
    num_decoder_layers=2, relative_attention_num_buckets=16, relative_attention_max_distance=128, dropout_rate=0.0,
    layer_norm_epsilon=1e-6, pad_token_id=285, eos_token_id=287, decoder_start_token_id=285,
    attn_implementation="eager",
)
CONTEXT = 256  # T5 has no limit
PRE_TOKENIZER = "gpt-2"
# T5 has one table for embedding and head; T5 1.1, and so FLAN-T5, has one for each.
CONFIGS = {
    "t5": T5Config(**COMMON, feed_forward_proj="relu", tie_word_embeddings=True),
    "flan-t5": T5Config(**COMMON, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
}

OUTSIDE = {
    "shared": "token_embd",
    "lm_head": "output",
    "encoder.final_layer_norm": "enc.output_norm",
    "decoder.final_layer_norm": "dec.output_norm",
}
ATTENTION = {"q": "q", "k": "k", "v": "v", "o": "o", "relative_attention_bias": "rel_b"}
FEED_FORWARD = {"wi": "ffn_up", "wi_0": "ffn_gate", "wi_1": "ffn_up", "wo": "ffn_down"}


def is_tied(config):
    """transformers ties the two in every case, and remembers what the configuration said by this."""
    return config.scale_decoder_outputs


def new_model(config):
    """A model with whatever weights transformers starts from, and a matrix of its own for the head if it has one."""
    model = T5ForConditionalGeneration(config).eval()
    if not is_tied(config):
        model.lm_head.weight = torch.nn.Parameter(torch.empty(config.vocab_size, config.d_model))
    return model


def random_weights(name, seed):
    """Float32 weights by their name in transformers."""
    generator, config, weights = np.random.default_rng(seed), CONFIGS[name], {}
    for name, value in new_model(config).state_dict().items():
        is_copy = name.endswith("embed_tokens.weight") or name == "lm_head.weight" and is_tied(config)
        if not is_copy:
            weights[name] = random_tensor(config, generator, name, tuple(value.shape))
    return weights


def random_tensor(config, generator, name, shape):
    """Norms vary around 1; scores are not scaled, so queries are small; tables of positions tell."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    part = name.split(".")[-2]
    if len(shape) == 1:
        # What a tied head gives is scaled down again.
        middle = np.sqrt(shape[0]) if is_tied(config) and name.startswith("decoder.final") else 1
        return (middle * (1 + 0.2 * noise)).astype(np.float32)
    if part == "relative_attention_bias":
        return (3 * noise).astype(np.float32)
    gain = {"shared": 3.0, "lm_head": 3.0, "q": 1.5 / np.sqrt(config.d_kv)}.get(part, 1.5)
    if name.startswith("decoder") and (part == "wo" or "SelfAttention" in name and part in ("v", "o")):
        gain = 3.0  # else the prompt says it all
    return (gain / np.sqrt(shape[1]) * noise).astype(np.float32)


def is_exact(name, value):
    """Whether a file has it as float32 whatever its kind."""
    return value.ndim == 1 or "relative_attention_bias" in name


def through_type(weights, kind):
    """The weights as a file of this type holds them."""
    stored_as = tiny_models.WEIGHT_TYPES[kind][0]
    held = lambda value: quants.dequantize(quants.quantize(value, stored_as), stored_as).reshape(value.shape)
    return {name: value if is_exact(name, value) else held(value) for name, value in weights.items()}


def model_with(name, weights, dtype=torch.float32):
    """A transformers model that computes in `dtype` with exactly these weights."""
    model = new_model(CONFIGS[name]).to(dtype)
    state = {name: torch.from_numpy(value).to(dtype) for name, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]
    tied += ["lm_head.weight"] if is_tied(CONFIGS[name]) else []
    assert not unexpected and set(missing) <= set(tied), (missing, unexpected)
    for copy in tied:
        assert torch.equal(model.state_dict()[copy], state["shared.weight"]), copy
    return model


def gguf_name(name):
    """`decoder.block.1.layer.1.EncDecAttention.q.weight` -> `dec.blk.1.cross_attn_q.weight`, and so on."""
    stem, kind = name.rsplit(".", 1)
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.{kind}"
    stack, _, layer, _, place, *part = stem.split(".")
    attention = "cross_attn" if stack == "decoder" and place == "1" else "attn"
    is_last = place == ("2" if stack == "decoder" else "1")
    if part == ["layer_norm"]:
        ours = "ffn_norm" if is_last else f"{attention}_norm"
    else:
        ours = FEED_FORWARD[part[1]] if is_last else f"{attention}_{ATTENTION[part[1]]}"
    return f"{stack[:3]}.blk.{layer}.{ours}.{kind}"


def write_gguf(path, name, weights, kind):
    """Write a whole model: hyper-parameters, tokenizer, tensors."""
    writer, config = GGUFWriter(path, "t5"), CONFIGS[name]
    add_hyper_parameters(writer, config, f"Tiny {name} {kind}", kind)
    tiny_models.add_tokenizer(writer, Tokenized(config))
    stored_as = tiny_models.WEIGHT_TYPES[kind][0]
    for theirs, value in weights.items():
        to = gguf_name(theirs)
        if is_exact(theirs, value):
            writer.add_tensor(to, value)
        else:
            writer.add_tensor(to, quants.quantize(value, stored_as), raw_dtype=stored_as)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_hyper_parameters(writer, config, title, kind):
    writer.add_type("model")
    writer.add_name(title)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.d_model)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_block_count(config.num_layers)
    writer.add_decoder_block_count(config.num_decoder_layers)
    writer.add_head_count(config.num_heads)
    writer.add_key_length(config.d_kv)
    writer.add_value_length(config.d_kv)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_layer_norm_rms_eps(config.layer_norm_epsilon)
    writer.add_relative_attn_buckets_count(config.relative_attention_num_buckets)
    writer.add_decoder_start_token_id(config.decoder_start_token_id)
    writer.add_file_type(tiny_models.WEIGHT_TYPES[kind][1])
    writer.add_quantization_version(2)


class Tokenized:
    """What `tiny_models.add_tokenizer` asks of an architecture; a byte-level tokenizer, as CodeT5 has one."""

    pre_tokenizer, adds_bos = PRE_TOKENIZER, False

    def __init__(self, config):
        self.config = T5Config(bos_token_id=285, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id)
