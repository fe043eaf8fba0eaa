#!/usr/bin/env python3
"""Train the tokenizer and the model on the corpus, on one CPU thread.

    python train.py --data build --out build/run

A run is a function of its options and the seed, on one kind of processor and
with one version of torch.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import random
import time

import torch
import torch.nn.functional as F
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from model import ModelConfig, Qwen3, to_transformers
from muon import Muon

END = "<|endoftext|>"
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


EMBEDDING_RATE = 4e-3
NORM_RATE = 2e-3


def read_documents(path):
    """The documents of a corpus file, one JSON string per line."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def train_tokenizer(documents, size):
    """Byte-level BPE with the pre-tokenizer of Qwen2; token 0 ends a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(documents, trainers.BpeTrainer(
        vocab_size=size, special_tokens=[AddedToken(END, special=True)], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    assert tokenizer.get_vocab_size() == size and tokenizer.token_to_id(END) == 0
    return tokenizer


def rows(documents, tokenizer, length, rng):
    """Endless rows of length + 1 token ids, each beginning with a document.

    Half of the rows begin with the end token, as a run without a prompt does.
    Documents are taken in order, shuffled for every pass. What is cut off at the end of a row is lost,
    unless it is long and not of the row's only document: then the next row
    begins with that document.
    """
    order = list(range(len(documents)))
    position = len(order)
    while True:
        row, first = [0] if rng.random() < 0.5 else [], position
        while len(row) <= length:
            if position == len(order):
                rng.shuffle(order)
                position = first = 0
            row += tokenizer.encode(documents[order[position]]).ids + [0]
            position += 1
        if len(row) - length - 1 > 80 and position - first > 1:
            position -= 1
        yield row[:length + 1]


def batches(documents, tokenizer, tokens, lengths, seed):
    """Endless (inputs, targets); row lengths are drawn from the given list."""
    rng = random.Random(seed)
    sources = {n: rows(documents, tokenizer, n, rng) for n in sorted(set(lengths))}
    while True:
        n = rng.choice(lengths)
        block = torch.tensor([next(sources[n]) for _ in range(max(1, tokens // n))])
        yield block[:, :-1], block[:, 1:]


def loss_of(model, inputs, targets):
    """Mean cross entropy in nats per token."""
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


@torch.no_grad()
def validation_loss(model, blocks):
    """Mean loss over the held-out blocks."""
    return sum(loss_of(model, x, y).item() for x, y in blocks) / len(blocks)


@torch.no_grad()
def sample(model, tokenizer, prompt, count=120):
    """Greedy continuation of a prompt."""
    ids = tokenizer.encode(prompt).ids or [0]
    start = len(ids)
    while len(ids) - start < count:
        best = int(model(torch.tensor([ids]))[0, -1].argmax())
        if best == 0:
            break
        ids.append(best)
    return tokenizer.decode(ids)


def make_optimizers(model, rate):
    """Muon for the matrices of the layers, AdamW for the embedding and the norms, each with its own rate."""
    layers = [p for p in model.model.layers.parameters() if p.dim() == 2]
    norms = [p for p in model.parameters() if p.dim() == 1]
    table = [model.model.embed_tokens.weight]
    adam = torch.optim.AdamW([{"params": table, "lr": EMBEDDING_RATE}, {"params": norms, "lr": NORM_RATE}],
                             betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    optimizers = [Muon(layers, lr=rate), adam]
    for group in (g for optimizer in optimizers for g in optimizer.param_groups):
        group["peak"] = group["lr"]
    return optimizers


def share_of_peak(step, steps, warmup=60):
    """The learning rate as a share of its peak: warm-up, a plateau, and the second half down to nothing in a line."""
    return min((step + 1) / warmup, 1.0, 2 * (steps - step) / steps)


def save(path, model, config):
    """Write weights and configuration to one file, in place of the last one."""
    part = path.with_suffix(".part")
    torch.save({"config": dataclasses.asdict(config), "state": model.state_dict()}, part)
    part.replace(path)


def train(args, tokenizer, model, config):
    """The training loop; writes loss.csv and model.pt to args.out."""
    source = batches(read_documents(args.data / "train.txt"), tokenizer, args.batch_tokens, args.lengths, args.seed)
    held_out = batches(read_documents(args.data / "valid.txt"), tokenizer, 2048, [256], 1)
    held_out = [next(held_out) for _ in range(8)]
    optimizers = make_optimizers(model, args.rate)
    fast = torch.compile(model, dynamic=False) if args.compile else model
    began, tokens, recent = time.time(), 0, []
    with open(args.out / "loss.csv", "w", newline="") as file:
        log = csv.writer(file)
        log.writerow(["step", "tokens", "seconds", "share_of_peak", "train", "valid"])
        for step in range(args.steps):
            share = share_of_peak(step, args.steps)
            inputs, targets = next(source)
            recent.append(train_step(model, fast, optimizers, share, inputs, targets))
            tokens += inputs.numel()
            if (step + 1) % args.every == 0 or step + 1 == args.steps:
                seconds, train_loss = round(time.time() - began), sum(recent) / len(recent)
                valid_loss = validation_loss(model, held_out)
                log.writerow([step + 1, tokens, seconds, f"{share:.4f}", f"{train_loss:.4f}", f"{valid_loss:.4f}"])
                file.flush()
                print(f"{step + 1} {tokens} {seconds}s train {train_loss:.4f} valid {valid_loss:.4f}", flush=True)
                recent = []
            if (step + 1) % (5 * args.every) == 0 or step + 1 == args.steps:
                save(args.out / "model.pt", model, config)
                for prompt in ("Once upon a time", "Tell me a story about a fox."):
                    print("  >", json.dumps(sample(model, tokenizer, prompt), ensure_ascii=False), flush=True)


def train_step(model, fast, optimizers, share, inputs, targets):
    """One step; the loss before it."""
    loss = loss_of(fast, inputs, targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


def check_against_transformers(model, config):
    """The largest difference between our logits and those of transformers."""
    ids = torch.randint(0, config.vocab_size, (2, 100), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        gap = (model(ids) - to_transformers(config, model.state_dict())(input_ids=ids).logits).abs().max().item()
    assert gap < 1e-3, gap
    print(f"largest logit difference from transformers: {gap:.2e}", flush=True)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/run"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--lengths", type=int, nargs="+", default=[64, 64, 96, 128, 192, 256, 512],
                        help="row lengths to draw from; short rows hold only the beginnings of documents")
    parser.add_argument("--rate", type=float, default=0.02, help="of Muon")
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    config = ModelConfig()
    model = Qwen3(config)
    tokenizer = train_tokenizer(read_documents(args.data / "train.txt")[:20000], config.vocab_size)
    tokenizer.save(str(args.out / "tokenizer.json"))
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    check_against_transformers(model, config)
    train(args, tokenizer, model, config)
    check_against_transformers(model, config)


if __name__ == "__main__":
    main()
