"""Rows per second per core of Feature Hashing beside scikit-learn's HashingVectorizer, interleaved in one run."""
import argparse
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def texts(words, count):
    rng = random.Random(words)
    vocabulary = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 11))) for _ in range(5000)]
    return [" ".join(rng.choice(vocabulary) for _ in range(words)) for _ in range(count)]


def sklearn_rate(rows, seconds):
    from sklearn.feature_extraction.text import HashingVectorizer
    vectorizer = HashingVectorizer(ngram_range=(1, 2), n_features=1024, token_pattern=r"\S+", lowercase=False)
    vectorizer.transform(rows[:100])
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        vectorizer.transform(rows)
        done += len(rows)
    return done / (time.process_time() - began)


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--seconds", type=float, default=2)
    options = parse.parse_args()
    subprocess.run(["scripts/build", "tests"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    binary = ROOT / ".build/release/hashing-bench"
    print("| words a text | gatehouse rows/s per core | scikit-learn rows/s per core | ratio (median) |\n|---|---|---|---|")
    for words, count in ((15, 5000), (80, 1500)):
        rows = texts(words, count)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("\n".join(rows) + "\n")
            file.flush()
            ours, theirs = [], []
            for _ in range(options.rounds):
                printed = subprocess.run([str(binary), file.name, "10", str(options.seconds)], capture_output=True, text=True, check=True)
                ours.append(int(printed.stdout))
                theirs.append(sklearn_rate(rows, options.seconds))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs))
        print(f"| {words} | {statistics.median(ours):,.0f} | {statistics.median(theirs):,.0f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
