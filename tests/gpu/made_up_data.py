#!/usr/bin/env python3
"""Writes data of the shapes of CIFAR-10 and PTB, which is as fast to train on as the real thing, into a folder: for benchmarks where neither is at hand."""
import pathlib
import random
import sys

IMAGES = 10000
WORDS = 10000
TOKENS = {"train": 120000, "valid": 2000, "test": 2000}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: made_up_data.py DIR")
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(1)
    images = b"".join(bytes([draw.randrange(10)]) + draw.randbytes(3072) for _ in range(IMAGES))
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        (folder / name).write_bytes(images)
    for split, count in TOKENS.items():
        words = list(range(WORDS - 1)) if split == "train" else []
        words += [draw.randrange(WORDS - 1) for _ in range(count - len(words))]
        lines = (" ".join(f"w{word}" for word in words[i : i + 20]) for i in range(0, count, 20))
        (folder / f"ptb.{split}.txt").write_text("\n".join(f" {line} " for line in lines) + "\n")


if __name__ == "__main__":
    main()
