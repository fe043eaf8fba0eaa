"""Small inputs and outputs of single operations, as torch, transformers and gguf compute them."""

import json

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants
from transformers.models.llama.modeling_llama import LlamaRMSNorm, apply_rotary_pos_emb

SEED = 20


def write(path):
    """Write every vector to one JSON file; returns its bytes."""
    generator = np.random.default_rng(SEED)
    entries = {
        make.__name__: make(generator)
        for make in (rms_norm, matvec, rope, attention, silu_gate, f16, q8_0, blocks)
    }
    path.write_text(json.dumps(entries, separators=(",", ":")) + "\n")
    return path.stat().st_size


def rms_norm(generator):
    x, weight, epsilon = normal(generator, 48), 1 + 0.2 * normal(generator, 48), 1e-5
    norm = LlamaRMSNorm(48, epsilon)
    norm.weight.data = weight
    return {"x": flat(x), "weight": flat(weight), "epsilon": epsilon, "expected": flat(norm(x))}


def matvec(generator):
    matrix, x = normal(generator, 5, 32), normal(generator, 32)
    return {"rows": flat(matrix), "x": flat(x), "expected": flat(matrix @ x)}


def rope(generator):
    """One head at one position. `halves` is transformers' function; `pairs` is complex multiplication."""
    head_dim, position, theta = 16, 77, 10000.0
    x = normal(generator, head_dim)
    angles = position * theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    doubled = torch.cat([angles, angles])[None, None].float()
    row = x[None, None, None]
    halves, _ = apply_rotary_pos_emb(row, row, doubled.cos(), doubled.sin())
    turned = torch.view_as_complex(x.double().reshape(-1, 2)) * torch.polar(torch.ones_like(angles), angles)
    return {
        "position": position, "theta": theta, "x": flat(x),
        "halves": flat(halves), "pairs": flat(torch.view_as_real(turned)),
    }


def attention(generator):
    """Three new rows after two earlier positions, four query heads on two key/value heads."""
    heads, kv_heads, head_dim, rows, past = 4, 2, 8, 3, 2
    queries = normal(generator, rows, heads, head_dim)
    keys, values = (normal(generator, past + rows, kv_heads, head_dim) for _ in range(2))
    visible = torch.arange(past + rows)[None] <= past + torch.arange(rows)[:, None]
    mixed = torch.nn.functional.scaled_dot_product_attention(
        queries.transpose(0, 1), *(each.transpose(0, 1) for each in (keys, values)),
        attn_mask=visible, enable_gqa=True,
    )
    return {
        "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "past": past,
        "queries": flat(queries), "keys": flat(keys), "values": flat(values),
        "expected": flat(mixed.transpose(0, 1)),
    }


def silu_gate(generator):
    gate, up = 4 * normal(generator, 24), normal(generator, 24)
    return {"gate": flat(gate), "up": flat(up), "expected": flat(torch.nn.functional.silu(gate) * up)}


def f16(generator):
    """Bits of halves and of the floats they stand for: zeros, subnormals, limits, infinities, random."""
    special = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00]
    finite = generator.integers(0, 0x7C00, 52) | generator.integers(0, 2, 52) << 15
    halves = np.array([*special, *finite], dtype=np.uint16)
    floats = quants.dequantize(halves.view(np.float16), GGMLQuantizationType.F16)
    return {"bits": halves.tolist(), "expected_bits": floats.view(np.uint32).tolist()}


def q8_0(generator):
    """Blocks of a half scale and 32 signed bytes: random, extreme bytes, zero and subnormal scale."""
    blocks = generator.integers(0, 256, (8, 34), dtype=np.uint8)
    scales = generator.standard_normal(8).astype(np.float16)
    scales[5], scales[6], scales[7] = 0.0, 6e-8, -65504.0
    blocks[:, :2] = scales.view(np.uint8).reshape(8, 2)
    blocks[4, 2:6] = (0x80, 0x7F, 0x00, 0xFF)
    floats = quants.dequantize(blocks.ravel(), GGMLQuantizationType.Q8_0)
    return {"blocks": blocks.ravel().tolist(), "expected_bits": floats.view(np.uint32).tolist()}


def blocks(generator):
    """Random blocks of every other type, with their values' bits. Factors are finite; some are zero, subnormal or large."""
    factors = np.array([0.5, -0.031, 0.0, 6e-8, 1000.0, 1.0], dtype=np.float16)
    types = {  # where the half-precision factors stand in a block
        "BF16": [], "Q4_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    }
    entries = []
    for name, places in types.items():
        kind = GGMLQuantizationType[name]
        columns, size = GGML_QUANT_SIZES[kind]
        data = generator.integers(0, 256, (len(factors), size), dtype=np.uint8)
        if name == "BF16":
            data = generator.standard_normal(16, dtype=np.float32).view(np.uint32) >> 16
            data = data.astype(np.uint16).view(np.uint8)
        for shift, place in enumerate(places):
            data[:, place : place + 2] = np.roll(factors, shift).view(np.uint8).reshape(-1, 2)
        floats = quants.dequantize(data.ravel(), kind)
        entries.append({
            "type": name, "bytes": data.ravel().tolist(), "expected_bits": floats.view(np.uint32).ravel().tolist(),
        })
    return entries


def normal(generator, *shape):
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def flat(tensor):
    """As JSON numbers that read back to the same float32."""
    return [float(value) for value in tensor.detach().float().ravel()]
