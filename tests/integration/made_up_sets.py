"""Data made up in the form of the published sets."""
import gzip
import os
import random


def write_cifar10(folder):
    """Of the published size: all images of a class are the same noise, so that a small net learns them in a few steps."""
    images = b"".join(bytes([label]) + random.Random(label).randbytes(3072) for label in range(10))
    coded = gzip.compress(images * 1000, 1)
    for name in ["test_batch.bin.gz"] + ["data_batch_%d.bin.gz" % number for number in range(1, 6)]:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(coded)


def write_ptb(folder):
    """A short tune over and over: whoever remembers a few words knows the next."""
    tune = "a b a c a b d e\n" * 500
    for name in ("train", "valid", "test"):
        with open(os.path.join(folder, "ptb.%s.txt" % name), "w") as file:
            file.write(tune)
