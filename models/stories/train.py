#!/usr/bin/env python3
"""Train the tokenizer and the model on the corpus, on one CPU thread.

    python train.py --data /tmp/stories --out /tmp/stories/run

The time budget sets the number of steps: the learning rate follows a cosine
over the share of the budget that is used, so that a run ends when it should
on any machine. With ``--steps`` the run is a function of the seed alone.
"""

import argparse
import csv
import dataclasses
import json
import math
import pathlib
import random
import time

import torch
import torch.nn.functional as F
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from model import ModelConfig, Qwen3, to_transformers

END = "<|endoftext|>"
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


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


def rows(documents, tokenizer, length, rng, shuffled):
    """Endless rows of length + 1 token ids, each beginning with a document.

    Half of the rows begin with the end token, as a run without a prompt does.
    Documents are taken in order. What is cut off at the end of a row is lost,
    unless it is long and not of the row's only document: then the next row
    begins with that document.
    """
    order = list(range(len(documents)))
    position = len(order) if shuffled else 0
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


def batches(documents, tokenizer, tokens, lengths, seed, shuffled=False):
    """Endless (inputs, targets); row lengths are drawn from the given list."""
    rng = random.Random(seed)
    sources = {n: rows(documents, tokenizer, n, rng, shuffled) for n in sorted(set(lengths))}
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


def make_optimizer(model):
    """AdamW; only matrices decay."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    norms = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def learning_rate(progress, step, peak, warmup=100):
    """Warm-up, then a cosine down to a fiftieth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def save(path, model, config):
    """Write weights and configuration to one file, in place of the last one."""
    part = path.with_suffix(".part")
    torch.save({"config": dataclasses.asdict(config), "state": model.state_dict()}, part)
    part.replace(path)


def progress_so_far(path):
    """(steps, tokens, seconds) of the last row of a loss.csv."""
    with open(path, newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return int(last["step"]), int(last["tokens"]), float(last["seconds"])


def train(args, tokenizer, model, config):
    """The training loop; writes loss.csv and model.pt to args.out.

    A resumed run goes on counting in the same loss.csv, with a learning rate
    schedule of its own and the documents in a new order.
    """
    before = progress_so_far(args.out / "loss.csv") if args.resume else (0, 0, 0.0)
    source = batches(read_documents(args.data / "train.txt"), tokenizer, args.batch_tokens,
                     args.lengths, args.seed + before[0], shuffled=args.resume)
    held_out = batches(read_documents(args.data / "valid.txt"), tokenizer, 2048, [256], 1)
    held_out = [next(held_out) for _ in range(8)]
    optimizer = make_optimizer(model)
    fast = torch.compile(model, dynamic=False) if args.compile else model
    began, last_save, tokens, step, recent = time.time(), time.time(), before[1], 0, []
    with open(args.out / "loss.csv", "a" if args.resume else "w", newline="") as file:
        log = csv.writer(file)
        if not args.resume:
            log.writerow(["step", "tokens", "seconds", "learning_rate", "train", "valid"])
        done = False
        while not done:
            seconds = time.time() - began
            progress = step / args.steps if args.steps else seconds / (args.minutes * 60)
            done = progress >= 1.0
            if (step and step % args.every == 0) or done:
                train_loss = sum(recent) / len(recent) if recent else float("nan")
                valid_loss = validation_loss(model, held_out)
                rate = learning_rate(progress, step, args.rate)
                log.writerow([before[0] + step, tokens, round(before[2] + seconds), f"{rate:.6f}", f"{train_loss:.4f}", f"{valid_loss:.4f}"])
                file.flush()
                print(f"{before[0] + step} {tokens} {seconds:.0f}s lr {rate:.5f} train {train_loss:.4f} valid {valid_loss:.4f}", flush=True)
                recent = []
            if done or time.time() - last_save > 180:
                last_save = time.time()
                save(args.out / "model.pt", model, config)
                for prompt in ("Once upon a time", "Tell me a story about a fox."):
                    print("  >", json.dumps(sample(model, tokenizer, prompt), ensure_ascii=False), flush=True)
            if done:
                break
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(progress, step, args.rate)
            inputs, targets = next(source)
            loss = loss_of(fast, inputs, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            recent.append(loss.item())
            tokens += inputs.numel()
            step += 1


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
    parser.add_argument("--minutes", type=float, default=48)
    parser.add_argument("--steps", type=int, default=0, help="fixed number of steps instead of minutes")
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--lengths", type=int, nargs="+", default=[192, 192, 192, 256, 256, 512],
                        help="row lengths to draw from; short rows hold only the beginnings of documents")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from model.pt and loss.csv in --out")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    config = ModelConfig()
    model = Qwen3(config)
    if args.resume:
        tokenizer = Tokenizer.from_file(str(args.out / "tokenizer.json"))
        model.load_state_dict(torch.load(args.out / "model.pt", weights_only=True)["state"])
    else:
        tokenizer = train_tokenizer(read_documents(args.data / "train.txt")[:20000], config.vocab_size)
        tokenizer.save(str(args.out / "tokenizer.json"))
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    check_against_transformers(model, config)
    train(args, tokenizer, model, config)
    check_against_transformers(model, config)


if __name__ == "__main__":
    main()
