"""Which tokens transformers leaves of random logits, and with what probabilities."""

import json

import numpy as np
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

SEED = 21
ROWS, VOCABULARY, CASES = 3, 48, 40
CHOICES = {
    "repetition_penalty": (1.0, 1.25, 0.75),
    "temperature": (1.0, 0.7, 1.6),
    "top_k": (0, 20, 6),
    "top_p": (1.0, 0.9, 0.6),
    "min_p": (0.0, 0.02, 0.2),
}


def write(path):
    """Write logits and cases to one JSON file; returns its bytes."""
    generator = np.random.default_rng(SEED)
    logits = 3 * generator.standard_normal((ROWS, VOCABULARY), dtype=np.float32)
    model = smallest_model()
    wishes = [wish(generator, at) for at in range(CASES)]
    cases = [case(model, logits, one) for one in wishes]
    log_softmax = torch.from_numpy(logits).double().log_softmax(-1).tolist()
    entry = {"logits": logits.astype(np.float64).tolist(), "log_softmax": log_softmax, "cases": cases}
    path.write_text(json.dumps(entry, separators=(",", ":")) + "\n")
    return path.stat().st_size


def smallest_model():
    """Only to own the function that puts the processors of `generate()` in order."""
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    ))


def wish(generator, at):
    """Each way alone first, then at random; numbers are those that a float32 holds."""
    names = list(CHOICES)
    picks = [int(at % len(names) == place) * (1 + at // len(names)) for place in range(len(names))]
    if at >= 2 * len(names):
        picks = generator.integers(0, 3, len(names)).tolist()
    values = {name: CHOICES[name][pick] for name, pick in zip(names, picks)}
    values = {name: value if name == "top_k" else float(np.float32(value)) for name, value in values.items()}
    seen = generator.integers(0, VOCABULARY, 12).tolist()
    return {"row": int(generator.integers(ROWS)), "seen": seen, **values}


def case(model, logits, wish):
    """The wish with what is left, likeliest first. In float64, so that rounding is ours alone."""
    settings = GenerationConfig(do_sample=True, **{name: wish[name] for name in CHOICES})
    processors = model._get_logits_processor(settings, input_ids_seq_length=len(wish["seen"]))
    scores = processors(torch.tensor([wish["seen"]]), torch.from_numpy(logits[wish["row"]]).double()[None])
    probabilities = scores.softmax(-1)[0]
    order = probabilities.argsort(descending=True, stable=True)
    order = [int(token) for token in order if probabilities[token] > 0]
    return {**wish, "tokens": order, "probabilities": [float(probabilities[token]) for token in order]}
