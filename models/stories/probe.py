#!/usr/bin/env python3
"""Ask a model for stories and count how often it keeps to what was asked.

    python probe.py --gguf stories-q8_0.gguf --samples 3

For requests that name an animal, a name or a place it counts how often that word
is in the story, and it prints a few samples (temperature 0.7) to read.
"""

import argparse
import pathlib
import random

import gguf
import torch

from golden import read_config, read_model, read_tokenizer
from world import ANIMALS, GIRL_NAMES, PET_NAMES, Place, PLACES

READ = ["Once upon a time", "Tell me a story about a fox.", "Who lives in the forest?", "🐻", "In a quiet village",
        "The owl and the mouse were", "Hello!", "What is a lantern?", "tell me a story about Zoe", "Where is Pip?",
        "What is the capital of France?", "One cold night, the dragon"]


@torch.no_grad()
def complete(model, tokenizer, prompt, count, temperature, generator):
    """Continuation of a prompt: greedy for temperature 0, else sampled."""
    ids = tokenizer.encode(prompt).ids or [0]
    start = len(ids)
    step, cache = ids, None
    while len(ids) - start < count:
        out = model(input_ids=torch.tensor([step]), past_key_values=cache, use_cache=True)
        cache, logits = out.past_key_values, out.logits[0, -1]
        if temperature:
            token = int(torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator))
        else:
            token = int(logits.argmax())
        if token == 0:
            break
        ids.append(token)
        step = [token]
    return tokenizer.decode(ids[start:])


def kept(model, tokenizer, generator, rng, rounds):
    """Shares of greedy answers that contain the animal, the name, the place asked for."""
    hits = {"animal": 0, "name": 0, "place": 0}
    for _ in range(rounds):
        animal, place = rng.choice(list(ANIMALS)), rng.choice(list(PLACES))
        name = rng.choice(GIRL_NAMES + PET_NAMES)
        ask = {"animal": (animal, f"Tell me a story about a {animal}."), "name": (name, f"Tell me a story about {name}."),
               "place": (f"the {place}", f"Who lives {Place(rng, place).at}?")}
        for key, (word, prompt) in ask.items():
            hits[key] += word in complete(model, tokenizer, prompt, 40, 0, generator)
    return {key: value / rounds for key, value in hits.items()}


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=pathlib.Path, default=pathlib.Path("stories-q8_0.gguf"))
    parser.add_argument("--samples", type=int, default=1, help="samples for each prompt")
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    torch.set_num_threads(1)
    reader = gguf.GGUFReader(str(args.gguf))
    config, tokenizer = read_config(reader), read_tokenizer(reader)
    model = read_model(reader, config)
    generator, rng = torch.Generator().manual_seed(1), random.Random(1)
    for prompt in READ:
        for _ in range(args.samples):
            print(f"[{prompt}]{complete(model, tokenizer, prompt, 160, 0.7, generator)}\n")
    print(kept(model, tokenizer, generator, rng, args.rounds))


if __name__ == "__main__":
    main()
