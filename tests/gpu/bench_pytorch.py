#!/usr/bin/env python3
"""Training steps of the same models in PyTorch eager, to set beside `dcps bench model`: load a batch, forward, backward, clip. Prints one JSON line a model.

    python3 tests/gpu/bench_pytorch.py resnet lstm
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two convolutions; the shortcut takes every second pixel and pads channels with zeros (option A)."""

    def __init__(self, channels_in, channels):
        super().__init__()
        self.stride = 1 if channels_in == channels else 2
        self.conv1 = nn.Conv2d(channels_in, channels, 3, self.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.missing = channels - channels_in

    def forward(self, x):
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        if self.missing > 0:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return functional.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        blocks = []
        before = 16
        for channels in (16, 32, 64):
            for _ in range((depth - 2) // 6):
                blocks.append(Block(before, channels))
                before = channels
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.conv(x))))
        return self.head(x.mean((2, 3)))


class LanguageModel(nn.Module):
    def __init__(self, words, hidden, layers, dropout):
        super().__init__()
        self.embedding = nn.Embedding(words, hidden)
        self.drop = nn.Dropout(dropout)
        self.lstm = nn.LSTM(hidden, hidden, layers, dropout=dropout)
        self.head = nn.Linear(hidden, words)

    def forward(self, x, state):
        y, state = self.lstm(self.drop(self.embedding(x)), state)
        return self.head(self.drop(y)).flatten(0, 1), state


def measure(step, count):
    """Median seconds of a step; each is waited for, as the end of a step of dcps is."""
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        step()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def bench_resnet(arguments):
    model = ResNet(20).cuda()
    if arguments.channels_last:
        model = model.to(memory_format=torch.channels_last)
    images = torch.randn(128, 3, 32, 32).pin_memory()
    labels = torch.randint(0, 10, (128,)).pin_memory()

    def step():
        x = images.cuda(non_blocking=True)
        if arguments.channels_last:
            x = x.to(memory_format=torch.channels_last)
        model.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(x), labels.cuda(non_blocking=True))
        loss.backward()

    return 128, measure(step, arguments.steps), {"depth": 20}


def bench_lstm(arguments):
    words, hidden, layers, steps, batch, dropout = 10000, 1500, 2, 35, 20, 0.65
    model = LanguageModel(words, hidden, layers, dropout).cuda()
    text = torch.randint(0, words, (steps + 1, batch)).pin_memory()
    state = [tuple(torch.zeros(layers, batch, hidden, device="cuda") for _ in range(2))]

    def step():
        there = text.cuda(non_blocking=True)
        model.zero_grad(set_to_none=True)
        logits, after = model(there[:-1], state[0])
        state[0] = tuple(part.detach() for part in after)
        (functional.cross_entropy(logits, there[1:].flatten()) * steps).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)

    return batch, measure(step, arguments.steps), {"layers": layers, "hidden": hidden, "bptt": steps, "dropout": dropout}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=("resnet", "lstm"))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--tf32", action="store_true", help="TF32 in matrix products too; convolutions have it by default")
    parser.add_argument("--channels-last", action="store_true", help="images in the order that tensor cores like")
    parser.add_argument("--benchmark", action="store_true", help="let cuDNN try its algorithms and keep the fastest")
    arguments = parser.parse_args()
    torch.backends.cudnn.benchmark = arguments.benchmark
    torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
    for name in arguments.models:
        samples, seconds, options = {"resnet": bench_resnet, "lstm": bench_lstm}[name](arguments)
        print(json.dumps({"benchmark": "pytorch", "torch": torch.__version__, "device": torch.cuda.get_device_name(),
                          "model": name, "options": options, "batch_size": samples, "tf32": arguments.tf32,
                          "channels_last": arguments.channels_last, "cudnn_benchmark": arguments.benchmark, "seconds": seconds,
                          "samples_per_second": samples / seconds}), flush=True)


if __name__ == "__main__":
    main()
