#!/usr/bin/env python3
"""Draw loss.svg from loss.csv."""

import csv
import pathlib

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "stories"
import matplotlib.pyplot as plt


def main():
    """Read the table, draw both curves."""
    here = pathlib.Path(__file__).parent
    with open(here / "loss.csv", newline="") as file:
        table = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    table = [row for row in table if row["step"] > 0]
    tokens = [row["tokens"] / 1e6 for row in table]
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(tokens, [row["train"] for row in table], label="training (mean since the last point)", linewidth=1.2)
    axes.plot(tokens, [row["valid"] for row in table], label="held-out", linewidth=1.6)
    axes.set_yscale("log")
    axes.set_yticks([0.7, 0.8, 1, 1.5, 2, 3, 5], ["0.7", "0.8", "1", "1.5", "2", "3", "5"])
    axes.minorticks_off()
    axes.set_xlabel("tokens seen (millions)")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(here / "loss.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
